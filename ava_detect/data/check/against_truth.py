"""Person boxes and predictions against the annotations: what can be found at all, and what cannot be."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ava_detect.data.check.finding import Finding, some
from ava_detect.data.check.row_files import RowFile, named, with_finite_boxes, without_faults
from ava_detect.data.check.scores import without_place
from evaluation.ava_names import are_ava_names
from evaluation.box_recall import BoxRecall, box_recall
from evaluation.errors import DataError
from evaluation.explanation import explain
from evaluation.frame_map import EvaluationResult, evaluate_ava
from evaluation.keyframes import number_keyframes
from evaluation.label_map import LabelMap, load_label_map
from evaluation.overlaps import best_overlaps, distinct_boxes
from evaluation.row_table import RowTable

GOOD_RECALL = 0.9
POOR_RECALL = 0.75
_MANY = 0.2
_SURPLUS = 0.3  # of AVA's keyframes, an eighth has nobody labelled
_SAME = 0.99
_LAYOUT_CODES = ("box-layout", "few-boxes")
_SAMPLED = 20_000


@dataclass(frozen=True)
class Comparison:
    """What was found, and a line for the list of what was looked at.

    Attributes:
        findings: what is wrong.
        summary: the numbers when nothing is.
    """

    findings: list[Finding]
    summary: str = ""


def label_map_of(truth: RowFile) -> LabelMap:
    """Return AVA's 60 evaluated classes for AVA's videos, else make a map of the classes in the file."""
    if are_ava_names(truth.table.video_names):
        return load_label_map("v2.2")
    ids = [class_id for class_id in np.unique(truth.table.action_ids).tolist() if class_id > 0]
    names = tuple(f"class {class_id}" for class_id in ids)
    return LabelMap(tuple(ids), names, ("other",) * len(ids), source=f"classes of {truth.source}")


def _evaluate(
    truth: RowFile, other: RowFile, label_map: LabelMap | None, exclusions: RowFile | None
) -> EvaluationResult | Finding:
    """Match the files as the official evaluation does; its refusal is a finding about ``other``."""
    classes = label_map if label_map is not None else label_map_of(truth)
    listed = None if exclusions is None else exclusions.table
    try:
        annotated, found = without_faults(truth.table), with_finite_boxes(other.table)
        if not len(annotated) or not len(classes):
            raise DataError(f"{truth.source} has no annotation that can be used")
        return evaluate_ava(annotated, found, classes, listed)
    except DataError as error:
        return Finding(
            "not-comparable", other.source, without_place(str(error), other.source), hint=error.hint
        )


def compare_boxes(
    boxes: RowFile,
    truth: RowFile,
    label_map: LabelMap | None,
    *,
    exclusions: RowFile | None = None,
    threshold: float | None = None,
) -> Comparison:
    """Measure how many annotated persons have a box, and what mAP that allows.

    Args:
        boxes: person boxes.
        truth: ground truth.
        label_map: the classes that count, if known.
        exclusions: keyframes to leave out.
        threshold: boxes below this score are not used; ``None`` to use all.
    """
    result = _evaluate(truth, boxes, label_map, exclusions)
    if isinstance(result, Finding):
        return Comparison([result])
    usable = without_faults(boxes.table)
    kept = usable if threshold is None else usable.select(np.flatnonzero(usable.scores >= threshold))
    findings = list(_kept_by_threshold(boxes, kept, threshold))
    if findings:
        return Comparison(findings)
    try:
        recall, of_all = box_recall(result, kept), box_recall(result, usable)
    except DataError as error:
        return Comparison([Finding("not-comparable", boxes.source, without_place(str(error), boxes.source))])
    share = recall.recall[0.0]
    findings += _layout(result, boxes) or list(_recall(boxes, truth, recall, of_all, threshold))
    findings += _empty_keyframes(boxes, truth, result, recall, threshold)
    findings += compare_video_names(boxes, truth)
    at = "" if threshold is None else f" >= {threshold:g}"
    summary = f"recall {share:.1%} of {truth.source}, ceiling {recall.ceiling:.1%} mAP (boxes{at})"
    return Comparison(findings, summary)


def _kept_by_threshold(boxes: RowFile, kept: RowTable, threshold: float | None) -> Iterator[Finding]:
    if threshold is not None and not len(kept):
        largest = float(boxes.table.scores.max())
        message = (
            f"no box has a score of {threshold:g} or more (largest {largest:.3g}); all would be left out"
        )
        hint = "Lower AVA.DETECTION_SCORE_THRESH."
        yield Finding("no-box-above-threshold", boxes.source, message, len(boxes.table), hint=hint)


def _layout(result: EvaluationResult, boxes: RowFile) -> list[Finding]:
    """Say when hardly any person has a box, with the layout that would fit, as the evaluator does."""
    return [
        Finding(
            found.code,
            boxes.source,
            without_place(found.message, boxes.source),
            hint=found.hint,
        )
        for found in explain(result)
        if found.code in _LAYOUT_CODES
    ]


def _recall(
    boxes: RowFile, truth: RowFile, recall: BoxRecall, of_all: BoxRecall, threshold: float | None
) -> Iterator[Finding]:
    share = recall.recall[0.0]
    if share >= GOOD_RECALL:
        return
    missed = round((1 - share) * recall.num_persons)
    at = "" if threshold is None else f" with score >= {threshold:g}"
    message = (
        f"{share:.0%} of the {recall.num_persons:,} persons of {truth.source} have a box{at} with IoU >= 0.5 "
        f"(expected {GOOD_RECALL:.0%} or more); no model can score above {recall.ceiling:.1%} mAP"
    )
    at_truth = f"--at {shlex.quote(truth.source)} --out {shlex.quote(f'new_{Path(boxes.source).name}')}"
    hint = f"Make them anew, with a detector that finds more: ava-detect boxes VIDEOS {at_truth}"
    if threshold is not None and of_all.recall[0.0] - share > 0.02:
        better = {low: of_all.recall[low] for low in sorted(of_all.recall) if low < threshold}
        listed = ", ".join(f"{value:.0%} at {low:g}" for low, value in better.items())
        hint = f"A lower AVA.DETECTION_SCORE_THRESH finds more: {listed}"
    yield Finding("recall" if share < POOR_RECALL else "low-recall", boxes.source, message, missed, hint=hint)


def _empty_keyframes(
    boxes: RowFile, truth: RowFile, result: EvaluationResult, recall: BoxRecall, threshold: float | None
) -> list[Finding]:
    if not recall.keyframes_without_box:
        return []
    total = len(np.unique(result.scoring.truth.frames))
    at = "" if threshold is None else f" with score >= {threshold:g}"
    message = (
        f"{recall.keyframes_without_box:,} of {total:,} keyframes of {truth.source} have no box{at}; "
        "nothing will be predicted there"
    )
    code = "keyframes-without-boxes" if recall.keyframes_without_box > _MANY * total else "some-without-boxes"
    return [Finding(code, boxes.source, message, recall.keyframes_without_box)]


def compare_video_names(other: RowFile, truth: RowFile) -> Iterator[Finding]:
    """Say which videos only one of two files names."""
    ids, annotated = set(other.table.video_names), set(truth.table.video_names)
    if not annotated & ids:
        return
    if absent := annotated - ids:
        message = (
            f"{len(absent):,} of {len(annotated):,} videos of {truth.source} are not in it: {named(absent)}"
        )
        yield Finding("video-sets-differ", other.source, message, len(absent))
    if extra := ids - annotated:
        message = f"{len(extra):,} of its {len(ids):,} videos are not in {truth.source}: {named(extra)}"
        yield Finding("videos-without-truth", other.source, message, len(extra))


def compare_predictions(
    predictions: RowFile,
    truth: RowFile,
    label_map: LabelMap | None,
    *,
    exclusions: RowFile | None = None,
) -> Comparison:
    """Look for what would cost predictions their mAP without a word.

    Args:
        predictions: rows with scores.
        truth: ground truth.
        label_map: the classes that count, if known.
        exclusions: keyframes to leave out.
    """
    result = _evaluate(truth, predictions, label_map, exclusions)
    if isinstance(result, Finding):
        return Comparison([result])
    findings = _layout(result, predictions)
    findings += _keyframe_sets(predictions, truth)
    findings += compare_video_names(predictions, truth)
    findings += _never_predicted(predictions, result)
    findings += _boxes_of_truth(predictions, result)
    summary = f"mAP@0.5 {100 * result.mean:.2f} on {truth.source} (official rules"
    beyond = result.set_aside.beyond_capacity
    summary += f"; {beyond:,} rows beyond the best 50 of their keyframe)" if beyond else ")"
    return Comparison(findings, summary)


def _keyframe_sets(predictions: RowFile, truth: RowFile) -> Iterator[Finding]:
    keyframes = number_keyframes(truth.table, predictions.table)
    annotated = keyframes.flags(keyframes.of_rows[0])
    named_there = keyframes.flags(keyframes.of_rows[0], keyframes.of_bare[0])
    predicted = keyframes.flags(keyframes.of_rows[1])
    absent = int((annotated & ~predicted).sum())
    if absent:
        message = (
            f"{absent:,} of {int(annotated.sum()):,} annotated keyframes of {truth.source} have no prediction"
        )
        many = absent > _MANY * annotated.sum()
        code = "keyframes-without-predictions" if many else "some-without-predictions"
        yield Finding(code, predictions.source, message, absent)
    surplus = int((predicted & ~named_there).sum())
    if surplus > _SURPLUS * predicted.sum():
        message = (
            f"{surplus:,} of {int(predicted.sum()):,} predicted keyframes are not in {truth.source}; "
            "the official rules ignore them, PySlowFast counts them as wrong"
        )
        yield Finding("keyframes-without-truth", predictions.source, message, surplus)


def _never_predicted(predictions: RowFile, result: EvaluationResult) -> Iterator[Finding]:
    present = set(np.unique(predictions.table.action_ids).tolist())
    absent = [entry for entry in result.classes if entry.num_truth and entry.class_id not in present]
    if absent:
        listed = some([f"{entry.class_id} '{entry.name}'" for entry in absent])
        total = sum(1 for entry in result.classes if entry.num_truth)
        message = f"{len(absent)} of {total} annotated classes are never predicted and have AP 0: {listed}"
        code = "most-never-predicted" if len(absent) > total / 2 else "never-predicted"
        yield Finding(code, predictions.source, message, len(absent))


def _boxes_of_truth(predictions: RowFile, result: EvaluationResult) -> Iterator[Finding]:
    """Predictions on annotated boxes score higher than any detector allows."""
    scoring = result.scoring
    frames, boxes = scoring.keyframes.of_rows[1], scoring.found.boxes
    on_truth = np.flatnonzero(scoring.truth.scored_frames[frames])[: 50 * _SAMPLED]
    first, _ = distinct_boxes(frames[on_truth], boxes[on_truth])
    rows = on_truth[first][:_SAMPLED]
    if not len(rows):
        return
    truth_boxes = scoring.annotated.boxes[scoring.truth.rows]
    best, _ = best_overlaps(frames[rows], boxes[rows], scoring.truth.frames, truth_boxes)
    share = float((best > _SAME).mean())
    if share >= _SAME:
        message = (
            f"{share:.0%} of the predicted boxes are annotated boxes; "
            "the mAP cannot be compared with results on detected boxes"
        )
        yield Finding("boxes-of-truth", predictions.source, message, len(rows))


def compare_exclusions(exclusions: RowFile, truth: RowFile) -> Iterator[Finding]:
    """Disputed keyframes have no annotations; where they do, the list belongs to another version."""
    keyframes = number_keyframes(exclusions.table, truth.table)
    listed = keyframes.flags(keyframes.of_bare[0], keyframes.of_rows[0])
    both = listed & keyframes.flags(keyframes.of_rows[1])
    ids = set(truth.table.video_names)
    if not ids & set(exclusions.table.video_names):
        message = f"none of its videos is in {truth.source}: a list for another split or data set?"
        yield Finding("exclusions-elsewhere", exclusions.source, message)
    elif both.any():
        video = keyframes.video_names[keyframes.videos[int(both.argmax())]]
        time = float(keyframes.times[int(both.argmax())])
        message = (
            f"{int(both.sum()):,} of its {int(listed.sum()):,} keyframes are annotated in {truth.source} "
            f"(first {video} {time:g}); in AVA excluded ones are not: lists of different versions?"
        )
        yield Finding("excluded-annotated", exclusions.source, message, int(both.sum()))


def best_matching_truth(other: RowFile, truths: list[RowFile]) -> RowFile:
    """Return the annotations with the most keyframes in common; of several versions, the one that belongs."""

    def common(truth: RowFile) -> tuple[int, int]:
        keyframes = number_keyframes(truth.table, other.table)
        flags = keyframes.flags(keyframes.of_rows[0], keyframes.of_bare[0])
        both = flags & keyframes.flags(keyframes.of_rows[1])
        return int(both.sum()), -int(flags.sum())

    return max(truths, key=common)
