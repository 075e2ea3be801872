"""Overlap of boxes, in the order of operations of the official evaluator.

Pairs whose overlap is exactly one half on paper land on either side of it in floating point, so another
order of the same sums, or another precision, gives other results.
"""

import numpy as np


def pairwise_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union of boxes row by row.

    Args:
        boxes: [n, 4] x1, y1, x2, y2, float64, or float32 as mmaction2 has them.
        others: [n, 4] of the same kind.

    Returns:
        [n] float64; NaN where both boxes have no area.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # infinite boxes never match
        heights = np.minimum(boxes[:, 3], others[:, 3]) - np.maximum(boxes[:, 1], others[:, 1])
        widths = np.minimum(boxes[:, 2], others[:, 2]) - np.maximum(boxes[:, 0], others[:, 0])
        # In float64 even for float32 boxes, whose areas stay float32: mmaction2 mixes them so.
        intersection = _positive(heights) * _positive(widths)
        return intersection / (_areas(boxes) + _areas(others) - intersection)


def _positive(lengths: np.ndarray) -> np.ndarray:
    return np.maximum(0.0, lengths.astype(np.float64, copy=False))


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 3] - boxes[:, 1]) * (boxes[:, 2] - boxes[:, 0])
