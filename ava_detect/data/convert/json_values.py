"""JSON out of files that may hold anything: parsed with limits, checked when it is used."""

import json
from collections.abc import Mapping
from pathlib import Path

from evaluation.errors import DataError

_MAX_BYTES = 1_000_000_000


def load_json(path: Path) -> object:
    """Read a JSON file.

    Raises:
        DataError: it cannot be read, is larger than a gigabyte, or is no JSON.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(f"{path}: larger than {_MAX_BYTES / 1e9:.0f} GB; these can hardly be labels")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    return parse_json(text, str(path))


def parse_json(text: str, place: str) -> object:
    """Parse JSON.

    Raises:
        DataError: it is none, or nested too deeply.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not JSON that can be read ({str(error)[:80]})") from error


def as_mapping(value: object, what: str) -> Mapping[str, object]:
    """Return a JSON object.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, Mapping):
        raise DataError(f"{what}: found {_kind(value)}, expected an object in braces")
    return value


def as_list(value: object, what: str) -> list:
    """Return a JSON array.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, list):
        raise DataError(f"{what}: found {_kind(value)}, expected a list in brackets")
    return value


def _kind(value: object) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
