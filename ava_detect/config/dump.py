"""Write a configuration as YAML that loads back equal, with or without the origin of each value."""

import dataclasses

from ava_detect.config.keys import values_of
from ava_detect.config.schema import Config

_ESCAPES = {'"': '\\"', "\\": "\\\\"}
_YAML_WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))
_PLAIN_WORD_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-")


def dump_config(cfg: Config, *, origins: bool = False) -> str:
    """Return every setting as YAML; ``parse_config`` makes an equal Config of it.

    Args:
        cfg: what to write.
        origins: add a comment to each line that says where the value came from.
    """
    lines: list[tuple[str, str]] = []
    section = ""
    for key, value in values_of(cfg).items():
        head, _, name = key.rpartition(".")
        if head and head != section:
            lines.append((f"{head}:", ""))
        section = head
        lines.append((f"{'  ' if head else ''}{name}: {format_value(value)}", str(cfg.origin(key))))
    if not origins:
        return "".join(f"{line}\n" for line, _ in lines)
    width = min(60, max(len(line) for line, origin in lines if origin))
    return "".join(f"{line:<{width}}  # {origin}\n" if origin else f"{line}\n" for line, origin in lines)


def format_value(value: object) -> str:
    """Return one value as YAML on one line."""
    if value is None:
        return "null"
    if isinstance(value, tuple):
        return f"[{', '.join(format_value(each) for each in value)}]"
    if dataclasses.is_dataclass(value):
        entries = ((each.name, getattr(value, each.name)) for each in dataclasses.fields(value))
        return "{" + ", ".join(f"{name}: {format_value(each)}" for name, each in entries) + "}"
    if isinstance(value, str):
        return _format_text(value)
    if isinstance(value, float):
        return _format_number(value)
    return str(value)


def _format_number(value: float) -> str:
    """Write 1e-07 as 1.0e-07, since other readers of YAML take a number without a dot for text."""
    mantissa, e, exponent = repr(value).partition("e")
    return f"{mantissa}.0e{exponent}" if e and "." not in mantissa else repr(value)


def _format_text(text: str) -> str:
    """Quote text that YAML could take for something else."""
    plain = text and set(text) <= _PLAIN_WORD_CHARACTERS and text[0].isalpha()
    if plain and text.lower() not in _YAML_WORDS:
        return text
    return '"' + "".join(_ESCAPES.get(each) or _escaped(each) for each in text) + '"'


def _escaped(character: str) -> str:
    """Write what YAML does not allow as it is, or what it folds, as a code point."""
    code = ord(character)
    if character.isprintable() and character != "\ufeff":
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
