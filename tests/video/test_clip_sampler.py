"""Which frames make up a clip: offsets of the recipes, and the nearest frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ava_detect.video.clip_sampler import ClipSampler, nearest_frame_indices


def test_the_clip_of_second_902_has_the_published_positions() -> None:
    """AVA cuts begin at 900 s; at 30 fps second 902 is position 60, and 32 x 2 takes 28, 30, ..., 90."""
    frame_times = np.arange(27030) / 30
    wanted = ClipSampler(32, 2, 30.0).times(2.0)
    assert nearest_frame_indices(frame_times, wanted).tolist() == list(range(28, 92, 2))


@pytest.mark.parametrize(("frames", "rate"), [(32, 2), (64, 2), (8, 8), (4, 16), (16, 4), (2, 1), (8, 7)])
def test_even_clips_have_pyslowfasts_positions(frames: int, rate: int) -> None:
    half = frames * rate // 2
    expected = np.array(range(-half, half, rate)) / 30
    sampler = ClipSampler(frames, rate)
    assert sampler.offsets.tolist() == expected.tolist()
    assert sampler.offsets[frames // 2] == 0
    assert sampler.span == (pytest.approx(half / 30), pytest.approx((half - rate) / 30))


@pytest.mark.parametrize(("frames", "rate"), [(1, 1), (1, 8), (5, 1), (5, 2), (3, 3)])
def test_odd_clips_have_mmaction2s_positions(frames: int, rate: int) -> None:
    expected = np.array(range(-(frames // 2) * rate, (frames + 1) // 2 * rate, rate)) / 25
    sampler = ClipSampler(frames, rate, 25)
    assert sampler.offsets.tolist() == expected.tolist()
    assert len(sampler.offsets) == frames
    assert sampler.offsets[frames // 2] == 0


@pytest.mark.parametrize(
    ("frames", "rate", "fps"), [(0, 2, 30), (32, 0, 30), (32, 2, 0), (32, 2, float("nan"))]
)
def test_impossible_settings_are_refused(frames: int, rate: int, fps: float) -> None:
    with pytest.raises(ValueError, match="all three must be positive"):
        ClipSampler(frames, rate, fps)


@pytest.mark.parametrize("fps", [24000 / 1001, 25, 30000 / 1001, 30, 50, 60])
def test_at_every_rate_the_sampled_frames_are_half_a_frame_away_at_most(fps: float) -> None:
    frame_times = np.arange(int(fps * 20)) / fps
    wanted = ClipSampler(32, 2, 30.0).times(10.0)
    chosen = frame_times[nearest_frame_indices(frame_times, wanted)]
    assert np.abs(chosen - wanted).max() <= 0.5 / fps + 1e-9
    assert (np.diff(chosen) > 0).all()


def test_at_both_ends_the_end_frame_repeats() -> None:
    frame_times = np.arange(10) / 30
    indices = nearest_frame_indices(frame_times, ClipSampler(8, 4).times(0.1))
    assert indices.tolist() == [0, 0, 0, 0, 3, 7, 9, 9]


@pytest.mark.parametrize(
    ("frame_times", "wanted", "expected"),
    [
        ([3.0], [-9.0, 3.0, 99.0], [0, 0, 0]),
        ([0.0, 1.0], [], []),
        ([0.0, 1.0], [0.5], [0]),  # a tie goes to the earlier frame
        ([0.0, 1.0], [0.5 + 1e-9, 0.5 - 1e-9], [0, 0]),  # and so does what only rounding tells from a tie
        ([0.0, 1.0], [0.50001], [1]),
        ([0.0, 0.01, 5.0], [2.4, 2.6], [1, 2]),
    ],
)
def test_the_nearest_frame_is_taken(
    frame_times: list[float], wanted: list[float], expected: list[int]
) -> None:
    found = nearest_frame_indices(np.array(frame_times), np.array(wanted))
    assert found.dtype == np.int64
    assert found.tolist() == expected


def test_without_frames_there_is_nothing_to_choose() -> None:
    with pytest.raises(ValueError, match="no frame to choose from"):
        nearest_frame_indices(np.array([]), np.array([1.0]))


@given(
    ticks=st.lists(st.integers(0, 5000), min_size=1, max_size=30, unique=True),
    wanted=st.lists(st.integers(-100, 5100), max_size=20),
)
def test_nearest_agrees_with_looking_at_every_frame(ticks: list[int], wanted: list[int]) -> None:
    """Whole milliseconds: ties are exact, and ``min`` takes the first of them."""
    ticks.sort()
    expected = [min(range(len(ticks)), key=lambda idx: abs(ticks[idx] - time)) for time in wanted]
    found = nearest_frame_indices(np.array(ticks) / 1000, np.array(wanted) / 1000)
    assert found.tolist() == expected
