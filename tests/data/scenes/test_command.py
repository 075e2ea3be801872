"""``python -m ava_detect.data.scenes``: what it writes, prints and refuses."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ava_detect.data.scenes import generate_scene
from ava_detect.data.scenes.__main__ import main
from ava_detect.data.scenes.actions import Action
from ava_detect.data.scenes.contact_sheet import write_action_sheet, write_palette_png


def test_one_command_writes_a_data_set_and_keeps_it_when_typed_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--out", str(tmp_path / "set"), "--split", "val", "--count", "1", "--first-second", "902"]

    assert main(arguments) == 0

    output = capsys.readouterr()
    assert "videos         1 in" in output.out
    rows = (tmp_path / "set" / "annotations" / "val.csv").read_text()
    assert rows.startswith("standard-1000000,0902")
    assert f"{rows.count(chr(10))} rows in" in output.out

    (video,) = (tmp_path / "set" / "videos").iterdir()
    written = video.stat().st_mtime_ns
    assert main(arguments) == 0
    assert video.stat().st_mtime_ns == written


def test_a_contact_sheet_is_a_small_picture(tmp_path: Path) -> None:
    path = tmp_path / "scenes.png"

    assert main(["--contact-sheet", str(path), "--quiet"]) == 0

    picture = cv2.imread(str(path))
    assert picture.shape[0] > 500
    assert picture.shape[1] > 500
    assert path.stat().st_size < 400_000


def test_an_action_sheet_has_a_strip_for_every_action_of_its_scenes(tmp_path: Path) -> None:
    scenes = [generate_scene(seed) for seed in range(4)]
    shown = {action for scene in scenes for person in scene.groundtruth()[2:] for action in person.actions}

    write_action_sheet(tmp_path / "actions.png", scenes, tile=60, steps=5)

    picture = cv2.imread(str(tmp_path / "actions.png"))
    assert picture.shape[1] == 5 * 60
    assert picture.shape[0] / 63 == pytest.approx(len(shown), abs=2)  # strips of 60 rows and a gap of 3


def test_statistics_count_the_ground_truth(capsys: pytest.CaptureFixture[str]) -> None:
    people = [person for seed in range(3) for person in generate_scene(seed, "hard").groundtruth()]
    sitting = sum(person.actions[0] is Action.SIT for person in people)
    empty = 30 - sum(
        len({person.second for person in generate_scene(s, "hard").groundtruth()}) for s in range(3)
    )

    assert main(["--grade", "hard", "--count", "3", "--statistics"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"30 keyframes, {len(people)} people, ")
    assert lines[0].endswith(f"{empty} keyframes without people")
    assert [line.split()[-2] for line in lines if line.startswith(" 11  sit")] == [str(sitting)]
    assert len(lines) == 2 + 14


def test_a_palette_picture_is_nearly_the_picture(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:60, 0:90]
    image = np.stack([rows * 4, columns * 2, (rows + columns)], axis=2).astype(np.uint8)

    write_palette_png(tmp_path / "gradient.png", image)

    read = cv2.imread(str(tmp_path / "gradient.png"))
    assert read.shape == image.shape
    assert abs(read.astype(int) - image).max() < 30
    assert abs(read.astype(int) - image).mean() < 6
    assert len(np.unique(read.reshape(-1, 3), axis=0)) <= 256


def test_a_picture_of_two_colours_keeps_them_nearly(tmp_path: Path) -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    image[:, 3:] = (200, 100, 40)

    write_palette_png(tmp_path / "two.png", image)

    assert abs(cv2.imread(str(tmp_path / "two.png")).astype(int) - image).max() <= 4


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "nothing to do"),
        (["--out", "x", "--count", "0"], 1, "0 scenes: expected 1 to 10000"),
        (["--contact-sheet", "missing/sheet.png"], 2, "missing/sheet.png: there is no folder missing"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(arguments) == code

    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--grade", "easy"], ["--split", "dev"], ["--unknown"]])
def test_unknown_choices_are_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--out", "x"])

    assert stopped.value.code == 2
    assert "usage: python -m ava_detect.data.scenes" in capsys.readouterr().err
