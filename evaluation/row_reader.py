"""Read AVA files of millions of rows at the speed of pandas, and name the one bad row among them.

A block of lines in which every row has the same number of fields goes through pandas' C parser in one
piece. A block that it refuses is sorted by number of fields and divided again and again, until only the
rows that really cannot be read are left for ``row_parser``, which says what is wrong with them. So one bad
row in five million costs milliseconds, and a mixture of row kinds costs little more.
"""

import io
import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evaluation.csv_blocks import read_blocks
from evaluation.errors import DataError
from evaluation.row_parser import (
    MAX_ACTION_ID,
    MAX_TIME_S,
    Fault,
    FaultLog,
    ParsedRow,
    RowFault,
    RowRules,
    parse_class,
    parse_row,
    parse_time,
)
from evaluation.row_table import NO_CLASS, RowTable

if TYPE_CHECKING:
    import pandas as pd

_NAMES = ("video", "time", "x1", "y1", "x2", "y2", "class", "score")
_DIVISOR = 16  # parts that a refused piece is divided into
_SLOW_BELOW = 128  # a piece of at most so many rows is read row by row


def read_rows(path: str | Path, rules: RowRules, *, lenient: bool = False) -> RowTable:
    """Read an AVA file.

    Args:
        path: the CSV file, without header.
        rules: what this kind of file allows.
        lenient: skip rows that cannot be read and count them in the table's ``faults``.

    Raises:
        DataError: the file cannot be read, or (unless ``lenient``) one of its rows cannot; the message
        names
            file and row, what was found and what is expected.
    """
    _keep_freed_memory()
    gatherer = _Gatherer(path, rules)
    for block in read_blocks(path):
        faults = gatherer.add_block(block)
        if faults and not lenient:
            first = min(faults, key=lambda fault: fault.line)
            raise DataError(f"{path}:{first.line}: {first.problem}", hint=first.hint)
    return gatherer.table()


def _keep_freed_memory() -> None:
    """Let the C library hold freed memory for the next block instead of handing it back to the system.

    glibc sets the size up to which it does so by the largest block that was freed, up to 32 MB (mallopt(3),
    "dynamic mmap threshold"). Otherwise every block of text costs thousands of page faults: a third of the
    time that reading takes. Other C libraries are not affected.
    """
    block = np.empty((32 << 20) - (64 << 10), np.uint8)  # never touched, so it takes no memory
    del block


@dataclass(frozen=True)
class _Run:
    """Rows of a file as arrays; ``boxes`` is ``None`` for rows that only name a keyframe."""

    lines: np.ndarray  # [n] 1-based
    names: Sequence[str]
    videos: np.ndarray  # [n] index into names
    times: np.ndarray  # [n]
    boxes: np.ndarray | None = None  # [n, 4]
    action_ids: np.ndarray | None = None  # [n]
    scores: np.ndarray | None = None  # [n]


class _Store:
    """Columns that grow: a file's rows are written once, where they stay, instead of gathered and joined."""

    def __init__(self, **kinds: tuple[type, tuple[int, ...]]) -> None:
        self._arrays: dict[str, np.ndarray] = {
            name: np.empty((0, *shape), kind) for name, (kind, shape) in kinds.items()
        }
        self._length = 0

    def append(self, run: _Run, *, expected: int) -> None:
        """Add rows; ``expected`` is how many there will probably be in all (memory is taken when written)."""
        end = self._length + len(run.lines)
        for name, array in self._arrays.items():
            if end > len(array):
                grown = np.empty((max(end, expected, 2 * len(array)), *array.shape[1:]), array.dtype)
                grown[: self._length] = array[: self._length]
                self._arrays[name] = grown
            self._arrays[name][self._length : end] = getattr(run, name)
        self._length = end

    def columns(self, prefix: str = "") -> dict[str, np.ndarray]:
        """Return what was written, under the names of ``RowTable``."""
        return {prefix + name: array[: self._length] for name, array in self._arrays.items()}


class _Gatherer:
    """Gathers the rows of a file, block by block."""

    def __init__(self, path: str | Path, rules: RowRules) -> None:
        self._source, self._rules = str(path), rules
        self._bytes = _size(Path(path))
        self._bytes_read = 0
        self._codes: dict[str, int] = {}
        places = {"videos": (np.int32, ()), "times": (np.float64, ()), "lines": (np.int32, ())}
        self._bare = _Store(**places)
        self._rows = _Store(
            **places, boxes=(np.float64, (4,)), action_ids=(np.int32, ()), scores=(np.float64, ())
        )
        self._field_counts: dict[int, int] = {}
        self._faults = FaultLog()
        self._lines, self._blank_lines = 0, 0

    def add_block(self, block: bytes) -> list[RowFault]:
        """Read a block of lines and return the faults in it."""
        self._bytes_read += len(block)
        run, width = _parse_fast(block, self._lines + 1, self._rules)
        if run is not None:
            self._lines += len(run.lines)
            self._keep([run], {width: len(run.lines)})
            return []
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        found = _diagnose(lines, np.arange(len(lines), dtype=np.int32) + self._lines + 1, self._rules)
        self._lines += len(lines)
        self._keep(found.runs, found.field_counts)
        self._blank_lines += found.blank_lines
        found.faults.sort(key=lambda fault: fault.line)
        for fault in found.faults:
            self._faults.add(fault)
        return found.faults

    def _keep(self, runs: list[_Run], field_counts: dict[int, int]) -> None:
        """Take over the runs of one block, in file order, with videos numbered as in the whole file."""
        for width, count in field_counts.items():
            self._field_counts[width] = self._field_counts.get(width, 0) + count
        numbered = []
        for run in runs:
            codes = [self._codes.setdefault(name, len(self._codes)) for name in run.names]
            numbered.append(replace(run, names=(), videos=np.array(codes, np.int32)[run.videos]))
        expected = int(1.01 * self._lines * max(1.0, self._bytes / self._bytes_read))
        for store, chosen in (
            (self._bare, [run for run in numbered if run.boxes is None]),
            (self._rows, [run for run in numbered if run.boxes is not None]),
        ):
            if chosen:
                store.append(chosen[0] if len(chosen) == 1 else _in_file_order(chosen), expected=expected)

    def table(self) -> RowTable:
        """Return everything that was read."""
        return RowTable(
            source=self._source,
            video_names=tuple(self._codes),
            **self._rows.columns(),
            **self._bare.columns("bare_"),
            field_counts=self._field_counts,
            blank_lines=self._blank_lines,
            faults=self._faults,
        )


def _size(path: Path) -> int:
    """Return a file's size, 0 when it cannot be told (a pipe, no such file)."""
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0


def _in_file_order(runs: list[_Run]) -> _Run:
    """Join runs of one block, either all with boxes or all without, that lie between each other."""
    order = np.argsort(np.concatenate([run.lines for run in runs]))

    def joined(columns: list[np.ndarray | None]) -> np.ndarray | None:
        present = [column for column in columns if column is not None]
        return np.concatenate(present)[order] if present else None

    return _Run(
        lines=np.concatenate([run.lines for run in runs])[order],
        names=(),
        videos=np.concatenate([run.videos for run in runs])[order],
        times=np.concatenate([run.times for run in runs])[order],
        boxes=joined([run.boxes for run in runs]),
        action_ids=joined([run.action_ids for run in runs]),
        scores=joined([run.scores for run in runs]),
    )


def _parse_fast(
    block: bytes, first_line: int, rules: RowRules, numbers: np.ndarray | None = None
) -> tuple[_Run | None, int]:
    """Parse lines that have as many fields as the first one; ``None`` when anything about them is unusual.

    Accepts exactly what ``row_parser`` accepts, with the same values. The first row is read by both, because
    pandas would take a column of nothing but ``True`` and ``False`` for numbers.

    Args:
        block: whole lines.
        first_line: number of the first one.
        rules: what this kind of file allows.
        numbers: of all lines, when they do not follow each other in the file.
    """
    first = parse_row(block[: block.find(b"\n")] if b"\n" in block else block, first_line, rules)
    if not isinstance(first, ParsedRow) or b"\0" in block or (b"\r" in block and _has_bare_returns(block)):
        return None, 0
    try:
        frame = _pandas_frame(block, _NAMES[: first.fields], rules)
        if b'"' in block and len(frame) != block.count(b"\n") + (not block.endswith(b"\n")):
            return None, 0  # a quoted line feed
        if numbers is None:
            numbers = np.arange(first_line, first_line + len(frame), dtype=np.int32)
        run = _run_of_frame(frame, block, numbers, rules)
    except (ValueError, OverflowError, Warning, Fault):
        return None, 0
    return run, first.fields


def _has_bare_returns(block: bytes) -> bool:
    """Tell whether a carriage return stands alone; pandas would end a row there."""
    return block.count(b"\r") != block.count(b"\r\n")


def _pandas_frame(block: bytes, names: Sequence[str], rules: RowRules) -> "pd.DataFrame":
    import pandas as pd

    kinds: dict[str, str] = dict.fromkeys(_NAMES, "float64") | {"video": "category", "class": "category"}
    if rules.whole_seconds:
        kinds["time"] = "category"
    old = int(pd.__version__.split(".")[0]) < 3  # from 3 on exact parsing is the default
    exact = {"float_precision": "round_trip"} if old else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # rows that are longer than the first one only give a warning
        return pd.read_csv(
            io.BytesIO(block), header=None, names=list(names), dtype={name: kinds[name] for name in names},
            na_filter=False, index_col=False, skip_blank_lines=False, low_memory=False, engine="c", **exact,
        )  # fmt: skip


def _run_of_frame(frame: "pd.DataFrame", block: bytes, numbers: np.ndarray, rules: RowRules) -> _Run | None:
    videos, names = _videos(frame["video"], block)
    times = frame["time"]
    times = (
        _whole_numbers(times, lambda text: parse_time(text, rules))
        if rules.whole_seconds
        else times.to_numpy()
    )
    if "" in names or not (np.abs(times) <= MAX_TIME_S).all():
        return None
    run = _Run(numbers, names, videos, times)
    if frame.shape[1] == 2:
        return run
    boxes = frame[["x1", "y1", "x2", "y2"]].to_numpy()
    scores = frame["score"].to_numpy() if "score" in frame else np.ones(len(frame))
    if np.isnan(boxes).any() or np.isnan(scores).any() or (rules.ordered_boxes and not _are_ordered(boxes)):
        return None
    action_ids = np.full(len(frame), NO_CLASS)
    if "class" in frame:
        action_ids = _whole_numbers(frame["class"], lambda text: parse_class(text, rules))
    action_ids = action_ids.clip(-MAX_ACTION_ID, MAX_ACTION_ID).astype(np.int32)
    return replace(run, boxes=boxes, action_ids=action_ids, scores=scores)


def _are_ordered(boxes: np.ndarray) -> bool:
    return bool(np.isfinite(boxes).all() and (boxes[:, :2] <= boxes[:, 2:]).all())


def _videos(column: "pd.Series", block: bytes) -> tuple[np.ndarray, list[str]]:
    """Return the video of every row as an index into a list of names.

    From 3.1 on pandas turns categories that look like numbers into numbers, so that "01" and "1" would be
    one video; such a column is read again as plain text.
    """
    import pandas as pd

    names = list(column.cat.categories)
    if all(isinstance(name, str) for name in names):
        return column.cat.codes.to_numpy().astype(np.int32), names
    texts = pd.read_csv(
        io.BytesIO(block), header=None, usecols=[0], dtype=object, na_filter=False, skip_blank_lines=False
    )
    codes, distinct = pd.factorize(texts[0])
    return codes.astype(np.int32), list(distinct)


def _whole_numbers(column: "pd.Series", parse: Callable[[str], float]) -> np.ndarray:
    """Return a column of integers, whose categories are texts or, from pandas 3.1 on, numbers if they can be.

    Raises:
        Fault: a text is no integer.
    """
    categories = column.cat.categories
    if categories.dtype.kind == "i":  # only if every text is an integer; "12.0" would make all of them floats
        values = categories.to_numpy()
    elif all(isinstance(text, str) for text in categories):
        values = np.array([parse(text) for text in categories])
    else:
        raise Fault("class", "not all are integers")
    return values[column.cat.codes.to_numpy()]


class _Findings:
    """What a block that pandas refused consists of."""

    def __init__(self, rules: RowRules) -> None:
        self.rules = rules
        self.runs: list[_Run] = []
        self.faults: list[RowFault] = []
        self.field_counts: dict[int, int] = {}
        self.blank_lines = 0

    def parse(self, lines: list[bytes], numbers: np.ndarray) -> bool:
        """Take rows in one piece when possible."""
        run, width = _parse_fast(b"\n".join(lines) + b"\n", int(numbers[0]), self.rules, numbers)
        if run is None:
            return False
        self.runs.append(run)
        self.field_counts[width] = self.field_counts.get(width, 0) + len(lines)
        return True

    def divide(self, lines: list[bytes], numbers: np.ndarray) -> None:
        """Take a refused piece part by part; when most parts are refused too, row by row."""
        if len(lines) <= _SLOW_BELOW:
            self.parse_slowly(lines, numbers)
            return
        bounds = np.linspace(0, len(lines), _DIVISOR + 1).astype(int).tolist()
        parts = [slice(start, end) for start, end in itertools.pairwise(bounds)]
        refused = [part for part in parts if not self.parse(lines[part], numbers[part])]
        take = self.parse_slowly if len(refused) > _DIVISOR // 2 else self.divide
        for part in refused:
            take(lines[part], numbers[part])

    def parse_slowly(self, lines: list[bytes], numbers: np.ndarray) -> None:
        """Take rows one by one."""
        good: dict[bool, list[tuple[int, ParsedRow]]] = {False: [], True: []}
        for line, number in zip(lines, numbers.tolist(), strict=True):
            row = parse_row(line, number, self.rules)
            if row is None:
                self.blank_lines += 1
            elif isinstance(row, RowFault):
                self.faults.append(row)
            else:
                good[bool(row.box)].append((number, row))
                self.field_counts[row.fields] = self.field_counts.get(row.fields, 0) + 1
        self.runs += [_run_of_rows(rows) for rows in good.values() if rows]


def _diagnose(lines: list[bytes], numbers: np.ndarray, rules: RowRules) -> _Findings:
    """Read a refused block: rows with equal numbers of fields together, what is left one by one."""
    findings = _Findings(rules)
    if rules.empty_score:
        lines = [_without_empty_score(line) for line in lines]
    # Quoted commas would be miscounted; such rows count as having no fields and are read one by one.
    widths = np.array([0 if b'"' in line else line.count(b",") + 1 for line in lines])
    for width in np.unique(widths).tolist():
        places = np.flatnonzero(widths == width)
        chosen, chosen_numbers = [lines[place] for place in places.tolist()], numbers[places]
        if width not in rules.field_counts:
            findings.parse_slowly(chosen, chosen_numbers)
        elif not findings.parse(chosen, chosen_numbers):
            findings.divide(chosen, chosen_numbers)
    return findings


def _without_empty_score(line: bytes) -> bytes:
    """Drop an empty 8th field, so that the row reads like one with 7."""
    stripped = line.rstrip(b"\r")
    return stripped[:-1] if stripped.endswith(b",") and line.count(b",") == 7 else line


def _run_of_rows(rows: list[tuple[int, ParsedRow]]) -> _Run:
    """Turn single rows, either all with a box or all without, into arrays."""
    codes: dict[str, int] = {}
    videos = np.array([codes.setdefault(row.video_id, len(codes)) for _, row in rows], np.int32)
    numbers = np.array([number for number, _ in rows], np.int32)
    run = _Run(numbers, tuple(codes), videos, np.array([row.time for _, row in rows]))
    if not rows[0][1].box:
        return run
    return replace(
        run,
        boxes=np.array([row.box for _, row in rows]),
        action_ids=np.array([row.action_id for _, row in rows], np.int32),
        scores=np.array([row.score for _, row in rows], np.float64),
    )
