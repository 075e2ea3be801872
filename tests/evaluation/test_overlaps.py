"""Boxes of two tables against each other, against plain loops."""

import numpy as np
import pytest

from evaluation import overlaps
from evaluation.overlaps import best_overlaps, distinct_boxes
from tests.evaluation.reference_evaluators import overlap


def random_boxes(rng, count):
    corners = rng.integers(0, 5, (count, 2)) / 10
    return np.concatenate([corners, corners + rng.integers(0, 5, (count, 2)) / 10], axis=1)


@pytest.mark.parametrize("pairs_at_once", [1, 7, 1 << 20])
@pytest.mark.parametrize("seed", range(5))
def test_best_overlap_is_the_largest_one_in_the_keyframe(monkeypatch, seed, pairs_at_once):
    monkeypatch.setattr(overlaps, "_PAIRS_AT_ONCE", pairs_at_once)
    rng = np.random.default_rng(seed)
    frames, other_frames = rng.integers(0, 6, 40), rng.integers(0, 6, 25)
    boxes, others = random_boxes(rng, 40), random_boxes(rng, 25)
    best, which = best_overlaps(frames, boxes, other_frames, others)
    for place in range(40):
        members = np.flatnonzero(other_frames == frames[place])
        values = np.nan_to_num([overlap(boxes[place], others[member]) for member in members])
        assert best[place] == (values.max() if len(values) else 0)
        if len(values):
            assert which[place] in members
            assert np.nan_to_num(overlap(boxes[place], others[which[place]])) == best[place]
        else:
            assert which[place] == -1


def test_no_boxes_overlap_nothing():
    best, which = best_overlaps(np.zeros(0, int), np.zeros((0, 4)), np.zeros(1, int), np.ones((1, 4)))
    assert (len(best), len(which)) == (0, 0)
    assert [len(part) for part in distinct_boxes(np.zeros(0, int), np.zeros((0, 4)))] == [0, 0]


@pytest.mark.parametrize("seed", range(5))
def test_distinct_boxes_point_back_to_every_row(seed):
    rng = np.random.default_rng(seed)
    frames, boxes = rng.integers(0, 3, 60), random_boxes(rng, 60).round()
    first, group = distinct_boxes(frames, boxes)
    keys = [(frame, *box) for frame, box in zip(frames.tolist(), boxes.tolist(), strict=True)]
    assert first.tolist() == sorted({keys.index(key) for key in keys})
    assert [keys[row] for row in first[group]] == keys
