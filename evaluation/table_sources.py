"""Rows from wherever a caller has them: a file, a table, a DataFrame, single rows; checked alike."""

import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np

from evaluation.errors import DataError
from evaluation.protocol import Protocol
from evaluation.row_parser import DETECTIONS, GROUND_TRUTH, MAX_TIME_S, RowFault, RowRules, parse_row
from evaluation.row_reader import read_rows
from evaluation.row_table import ActionRow, RowTable, table_of_rows

if TYPE_CHECKING:
    import pandas as pd

RowSource: TypeAlias = Union[str, Path, RowTable, "pd.DataFrame", Iterable[ActionRow]]


def groundtruth_table(source: RowSource, protocol: Protocol, *, lenient: bool = False) -> RowTable:
    """Read ground truth as the protocol's reader would.

    Args:
        source: a file, or the same in memory: a table, a DataFrame with AVA's columns in order, or rows.
        protocol: decides which rows are legal.
        lenient: skip rows that cannot be used and count them.

    Raises:
        DataError: the source or (unless ``lenient``) a row cannot be used.
    """
    fields = GROUND_TRUTH.field_counts if protocol.bare_rows else (7, 8)
    rules = replace(GROUND_TRUTH, field_counts=fields, whole_seconds=protocol.whole_seconds)
    return _table(source, rules, lenient, name="ground truth")


def detections_table(source: RowSource, protocol: Protocol, *, lenient: bool = False) -> RowTable:
    """Read detections as the protocol's reader would; see ``groundtruth_table``.

    Raises:
        DataError: the source or (unless ``lenient``) a row cannot be used.
    """
    fields = DETECTIONS.field_counts if protocol.bare_rows else (8,) if protocol.needs_scores else (7, 8)
    rules = replace(DETECTIONS, field_counts=fields, whole_seconds=protocol.whole_seconds)
    return _table(source, rules, lenient, name="detections")


def _table(source: RowSource, rules: RowRules, lenient: bool, name: str) -> RowTable:
    if isinstance(source, str | Path):
        return read_rows(source, rules, lenient=lenient)
    if isinstance(source, RowTable):
        table = source
    elif hasattr(source, "iloc"):
        table = _table_of_frame(source, name)
    else:
        table = table_of_rows(source, source=name)
    return _checked(table, rules, lenient)


def _table_of_frame(frame: "pd.DataFrame", name: str) -> RowTable:
    """Take a DataFrame's columns by position; what is no number becomes NaN and is found by ``_checked``."""
    import pandas as pd

    if frame.shape[1] not in (2, 7, 8):
        raise DataError(f"{name}: a DataFrame with {frame.shape[1]} columns, expected AVA's 2, 7 or 8")
    numbers = frame.iloc[:, 1:].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    codes, names = pd.factorize(frame.iloc[:, 0].astype(str))
    lines = np.arange(1, len(frame) + 1, dtype=np.int32)
    bare = np.isnan(numbers[:, 1:]).all(axis=1)
    rest = np.full((len(frame), 7), np.nan)
    rest[:, : numbers.shape[1]] = numbers
    if frame.shape[1] == 7:
        rest[:, 6] = 1.0
    return RowTable(
        source=name,
        video_names=tuple(map(str, names)),
        videos=codes[~bare].astype(np.int32),
        times=rest[~bare, 0],
        boxes=rest[~bare, 1:5],
        action_ids=_whole(rest[~bare, 5]),
        scores=rest[~bare, 6],
        lines=lines[~bare],
        bare_videos=codes[bare].astype(np.int32),
        bare_times=rest[bare, 0],
        bare_lines=lines[bare],
        field_counts={count: n for count, n in ((2, int(bare.sum())), (8, int((~bare).sum()))) if n},
    )


_NOT_WHOLE = np.iinfo(np.int32).min


def _whole(values: np.ndarray) -> np.ndarray:
    """Turn class ids into integers; what is no class id becomes one that ``_checked`` refuses."""
    valid = (np.abs(values) < 2**31) & (values == np.rint(values))
    return np.where(valid, values, _NOT_WHOLE).astype(np.int32)


def _checked(table: RowTable, rules: RowRules, lenient: bool) -> RowTable:
    """Hold rows that come from memory to the rules that files are held to."""
    good = (np.abs(table.times) <= MAX_TIME_S) & ~np.isnan(table.boxes).any(axis=1) & ~np.isnan(table.scores)
    good &= table.action_ids != _NOT_WHOLE
    good_bare = np.abs(table.bare_times) <= MAX_TIME_S
    if rules.ordered_boxes:
        good &= np.isfinite(table.boxes).all(axis=1) & (table.boxes[:, :2] <= table.boxes[:, 2:]).all(axis=1)
    if rules.whole_seconds:
        good &= table.times == np.rint(table.times)
    if 2 not in rules.field_counts:
        good_bare[:] = False
    if good.all() and good_bare.all():
        return table
    faults = [_fault_of_row(table, row, rules) for row in np.flatnonzero(~good).tolist()]
    faults += [_fault_of_bare(table, row, rules) for row in np.flatnonzero(~good_bare).tolist()]
    faults.sort(key=lambda fault: fault.line)
    if not lenient:
        raise DataError(f"{table.source}, row {faults[0].line}: {faults[0].problem}", hint=faults[0].hint)
    for fault in faults:
        table.faults.add(fault)
    bare = {name: getattr(table, name)[good_bare] for name in ("bare_videos", "bare_times", "bare_lines")}
    return replace(table.select(good), **bare)


def _fault_of_row(table: RowTable, row: int, rules: RowRules) -> RowFault:
    action_id = int(table.action_ids[row])
    values = [_text(table.times[row]), *map(_text, table.boxes[row]), action_id, _text(table.scores[row])]
    if action_id == _NOT_WHOLE:
        return RowFault(int(table.lines[row]), "class", "action_id is not a whole number")
    return _fault(table.video_names[table.videos[row]], values, int(table.lines[row]), rules)


def _fault_of_bare(table: RowTable, row: int, rules: RowRules) -> RowFault:
    name = table.video_names[table.bare_videos[row]]
    return _fault(name, [_text(table.bare_times[row])], int(table.bare_lines[row]), rules)


def _fault(video_id: str, values: list[object], line: int, rules: RowRules) -> RowFault:
    """Let the parser of files say what is wrong with a row."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([video_id, *values])
    fault = parse_row(text.getvalue().encode("utf-8", errors="replace"), line, rules)
    if isinstance(fault, RowFault):
        return fault
    raise ValueError(f"row {line} was refused and parses: {text.getvalue()}")


def _text(value: float) -> str:
    return repr(int(value)) if float(value).is_integer() else repr(float(value))
