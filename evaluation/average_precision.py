"""Average precision from ranked detections: the area under the precision envelope at all points.

P_k is the precision after the k best detections, its envelope the largest precision at k or later, and AP
= (1/n) * sum of the envelope over the true positives, n the number of ground-truth boxes. This is the
PASCAL VOC metric from 2010 on, not the one with 11 points.
"""

import numpy as np


def rank_by_score(scores: np.ndarray) -> np.ndarray:
    """Return the order from best to worst score: a stable ascending sort, reversed.

    The public evaluators call numpy's default sort, which is not stable, so that equal scores come out in
    an order that depends on the processor. Here the later of two equal ones ranks first, always.
    """
    return np.argsort(scores, kind="stable")[::-1]


def precision_envelope(correct: np.ndarray) -> np.ndarray:
    """Return the envelope of the precision at every true positive.

    Args:
        correct: [n] booleans, best detection first.

    Returns:
        [number of true positives], never increasing.
    """
    ranks = np.flatnonzero(correct) + 1
    precision = np.arange(1, len(ranks) + 1) / ranks
    return np.maximum.accumulate(precision[::-1])[::-1]


def average_precision(correct: np.ndarray, num_truth: int) -> float:
    """Return the AP of one class; NaN without ground truth, 0 without detections.

    Args:
        correct: [n] booleans, best detection first.
        num_truth: ground-truth boxes of the class.
    """
    if not num_truth:
        return float("nan")
    return float(precision_envelope(correct).sum() / num_truth)


def tie_interval(scores: np.ndarray, correct: np.ndarray, num_truth: int) -> tuple[float, float]:
    """Return the AP with all true positives last, and first, among equal scores.

    Every order of equal scores gives a number in between.
    """
    worst = np.lexsort((correct, -scores))
    best = np.lexsort((~correct, -scores))
    return average_precision(correct[worst], num_truth), average_precision(correct[best], num_truth)
