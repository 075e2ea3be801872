"""The convert command: from labels and videos to a data set that can be trained on; what it says."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from ava_detect.cli import main
from ava_detect.config import load_config
from ava_detect.data.annotation_reader import read_training_annotations
from ava_detect.data.check import check_things
from ava_detect.data.convert.keyframes import ConvertedVideo, Person
from ava_detect.data.convert.split import split_videos
from evaluation.label_map import load_label_map
from tests.video.encoding import Encode, encode

UNEVEN = [40 * place + (13 if place % 3 else 0) for place in range(75)]  # milliseconds

Convert = Callable[..., int]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos of 160x96 pixels and three seconds: 25 and 30 frames per second, and uneven."""
    folder = tmp_path_factory.mktemp("some videos")
    encode(folder / "one.mp4", Encode(numbers=range(75)))
    encode(folder / "two.mp4", Encode(fps=Fraction(30), numbers=range(90)))
    uneven = Encode(numbers=range(75), ticks=UNEVEN, time_base=Fraction(1, 1000))
    encode(folder / "uneven.mp4", uneven)
    return folder


@pytest.fixture
def convert(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Convert:
    """Return a function that converts a text into ``tmp_path / "out"``."""
    monkeypatch.setenv("AVA_DETECT_CACHE", str(tmp_path / "cache"))

    def run(text: str, *arguments: str, with_videos: bool = True) -> int:
        (tmp_path / "labels").write_text(text)
        where = ["--videos", str(videos)] if with_videos else []
        return main(["convert", str(tmp_path / "labels"), *where, "--out", str(tmp_path / "out"), *arguments])

    return run


def _rows(tmp_path: Path) -> list[str]:
    """Return the rows of both files."""
    found = [tmp_path / "out" / f"{name}.csv" for name in ("train", "val")]
    return [line for path in found if path.exists() for line in path.read_text().splitlines()]


def _cvat(*tracks: str) -> str:
    meta = (
        "<meta><task><original_size><width>160</width><height>96</height></original_size>"
        "<source>{}.mp4</source></task></meta>"
    )
    return f"<annotations>{meta}{''.join(tracks)}</annotations>"


def _track(number: int, action: str, *frames: tuple[int, int, int]) -> str:
    """Write a track of boxes 40 wide: (frame, x1, outside)."""
    boxes = "".join(
        f'<box frame="{frame}" outside="{outside}" xtl="{x}" ytl="24" xbr="{x + 40}" ybr="72">'
        f'<attribute name="action">{action}</attribute></box>'
        for frame, x, outside in frames
    )
    return f'<track id="{number}" label="person">{boxes}</track>'


def test_tracks_are_looked_at_every_second_of_the_video(convert: Convert, tmp_path: Path):
    text = _cvat(
        _track(0, "wave", (0, 0, 0), (50, 100, 0), (74, 100, 1)), _track(5, "sit", (25, 80, 0), (26, 80, 1))
    )
    assert convert(text.format("one"), "--val-share", "0") == 0
    assert _rows(tmp_path) == [
        "one,0000,0.000000,0.250000,0.250000,0.750000,2,0",
        "one,0001,0.312500,0.250000,0.562500,0.750000,2,0",
        "one,0001,0.500000,0.250000,0.750000,0.750000,1,1",
        "one,0002,0.625000,0.250000,0.875000,0.750000,2,0",
    ]
    labels = load_label_map(tmp_path / "out" / "label_map.pbtxt")
    assert (labels.ids, labels.names) == ((1, 2), ("sit", "wave"))


def test_frames_become_seconds_by_the_timestamps_of_the_video(convert: Convert, tmp_path: Path):
    """In the uneven video frame 25 is shown at 1.013 s; 2 s is nearest to frame 50, at 2.013 s."""
    assert (
        convert(_cvat(_track(0, "wave", (25, 0, 0), (50, 100, 0))).format("uneven"), "--val-share", "0") == 0
    )
    assert [row.split(",")[1] for row in _rows(tmp_path)] == ["0001", "0002"]
    table = "video,frame,x1,y1,x2,y2,action\nuneven.mp4,25,0,24,40,72,wave\nuneven.mp4,50,0,24,40,72,wave\n"
    assert convert(table, "--val-share", "0", "--overwrite") == 0
    assert [row.split(",")[1] for row in _rows(tmp_path)] == ["1.013", "2.013"]


def test_seconds_on_which_nobody_is_there_are_named(convert: Convert, tmp_path: Path):
    text = _cvat(_track(0, "wave", (0, 0, 0), (1, 0, 1)), _track(1, "wave", (50, 0, 0), (51, 0, 0)))
    assert convert(text.format("one"), "--val-share", "0") == 0
    assert [row.split(",")[:2] for row in _rows(tmp_path)] == [
        ["one", "0000"],
        ["one", "0001"],
        ["one", "0002"],
    ]
    assert "one,0001" in _rows(tmp_path)


def test_people_who_do_nothing_are_counted_and_their_second_is_not_empty(
    convert: Convert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    text = _cvat(_track(0, "wave", (0, 0, 0), (1, 0, 1)), _track(1, "none", (20, 0, 0), (51, 0, 0)))
    assert convert(text.format("one"), "--val-share", "0") == 0
    assert [row.split(",")[1] for row in _rows(tmp_path)] == ["0000"]
    assert "left out: 2 people without an action" in capsys.readouterr().err


TABLE = """video,time,x1,y1,x2,y2,action,person
one,0.5,16,24,32,48,wave,anna
one,0.5,16,24,32,48,sit,anna
one,0.5,80,24,160,96,Wave,
two,1,16,24,32,48,wave; sit,anna
two,1.25,-8,24,32,48,sit,ben
"""


def test_a_table_becomes_a_data_set_without_faults(
    convert: Convert, tmp_path: Path, videos: Path, capsys: pytest.CaptureFixture[str]
):
    assert convert(TABLE, "--val-video", "two") == 0
    out = tmp_path / "out"
    assert (out / "train.csv").read_text().splitlines() == [
        "one,0.500,0.100000,0.250000,0.200000,0.500000,1,0",
        "one,0.500,0.100000,0.250000,0.200000,0.500000,2,0",
        "one,0.500,0.500000,0.250000,1.000000,1.000000,2,1",
    ]
    assert (out / "val.csv").read_text().splitlines() == [
        "two,0001,0.100000,0.250000,0.200000,0.500000,1,0",
        "two,0001,0.100000,0.250000,0.200000,0.500000,2,0",
        "two,1.250,0.000000,0.250000,0.200000,0.500000,1,1",
    ]
    said = capsys.readouterr()
    assert "left out: 1 parts of boxes outside the picture" in said.err
    assert "   2        2        1  wave" in said.out
    assert (
        f"ava-detect check {out}/train.csv {out}/val.csv {out}/label_map.pbtxt --cfg {out}/data.yaml"
        in said.out
    )
    cfg = load_config(str(out / "data.yaml"))
    assert (cfg.MODEL.NUM_CLASSES, cfg.AVA.START_SECOND, cfg.AVA.VIDEO_DIR) == (2, 0, str(videos))
    assert len(read_training_annotations([out / "train.csv"], (1, 2))) == 1
    report = check_things(
        [str(out / "train.csv"), str(out / "val.csv"), str(out / "label_map.pbtxt"), str(videos)]
    )
    assert not report.faults


def test_shares_and_seconds_need_no_videos(
    convert: Convert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    text = "video,time,x1,y1,x2,y2,action\na/one.mp4,12.3456,0.1,0.2,0.3,0.4,wave\ntwo,3,0,0,1,1,wave\n"
    assert convert(text, with_videos=False) == 0
    assert len(_rows(tmp_path)) == 2
    assert "one,12.346,0.100000,0.200000,0.300000,0.400000,1,0" in _rows(tmp_path)
    assert load_config(str(tmp_path / "out" / "data.yaml")).AVA.VIDEO_DIR == ""
    assert "show --cfg" not in capsys.readouterr().out


def test_a_grid_leaves_out_what_lies_between(
    convert: Convert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    text = "video,frame,x1,y1,x2,y2,action\n" + "".join(
        f"two,{f},0,0,40,40,wave\n" for f in (0, 15, 29, 30, 31, 45)
    )
    assert convert(text, "--every", "1", "--val-share", "0") == 0
    assert [row.split(",")[1] for row in _rows(tmp_path)] == ["0000", "0001"]
    assert "left out: 4 boxes between keyframes every 1 s" in capsys.readouterr().err


def test_classes_can_be_those_of_a_label_map(
    convert: Convert, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    text = "video,time,x1,y1,x2,y2,action\none,1,0,0,80,80,Stand; 80\n"
    assert convert(text, "--labels", "v2.2-80", "--val-share", "0") == 0
    assert [row.split(",")[6] for row in _rows(tmp_path)] == ["12", "80"]
    assert convert(text.replace("Stand", "stant"), "--labels", "v2.2-80", "--overwrite") == 1
    said = capsys.readouterr().err
    assert "1 actions are not in the label map" in said
    assert "Did you mean 'stand'?" in said


def test_frames_behind_the_end_are_counted(convert: Convert, capsys: pytest.CaptureFixture[str]):
    text = "video,frame,x1,y1,x2,y2,action\none,74,0,0,40,40,wave\none,75,0,0,40,40,wave\n"
    assert convert(text, "--val-share", "0") == 0
    assert "left out: 1 boxes on frames behind the end of their video" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("three,1,0,0,40,40,wave", r"labels:2: video 'three' is not in"),
        ("one,1,40,0,40,40,wave", "labels:2: box 40, 0, 40, 40; expected x1 < x2 and y1 < y2"),
        ("one,1,0,0,400,40,wave", "labels:2: box 0, 0, 400, 40 lies outside the picture of 160 x 96"),
        ("one,1,0,0,40,40,none", "nothing is left of the labels: 1 people without an action"),
        ("one,1,0,0,40,40,wave", "--val-video four: no such video in the labels (there are: one)"),
    ],
)
def test_what_is_wrong_is_said(convert: Convert, capsys: pytest.CaptureFixture[str], row: str, message: str):
    arguments = ["--val-video", "four"] if "four" in message else []
    assert convert(f"video,time,x1,y1,x2,y2,action\n{row}\n", *arguments) == 1
    assert message in capsys.readouterr().err


def test_pixels_need_the_videos(convert: Convert, capsys: pytest.CaptureFixture[str]):
    assert convert("video,time,x1,y1,x2,y2,action\none,1,0,0,40,40,wave\n", with_videos=False) == 1
    said = capsys.readouterr().err
    assert "frames or pixels of one, and no videos to look them up in" in said
    assert "--videos DIR" in said


def test_files_that_exist_are_not_replaced(convert: Convert, capsys: pytest.CaptureFixture[str]):
    assert convert(TABLE) == 0
    assert convert(TABLE) == 2
    assert "Use --overwrite" in capsys.readouterr().err


def _doing(*actions: str) -> ConvertedVideo:
    video = ConvertedVideo()
    video.people[0.0].append(Person((0, 0, 1, 1), 0, actions))
    return video


def test_the_draw_leaves_no_class_without_examples_if_it_can():
    videos = {f"v{number}": _doing("wave") for number in range(8)}
    videos |= {"r1": _doing("rare"), "r2": _doing("rare")}
    for seed in range(5):
        val = split_videos(videos, 0.2, seed)
        assert len(val) == 2
        assert len(val & {"r1", "r2"}) == 1
        assert val == split_videos(videos, 0.2, seed)
    assert len({split_videos(videos, 0.2, seed) for seed in range(5)}) > 1


@pytest.mark.parametrize(
    ("count", "share", "expected"), [(1, 0.5, 0), (2, 0.01, 1), (2, 1.0, 1), (10, 0.2, 2), (10, 0.0, 0)]
)
def test_both_parts_have_a_video_where_there_are_two(count: int, share: float, expected: int):
    videos = {str(number): _doing("wave") for number in range(count)}
    assert len(split_videos(videos, share, 0)) == expected
