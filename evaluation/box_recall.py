"""How many annotated persons have a box at all: the ceiling of every action model given these boxes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.errors import DataError
from evaluation.frame_map import EvaluationResult
from evaluation.keyframes import number_keyframes
from evaluation.overlaps import best_overlaps, distinct_boxes
from evaluation.row_table import NO_CLASS, RowTable

SCORE_THRESHOLDS = (0.0, 0.5, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class BoxRecall:
    """Recall of annotated persons by a set of boxes.

    Attributes:
        source: the file of boxes.
        num_persons: distinct annotated boxes on scored keyframes.
        num_boxes: distinct boxes on scored keyframes.
        recall: share of the persons with a box at the IoU threshold, by smallest score of the boxes.
        per_class: share of a class's ground-truth boxes with a box, by class id; an upper bound of its AP.
        ceiling: mean of ``per_class``, an upper bound of the mAP.
        keyframes_without_box: scored keyframes with ground truth that have no box.
    """

    source: str
    num_persons: int
    num_boxes: int
    recall: dict[float, float]
    per_class: dict[int, float]
    ceiling: float
    keyframes_without_box: int


def box_recall(result: EvaluationResult, boxes: RowTable) -> BoxRecall:
    """Measure how many annotated persons the boxes of a file cover.

    Args:
        result: any result on the ground truth in question.
        boxes: person boxes, from ``rows.read_boxes``; or a detections file's rows.

    Raises:
        DataError: no keyframe of the boxes is in the ground truth.
    """
    scoring = result.scoring
    keyframes = number_keyframes(scoring.annotated, boxes)
    truth_rows = scoring.truth.rows
    frames = keyframes.of_rows[0][truth_rows]
    truth_boxes = scoring.annotated.boxes[truth_rows]
    on_truth = np.flatnonzero(keyframes.flags(frames)[keyframes.of_rows[1]])
    if not len(on_truth):
        raise DataError(f"{boxes.source}: none of its boxes is on a keyframe with ground truth")
    box_frames = keyframes.of_rows[1][on_truth]
    first, group = distinct_boxes(box_frames, boxes.boxes[on_truth])
    best_score = _largest(boxes.scores[on_truth], group)
    box_frames, places = box_frames[first], boxes.boxes[on_truth][first]
    persons, person_of_row = distinct_boxes(frames, truth_boxes)
    recall = {}
    for threshold in SCORE_THRESHOLDS:
        kept = np.ones(len(first), bool) if threshold == 0 else best_score >= threshold
        best, _ = best_overlaps(frames[persons], truth_boxes[persons], box_frames[kept], places[kept])
        covered = best >= result.iou_threshold
        recall[threshold] = float(covered.mean())
        if threshold == 0:
            of_row = covered[person_of_row]
    per_class = {}
    for column, class_id in enumerate(scoring.label_map.ids):
        members = scoring.truth.columns == column
        if members.any():
            per_class[class_id] = float(of_row[members].mean())
    return BoxRecall(
        source=boxes.source,
        num_persons=len(persons),
        num_boxes=len(first),
        recall=recall,
        per_class=per_class,
        ceiling=float(np.mean(list(per_class.values()))),
        keyframes_without_box=int(np.setdiff1d(frames, box_frames).size),
    )


@dataclass(frozen=True)
class ScoreRecall:
    """What the boxes from a score on are worth.

    Attributes:
        threshold: smallest score of the boxes.
        num_persons: distinct annotated boxes.
        boxes_per_keyframe: how many boxes there are on an annotated keyframe, on average.
        recall: share of the annotated persons with a box at the IoU threshold.
        precision: share of the boxes on annotated keyframes that lie on an annotated person; NaN without box.
        ceiling: mean over the classes of the share of their ground truth that has a box, an upper bound of
            the mAP; NaN where the ground truth has no classes.
    """

    threshold: float
    num_persons: int
    boxes_per_keyframe: float
    recall: float
    precision: float
    ceiling: float


def recall_by_score(
    truth: RowTable,
    boxes: RowTable,
    *,
    thresholds: Sequence[float],
    class_ids: Sequence[int] | None = None,
    iou_threshold: float = 0.5,
) -> list[ScoreRecall]:
    """Measure what is lost by keeping only the boxes from some score on.

    Args:
        truth: annotated boxes; each distinct box of a keyframe is a person, whatever its actions.
        boxes: person boxes with scores.
        thresholds: smallest scores to look at.
        class_ids: classes that count in the ceiling; None for those that occur.
        iou_threshold: from which overlap on a box counts as a person's.

    Raises:
        DataError: nobody is annotated.
    """
    if not len(truth):
        raise DataError(f"{truth.source}: nobody is annotated, so there is no recall")
    keyframes = number_keyframes(truth, boxes)
    frames, box_frames = keyframes.of_rows
    annotated = keyframes.flags(frames, keyframes.of_bare[0])
    persons, person_of_row = distinct_boxes(frames, truth.boxes)
    results = []
    for threshold in thresholds:
        kept = np.flatnonzero(annotated[box_frames] & (boxes.scores >= threshold))
        found = (box_frames[kept], boxes.boxes[kept])
        people = (frames[persons], truth.boxes[persons])
        covered = best_overlaps(*people, *found)[0] >= iou_threshold
        on_person = best_overlaps(*found, *people)[0] >= iou_threshold
        result = ScoreRecall(
            threshold=threshold,
            num_persons=len(persons),
            boxes_per_keyframe=len(kept) / int(annotated.sum()),
            recall=float(covered.mean()),
            precision=float(on_person.mean()) if len(kept) else float("nan"),
            ceiling=_ceiling(truth.action_ids, covered[person_of_row], class_ids),
        )
        results.append(result)
    return results


def _ceiling(action_ids: np.ndarray, covered: np.ndarray, class_ids: Sequence[int] | None) -> float:
    """Return the mean over classes of the share of rows that are covered; NaN without classes."""
    present = np.setdiff1d(action_ids, [NO_CLASS])
    counted = present if class_ids is None else np.intersect1d(present, class_ids)
    if not len(counted):
        return float("nan")
    return float(np.mean([covered[action_ids == class_id].mean() for class_id in counted]))


def _largest(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the largest value of each group, numbered from 0 without gaps."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    return np.maximum.reduceat(values[order], starts)
