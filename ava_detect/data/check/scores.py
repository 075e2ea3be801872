"""Scores of predictions and person boxes: there, in [0, 1], not all the same, no person ids."""

import re
from collections.abc import Iterator

from ava_detect.data.check.finding import Finding, Place
from ava_detect.data.check.kinds import Kind
from ava_detect.data.check.row_files import RowFile
from evaluation.findings import look_at_detections
from evaluation.label_map import LabelMap, load_label_map

_CODES = {code: code for code in ("equal-scores", "whole-scores", "score-range", "faint-scores")}
_CODES_OF_BOXES = {**_CODES, "equal-scores": "equal-box-scores"}  # boxes drawn by hand have score 1


def look_at_scores(file: RowFile, label_map: LabelMap | None = None) -> Iterator[Finding]:
    """Look at the scores of a file of predictions or person boxes, as the evaluator does."""
    table = file.table
    if not len(table):
        return
    missing = len(table) - table.field_counts.get(8, 0)
    if missing:
        message = f"{missing:,} of {len(table):,} rows have no score (no 8th column); they count with score 1"
        hint = "Write video_id, timestamp, x1, y1, x2, y2, action_id, score."
        if file.kind is Kind.BOXES:
            hint = "Write video_id, timestamp, x1, y1, x2, y2, (empty), score; no threshold works without."
        yield Finding("no-scores", table.source, message, missing, (_first_place(file),), hint)
    codes = _CODES_OF_BOXES if file.kind is Kind.BOXES else _CODES
    for found in look_at_detections(table, label_map or load_label_map("v2.2-80")):
        if found.code in codes:
            places = (Place(table.source, found.line),) if found.line else (_first_place(file),)
            if codes[found.code] == "equal-box-scores":
                message = f"all {len(table):,} boxes have score {table.scores[0]:g}; no threshold can choose"
                yield Finding("equal-box-scores", table.source, message, found.count, places)
                continue
            yield Finding(
                codes[found.code], table.source, without_place(found.message, table.source),
                found.count, places, found.hint,
            )  # fmt: skip


def _first_place(file: RowFile) -> Place:
    return Place(file.source, int(file.table.lines[0]))


def without_place(message: str, source: str) -> str:
    """Remove the file and row that the evaluator's messages begin with; findings show them apart."""
    return re.sub(rf"^{re.escape(source)}(:\d+)?: ", "", message)
