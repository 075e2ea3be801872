"""Which detection found which ground-truth box.

Every detection chooses the ground-truth box of its class and keyframe that it overlaps most (the first of
equal ones) and nothing else; it is a true positive when the overlap reaches the threshold and nobody
before it took that box. The order in which detections choose is the protocol's.
"""

from dataclasses import dataclass

import numpy as np

from evaluation.boxes import pairwise_iou
from evaluation.heap_order import heap_order
from evaluation.overlaps import Pairs, slices_of_pairs
from evaluation.protocol import Order, Protocol
from evaluation.row_table import RowTable
from evaluation.selection import Detections, Truth


@dataclass(frozen=True, eq=False)
class Choices:
    """The detections that have ground truth of their class in their keyframe; all others are false positives.

    Attributes:
        places: [m] index into ``Detections.rows``.
        truths: [m] index into ``Truth.rows``: the box that each overlaps most.
        overlaps: [m] the IoU with it.
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
    chosen, overlaps = np.empty(len(places), np.intp), np.empty(len(places))
    order = np.arange(len(truth.rows))
    for part in slices_of_pairs(counts):
        pairs = Pairs.of(first[part], counts[part])
        truth_of = by_code[pairs.others]
        overlap = _overlaps(
            found.boxes[detections.rows[places[part]]][pairs.members],
            annotated.boxes[truth.rows[truth_of]],
            protocol,
        )
        best = overlap == np.maximum.reduceat(overlap, pairs.starts)[pairs.members]
        if protocol.truth_order is not Order.FILE:  # ties at 0 decide nothing, and are many
            several = np.add.reduceat(best.astype(np.int64), pairs.starts) > 1
            tied = np.unique(truth.frames[truth_of[best & several[pairs.members] & (overlap > 0)]])
            _stand_in_order(order, tied, truth, annotated, protocol.truth_order)
        position = np.where(best, order[truth_of], len(order))
        winner = best & (position == np.minimum.reduceat(position, pairs.starts)[pairs.members])
        chosen[part], overlaps[part] = truth_of[winner], overlap[winner]
    return Choices(places, chosen, overlaps)


def _overlaps(boxes: np.ndarray, others: np.ndarray, protocol: Protocol) -> np.ndarray:
    if protocol.single_precision:
        with np.errstate(over="ignore"):
            boxes, others = boxes.astype(np.float32), others.astype(np.float32)
    # NaN: neither box has an area, so that this detection is wrong in any case.
    return np.nan_to_num(pairwise_iou(boxes, others), nan=0.0)


def _stand_in_order(
    order: np.ndarray, frames: np.ndarray, truth: Truth, annotated: RowTable, rule: Order
) -> None:
    """Give the ground-truth boxes of some keyframes the places that they have in the evaluator.

    Args:
        order: [G] places by which boxes of one keyframe are compared; changed.
        frames: the keyframes concerned.
        truth: the ground truth.
        annotated: its table.
        rule: by what the evaluator orders them.
    """
    for members in _members(truth.frames, frames):
        rows = truth.rows[members]
        if rule is Order.SCORE:
            standing = np.argsort(-annotated.scores[rows], kind="stable")
        else:
            standing = heap_order(annotated, rows, rows)
        order[members[standing]] = np.sort(members)


def _members(frames: np.ndarray, wanted: np.ndarray) -> list[np.ndarray]:
    """Return the indices of every wanted keyframe's rows, in file order."""
    by_frame = np.argsort(frames, kind="stable")
    lows = np.searchsorted(frames[by_frame], wanted)
    highs = np.searchsorted(frames[by_frame], wanted, side="right")
    return [by_frame[low:high] for low, high in zip(lows.tolist(), highs.tolist(), strict=True)]


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
