"""Why a result is what it is: what the two files have in common, and the reason behind every zero."""

import numpy as np

from evaluation.findings import (
    Finding,
    look_at_detections,
    look_at_groundtruth,
    look_at_label_map,
    repeated_rows,
)
from evaluation.frame_map import EvaluationResult, Scoring
from evaluation.overlaps import best_overlaps, distinct_boxes

_SAMPLED_BOXES = 20_000
_FEW = 0.2  # below this share of annotated persons with a box, other readings of the boxes are tried
_MOST = 0.5


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

    Only detections with ground truth of their class are looked at first, since looking at all takes long.
    """
    found = scoring.found
    sample = np.sort(scoring.detections.rows[scoring.choices.places])
    if not repeated_rows(found, sample).any():
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
    """Say when hardly any annotated person has a box, and whether another layout would fit."""
    overlaps = scoring.choices.overlaps
    if len(overlaps) and (overlaps >= 0.5).mean() >= _FEW:  # most detections fit; no need to look closer
        return []
    frames, truth_frames = scoring.keyframes.of_rows[1], scoring.truth.frames
    people, _ = distinct_boxes(truth_frames, scoring.annotated.boxes[scoring.truth.rows])
    common = people[np.isin(truth_frames[people], frames)]
    if not len(common):
        return []
    step = max(1, len(common) // _SAMPLED_BOXES)
    sample = common[::step]
    wanted, wanted_boxes = truth_frames[sample], scoring.annotated.boxes[scoring.truth.rows[sample]]
    rows = np.flatnonzero(np.isin(frames, wanted))
    boxes, _ = distinct_boxes(frames[rows], scoring.found.boxes[rows])
    rows = rows[boxes]
    share = {
        name: float((best_overlaps(wanted, wanted_boxes, frames[rows], read)[0] >= 0.5).mean())
        for name, read in _readings(scoring.found.boxes[rows]).items()
    }
    as_is = share.pop("")
    if as_is >= _FEW:
        return []
    message = f"{scoring.found.source}: only {as_is:.0%} of the annotated persons have a box with IoU >= 0.5"
    best = max(share, key=lambda name: share[name])
    if share[best] >= max(_MOST, 2 * as_is):
        message += f"; read as {best}, {share[best]:.0%} would"
        return [Finding("box-layout", message, "Write boxes as x1, y1, x2, y2: left, top, right, bottom.")]
    return [Finding("few-boxes", message, "No action model can find a person that has no box.")]


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
    scored = detections.columns == column
    if not scored.any():
        capacity = scoring.protocol.capacity
        return (
            f"never among the best {capacity} rows of a keyframe" if capacity else "only boxes without area"
        )
    chosen = detections.columns[scoring.choices.places] == column
    if not chosen.any():
        return "predicted, but not on the keyframes that have it"
    best = float(np.nan_to_num(scoring.choices.overlaps[chosen]).max())
    return f"no box fits: the best IoU is {best:.2f}"
