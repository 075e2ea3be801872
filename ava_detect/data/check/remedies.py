"""Lines to type: what rewrites a CSV file of AVA rows when something is wrong with all of it.

Plain awk and sed, which every Unix has, so that a reader sees what will be done. Rows that only name a
keyframe (two columns) stay as they are. The result is a new file.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path


def change_columns(source: str, program: str, *, only: str = "NF>2") -> str:
    """Return an awk line that changes the columns of rows with a box.

    Args:
        source: the file.
        program: awk statements over ``$3``..``$6`` (box), ``$7`` (class), ``$8`` (score).
        only: awk condition of the rows to change.
    """
    return f"awk -F, -v OFS=, '{only} {{{program}}} 1' {in_out(source)}"


def change_times(source: str, program: str) -> str:
    """Return an awk line that changes the times (``$2``) of all rows."""
    return f"awk -F, -v OFS=, '{{{program}}} 1' {in_out(source)}"


def replace_text(source: str, *expressions: str) -> str:
    """Return a sed line with extended regular expressions."""
    quoted = " ".join(f"-e {shlex.quote(expression)}" for expression in expressions)
    return f"sed -E {quoted} {in_out(source)}"


def without_copies(source: str) -> str:
    """Return a line that keeps the first of rows with the same video, time, box and class."""
    return f"awk -F, '!seen[$1,$2,$3,$4,$5,$6,$7]++' {in_out(source)}"


def without_flat_boxes(source: str) -> str:
    """Return a line that drops boxes without area, and inverted ones."""
    return f"awk -F, 'NF==2 || ($3<$5 && $4<$6)' {in_out(source)}"


def without_videos(source: str, names: Sequence[str]) -> str:
    """Return a line that drops the rows of some videos."""
    condition = " && ".join(f'$1 != "{name}"' for name in names)
    return f"awk -F, {shlex.quote(condition)} {in_out(source)}"


def without_videos_of(source: str, other: str) -> str:
    """Return a line that drops the rows of videos that another file names."""
    return f"awk -F, 'NR==FNR {{other[$1]; next}} !($1 in other)' {shlex.quote(other)} {in_out(source)}"


def without_early_rows(source: str) -> str:
    """Return a line that drops rows with a time before 0."""
    return f"awk -F, '$2 >= 0' {in_out(source)}"


def without_first_row(source: str) -> str:
    """Return a line that drops a header."""
    return f"tail -n +2 {in_out(source)}"


def with_commas(source: str, separator: str) -> str:
    """Return a line that puts commas in place of another separator."""
    return f"tr {shlex.quote(separator)} , < {in_out(source)}"


def in_out(source: str) -> str:
    """Return the end of such a line: the file, and the new file beside it."""
    path = Path(source)
    return f"{shlex.quote(source)} > {shlex.quote(str(path.with_name(f'{path.stem}_fixed{path.suffix}')))}"
