"""Where people are between keyframes: on their way, fading, or gone."""

import pytest

from ava_detect.output.motion import appearances
from ava_detect.output.records import BoxPath, Keyframe, Person


def person(person_id, x=0.0, score=0.5):
    return Person(person_id, 0.9, (x, 0.0, x + 10, 20.0), ((12, score),))


def keyframe(time, *people):
    return Keyframe(time, time, round(time * 30), people)


def test_before_and_after_everything_there_is_nobody():
    assert appearances(0.0, None, None, every_s=1.0) == []
    assert appearances(0.5, keyframe(0.0), keyframe(1.0), every_s=1.0) == []


@pytest.mark.parametrize(("time", "x"), [(2.0, 0.0), (2.25, 25.0), (2.5, 50.0), (2.9, 90.0)])
def test_a_tracked_person_moves_in_a_straight_line(time, x):
    (found,) = appearances(time, keyframe(2.0, person(7, 0)), keyframe(3.0, person(7, 100)), every_s=1.0)
    assert found.box == pytest.approx((x, 0, x + 10, 20))
    assert found.opacity == 1.0


@pytest.mark.parametrize(("time", "score"), [(0.0, 0.25), (0.49, 0.25), (0.5, 0.75), (0.99, 0.75)])
def test_the_labels_are_those_of_the_nearer_keyframe(time, score):
    before, after = keyframe(0.0, person(1, score=0.25)), keyframe(1.0, person(1, score=0.75))
    (found,) = appearances(time, before, after, every_s=1.0)
    assert found.person.actions[0][1] == score


@pytest.mark.parametrize(
    ("distance", "opacity"), [(0.0, 1.0), (0.3, 1.0), (0.4, 0.5), (0.45, 0.25), (0.5, None), (0.9, None)]
)
@pytest.mark.parametrize("every_s", [1.0, 2.0])
def test_a_person_who_leaves_or_comes_fades_within_half_the_distance(distance, opacity, every_s):
    leaving = appearances(
        10 + distance * every_s, keyframe(10, person(3)), keyframe(10 + every_s), every_s=every_s
    )
    coming = appearances(
        10 - distance * every_s, keyframe(10 - every_s), keyframe(10, person(3)), every_s=every_s
    )
    for found in (leaving, coming):
        assert [pytest.approx(each.opacity) for each in found] == ([] if opacity is None else [opacity])
        assert all(each.box == person(3).box_px for each in found)


def test_one_leaves_and_another_comes_without_getting_mixed_up():
    before, after = keyframe(0.0, person(1, 0)), keyframe(1.0, person(2, 50))
    assert [found.person.person_id for found in appearances(0.1, before, after, every_s=1.0)] == [1]
    assert [found.person.person_id for found in appearances(0.9, before, after, every_s=1.0)] == [2]


@pytest.mark.parametrize(("time", "xs"), [(0.0, [0, 20]), (0.49, [0, 20]), (0.5, [50]), (0.99, [50])])
def test_people_without_ids_are_those_of_the_nearer_keyframe(time, xs):
    before, after = keyframe(0.0, person(None, 0), person(None, 20)), keyframe(1.0, person(None, 50))
    found = appearances(time, before, after, every_s=1.0)
    assert [each.box[0] for each in found] == xs
    assert all(each.opacity == 1.0 for each in found)


def test_people_without_ids_do_not_stay_longer_than_half_the_distance():
    last = keyframe(0.0, person(None))
    assert len(appearances(0.5, last, None, every_s=1.0)) == 1
    assert appearances(0.51, last, None, every_s=1.0) == []


def test_a_gap_in_the_keyframes_is_not_bridged():
    before, after = keyframe(0.0, person(1, 0)), keyframe(10.0, person(1, 100))
    assert appearances(5.0, before, after, every_s=1.0) == []
    assert [found.box[0] for found in appearances(0.2, before, after, every_s=1.0)] == [0]


def test_two_keyframes_on_one_frame_do_no_harm():
    before, after = keyframe(1.0, person(1, 0)), keyframe(1.0, person(1, 0))
    assert appearances(1.0, before, after, every_s=0.01)


def test_people_stand_in_the_order_of_their_ids():
    before, after = keyframe(0.0, person(2), person(3)), keyframe(1.0, person(1), person(3))
    found = appearances(0.4, before, after, every_s=1.0)
    assert [each.person.person_id for each in found] == [2, 3]


def path(person_id, *points):
    return BoxPath(person_id, tuple((time, x, 0.0, x + 10, 20.0) for time, x in points))


def with_paths(time, people, *paths):
    return Keyframe(time, time, round(time * 30), tuple(people), paths=paths)


@pytest.mark.parametrize(("time", "x"), [(2.0, 0), (2.1, 20), (2.2, 40), (2.6, 70), (2.9, 92.5)])
def test_a_person_who_was_followed_moves_along_the_path(time, x):
    after = with_paths(3.0, [person(7, 100)], path(7, (2.2, 40.0), (2.6, 70.0)))
    (found,) = appearances(time, keyframe(2.0, person(7, 0)), after, every_s=1.0)
    assert found.box == pytest.approx((x, 0, x + 10, 20))


def test_who_leaves_and_who_comes_moves_along_the_path_while_fading():
    after = with_paths(3.0, [person(8, 200)], path(7, (2.2, 40.0)), path(8, (2.8, 160.0)))
    before = keyframe(2.0, person(7, 0))
    (leaving,) = appearances(2.1, before, after, every_s=1.0)
    assert (leaving.person.person_id, leaving.box[0]) == (7, pytest.approx(20))
    (gone_on,) = appearances(2.35, before, after, every_s=1.0)
    assert gone_on.box[0] == pytest.approx(40)  # behind the last point the box stays
    (coming,) = appearances(2.9, before, after, every_s=1.0)
    assert (coming.person.person_id, coming.box[0]) == (8, pytest.approx(180))
