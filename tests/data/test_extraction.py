"""Clips from videos against clips from frames extracted at 30 per second with the published rule."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ava_detect.data.clip_sources import VideoFolder
from ava_detect.video.clip_sampler import ClipSampler
from benchmarks.frame_extraction import extracted_frames
from tests.video.encoding import Encode, encode, read_number

RATES = ["24000/1001", "24", "25", "30000/1001", "30", "50", "60"]
SECONDS = 5


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos of each rate, one of which does not begin at timestamp 0."""
    folder = tmp_path_factory.mktemp("videos")
    for number, text in enumerate(RATES):
        rate = Fraction(text)
        numbers = range(round(rate * SECONDS))
        encode(folder / f"v{number}.mp4", Encode(fps=rate, numbers=numbers, size=(80, 48)))
    late = Encode(numbers=range(125), ticks=range(7, 132), time_base=Fraction(1, 25), size=(80, 48))
    encode(folder / "late.mkv", late)
    return folder


def _extraction(times: np.ndarray) -> list[int]:
    """Return the source frame of each extracted one: that shown nearest to n / 30 s, the earlier of two."""
    count = int(times[-1] * 30) + 1
    return [min(range(len(times)), key=lambda i: (round(abs(times[i] - n / 30), 9), i)) for n in range(count)]


def _published_positions(second: float, frames: int, rate: int, count: int) -> list[int]:
    """Return PySlowFast's places in the list of extracted frames, clamped to it."""
    centre, half = round(second * 30), frames * rate // 2
    return [min(max(place, 0), count - 1) for place in range(centre - half, centre + half, rate)]


@pytest.mark.parametrize(("name", "rate"), [*((f"v{n}", r) for n, r in enumerate(RATES)), ("late", "25")])
def test_clips_have_the_source_frames_of_an_extraction(videos: Path, tmp_path: Path, name: str, rate: str):
    times = np.arange(round(Fraction(rate) * SECONDS)) / float(Fraction(rate))
    extracted = _extraction(times)
    source = VideoFolder(videos, index_folder=tmp_path, start_second=900)
    for frames, step in ((32, 2), (8, 8), (16, 1)):
        offsets = ClipSampler(frames, step).offsets
        for second in (0, 1, 2, 3.5):  # clips of 32 x 2 around 0 and 1 s reach before the first frame
            clip = source.clip(name, 900 + second, offsets, lambda image: image)
            places = _published_positions(second, frames, step, len(extracted))
            inside = [place for place in places if place < len(extracted) - 1]  # the end repeats its own way
            found = [read_number(frame) for frame in clip.frames][: len(inside)]
            assert found == [extracted[place] for place in inside]


@pytest.mark.parametrize(("rate", "share"), [("24", 0.2), ("25", 0), ("30", 0), ("50", 1 / 3), ("60", 0)])
def test_ffmpegs_filter_takes_other_frames_at_some_rates(rate: str, share: float):
    """So the published frames cannot be had again by every FFmpeg; docs/training.md has the table."""
    fps = Fraction(rate)
    found = np.array(extracted_frames(fps, "near", frames=round(fps * SECONDS)))
    expected = np.array(_extraction(np.arange(round(fps * SECONDS)) / float(fps)))
    count = min(len(found), len(expected)) - 1
    assert np.mean(found[:count] != expected[:count]) == pytest.approx(share, abs=0.02)
