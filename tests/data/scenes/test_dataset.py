"""Data sets of scenes on disk: complete, resumable, the same for any number of processes."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ava_detect.data.scenes import (
    GRADES,
    Scene,
    WrittenScene,
    generate_scene,
    groundtruth_lines,
    split_seeds,
    write_dataset,
    write_scene,
)
from ava_detect.video.reader import VideoReader
from evaluation.errors import DataError


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_a_written_video_decodes_with_the_stated_rate_size_and_frames(
    tmp_path: Path, short_scene: Callable[..., Scene], seed: int
) -> None:
    scene = short_scene(seed)

    path = write_scene(scene, tmp_path)

    with VideoReader(path) as video:
        times = [frame.time for frame in video]
        assert (video.info.width, video.info.height) == scene.size
        assert video.info.codec == "h264"
        assert video.info.fps == pytest.approx(float(scene.fps), rel=1e-6)
        assert video.damage is None
    assert times == pytest.approx(list(scene.frame_times()), abs=1e-4)


def test_the_pixels_survive_compression(tmp_path: Path, short_scene: Callable[..., Scene]) -> None:
    scene = short_scene(2)
    path = write_scene(scene, tmp_path)

    with VideoReader(path) as video:
        decoded = [frame.image() for frame in video]

    for index in (0, 20):
        (drawn,) = scene.frames([index])
        assert (
            abs(decoded[index].astype(float) - drawn).mean() < 8
        )  # grey levels; other frames differ by more
        assert abs(decoded[index].astype(float).mean(axis=(0, 1)) - drawn.mean(axis=(0, 1))).max() < 3


def test_the_same_scene_gives_the_same_bytes(tmp_path: Path, short_scene: Callable[..., Scene]) -> None:
    (tmp_path / "again").mkdir()

    first = write_scene(short_scene(4), tmp_path)
    again = write_scene(short_scene(4), tmp_path / "again")

    assert first.read_bytes() == again.read_bytes()


@pytest.fixture(scope="module", autouse=True)
def short_grade() -> Iterator[None]:
    """A grade like the standard one, but two seconds long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(GRADES, "short", dataclasses.replace(GRADES["standard"], name="short", duration_s=2))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, short_grade: None) -> Path:
    """A data set of two training scenes."""
    path = tmp_path_factory.mktemp("scenes") / "set"
    write_dataset(path, "train", 2, "short")
    return path


def test_a_data_set_has_videos_rows_label_map_and_record(folder: Path) -> None:
    names = ["short-0000000", "short-0000001"]

    assert sorted(path.name for path in (folder / "videos").iterdir()) == [f"{name}.mp4" for name in names]
    lines = (folder / "annotations" / "train.csv").read_text().splitlines()
    assert lines == [line for seed in (0, 1) for line in groundtruth_lines(generate_scene(seed, "short"))]
    assert (folder / "label_map.pbtxt").read_text().count("label {") == 14
    assert json.loads((folder / "scenes.json").read_text()) == {
        "version": 1,
        "grade": "short",
        "first_second": 0,
        "splits": {"train": {"seed": 0, "count": 2}},
    }


def test_an_interrupted_data_set_is_completed_and_finished_videos_are_kept(folder: Path) -> None:
    kept, lost = (folder / "videos" / f"short-000000{seed}.mp4" for seed in (0, 1))
    annotations = folder / "annotations" / "train.csv"
    before, rows, written = lost.read_bytes(), annotations.read_text(), kept.stat().st_mtime_ns
    lost.unlink()
    annotations.unlink()
    seen: list[WrittenScene] = []

    write_dataset(folder, "train", 2, "short", on_scene=seen.append)

    assert lost.read_bytes() == before
    assert annotations.read_text() == rows
    assert kept.stat().st_mtime_ns == written
    assert sorted(scene.seed for scene in seen) == [0, 1]


def test_splits_are_added_to_a_folder(tmp_path: Path) -> None:
    write_dataset(tmp_path, "train", 1, "short")
    write_dataset(tmp_path, "val", 1, "short", seed=3)

    assert json.loads((tmp_path / "scenes.json").read_text())["splits"] == {
        "train": {"seed": 0, "count": 1},
        "val": {"seed": 3, "count": 1},
    }
    names = sorted(path.name for path in (tmp_path / "videos").iterdir())
    assert names == ["short-0000000.mp4", "short-1030000.mp4"]
    assert sorted(path.name for path in (tmp_path / "annotations").iterdir()) == ["train.csv", "val.csv"]


@pytest.mark.slow
def test_the_files_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    write_dataset(tmp_path / "one", "train", 2)
    write_dataset(tmp_path / "two", "train", 2, workers=2)

    files = sorted(
        path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()
    )
    assert len(files) == 5
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


# Python calls it twice in a process of multiprocessing; the second time, exceptions are printed and ignored.
SLOW_END = """
import threading, time
calls, shutdown = [], threading._shutdown
threading._shutdown = lambda: (calls.append(0), time.sleep(0.4 * (len(calls) == 2)), shutdown())
"""


def test_processes_end_without_a_word_however_long_they_take(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOW_END)  # Python runs it when a process begins
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "videos").mkdir()
    for seed in range(4):  # videos that are there are kept, so that the processes have nothing to draw
        (tmp_path / "videos" / f"standard-000000{seed}.mp4").touch()

    write_dataset(tmp_path, "train", 4, workers=2)

    assert capfd.readouterr() == ("", "")
    assert (tmp_path / "annotations" / "train.csv").read_text().startswith("standard-0000000,0000")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"grade": "hard"},
            r"scenes\.json: this folder holds scenes with grade 'short'; 'hard' was asked for",
        ),
        ({"first_second": 902}, r"this folder holds scenes with first_second 0; 902 was asked for"),
        ({"seed": 1}, r"split train was made with seed 0; 1 was asked for"),
        ({"grade": "easy"}, r"grade 'easy': expected one of standard, hard, short"),
        ({"split": "dev"}, r"split 'dev': expected one of train, val, test"),
        ({"count": 0}, r"0 scenes: expected 1 to 10000"),
        ({"seed": 100}, r"seed 100: expected 0 to 99"),
    ],
)
def test_what_does_not_fit_the_folder_or_the_grades_is_refused(
    folder: Path, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        write_dataset(folder, **{"split": "train", "count": 2, "grade": "short", **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', '{"version": 1, "splits": {"train": 3}}'])
def test_a_foreign_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "scenes.json").write_text(text)

    with pytest.raises(DataError, match=r"scenes\.json: not the record of a set of scenes"):
        write_dataset(tmp_path, "train", 1)

    assert [path.name for path in tmp_path.iterdir()] == ["scenes.json"]


def test_seeds_of_splits_and_grades_are_all_valid() -> None:
    for split in ("train", "val", "test"):
        for grade in GRADES:
            assert generate_scene(split_seeds(split, 1, 99)[0], grade).num_frames > 0
