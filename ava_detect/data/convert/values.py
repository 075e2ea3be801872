"""Single values out of files that people and tools wrote, with messages that name the place."""

import math
import re

from evaluation.errors import DataError

_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2}(?:\.\d{1,9})?)", re.ASCII)
_MAX = 1e9


def number(value: object, what: str) -> float:
    """Return a finite number.

    Args:
        value: text, or what JSON gives.
        what: place and name, for the message.

    Raises:
        DataError: it is missing or no such number.
    """
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            found = float(value)
        except ValueError:
            found = math.nan
        if abs(found) < _MAX:
            return found
    raise DataError(f"{what} is {_shown(value)}; a number is expected")


def whole_number(value: object, what: str) -> int:
    """Return a whole number, 0 or more.

    Raises:
        DataError: it is missing or no such number.
    """
    found = number(value, what)
    if found != int(found) or found < 0:
        raise DataError(f"{what} is {_shown(value)}; a whole number from 0 on is expected")
    return int(found)


def seconds(value: object, what: str) -> float:
    """Return a time: seconds, or a clock like 1:02.5 or 0:01:02.5.

    Raises:
        DataError: it is missing or no such time.
    """
    match = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if match:
        return int(match[1] or 0) * 3600 + int(match[2]) * 60 + float(match[3])
    found = number(value, what)
    if found < 0:
        raise DataError(f"{what} is {_shown(value)}; a time from 0 on is expected")
    return found


def _shown(value: object) -> str:
    return "missing" if value is None or value == "" else repr(value)[:60]
