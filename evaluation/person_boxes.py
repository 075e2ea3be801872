"""Average precision of person boxes, by pycocotools: the metric of stage one.

It is COCO's AP: ten IoU thresholds, 101 recall points, at most 100 boxes per image, and a detection may
fall back to the next best free ground-truth box, all of which the AVA metric does differently.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.errors import DataError, MissingDependencyError
from evaluation.keyframes import number_keyframes
from evaluation.overlaps import distinct_boxes
from evaluation.row_table import RowTable

_MAX_BOXES = (1, 10, 100)
_SIZES = ("all", "small", "medium", "large")  # by area in pixels: below 32**2, below 96**2, above


@dataclass(frozen=True)
class PersonBoxAP:
    """COCO's numbers for one category, in [0, 1]; NaN where there is no ground truth of that size.

    Attributes:
        ap: mean over IoU 0.50, 0.55, ..., 0.95.
        ap50, ap75: at one IoU.
        ap_small, ap_medium, ap_large: ``ap`` by size; meaningful for boxes in pixels only.
        recall: mean recall over the IoU thresholds with at most 100 boxes per image.
        recall_small, recall_medium, recall_large: ``recall`` by size.
        best_threshold: the score with the largest F2 at IoU 0.50, which weighs recall double: who is missed
            here is lost to whatever looks at the boxes next. NaN where nothing was found.
        num_images, num_truth, num_boxes: what was compared.
    """

    ap: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float
    recall: float
    recall_small: float
    recall_medium: float
    recall_large: float
    best_threshold: float
    num_images: int
    num_truth: int
    num_boxes: int


def coco_box_ap(
    truth: Sequence[np.ndarray],
    boxes: Sequence[np.ndarray],
    scores: Sequence[np.ndarray],
    *,
    areas: Sequence[np.ndarray] | None = None,
    crowds: Sequence[np.ndarray] | None = None,
) -> PersonBoxAP:
    """Compute COCO's AP for one category.

    Args:
        truth: per image [n, 4] ground-truth boxes x1, y1, x2, y2.
        boxes: per image [m, 4] detected boxes.
        scores: per image [m].
        areas: per image [n] sizes of the people, where they are not those of the boxes: of COCO's masks.
        crowds: per image [c, 4] regions in which what is found counts neither as right nor as wrong.

    Raises:
        ValueError: the lists are not of equal length, or a box is inverted or not finite.
        DataError: there is no ground-truth box.
        MissingDependencyError: pycocotools is not installed.
    """
    if not len(truth) == len(boxes) == len(scores):
        raise ValueError(
            f"{len(truth)} images of ground truth, {len(boxes)} of boxes, {len(scores)} of scores"
        )
    if not sum(map(len, truth)):
        raise DataError("no ground-truth box; there is nothing to find")
    coco, evaluator = _pycocotools()
    with contextlib.redirect_stdout(io.StringIO()):  # it prints how long everything takes
        run = evaluator(
            _dataset(coco, truth, [np.zeros(len(image)) for image in truth], areas, crowds),
            _dataset(coco, boxes, scores),
            "bbox",
        )
        run.params.maxDets = list(_MAX_BOXES)
        run.evaluate()
        run.accumulate()
    precision, recall = run.eval["precision"], run.eval["recall"]  # [IoU, recall, class, size, max boxes]
    by_size = [_mean(precision[:, :, 0, size, -1]) for size in range(len(_SIZES))]
    recalls = [_mean(recall[:, 0, size, -1]) for size in range(len(_SIZES))]
    return PersonBoxAP(
        ap=by_size[0],
        ap50=_mean(precision[0, :, 0, 0, -1]),
        ap75=_mean(precision[5, :, 0, 0, -1]),
        ap_small=by_size[1],
        ap_medium=by_size[2],
        ap_large=by_size[3],
        recall=recalls[0],
        recall_small=recalls[1],
        recall_medium=recalls[2],
        recall_large=recalls[3],
        best_threshold=_best_threshold(
            precision[0, :, 0, 0, -1], run.params.recThrs, run.eval["scores"][0, :, 0, 0, -1]
        ),
        num_images=len(truth),
        num_truth=sum(map(len, truth)),
        num_boxes=sum(map(len, boxes)),
    )


def person_box_ap(groundtruth: RowTable, boxes: RowTable) -> PersonBoxAP:
    """Score person boxes on the keyframes that an AVA ground truth names.

    Every distinct box of a keyframe is one person, whatever its actions.

    Args:
        groundtruth: from ``rows.read_groundtruth``.
        boxes: from ``rows.read_boxes``.

    Raises:
        DataError: the ground truth has no box.
        MissingDependencyError: pycocotools is not installed.
    """
    keyframes = number_keyframes(groundtruth, boxes)
    named = np.unique(np.concatenate([keyframes.of_rows[0], keyframes.of_bare[0]]))
    people, _ = distinct_boxes(keyframes.of_rows[0], groundtruth.boxes)
    by_image = _rows_by_frame(keyframes.of_rows[0][people], named)
    found = _rows_by_frame(keyframes.of_rows[1], named)
    return coco_box_ap(
        [groundtruth.boxes[people[rows]] for rows in by_image],
        [boxes.boxes[rows] for rows in found],
        [boxes.scores[rows] for rows in found],
    )


def _rows_by_frame(frames: np.ndarray, wanted: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(frames, kind="stable")
    lows = np.searchsorted(frames[order], wanted)
    highs = np.searchsorted(frames[order], wanted, side="right")
    return [order[low:high] for low, high in zip(lows.tolist(), highs.tolist(), strict=True)]


def _pycocotools() -> tuple[Any, Any]:  # Any: the package has no annotations
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        raise MissingDependencyError(
            "pycocotools is not installed; it scores person boxes", hint="pip install pycocotools"
        ) from None
    return COCO, COCOeval


def _dataset(
    coco: Any,
    boxes: Sequence[np.ndarray],
    scores: Sequence[np.ndarray],
    areas: Sequence[np.ndarray] | None = None,
    crowds: Sequence[np.ndarray] | None = None,
) -> Any:
    """Build pycocotools' data set; image i has id i + 1."""
    annotations: list[dict[str, object]] = []

    def add(
        image: int, corners: np.ndarray, values: np.ndarray, sizes: np.ndarray | None, crowd: int
    ) -> None:
        corners = np.asarray(corners, np.float64).reshape(-1, 4)
        if not np.isfinite(corners).all() or (corners[:, :2] > corners[:, 2:]).any():
            raise ValueError(f"image {image - 1}: a box is inverted or not finite")
        extents = corners[:, 2:] - corners[:, :2]
        area = extents.prod(axis=1) if sizes is None else np.asarray(sizes)
        columns = (corners[:, :2], extents, area, np.asarray(values))
        for corner, extent, size, score in zip(*(column.tolist() for column in columns), strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": image, "category_id": 1, "iscrowd": crowd,
                    "bbox": [*corner, *extent], "area": size, "score": score,
                }
            )  # fmt: skip

    for image, (corners, values) in enumerate(zip(boxes, scores, strict=True), start=1):
        add(image, corners, values, None if areas is None else areas[image - 1], 0)
        if crowds is not None:
            add(image, crowds[image - 1], np.zeros(len(crowds[image - 1])), None, 1)
    dataset = coco()
    dataset.dataset = {
        "images": [{"id": image + 1} for image in range(len(boxes))],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": annotations,
    }
    dataset.createIndex()
    return dataset


def _mean(values: np.ndarray) -> float:
    """Average what pycocotools could compute; it writes -1 where there is no ground truth."""
    valid = values[values > -1]
    return float(valid.mean()) if valid.size else float("nan")


def _best_threshold(precision: np.ndarray, recall: np.ndarray, scores: np.ndarray) -> float:
    """Return the score at the point of the curve with the largest F2.

    Args:
        precision: [101] at the recall points; -1 without ground truth, 0 where the recall is not reached.
        recall: [101] the points.
        scores: [101] the lowest score that is needed to reach them.
    """
    reached = precision > 0
    if not reached.any():
        return float("nan")
    f2 = np.zeros(len(precision))
    f2[reached] = 5 * precision[reached] * recall[reached] / (4 * precision[reached] + recall[reached])
    return float(scores[f2.argmax()])
