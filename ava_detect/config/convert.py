"""Turn what was written into the type that a key's annotation asks for, or say what was expected.

One function per kind of type, chosen by the annotation; no key is named here.
"""

import dataclasses
import math
import re
import types
import typing
from collections.abc import Mapping
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
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        base, limits = typing.get_args(annotation)
        return _in_range(convert(value, base), limits)
    if origin is typing.Literal:
        return _choice(value, typing.get_args(annotation))
    if origin in (typing.Union, types.UnionType):
        return _first_fitting(value, typing.get_args(annotation))
    if origin is tuple:
        return _sequence(value, typing.get_args(annotation)[0])
    if dataclasses.is_dataclass(annotation):
        return _record(value, annotation)
    return _SCALARS[annotation](value)


def expected(annotation: Annotation) -> str:
    """Describe an annotation for a message: "a whole number", "a list of numbers"."""
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is typing.Annotated:
        return expected(arguments[0])
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, arguments)) if len(arguments) > 1 else str(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(expected(each) for each in arguments)
    if origin is tuple:
        return f"a list of {_plural(arguments[0])}"
    return _NAMES.get(annotation, "settings of the form {KEY: value, ...}")


_NAMES: dict[Annotation, str] = {
    bool: "True or False", int: "a whole number", float: "a number", str: "text", types.NoneType: "none",
}  # fmt: skip
_PLURALS: dict[Annotation, str] = {
    int: "whole numbers",
    float: "numbers",
    str: "texts",
    bool: "True or False",
}


def _plural(annotation: Annotation) -> str:
    if typing.get_origin(annotation) is typing.Annotated:
        return _plural(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) is tuple:
        return f"lists of {_plural(typing.get_args(annotation)[0])}"
    return _PLURALS.get(annotation, expected(annotation))


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    raise Mismatch(_NAMES[bool])


def _whole(value: object) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise Mismatch(_NAMES[int])


def _number(value: object) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        number = float(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = _as_float(value)
    else:
        raise Mismatch(_NAMES[float])
    if not math.isfinite(number):
        raise Mismatch("a finite number")
    return number


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return str(value)
    raise Mismatch(_NAMES[str])


def _none(value: object) -> None:
    if value is not None and value not in ("none", "None", "null"):
        raise Mismatch(_NAMES[types.NoneType])


_SCALARS: dict[Annotation, Any] = {
    bool: _boolean, int: _whole, float: _number, str: _text, types.NoneType: _none,
}  # fmt: skip


def _in_range(value: object, limits: Range) -> object:
    if value not in limits:  # type: ignore[operator]
        noun = "a whole number" if isinstance(value, int) else "a number"
        raise Mismatch(f"{noun}, {limits}")
    return value


def _choice(value: object, choices: tuple[object, ...]) -> object:
    for choice in choices:
        kind = type(choice)
        try:
            if convert(value, kind) == choice:
                return choice
        except Mismatch:
            continue
    raise Mismatch("one of " + ", ".join(map(str, choices)) if len(choices) > 1 else str(choices[0]))


def _first_fitting(value: object, annotations: tuple[Annotation, ...]) -> object:
    reasons = []
    for annotation in sorted(annotations, key=lambda each: each is str):
        try:
            return convert(value, annotation)
        except Mismatch as mismatch:
            reasons.append(str(mismatch))
    raise Mismatch(" or ".join(dict.fromkeys(reasons)))


def _sequence(value: object, item: Annotation) -> tuple[object, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        value = _list_from_text(value, item)
    if not isinstance(value, list | tuple):
        # 1 stands for [1], but only inside a list: SPATIAL_STRIDES: [1, 2, 2, 1] and TEST_LISTS: val.csv
        raise Mismatch(f"a list of {_plural(item)}")
    return tuple(_item(each, item) for each in value)


def _item(value: object, item: Annotation) -> object:
    """Convert an entry of a list; where the entry should be a list itself, a lone number stands for one."""
    lone = not isinstance(value, list | tuple | None | Mapping) and not str(value).strip().startswith(
        ("[", "(")
    )
    return convert([value] if lone and typing.get_origin(item) is tuple else value, item)


def _list_from_text(text: str, item: Annotation) -> object:
    """Read ``[1, 2]``; ``(1, 2)`` too, since PySlowFast files hold Python tuples as text."""
    stripped = text.strip()
    if stripped.startswith("(") and stripped.endswith(")"):
        stripped = f"[{stripped[1:-1].rstrip().removesuffix(',')}]"
    if not stripped.startswith("["):
        if item is str:
            return [text]
        raise Mismatch(f"a list of {_plural(item)}")
    try:
        return read_value(stripped)
    except ConfigError:
        raise Mismatch(f"a list of {_plural(item)}") from None


def _record(value: object, kind: Annotation) -> object:
    if isinstance(value, kind):
        return value
    if isinstance(value, str) and value.strip().startswith("{"):
        value = read_value(value)
    fields = {each.name: each.type for each in dataclasses.fields(kind)}
    if not isinstance(value, Mapping):
        raise Mismatch(f"settings {', '.join(fields)} in the form {{KEY: value, ...}}")
    for key in value:
        if key not in fields:
            raise Mismatch(f"only the settings {', '.join(fields)}")
    entries: dict[str, object] = {}
    for key, each in value.items():
        try:
            entries[key] = convert(each, fields[key])
        except Mismatch as mismatch:
            raise Mismatch(f"for {key} {mismatch}") from None
    return kind(**entries)
