"""Top-k accuracy of videos with one label each."""

from collections.abc import Sequence

import numpy as np


def top_k_accuracy(scores: np.ndarray, labels: np.ndarray, ks: Sequence[int] = (1, 5)) -> dict[int, float]:
    """Return the share of videos whose label is among the k best classes.

    No reference says which of equal scores counts as better; here it is the class with the lower number.

    Args:
        scores: [N, K] per video, for example from ``ViewScores.mean``.
        labels: [N] class columns, from 0.
        ks: the values of k.

    Returns:
        Share in [0, 1] by k.

    Raises:
        ValueError: there is no video, a shape or label is impossible, or a score is NaN.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2 or labels.shape != scores.shape[:1] or not len(labels):
        raise ValueError(
            f"scores of shape {scores.shape} and labels of shape {labels.shape}, expected [N, K] and [N]"
        )
    if labels.min() < 0 or labels.max() >= scores.shape[1]:
        raise ValueError(f"labels {labels.min()}-{labels.max()}, expected 0-{scores.shape[1] - 1}")
    if np.isnan(scores).any():
        raise ValueError("a score is NaN")
    own = scores[np.arange(len(labels)), labels][:, None]
    before = np.arange(scores.shape[1]) < labels[:, None]
    better = ((scores > own) | ((scores == own) & before)).sum(axis=1)
    return {k: float((better < k).mean()) for k in ks}
