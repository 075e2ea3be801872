"""Sizes follow the picture, colours can be read and told apart."""

import itertools

import pytest

from ava_detect.output.style import (
    CHIP_OPACITY,
    NEUTRAL_COLOUR,
    PERSON_COLOURS,
    SHADOW,
    WHITE,
    Style,
    group_colours,
    ink_on,
    luminance,
    person_colour,
)


@pytest.mark.parametrize(
    ("size", "line"), [((240, 426), 2), ((360, 640), 2), ((720, 405), 2), ((2160, 3840), 12)]
)
def test_lines_grow_with_the_short_side(size, line):
    assert Style.for_picture(*size).line == line


def test_an_enlargement_looks_the_same():
    small, large = Style.for_picture(360, 640), Style.for_picture(1080, 1920)
    for name in ("line", "hairline", "cap", "padding", "gap", "bar"):
        assert getattr(large, name) == 3 * getattr(small, name)


def test_a_person_keeps_a_colour_and_neighbours_in_number_differ():
    assert person_colour(3) == person_colour(3)
    assert len({person_colour(number) for number in range(1, 8)}) == 7
    assert person_colour(8) == person_colour(1)
    assert person_colour(None) == NEUTRAL_COLOUR
    assert NEUTRAL_COLOUR not in PERSON_COLOURS


def contrast(first, second):
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_luminance_of_black_white_and_grey():
    assert luminance((0, 0, 0)) == 0
    assert luminance((255, 255, 255)) == pytest.approx(1)
    assert luminance((128, 128, 128)) == pytest.approx(0.2159, abs=1e-3)  # ((0.502 + 0.055) / 1.055) ** 2.4


@pytest.mark.parametrize("group", ["pose", "object", "person", "other"])
@pytest.mark.parametrize("picture", [(0, 0, 0), (255, 255, 255), (0, 200, 255)])
def test_chips_can_be_read_over_any_picture(group, picture):
    ground, _ = group_colours(group)
    seen = tuple(
        CHIP_OPACITY * over + (1 - CHIP_OPACITY) * under for over, under in zip(ground, picture, strict=True)
    )
    assert contrast(ink_on(ground), seen) >= 4.5  # WCAG 2.2, level AA


@pytest.mark.parametrize("colour", PERSON_COLOURS)
def test_head_lines_can_be_read(colour):
    assert ink_on(colour) in (SHADOW, WHITE)
    assert contrast(ink_on(colour), colour) >= 4.5


def test_groups_differ():
    grounds = [group_colours(group)[0] for group in ("pose", "object", "person", "other")]
    for first, second in itertools.combinations(grounds, 2):
        assert max(abs(a - b) for a, b in zip(first, second, strict=True)) > 30
    assert group_colours("something else") == group_colours("other")
