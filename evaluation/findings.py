"""What looks wrong in a file although it can be read: the usual reasons for a low or zero mAP.

Nothing here changes a number. Each finding says how many rows it concerns, where the first one is, and
what to do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from evaluation.ava_names import are_ava_names
from evaluation.label_map import LabelMap, load_label_map
from evaluation.row_table import RowTable

AVA_SECONDS = (902, 1798)
"""First and last annotated second of an AVA video."""

_PIXELS_FROM = 1.5  # a median coordinate above this is no normalised one
_FAINT = 1e-3  # sigmoid scores of a trained model are not all below this


@dataclass(frozen=True)
class Finding:
    """Something that deserves a look.

    Attributes:
        code: a short name that stays the same between versions, for programs.
        message: where, what was found and what is expected.
        hint: what to do; may be empty.
        count: rows, keyframes or classes concerned.
        line: 1-based row of the first one; 0 when it has no single place.
    """

    code: str
    message: str
    hint: str = ""
    count: int = 0
    line: int = 0


def look_at_detections(table: RowTable, label_map: LabelMap) -> list[Finding]:
    """Look at a detections file by itself."""
    if not len(table):
        return [Finding("empty", f"{table.source}: no detections in it; every class will have AP 0")]
    checks = (_no_scores, _scores, _class_ids_from_zero, _coordinates, _inverted, _ava_times)
    return [finding for check in checks for finding in check(table, label_map)]


def look_at_groundtruth(table: RowTable, label_map: LabelMap) -> list[Finding]:
    """Look at a ground-truth file by itself."""
    checks = (_class_ids_from_zero, _coordinates, _flat_truth, _repeated_truth, _ava_times)
    return [finding for check in checks for finding in check(table, label_map)] if len(table) else []


def look_at_label_map(label_map: LabelMap) -> list[Finding]:
    """Say when AVA's figure would be a mean over classes that AVA does not evaluate."""
    evaluated, all_of_them = load_label_map("v2.2"), load_label_map("v2.2-80")
    rare = set(all_of_them.ids) - set(evaluated.ids)
    if label_map.names != all_of_them.names or not rare <= set(label_map.ids):
        return []
    return [
        Finding(
            "all-80-classes",
            f"label map {label_map.source}: all 80 classes count, {len(rare)} of them with few examples;"
            " AVA's published figures are means over 60",
            "For the published figure: --labels v2.2",
            count=len(rare),
        )
    ]


def _rows_like(
    code: str,
    table: RowTable,
    concerned: np.ndarray,
    describe: Callable[[int], str],
    end: str = "",
    hint: str = "",
) -> Iterator[Finding]:
    """Yield a finding about the rows of a mask, if any: the first one in words, the others counted."""
    count = int(concerned.sum())
    if count:
        row = int(concerned.argmax())
        line = int(table.lines[row])
        others = (
            ", and 1 row like it" if count == 2 else f", and {count - 1:,} rows like it" if count > 2 else ""
        )
        yield Finding(code, f"{table.source}:{line}: {describe(row)}{others}{end}", hint, count, line)


def _no_scores(table: RowTable, _: LabelMap) -> Iterator[Finding]:
    count = table.field_counts.get(7, 0)
    if count:
        message = f"{table.source}: {count:,} rows have no score (7 columns); they count with score 1"
        yield Finding("no-scores", message, count=count)


def _scores(table: RowTable, _: LabelMap) -> Iterator[Finding]:
    if 8 not in table.field_counts:
        return
    low, high, rows = float(table.scores.min()), float(table.scores.max()), len(table)
    if low == high and rows > 1:
        message = (
            f"{table.source}: all {rows:,} scores are {low:g}; the ranking is then the order of the rows"
        )
        yield Finding("equal-scores", message, count=rows)
    elif _are_whole(table.scores):
        message = f"{table.source}: all scores are whole numbers; is this a file of annotations?"
        hint = "Their 8th column is the person id. Detections belong to --pred, annotations to --gt."
        yield Finding("whole-scores", message, hint, rows)
    elif low < 0 or high > 1:
        outside = (table.scores < 0) | (table.scores > 1)
        hint = "Are these logits? The ranking is the same, if all classes are on one scale."
        yield from _rows_like(
            "score-range",
            table,
            outside,
            lambda row: f"score = {table.scores[row]:g} is not in [0, 1]",
            hint=hint,
        )
    elif high < _FAINT:
        message = (
            f"{table.source}: all scores are below {_FAINT:g}; is the sigmoid missing, or applied twice?"
        )
        yield Finding("faint-scores", message, count=rows)


def _are_whole(values: np.ndarray) -> bool:
    start = values[:1000]
    return bool((start == np.rint(start)).all() and (values == np.rint(values)).all())


def _class_ids_from_zero(table: RowTable, label_map: LabelMap) -> Iterator[Finding]:
    low, high = int(table.action_ids.min()), int(table.action_ids.max())
    if low == 0 and high < max(label_map.ids):
        message = f"{table.source}: class ids are {low}-{high}; AVA counts from 1"
        hint = "If the detections count from 0: --pred-ids zero-based"
        yield Finding("zero-based", message, hint, int((table.action_ids == 0).sum()))


def _coordinates(table: RowTable, _: LabelMap) -> Iterator[Finding]:
    if table.boxes.min() >= 0 and table.boxes.max() <= 1:
        return
    outside = (table.boxes < 0) | (table.boxes > 1)
    pixels = float(np.median(table.boxes)) > _PIXELS_FROM

    def describe(row: int) -> str:
        column = int(outside[row].argmax())
        return f"{('x1', 'y1', 'x2', 'y2')[column]} = {table.boxes[row, column]:g} is not in [0, 1]"

    yield from _rows_like(
        "pixels" if pixels else "outside",
        table,
        np.any(outside, axis=1),
        describe,
        "; AVA boxes are normalised, these look like pixels" if pixels else "; AVA boxes are normalised",
        "Scored as they are, as the official tool does."
        + (" Divide x by the frame's width and y by its height." if pixels else ""),
    )


def _inverted(table: RowTable, _: LabelMap) -> Iterator[Finding]:
    x1, y1, x2, y2 = table.boxes.T
    yield from _rows_like(
        "inverted",
        table,
        (x1 > x2) | (y1 > y2),
        lambda row: f"box {_box_text(table, row)} has x1 > x2 or y1 > y2",
        "; such boxes find nothing",
        "Boxes are left, top, right, bottom. Are these x, y, width, height?",
    )


def _box_text(table: RowTable, row: int) -> str:
    return ", ".join(f"{value:g}" for value in table.boxes[row].tolist())


def _flat_truth(table: RowTable, _: LabelMap) -> Iterator[Finding]:
    yield from _rows_like(
        "flat-truth",
        table,
        np.any(table.boxes[:, :2] >= table.boxes[:, 2:], axis=1),
        lambda row: f"box {_box_text(table, row)} has no area",
        "; it counts and can never be found",
    )


def _repeated_truth(table: RowTable, _: LabelMap) -> Iterator[Finding]:
    yield from _rows_like(
        "repeated-truth",
        table,
        repeated_rows(table, np.arange(len(table))),
        lambda _row: "the same box and class stand in an earlier row",
        "; every copy counts",
    )


def repeated_rows(table: RowTable, rows: np.ndarray) -> np.ndarray:
    """Tell which of the given rows repeat an earlier one: same video, time, class and box.

    Args:
        table: the file.
        rows: [n] rows to look at, ascending.

    Returns:
        [n] booleans.
    """
    columns = (table.videos[rows], table.times[rows], table.action_ids[rows], *table.boxes[rows].T)
    order = np.lexsort(columns[::-1])
    same = np.ones(max(0, len(rows) - 1), bool)
    for column in columns:
        same &= column[order[1:]] == column[order[:-1]]
    repeated = np.zeros(len(rows), bool)
    repeated[order[1:][same]] = True
    return repeated


def _ava_times(table: RowTable, _: LabelMap) -> Iterator[Finding]:
    if not are_ava_names(table.video_names):
        return
    first, last = AVA_SECONDS
    yield from _rows_like(
        "ava-times",
        table,
        (table.times < first) | (table.times > last),
        lambda row: f"time {table.times[row]:g} is outside AVA's {first}-{last} s",
        hint="AVA's times count from the start of the film, not of the 15-minute cut.",
    )
