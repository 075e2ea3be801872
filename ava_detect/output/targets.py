"""Where the results of a run go: what the suffix of an output's name means, and whether it may be written."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from evaluation.errors import AvaDetectError, UsageError


class Kind(Enum):
    """What is written; the value is how messages describe it."""

    ROWS = "AVA rows: video_id, timestamp, x1, y1, x2, y2, action_id, score"
    TABLE = "table with header, pixels, names and person ids"
    JSON = "JSON: everything, with video, model and settings"
    JSON_LINES = "JSON lines: everything, one keyframe a line"


_KIND_OF_SUFFIX = {".csv": Kind.ROWS, ".json": Kind.JSON, ".jsonl": Kind.JSON_LINES}


@dataclass(frozen=True)
class Target:
    """One output: what is written, and where; without a path, to standard output."""

    kind: Kind
    path: Path | None

    def __str__(self) -> str:
        return "standard output" if self.path is None else str(self.path)


def out_target(name: str) -> Target:
    """Return the target that ``--out NAME`` asks for.

    Args:
        name: a path ending in .csv, .json or .jsonl; "-" for AVA rows on standard output.

    Raises:
        UsageError: another suffix.
    """
    if name == "-":
        return Target(Kind.ROWS, None)
    path = Path(name)
    if (kind := _KIND_OF_SUFFIX.get(path.suffix.lower())) is None:
        known = "; ".join(
            f"{suffix} ({kind.value.split(':')[0]})" for suffix, kind in _KIND_OF_SUFFIX.items()
        )
        found = f"suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise UsageError(
            f"--out {name}: {found}, expected one of: {known}", hint="The video goes to --video."
        )
    return Target(kind, path)


def table_target(name: str) -> Target:
    """Return the target that ``--table NAME`` asks for.

    Raises:
        UsageError: the suffix is not .csv.
    """
    path = Path(name)
    if path.suffix.lower() != ".csv":
        raise UsageError(f"--table {name}: expected a name that ends in .csv")
    return Target(Kind.TABLE, path)


def check_places(outputs: Sequence[Path], inputs: Iterable[Path] = ()) -> None:
    """Make sure that every output has a place of its own, before hours of work.

    Raises:
        UsageError: two outputs, or an output and an input, are the same file.
        AvaDetectError: an output's folder does not exist, or a folder has its name.
    """
    taken = {_identity(path): path for path in inputs}
    for path in outputs:
        if (other := taken.get(_identity(path))) is not None:
            raise UsageError(
                f"{path}: is asked for twice, or is an input ({other}); every file needs its name"
            )
        taken[_identity(path)] = path
        if not path.parent.is_dir():
            raise AvaDetectError(f"{path}: there is no folder {path.parent}", hint=f"mkdir -p {path.parent}")
        if path.is_dir():
            raise AvaDetectError(f"{path}: is a folder, expected the name of a file to write")


def refuse_existing(outputs: Iterable[Path]) -> None:
    """Protect what is there; not called with ``--overwrite``.

    Raises:
        AvaDetectError: an output exists.
    """
    for path in outputs:
        if path.exists():
            raise AvaDetectError(f"{path} exists. Use --overwrite, or another name.")


def _identity(path: Path) -> Path:
    """Return one path for all names of a file: through links, dots and relative parts."""
    return Path(os.path.realpath(path))  # Path.resolve raises on a loop of links
