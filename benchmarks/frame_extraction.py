"""Which source frames FFmpeg extracts at 30 frames per second, against the frames nearest in time.

    python -m benchmarks.frame_extraction

Frames that know their number go through FFmpeg's ``fps`` filter (what ``-vf fps=30`` does, and ``-r 30``
nearly). For each source rate the table has the share of extracted frames that are not the nearest one, for
the filter's ways to round, and by how much the worst is off its time.
"""

from fractions import Fraction

import av
import numpy as np

from ava_detect.video.clip_sampler import nearest_frame_indices

RATES = [Fraction(r) for r in ("24000/1001", "24", "25", "30000/1001", "30", "48", "50", "60000/1001", "60")]
ROUNDINGS = ("near", "down", "up")
EXTRACTED = Fraction(30)
SECONDS = 20


def extracted_frames(rate: Fraction, rounding: str, *, frames: int) -> list[int]:
    """Return which source frame stands at each position of an extraction.

    Args:
        rate: of the source, frames per second.
        rounding: of the filter.
        frames: of the source, at most 65,536.
    """
    graph = av.filter.Graph()
    source = graph.add_buffer(width=2, height=2, format="gray", time_base=1 / rate)
    filtering = graph.add("fps", f"fps={EXTRACTED}:round={rounding}")
    sink = graph.add("buffersink")
    source.link_to(filtering)
    filtering.link_to(sink)
    graph.configure()
    found: list[int] = []
    for number in [*range(frames), None]:
        graph.push(None if number is None else _numbered(number, rate))
        while True:
            try:
                pixels = graph.vpull().to_ndarray()
            except (av.error.BlockingIOError, av.error.EOFError):
                break
            found.append(int(pixels[0, 0]) * 256 + int(pixels[0, 1]))
    return found


def _numbered(number: int, rate: Fraction) -> av.VideoFrame:
    pixels = np.zeros((2, 2), np.uint8)
    pixels[0] = divmod(number, 256)
    frame = av.VideoFrame.from_ndarray(pixels, format="gray")
    frame.pts, frame.time_base = number, 1 / rate
    return frame


def main() -> None:
    print(f"FFmpeg {av.ffmpeg_version_info}")
    print(f"{'source fps':>10}" + "".join(f"{'round=' + rounding:>22}" for rounding in ROUNDINGS))
    for rate in RATES:
        frames = round(rate * SECONDS)
        times = np.arange(frames) / float(rate)
        cells = []
        for rounding in ROUNDINGS:
            found = np.array(extracted_frames(rate, rounding, frames=frames))
            wanted = np.arange(len(found)) / float(EXTRACTED)
            nearest = nearest_frame_indices(times, wanted)
            off_ms = np.abs(times[found] - wanted).max() * 1000
            cells.append(f"{(found != nearest).mean():12.1%}{off_ms:7.1f} ms")
        print(f"{float(rate):10.3f}" + "".join(cells))


if __name__ == "__main__":
    main()
