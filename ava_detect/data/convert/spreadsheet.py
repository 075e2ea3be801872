"""Labels in a table: a CSV file with a header, as spreadsheet programs save it.

A row is one person at one moment: ``video``, ``time`` or ``frame``, the box as ``x1, y1, x2, y2`` or ``x, y,
width, height``, ``action`` (several divided by ``;``), and, if known, ``person``. Columns are found by name,
in any order; comma, semicolon and tab are understood as separators, a decimal comma where the separator is
another one.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path

from ava_detect.data.convert.actions import ActionRules
from ava_detect.data.convert.labels import Box, LabelledBox, Labels
from ava_detect.data.convert.values import number, seconds, whole_number
from evaluation.errors import DataError


class BoxUnit(Enum):
    """What coordinates count."""

    AUTO = "auto"  # shares of the picture if none is above 1.5, else pixels; what was taken is said
    PIXELS = "pixels"
    SHARES = "normalised"


_NAMES: Mapping[str, frozenset[str]] = {
    "video": frozenset("video video_id video_name videoid file filename file_name clip".split()),
    "time": frozenset("time time_s seconds second sec timestamp t".split()),
    "frame": frozenset("frame frame_id frame_idx frame_index frame_number frameid".split()),
    "x1": frozenset("x1 xmin x_min xtl left x1_px".split()),
    "y1": frozenset("y1 ymin y_min ytl top y1_px".split()),
    "x2": frozenset("x2 xmax x_max xbr right x2_px".split()),
    "y2": frozenset("y2 ymax y_max ybr bottom y2_px".split()),
    "x": frozenset(["x"]),
    "y": frozenset(["y"]),
    "width": frozenset("width w".split()),
    "height": frozenset("height h".split()),
    "action": frozenset(
        "action actions label labels class class_name activity action_name behaviour".split()
    ),
    "person": frozenset("person person_id personid track track_id id actor".split()),
}
_CORNERS, _SIZED = ("x1", "y1", "x2", "y2"), ("x", "y", "width", "height")
_SHARES_BELOW = 1.5
_BINARY = {b"PK\x03\x04": "a workbook (.xlsx or .ods)", b"\xd0\xcf\x11\xe0": "a workbook (.xls)"}


def is_spreadsheet(header: str) -> bool:
    """Tell whether a first line names the columns of such a table."""
    return {"video", "action"} <= set(_columns(_fields(header, _separator(header))))


def read_spreadsheet(path: Path, rules: ActionRules, unit: BoxUnit = BoxUnit.AUTO) -> Labels:
    """Read a table.

    Raises:
        DataError: it cannot be read, a column is missing, or a value makes no sense.
    """
    rows = _rows(path)
    columns = _columns(rows[0][1]) if rows else {}
    corners = _check(columns, path, rows[0][1] if rows else [])
    boxes = [
        _box(
            dict(zip(columns, [fields[place] for place in columns.values()], strict=True)),
            corners,
            where,
            rules,
        )
        for where, fields in _full_rows(rows[1:], max(columns.values()) + 1, path)
    ]
    if not boxes:
        raise DataError(f"{path}: no row below its header")
    shares = _are_shares(boxes, unit)
    note = "coordinates are taken for " + ("shares of width and height" if shares else "pixels")
    marked = [_with_unit(box, shares) for box in boxes]
    return Labels("table", marked, notes=[note] if unit is BoxUnit.AUTO else [])


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return line number and fields of the rows that are not empty, the header first."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start in _BINARY:
            raise DataError(
                f"{path}: {_BINARY[start]}; a table in CSV is expected",
                hint="In the spreadsheet program: save a copy as CSV (UTF-8).",
            )
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=_separator(first))
            separated = [(reader.line_num, [field.strip() for field in fields]) for fields in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path}: cannot be read as a table ({error})", hint="Save it as CSV in UTF-8."
        ) from error
    rows = [(line, fields) for line, fields in separated if any(fields)]
    if rows and _separator(first) != ",":
        rows = [(line, [_DECIMAL_COMMA.sub(r"\1.\2", field) for field in fields]) for line, fields in rows]
    return rows


_DECIMAL_COMMA = re.compile(r"^(-?\d+),(\d+)$", re.ASCII)


def _separator(line: str) -> str:
    return max((",", ";", "\t"), key=line.count)


def _fields(line: str, separator: str) -> list[str]:
    return next(csv.reader([line.lstrip("\ufeff")], delimiter=separator), [])


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Return the place of every column that is known; the first of two alike."""
    columns: dict[str, int] = {}
    for place, field in enumerate(header):
        plain = re.sub(r"[\s\-]+", "_", field.strip().lower())
        for name, spellings in _NAMES.items():
            if plain in spellings:
                columns.setdefault(name, place)
    return columns


def _check(columns: Mapping[str, int], path: Path, header: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the four box columns."""
    corners = _CORNERS if columns.keys() >= set(_CORNERS) else _SIZED
    missing = [name for name in ("video", "action") if name not in columns]
    missing += [] if columns.keys() & {"time", "frame"} else ["time or frame"]
    missing += [] if columns.keys() >= set(corners) else ["x1, y1, x2, y2 (or x, y, width, height)"]
    if missing:
        raise DataError(
            f"{path}:1: no column {', no column '.join(missing)};"
            f" found: {', '.join(header)[:200] or 'nothing'}",
            hint="The first row names the columns, for example: video,time,x1,y1,x2,y2,action",
        )
    return corners


def _full_rows(rows: Sequence[tuple[int, list[str]]], needed: int, path: Path) -> list[tuple[str, list[str]]]:
    full = []
    for line, fields in rows:
        if len(fields) < needed:
            raise DataError(f"{path}:{line}: {len(fields)} fields; the header has {needed} or more")
        full.append((f"{path}:{line}", fields))
    return full


def _box(row: Mapping[str, str], corners: Sequence[str], place: str, rules: ActionRules) -> LabelledBox:
    a, b, c, d = (number(row[name], f"{place}: {name}") for name in corners)
    box: Box = (a, b, c, d) if tuple(corners) == _CORNERS else (a, b, a + c, b + d)
    if not row["video"]:
        raise DataError(f"{place}: video is missing")
    moment: int | float
    if row.get("time"):
        moment = seconds(row["time"], f"{place}: time")
    else:
        moment = whole_number(row.get("frame"), f"{place}: frame")
    actions = rules.actions(row["action"], [])
    return LabelledBox(row["video"], moment, box, actions, place, person=row.get("person", ""))


def _are_shares(boxes: Sequence[LabelledBox], unit: BoxUnit) -> bool:
    if unit is not BoxUnit.AUTO:
        return unit is BoxUnit.SHARES
    return max(max(box.box) for box in boxes) <= _SHARES_BELOW


def _with_unit(box: LabelledBox, shares: bool) -> LabelledBox:
    return LabelledBox(
        box.video, box.moment, box.box, box.actions, box.place, box.person, is_normalised=shares
    )
