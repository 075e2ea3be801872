"""Why a result is what it is: what the two files have in common, and the reason behind every zero."""

import numpy as np

from evaluation.findings import (
    Finding,
    look_at_detections,
    look_at_groundtruth,
    look_at_label_map,
    repeated_rows,
)
from evaluation.frame_map import DEFAULT_IOU, EvaluationResult, Scoring
from evaluation.overlaps import best_overlaps, distinct_boxes

_SAMPLED_BOXES = 2_000
_FEW = 0.2  # of the annotated persons
_CLEARLY_MORE = 0.25


def explain(result: EvaluationResult) -> list[Finding]:
    """Return everything noteworthy about two files: each by itself, then what they are to each other."""
    scoring = result.scoring
    findings = look_at_label_map(scoring.label_map)
    findings += look_at_groundtruth(scoring.annotated, scoring.label_map)
    findings += look_at_detections(scoring.found, scoring.label_map)
    findings += _repeated_detections(scoring) + _classes_in_common(scoring) + _odd_boxes(scoring)
    return findings


def _repeated_detections(scoring: Scoring) -> list[Finding]:
    """Count rows that say the same twice, as tests on several processes leave behind.

    Looking at all rows takes long. Two equal rows overlap one ground-truth box equally, so those with ground
    truth show whether there are any.
    """
    found, choices = scoring.found, scoring.choices
    order = np.lexsort((choices.overlaps, choices.truths))
    truths, overlaps = choices.truths[order], choices.overlaps[order]
    alike = np.flatnonzero((truths[1:] == truths[:-1]) & (overlaps[1:] == overlaps[:-1]))
    candidates = np.unique(order[np.concatenate([alike, alike + 1])])
    if not repeated_rows(found, np.sort(scoring.detections.rows[choices.places[candidates]])).any():
        return []
    repeated = repeated_rows(found, np.arange(len(found)))
    row, count = int(repeated.argmax()), int(repeated.sum())
    message = (
        f"{found.source}:{found.lines[row]}: the same box and class stand in an earlier row,"
        f" and {count - 1:,}"
        " rows like it; the copies are false positives"
    )
    hint = "Tests on several processes repeat keyframes at the end; remove the repeated rows."
    return [Finding("repeated-rows", message, hint, count, int(found.lines[row]))]


def _classes_in_common(scoring: Scoring) -> list[Finding]:
    found, label_map = scoring.found, scoring.label_map
    if not len(found) or scoring.set_aside.outside_map < len(found):
        return []
    ids = ", ".join(map(str, np.unique(found.action_ids)[:5].tolist()))
    message = f"{found.source}: none of its classes ({ids}, ...) is in the label map {label_map.source}"
    return [Finding("no-class-in-map", message, "Give the map of these classes with --labels.", len(found))]


def _odd_boxes(scoring: Scoring) -> list[Finding]:
    """Say when few annotated persons have a box, or when another layout of the boxes would fit better."""
    frames, truth = scoring.keyframes.of_rows[1], scoring.truth
    with_detections = scoring.keyframes.flags(frames)[truth.frames]
    people, _ = distinct_boxes(truth.frames, scoring.annotated.boxes[truth.rows])
    common = people[with_detections[people]]
    if not len(common):
        return []
    sample = common[:: max(1, len(common) // _SAMPLED_BOXES)]
    wanted, wanted_boxes = truth.frames[sample], scoring.annotated.boxes[truth.rows[sample]]
    rows = np.flatnonzero(scoring.keyframes.flags(wanted)[frames])
    rows = rows[distinct_boxes(frames[rows], scoring.found.boxes[rows])[0]]
    share = {
        name: float((best_overlaps(wanted, wanted_boxes, frames[rows], boxes)[0] >= DEFAULT_IOU).mean())
        for name, boxes in _readings(scoring.found.boxes[rows]).items()
    }
    as_is = share.pop("")
    best = max(share, key=lambda name: share[name])
    message = (
        f"{scoring.found.source}: {as_is:.0%} of the annotated persons have a box with IoU >= {DEFAULT_IOU:g}"
    )
    if share[best] >= as_is + _CLEARLY_MORE:
        message += f"; if the boxes are {best}, {share[best]:.0%} have"
        return [Finding("box-layout", message, "Write boxes as x1, y1, x2, y2: left, top, right, bottom.")]
    if as_is < _FEW:
        return [Finding("few-boxes", message, "No action model can find a person that has no box.")]
    return []


def _readings(boxes: np.ndarray) -> dict[str, np.ndarray]:
    """Return the boxes as they are (under "") and as other layouts would read them."""
    a, b, c, d = boxes.T
    return {
        "": boxes,
        "y1, x1, y2, x2": np.stack([b, a, d, c], axis=1),
        "x, y, width, height": np.stack([a, b, a + c, b + d], axis=1),
        "centre x, centre y, width, height": np.stack([a - c / 2, b - d / 2, a + c / 2, b + d / 2], axis=1),
    }


def zero_reasons(result: EvaluationResult) -> dict[int, str]:
    """Say for every class with ground truth and AP 0 why nothing of it was found.

    Returns:
        Reason by class id.
    """
    scoring = result.scoring
    return {
        entry.class_id: _zero_reason(scoring, column)
        for column, entry in enumerate(result.classes)
        if entry.num_truth and not entry.num_found
    }


def _zero_reason(scoring: Scoring, column: int) -> str:
    found, detections = scoring.found, scoring.detections
    of_class = found.action_ids == scoring.label_map.ids[column]
    if not of_class.any():
        return "never predicted"
    if not of_class[detections.pool].any():
        return "predicted only on keyframes that are not scored"
    pool = detections.pool[of_class[detections.pool]]
    if (found.boxes[pool, :2] >= found.boxes[pool, 2:]).any(axis=1).all():
        return "all its boxes are without area"
    if not (detections.columns == column).any():
        return f"never among the best {scoring.protocol.capacity} rows of a keyframe"
    chosen = detections.columns[scoring.choices.places] == column
    if not chosen.any():
        return "predicted, but not on the keyframes that have it"
    best = float(scoring.choices.overlaps[chosen].max())
    return f"no box fits: the best IoU is {best:.2f}"
