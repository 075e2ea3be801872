"""Turn what was written into the type that a key's annotation asks for, or say what was expected.

One function per kind of type, chosen by the annotation; no key is named here.
"""

import dataclasses
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any

from ava_detect.config.reading import read_value
from ava_detect.config.value_types import Range
from evaluation.errors import ConfigError

_TRUE = ("true", "yes", "on")
_FALSE = ("false", "no", "off")
_WHOLE = re.compile(r"[-+]?[0-9]{1,30}")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")

# An annotation is a type, a generic alias, a Literal or a union; typing has no common class for them.
Annotation = Any


class Mismatch(Exception):
    """A value is not what the annotation asks for; the message says what was expected."""


def convert(value: object, annotation: Annotation) -> object:
    """Return ``value`` as the annotated type.

    Args:
        value: text, ``None`` or lists of them from a file or the command line, or a caller's Python values.
        annotation: the annotation of a field of the schema.

    Raises:
        Mismatch: with what was expected, for example "a whole number".
    """
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        base, limits = arguments
        return _in_range(convert(value, base), limits)
    if origin is typing.Literal:
        return _choice(value, arguments)
    if origin in (typing.Union, types.UnionType):
        return _first_fitting(value, arguments)
    if origin is tuple:
        return tuple(_item(each, arguments[0]) for each in _as_list(value, arguments[0]))
    if dataclasses.is_dataclass(annotation):
        return _record(value, annotation)
    return _SCALARS[annotation](value)


# ---- single values


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    raise Mismatch("True or False")


def _whole(value: object) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    raise Mismatch("a whole number")


def _number(value: object) -> float:
    written = isinstance(value, str) and _NUMBER.fullmatch(value.strip())
    if not written and (not isinstance(value, Real) or isinstance(value, bool)):
        raise Mismatch("a number")
    try:
        number = float(typing.cast(str | float, value))
    except OverflowError:  # a whole number beyond the largest float
        number = math.inf
    if not math.isfinite(number):
        raise Mismatch("a finite number")
    return number


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str | int | float | PurePath):
        return str(value)
    raise Mismatch("text")


def _none(value: object) -> None:
    if value is not None and value not in ("none", "None", "null"):
        raise Mismatch("none")


_SCALARS: dict[Annotation, Callable[[object], object]] = {
    bool: _boolean,
    int: _whole,
    float: _number,
    str: _text,
    types.NoneType: _none,
}
_PLURALS = {int: "whole numbers", float: "numbers", str: "texts"}


def _in_range(value: object, limits: Range) -> object:
    number = typing.cast(float, value)  # Range stands on numbers only
    if number not in limits:
        noun = "a whole number" if isinstance(number, int) else "a number"
        raise Mismatch(f"{noun}, {limits.asked_of(number)}")
    return value


def _choice(value: object, choices: tuple[object, ...]) -> object:
    for choice in choices:
        try:
            if convert(value, type(choice)) == choice:
                return choice
        except Mismatch:
            continue
    raise Mismatch("one of " + ", ".join(map(str, choices)) if len(choices) > 1 else str(choices[0]))


def _first_fitting(value: object, annotations: tuple[Annotation, ...]) -> object:
    reasons = []
    for annotation in annotations:
        try:
            return convert(value, annotation)
        except Mismatch as mismatch:
            reasons.append(str(mismatch))
    raise Mismatch(" or ".join(reasons))


# ---- lists and records


def _as_list(value: object, item: Annotation) -> list[object] | tuple[object, ...]:
    """Return the entries of a list; text is ``[1, 2]`` or, as PySlowFast writes tuples, ``(1, 2)``."""
    if value is None:
        return ()
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("(") and text.endswith(")"):
            text = f"[{text[1:-1].rstrip().removesuffix(',')}]"
        if not text.startswith("[") and item is str:
            return [value]  # one file name stands for a list of one
        value = _read(text)
    if not isinstance(value, list | tuple):
        raise Mismatch(f"a list of {_plural(item)}")
    return value


def _item(value: object, item: Annotation) -> object:
    """Convert an entry of a list; where the entry is a list itself, a lone number stands for a list of one.

    That is what makes ``SPATIAL_STRIDES: [1, 2, 2, 1]`` short for ``[[1], [2], [2], [1]]``.
    """
    if typing.get_origin(item) is tuple and _is_lone(value):
        value = [value]
    return convert(value, item)


def _is_lone(value: object) -> bool:
    if isinstance(value, str):
        return not value.strip().startswith(("[", "("))
    return isinstance(value, Real)


def _plural(annotation: Annotation) -> str:
    """Describe what a list holds, for a message."""
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Annotated:
        return _plural(arguments[0])
    if typing.get_origin(annotation) is tuple:
        return f"lists of {_plural(arguments[0])}"
    return _PLURALS.get(annotation, "settings {KEY: value, ...}")


def _record(value: object, kind: Annotation) -> object:
    if isinstance(value, kind):
        return value
    if isinstance(value, str):
        value = _read(value)
    types_by_key = {each.name: each.type for each in dataclasses.fields(kind)}
    names = ", ".join(types_by_key)
    if not isinstance(value, Mapping) or not set(value) <= set(types_by_key):
        raise Mismatch(f"{{KEY: value, ...}} with the keys {names}")
    entries: dict[str, object] = {}
    for key, each in value.items():
        try:
            entries[key] = convert(each, types_by_key[key])
        except Mismatch as mismatch:
            raise Mismatch(f"for {key} {mismatch}") from None
    return kind(**entries)


def _read(text: str) -> object:
    try:
        return read_value(text)
    except ConfigError:
        raise Mismatch("brackets and quotes that match") from None
