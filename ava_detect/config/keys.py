"""The schema as a flat table of dotted keys, and the way back from a table to a Config."""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ava_detect.config.origin import Setting
from ava_detect.config.schema import Config


@dataclass(frozen=True)
class Key:
    """One setting of the schema."""

    name: str
    annotation: Any  # what typing allows as an annotation has no common class
    default: object


@cache
def all_keys() -> dict[str, Key]:
    """Return every setting under its dotted name, in the schema's order."""
    keys: dict[str, Key] = {}
    defaults = Config()
    for entry in dataclasses.fields(Config):
        if not entry.compare:  # written
            continue
        value = getattr(defaults, entry.name)
        if not dataclasses.is_dataclass(value):
            keys[entry.name] = Key(entry.name, entry.type, value)
            continue
        for each in dataclasses.fields(value):
            name = f"{entry.name}.{each.name}"
            keys[name] = Key(name, each.type, getattr(value, each.name))
    return keys


def values_of(cfg: Config) -> dict[str, object]:
    """Return the effective value of every setting under its dotted name, in the schema's order."""
    values: dict[str, object] = {}
    for name in all_keys():
        section, _, key = name.rpartition(".")
        values[name] = getattr(getattr(cfg, section) if section else cfg, key)
    return values


def config_from(values: Mapping[str, object], written: Mapping[str, Setting]) -> Config:
    """Build a Config of converted values, unchecked; keys that are absent take their default."""
    sections: dict[str, dict[str, object]] = {}
    top: dict[str, Any] = {}
    for name, value in values.items():
        section, _, key = name.rpartition(".")
        (sections.setdefault(section, {}) if section else top)[key] = value
    defaults = Config()
    for section, entries in sections.items():
        top[section] = dataclasses.replace(getattr(defaults, section), **entries)
    return Config(**top, written=dict(written))


def nearest(name: str, among: Iterable[str]) -> str | None:
    """Return the name most like ``name``, by its spelling or its last part alone; None if there is none."""
    names = list(among)
    spelled = difflib.get_close_matches(name.upper(), names, n=1, cutoff=0.75)
    if spelled:
        return spelled[0]
    last_part = name.upper().rpartition(".")[2]
    same = [each for each in names if each.rpartition(".")[2] == last_part]
    return (
        same[0] if same else next(iter(difflib.get_close_matches(name.upper(), names, n=1, cutoff=0.6)), None)
    )


def is_section(name: str) -> bool:
    """Say whether ``name`` is a section of the schema, such as DATA."""
    return any(key.startswith(f"{name}.") for key in all_keys())
