"""Label maps: which action classes there are, what they are called, and which of them are evaluated.

AVA publishes them as protocol-buffer text in two variants: ``item { name: "..." id: N }`` for the 60
classes that are evaluated, ``label { name: "..." label_id: N label_type: PERSON_MOVEMENT }`` for all 80.
What is read is the grammar, not the layout: one-line items and other indentation mean the same. The plain
``N: name`` lines of some code bases are read as well.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from evaluation.errors import DataError
from evaluation.pbtxt import Message, read_messages

BUILT_IN = {
    "v2.1": "ava_action_list_v2.1_for_activitynet_2018.pbtxt",
    "v2.2": "ava_action_list_v2.2_for_activitynet_2019.pbtxt",
    "v2.1-80": "ava_action_list_v2.1.pbtxt",
    "v2.2-80": "ava_action_list_v2.2.pbtxt",
}
"""Names that stand for the label maps inside the package; without suffix: the 60 evaluated classes."""

GROUPS = ("pose", "object", "person")
"""AVA's three kinds of action; classes of other data sets are in the group "other"."""

_GROUP_OF_TYPE = {"PERSON_MOVEMENT": "pose", "OBJECT_MANIPULATION": "object", "PERSON_INTERACTION": "person"}
_EXAMPLE = 'item { name: "stand" id: 12 }'
_MAX_BYTES = 4_000_000  # a thousand times AVA's; a video given by mistake must not be read into memory
_MAX_ID = 2**31 - 1


@dataclass(frozen=True)
class LabelMap:
    """The action classes in the order of their file.

    Attributes:
        ids: K class ids, each at least 1; gaps are allowed. names: K class names, for example "carry/hold
        (an object)". groups: K times "pose", "object" or "person"; "other" for a class that is not AVA's
        and says no type. source: the built-in name or the path, for messages.
    """

    ids: tuple[int, ...]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    source: str = "label map"
    _columns: dict[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.names) == len(self.groups):
            raise ValueError(f"{len(self.ids)} ids, {len(self.names)} names, {len(self.groups)} groups")
        object.__setattr__(self, "_columns", {class_id: column for column, class_id in enumerate(self.ids)})

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, class_id: object) -> bool:
        return class_id in self._columns

    def column_of(self, class_id: int) -> int:
        """Return the 0-based column of a class id.

        Raises:
            KeyError: the id is not in the map.
        """
        return self._columns[class_id]

    def name_of(self, class_id: int) -> str:
        """Return the name of a class id.

        Raises:
            KeyError: the id is not in the map.
        """
        return self.names[self._columns[class_id]]

    def group_of(self, class_id: int) -> str:
        """Return the group of a class id.

        Raises:
            KeyError: the id is not in the map.
        """
        return self.groups[self._columns[class_id]]


def load_label_map(source: str | Path) -> LabelMap:
    """Read a label map by its built-in name or from a file.

    Args:
        source: "v2.1" or "v2.2" (the 60 evaluated classes), "v2.1-80" or "v2.2-80" (all 80), or a path.

    Raises:
        DataError: there is no such name or file, or the file is not a label map; the message names the
        line.
    """
    if str(source) in BUILT_IN:
        return _built_in(str(source))
    return parse_label_map(_read_text(Path(source)), str(source))


def parse_label_map(text: str, source: str) -> LabelMap:
    """Build a label map from the text of a file.

    Args:
        text: protocol-buffer text with ``item`` or ``label`` entries, or lines ``N: name``.
        source: what the messages call the file.

    Raises:
        DataError: the text is in another grammar, has no class, or has ids that are doubled or below 1.
    """
    plain = re.match(r"\s*[+-]?\d+\s*:", text, flags=re.ASCII)
    entries = list(_read_plain_lines(text, source) if plain else _read_entries(text, source))
    if not entries:
        raise DataError(f"{source}: no class in it; expected entries like: {_EXAMPLE}", hint=_built_in_hint())
    first_line: dict[int, int] = {}
    for entry in entries:
        if entry.class_id in first_line:
            raise DataError(
                f"{source}:{entry.line}: id {entry.class_id} is taken by line {first_line[entry.class_id]};"
                " every class needs an id of its own"
            )
        first_line[entry.class_id] = entry.line
    return LabelMap(
        ids=tuple(entry.class_id for entry in entries),
        names=tuple(entry.name for entry in entries),
        groups=_groups(entries),
        source=source,
    )


def _built_in_hint() -> str:
    return f"Built-in label maps: {', '.join(BUILT_IN)}"


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise DataError(f"{path}: no such label map", hint=_built_in_hint()) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"{path}: cannot be read ({reason}); expected a label map", hint=_built_in_hint()
        ) from None
    if len(content) > _MAX_BYTES:
        raise DataError(f"{path}: larger than {_MAX_BYTES:,} bytes; a label map has a few lines per class")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; expected a label map (.pbtxt)") from None


@cache
def _built_in(name: str) -> LabelMap:
    text = resources.files("evaluation.label_maps").joinpath(BUILT_IN[name]).read_text(encoding="utf-8")
    return parse_label_map(text, name)


def _groups(entries: Sequence["_Entry"]) -> tuple[str, ...]:
    """Return the groups that the file names; those that AVA's classes have where it has nothing but such.

    One class that shares id and name with AVA's by chance says nothing about the others.
    """
    if all(entry.group for entry in entries):
        return tuple(entry.group for entry in entries)
    ava = _built_in("v2.2-80")
    is_ava = all(each.class_id in ava and ava.name_of(each.class_id) == each.name for each in entries)
    return tuple(each.group or (ava.group_of(each.class_id) if is_ava else "other") for each in entries)


@dataclass(frozen=True)
class _Entry:
    class_id: int
    name: str
    group: str  # "" when the file does not say
    line: int


def _read_plain_lines(text: str, source: str) -> Iterator[_Entry]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        match = re.fullmatch(r"\s*([^:]*?)\s*:\s*(\S.*?)\s*", line)
        if match is None:
            raise DataError(f"{source}:{number}: found {line.strip()[:60]!r}, expected: N: name")
        yield _Entry(_checked_id(match[1], source, number), match[2], "", number)


def _read_entries(text: str, source: str) -> Iterator[_Entry]:
    for message in read_messages(text, source, expected=_EXAMPLE):
        if message.name not in ("item", "label"):
            raise DataError(
                f"{source}:{message.line}: found {message.name[:40]!r}, expected entries like: {_EXAMPLE}",
                hint=_built_in_hint(),
            )
        yield _entry(message, source)


def _entry(message: Message, source: str) -> _Entry:
    fields = message.fields
    number = fields.get("id") or fields.get("label_id")
    name = fields.get("name") or fields.get("display_name")
    if number is None or name is None:
        missing = "id" if number is None else "name"
        raise DataError(f"{source}:{message.line}: this entry has no {missing}; expected: {_EXAMPLE}")
    kind = fields.get("label_type")
    group = _GROUP_OF_TYPE.get(kind.text, "") if kind is not None else ""
    return _Entry(_checked_id(number.text, source, number.line), name.text, group, message.line)


def _checked_id(text: str, source: str, line: int) -> int:
    if re.fullmatch(r"[+-]?\d{1,18}", text, flags=re.ASCII) is None or int(text) > _MAX_ID:
        raise DataError(f"{source}:{line}: id {text[:40]!r}, expected a whole number from 1 to {_MAX_ID}")
    if int(text) < 1:
        raise DataError(
            f"{source}:{line}: id {int(text)}; AVA's class ids start at 1",
            hint="Add 1 to every id of the map, and to the ids in the annotation and detection files.",
        )
    return int(text)
