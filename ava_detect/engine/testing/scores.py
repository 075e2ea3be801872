"""A test's figures: mAP under every protocol, AP by class, the report for people and for programs."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ava_detect.engine.testing.results import DETECTIONS, TestResults, box_table
from evaluation import evaluate_ava
from evaluation.box_recall import BoxRecall, box_recall
from evaluation.errors import DataError
from evaluation.explanation import explain
from evaluation.findings import Finding
from evaluation.frame_map import EvaluationResult
from evaluation.label_map import LabelMap
from evaluation.protocol import PROTOCOLS
from evaluation.report_files import Document, recall_document, result_document, write_class_table, write_json
from evaluation.report_text import recall_text, result_text
from evaluation.row_table import RowTable
from evaluation.rows import read_detections

PER_CLASS, SCORES = "per_class.csv", "scores.json"
"""File names inside the folder of a test."""

SCHEMA = {"schema": "ava-detect/test", "version": 1}
_OFFICIAL = "official"


@dataclass(frozen=True)
class Truth:
    """What a test is scored against.

    Attributes:
        table: the annotations, of the tested keyframes only where a part is tested.
        label_map: the classes that count.
        exclusions: keyframes that do not count.
    """

    table: RowTable
    label_map: LabelMap
    exclusions: RowTable | None = None


@dataclass(frozen=True)
class Scores:
    """What a test found.

    Attributes:
        mean_ap: the official frame-mAP at IoU 0.5, a fraction.
        by_class: AP by class id; NaN where the class has no ground truth.
        by_protocol: mAP under each protocol; None where its rules refuse the annotations.
        report: the text that is printed.
        document: the content of scores.json.
        warnings: what looks wrong in the annotations or the scores.
    """

    mean_ap: float
    by_class: dict[int, float]
    by_protocol: dict[str, float | None]
    report: str
    document: Document
    warnings: tuple[Finding, ...] = ()


def score_results(results: TestResults, truth: Truth, folder: Path, *, boxes_named: str = "") -> Scores:
    """Score the detections in ``folder`` and write the tables of figures beside them.

    Args:
        results: what ``detections.csv`` was written from.
        truth: what to score against.
        folder: with ``detections.csv``.
        boxes_named: where the detected boxes come from; "" for boxes of the ground truth, whose recall needs
            no measuring.

    Raises:
        DataError: the official evaluation is not possible, for example for want of a common keyframe.
    """
    found = replace(read_detections(folder / DETECTIONS), source=DETECTIONS)
    official = evaluate_ava(truth.table, found, truth.label_map, truth.exclusions)
    by_protocol: dict[str, float | None] = {_OFFICIAL: official.mean}
    refusals = {}
    for name, protocol in PROTOCOLS.items():
        if name == _OFFICIAL:
            continue
        table = truth.table if protocol.bare_rows else _without_bare_rows(truth.table)
        try:
            result = evaluate_ava(table, found, truth.label_map, truth.exclusions, protocol)
            by_protocol[name] = result.mean
        except DataError as error:
            by_protocol[name], refusals[name] = None, str(error)
    findings = explain(official)
    document = {
        **results_document(results),
        "mean_ap": official.mean,
        "by_protocol": by_protocol,
        "not_by_protocol": refusals,
        "official": result_document(official, findings),
    }
    report = [result_text(official), _protocols_text(by_protocol, refusals)]
    recall = _recall(official, results, boxes_named) if boxes_named else None
    if recall is not None:
        document["box_recall"] = recall_document(recall)
        report.append(recall_text(recall, official.iou_threshold))
    _write(official, document, folder)
    return Scores(
        official.mean, official.per_class, by_protocol, "\n\n".join(report), document, tuple(findings)
    )


def _recall(official: EvaluationResult, results: TestResults, boxes_named: str) -> BoxRecall | None:
    """Measure the boxes; None where all of them are on keyframes without labelled people."""
    try:
        return box_recall(official, box_table(results.annotations, boxes_named))
    except DataError:
        return None


def _without_bare_rows(table: RowTable) -> RowTable:
    """Leave out the rows that only name a keyframe, which not every protocol knows."""
    nothing = {name: getattr(table, name)[:0] for name in ("bare_videos", "bare_times", "bare_lines")}
    return replace(table, **nothing)


def results_document(results: TestResults) -> Document:
    """Return what is known without ground truth, as a JSON document."""
    return {
        **SCHEMA,
        "keyframes": len(results.annotations),
        "boxes": len(results.annotations.boxes),
        "unread": [asdict(keyframe) for keyframe in results.unread],
    }


def _write(official: EvaluationResult, document: Document, folder: Path) -> None:
    write_class_table(official, None, folder / PER_CLASS)
    write_json(document, folder / SCORES)


def _protocols_text(by_protocol: dict[str, float | None], refusals: dict[str, str]) -> str:
    figures = [f"{name} {100 * mean:.2f}" for name, mean in by_protocol.items() if mean is not None]
    lines = [f"mAP by protocol  {'   '.join(figures)}"]
    lines += [f"  not by {name}: {reason}" for name, reason in refusals.items()]
    return "\n".join(lines)
