"""What the checks say: findings with their places, the things that were looked at, and the report of both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from ava_detect.data.check.catalogue import CATALOGUE, Severity
from evaluation.row_table import RowTable

__all__ = ["Finding", "Place", "Report", "Severity", "Status", "Subject", "about_rows", "merged", "some"]

MAX_PLACES = 3
_NAMED = 3


@dataclass(frozen=True)
class Place:
    """Where a finding can be seen.

    Attributes:
        file: a path, as it was given.
        line: 1-based row of the file; 0 where the file has no rows.
        text: the row itself, shortened.
    """

    file: str
    line: int = 0
    text: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}  {self.text}" if self.text else place


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or that one should know.

    Attributes:
        code: a key of ``CATALOGUE``, for programs; it says how bad the finding is.
        subject: the file or folder concerned, as it was given.
        message: what was found and what was expected.
        count: rows, keyframes, classes or files concerned; 0 where there is nothing to count.
        places: the first few.
        hint: what to type or to change; the catalogue's remedy if nothing better is known; may be empty.
    """

    code: str
    subject: str
    message: str
    count: int = 0
    places: tuple[Place, ...] = ()
    hint: str = ""

    def __post_init__(self) -> None:
        if self.code not in CATALOGUE:
            raise ValueError(f"finding {self.code!r} is not in the catalogue")
        if not self.hint:
            object.__setattr__(self, "hint", _sentence(CATALOGUE[self.code].remedy))

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return CATALOGUE[self.code].severity


def _sentence(remedy: str) -> str:
    """Turn a catalogue's remedy, which is Markdown, into a line of a report."""
    text = remedy.replace("`", "")
    end = "" if not remedy or remedy.endswith("`") else "."
    return f"{text[:1].upper()}{text[1:]}{end}"


class Status(Enum):
    """The worst that was found about a thing."""

    OK = "ok"
    NOTE = "note"
    FAULT = "FAULT"


@dataclass(frozen=True)
class Subject:
    """A thing that was looked at.

    Attributes:
        path: as it was given.
        kind: what it was taken for, for example "ground truth".
        summary: how much is in it.
    """

    path: str
    kind: str
    summary: str = ""


@dataclass
class Report:
    """Everything that was looked at and everything that was found."""

    subjects: list[Subject] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def faults(self) -> list[Finding]:
        """What makes results wrong or impossible."""
        return [finding for finding in self.findings if finding.severity is Severity.FAULT]

    @property
    def notes(self) -> list[Finding]:
        """What one should know."""
        return [finding for finding in self.findings if finding.severity is Severity.NOTE]

    def status_of(self, path: str) -> Status:
        """Return the worst that was found about the thing of this path."""
        found = [finding.severity for finding in self.findings if finding.subject == path]
        if not found:
            return Status.OK
        return Status.FAULT if Severity.FAULT in found else Status.NOTE

    def sort(self) -> None:
        """Bring the findings in the order of harm: the catalogue's."""
        order = {code: rank for rank, code in enumerate(CATALOGUE)}
        self.findings.sort(key=lambda finding: (finding.severity is not Severity.FAULT, order[finding.code]))


def about_rows(
    code: str, table: RowTable, concerned: np.ndarray, message: str, *, hint: str = ""
) -> Iterable[Finding]:
    """Yield one finding about the rows of a mask, if there are any.

    Args:
        code: of the finding.
        table: the file.
        concerned: [R] booleans.
        message: may hold ``{count}`` ("3 of 1,412 rows").
        hint: what to type.
    """
    rows = np.flatnonzero(concerned)
    if len(rows):
        places = tuple(Place(table.source, line) for line in table.lines[rows[:MAX_PLACES]].tolist())
        text = message.replace("{count}", f"{len(rows):,} of {len(concerned):,} rows")
        yield Finding(code, table.source, text, len(rows), places, hint)


def merged(findings: Iterable[Finding], subject: str) -> list[Finding]:
    """Join findings of one code about many files into one about the folder that holds them.

    Args:
        findings: each about one file.
        subject: the folder.
    """
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        by_code.setdefault(finding.code, []).append(finding)
    joined = []
    for code, members in by_code.items():
        first = members[0]
        others = f" (and {len(members) - 1:,} more)" if len(members) > 1 else ""
        places = tuple(place for member in members for place in member.places)[:MAX_PLACES]
        count = len(members) if len(members) > 1 else first.count
        joined.append(Finding(code, subject, first.message + others, count, places, first.hint))
    return joined


def some(names: Sequence[object], *, shown: int = _NAMED) -> str:
    """Name the first few of a list and count the others."""
    listed = ", ".join(map(str, names[:shown]))
    return f"{listed} and {len(names) - shown:,} more" if len(names) > shown else listed
