"""Numbers on the command line, with the range that makes sense; for argparse's ``type=``."""

import argparse
from collections.abc import Callable
from math import isfinite


def positive_count(text: str) -> int:
    """A whole number of 1 or more."""
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {text}")
    return number


def positive_number(text: str) -> float:
    """A number above 0."""
    number = _number(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return number


def seconds(text: str) -> float:
    """A time in a video: seconds, 0 or more."""
    number = _number(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected seconds from 0 on, got {text}")
    return number


def share(text: str) -> float:
    """A number from 0 to 1."""
    number = _number(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text}")
    return number


def number_between(least: float, greatest: float) -> Callable[[str], float]:
    """Make a type: a number from ``least`` to ``greatest``."""

    def number(text: str) -> float:
        found = _number(text)
        if not least <= found <= greatest:
            raise argparse.ArgumentTypeError(f"expected a number from {least:g} to {greatest:g}, got {text}")
        return found

    return number


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}")
    return number
