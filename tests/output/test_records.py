"""Results of the engine as records and back: rounding, order, what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ava_detect.output.records import Keyframe, classes_of, to_record, to_result
from ava_detect.output.results import KeyframeResult, PersonPath
from evaluation.errors import DataError
from evaluation.label_map import load_label_map

IDS = (12, 14, 17, 80)


def test_a_keyframe_without_people_is_a_record_without_people(make_result):
    assert to_record(make_result(3.0), IDS, min_score=0.05) == Keyframe(3.0, 3.01, 90, ())


def test_actions_below_the_minimum_go_and_the_rest_stand_best_first(make_result):
    result = make_result(0.0, [(1, 0.9, [0, 0, 10, 10], [0.05, 0.7, 0.049, 0.8])])
    (person,) = to_record(result, IDS, min_score=0.05).persons
    assert [action_id for action_id, _ in person.actions] == [80, 14, 12]


def test_equal_scores_keep_the_order_of_the_classes(make_result):
    result = make_result(0.0, [(1, 0.9, [0, 0, 10, 10], [0.5, 0.5, 0.5, 0.5])])
    (person,) = to_record(result, IDS, min_score=0.05).persons
    assert [action_id for action_id, _ in person.actions] == list(IDS)


def test_people_stand_in_the_order_of_their_ids(make_result):
    people = [(7, 0.9, [0, 0, 1, 1], [0] * 4), (2, 0.8, [1, 1, 2, 2], [0] * 4)]
    record = to_record(make_result(0.0, people), IDS, min_score=0.05)
    assert [person.person_id for person in record.persons] == [2, 7]


def test_people_without_ids_keep_their_order_and_have_none(make_result):
    people = [(-1, 0.9, [0, 0, 1, 1], [0] * 4), (-1, 0.8, [1, 1, 2, 2], [0] * 4)]
    record = to_record(make_result(0.0, people), IDS, min_score=0.05)
    assert [(person.person_id, person.score) for person in record.persons] == [(None, 0.9), (None, 0.8)]


def test_scores_have_six_decimals(make_result):
    result = make_result(
        0.0, [(1, 0.123456789, [0, 0, 1, 1], [0.987654321, 0, 0, 0])], best_person_score=1 / 3
    )
    record = to_record(result, IDS, min_score=0.05)
    assert record.persons[0].score == 0.123457
    assert record.persons[0].actions == ((12, 0.987654),)
    assert record.best_person_score == 0.333333


corner = st.floats(-1e4, 1e4, width=32)


@settings(deadline=None)
@given(arrays(np.float32, (3, 2), elements=corner), arrays(np.float32, (3, 2), elements=corner))
def test_boxes_come_back_as_the_same_float32(first, second):
    boxes = np.hstack([np.minimum(first, second), np.maximum(first, second)])
    result = KeyframeResult(
        0.0, 0.0, 0, boxes, np.ones(3, np.float32), np.arange(1, 4), np.zeros((3, 4), np.float32)
    )
    back = to_result(to_record(result, IDS, min_score=0.05), IDS)
    np.testing.assert_array_equal(back.boxes, boxes)
    assert back.boxes.dtype == np.float32


def test_a_record_comes_back_as_a_result_with_zero_for_what_was_left_out(make_result):
    people = [(2, 0.875, [1, 2, 3, 4], [0.5, 0.25, 0.01, 0.75]), (-1, 0.5, [0, 0, 9, 9], [0, 0, 0, 0.5])]
    result = make_result(1.5, people, best_person_score=0.875)
    back = to_result(to_record(result, IDS, min_score=0.05), IDS)
    assert (back.time, back.frame_time, back.frame_idx) == (1.5, 1.51, 45)
    assert back.person_ids.tolist() == [-1, 2]
    assert back.person_scores.tolist() == [0.5, 0.875]
    assert back.action_scores.tolist() == [[0, 0, 0, 0.5], [0.5, 0.25, 0, 0.75]]
    assert back.best_person_score == 0.875


def test_an_empty_record_comes_back_with_shaped_arrays():
    back = to_result(Keyframe(0.0, 0.0, 0, ()), IDS)
    assert back.boxes.shape == (0, 4)
    assert back.action_scores.shape == (0, 4)
    assert np.isnan(back.best_person_score)


@pytest.mark.parametrize(
    ("person", "what"),
    [
        ((1, np.nan, [0, 0, 1, 1], [0] * 4), "person scores"),
        ((1, 0.9, [0, np.inf, 1, np.inf], [0] * 4), "boxes"),
        ((1, 0.9, [0, 0, 1, 1], [0, np.nan, 0, 0]), "action scores"),
    ],
)
def test_nan_is_refused_with_the_time_and_advice(make_result, person, what):
    with pytest.raises(DataError, match=f"keyframe at 12.5 s: {what} are not numbers") as caught:
        to_record(make_result(12.5, [person]), IDS, min_score=0.05)
    assert "--precision fp32" in caught.value.hint


@pytest.mark.parametrize(
    ("person", "message"),
    [
        ((1, 0.9, [5, 0, 1, 1], [0] * 4), "x1 > x2"),
        ((1, 1.5, [0, 0, 1, 1], [0] * 4), "outside"),
        ((1, 0.9, [0, 0, 1, 1], [-0.5, 0, 0, 0]), "outside"),
    ],
)
def test_impossible_results_are_a_mistake_of_the_program(make_result, person, message):
    with pytest.raises(ValueError, match=message):
        to_record(make_result(0.0, [person]), IDS, min_score=0.05)


def test_shapes_that_do_not_fit_are_a_mistake_of_the_program(make_result):
    with pytest.raises(ValueError, match="shapes"):
        to_record(make_result(0.0, [(1, 0.9, [0, 0, 1, 1], [0] * 4)]), IDS[:3], min_score=0.05)


def test_the_classes_of_a_label_map_keep_ids_names_and_groups():
    classes = classes_of(load_label_map("v2.2"))
    assert len(classes) == 60
    assert (classes[-1].id, classes[-1].name, classes[-1].group) == (80, "watch (a person)", "person")


def test_paths_come_back_to_a_tenth_of_a_pixel(make_result):
    path = PersonPath(3, np.array([1.1000000001, 1.2]), np.array([[1.04, 2, 30.26, 40], [2, 2, 31, 40]]))
    record = to_record(make_result(2.0, paths=(path,)), IDS, min_score=0.05)
    (kept,) = record.paths
    assert kept.person_id == 3
    assert kept.points == ((1.1, 1.0, 2.0, 30.3, 40.0), (1.2, 2.0, 2.0, 31.0, 40.0))
    (back,) = to_result(record, IDS).paths
    np.testing.assert_array_equal(back.times, [1.1, 1.2])
    np.testing.assert_array_equal(back.boxes[0], [1.0, 2.0, 30.3, 40.0])
