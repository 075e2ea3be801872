"""Boxes of a file by themselves: in [0, 1], left before right, as persons are shaped, each there once."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType

import numpy as np

from ava_detect.data.check import remedies
from ava_detect.data.check.finding import Finding, about_rows
from ava_detect.data.check.kinds import Kind
from ava_detect.data.check.row_files import RowFile
from evaluation.findings import repeated_rows
from evaluation.keyframes import number_keyframes
from evaluation.overlaps import distinct_boxes
from evaluation.row_table import RowTable

_FAR = 2.0  # a coordinate beyond this is in another unit; nearer ones reach over the picture's edge
_OVERSHOOT = 0.02  # so much beyond the edge is rounding, or a detector that does not clip
_CORNER = 0.05  # if no coordinate is larger, all boxes lie in a corner: normalised twice
_SPECK = 0.005  # a person narrower or lower than this has two pixels of 340
_MANY = 0.05  # share of rows that makes an accident a layout
_WIDE, _VERY_WIDE = 0.6, 0.9  # shares of boxes wider than high; AVA's films have 0.01 to 0.2
_ENOUGH = 20
_FULL_HD = (1920, 1080)
_UNKNOWN: Mapping[str, tuple[int, int]] = MappingProxyType({})

_TO_CORNERS = "$5+=$3; $6+=$4"
_FROM_CENTRE = "w=$5; h=$6; $5=$3+w/2; $6=$4+h/2; $3-=w/2; $4-=h/2"
_SWAP = "t=$3; $3=$4; $4=t; t=$5; $5=$6; $6=t"


def look_at_boxes(file: RowFile, *, pictures: Mapping[str, tuple[int, int]] = _UNKNOWN) -> Iterator[Finding]:
    """Look at the boxes of a file.

    Args:
        file: ground truth, predictions or person boxes.
        pictures: width and height of the videos' pictures, by video id, as far as they are known.
    """
    table = file.table
    if not len(table):
        return
    finite = np.isfinite(table.boxes).all(axis=1)
    yield from about_rows("not-finite", table, ~finite, "{count} have a box that is not finite")
    if not finite.any():
        return
    yield from _outside(file, finite, pictures)
    checks = (_order, _corner, _shape, _identical, _flat, _specks, _repeated, _person_twice)
    yield from chain.from_iterable(check(file, finite) for check in checks)


def _outside(file: RowFile, finite: np.ndarray, pictures: Mapping[str, tuple[int, int]]) -> Iterable[Finding]:
    table, boxes = file.table, file.table.boxes
    outside = finite & ((boxes < 0) | (boxes > 1)).any(axis=1)
    if not outside.any():
        return
    far = finite & (np.abs(boxes) > _FAR).any(axis=1)
    largest = float(boxes[outside].max())
    if 2 * far.sum() >= outside.sum():
        unit = "pixels or per cent" if largest <= 100 else "pixels"
        yield from about_rows(
            "pixels",
            table,
            outside,
            f"{{count}} have a box that is not in [0, 1]; they look like {unit} (largest value {largest:g})",
            hint=_division(file, outside, pictures),
        )
        return
    over = max(largest - 1, -float(boxes[outside].min()))
    yield from about_rows(
        "slightly-outside" if over <= _OVERSHOOT else "outside",
        table,
        outside,
        f"{{count}} have a box that is not in [0, 1], by up to {over:.3g}; AVA boxes are normalised",
        hint="Cut boxes at the edge of the picture." if over <= _OVERSHOOT else "",
    )


def _division(file: RowFile, outside: np.ndarray, pictures: Mapping[str, tuple[int, int]]) -> str:
    """Return the line that divides the boxes in pixels, for the pictures' size if it is one and fits."""
    table = file.table
    sizes = {pictures.get(table.video_names[code]) for code in np.unique(table.videos[outside]).tolist()}
    size = sizes.pop() if len(sizes) == 1 else None
    known = size is not None and table.boxes[outside].max() <= 1.05 * max(size)
    width, height = size if size is not None and known else _FULL_HD
    if table.boxes[outside].max() <= 100:
        width = height = 100
    program = f"$3/={width}; $5/={width}; $4/={height}; $6/={height}"
    line = remedies.change_columns(table.source, program, only="NF>2 && ($5>1 || $6>1)")
    shown = f"{width}x{height}" if known else f"for example {width}x{height}"
    if width == height == 100:
        return f"If per cent, divide by 100; if pixels, by the picture's width and height:\n{line}"
    return f"Divide by the picture's width and height ({shown}):\n{line}"


def _order(file: RowFile, finite: np.ndarray) -> Iterable[Finding]:
    table = file.table
    inverted = finite & (table.boxes[:, :2] > table.boxes[:, 2:]).any(axis=1)
    if not inverted.any():
        return
    message, program = "{count} have x1 > x2 or y1 > y2", ""
    if inverted.sum() >= max(2, _MANY * finite.sum()):
        layout, program = _layout(table.boxes[finite])
        message += f"; the boxes look like {layout}" if layout else ""
    hint = "Boxes are x1, y1, x2, y2: left, top, right, bottom."
    if program:
        hint += "\n" + remedies.change_columns(table.source, program)
    yield from about_rows("inverted", table, inverted, message, hint=hint)


def _layout(boxes: np.ndarray) -> tuple[str, str]:
    """Name the layout in which nearly all boxes lie inside the picture, and what turns it into AVA's."""
    a, b, c, d = boxes.T
    edge = np.where(boxes.max() > _FAR, np.inf, 1 + _OVERSHOOT)
    if ((a + c <= edge) & (b + d <= edge)).mean() >= 0.99:
        return "x, y, width, height", _TO_CORNERS
    inside = (
        (a - c / 2 >= -_OVERSHOOT) & (b - d / 2 >= -_OVERSHOOT) & (a + c / 2 <= edge) & (b + d / 2 <= edge)
    )
    if inside.mean() >= 0.99:
        return "centre x, centre y, width, height", _FROM_CENTRE
    return "", ""


def _corner(file: RowFile, finite: np.ndarray) -> Iterable[Finding]:
    table = file.table
    largest = float(np.abs(table.boxes[finite]).max())
    if largest < _CORNER:
        message = f"{{count}} lie in the upper left corner (largest value {largest:.3g}); normalised twice?"
        yield from about_rows("corner", table, finite, message)


def _shape(file: RowFile, finite: np.ndarray) -> Iterable[Finding]:
    """People are higher than wide; boxes that are not may have y before x."""
    table = file.table
    widths, heights = _sizes(table).T
    proper = finite & (widths > 0) & (heights > 0)
    if proper.sum() < _ENOUGH or not _is_varied(table.boxes[proper]):
        return
    if table.boxes[proper].max() > _FAR:
        heights = heights * 16 / 9  # pixels: as if of a wide picture
    wide = proper & (widths > heights)
    share = float(wide.sum() / proper.sum())
    if share >= _WIDE:
        yield from about_rows(
            "y-before-x" if share >= _VERY_WIDE else "wide-boxes",
            table,
            wide,
            f"{{count}} ({share:.0%}) have a box that is wider than high, in AVA at most 20 %; "
            "they look like y1, x1, y2, x2",
            hint="Unless nearly everybody lies:\n" + remedies.change_columns(table.source, _SWAP),
        )


def _sizes(table: RowTable) -> np.ndarray:
    """Return [R, 2] widths and heights; NaN for boxes that are not finite."""
    with np.errstate(invalid="ignore"):
        return table.boxes[:, 2:] - table.boxes[:, :2]


def _is_varied(boxes: np.ndarray) -> bool:
    return bool((boxes != boxes[0]).any())


def _identical(file: RowFile, finite: np.ndarray) -> Iterable[Finding]:
    table = file.table
    if len(table) < _ENOUGH / 2 or not finite.all() or _is_varied(table.boxes):
        return
    box = ", ".join(f"{value:g}" for value in table.boxes[0].tolist())
    whole = (table.boxes[0] == (0, 0, 1, 1)).all()
    what = f"{box} (the whole picture)" if whole else box
    if len(number_keyframes(table)) > 1:
        yield from about_rows("identical-boxes", table, finite, f"all boxes are the same: {what}")


def _flat(file: RowFile, finite: np.ndarray) -> Iterable[Finding]:
    x1, y1, x2, y2 = file.table.boxes.T
    flat = finite & (((x1 == x2) & (y1 <= y2)) | ((y1 == y2) & (x1 <= x2)))
    if file.kind is Kind.TRUTH:
        code, message = "flat-truth", "{count} have a box without area; it counts and can never be found"
    else:
        code, message = "flat-boxes", "{count} have a box without area, of no use"
    yield from about_rows(code, file.table, flat, message, hint=remedies.without_flat_boxes(file.source))


def _specks(file: RowFile, finite: np.ndarray) -> Iterable[Finding]:
    table = file.table
    sizes = _sizes(table).min(axis=1)
    speck = finite & (sizes > 0) & (sizes < _SPECK)
    if np.abs(table.boxes[finite]).max() >= _CORNER:  # else all are, and that has been said
        message = f"{{count}} have a box narrower or lower than {_SPECK:.1%} of the picture"
        yield from about_rows("specks", table, speck, message)


def _repeated(file: RowFile, _: np.ndarray) -> Iterable[Finding]:
    table = file.table
    yield from about_rows(
        "repeated-rows",
        table,
        repeated_rows(table, np.arange(len(table))),
        "{count} repeat video, time, box and class of an earlier one; "
        + ("every copy counts" if file.kind is Kind.TRUTH else "the copies are false positives"),
        hint=remedies.without_copies(table.source),
    )


def _person_twice(file: RowFile, _: np.ndarray) -> Iterable[Finding]:
    """In one keyframe, a person id belongs to one box."""
    table = file.table
    if file.kind is not Kind.TRUTH or not _has_person_ids(table):
        return
    frames = file.keyframes.of_rows[0]
    first, _ = distinct_boxes(frames, table.boxes)
    order = first[np.lexsort((first, table.scores[first], frames[first]))]
    again = np.zeros(len(table), bool)
    same = (frames[order][1:] == frames[order][:-1]) & (table.scores[order][1:] == table.scores[order][:-1])
    again[order[1:][same]] = True
    message = "{count} have the person id of another box in the same keyframe"
    yield from about_rows("person-twice", table, again, message)


def _has_person_ids(table: RowTable) -> bool:
    """Tell whether the 8th column tells persons apart."""
    return table.field_counts.get(8, 0) == len(table) and bool((table.scores != table.scores[0]).any())
