"""Blocks of rows that pandas refuses: divided until the culprits stand alone, and everything else is kept."""

import itertools

import numpy as np

from evaluation.fast_rows import parse_block
from evaluation.row_parser import ParsedRow, RowFault, RowRules, parse_row
from evaluation.row_run import RowRun, run_of_rows

_DIVISOR = 16  # parts that a refused piece is divided into
_SLOW_BELOW = 128  # a piece of at most so many rows is read row by row


class Diagnosis:
    """What a block that pandas refused consists of."""

    def __init__(self, rules: RowRules) -> None:
        self.rules = rules
        self.runs: list[RowRun] = []
        self.faults: list[RowFault] = []
        self.field_counts: dict[int, int] = {}
        self.blank_lines = 0

    def parse(self, lines: list[bytes], numbers: np.ndarray) -> bool:
        """Take rows in one piece when possible."""
        run, width = parse_block(b"\n".join(lines) + b"\n", int(numbers[0]), self.rules, numbers)
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
        self.runs += [run_of_rows(rows) for rows in good.values() if rows]


def diagnose(lines: list[bytes], numbers: np.ndarray, rules: RowRules) -> Diagnosis:
    """Read a refused block: rows with equal numbers of fields together, what is left one by one."""
    findings = Diagnosis(rules)
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
