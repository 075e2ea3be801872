"""CSV files of AVA rows: everything readable is read, everything else is a finding with its row.

The rows come from the project's one reader; only the rule that boxes must be ordered is lifted, so that rows
in another layout (x, y, width, height) are there to be recognised as such.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ava_detect.data.check import remedies
from ava_detect.data.check.finding import Finding, Place, some
from ava_detect.data.check.kinds import Kind
from evaluation.errors import DataError
from evaluation.keyframes import Keyframes, number_keyframes
from evaluation.row_parser import DETECTIONS, GROUND_TRUTH, PERSON_BOXES, FaultLog, RowFault, RowRules
from evaluation.row_reader import read_rows
from evaluation.row_table import RowTable

RULES = {
    Kind.TRUTH: replace(GROUND_TRUTH, ordered_boxes=False),
    Kind.PREDICTIONS: DETECTIONS,
    Kind.BOXES: replace(PERSON_BOXES, ordered_boxes=False),
    Kind.EXCLUSIONS: RowRules("excluded keyframes", "", (2,)),
}
_SHOWN_CHARACTERS = 160
_SEPARATORS = {";": "semicolons", "\t": "tabs", " ": "spaces"}
_SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class RowFile:
    """A file of AVA rows.

    Attributes:
        kind: ground truth, predictions, person boxes or excluded keyframes.
        table: the rows that can be read.
        split: "train", "val", "test", or "" when neither the data set nor the file's name says.
    """

    kind: Kind
    table: RowTable
    split: str = ""

    @property
    def source(self) -> str:
        """The file."""
        return self.table.source

    def summary(self) -> str:
        """Say how much is in the file."""
        table = self.table
        if self.kind is Kind.EXCLUSIONS:
            return f"{len(table.bare_times):,} keyframes, {len(table.video_names):,} videos"
        parts = [f"{len(table):,} rows", f"{len(self.keyframes):,} keyframes"]
        parts.append(f"{len(table.video_names):,} videos")
        if self.kind is not Kind.BOXES and len(table):
            parts.append(f"{len(np.unique(table.action_ids)):,} classes")
        return ", ".join(parts)

    @cached_property
    def keyframes(self) -> Keyframes:
        """The keyframes that the file names."""
        return number_keyframes(self.table)


def all_places(table: RowTable) -> tuple[np.ndarray, np.ndarray]:
    """Return video and time of every row, rows that only name a keyframe behind the others."""
    return (
        np.concatenate([table.videos, table.bare_videos]),
        np.concatenate([table.times, table.bare_times]),
    )


def all_lines(table: RowTable) -> np.ndarray:
    """Return the rows' places in the file, in the order of ``all_places``."""
    return np.concatenate([table.lines, table.bare_lines])


def split_in_name(path: str) -> str:
    """Return the split that a file's name says, "" if it says none or several."""
    words = set(re.split(r"[^a-z]+", Path(path).stem.lower()))
    if words & {"valid", "validation"}:
        words.add("val")
    if words & {"training"}:
        words.add("train")
    found = [split for split in _SPLITS if split in words]
    return found[0] if len(found) == 1 else ""


def read_row_file(path: Path, kind: Kind, *, split: str = "") -> tuple[RowFile | None, list[Finding]]:
    """Read a file of AVA rows.

    Args:
        path: the file.
        kind: one of ``ROW_KINDS``.
        split: if the caller knows it.

    Returns:
        The rows, ``None`` if the file cannot be read at all; and what is wrong with the file as text.
    """
    try:
        table = read_rows(path, RULES[kind], lenient=True)
    except DataError as error:
        message = str(error).removeprefix(f"{path}: ")
        return None, [Finding("unreadable", str(path), message, hint=error.hint)]
    file = RowFile(kind, table, split or split_in_name(str(path)))
    return file, list(_text_findings(file))


def _text_findings(file: RowFile) -> Iterator[Finding]:
    table = file.table
    if table.faults.total:
        yield from _row_faults(table, separator=_other_separator(table))
    if not len(table) and not len(table.bare_times) and not table.faults.total:
        yield Finding("empty", file.source, f"no rows in it; expected {file.kind.value}")
    elif not len(table) and file.kind in (Kind.PREDICTIONS, Kind.BOXES):
        yield Finding("empty", file.source, f"no boxes in it; expected {file.kind.value}")
    if table.blank_lines:
        yield Finding(
            "blank-lines",
            file.source,
            f"{table.blank_lines:,} blank lines; they are passed over here, AVA's own tool stops at them",
            table.blank_lines,
            _first_blank_line(file.source),
            f"sed '/^[[:space:]]*$/d' {remedies.in_out(file.source)}",
        )
    destroyed = [name for name in table.video_names if name.startswith(("#NAME", "#REF", "#VALUE"))]
    if destroyed:
        message = f"video ids like {destroyed[0]!r}: a spreadsheet took ids that begin with - for formulas"
        hint = "Take the file as it was before it was opened there; import ids as text."
        yield Finding("destroyed-ids", file.source, message, len(destroyed), hint=hint)


def _row_faults(table: RowTable, separator: str) -> Iterator[Finding]:
    """Yield one finding per kind of row that cannot be read."""
    by_kind: dict[str, list[RowFault]] = {}
    for example in table.faults.examples:
        by_kind.setdefault(example.kind, []).append(example)
    for kind, examples in by_kind.items():
        count, first = table.faults.counts[kind], examples[0]
        places = tuple(Place(table.source, fault.line, shown_text(fault.text)) for fault in examples)
        message, hint = first.problem, first.hint
        if count > 1:
            message += f" (and {count - 1:,} more rows that cannot be read)"
        if kind == "header":
            hint = remedies.without_first_row(table.source)
        elif separator and kind in ("columns", "video_id"):
            message = f"the columns are separated by {_SEPARATORS[separator]}, expected commas"
            hint = remedies.with_commas(table.source, separator)
        yield Finding(f"row-{kind.replace('_', '-')}", table.source, message, count, places, hint)


def _other_separator(table: RowTable) -> str:
    """Return what stands between the columns when no row could be read and it is no comma."""
    if len(table) or len(table.bare_times):
        return ""
    for fault in table.faults.examples:
        for separator in _SEPARATORS:
            if fault.text.count(separator) >= 5:
                return separator
    return ""


def _first_blank_line(source: str) -> tuple[Place, ...]:
    with Path(source).open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                return (Place(source, number),)
    return ()


def shown_text(text: str) -> str:
    """Make text from a file fit for a terminal: one line, not too long, nothing that moves the cursor."""
    clean = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
    return clean if len(clean) <= _SHOWN_CHARACTERS else clean[: _SHOWN_CHARACTERS - 3] + "..."


def with_row_texts(findings: Iterable[Finding]) -> list[Finding]:
    """Put the rows themselves beside their places; every file is read once, up to the last row needed."""
    listed = list(findings)
    wanted: dict[str, set[int]] = {}
    for place in itertools.chain.from_iterable(finding.places for finding in listed):
        if place.line and not place.text:
            wanted.setdefault(place.file, set()).add(place.line)
    texts = {
        (source, line): text for source, lines in wanted.items() for line, text in _rows_of(source, lines)
    }
    return [
        replace(
            finding,
            places=tuple(
                replace(place, text=place.text or texts.get((place.file, place.line), ""))
                for place in finding.places
            ),
        )
        for finding in listed
    ]


def _rows_of(source: str, lines: set[int]) -> Iterator[tuple[int, str]]:
    last = max(lines)
    try:
        with Path(source).open("rb") as file:
            for number, line in enumerate(itertools.islice(file, last), start=1):
                if number in lines:
                    text = line[:1000].decode("utf-8", errors="replace").removeprefix("\ufeff")
                    yield number, shown_text(text.strip())
    except OSError:  # it was readable a moment ago; the place without its text is still right
        return


def with_finite_boxes(table: RowTable) -> RowTable:
    """Return the table as the evaluator may have it: infinite boxes, which were reported, left out."""
    finite = np.isfinite(table.boxes).all(axis=1)
    return replace(table.select(np.flatnonzero(finite)), faults=FaultLog())


def without_faults(table: RowTable) -> RowTable:
    """Return the table without boxes that are infinite or inverted, which ground truth may not have."""
    finite = with_finite_boxes(table)
    return finite.select(np.flatnonzero((finite.boxes[:, :2] <= finite.boxes[:, 2:]).all(axis=1)))


def named(names: Iterable[str]) -> str:
    """Show a few video ids, quoted, so that spaces and empty ones can be seen."""
    return some([repr(shown_text(name)) for name in sorted(names)])
