"""Settings on the command line: one block of ``KEY VALUE`` pairs, or ``--set KEY VALUE`` once per pair.

Shared by the commands that take a configuration. Commands whose positional arguments are files have ``--set``
alone. ``KEY=VALUE`` is understood as well, since half of the field writes it.
"""

import argparse
import re
from collections.abc import Iterable, Sequence
from typing import NoReturn

from evaluation.errors import UsageError

# argparse takes -1e-4 for a flag; it is a value. (-1 and -0.5 it knows.)
_NEGATIVE_NUMBER = re.compile(r"^-(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$")


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Add the block of ``KEY VALUE`` pairs and ``--set`` to a command that has no other positional arguments.

    The block is one ``nargs="*"``: flags may stand before and after it, negative numbers are values, and no
    flag is swallowed. A second block is refused.
    """
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY VALUE",
        help="settings that replace those of the file, for example DATA.NUM_FRAMES 64 (KEY=VALUE works too)",
    )
    add_set_flag(parser)
    parser._negative_number_matcher = _NEGATIVE_NUMBER  # no public way; see above
    _explain_second_block(parser)


def add_set_flag(parser: argparse._ActionsContainer) -> None:
    """Add ``--set KEY VALUE``, to be given once per pair, to a parser or a group of one."""
    parser.add_argument(
        "--set",
        nargs=2,
        action="append",
        default=[],
        metavar=("KEY", "VALUE"),
        help="replace one setting of the configuration; may be given again",
    )


def overrides_from(args: argparse.Namespace) -> list[str]:
    """Return what was typed as a flat list of keys and values, for ``load_config``; ``--set`` wins.

    Raises:
        UsageError: a key stands at the end without a value.
    """
    pairs = parse_pairs(getattr(args, "overrides", []))
    return [*pairs, *(word for pair in args.set for word in pair)]


def parse_pairs(words: Sequence[str]) -> list[str]:
    """Return a flat list of keys and values from words ``KEY VALUE`` and ``KEY=VALUE``.

    Raises:
        UsageError: a key stands at the end without a value.
    """
    flat: list[str] = []
    rest = iter(words)
    for word in rest:
        key, equals, value = word.partition("=")
        flat += [key, value if equals else _value_of(word, rest)]
    return flat


def _value_of(key: str, rest: Iterable[str]) -> str:
    for value in rest:
        return value
    raise UsageError(
        f"{key}: a setting without a value.", hint="Settings are pairs, for example: DATA.NUM_FRAMES 64"
    )


def _explain_second_block(parser: argparse.ArgumentParser) -> None:
    """Say what is meant when argparse finds a second block, which it calls unrecognized arguments."""
    plain_error = parser.error

    def error(message: str) -> NoReturn:
        found = message.removeprefix("unrecognized arguments: ")
        if found != message and not found.startswith("-"):
            message += " (put all KEY VALUE pairs together, without flags between them)"
        plain_error(message)

    parser.error = error  # type: ignore[method-assign]
