"""Compare the reader with ``cv2.VideoCapture``: all frames of one video, in interleaved runs of one process.

    python -m benchmarks.video_reading [VIDEO] [--repeats 5]

Without VIDEO a minute of 1280x720 H.264 at 30 fps is made first. Prints medians and their ratio to cv2.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from ava_detect.video.reader import VideoReader
from ava_detect.video.transforms import resize_short_side
from ava_detect.video.writer import VideoWriter

EVERY = 15  # frames from one converted frame to the next, where not all are converted


def read_with_cv2(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.read()[0]:
        count += 1
    return count


def resize_with_cv2(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    count = 0
    while True:
        found, frame = capture.read()
        if not found:
            return count
        resize_short_side(frame, 256)
        count += 1


def read_times(path: Path) -> int:
    with VideoReader(path) as video:
        return sum(1 for _ in video)


def read_some(path: Path) -> int:
    with VideoReader(path) as video:
        return sum(1 for frame in video if frame.idx % EVERY or frame.image() is not None)


def read_all(path: Path) -> int:
    with VideoReader(path) as video:
        return sum(1 for frame in video if frame.image() is not None)


def read_all_resized(path: Path) -> int:
    with VideoReader(path) as video:
        return sum(1 for frame in video if resize_short_side(frame.image(), 256) is not None)


RUNS: dict[str, Callable[[Path], int]] = {
    "cv2, all frames": read_with_cv2,
    "cv2, all frames resized to 256": resize_with_cv2,
    "VideoReader, times only": read_times,
    f"VideoReader, one frame in {EVERY} converted": read_some,
    "VideoReader, all frames converted": read_all,
    "VideoReader, all frames resized to 256": read_all_resized,
}


def make_video(path: Path) -> None:
    """Write a minute of moving noise over a moving background, 1280x720, 30 fps."""
    rng = np.random.default_rng(0)
    scene = cv2.resize(rng.integers(0, 256, (180, 640, 3), dtype=np.uint8), (2560, 720))
    with VideoWriter(path, fps=Fraction(30), crf=23) as writer:
        for idx in range(1800):
            frame = scene[:, idx % 1280 : idx % 1280 + 1280].copy()
            cv2.circle(frame, (idx * 7 % 1280, 360), 120, (40, 80, 220), -1)
            writer.write(frame, idx / 30)


def measure(path: Path, repeats: int) -> dict[str, float]:
    """Return the median seconds of each run; the runs take turns, so that other load falls on all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in RUNS}
    frames = set()
    for _ in range(repeats):
        for name, run in RUNS.items():
            begin = time.perf_counter()
            frames.add(run(path))
            seconds[name].append(time.perf_counter() - begin)
    if len(frames) != 1:
        raise SystemExit(f"the readers disagree about the number of frames: {sorted(frames)}")
    print(f"{path.name}: {frames.pop()} frames, median of {repeats} interleaved runs")
    return {name: statistics.median(times) for name, times in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = args.video
        if path is None:
            path = Path(folder) / "made.mp4"
            make_video(path)
        medians = measure(path, args.repeats)
    base = medians["cv2, all frames"]
    for name, median in medians.items():
        print(f"  {name:45} {median:7.2f} s   {median / base:5.2f} x")


if __name__ == "__main__":
    main()
