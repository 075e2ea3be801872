"""Checked access to JSON from outside: a value has the type and range asked for, or it is a DataError."""

import json
import math
from typing import NoReturn

from evaluation.errors import DataError

_MAX_INT = 2**53  # beyond it, other JSON readers lose digits


def parse_json(text: str | bytes, where: str) -> object:
    """Parse JSON strictly: no NaN, no Infinity.

    Raises:
        DataError: it is not JSON; the message begins with ``where``.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # ValueError: syntax, encoding, a number with 4300 digits
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise DataError(f"{where}: not valid JSON ({reason})") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


class Fields:
    """The keys of one JSON object; keys that nobody asks for are ignored.

    Args:
        value: what the parser returned.
        where: file and place inside it, for messages.
    """

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise DataError(f"{where}: found {_shown(value)}, expected an object {{...}}")
        self._values: dict[str, object] = value
        self.where = where

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def child(self, key: str) -> "Fields":
        """Return the object under ``key``."""
        return Fields(self._get(key, "an object"), f"{self.where}: {key}")

    def sequence(self, key: str) -> list[object]:
        """Return the list under ``key``."""
        value = self._get(key, "a list")
        return value if isinstance(value, list) else self._wrong(key, value, "a list")

    def text(self, key: str) -> str:
        """Return the text under ``key``."""
        value = self._get(key, "a text")
        return value if isinstance(value, str) else self._wrong(key, value, "a text")

    def optional_text(self, key: str) -> str:
        """Return the text under ``key``; "" when it is null or absent."""
        return self.text(key) if key in self else ""

    def flag(self, key: str) -> bool:
        """Return true or false."""
        value = self._get(key, "true or false")
        return value if isinstance(value, bool) else self._wrong(key, value, "true or false")

    def whole(self, key: str, *, minimum: int = 0) -> int:
        """Return the whole number under ``key``."""
        expected = f"a whole number from {minimum}"
        value = self._get(key, expected)
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= _MAX_INT:
            self._wrong(key, value, expected)
        return value

    def optional_whole(self, key: str, *, minimum: int = 0) -> int | None:
        """Return the whole number under ``key``; None when it is null or absent."""
        return self.whole(key, minimum=minimum) if key in self else None

    def number(self, key: str, *, minimum: float = -math.inf, maximum: float = math.inf) -> float:
        """Return the finite number under ``key``."""
        return number(self._get(key, "a number"), f"{self.where}: {key}", minimum=minimum, maximum=maximum)

    def optional_number(
        self, key: str, *, minimum: float = -math.inf, maximum: float = math.inf
    ) -> float | None:
        """Return the number under ``key``; None when it is null or absent."""
        return self.number(key, minimum=minimum, maximum=maximum) if key in self else None

    def _get(self, key: str, expected: str) -> object:
        if key not in self._values:
            raise DataError(f"{self.where}: no {key!r}, expected {expected}")
        return self._values[key]

    def _wrong(self, key: str, value: object, expected: str) -> NoReturn:
        raise DataError(f"{self.where}: {key}: found {_shown(value)}, expected {expected}")


def number(value: object, where: str, *, minimum: float = -math.inf, maximum: float = math.inf) -> float:
    """Return ``value`` as a finite float in the range.

    Raises:
        DataError: it is something else.
    """
    wrong = isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _MAX_INT
    if wrong or not minimum <= value <= maximum:  # type: ignore[operator]  # not a number is caught before
        bounds = (f" from {minimum:g}" if minimum > -math.inf else "") + (
            f" to {maximum:g}" if maximum < math.inf else ""
        )
        raise DataError(f"{where}: found {_shown(value)}, expected a number{bounds}")
    return float(value)  # type: ignore[arg-type]


def items(value: object, where: str, *, length: int, expected: str) -> list[object]:
    """Return ``value`` as a list of ``length`` items.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, list) or len(value) != length:
        raise DataError(f"{where}: found {_shown(value)}, expected {expected}")
    return value


def _shown(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
