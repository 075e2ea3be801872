"""Which rows of the two files are scored, and how many are set aside for which reason."""

from dataclasses import dataclass

import numpy as np

from evaluation.capacity import within_capacity
from evaluation.keyframes import Keyframes
from evaluation.label_map import LabelMap
from evaluation.protocol import Frames, Protocol
from evaluation.row_table import RowTable

_MAX_LOOKUP = 1 << 14
_SCORED, _EXCLUDED, _WITHOUT_TRUTH, _OUTSIDE_MAP = range(4)


@dataclass(frozen=True, eq=False)
class Truth:
    """Ground-truth boxes that can be found.

    Attributes:
        rows: [G] index into the ground-truth table, ascending.
        frames: [G] keyframe numbers.
        columns: [G] class columns of the label map.
        counted: rows of the table that count in the denominator of recall; ``rows``, and under mmaction2's
            rules those of excluded keyframes too.
        counts: [K] ``counted`` by class.
        scored_frames: [F] booleans, the keyframes that are scored.
    """

    rows: np.ndarray
    frames: np.ndarray
    columns: np.ndarray
    counted: np.ndarray
    counts: np.ndarray
    scored_frames: np.ndarray


@dataclass(frozen=True, eq=False)
class Detections:
    """Detections that are ranked, keyframe by keyframe, and what was before the limit per keyframe.

    Keyframes stand in the order in which the evaluators concatenate them; a keyframe's rows in file order.

    Attributes:
        rows: [n] index into the detection table.
        groups: [n] ascending; rows of one keyframe share a number.
        frames: [n] keyframe numbers.
        columns: [n] class columns of the label map.
        pool: rows as ``rows`` were before the limit and the removal of degenerate boxes.
        pool_starts: [g + 1] where each group begins in ``pool``.
    """

    rows: np.ndarray
    groups: np.ndarray
    frames: np.ndarray
    columns: np.ndarray
    pool: np.ndarray
    pool_starts: np.ndarray


@dataclass(frozen=True)
class SetAside:
    """How many detections were not scored, by the first reason that applies.

    Attributes:
        outside_map: rows whose class is not in the label map.
        excluded, excluded_frames: rows on excluded keyframes.
        without_truth, without_truth_frames: rows on keyframes that the protocol does not score.
        beyond_capacity: rows beyond the best of their keyframe.
        degenerate: rows whose box has no area.
    """

    outside_map: int = 0
    excluded: int = 0
    excluded_frames: int = 0
    without_truth: int = 0
    without_truth_frames: int = 0
    beyond_capacity: int = 0
    degenerate: int = 0

    @property
    def total(self) -> int:
        """All rows that were not scored."""
        return self.outside_map + self.excluded + self.without_truth + self.beyond_capacity + self.degenerate


def class_columns(action_ids: np.ndarray, label_map: LabelMap) -> np.ndarray:
    """Return [R] int32: each row's column in the label map, -1 for classes that are not in it."""
    ids = np.array(label_map.ids)
    if ids.max() < _MAX_LOOKUP:  # a table is several times faster than a search
        lookup = np.full(_MAX_LOOKUP + 1, -1, np.int32)
        lookup[ids] = np.arange(len(ids))
        return lookup[action_ids.clip(0, _MAX_LOOKUP)]
    order = np.argsort(ids)
    places = np.searchsorted(ids[order], action_ids).clip(max=len(ids) - 1)
    columns = order[places].astype(np.int32)
    columns[ids[columns] != action_ids] = -1
    return columns


def select_truth(
    columns: np.ndarray,
    keyframes: Keyframes,
    protocol: Protocol,
    *,
    excluded: np.ndarray,
    num_classes: int,
    detected_frames: np.ndarray,
) -> Truth:
    """Choose the ground truth and the keyframes that are scored.

    Args:
        columns: [R] class columns of the ground truth.
        keyframes: numbered over (ground truth, detections, ...), in this order.
        protocol: the rules.
        excluded: [F] booleans.
        num_classes: K, classes in the label map.
        detected_frames: keyframe numbers of all detections of the label map's classes.
    """
    frames, bare = keyframes.of_rows[0], keyframes.of_bare[0]
    in_map = columns >= 0
    if protocol.frames is Frames.NAMED_IN_TRUTH:
        scored = keyframes.flags(frames, bare)
    elif protocol.frames is Frames.WITH_TRUTH:
        scored = keyframes.flags(frames[in_map])
    else:
        scored = keyframes.flags(frames[in_map], detected_frames)
    scored &= ~excluded
    rows = np.flatnonzero(in_map & ~excluded[frames])
    counted = np.flatnonzero(in_map) if protocol.counts_excluded_truth else rows
    counts = np.bincount(columns[counted], minlength=num_classes)
    return Truth(rows, frames[rows], columns[rows], counted, counts, scored)


def select_detections(
    table: RowTable,
    columns: np.ndarray,
    frames: np.ndarray,
    protocol: Protocol,
    truth: Truth,
    *,
    excluded: np.ndarray,
) -> tuple[Detections, SetAside]:
    """Choose the detections that are scored and order them as the evaluators concatenate them."""
    fate = _frame_fates(truth, excluded)[frames]
    fate[columns < 0] = _OUTSIDE_MAP
    fates = np.bincount(fate, minlength=4)
    chosen = np.flatnonzero(fate == _SCORED)
    pool, groups = _group_by_keyframe(chosen, frames[chosen], protocol, truth)
    starts = np.concatenate([[0], np.flatnonzero(groups[1:] != groups[:-1]) + 1, [len(pool)]])
    if not len(pool):
        starts = np.zeros(1, np.int64)
    keep = np.ones(len(pool), bool)
    if protocol.capacity is not None:
        keep = within_capacity(table, pool, starts, protocol.capacity)
    kept = int(keep.sum())
    if protocol.drops_degenerate:
        x1, y1, x2, y2 = table.boxes.T
        keep &= ((x1 < x2) & (y1 < y2))[pool]
    rows = pool[keep]
    aside = SetAside(
        outside_map=int(fates[_OUTSIDE_MAP]),
        excluded=int(fates[_EXCLUDED]),
        excluded_frames=len(np.unique(frames[fate == _EXCLUDED])),
        without_truth=int(fates[_WITHOUT_TRUTH]),
        without_truth_frames=len(np.unique(frames[fate == _WITHOUT_TRUTH])),
        beyond_capacity=len(pool) - kept,
        degenerate=kept - len(rows),
    )
    return Detections(rows, groups[keep], frames[rows], columns[rows], pool, starts), aside


def _frame_fates(truth: Truth, excluded: np.ndarray) -> np.ndarray:
    """Return [F] uint8: what becomes of the detections on each keyframe."""
    fates = np.full(len(excluded), _WITHOUT_TRUTH, np.uint8)
    fates[truth.scored_frames] = _SCORED
    fates[excluded] = _EXCLUDED
    return fates


def _group_by_keyframe(
    chosen: np.ndarray, frames: np.ndarray, protocol: Protocol, truth: Truth
) -> tuple[np.ndarray, np.ndarray]:
    """Bring each keyframe's rows together and number the keyframes in the order of concatenation.

    The official evaluator and PySlowFast go through the keyframes as the detections name them, mmaction2
    as the ground truth does.

    Returns:
        The rows in their new order and their group numbers, ascending from 0.
    """
    if protocol.frames is Frames.WITH_TRUTH:
        _, first = np.unique(truth.frames, return_index=True)
        in_order = truth.frames[np.sort(first)]
        rank = np.zeros(len(truth.scored_frames), np.int64)
        rank[in_order] = np.arange(len(in_order))
        codes = rank[frames]
    else:
        codes = _first_appearance(frames)
    if (codes[1:] >= codes[:-1]).all():
        return chosen, codes
    order = np.argsort(codes, kind="stable")
    return chosen[order], codes[order]


def _first_appearance(values: np.ndarray) -> np.ndarray:
    """Number values in the order in which they first appear."""
    import pandas as pd

    return pd.factorize(values)[0]
