"""The layout of label chips: inside the picture, off each other, and what gives way when room is short."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ava_detect.output.chips import Metrics, Place, Stack, place_stacks, standings_of

METRICS = Metrics(line=18, gap=1)
PICTURE = (360, 640)


def stack(key, box, chips=(80, 80, 80), head=20):
    return Stack(key, box, tuple(chips), head, more=25)


def overlap(first, second):
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return width > 0 and height > 0


def test_no_stacks_need_no_places():
    assert place_stacks([], PICTURE, METRICS) == []


def test_a_stack_with_nothing_to_show_has_no_place():
    assert place_stacks([stack(1, (10, 10, 50, 90), chips=(), head=0)], PICTURE, METRICS) == [None]


def test_a_stack_stands_on_the_top_left_corner_of_its_box():
    (place,) = place_stacks([stack(1, (200.0, 150.0, 260.0, 330.0))], PICTURE, METRICS)
    # Four lines of 18 and three gaps of 1 are 75 pixels, one gap above the box.
    assert place == Place(200, 150 - 1 - 75, 80, 75, shown=3)


def test_a_person_without_id_has_no_head_line():
    (place,) = place_stacks([stack(1, (200.0, 150.0, 260.0, 330.0), head=0)], PICTURE, METRICS)
    assert place.height == 3 * 18 + 2 * 1


def test_under_the_upper_edge_a_stack_stands_beside_the_box():
    (place,) = place_stacks([stack(1, (200.0, 0.0, 260.0, 330.0))], PICTURE, METRICS)
    assert not overlap(place.rect, (200, 0, 260, 330))
    assert place.rect[2] == 199


def test_a_person_who_fills_the_picture_keeps_the_face_free():
    (place,) = place_stacks([stack(1, (0.0, 0.0, 640.0, 360.0))], PICTURE, METRICS)
    assert not overlap(place.rect, (128, 0, 512, 108))


def test_two_people_in_one_place_have_their_stacks_apart():
    box = (300.0, 150.0, 340.0, 300.0)
    first, second = place_stacks([stack(1, box), stack(2, box)], PICTURE, METRICS)
    assert first.shown == second.shown == 3
    assert not overlap(first.rect, second.rect)


def test_what_is_taken_stays_free():
    (place,) = place_stacks([stack(1, (0.0, 80.0, 60.0, 360.0))], PICTURE, METRICS, taken=[(0, 0, 640, 79)])
    assert place is not None
    assert place.y >= 80


def test_the_weakest_chips_give_way_for_a_stack_that_is_too_high():
    (place,) = place_stacks([stack(1, (10, 10, 50, 60), chips=[40] * 5)], (60, 640), METRICS)
    assert place.shown == 2  # head and two chips are 56 pixels, three would be 75
    assert place.height == 56


def test_people_lose_chips_evenly():
    """Six stacks of five chips cover more than the picture allows; nobody pays for the others."""
    stacks = [stack(key, (100.0 * key, 200, 100.0 * key + 50, 350), chips=[150] * 5) for key in range(6)]
    places = place_stacks(stacks, (360, 640), METRICS)
    assert len({place.shown for place in places}) == 1
    assert 1 <= places[0].shown < 5


def test_without_room_for_a_line_nothing_is_shown():
    assert place_stacks([stack(1, (0, 0, 5, 5))], (10, 640), METRICS) == [None]


def test_the_first_person_gets_the_only_room():
    first, second = place_stacks([stack(1, (0, 0, 50, 18)), stack(2, (0, 0, 50, 18))], (18, 45), METRICS)
    assert first is not None
    assert first.shown == 0
    assert second is None


def test_a_stack_does_not_hop_while_its_box_moves_a_little():
    """Near the upper edge the best side changes; with a memory of the frame before, the stack stays."""

    def hops(remember):
        before, found = None, []
        for top in [80, 78, 76, 74, 72, 70, 72, 74, 76, 78, 80]:
            stacks = [stack(1, (300.0, top, 360.0, 330.0))]
            places = place_stacks(stacks, PICTURE, METRICS, before=before)
            before = standings_of(stacks, places) if remember else None
            found.append(places[0].x)
        return sum(first != second for first, second in itertools.pairwise(found))

    assert hops(remember=False) == 2
    assert hops(remember=True) == 0


def test_the_same_input_gives_the_same_places():
    stacks = [stack(key, (40.0 * key, 100, 40.0 * key + 60, 300)) for key in range(6)]
    assert place_stacks(stacks, PICTURE, METRICS) == place_stacks(stacks, PICTURE, METRICS)


@st.composite
def layouts(draw):
    height, width = draw(st.integers(20, 400)), draw(st.integers(20, 700))
    stacks = []
    for key in range(draw(st.integers(0, 8))):
        x1, y1 = draw(st.floats(-50, width)), draw(st.floats(-50, height))
        box = (x1, y1, x1 + draw(st.floats(0, width)), y1 + draw(st.floats(0, height)))
        chips = tuple(draw(st.lists(st.integers(30, 200), max_size=6)))
        stacks.append(Stack(key, box, chips, draw(st.sampled_from([0, 20])), 25))
    return stacks, (height, width)


@settings(max_examples=150, deadline=None)
@given(layouts())
def test_chips_stay_inside_the_picture_and_off_each_other(layout):
    stacks, (height, width) = layout
    taken = [(0, height - 18, 90, height)]
    before = None
    for _ in range(2):  # the second time with a memory
        places = place_stacks(stacks, (height, width), METRICS, taken=taken, before=before)
        assert len(places) == len(stacks)
        rects = [place.rect for place in places if place is not None]
        for x1, y1, x2, y2 in rects:
            assert 0 <= x1 < x2 <= width
            assert 0 <= y1 < y2 <= height
        for first, second in itertools.combinations([*rects, *taken], 2):
            assert not overlap(first, second)
        for shape, place in zip(stacks, places, strict=True):
            if place is not None:
                assert 0 <= place.shown <= len(shape.chips)
        before = standings_of(stacks, places)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 1800), st.floats(0, 900), st.floats(1, 100), st.floats(1, 150)), max_size=6
    )
)
def test_nobody_is_left_without_chips_where_there_is_plenty_of_room(people):
    """Six stacks of at most 100 x 94 pixels cannot fill a picture of 1920 x 1080."""
    stacks = [
        stack(key, (x, y, x + width, y + height), chips=[100, 90, 80, 70])
        for key, (x, y, width, height) in enumerate(people)
    ]
    places = place_stacks(stacks, (1080, 1920), METRICS)
    assert all(place is not None and place.shown >= 1 for place in places)


@pytest.mark.parametrize("count", range(1, 5))
def test_a_stack_is_found_a_place_in_the_last_gap(count):
    """The picture is full of rectangles but for one hole as large as the stack with its gaps."""
    hole = (200, 100, 282, 177)
    taken = [(0, 0, 640, 100), (0, 177, 640, 360), (0, 100, 200, 177), (282, 100, 640, 177)]
    (place,) = place_stacks([stack(1, (0, 0, 10, 10), chips=[80] * 3)], PICTURE, METRICS, taken=taken[:count])
    assert place.shown == 3
    if count == 4:
        assert overlap(place.rect, hole)
