"""``ava-detect show``: the picture holds the network's frames, and what cannot be drawn is said."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from ava_detect.cli import main
from ava_detect.cli.show import _evenly
from ava_detect.output.text import text_height
from tests.video.encoding import read_number

BAR, GAP, SIDE = text_height(10) + 4, 6, 448  # caption, gap and keyframe of the sheet's layout


@pytest.fixture
def command(numbered_settings: list[object], tmp_path: Path) -> list[str]:
    """The beginning of a command line for the numbered set."""
    (tmp_path / "empty.yaml").write_text("MODEL: {ARCH: slow}\n")
    pairs = [word for key in range(0, len(numbered_settings), 2) for word in numbered_settings[key : key + 2]]
    return ["show", "--cfg", str(tmp_path / "empty.yaml"), *map(str, pairs)]


def _frames(sheet: np.ndarray, row: int, shape: tuple[int, int]) -> list[int]:
    """Read the numbers of the eight frames of a sample with one pathway."""
    height = SIDE // 2 - BAR
    width = round(shape[1] * height / shape[0])
    top = row * (BAR + SIDE + GAP) + 2 * BAR
    left = SIDE * shape[1] // shape[0] + GAP
    lefts = [left + place * (width + GAP) for place in range(8)]
    return [read_number(sheet[top : top + height, start : start + width]) for start in lefts]


def test_the_sheet_shows_the_frames_that_the_network_gets(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "sheet.png"
    assert main([*command, "--split", "test", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"wrote {out}: 4 of 4 samples\n"
    assert "test  4 keyframes, 2 videos, 5 boxes, 3 classes" in captured.err
    sheet = cv2.imread(str(out))
    assert sheet.shape[0] == 4 * (BAR + SIDE + GAP)
    assert _frames(sheet, 1, (72, 120)) == [18, 20, 22, 23, 25, 27, 28, 30]
    assert _frames(sheet, 2, (120, 72)) == [106, 107, 109, 111, 112, 114, 116, 117]


def test_people_and_labels_are_drawn_on_the_keyframe(command: list[str], tmp_path: Path):
    out = tmp_path / "sheet.png"
    assert main([*command, "--split", "test", "--out", str(out)]) == 0
    keyframe = cv2.imread(str(out))[BAR : BAR + SIDE, : SIDE * 120 // 72]
    left = round(0.2 * 120 * SIDE / 72)  # of the first person's box; row 0 has the same box 0.1 further left
    hue = keyframe[SIDE // 2 : SIDE * 8 // 10, left // 2 - 3 : left // 2 + 4].astype(int)
    assert (hue.max(axis=2) - hue.min(axis=2)).max() > 80  # the grey lower part has no such colour


def test_another_epoch_draws_anew_and_the_same_epoch_alike(command: list[str], tmp_path: Path):
    sheets = []
    for name, epoch in (("a.png", "0"), ("b.png", "0"), ("c.png", "1")):
        assert main([*command, "--count", "2", "--epoch", epoch, "--out", str(tmp_path / name)]) == 0
        sheets.append((tmp_path / name).read_bytes())
    assert sheets[0] == sheets[1]
    assert sheets[0] != sheets[2]


def test_a_broken_video_is_named_and_the_rest_drawn(
    command: list[str], numbered_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    videos = tmp_path / "videos"
    shutil.copytree(numbered_set / "videos", videos)
    (videos / "one.mp4").write_bytes(b"nothing")
    arguments = [*command, "AVA.VIDEO_DIR", str(videos), "--out", str(tmp_path / "sheet.png")]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert "2 of 4 samples" in captured.out
    assert "one.mp4: not a video" in captured.err
    (videos / "two.mkv").write_bytes(b"nothing")
    assert main(arguments) == 1
    assert "none of the 4 chosen samples can be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["--out", "sheet.mp4"], "expected a name that ends in .png or .jpg", 2),
        (["--out", "sheet.png", "--count", "0"], "--count 0 --epoch 0: expected at least 1", 2),
        (["--out", "no/such/folder/sheet.png"], "cannot be written", 1),
    ],
)
def test_wrong_use_is_refused(
    command: list[str], arguments: list[str], message: str, code: int, capsys: pytest.CaptureFixture[str]
):
    assert main([*command, *arguments]) == code
    assert message in capsys.readouterr().err


def test_samples_are_spread_over_the_set():
    assert _evenly(3, 6) == [0, 1, 2]
    assert _evenly(100, 4) == [12, 37, 62, 87]
