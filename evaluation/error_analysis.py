"""What kinds of mistakes cost how much.

Every wrong detection is of one kind: it repeats a detection that was right (duplicate), it lies on an
annotated person who does not do this (wrong class), it lies loosely on one (loose box), or on nobody
(background). Every box that was not found either has no detection around it at all (no box) or none of its
class (box, not the class). What a kind costs is the mAP that would be gained if it did not occur.
"""

from dataclasses import dataclass

import numpy as np

from evaluation.average_precision import average_precision
from evaluation.frame_map import ClassRanking, EvaluationResult
from evaluation.overlaps import best_overlaps, distinct_boxes

CORRECT, DUPLICATE, WRONG_CLASS, LOOSE_BOX, BACKGROUND = range(5)
KINDS = ("correct", "duplicate", "wrong class", "loose box", "background")
MISSES = ("no box", "box, not the class")

_TOUCHES = 0.1  # less overlap than this with anybody is background


@dataclass(frozen=True)
class ClassErrors:
    """The mistakes of one class.

    Attributes:
        class_id: the class.
        top: by kind, how many of the n best detections are of it; n is the number of ground-truth boxes.
        misses: by kind, how many ground-truth boxes were not found.
        gains: by kind of mistake or miss, the AP that is gained when it does not occur.
    """

    class_id: int
    top: dict[str, int]
    misses: dict[str, int]
    gains: dict[str, float]


@dataclass(frozen=True)
class ErrorAnalysis:
    """The mistakes of a detections file.

    Attributes:
        classes: one entry per class that counts.
        top: by kind, the share among the n best detections of a class, averaged over the classes.
        misses: by kind, the share of all ground-truth boxes.
        gains: by kind, the gain in mAP.
    """

    classes: tuple[ClassErrors, ...]
    top: dict[str, float]
    misses: dict[str, float]
    gains: dict[str, float]


def analyse_errors(result: EvaluationResult) -> ErrorAnalysis:
    """Sort all mistakes of a result by kind."""
    overlap_of_row, box_of_truth = _overlaps_with_people(result), _truth_has_box(result)
    classes = []
    for ranking, entry in zip(result.rankings, result.classes, strict=True):
        if np.isnan(entry.ap):
            continue
        kinds = _kinds(ranking, overlap_of_row, result.iou_threshold)
        misses = _misses(ranking, result, box_of_truth)
        classes.append(_class_errors(entry.class_id, ranking, kinds, misses))
    with_top = [entry for entry in classes if sum(entry.top.values())]
    total_truth = sum(entry.num_truth for entry in result.classes if not np.isnan(entry.ap))
    return ErrorAnalysis(
        classes=tuple(classes),
        top={
            kind: float(np.mean([entry.top[kind] / sum(entry.top.values()) for entry in with_top] or [0.0]))
            for kind in KINDS
        },
        misses={kind: sum(entry.misses[kind] for entry in classes) / total_truth for kind in MISSES},
        gains={
            kind: float(np.mean([entry.gains[kind] for entry in classes])) for kind in (*KINDS[1:], *MISSES)
        },
    )


def _overlaps_with_people(result: EvaluationResult) -> np.ndarray:
    """Return [rows of the detection table] the largest IoU with any annotated person; 0 for unscored rows."""
    scoring = result.scoring
    truth_boxes = scoring.annotated.boxes[scoring.truth.rows]
    people, _ = distinct_boxes(scoring.truth.frames, truth_boxes)
    boxes = scoring.found.boxes[scoring.detections.rows]
    first, box_of_row = distinct_boxes(scoring.detections.frames, boxes)
    best, _ = best_overlaps(
        scoring.detections.frames[first], boxes[first], scoring.truth.frames[people], truth_boxes[people]
    )
    overlaps = np.zeros(len(scoring.found))
    overlaps[scoring.detections.rows] = best[box_of_row]
    return overlaps


def _truth_has_box(result: EvaluationResult) -> np.ndarray:
    """Return [G] whether a scored detection of any class lies on the ground-truth box."""
    scoring = result.scoring
    boxes = scoring.found.boxes[scoring.detections.rows]
    first, _ = distinct_boxes(scoring.detections.frames, boxes)
    truth = scoring.truth
    best, _ = best_overlaps(
        truth.frames, scoring.annotated.boxes[truth.rows], scoring.detections.frames[first], boxes[first]
    )
    return best >= result.iou_threshold


def _kinds(ranking: ClassRanking, overlap_of_row: np.ndarray, threshold: float) -> np.ndarray:
    """Return the kind of every detection of a class, best first."""
    overlap = overlap_of_row[ranking.rows]
    kinds = np.full(len(ranking.rows), BACKGROUND)
    kinds[overlap >= _TOUCHES] = LOOSE_BOX
    kinds[overlap >= threshold] = WRONG_CLASS
    kinds[ranking.truths >= 0] = DUPLICATE
    kinds[ranking.correct] = CORRECT
    return kinds


def _misses(ranking: ClassRanking, result: EvaluationResult, has_box: np.ndarray) -> dict[str, int]:
    truth = result.scoring.truth
    missed = truth.columns == ranking.column
    missed[ranking.truths[ranking.correct]] = False
    with_box = int((missed & has_box).sum())
    return dict(zip(MISSES, (int(missed.sum()) - with_box, with_box), strict=True))


def _class_errors(
    class_id: int, ranking: ClassRanking, kinds: np.ndarray, misses: dict[str, int]
) -> ClassErrors:
    now = average_precision(ranking.correct, ranking.num_truth)
    gains = {}
    for kind in (DUPLICATE, WRONG_CLASS, LOOSE_BOX, BACKGROUND):
        without = average_precision(ranking.correct[kinds != kind], ranking.num_truth)
        gains[KINDS[kind]] = without - now
    for name, count in misses.items():
        found = average_precision(ranking.correct, ranking.num_truth - count)
        gains[name] = (0.0 if np.isnan(found) else found) - now
    top = np.bincount(kinds[: ranking.num_truth], minlength=len(KINDS)).tolist()
    return ClassErrors(class_id, dict(zip(KINDS, top, strict=True)), misses, gains)
