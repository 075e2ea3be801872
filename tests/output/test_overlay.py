"""Drawing on pictures: what changes, what stays, and that the chips stand where the layout put them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ava_detect.output.labels import Label
from ava_detect.output.overlay import DrawnPerson, TimeStamp, draw_frame, stamp_text
from ava_detect.output.style import NEUTRAL_COLOUR, Style, group_colours, person_colour

GREY = 90
STAND = Label("stand", "pose", 0.5)
WATCH = Label("watch", "person", 0.25)


def grey(height=360, width=640):
    return np.full((height, width, 3), GREY, np.uint8)


def drawn(people, height=360, width=640, **more):
    image = grey(height, width)
    draw_frame(image, people, Style.for_picture(height, width), **more)
    return image


def changed(image):
    """Return [x1, y1, x2, y2] around everything that was drawn; None for nothing."""
    rows, columns = np.nonzero((image != GREY).any(axis=2))
    return None if not len(rows) else (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_without_people_and_time_the_picture_stays():
    assert changed(drawn([])) is None


def test_a_box_has_the_colour_of_the_person_inside_and_a_dark_edge_outside():
    image = drawn([DrawnPerson((100.0, 150.0, 160.0, 300.0), 1, ())])
    row = image[220]
    assert row[100].tolist() == row[101].tolist() == list(person_colour(1))
    assert row[158].tolist() == row[159].tolist() == list(person_colour(1))
    assert row[99].max() < GREY / 2
    assert row[160].max() < GREY / 2
    assert row[98].tolist() == row[102].tolist() == [GREY] * 3


def test_without_an_id_the_box_is_neutral_and_there_is_no_head():
    image = drawn([DrawnPerson((100.0, 150.0, 160.0, 300.0), None, ())])
    assert image[220, 100].tolist() == list(NEUTRAL_COLOUR)
    assert changed(image) == (99, 149, 161, 301)


def test_a_box_over_the_edge_is_drawn_inside():
    image = drawn([DrawnPerson((-50.0, 200.0, 700.0, 400.0), None, ())])
    assert image[300, 0].tolist() == image[300, 639].tolist() == list(NEUTRAL_COLOUR)
    assert image[359, 320].tolist() == list(NEUTRAL_COLOUR)


@pytest.mark.parametrize(
    "box", [(700.0, 10.0, 800.0, 50.0), (-90.0, -90.0, -10.0, -10.0), (50.0, 50.0, 50.0, 50.0)]
)
def test_a_box_that_cannot_be_seen_is_not_drawn(box):
    assert changed(drawn([DrawnPerson(box, None, ())])) is None


def test_the_bar_of_a_chip_is_as_long_as_the_score():
    """Both chips of the stack are equally wide, so their bars can be compared."""
    image = drawn([DrawnPerson((200.0, 150.0, 260.0, 330.0), None, (STAND, WATCH))])
    stack = image[:149]
    lengths = {}
    for group in ("pose", "person"):
        bar = (stack == group_colours(group)[1]).all(axis=2)
        rows = np.flatnonzero(bar.any(axis=1))
        assert len(rows) == 2
        lengths[group] = int(bar[rows[0]].sum())
    left, _, right, _ = changed(stack)
    assert lengths["pose"] == pytest.approx((right - left) * 0.5, abs=1)
    assert lengths["person"] == pytest.approx((right - left) * 0.25, abs=1)


def test_a_chip_lets_a_quarter_of_the_picture_through():
    image = drawn([DrawnPerson((200.0, 150.0, 260.0, 330.0), None, (STAND,))])
    ground = np.array(group_colours("pose")[0])
    assert np.abs(image[132, 201].astype(int) - (0.75 * ground + 0.25 * GREY)).max() <= 1


def test_fading_moves_every_pixel_towards_the_picture():
    person = DrawnPerson((200.0, 150.0, 260.0, 330.0), 1, (STAND,))
    full = drawn([person]).astype(int) - GREY
    faint = drawn([DrawnPerson(person.box, 1, person.labels, opacity=0.25)]).astype(int) - GREY
    assert np.abs(faint).max() < 0.3 * np.abs(full).max()
    assert changed(faint + GREY) is not None


def test_the_time_stamp_stands_at_the_bottom_left():
    left, top, right, bottom = changed(drawn([], time_stamp=TimeStamp(67.33)))
    assert (left, bottom) == (0, 360)
    assert top > 330
    assert right < 110


def test_a_keyframe_has_a_tick_beside_its_time():
    without, tick = drawn([], time_stamp=TimeStamp(1.0)), drawn([], time_stamp=TimeStamp(1.0, keyframe=True))
    rows, columns = np.nonzero((without != tick).any(axis=2))
    assert len(rows) > 10
    assert columns.min() > 50


def test_a_thumbnail_has_no_time_stamp():
    assert changed(drawn([], 48, 64, time_stamp=TimeStamp(1.0))) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0:00:00.00"),
        (67.339, "0:01:07.33"),
        (67.34, "0:01:07.34"),
        (3599.999, "0:59:59.99"),
        (36000, "10:00:00.00"),
    ],
)
def test_times_are_cut_to_hundredths(seconds, text):
    assert stamp_text(seconds) == text


def test_names_longer_than_the_picture_are_cut():
    label = Label("a name that is far too long for such a narrow picture", "other", 0.9)
    left, _, right, _ = changed(drawn([DrawnPerson((10.0, 200.0, 60.0, 300.0), 1, (label,))], 360, 120))
    assert (left, right) <= (10, 120)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.lists(
        st.tuples(
            st.floats(-100, 300), st.floats(-100, 300), st.floats(0, 300), st.floats(0, 300),
            st.none() | st.integers(1, 99), st.integers(0, 3), st.floats(0.01, 1),
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_any_people_can_be_drawn_on_any_picture(height, width, people):
    image = grey(height, width)
    persons = [
        DrawnPerson((x, y, x + w, y + h), person_id, (STAND, WATCH, STAND)[:count], opacity)
        for x, y, w, h, person_id, count, opacity in people
    ]
    before = None
    for time in (0.0, 0.1):
        stamp = TimeStamp(time, keyframe=True)
        before = draw_frame(image, persons, Style.for_picture(height, width), time_stamp=stamp, before=before)
    assert image.shape == (height, width, 3)


def test_the_same_people_give_the_same_picture():
    people = [DrawnPerson((100.0 * k, 150.0, 100.0 * k + 60, 330.0), k, (STAND, WATCH)) for k in range(1, 5)]
    np.testing.assert_array_equal(drawn(people), drawn(people))
