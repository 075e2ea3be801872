"""The official reader's limit of 50 detections per keyframe, without its heap.

The original pushes rows into a heap of at most 50 and replaces the smallest when a better one comes. What
is left at the end follows from the scores alone, except among rows with the lowest surviving score s: of
the rows with score >= s, the first 50 in file order fill the heap; those of them with score == s are then
pushed out one by one, smallest (class, y1, x1, y2, x2) first, by the better rows that come later.
"""

import numpy as np

from evaluation.row_table import RowTable


def within_capacity(table: RowTable, pool: np.ndarray, starts: np.ndarray, capacity: int) -> np.ndarray:
    """Tell which detections the official reader keeps.

    Args:
        table: the detections; scores without NaN.
        pool: [n] rows of the table; a keyframe's rows stand together, in file order.
        starts: [G + 1] where each keyframe begins in ``pool``.
        capacity: rows kept per keyframe, at least 1.

    Returns:
        [n] booleans.
    """
    sizes = np.diff(starts)
    full = sizes > capacity
    scores = table.scores[pool]
    lowest = np.full(len(sizes), -np.inf)  # the lowest surviving score of each keyframe
    for size in np.unique(sizes[full]).tolist():
        chosen = np.flatnonzero(sizes == size)
        ranked = scores[starts[chosen][:, None] + np.arange(size)]  # [keyframes of this size, size]
        lowest[chosen] = np.partition(ranked, size - capacity, axis=1)[:, size - capacity]
    threshold = np.repeat(lowest, sizes)
    keep = scores >= threshold
    kept = np.add.reduceat(keep, starts[:-1], dtype=np.int32) if len(keep) else sizes
    crowded = full & (kept > capacity)
    places = np.flatnonzero(np.repeat(crowded, sizes) & keep)
    if len(places):
        group = np.repeat(np.arange(len(sizes)), sizes)[places]
        better = scores[places] > threshold[places]
        rows = pool[places]
        keep[places] = _decide_ties(group, better, table.action_ids[rows], table.boxes[rows], capacity)
    return keep


def _decide_ties(
    group: np.ndarray, better: np.ndarray, classes: np.ndarray, boxes: np.ndarray, capacity: int
) -> np.ndarray:
    """Choose among rows of the lowest surviving score, in keyframes that have too many of them.

    Args:
        group: [n] the keyframe of each row, ascending; only rows with a surviving score.
        better: [n] whether the row's score is above the lowest surviving one.
        classes: [n].
        boxes: [n, 4].
        capacity: rows kept per keyframe.

    Returns:
        [n] booleans: the rows to keep.
    """
    early = _rank_in_group(group) < capacity
    pushing = np.bincount(group, weights=better & ~early).astype(np.int64)  # better rows that come later
    candidates = np.flatnonzero(~better & early)
    x1, y1, x2, y2 = boxes[candidates].T
    order = candidates[np.lexsort((x2, y2, x1, y1, classes[candidates], group[candidates]))]
    survivors = order[_rank_in_group(group[order]) >= pushing[group[order]]]
    keep = better.copy()
    keep[survivors] = True
    return keep


def _rank_in_group(group: np.ndarray) -> np.ndarray:
    """Number the members of each group from 0; ``group`` is ascending."""
    if not len(group):
        return np.zeros(0, np.int64)
    starts = np.concatenate([[0], np.flatnonzero(group[1:] != group[:-1]) + 1])
    return np.arange(len(group)) - np.repeat(starts, np.diff(np.append(starts, len(group))))
