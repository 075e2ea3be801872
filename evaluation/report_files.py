"""The evaluation as JSON and CSV for programs and spreadsheets."""

import csv
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluation.atomic import atomic_path
from evaluation.box_recall import BoxRecall
from evaluation.comparison import Comparison, Difference
from evaluation.error_analysis import ErrorAnalysis
from evaluation.explanation import zero_reasons
from evaluation.findings import Finding
from evaluation.frame_map import EvaluationResult

SCHEMA = {"schema": "ava-detect/evaluation", "version": 1}

Document = dict[str, Any]  # JSON: numbers, texts, lists and dictionaries of them


def result_document(result: EvaluationResult, findings: list[Finding]) -> Document:
    """Return a result as a JSON document; AP and mAP in [0, 1], ``null`` where a class does not count."""
    scoring, reasons = result.scoring, zero_reasons(result)
    return {
        **SCHEMA,
        "protocol": result.protocol,
        "iou_threshold": result.iou_threshold,
        "groundtruth": scoring.annotated.source,
        "detections": scoring.found.source,
        "label_map": scoring.label_map.source,
        "mean": result.mean,
        "mean_at": {f"{threshold:g}": _number(mean) for threshold, mean in result.mean_at.items()},
        "tie_interval": result.tie_interval,
        "groups": result.groups,
        "scored_keyframes": result.num_keyframes,
        "rows": {"groundtruth": len(scoring.annotated), "detections": len(scoring.found)},
        "set_aside": asdict(result.set_aside),
        "skipped": {
            "groundtruth": scoring.annotated.faults.counts,
            "detections": scoring.found.faults.counts,
        },
        "classes": [
            {
                **asdict(entry),
                "ap": _number(entry.ap),
                "ap_at": {f"{t:g}": _number(aps[entry.class_id]) for t, aps in result.per_class_at.items()},
                "why_zero": reasons.get(entry.class_id),
            }
            for entry in result.classes
        ],
        "findings": [asdict(finding) for finding in findings],
    }


def comparison_document(comparison: Comparison, other: EvaluationResult) -> Document:
    """Return a comparison as a JSON document."""
    return {
        "other": other.scoring.found.source,
        "mean": _difference(comparison.mean),
        "share_better": comparison.share_better,
        "videos": comparison.num_videos,
        "resamples": comparison.num_resamples,
        "seed": comparison.seed,
        "confidence": comparison.confidence,
        "classes": {str(class_id): _difference(entry) for class_id, entry in comparison.per_class.items()},
    }


def _difference(difference: Difference) -> Document:
    values = {**asdict(difference), "change": difference.change}
    return {name: _number(value) for name, value in values.items()}


def errors_document(analysis: ErrorAnalysis) -> Document:
    """Return an error analysis as a JSON document."""
    return asdict(analysis)


def recall_document(recall: BoxRecall) -> Document:
    """Return a box recall as a JSON document."""
    return {
        **asdict(recall),
        "recall": {f"{score:g}": value for score, value in recall.recall.items()},
        "per_class": {str(class_id): value for class_id, value in recall.per_class.items()},
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def json_text(document: Document) -> str:
    """Return a document as text; a number that is not finite would be a mistake and is refused."""
    return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)


def write_json(document: Document, path: Path) -> None:
    """Write a document; the file appears when it is complete."""
    with atomic_path(path) as temporary:
        temporary.write_text(json_text(document) + "\n", encoding="utf-8")


CLASS_COLUMNS = ("class_id", "name", "group", "truth", "detections", "found", "ap")


def write_class_table(result: EvaluationResult, comparison: Comparison | None, path: Path) -> None:
    """Write one row per class, with header; AP in [0, 1], empty where a class does not count."""
    reasons = zero_reasons(result)
    thresholds = list(result.per_class_at)[1:]
    header = [*CLASS_COLUMNS, "ap_lowest", "ap_highest", "why_zero"]
    header += [f"ap_iou_{threshold:g}" for threshold in thresholds]
    if comparison is not None:
        header += ["ap_other", "change", "change_low", "change_high"]
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for entry in result.classes:
            low, high = entry.tie_interval or (math.nan, math.nan)
            row: list[object] = [entry.class_id, entry.name, entry.group]
            row += [entry.num_truth, entry.num_detections, entry.num_found]
            row += [_cell(entry.ap), _cell(low), _cell(high), reasons.get(entry.class_id, "")]
            row += [_cell(result.per_class_at[threshold][entry.class_id]) for threshold in thresholds]
            if comparison is not None:
                row += _comparison_cells(comparison.per_class.get(entry.class_id))
            writer.writerow(row)


def _comparison_cells(difference: Difference | None) -> list[str]:
    if difference is None:
        return [""] * 4
    return [_cell(value) for value in (difference.first, difference.change, difference.low, difference.high)]


def _cell(value: float) -> str:
    return "" if math.isnan(value) else repr(value)
