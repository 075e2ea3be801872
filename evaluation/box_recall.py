"""How many annotated persons have a box at all: the ceiling of every action model given these boxes."""

from dataclasses import dataclass

import numpy as np

from evaluation.errors import DataError
from evaluation.frame_map import EvaluationResult
from evaluation.keyframes import number_keyframes
from evaluation.overlaps import best_overlaps, distinct_boxes
from evaluation.row_table import RowTable

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


def _largest(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the largest value of each group, numbered from 0 without gaps."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    return np.maximum.reduceat(values[order], starts)
