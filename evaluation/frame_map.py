"""AVA frame-mAP: two files in, mean average precision out, with everything that explains it.

The road: read both files, number their keyframes (``keyframes``), choose what is scored (``selection``),
let detections choose ground truth (``matching``), rank each class and take the area under its precision
envelope (``average_precision``). Which of several rules holds at each step is said by the ``protocol``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evaluation.average_precision import average_precision, rank_by_score, tie_interval
from evaluation.common_keyframes import check_common_keyframes
from evaluation.errors import DataError, UsageError
from evaluation.keyframes import Keyframes, number_keyframes
from evaluation.label_map import LabelMap, load_label_map
from evaluation.matching import Choices, choose_truth, label_detections
from evaluation.protocol import Protocol, protocol_named
from evaluation.row_parser import RowFault
from evaluation.row_table import RowTable
from evaluation.rows import read_exclusions
from evaluation.selection import (
    Detections,
    SetAside,
    Truth,
    class_columns,
    select_detections,
    select_truth,
)
from evaluation.table_sources import RowSource, detections_table, groundtruth_table

DEFAULT_IOU = 0.5


@dataclass(frozen=True, eq=False)
class ClassRanking:
    """The scored detections of one class, best first.

    Attributes:
        column: the class's place in the label map. rows: [n] rows of the detection table. scores: [n]
        never increasing. correct: [n] booleans. truths: [n] index into ``Truth.rows`` of the box that a
        detection found or came too late for, else -1. num_truth: ground-truth boxes of the class.
    """

    column: int
    rows: np.ndarray
    scores: np.ndarray
    correct: np.ndarray
    truths: np.ndarray
    num_truth: int


@dataclass(frozen=True, eq=False)
class Scoring:
    """Two files, matched with each other: what every report is made from.

    Attributes:
        protocol: the rules that hold.
        label_map: the K classes.
        annotated: the ground-truth file.
        found: the detections file.
        keyframes: of (annotated, found, exclusions).
        truth: the boxes to be found.
        detections: the detections that are ranked.
        choices: which box each of them overlaps most.
        set_aside: what was not scored, and why.
    """

    protocol: Protocol
    label_map: LabelMap
    annotated: RowTable
    found: RowTable
    keyframes: Keyframes
    truth: Truth
    detections: Detections
    choices: Choices
    set_aside: SetAside

    def rankings(self, iou_threshold: float = DEFAULT_IOU) -> tuple[ClassRanking, ...]:
        """Rank every class's detections at one threshold; K entries in the label map's order."""
        labels = label_detections(self.detections, self.choices, self.found, self.protocol, iou_threshold)
        columns = self.detections.columns[labels.order]
        num_classes = len(self.label_map)
        small = np.uint16 if num_classes < 2**16 else np.int32  # 16 bits are sorted by counting
        by_class = labels.order[np.argsort(columns.astype(small), kind="stable")]
        bounds = np.concatenate([[0], np.cumsum(np.bincount(columns, minlength=num_classes))])
        scores = self.found.scores[self.detections.rows[by_class]]
        if self.protocol.single_precision:
            scores = scores.astype(np.float32)
        rankings = []
        for column, (start, end) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
            order = rank_by_score(scores[start:end])
            members = by_class[start:end][order]
            ranking = ClassRanking(
                column=column,
                rows=self.detections.rows[members],
                scores=scores[start:end][order],
                correct=labels.correct[members],
                truths=labels.truths[members],
                num_truth=int(self.truth.counts[column]),
            )
            rankings.append(ranking)
        return tuple(rankings)

    def ap_of(self, ranking: ClassRanking) -> float:
        """Return a class's AP, NaN where it does not count in the mean."""
        if not len(ranking.rows) and not self.protocol.unseen_class_is_zero:
            return float("nan")
        return average_precision(ranking.correct, ranking.num_truth)


@dataclass(frozen=True)
class ClassResult:
    """One class's result.

    Attributes:
        class_id, name, group: from the label map.
        num_truth: ground-truth boxes.
        num_detections: scored detections.
        num_found: ground-truth boxes that were found.
        ap: average precision, NaN where the class does not count in the mean.
        tie_interval: smallest and largest AP over all orders of equal scores; ``None`` unless asked for.
    """

    class_id: int
    name: str
    group: str
    num_truth: int
    num_detections: int
    num_found: int
    ap: float
    tie_interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class EvaluationResult:
    """AVA frame-mAP of a detections file.

    Attributes:
        protocol: name of the rules.
        iou_threshold: smallest IoU of a true positive.
        mean: mAP, the mean of AP over the classes that have ground truth, in [0, 1].
        classes: one entry per class of the label map.
        groups: mean AP of "pose", "object", "person" and "other", where they have ground truth.
        mean_at: mAP at every threshold that was asked for.
        per_class_at: AP by class id at every threshold.
        tie_interval: smallest and largest mAP over all orders of equal scores; ``None`` unless asked for.
        set_aside: the detections that were not scored.
        num_keyframes: keyframes that are scored.
        scoring: the matched files, for reports.
    """

    protocol: str
    iou_threshold: float
    mean: float
    classes: tuple[ClassResult, ...]
    groups: dict[str, float]
    mean_at: dict[float, float]
    per_class_at: dict[float, dict[int, float]]
    tie_interval: tuple[float, float] | None
    set_aside: SetAside
    num_keyframes: int
    scoring: Scoring
    rankings: tuple[ClassRanking, ...]

    @property
    def per_class(self) -> dict[int, float]:
        """AP by class id; NaN where the class does not count in the mean."""
        return {entry.class_id: entry.ap for entry in self.classes}


def evaluate_ava(
    groundtruth: RowSource,
    detections: RowSource,
    label_map: LabelMap | str | Path = "v2.2",
    exclusions: RowTable | str | Path | None = None,
    protocol: str | Protocol = "official",
    *,
    iou_thresholds: Sequence[float] = (DEFAULT_IOU,),
    tie_intervals: bool = False,
    lenient: bool = False,
    zero_based_classes: bool = False,
) -> EvaluationResult:
    """Score detections against ground truth as the AVA challenge does.

    Args:
        groundtruth: an AVA CSV file, or its rows in memory (table, DataFrame or ``ActionRow``s).
        detections: likewise.
        label_map: the classes that count: "v2.2" or "v2.1" (60 classes), a file, or a map.
        exclusions: keyframes to leave out: "v2.1-val", a file, or a table.
        protocol: "official", "pyslowfast" or "mmaction2".
        iou_thresholds: the first one is reported by class, the others as means.
        tie_intervals: also compute between which numbers the result lies over all orders of equal scores.
        lenient: skip rows that cannot be read; they are counted in the tables' ``faults``.
        zero_based_classes: the detections count classes from 0; add 1.

    Raises:
        DataError: a file or row cannot be used, or there is nothing to average.
        UsageError: no such protocol, or an IoU threshold outside (0, 1].

    Example:
        >>> result = evaluate_ava("ava_val_v2.2.csv", "detections.csv")
        >>> print(f"{result.mean:.4f}", result.per_class[12])
    """
    rules = protocol_named(protocol)
    for threshold in iou_thresholds:
        if not 0 < threshold <= 1:
            raise UsageError(f"IoU threshold {threshold:g}, expected more than 0 and at most 1")
    classes = label_map if isinstance(label_map, LabelMap) else load_label_map(label_map)
    annotated = groundtruth_table(groundtruth, rules, lenient=lenient)
    found = detections_table(detections, rules, lenient=lenient)
    if zero_based_classes:
        found = replace(found, action_ids=found.action_ids + 1)
    if lenient and not rules.drops_degenerate:
        found = _without_inverted(found)
    if exclusions is not None and not isinstance(exclusions, RowTable):
        exclusions = read_exclusions(exclusions, lenient=lenient)
    scoring = match_tables(annotated, found, classes, exclusions, rules)
    return summarise(scoring, iou_thresholds=iou_thresholds, tie_intervals=tie_intervals)


def match_tables(
    annotated: RowTable,
    found: RowTable,
    label_map: LabelMap,
    exclusions: RowTable | None,
    protocol: Protocol,
) -> Scoring:
    """Match detections with ground truth.

    Raises:
        DataError: there is no ground truth, the files have no keyframe in common, or a box cannot be
        scored.
    """
    listed = (exclusions,) if exclusions is not None else ()
    keyframes = number_keyframes(annotated, found, *listed)
    check_common_keyframes(annotated, found, keyframes)
    excluded = keyframes.flags(*(keyframes.of_bare[2:]))
    truth_columns = class_columns(annotated.action_ids, label_map)
    found_columns = class_columns(found.action_ids, label_map)
    truth = select_truth(
        truth_columns,
        keyframes,
        protocol,
        excluded=excluded,
        num_classes=len(label_map),
        detected_frames=keyframes.of_rows[1][found_columns >= 0],
    )
    if not len(truth.rows):
        raise _nothing_to_find(annotated, label_map, truth_columns)
    detections, set_aside = select_detections(
        found, found_columns, keyframes.of_rows[1], protocol, truth, excluded=excluded
    )
    _check_boxes(found, detections, protocol)
    choices = choose_truth(detections, truth, found, annotated, protocol)
    return Scoring(protocol, label_map, annotated, found, keyframes, truth, detections, choices, set_aside)


def _nothing_to_find(annotated: RowTable, label_map: LabelMap, columns: np.ndarray) -> DataError:
    if not len(annotated):
        return DataError(f"{annotated.source}: no boxes in it; the ground truth is empty")
    if (columns < 0).all():
        ids = ", ".join(map(str, np.unique(annotated.action_ids)[:5].tolist()))
        return DataError(
            f"{annotated.source}: none of its classes ({ids}, ...) is in the label map {label_map.source}",
            hint="Give the label map that belongs to it with --labels.",
        )
    return DataError(
        f"{annotated.source}: every keyframe with ground truth is excluded; nothing is left to score"
    )


def _check_boxes(found: RowTable, detections: Detections, protocol: Protocol) -> None:
    """Refuse inverted boxes where the original stops at them."""
    if protocol.drops_degenerate:
        return
    inverted = detections.rows[_are_inverted(found.boxes[detections.rows])]
    if len(inverted):
        row = int(inverted.min())
        box = ", ".join(f"{value:g}" for value in found.boxes[row].tolist())
        raise DataError(
            f"{found.source}:{found.lines[row]}: box {box}; expected x1 <= x2 and y1 <= y2"
            f" ({len(inverted):,} such rows; {protocol.name} stops at them)",
            hint="Skip these rows with --lenient, or use --protocol official, which drops them.",
        )


def _are_inverted(boxes: np.ndarray) -> np.ndarray:
    """Tell which boxes mmaction2 calls invalid; in float32, as it holds them."""
    with np.errstate(over="ignore"):
        single = boxes.astype(np.float32)
    return np.any(single[:, :2] > single[:, 2:], axis=1)


def _without_inverted(found: RowTable) -> RowTable:
    """Skip and count the boxes at which the protocol would stop."""
    inverted = _are_inverted(found.boxes)
    for row in np.flatnonzero(inverted).tolist():
        found.faults.add(RowFault(int(found.lines[row]), "box", "expected x1 <= x2 and y1 <= y2"))
    return found.select(~inverted)


def summarise(
    scoring: Scoring, *, iou_thresholds: Sequence[float] = (DEFAULT_IOU,), tie_intervals: bool = False
) -> EvaluationResult:
    """Turn matched files into numbers.

    Raises:
        DataError: no class counts in the mean.
    """
    rankings = scoring.rankings(iou_thresholds[0])
    classes = tuple(_class_result(scoring, ranking, tie_intervals) for ranking in rankings)
    mean = _mean([entry.ap for entry in classes])
    if np.isnan(mean):
        raise DataError(
            f"{scoring.found.source}: no class with ground truth was predicted on a scored keyframe, and"
            f" {scoring.protocol.name} leaves such classes out; there is nothing to average"
        )
    per_class_at = {iou_thresholds[0]: {entry.class_id: entry.ap for entry in classes}}
    for threshold in iou_thresholds[1:]:
        aps = map(scoring.ap_of, scoring.rankings(threshold))
        per_class_at[threshold] = dict(zip(scoring.label_map.ids, aps, strict=True))
    ends = list(zip(*(c.tie_interval for c in classes if c.tie_interval is not None), strict=True))
    by_group = {
        group: _mean([entry.ap for entry in classes if entry.group == group])
        for group in dict.fromkeys(scoring.label_map.groups)
    }
    return EvaluationResult(
        protocol=scoring.protocol.name,
        iou_threshold=iou_thresholds[0],
        mean=mean,
        classes=classes,
        groups={group: value for group, value in by_group.items() if not np.isnan(value)},
        mean_at={threshold: _mean(list(aps.values())) for threshold, aps in per_class_at.items()},
        per_class_at=per_class_at,
        tie_interval=(_mean(ends[0]), _mean(ends[1])) if ends else None,
        set_aside=scoring.set_aside,
        num_keyframes=int(scoring.truth.scored_frames.sum()),
        scoring=scoring,
        rankings=rankings,
    )


def _class_result(scoring: Scoring, ranking: ClassRanking, tie_intervals: bool) -> ClassResult:
    label_map, ap = scoring.label_map, scoring.ap_of(ranking)
    interval = None
    if tie_intervals and not np.isnan(ap):
        interval = tie_interval(ranking.scores, ranking.correct, ranking.num_truth)
    return ClassResult(
        class_id=label_map.ids[ranking.column],
        name=label_map.names[ranking.column],
        group=label_map.groups[ranking.column],
        num_truth=ranking.num_truth,
        num_detections=len(ranking.rows),
        num_found=int(ranking.correct.sum()),
        ap=ap,
        tie_interval=interval,
    )


def _mean(values: Sequence[float]) -> float:
    """Return the mean of the values that are not NaN; NaN when there is none."""
    counted = [value for value in values if not np.isnan(value)]
    return float(np.mean(counted)) if counted else float("nan")
