"""Read AVA files of millions of rows at the speed of pandas, and name the one bad row among them.

A block of lines in which every row has the same number of fields goes through pandas' C parser in one
piece. A block that it refuses is sorted by number of fields and divided again and again, until only the
rows that really cannot be read are left for ``row_parser``, which says what is wrong with them. So one bad
row in five million costs milliseconds, and a mixture of row kinds costs little more.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from evaluation.csv_blocks import read_blocks
from evaluation.errors import DataError
from evaluation.fast_rows import parse_block
from evaluation.row_diagnosis import diagnose
from evaluation.row_parser import FaultLog, RowFault, RowRules
from evaluation.row_run import RowRun, in_file_order
from evaluation.row_table import RowTable


def read_rows(path: str | Path, rules: RowRules, *, lenient: bool = False) -> RowTable:
    """Read an AVA file.

    Args:
        path: the CSV file, without header.
        rules: what this kind of file allows.
        lenient: skip rows that cannot be read and count them in the table's ``faults``.

    Raises:
        DataError: the file cannot be read, or (unless ``lenient``) one of its rows cannot; the message
            names file and row, what was found and what is expected.
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


class _Store:
    """Columns that grow: a file's rows are written once, where they stay, instead of gathered and joined."""

    def __init__(self, **kinds: tuple[type, tuple[int, ...]]) -> None:
        self._arrays: dict[str, np.ndarray] = {
            name: np.empty((0, *shape), kind) for name, (kind, shape) in kinds.items()
        }
        self._length = 0

    def append(self, run: RowRun, *, expected: int) -> None:
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
        run, width = parse_block(block, self._lines + 1, self._rules)
        if run is not None:
            self._lines += len(run.lines)
            self._keep([run], {width: len(run.lines)})
            return []
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        found = diagnose(lines, np.arange(len(lines), dtype=np.int32) + self._lines + 1, self._rules)
        self._lines += len(lines)
        self._keep(found.runs, found.field_counts)
        self._blank_lines += found.blank_lines
        found.faults.sort(key=lambda fault: fault.line)
        for fault in found.faults:
            self._faults.add(fault)
        return found.faults

    def _keep(self, runs: list[RowRun], field_counts: dict[int, int]) -> None:
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
                store.append(chosen[0] if len(chosen) == 1 else in_file_order(chosen), expected=expected)

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
