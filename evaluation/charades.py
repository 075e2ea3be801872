"""Mean average precision of videos with several labels each, as for Charades.

The AP is the non-interpolated one: sum over distinct scores of (R_n - R_{n-1}) * P_n, where equal scores
form one step. It is not the envelope of ``average_precision``, which AVA uses.
"""

import numpy as np


def multi_label_ap(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the AP of every class; NaN where no video has the class.

    Args:
        scores: [N, K] per video, for example from ``ViewScores.maximum``. labels: [N, K], nonzero where
        the video has the class. A video without any is a negative of all classes.

    Returns:
        [K].

    Raises:
        ValueError: the shapes differ, or a score is NaN.
    """
    scores, labels = np.asarray(scores), np.asarray(labels) != 0
    if scores.ndim != 2 or scores.shape != labels.shape:
        raise ValueError(
            f"scores of shape {scores.shape} and labels of shape {labels.shape}, expected [N, K] twice"
        )
    if np.isnan(scores).any():
        raise ValueError("a score is NaN")
    return np.array([_step_ap(column, truth) for column, truth in zip(scores.T, labels.T, strict=True)])


def multi_label_map(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean of ``multi_label_ap`` over the classes that some video has; NaN when there is none."""
    aps = multi_label_ap(scores, labels)
    counted = aps[~np.isnan(aps)]
    return float(counted.mean()) if len(counted) else float("nan")


def _step_ap(scores: np.ndarray, truth: np.ndarray) -> float:
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ends = np.append(scores[order][1:] != scores[order][:-1], True)  # the last of every group of equal scores
    found = np.cumsum(truth[order])[ends]
    precision = found / (np.flatnonzero(ends) + 1)
    return float((np.diff(found, prepend=0) * precision).sum() / truth.sum())
