"""Read the YAML of a configuration into settings, with the line of each.

Only plain data is understood: mappings, lists, words. There are no anchors (they let a kilobyte unfold into
gigabytes), no tags (they name Python types), no duplicate keys. Words stay text here; ``convert`` knows the
type that a key wants, so that ``1e-4`` is a number (YAML 1.1 says text) and ``off`` can be a name (YAML says
False).
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import yaml

from ava_detect.config.origin import Origin, Setting
from evaluation.errors import ConfigError

MAX_CHARACTERS = 100_000  # ten times a configuration that sets every key of PySlowFast
_MAX_DEPTH = 20

_NULL_WORDS = ("", "~", "null", "Null", "NULL")

Value: TypeAlias = "str | list[Value] | dict[str, Value] | None"


def read_settings(text: str, source: str) -> list[Setting]:
    """Return the settings of a YAML document, in its order, under dotted names; a key may come twice.

    Args:
        text: the document; an empty one has no settings.
        source: how messages call it: a file name.

    Raises:
        ConfigError: the text is not YAML of the plain kind above, or is too long or too deep.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(
            f"{source}: {len(text):,} characters; a configuration has at most {MAX_CHARACTERS:,}."
        )
    node = _compose(text, source)
    if node is None or (isinstance(node, yaml.ScalarNode) and node.value in _NULL_WORDS):
        return []
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(
            f"{_origin(node, source)}: expected sections with settings, found {_kind(node)}.",
            hint="A configuration looks like:\nDATA:\n  NUM_FRAMES: 32",
        )
    return list(_walk(node, source, prefix=""))


def require_distinct(settings: Iterable[Setting]) -> None:
    """Refuse a document that sets a key twice.

    Apart from ``read_settings``, so that what cannot be used anyway is refused for the better reason.

    Raises:
        ConfigError: with both lines.
    """
    first: dict[str, Setting] = {}
    for setting in settings:
        if setting.key in first:
            raise _duplicate(setting.key, first[setting.key].origin, setting.origin)
        first[setting.key] = setting


def read_value(text: str) -> Value:
    """Return one value as typed on the command line: a word, or a list in YAML's ``[1, 2]`` form.

    Raises:
        ConfigError: brackets or quotes do not match, or what a file may not hold either.
    """
    node = _compose(text, "value")
    return None if node is None else _plain(node, "value")


def _walk(node: yaml.MappingNode, source: str, *, prefix: str) -> Iterator[Setting]:
    for key_node, value_node in node.value:
        key = prefix + _key_text(key_node, source)
        if isinstance(value_node, yaml.MappingNode):
            yield from _walk(value_node, source, prefix=f"{key}.")
        else:
            yield Setting(key, _plain(value_node, source), _origin(key_node, source))


def _plain(node: yaml.Node, source: str) -> Value:
    if isinstance(node, yaml.ScalarNode):
        return None if node.style is None and node.value in _NULL_WORDS else str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, source) for item in node.value]
    entries: dict[str, Value] = {}
    for key_node, value_node in node.value:
        key = _key_text(key_node, source)
        if key in entries:
            raise _duplicate(key, None, _origin(key_node, source))
        entries[key] = _plain(value_node, source)
    return entries


def _key_text(node: yaml.Node, source: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise ConfigError(f"{_origin(node, source)}: expected the name of a setting, found {_kind(node)}.")
    return str(node.value)


def _duplicate(key: str, first: Origin | None, second: Origin) -> ConfigError:
    before = f" (the first time in line {first.line})" if first else ""
    return ConfigError(f"{second}: {key} is set twice{before}.", hint="Remove one of the two.")


def _origin(node: yaml.Node, source: str) -> Origin:
    return Origin(source, node.start_mark.line + 1)


def _kind(node: yaml.Node) -> str:
    return {"scalar": "a single word", "sequence": "a list", "mapping": "a section"}[node.id]


class _Refused(Exception):
    """Something that YAML allows and a configuration does not."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.line = line


class _PlainLoader(yaml.SafeLoader):
    """Composes nodes of plain data; never constructs objects."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        event = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _Refused("anchors and aliases (& and *) are not understood here", line)
        if getattr(event, "tag", None):
            raise _Refused(f"tags such as {event.tag!r} are not understood here", line)
        if self._depth >= _MAX_DEPTH:
            raise _Refused(f"more than {_MAX_DEPTH} levels inside each other", line)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _compose(text: str, source: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_PlainLoader)
    except _Refused as error:
        raise ConfigError(f"{source}:{error.line}: {error}.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{source}{line}: not valid YAML: {error.problem or error.context}.") from None
    except yaml.reader.ReaderError as error:
        raise ConfigError(f"{source}: not valid YAML: {error.reason} (character {error.position}).") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{source}: not valid YAML: {type(error).__name__}.") from None
