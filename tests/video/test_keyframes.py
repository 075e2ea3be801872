"""The keyframe grid: exact times, bounds, and how many a video has."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ava_detect.video.keyframes import KeyframeGrid


def test_without_an_end_the_grid_goes_on() -> None:
    assert list(itertools.islice(KeyframeGrid(), 4)) == [0.0, 1.0, 2.0, 3.0]


def test_errors_do_not_add_up() -> None:
    times = list(itertools.islice(KeyframeGrid(0.1, start=0.3), 50_000))
    assert times[:3] == [0.3, 0.4, 0.5]
    assert times[-1] == 5000.2


@pytest.mark.parametrize(
    ("every", "start", "end", "last_frame", "expected"),
    [
        (1.0, 0.0, None, 0.0, [0.0]),
        (1.0, 0.0, None, 2.96, [0.0, 1.0, 2.0]),
        (1.0, 0.0, None, 3.0, [0.0, 1.0, 2.0, 3.0]),
        (1.0, 5.0, None, 2.96, []),
        (0.5, 1.0, 2.0, 9.0, [1.0, 1.5, 2.0]),
        (1.0, 1.0, 0.5, 9.0, []),
        (0.04, 0.0, None, 0.13, [0.0, 0.04, 0.08, 0.12]),
    ],
)
def test_a_video_has_the_keyframes_up_to_its_last_frame(
    every: float, start: float, end: float | None, last_frame: float, expected: list[float]
) -> None:
    assert KeyframeGrid(every, start=start, end=end).up_to(last_frame) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0.0}, "every is 0.0; keyframes need a positive distance"),
        ({"every": -1.0}, "every is -1.0"),
        ({"start": -1.0}, "start is -1.0; a video begins at 0"),
        ({"every": float("inf")}, "every is inf; a finite number of seconds"),
        ({"end": float("nan")}, "end is nan; a finite number of seconds"),
    ],
)
def test_impossible_grids_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KeyframeGrid(**arguments)


@given(thousandths=st.integers(1, 3000), start=st.integers(0, 5000), k=st.integers(0, 300))
def test_every_time_is_the_nearest_float_to_the_decimal(thousandths: int, start: int, k: int) -> None:
    grid = KeyframeGrid(thousandths / 1000, start=start / 1000)
    assert next(itertools.islice(grid, k, None)) == (start + k * thousandths) / 1000
