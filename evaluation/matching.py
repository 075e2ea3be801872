"""Which detection found which ground-truth box.

Every detection chooses the ground-truth box of its class and keyframe that it overlaps most (the first of
equal ones) and nothing else; it is a true positive when the overlap reaches the threshold and nobody
before it took that box. The order in which detections choose is the protocol's.
"""

from dataclasses import dataclass

import numpy as np

from evaluation.boxes import pairwise_iou
from evaluation.heap_order import heap_order
from evaluation.protocol import Order, Protocol
from evaluation.row_table import RowTable
from evaluation.selection import Detections, Truth


@dataclass(frozen=True, eq=False)
class Choices:
    """The detections that have ground truth of their class in their keyframe; all others are false positives.

    Attributes:
        places: [m] index into ``Detections.rows``.
        truths: [m] index into ``Truth.rows``: the box that each overlaps most.
        overlaps: [m] the IoU with it; NaN where neither box has an area.
    """

    places: np.ndarray
    truths: np.ndarray
    overlaps: np.ndarray


def choose_truth(
    detections: Detections, truth: Truth, found: RowTable, annotated: RowTable, protocol: Protocol
) -> Choices:
    """Let every detection choose its ground-truth box."""
    num_classes = len(truth.counts)
    codes = truth.frames.astype(np.int64) * num_classes + truth.columns
    by_code = np.argsort(codes, kind="stable")
    sorted_codes = codes[by_code]
    wanted = detections.frames.astype(np.int64) * num_classes + detections.columns
    first = np.searchsorted(sorted_codes, wanted)
    has_truth = first < len(sorted_codes)
    has_truth[has_truth] = sorted_codes[first[has_truth]] == wanted[has_truth]
    places = np.flatnonzero(has_truth)
    first = first[places]
    counts = np.searchsorted(sorted_codes, wanted[places], side="right") - first
    # One entry per pair of a detection and a ground-truth box, a detection's pairs side by side.
    starts = np.concatenate([[0], np.cumsum(counts)])
    detection_of = np.repeat(np.arange(len(places)), counts)
    truth_of = by_code[np.arange(starts[-1]) - np.repeat(starts[:-1] - first, counts)]
    kind = np.float32 if protocol.single_precision else np.float64
    overlap = pairwise_iou(
        found.boxes[detections.rows[places[detection_of]]].astype(kind, copy=False),
        annotated.boxes[truth.rows[truth_of]].astype(kind, copy=False),
    )
    if not len(places):
        return Choices(places, np.zeros(0, np.intp), np.zeros(0))
    # Like argmax, which takes NaN for the largest: an overlap of two boxes without area.
    rank = np.where(np.isnan(overlap), np.inf, overlap)
    best = rank == np.maximum.reduceat(rank, starts[:-1])[detection_of]
    chosen = _first_of_best(best, starts[:-1], truth_of, detection_of, truth, annotated, protocol)
    return Choices(places, truth_of[chosen], overlap[chosen])


def _first_of_best(
    best: np.ndarray,
    starts: np.ndarray,
    truth_of: np.ndarray,
    detection_of: np.ndarray,
    truth: Truth,
    annotated: RowTable,
    protocol: Protocol,
) -> np.ndarray:
    """Return the pair that each detection chooses: of its best ones, that whose box stands first."""
    order = np.arange(len(truth.rows))  # file order
    several = np.add.reduceat(best.astype(np.int64), starts) > 1
    if protocol.truth_order is not Order.FILE and several.any():
        tied = np.unique(truth.frames[truth_of[best & several[detection_of]]])
        for places in _members(truth.frames, tied):
            order[places[_standing_order(annotated, truth.rows[places], protocol.truth_order)]] = places
    position = np.where(best, order[truth_of], len(order))
    first = np.minimum.reduceat(position, starts)[detection_of]
    return np.flatnonzero(best & (position == first))


def _members(frames: np.ndarray, wanted: np.ndarray) -> list[np.ndarray]:
    """Return the indices of every wanted keyframe's rows, in file order."""
    by_frame = np.argsort(frames, kind="stable")
    lows = np.searchsorted(frames[by_frame], wanted)
    highs = np.searchsorted(frames[by_frame], wanted, side="right")
    return [by_frame[low:high] for low, high in zip(lows.tolist(), highs.tolist(), strict=True)]


def _standing_order(table: RowTable, rows: np.ndarray, order: Order) -> np.ndarray:
    """Return in which order the evaluator holds a keyframe's ground-truth boxes."""
    if order is Order.SCORE:
        return np.argsort(-table.scores[rows], kind="stable")
    return heap_order(table, rows, rows)


@dataclass(frozen=True, eq=False)
class Labels:
    """Which detections are right at one threshold.

    Attributes:
        correct: [n] booleans, aligned with ``Detections.rows``. order: [n] the detections in the order in
        which they are concatenated before ranking. truths: [n] index into ``Truth.rows`` of the box that a
        detection found or came too late for, else -1.
    """

    correct: np.ndarray
    order: np.ndarray
    truths: np.ndarray


def label_detections(
    detections: Detections, choices: Choices, found: RowTable, protocol: Protocol, threshold: float
) -> Labels:
    """Decide which detections are true positives.

    Args:
        detections: the scored detections.
        choices: from ``choose_truth``.
        found: the detection table.
        protocol: the rules.
        threshold: smallest IoU of a true positive.
    """
    scores = found.scores[detections.rows]
    position = np.arange(len(detections.rows))
    close = choices.overlaps >= threshold
    places, truths = choices.places[close], choices.truths[close]
    correct = _first_suitors(places, truths, scores, position, protocol)
    if protocol.detection_order is Order.HEAP:
        groups = _groups_with_mixed_ties(choices.places, correct, detections, scores)
        if len(groups):
            position = _replayed_positions(groups, detections, found, protocol)
            correct = _first_suitors(places, truths, scores, position, protocol)
        order = np.empty_like(position)
        order[position] = np.arange(len(position))
    elif protocol.detection_order is Order.SCORE:
        order = np.lexsort((-scores, detections.groups))
    else:
        order = position
    found_truth = np.full(len(position), -1)
    found_truth[places] = truths
    return Labels(correct, order, found_truth)


def _first_suitors(
    places: np.ndarray, truths: np.ndarray, scores: np.ndarray, position: np.ndarray, protocol: Protocol
) -> np.ndarray:
    """Mark the first detection in matching order among those that chose the same ground-truth box."""
    merit = np.zeros(len(places)) if protocol.detection_order is Order.FILE else -scores[places]
    order = np.lexsort((position[places], merit, truths))
    in_order = truths[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = in_order[1:] != in_order[:-1]
    correct = np.zeros(len(scores), bool)
    correct[places[order[is_first]]] = True
    return correct


def _groups_with_mixed_ties(
    candidates: np.ndarray, correct: np.ndarray, detections: Detections, scores: np.ndarray
) -> np.ndarray:
    """Return the keyframes in which equal scores of one class are right and wrong detections.

    Only detections with ground truth of their class need a look: elsewhere all are wrong.
    """
    if not len(candidates):
        return candidates
    order = np.lexsort((scores[candidates], detections.columns[candidates], detections.groups[candidates]))
    ordered = candidates[order]
    groups, columns, values = detections.groups[ordered], detections.columns[ordered], scores[ordered]
    new = (groups[1:] != groups[:-1]) | (columns[1:] != columns[:-1]) | (values[1:] != values[:-1])
    starts = np.concatenate([[0], np.flatnonzero(new) + 1])
    sizes = np.diff(np.append(starts, len(groups)))
    hits = np.add.reduceat(correct[ordered].astype(np.int64), starts)
    return np.unique(groups[starts[(hits > 0) & (hits < sizes)]])


def _replayed_positions(
    groups: np.ndarray, detections: Detections, found: RowTable, protocol: Protocol
) -> np.ndarray:
    """Return each detection's place in the concatenation; the given keyframes are in heap order."""
    position = np.arange(len(detections.rows))
    lows = np.searchsorted(detections.groups, groups)
    highs = np.searchsorted(detections.groups, groups, side="right")
    for group, low, high in zip(groups.tolist(), lows.tolist(), highs.tolist(), strict=True):
        pool = detections.pool[detections.pool_starts[group] : detections.pool_starts[group + 1]]
        order = heap_order(found, pool, detections.rows[low:high], capacity=protocol.capacity)
        position[low + order] = np.arange(low, high)
    return position
