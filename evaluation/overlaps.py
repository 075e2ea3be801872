"""Overlaps between the boxes of two tables, keyframe by keyframe, classes aside."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evaluation.boxes import pairwise_iou

_PAIRS_AT_ONCE = 1 << 20  # bounds memory: about 100 MB of boxes


def best_overlaps(
    frames: np.ndarray, boxes: np.ndarray, other_frames: np.ndarray, other_boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find for every box the box of the other table, in the same keyframe, that it overlaps most.

    Args:
        frames: [n] keyframe numbers.
        boxes: [n, 4] x1, y1, x2, y2.
        other_frames: [m].
        other_boxes: [m, 4].

    Returns:
        [n] IoU, 0 where the keyframe has no other box, and [n] its index, -1 there.
    """
    by_frame = np.argsort(other_frames, kind="stable")
    first = np.searchsorted(other_frames[by_frame], frames)
    counts = np.searchsorted(other_frames[by_frame], frames, side="right") - first
    best, which = np.zeros(len(frames)), np.full(len(frames), -1)
    with_others = np.flatnonzero(counts)
    for part in slices_of_pairs(counts[with_others]):
        rows = with_others[part]
        pairs = Pairs.of(first[rows], counts[rows])
        others = by_frame[pairs.others]
        overlap = np.nan_to_num(pairwise_iou(boxes[rows][pairs.members], other_boxes[others]))
        largest = np.maximum.reduceat(overlap, pairs.starts)
        candidates = np.where(overlap == largest[pairs.members], np.arange(len(overlap)), len(overlap))
        best[rows], which[rows] = largest, others[np.minimum.reduceat(candidates, pairs.starts)]
    return best, which


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every member of a list paired with its own run of others, a member's pairs side by side.

    Attributes:
        members: [pairs] index of the member.
        others: [pairs] index of the other.
        starts: [members] where each member's pairs begin.
    """

    members: np.ndarray
    others: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, first: np.ndarray, counts: np.ndarray) -> "Pairs":
        """Pair member i with the others ``first[i]`` to ``first[i] + counts[i] - 1``; no count is 0."""
        starts = np.concatenate([[0], np.cumsum(counts)])
        others = np.arange(starts[-1]) - np.repeat(starts[:-1] - first, counts)
        return cls(np.repeat(np.arange(len(counts)), counts), others, starts[:-1])


def slices_of_pairs(counts: np.ndarray) -> Iterator[slice]:
    """Divide members with so many pairs each into slices that fit into memory."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        done = int(ends[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, side="right")))
        yield slice(start, end)
        start = end


def distinct_boxes(frames: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reduce rows to the boxes in them: a person stands in as many rows as it has actions.

    Args:
        frames: [n] keyframe numbers.
        boxes: [n, 4].

    Returns:
        [d] the first row of every distinct (keyframe, box), ascending, and [n] every row's index into that.
    """
    if not len(frames):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    changes = (frames[1:] != frames[:-1]) | (boxes[1:] != boxes[:-1]).any(axis=1)
    run_starts = np.concatenate([[0], np.flatnonzero(changes) + 1])  # rows of one person stand side by side
    run_of_row = np.concatenate([[0], np.cumsum(changes)])
    columns = (frames[run_starts], *boxes[run_starts].T)
    order = np.lexsort((np.arange(len(run_starts)), *columns[::-1]))
    new = np.ones(len(order), bool)
    new[1:] = np.any([column[order[1:]] != column[order[:-1]] for column in columns], axis=0)
    first_runs = order[new]
    rank = np.argsort(np.argsort(first_runs))
    group_of_run = np.empty(len(order), np.intp)
    group_of_run[order] = rank[np.cumsum(new) - 1]
    return run_starts[np.sort(first_runs)], group_of_run[run_of_row]
