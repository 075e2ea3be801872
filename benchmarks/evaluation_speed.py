"""How fast the evaluator scores a validation set of AVA's size, and how that compares to the official script.

Makes a seeded ground truth and a detections file (64 videos, 57,408 keyframes, 60 classes, about 4.7
million rows), scores them with ``python -m evaluation`` in a fresh process, and prints wall time, CPU
time, rows per second and peak memory. With ``--reference`` it also runs a checkout of ActivityNet of your
own on the same files and prints the ratio. That script is run as it is, except that the names which NumPy
has dropped (``np.bool``, ``np.float``) are put back and that sorting is stable, so that the two figures
can be compared digit by digit.

    python benchmarks/evaluation_speed.py
    python benchmarks/evaluation_speed.py --reference ~/ActivityNet
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from evaluation.label_map import BUILT_IN, load_label_map

KEYFRAMES_PER_VIDEO = 897  # seconds 902 to 1798
FIRST_SECOND = 902
SHARE_WITH_TRUTH = 0.875  # of the keyframes; 50,250 of 57,408 in AVA v2.1 val
LABELS_PER_PERSON = 2.0
SHARE_DETECTED_TWICE = 0.03

# Runs in the reference's process: argv is the checkout's Evaluation folder, then the script's own arguments.
_REFERENCE = """
import re, runpy, sys
import numpy as np
argsort = np.argsort
np.bool, np.float = bool, np.dtype(float)
np.argsort = lambda values: argsort(values, kind="stable")
folder = sys.argv[1]
sys.path[:0] = [folder, folder + "/ava"]
sys.argv[:2] = [folder + "/get_ava_performance.py"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference", type=Path, metavar="CHECKOUT", help="a checkout of ActivityNet")
    parser.add_argument("--videos", type=int, default=64, help="AVA val has 64")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=3, help="runs of the evaluator; the fastest one counts")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where to leave the files")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        truth, found, rows = make_files(folder, videos=args.videos, seed=args.seed)
        print(f"{rows:,} detection rows, {found.stat().st_size / 1e6:.0f} MB, seed {args.seed}")
        ours = min((run_evaluator(truth, found) for _ in range(args.repeat)), key=lambda run: run.cpu_s)
        print(f"evaluator  {ours.describe()}, {rows / ours.wall_s:,.0f} rows/s")
        if args.reference:
            theirs = run_reference(args.reference, truth, found)
            print(f"reference  {theirs.describe()}, {rows / theirs.wall_s:,.0f} rows/s")
            print(
                f"ratio      {theirs.wall_s / ours.wall_s:.0f} x wall, {theirs.cpu_s / ours.cpu_s:.0f} x CPU"
            )
            print(f"difference {abs(ours.mean_ap - theirs.mean_ap):.1e}")


def make_files(folder: Path, *, videos: int, seed: int) -> tuple[Path, Path, int]:
    """Write ``gt.csv`` and ``det.csv``; every detected person has one row per evaluated class.

    Returns:
        The two files and the number of detection rows.
    """
    rng = np.random.default_rng(seed)
    classes = load_label_map("v2.2").ids
    frequency = 1 / np.arange(1, len(classes) + 1)  # a long tail, as in AVA
    frequency = LABELS_PER_PERSON * rng.permutation(frequency / frequency.sum())
    rows = 0
    truth_path, found_path = folder / "gt.csv", folder / "det.csv"
    with truth_path.open("w") as truth, found_path.open("w") as found:
        for video in range(videos):
            for second in range(FIRST_SECOND, FIRST_SECOND + KEYFRAMES_PER_VIDEO):
                key = f"video{video:06d},{second:04d}"
                rows += _write_keyframe(truth, found, key, rng, classes, frequency)
    return truth_path, found_path, rows


def _write_keyframe(
    truth: TextIO,
    found: TextIO,
    key: str,
    rng: np.random.Generator,
    classes: tuple[int, ...],
    frequency: np.ndarray,
) -> int:
    """Write one to six people and return the number of detection rows."""
    people = 1 + min(int(rng.geometric(0.75)) - 1, 5)
    labelled = rng.random() < SHARE_WITH_TRUTH
    rows = 0
    for person in range(people):
        size = rng.uniform((0.1, 0.3), (0.5, 0.9))
        corner = rng.random(2) * (1 - size)
        box = np.concatenate([corner, corner + size])
        present = rng.random(len(classes)) < frequency
        if labelled:
            for place in np.flatnonzero(present):
                truth.write(f"{key},{_box_text(box)},{classes[place]},{person}\n")
        for _ in range(1 + (rng.random() < SHARE_DETECTED_TWICE)):
            moved = np.clip(box + rng.normal(0, 0.02, 4), 0, 1)
            scores = 1 / (1 + np.exp(-rng.normal(-4, 1.5, len(classes)) - 3 * present))
            start = f"{key},{_box_text(moved)},"
            found.writelines(
                f"{start}{class_id},{score:.4f}\n" for class_id, score in zip(classes, scores, strict=True)
            )
            rows += len(classes)
    return rows


def _box_text(box: np.ndarray) -> str:
    return ",".join(f"{value:.3f}" for value in box)


@dataclass(frozen=True)
class Run:
    """What one process took, and the mAP that it found."""

    wall_s: float
    cpu_s: float
    peak_gb: float
    mean_ap: float

    def describe(self) -> str:
        """Return the numbers as a line of text."""
        times = f"{self.wall_s:7.2f} s wall, {self.cpu_s:7.2f} s CPU"
        return f"{times}, {self.peak_gb:.2f} GB, mAP {self.mean_ap:.9f}"


def run_evaluator(truth: Path, found: Path) -> Run:
    """Score the files with the project's command."""
    command = [sys.executable, "-m", "evaluation", "--gt", str(truth), "--pred", str(found), "--json", "-"]
    output, run = measure(command)
    return Run(*run, mean_ap=json.loads(output)["mean"])


def run_reference(checkout: Path, truth: Path, found: Path) -> Run:
    """Score the files with ActivityNet's script."""
    folder = next(
        (f for f in (checkout / "Evaluation", checkout) if (f / "get_ava_performance.py").exists()), None
    )
    if folder is None:
        raise SystemExit(f"error: {checkout}: no Evaluation/get_ava_performance.py in it")
    label_map = Path(__file__).parents[1] / "evaluation" / "label_maps" / BUILT_IN["v2.1"]
    command = [
        sys.executable,
        "-c",
        _REFERENCE,
        str(folder),
        "-l",
        str(label_map),
        "-g",
        str(truth),
        "-d",
        str(found),
    ]
    output, run = measure(command)
    line = next(line for line in output.splitlines() if "mAP@0.5IOU" in line)
    number = line.rsplit(":", 1)[1].strip(" })").removeprefix("np.float64(").removesuffix(")")
    return Run(*run, mean_ap=float(number))


def measure(command: list[str]) -> tuple[str, tuple[float, float, float]]:
    """Run a command on one core's worth of threads.

    Returns:
        Its output, and wall seconds, CPU seconds and peak memory in GB.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"error: {' '.join(command[:3])} ...\n{errors.read()[-2000:]}")
        output.seek(0)
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
        return output.read(), (wall, usage.ru_utime + usage.ru_stime, peak)


if __name__ == "__main__":
    main()
