"""The frame clock: exact where timestamps are sound, increasing whatever they are."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ava_detect.video.clock import MAX_GAP_S, FrameClock, nominal_step, plausible_rate

MS = Fraction(1, 1000)
STEP = Fraction(1, 25)


def times(pts: list[int | None], *, origin: int | None = None, time_base: Fraction = MS) -> list[float]:
    clock = FrameClock(time_base, origin, STEP)
    return [clock.time_of(value) for value in pts]


@pytest.mark.parametrize(
    ("pts", "expected"),
    [
        ([], []),
        ([None], [0.0]),
        ([None, None, None], [0.0, 0.04, 0.08]),
        ([5000, 5040, 5080], [0.0, 0.04, 0.08]),
        ([-80, -40, 0], [0.0, 0.04, 0.08]),
        ([0, 17, 500, 533], [0.0, 0.017, 0.5, 0.533]),
        ([0, None, 80, 120], [0.0, 0.04, 0.08, 0.12]),
        ([None, 40, 80], [0.0, 0.04, 0.08]),  # the first timestamp follows the frame without one
        ([0, 40, 40, 120], [0.0, 0.04, 0.06, 0.12]),  # equal: half a step later, then the true times again
        ([0, 80, 40, 120], [0.0, 0.08, 0.1, 0.12]),  # out of order
        ([0, 40, 40, 40], [0.0, 0.04, 0.06, 0.08]),
        ([9000, 9040, 0, 40], [0.0, 0.04, 0.08, 0.12]),  # a clock that starts anew
        ([0, 40, 90_000_000, 90_000_040], [0.0, 0.04, 0.08, 0.12]),  # a jump of a day
        ([0, 3_600_000], [0.0, 3600.0]),  # an hour's pause is believed
        ([0, 40, 2**62, 2**62 + 40], [0.0, 0.04, 0.08, 0.12]),
    ],
)
def test_times_follow_timestamps_or_the_frame_before(pts: list[int | None], expected: list[float]) -> None:
    assert times(pts) == pytest.approx(expected, abs=1e-12)


def test_a_late_first_frame_keeps_its_distance_from_the_origin() -> None:
    assert times([2200, 2240], origin=2000) == pytest.approx([0.2, 0.24])


@pytest.mark.parametrize("origin", [9000, -(10**9)])
def test_an_origin_that_cannot_be_true_is_not_believed(origin: int) -> None:
    assert times([2200, 2240], origin=origin) == pytest.approx([0.0, 0.04])


def test_exact_fractions_are_rounded_once() -> None:
    ticks = [idx * 1001 for idx in range(20_000)]
    clock = FrameClock(Fraction(1, 30000), None, STEP)
    assert [clock.time_of(tick) for tick in ticks] == [tick / 30000 for tick in ticks]
    assert clock.odd == 0


def test_frames_without_a_usable_timestamp_are_counted() -> None:
    clock = FrameClock(MS, None, STEP)
    for value in (0, 40, 40, None, 160, -9000):
        clock.time_of(value)
    assert clock.odd == 3


@given(st.lists(st.none() | st.integers(-(2**62), 2**62) | st.integers(-2000, 2000), max_size=60))
def test_times_always_increase_by_at_most_an_hour(pts: list[int | None]) -> None:
    found = times(pts)
    assert all(0 < after - before <= MAX_GAP_S + 1e-6 for before, after in itertools.pairwise(found))
    assert not found or found[0] >= 0


@pytest.mark.parametrize(
    ("rate", "step"),
    [
        (None, 0.04), (Fraction(0), 0.04), (Fraction(90000), 0.04), (Fraction(1, 7200), 0.04),
        (Fraction(30000, 1001), 1001 / 30000), (Fraction(1, 60), 60.0),
    ],
)  # fmt: skip
def test_an_absent_or_absurd_rate_is_taken_as_25(rate: Fraction | None, step: float) -> None:
    assert float(nominal_step(rate)) == step
    assert (rate is not None and plausible_rate(rate)) == (step != 0.04)
