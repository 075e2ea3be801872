"""Which of the labels and attributes of an annotation tool are actions.

Two habits are common: the label of a box is the action ("wave"); or it is "person", and attributes say what
the person does: a choice ("action: wave"), a tick ("wave: yes"), or free text ("wave; talk").
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_NOTHING = frozenset(
    {"", "false", "no", "none", "nothing", "-", "n/a", "na", "null", "undefined", "__undefined__"}
)
_TICKED = frozenset({"true", "yes"})
_PEOPLE = frozenset("person people human man woman child pedestrian actor".split())
_SEPARATOR = re.compile(r"[;|\n]")  # not the comma: "open (e.g., a window)" is one of AVA's classes


@dataclass
class ActionRules:
    """Finds the actions among a box's label and attributes.

    Attributes:
        attributes: names of those that tell actions; none: all but numbers.
        people: labels that only say that somebody is there, in lower case.
        skipped: how often each attribute held a number, which is not taken for an action.
    """

    attributes: frozenset[str] = frozenset()
    people: frozenset[str] = _PEOPLE
    skipped: Counter[str] = field(default_factory=Counter)

    def actions(self, label: str, attributes: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """Return the names of the actions, each once, in the order found."""
        found: dict[str, None] = {}
        if label and label.strip().lower() not in self.people and not self.attributes:
            found.update(dict.fromkeys(_actions_in(label)))
        for name, value in attributes:
            found.update(dict.fromkeys(self._of_attribute(name.strip(), value.strip())))
        return tuple(found)

    def _of_attribute(self, name: str, value: str) -> list[str]:
        if self.attributes and name not in self.attributes:
            return []
        if value.lower() in _TICKED:
            return [name]
        if not self.attributes and _is_number(value):
            self.skipped[name] += 1
            return []
        return _actions_in(value)

    def notes(self) -> list[str]:
        """Say which attributes were not taken for actions."""
        return [
            f"attribute {name!r} holds numbers ({count:,} times) and is not taken for an action"
            for name, count in self.skipped.items()
        ]


def _actions_in(text: str) -> list[str]:
    return [name for name in split_names(text) if name.lower() not in _NOTHING]


def split_names(text: str) -> list[str]:
    """Divide "wave; talk to (a person)" into names, with single spaces."""
    parts = (" ".join(part.split()) for part in _SEPARATOR.split(text))
    return [part for part in parts if part]


def ticked(values: Mapping[str, object]) -> str:
    """Return the names of what is ticked in a tool's table of name to true or false."""
    return "; ".join(str(name) for name, value in values.items() if value is True or value == "true")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
