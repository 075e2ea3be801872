"""Write scenes as an AVA-style data set: videos, annotations per split, label map, and how it was made.

::

    FOLDER/videos/standard-0000000.mp4 ...
    FOLDER/annotations/train.csv, val.csv, test.csv     official AVA rows
    FOLDER/label_map.pbtxt
    FOLDER/scenes.json                                  version, grade, splits

Every keyframe is unambiguous by construction, so there is no list of excluded timestamps. Any number of
processes gives the same files; an interrupted run goes on where it stopped.
"""

import contextlib
import json
import multiprocessing
import signal
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from ava_detect.data.scenes.actions import write_label_map
from ava_detect.data.scenes.annotations import groundtruth_lines
from ava_detect.data.scenes.grades import GRADES, SEEDS_PER_BLOCK, SEEDS_PER_SPLIT, SPLITS, VERSION
from ava_detect.data.scenes.scene import Scene, generate_scene
from evaluation.atomic import atomic_path
from evaluation.errors import DataError

RECORD_NAME = "scenes.json"


class _SplitRecord(TypedDict):
    seed: int
    count: int


class _Record(TypedDict):
    version: int
    grade: str
    first_second: int
    splits: dict[str, _SplitRecord]


@dataclass(frozen=True)
class WrittenScene:
    """One finished scene of a data set.

    Attributes:
        seed: of the scene.
        video: its file.
        lines: its rows of ground truth.
    """

    seed: int
    video: Path
    lines: tuple[str, ...]


@dataclass(frozen=True)
class _Job:
    """What one process needs to make one scene."""

    seed: int
    grade: str
    folder: Path
    first_second: int


def write_scene(scene: Scene, folder: str | Path) -> Path:
    """Write one scene's video into a folder and return its path.

    The file's bytes are the same for the same scene on one machine.

    Raises:
        VideoError: the folder cannot be written, or the disk is full.
    """
    from ava_detect.video.writer import VideoWriter

    path = Path(folder) / f"{scene.scene_id}.mp4"
    # One thread, because more give other bytes on other machines; no macroblock tree, because the assembly of
    # x264 165 reads memory there that nobody wrote (found by encoding the same frames again and again).
    options = {"threads": "1", "g": str(scene.gop), "x264-params": "mbtree=0"}
    with VideoWriter(path, fps=scene.fps, crf=scene.crf, encoder_options=options) as video:
        for time, image in zip(scene.frame_times(), scene.frames(), strict=True):
            video.write(image, float(time))
    return path


def split_seeds(split: str, count: int, seed: int = 0) -> range:
    """Return the seeds of a split's scenes.

    Args:
        split: "train", "val" or "test".
        count: how many scenes, at most 10,000.
        seed: which block of 10,000 seeds of the split, 0 to 99.

    Raises:
        DataError: there is no such split, or a number is out of range.
    """
    if split not in SPLITS:
        raise DataError(f"split {split!r}: expected one of {', '.join(SPLITS)}")
    if not 1 <= count <= SEEDS_PER_BLOCK:
        raise DataError(f"{count} scenes: expected 1 to {SEEDS_PER_BLOCK}")
    blocks = SEEDS_PER_SPLIT // SEEDS_PER_BLOCK
    if not 0 <= seed < blocks:
        raise DataError(f"seed {seed}: expected 0 to {blocks - 1}")
    first = SPLITS[split].first_seed + seed * SEEDS_PER_BLOCK
    return range(first, first + count)


def write_dataset(
    folder: str | Path,
    split: str,
    count: int,
    grade: str = "standard",
    seed: int = 0,
    *,
    first_second: int = 0,
    workers: int = 1,
    on_scene: Callable[[WrittenScene], None] | None = None,
) -> Path:
    """Write or complete one split of a data set.

    Videos that are there are kept; more scenes, or another split, can be added to a folder later.

    Args:
        folder: made when it does not exist.
        split: "train", "val" or "test".
        count: how many scenes.
        grade: "standard" or "hard".
        seed: which block of seeds of the split, 0 to 99.
        first_second: timestamp of the first frames; 902 looks like AVA.
        workers: processes; the files do not depend on it.
        on_scene: called after each scene, in no particular order, for progress.

    Returns:
        The split's annotation file.

    Raises:
        DataError: an argument is out of range, or the folder holds scenes of another kind.
        VideoError: a video cannot be written.
    """
    folder = Path(folder)
    seeds = split_seeds(split, count, seed)
    if grade not in GRADES:
        raise DataError(f"grade {grade!r}: expected one of {', '.join(GRADES)}")
    record = _joined_record(folder, split, {"seed": seed, "count": count}, grade, first_second)
    for name in ("videos", "annotations"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_label_map(folder / "label_map.pbtxt")
    _write_text(folder / RECORD_NAME, json.dumps(record, indent=2) + "\n")
    jobs = [_Job(number, grade, folder / "videos", first_second) for number in seeds]
    lines: dict[int, tuple[str, ...]] = {}
    with contextlib.closing(_run(jobs, workers)) as finished:
        for scene in finished:
            lines[scene.seed] = scene.lines
            if on_scene is not None:
                on_scene(scene)
    annotations = folder / "annotations" / f"{split}.csv"
    _write_text(annotations, "".join(f"{line}\n" for number in seeds for line in lines[number]))
    return annotations


def _run(jobs: Sequence[_Job], workers: int) -> Generator[WrittenScene]:
    """Yield finished scenes as they come."""
    if workers <= 1:
        yield from map(_make, jobs)
        return
    # "spawn" works everywhere and inherits no threads of OpenCV or torch.
    with multiprocessing.get_context("spawn").Pool(min(workers, len(jobs)), _prepare_worker) as pool:
        yield from pool.imap_unordered(_make_in_worker, jobs)
        pool.close()
        pool.join()  # so that the processes end by themselves; leaving the block early ends them by SIGTERM


def _make(job: _Job) -> WrittenScene:
    scene = generate_scene(job.seed, job.grade)
    video = job.folder / f"{scene.scene_id}.mp4"
    if not video.exists():  # a video has its name only when it is complete
        write_scene(scene, job.folder)
    return WrittenScene(job.seed, video, tuple(groundtruth_lines(scene, first_second=job.first_second)))


def _prepare_worker() -> None:
    """Set up a worker process.

    OpenCV keeps to one thread, because the processes share the cores already. Ctrl-C is left to the parent,
    which then ends its workers.
    """
    import cv2

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _make_in_worker(job: _Job) -> WrittenScene:
    """Make a scene; a worker that is ended meanwhile leaves by an exception, which removes its half file.

    Only meanwhile: raised while the interpreter shuts down, the exception would be printed and ignored.
    """
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        return _make(job)
    finally:
        signal.signal(signal.SIGTERM, before)


def _joined_record(folder: Path, split: str, entry: _SplitRecord, grade: str, first_second: int) -> _Record:
    """Return the folder's record with a split added, after checking that they are of one kind.

    Raises:
        DataError: the folder's record cannot be read, or says something else.
    """
    record: _Record = {
        "version": VERSION,
        "grade": grade,
        "first_second": first_second,
        "splits": {split: entry},
    }
    path = folder / RECORD_NAME
    if not path.exists():
        return record
    found = _read_record(path)
    for key in ("version", "grade", "first_second"):
        if found[key] != record[key]:
            raise DataError(
                f"{path}: this folder holds scenes with {key} {found[key]!r}; {record[key]!r} was asked for",
                hint="Choose another --out folder.",
            )
    old = found["splits"].get(split)
    if old is not None and old["seed"] != entry["seed"]:
        raise DataError(
            f"{path}: split {split} was made with seed {old['seed']}; {entry['seed']} was asked for",
            hint="Choose another --out folder.",
        )
    return {**record, "splits": {**found["splits"], split: entry}}


def _read_record(path: Path) -> _Record:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        splits = {
            str(name): _SplitRecord(seed=int(e["seed"]), count=int(e["count"]))
            for name, e in record["splits"].items()
        }
        return {
            "version": int(record["version"]),
            "grade": str(record["grade"]),
            "first_second": int(record["first_second"]),
            "splits": splits,
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: not the record of a set of scenes ({error})", hint="Choose another --out folder."
        ) from error


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
