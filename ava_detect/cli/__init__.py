"""The ``ava-detect`` command: finds the subcommand, runs it, turns errors into one line and an exit code.

Every subcommand is a module of this package with two functions::

    def configure(parser: argparse.ArgumentParser) -> None   # description, arguments, examples
    def run(args: argparse.Namespace) -> int                 # parse, call the library, print; the exit code

Only the chosen module is imported, and it imports torch, av, cv2 and detectron2 inside ``run``, so that
``--help`` answers at once.
"""

import argparse
import difflib
import importlib
import logging
import sys
from collections.abc import Sequence

from ava_detect import __version__
from ava_detect.cli import console
from evaluation.errors import AvaDetectError

COMMANDS = {
    "predict": "who does what, where, when: people and actions of videos as AVA rows",
    "test": "run a model over a data set and score it",
    "evaluate": "score a detections file; no model, no torch",
    "boxes": "stage one alone: person boxes on keyframes as the official CSV",
    "train-detector": "train or fine-tune the person detector",
    "test-detector": "score the person detector",
    "train": "train or fine-tune the action model",
    "check": "look for faults in data, boxes, predictions, label maps, videos",
    "convert": "labels of CVAT, VIA, COCO or a table to an AVA-style data set",
    "prepare": "small copies of a set's videos that are quick to read in the middle",
    "show": "draw samples of a data set exactly as the network sees them",
    "models": "published weights: list, info, fetch, convert",
    "config": "show or compare effective configurations, with the origin of each value",
    "demo": "the whole road on drawn scenes, scored, then on a real clip",
    "doctor": "is this machine fit; report for bug reports",
}

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

_EXAMPLE = "ava-detect predict video.mp4 --out actions.csv --video annotated.mp4"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code (see docs/command_line.md)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return 0
    if arguments[0] == "--version":
        print(f"ava-detect {__version__}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        console.error(f"{name!r} is not a command.{_nearest(name)} Commands: {', '.join(COMMANDS)}")
        return 2
    command = importlib.import_module(f"ava_detect.cli.{name.replace('-', '_')}")
    parser = argparse.ArgumentParser(
        prog=f"ava-detect {name}", allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.configure(parser)
    console.add_common_flags(parser)
    args = parser.parse_args(rest)
    console.set_up(args)
    return _run(command.run, args)


def _run(run: "console.Run", args: argparse.Namespace) -> int:
    """Call ``run`` and translate what it raises; the only place where an exception becomes text."""
    try:
        return run(args)
    except AvaDetectError as error:
        if args.debug:
            raise
        console.error(str(error), hint=error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        console.error("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our standard output went away: "ava-detect ... | head"
        sys.stderr.close()
        return EXIT_FAILED
    except MemoryError:
        console.error("out of memory", hint="Try a smaller --batch or a smaller model.")
        return EXIT_FAILED
    except Exception as error:
        if args.debug:
            raise
        logging.getLogger(__name__).debug("unexpected", exc_info=True)
        console.error(
            f"unexpected {type(error).__name__}: {error}",
            hint="--debug shows the traceback. Please report it with the output of: ava-detect doctor",
        )
        return EXIT_FAILED


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  ava-detect {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "Who does what, where and when in a video: AVA action detection with SlowFast networks.",
            "",
            *lines,
            "",
            f"example:  {_EXAMPLE}",
            "help:     ava-detect COMMAND --help",
        ]
    )


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
