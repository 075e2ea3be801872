"""Text masks: they measure what they draw, fit where they must, and stamp in place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ava_detect.output.text import ascii_text, fitted_text, stamp, text_height, text_mask, text_width


@pytest.mark.parametrize("cap", [8, 16, 48])
def test_capitals_are_as_high_as_asked(cap):
    rows = np.flatnonzero((text_mask("H", cap) > 127).any(axis=1))
    assert len(rows) == pytest.approx(cap, abs=max(1, cap / 12))


@pytest.mark.parametrize("cap", [8, 24])
@pytest.mark.parametrize("text", ["run/jog", "give/serve to", "#12 +3", "0:01:07.33", "lgpq,;"])
def test_no_letter_is_cut_by_the_edge_of_its_mask(cap, text):
    """Strong ink on the uppermost row or the last column would be a letter that was cut."""
    mask = text_mask(text, cap)
    assert mask.shape == (text_height(cap), text_width(text, cap))
    assert mask.max() > 200
    assert mask[0].max() < 64
    assert mask[:, -1].max() < 64


def test_a_mask_is_shared_and_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        text_mask("stand", 8)[:] = 0


def test_text_that_fits_stays():
    assert fitted_text("stand", 8, 200) == "stand"


def test_text_that_is_too_long_ends_in_dots():
    width = text_width("text on/look at", 8)
    shorter = fitted_text("text on/look at a cellphone", 8, width)
    assert shorter.endswith("..")
    assert "text on/lo" in shorter
    assert text_width(shorter, 8) <= width


def test_text_without_any_room_is_nothing():
    assert fitted_text("stand", 8, 3) == ""


@pytest.mark.parametrize(
    ("text", "plain"), [("stand", "stand"), ("žluťoučký kůň", "zlutoucky kun"), ("体操 A", "?? A"), ("", "")]
)
def test_ascii_text_drops_accents_and_marks_the_rest(text, plain):
    assert ascii_text(text) == plain


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_can_be_drawn(text):
    assert text_mask(text, 8).shape[0] == text_height(8)


def test_a_stamp_puts_full_ink_where_the_mask_says_so():
    image = np.full((4, 5, 3), 100, np.uint8)
    stamp(image, np.array([[255, 0], [0, 51]], np.uint8), 1, 2, (200, 100, 0))
    expected = np.full((4, 5, 3), 100, np.uint8)
    expected[2, 1] = (200, 100, 0)
    expected[3, 2] = (120, 100, 80)  # a fifth of the way
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize(("x", "y"), [(-1, -1), (4, 3), (-5, 0), (0, 40), (50, 0)])
def test_a_stamp_over_the_edge_is_cut_off(x, y):
    """Compared with a stamp on a larger picture of which the middle is cut out."""
    mask = np.arange(1, 10, dtype=np.uint8).reshape(3, 3) * 25
    image = np.full((4, 5, 3), 10, np.uint8)
    stamp(image, mask, x, y, (255, 255, 255))
    large = np.full((160, 160, 3), 10, np.uint8)
    stamp(large, mask, x + 60, y + 60, (255, 255, 255))
    np.testing.assert_array_equal(image, large[60:64, 60:65])
