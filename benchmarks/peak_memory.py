"""Peak memory of ``ava-detect predict`` on a short and a long video: it must not depend on the length.

    python benchmarks/peak_memory.py [--minutes 1 20]

Makes videos of the same picture size, runs predict on each in a process of its own with a small network, two
people on every keyframe and an annotated video, and prints the peaks and their ratio.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import numpy as np

CONFIG = "demo/slowfast_tiny"
FPS, SIZE = 25, (240, 320)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, nargs=2, default=(1, 20), metavar=("SHORT", "LONG"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = folder / "weights.safetensors"
        recipe = [sys.executable, "-m", "ava_detect.weights.recipe", "--cfg", CONFIG, "--out", str(weights)]
        subprocess.run(recipe, check=True, stdout=subprocess.DEVNULL)
        peaks = [peak_mb(folder, weights, minutes) for minutes in args.minutes]
    for minutes, (peak, seconds) in zip(args.minutes, peaks, strict=True):
        print(f"{minutes:5g} min of video: peak {peak:7.1f} MB, {seconds:6.1f} s of CPU")
    print(f"ratio of the peaks: {peaks[1][0] / peaks[0][0]:.3f}")


def peak_mb(folder: Path, weights: Path, minutes: float) -> tuple[float, float]:
    """Run predict on a video of so many minutes; return its peak memory and its CPU seconds."""
    video = folder / f"video{minutes:g}.mp4"
    write_video(video, seconds=round(minutes * 60))
    boxes = folder / "boxes.csv"
    people = ("0.1,0.1,0.4,0.9", "0.5,0.2,0.9,0.95")
    boxes.write_text(
        "".join(f"{video.stem},{k},{box},,1\n" for k in range(round(minutes * 60)) for box in people)
    )
    command = [
        sys.executable, "-m", "ava_detect", "predict", str(video), "--weights", str(weights),
        "--boxes", str(boxes), "--set", "DATA.TEST_CROP_SIZE", "96",
        "--out", str(folder / f"{video.stem}.csv"), "--out", str(folder / f"{video.stem}.json"),
        "--video", str(folder / f"{video.stem}_drawn.mp4"), "--quiet",
    ]  # fmt: skip
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"predict ended with status {status}")
    return usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime  # Linux counts kilobytes


def write_video(path: Path, *, seconds: int) -> None:
    random = np.random.default_rng(0)
    coarse = random.integers(0, 255, (SIZE[0] // 16, SIZE[1] // 16, 3), np.uint8)
    ground = coarse.repeat(16, axis=0).repeat(16, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        for k in range(seconds * FPS):
            frame = av.VideoFrame.from_ndarray(np.roll(ground, k, axis=1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


if __name__ == "__main__":
    main()
