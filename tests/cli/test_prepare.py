"""The prepare command: what it says, what it writes, its exit codes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ava_detect.cli import main
from ava_detect.data import prepared_folder
from ava_detect.data.prepared_folder import PreparedFolder
from tests.video.encoding import Encode, encode

ROW = "{},1,0.1,0.1,0.5,0.9,1\n"


@pytest.fixture
def own_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two videos, their annotations and ``mine.yaml``; copies are made in this process."""

    def make(self: PreparedFolder, videos: dict[str, Path], workers: int):
        for video_id, source in videos.items():
            yield video_id, prepared_folder._copy(source, self._target(video_id), self._settings)

    monkeypatch.setattr(PreparedFolder, "_make", make)
    folder = tmp_path / "my set"
    (folder / "videos").mkdir(parents=True)
    for name in ("one", "two"):
        encode(folder / "videos" / f"{name}.mp4", Encode())
    (folder / "train.csv").write_text(ROW.format("one"))
    (folder / "val.csv").write_text(ROW.format("two"))
    (folder / "mine.yaml").write_text(
        f"AVA:\n  VIDEO_DIR: {folder / 'videos'}\n  ANNOTATION_DIR: {folder}\n"
        "  TRAIN_GT_BOX_LISTS: [train.csv]\n  GROUNDTRUTH_FILE: val.csv\n"
        "  TEST_PREDICT_BOX_LISTS: [val_boxes.csv]\n"
    )
    return folder


@pytest.fixture
def prepare(own_set: Path) -> Callable[..., int]:
    def run(*arguments: str) -> int:
        return main(["prepare", "--cfg", str(own_set / "mine.yaml"), "--short-side", "48", *arguments])

    return run


def test_copies_of_both_sets_are_made_beside_the_originals(
    own_set: Path, prepare: Callable[..., int], capsys: pytest.CaptureFixture[str]
):
    assert prepare() == 0
    out = own_set / "videos_48"
    assert sorted(path.name for path in out.iterdir()) == ["one.mp4", "prepared.json", "two.mp4"]
    said = capsys.readouterr()
    assert "2 copies" in said.out
    assert "as JPEG frames" in said.out
    assert said.out.splitlines()[-1] == f"to use the copies: AVA.VIDEO_DIR '{out}'"
    assert "val_boxes.csv" not in said.err  # val.csv names the same videos
    assert prepare() == 0
    assert "2 of them there already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "mentioned"),
    [
        ([], True),
        (["AVA.TEST_GT_BOXES", "True"], False),  # tests need no boxes of a detector
    ],
)
def test_boxes_that_alone_would_name_the_test_videos_are_missed(
    own_set: Path,
    prepare: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    settings: list[str],
    mentioned: bool,
):
    assert prepare("AVA.GROUNDTRUTH_FILE", "", *settings) == 0
    said = capsys.readouterr()
    assert "1 copies" in said.out
    assert (f"{own_set / 'val_boxes.csv'}: not there; its videos are not looked for" in said.err) == mentioned


def test_a_broken_video_is_named_and_gives_exit_code_3(
    own_set: Path, prepare: Callable[..., int], capsys: pytest.CaptureFixture[str]
):
    (own_set / "videos" / "two.mp4").write_bytes(b"no video")
    assert prepare() == 3
    said = capsys.readouterr()
    assert "1 copies" in said.out
    assert "error: 1 of 2 videos have no copy: two" in said.err


def test_no_copy_at_all_is_an_error(
    own_set: Path, prepare: Callable[..., int], capsys: pytest.CaptureFixture[str]
):
    for name in ("one", "two"):
        (own_set / "videos" / f"{name}.mp4").write_bytes(b"no video")
    assert prepare() == 1
    assert "none of the 2 videos could be prepared" in capsys.readouterr().err


def test_missing_videos_are_named(
    own_set: Path, prepare: Callable[..., int], capsys: pytest.CaptureFixture[str]
):
    (own_set / "videos" / "two.mp4").unlink()
    assert prepare() == 0
    assert "1 annotated videos are not in" in capsys.readouterr().err
    (own_set / "videos" / "one.mp4").rename(own_set / "videos" / "three.mp4")
    assert prepare() == 1
    assert "annotated: one, two; found: three" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--out", "{set}/videos"], 1, "the originals are there"),
        (["AVA.VIDEO_DIR", ""], 2, "AVA.VIDEO_DIR is empty"),
        (["AVA.ANNOTATION_DIR", "elsewhere"], 1, "none of the annotation files is there"),
    ],
)
def test_what_cannot_be_done_is_said(
    own_set: Path,
    prepare: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
):
    assert prepare(*(word.format(set=own_set) for word in arguments)) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--crf", "60"], ["--gop", "0"], ["--workers", "0"]])
def test_numbers_out_of_range_are_refused(prepare: Callable[..., int], arguments: list[str]):
    with pytest.raises(SystemExit, match="2"):
        prepare(*arguments)
