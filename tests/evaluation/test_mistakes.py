"""Kinds of mistakes and box recall, on a scene where every one of them can be counted by hand."""

import math

import pytest

from evaluation import evaluate_ava
from evaluation.box_recall import box_recall, recall_by_score
from evaluation.error_analysis import analyse_errors
from evaluation.errors import DataError
from evaluation.label_map import LabelMap
from evaluation.rows import read_boxes, read_keyframes

MAP = LabelMap((1, 2), ("one", "two"), ("pose", "pose"))
TRUTH = [
    "v,902,0,0,.4,1,1,0",  # A
    "v,902,.5,0,.9,1,2,1",  # B
    "v,903,0,0,.4,1,1,0",  # C: nobody near it
    "v,904,0,0,.4,1,2,0",  # D: a box of the other class only
    "v,905,0,0,.4,1,1,0",  # E: found
]
FOUND = [
    "v,902,0,0,.4,1,1,.90",  # finds A
    "v,902,0,0,.4,1,1,.85",  # again: duplicate
    "v,902,.5,0,.9,1,1,.80",  # on B: wrong class
    "v,902,.3,0,.5,1,1,.70",  # touches A a little: loose box
    "v,903,.8,0,1,1,1,.60",  # background
    "v,904,0,0,.4,1,1,.50",  # on D: wrong class
    "v,905,0,0,.4,1,1,.40",  # finds E
    "v,902,.5,0,.9,1,2,.30",  # finds B
]


@pytest.fixture
def result(write_rows):
    return evaluate_ava(write_rows("g.csv", TRUTH), write_rows("d.csv", FOUND), MAP)


def test_every_mistake_is_of_the_kind_that_it_was_made(result):
    analysis = analyse_errors(result)
    one, two = analysis.classes
    # class 1 has n = 3 boxes; its three best rows are right, a duplicate and on B
    assert one.top == {"correct": 1, "duplicate": 1, "wrong class": 1, "loose box": 0, "background": 0}
    assert two.top == {"correct": 1, "duplicate": 0, "wrong class": 0, "loose box": 0, "background": 0}
    assert one.misses == {"no box": 1, "box, not the class": 0}
    assert two.misses == {"no box": 0, "box, not the class": 1}
    assert analysis.misses == {"no box": 1 / 5, "box, not the class": 1 / 5}
    assert analysis.top["correct"] == pytest.approx((1 / 3 + 1) / 2)


def test_what_a_kind_costs_is_the_ap_without_it(result):
    one, two = analyse_errors(result).classes
    now = (1 + 2 / 7) / 3  # E is right at rank 7
    assert result.per_class[1] == pytest.approx(now)
    assert one.gains["duplicate"] == pytest.approx((1 + 2 / 6) / 3 - now)
    assert one.gains["wrong class"] == pytest.approx((1 + 2 / 5) / 3 - now)
    assert one.gains["loose box"] == pytest.approx((1 + 2 / 6) / 3 - now)
    assert one.gains["background"] == pytest.approx((1 + 2 / 6) / 3 - now)
    assert one.gains["no box"] == pytest.approx((1 + 2 / 7) / 2 - now)
    assert two.gains["box, not the class"] == pytest.approx(0.5)


def test_box_recall_is_the_share_of_persons_with_a_box(result, write_rows):
    boxes = write_rows(
        "b.csv", ["v,902,0,0,.4,1,,.95", "v,902,.5,0,.9,1,,.6", "v,904,.02,0,.4,1,,.7", "x,1,0,0,1,1,,1"]
    )
    recall = box_recall(result, read_boxes(boxes))
    assert (recall.num_persons, recall.num_boxes) == (5, 3)
    assert recall.recall == {0.0: 3 / 5, 0.5: 3 / 5, 0.7: 2 / 5, 0.8: 1 / 5, 0.9: 1 / 5}
    assert recall.per_class == {1: 1 / 3, 2: 1.0}
    assert recall.ceiling == pytest.approx(2 / 3)
    assert recall.keyframes_without_box == 2


def test_boxes_of_other_keyframes_are_refused(result, write_rows):
    with pytest.raises(DataError, match=r"b\.csv: none of its boxes is on a keyframe with ground truth"):
        box_recall(result, read_boxes(write_rows("b.csv", ["x,1,0,0,1,1,,1"])))


def test_recall_by_score_counts_persons_boxes_and_classes(write_rows):
    truth = read_keyframes(
        write_rows("t.csv", ["v,902,0,0,.4,1,1,", "v,902,0,0,.4,1,2,", "v,902,.5,0,.9,1,1,", "v,903"])
    )
    boxes = read_boxes(
        write_rows(
            "b.csv", ["v,902,0,0,.4,1,,.95", "v,902,.5,0,.9,1,,.6", "v,903,0,0,1,1,,.6", "v,904,0,0,1,1,,1"]
        )
    )
    low, high, none = recall_by_score(truth, boxes, thresholds=(0.05, 0.9, 0.99))
    assert (low.num_persons, low.recall, low.ceiling) == (2, 1.0, 1.0)
    assert low.boxes_per_keyframe == 1.5  # three boxes on 902 and 903; 904 is not annotated
    assert low.precision == pytest.approx(2 / 3)
    assert (high.recall, high.precision) == (0.5, 1.0)
    assert high.ceiling == pytest.approx((1 / 2 + 1) / 2)  # one of two rows of class 1, all of class 2
    assert none.recall == none.ceiling == none.boxes_per_keyframe == 0
    assert math.isnan(none.precision)
    (only,) = recall_by_score(truth, boxes, thresholds=(0.9,), class_ids=(1, 7))
    assert only.ceiling == pytest.approx(0.5)


def test_annotations_without_classes_have_recall_and_no_ceiling(write_rows):
    rows = write_rows("t.csv", ["v,902,0,0,.4,1,,"])
    (found,) = recall_by_score(read_keyframes(rows), read_keyframes(rows), thresholds=(0.5,))
    assert found.recall == 1.0
    assert math.isnan(found.ceiling)


def test_recall_of_nobody_is_refused(write_rows):
    with pytest.raises(DataError, match=r"t\.csv: nobody is annotated"):
        recall_by_score(
            read_keyframes(write_rows("t.csv", ["v,902"])),
            read_keyframes(write_rows("u.csv", ["v,902"])),
            thresholds=(0.5,),
        )
