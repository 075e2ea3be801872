"""Kinetics, Charades and person boxes, each against a slow plain reference."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from evaluation.charades import multi_label_ap, multi_label_map
from evaluation.errors import DataError, MissingDependencyError
from evaluation.kinetics import top_k_accuracy
from evaluation.multi_view import ViewScores
from evaluation.person_boxes import coco_box_ap, person_box_ap
from evaluation.rows import read_boxes, read_groundtruth
from tests.evaluation.reference_evaluators import overlap

COARSE = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])


# Views


def test_views_are_combined_per_video():
    views = ViewScores(num_videos=2, num_views=3, num_classes=2)
    scores = np.array([[0.1, 0.9], [0.2, 0.8], [0.6, 0.4], [1.0, 0.0], [0.9, 0.1], [0.5, 0.5]])
    views.add(np.array([5, 0, 3]), scores[[5, 0, 3]])
    views.add(np.array([1, 2, 4, 4]), np.concatenate([scores[[1, 2, 4]], [[0.0, 1.0]]]))
    assert views.mean() == pytest.approx(np.array([[0.3, 0.7], [0.8, 0.2]]))
    assert views.maximum() == pytest.approx(np.array([[0.6, 0.9], [1.0, 0.5]]))
    assert views.repeated == 1  # the repeated item 4 counted once


def test_a_missing_view_is_refused():
    views = ViewScores(num_videos=3, num_views=2, num_classes=1)
    views.add(np.array([0, 1, 2]), np.ones((3, 1)))
    with pytest.raises(DataError, match=r"video 1 has 1 of 2 views; 2 of 3 videos are incomplete"):
        views.mean()


@pytest.mark.parametrize(
    ("items", "scores", "message"),
    [
        ([0], np.ones((2, 2)), r"scores of shape \(2, 2\) for 1 items of 2 classes"),
        ([4], np.ones((1, 2)), r"item numbers 4-4, expected 0-3"),
        ([0], np.full((1, 2), np.nan), "not finite"),
    ],
)
def test_impossible_views_are_refused(items, scores, message):
    with pytest.raises(ValueError, match=message):
        ViewScores(2, 2, 2).add(np.array(items), scores)


# Kinetics


@given(
    hnp.arrays(float, st.tuples(st.integers(1, 8), st.integers(1, 7)), elements=COARSE),
    st.data(),
)
def test_top_k_counts_labels_among_the_k_best(scores, data):
    labels = data.draw(hnp.arrays(int, len(scores), elements=st.integers(0, scores.shape[1] - 1)))
    result = top_k_accuracy(scores, labels, ks=(1, 2, 5))
    for k, share in result.items():
        ranked = [sorted(range(len(row)), key=lambda c, row=row: (-row[c], c)) for row in scores.tolist()]
        hits = [label in order[:k] for label, order in zip(labels.tolist(), ranked, strict=True)]
        assert share == sum(hits) / len(hits)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), "expected"),
        (np.zeros((2, 3)), np.zeros(1, int), "expected"),
        (np.zeros((1, 3)), np.array([3]), "labels 3-3, expected 0-2"),
        (np.full((1, 3), np.nan), np.array([0]), "a score is NaN"),
    ],
)
def test_impossible_accuracies_are_refused(scores, labels, message):
    with pytest.raises(ValueError, match=message):
        top_k_accuracy(scores, labels)


# Charades


def plain_step_ap(scores: list[float], truth: list[bool]) -> float:
    total, area, recall_before = sum(truth), 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        chosen = [right for score, right in zip(scores, truth, strict=True) if score >= threshold]
        recall, precision = sum(chosen) / total, sum(chosen) / len(chosen)
        area += (recall - recall_before) * precision
        recall_before = recall
    return area


@given(hnp.arrays(float, st.tuples(st.integers(1, 9), st.integers(1, 4)), elements=COARSE), st.data())
def test_multi_label_ap_is_the_sum_over_distinct_scores(scores, data):
    labels = data.draw(hnp.arrays(bool, scores.shape))
    aps = multi_label_ap(scores, labels)
    want = [
        plain_step_ap(column.tolist(), truth.tolist()) if truth.any() else math.nan
        for column, truth in zip(scores.T, labels.T, strict=True)
    ]
    assert aps == pytest.approx(want, nan_ok=True)
    counted = [ap for ap in want if not math.isnan(ap)]
    assert multi_label_map(scores, labels) == pytest.approx(
        sum(counted) / len(counted) if counted else math.nan, nan_ok=True
    )


def test_multi_label_ap_by_hand():
    scores = np.array([[0.9], [0.8], [0.8], [0.1]])
    labels = np.array([[1], [0], [1], [1]])
    # thresholds 0.9, 0.8, 0.1: recall 1/3, 2/3, 1; precision 1, 2/3, 3/4
    assert multi_label_ap(scores, labels) == pytest.approx([(1 + 2 / 3 + 3 / 4) / 3])


def test_impossible_multi_label_scores_are_refused():
    with pytest.raises(ValueError, match="expected"):
        multi_label_ap(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="NaN"):
        multi_label_ap(np.full((1, 1), np.nan), np.ones((1, 1)))


# Person boxes


def plain_coco_ap(truth, boxes, scores, threshold: float) -> float:
    """COCO's AP at one IoU: free matching in score order, 101 recall points."""
    pairs = []
    for annotated, found, values in zip(truth, boxes, scores, strict=True):
        taken = set()
        for place in sorted(range(len(found)), key=lambda i, v=values: -v[i])[:100]:
            free = [(overlap(found[place], box), n) for n, box in enumerate(annotated) if n not in taken]
            best = max(free, key=lambda pair: (pair[0], pair[1]), default=(0.0, -1))
            if best[0] >= threshold:
                taken.add(best[1])
            pairs.append((values[place], best[0] >= threshold))
    pairs.sort(key=lambda pair: -pair[0])
    total, hits, curve = sum(map(len, truth)), 0, []
    for rank, (_, right) in enumerate(pairs, start=1):
        hits += right
        curve.append((hits / total, hits / rank))
    points = [max([p for r, p in curve if r >= level], default=0.0) for level in np.linspace(0, 1, 101)]
    return sum(points) / 101


@pytest.mark.parametrize("seed", range(6))
def test_person_box_ap_is_cocos(seed):
    rng = np.random.default_rng(seed)

    def random_boxes(count):
        corners = rng.random((count, 2)) * 0.5
        return np.concatenate([corners, corners + 0.1 + rng.random((count, 2)) * 0.4], axis=1)

    truth = [random_boxes(rng.integers(0, 4)) for _ in range(12)] + [random_boxes(2)]
    boxes = [
        np.concatenate([t + rng.normal(0, 0.03, t.shape), random_boxes(rng.integers(0, 3))]) for t in truth
    ]
    boxes = [
        np.concatenate([np.minimum(b[:, :2], b[:, 2:]), np.maximum(b[:, :2], b[:, 2:])], 1) for b in boxes
    ]
    scores = [rng.random(len(b)) for b in boxes]
    result = coco_box_ap(truth, boxes, scores)
    levels = np.linspace(0.5, 0.95, 10)
    by_level = [plain_coco_ap(truth, boxes, scores, level) for level in levels]
    assert result.ap == pytest.approx(np.mean(by_level), abs=1e-9)
    assert result.ap50 == pytest.approx(by_level[0], abs=1e-9)
    assert result.ap75 == pytest.approx(by_level[5], abs=1e-9)
    assert (result.num_images, result.num_truth) == (13, sum(map(len, truth)))


def test_person_boxes_of_files_are_scored_once_per_person(write_rows):
    truth = read_groundtruth(write_rows("g.csv", ["v,902,0,0,.5,1,12,0", "v,902,0,0,.5,1,80,0", "v,903"]))
    boxes = read_boxes(
        write_rows("b.csv", ["v,902,0,0,.5,1,,.9", "v,903,0,0,.5,1,,.8", "elsewhere,1,0,0,1,1,,.99"])
    )
    result = person_box_ap(truth, boxes)
    assert (result.num_images, result.num_truth, result.num_boxes) == (2, 1, 2)
    assert result.ap == pytest.approx(1.0)
    assert math.isnan(result.ap_large)


def test_no_person_and_bad_boxes_are_refused():
    none, one = np.zeros((0, 4)), np.array([[0, 0, 1, 1.0]])
    with pytest.raises(DataError, match="no ground-truth box"):
        coco_box_ap([none], [one], [np.ones(1)])
    with pytest.raises(ValueError, match="1 images of ground truth, 2 of boxes"):
        coco_box_ap([one], [one, one], [np.ones(1)])
    with pytest.raises(ValueError, match="image 0: a box is inverted"):
        coco_box_ap([one], [one[:, ::-1]], [np.ones(1)])
    assert coco_box_ap([one], [none], [np.zeros(0)]).ap == 0.0


def test_a_missing_pycocotools_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(MissingDependencyError, match="pycocotools is not installed"):
        coco_box_ap([np.ones((1, 4))], [np.ones((1, 4))], [np.ones(1)])


def test_recall_is_told_by_size_and_masks_may_have_other_sizes_than_boxes():
    small, large = np.array([[0, 0, 20, 20.0]]), np.array([[0, 0, 200, 200.0]])
    truth, found = [small, large], [small, large + 400]
    result = coco_box_ap(truth, found, [np.ones(1), np.ones(1)])
    assert (result.recall_small, result.recall_large, result.recall) == (1.0, 0.0, 0.5)
    assert math.isnan(result.recall_medium)
    masks = coco_box_ap(truth, found, [np.ones(1), np.ones(1)], areas=[np.array([1100.0]), np.array([5e4])])
    assert math.isnan(masks.recall_small)
    assert masks.recall_medium == 1.0


def test_what_is_found_in_a_crowd_is_neither_right_nor_wrong():
    person, crowd = np.array([[0, 0, 50, 50.0]]), np.array([[100, 100, 300, 300.0]])
    found = np.array([[120, 120, 160, 160], [0, 0, 50, 50.0]])
    scores = [np.array([0.9, 0.8])]
    assert coco_box_ap([person], [found], scores).ap50 == pytest.approx(0.5)
    assert coco_box_ap([person], [found], scores, crowds=[crowd]).ap50 == pytest.approx(1.0)


def test_the_best_threshold_weighs_recall_double():
    person = [np.array([[0, 0, 50, 50.0]])] * 4
    wrong = np.array([[200, 200, 250, 250.0]])
    found = [person[0], person[0], np.concatenate([wrong, wrong + 300, person[0]]), wrong]
    scores = [np.array([0.9]), np.array([0.8]), np.array([0.7, 0.65, 0.6]), np.array([0.4])]
    # Two of four people down to 0.8: F1 0.67, F2 0.56; three with two wrong ones down to 0.6: 0.67 and 0.71.
    assert coco_box_ap(person, found, scores).best_threshold == pytest.approx(0.6)
    assert math.isnan(coco_box_ap(person, [np.zeros((0, 4))] * 4, [np.zeros(0)] * 4).best_threshold)
