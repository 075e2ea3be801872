"""A CSV file as blocks of whole lines, with the checks that tell text from something else."""

import difflib
from collections.abc import Iterator
from pathlib import Path

from evaluation.errors import DataError

_BLOCK_BYTES = 4 << 20


def read_blocks(path: str | Path) -> Iterator[bytes]:
    """Yield a text file in blocks of whole lines of about 4 MB, without byte order mark.

    Raises:
        DataError: there is no such file, it cannot be read, or it is not plain UTF-8 text.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            block = file.read(_BLOCK_BYTES)
            _check_text(block, path)
            block = block.removeprefix(b"\xef\xbb\xbf")
            while block:
                if not block.endswith(b"\n"):
                    block += file.readline(_BLOCK_BYTES)
                if len(block) >= 2 * _BLOCK_BYTES and not block.endswith(b"\n"):
                    raise DataError(f"{path}: a row of more than {_BLOCK_BYTES:,} bytes; expected CSV text")
                yield block
                block = file.read(_BLOCK_BYTES)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file.{_nearby(path)}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _check_text(start: bytes, path: Path) -> None:
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path}: UTF-16 text, expected UTF-8", hint="Save it as CSV in UTF-8.")
    if start[:2] == b"\x1f\x8b":
        raise DataError(f"{path}: compressed with gzip, expected a CSV file", hint=f"gunzip {path}")
    if b"\0" in start[:1024]:
        raise DataError(f"{path}: a binary file, expected CSV text")


def _nearby(path: Path) -> str:
    """Name a file in the same folder that is called alike."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError):
        return ""
    close = difflib.get_close_matches(path.name, names, n=1)
    return f" Nearby: {close[0]}" if close else ""
