"""``ava-detect config``: what is set, where each value came from, and what differs."""

import argparse
import dataclasses
import json
import shutil
import sys
from typing import TYPE_CHECKING

from ava_detect.cli import console
from ava_detect.cli.overrides import add_overrides, overrides_from

if TYPE_CHECKING:
    from ava_detect.config import Config
    from ava_detect.config.difference import Change

_DEFAULTS = "defaults"

_EXAMPLES = """\
examples
  ava-detect config list
  ava-detect config show --cfg ava/slowfast_8x8_r50
  ava-detect config show --cfg mine.yaml DATA.NUM_FRAMES 64 > effective.yaml
  ava-detect config diff --cfg ava/slowfast_8x8_r50
  ava-detect config diff --cfg mine.yaml --against ava/slowfast_8x8_r50

More: docs/configuration.md
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the three actions."""
    parser.description = "Show or compare effective configurations, with the origin of each value."
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(dest="action", required=True, metavar="show|diff|list")
    show = _add_action(actions, "show", "print every setting as YAML that loads again, with its origin")
    _add_configuration(show)
    diff = _add_action(actions, "diff", "print what differs from the defaults or from another configuration")
    _add_configuration(diff)
    diff.add_argument(
        "--against", metavar="FILE", help="compare with this file or name (default: the defaults)"
    )
    _add_action(actions, "list", "print the names of the configurations that come with the project")


def run(args: argparse.Namespace) -> int:
    """Print what was asked for to stdout."""
    if args.action == "list":
        return _list(args)
    cfg = _load(args.cfg, overrides_from(args))
    return _show(cfg, args) if args.action == "show" else _diff(cfg, args)


def _add_action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, sentence: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        name,
        help=sentence,
        description=f"{sentence[0].upper()}{sentence[1:]}.",
        epilog=_EXAMPLES,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.argument_default = argparse.SUPPRESS  # so that -q before the action is not forgotten after it
    console.add_common_flags(parser)
    parser.argument_default = None
    return parser


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cfg", metavar="FILE", help="YAML file, or a name of `ava-detect config list` (default: no file)"
    )
    add_overrides(parser)


def _load(path_or_name: str | None, overrides: list[str]) -> "Config":
    from ava_detect.config import load_config, parse_config

    if path_or_name is None:
        return parse_config("", overrides=overrides)
    return load_config(path_or_name, overrides)


def _show(cfg: "Config", args: argparse.Namespace) -> int:
    from ava_detect.config import dump_config
    from ava_detect.config.keys import values_of

    if args.json:
        _print_json(
            {key: {"value": value, "origin": str(cfg.origin(key))} for key, value in values_of(cfg).items()}
        )
    else:
        print(dump_config(cfg, origins=True), end="")
    return 0


def _diff(cfg: "Config", args: argparse.Namespace) -> int:
    from ava_detect.config.difference import changes_between, changes_from_defaults

    if args.against is None:
        changes = changes_from_defaults(cfg)
    else:
        changes = changes_between(_load(args.against, []), cfg)
    before, after = args.against or _DEFAULTS, args.cfg or "command line"
    if args.json:
        _print_json({"from": before, "to": after, "changes": [dataclasses.asdict(each) for each in changes]})
    else:
        print(f"{before} -> {after}: {len(changes)} different" if changes else f"{after} is as {before}")
        _print_changes(changes)
    return 0


def _print_changes(changes: "list[Change]") -> None:
    from ava_detect.config.dump import format_value

    width = max((len(change.key) for change in changes), default=0)
    for change in changes:
        line = f"{change.key:<{width}}  {format_value(change.before)} -> {format_value(change.after)}"
        print(f"{line}  # {change.origin}")


def _list(args: argparse.Namespace) -> int:
    from ava_detect.config.packaged import packaged_names, title

    titles = {name: title(name) for name in packaged_names()}
    if args.json:
        _print_json(titles)
        return 0
    width = max(map(len, titles), default=0)
    room = shutil.get_terminal_size().columns - width - 2 if sys.stdout.isatty() else sys.maxsize
    for name, text in titles.items():
        print(f"{name:<{width}}  {text if len(text) <= room else text[: max(room - 3, 0)] + '...'}")
    return 0


def _print_json(document: object) -> None:
    def entry(value: object) -> object:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return dataclasses.asdict(value)
        raise TypeError(type(value).__name__)

    print(json.dumps(document, indent=2, default=entry))
