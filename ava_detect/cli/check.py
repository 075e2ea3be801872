"""``ava-detect check``: everything that would make training or evaluation go wrong, before a GPU is used."""

import argparse
import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ava_detect.cli import console
from ava_detect.cli.number_types import seconds
from ava_detect.cli.overrides import add_set_flag, overrides_from
from evaluation.errors import UsageError

if TYPE_CHECKING:
    from ava_detect.data.check import Finding, Report
    from ava_detect.data.check.load import Thing

EXIT_FAULTS = 3

_EPILOG = """\
findings
  FAULT  makes results wrong or impossible      note  is something to know
  Each is printed once, with how many rows or files it concerns, the first place (file:row and the row itself;
  -v shows three) and what to type. Nothing is changed.
exit codes: 0 no faults, 2 wrong use, 3 faults
examples
  ava-detect check data_set/
  ava-detect check --cfg mine.yaml --set AVA.VALID_SECONDS auto
  ava-detect check train.csv val.csv boxes_val.csv videos/ --labels labels.pbtxt
  ava-detect check --gt val.csv --pred predictions.csv
  ava-detect check video.mp4
Every finding, and what to do: docs/check.md"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = "Look for faults in data, boxes, predictions, label maps, videos, checkpoints."
    parser.epilog = _EPILOG
    things = parser.add_argument_group("what to look at (at least one; several are compared with each other)")
    things.add_argument(
        "things",
        nargs="*",
        metavar="THING",
        help="data set (folder or configuration), annotations, person boxes, predictions, label map, video, "
        "folder of videos or frames, checkpoint; told by content",
    )
    for flag, kind in _ROLES.items():
        things.add_argument(
            flag, action="append", default=[], metavar="FILE", help=f"a THING that is meant to be {kind}"
        )
    options = parser.add_argument_group("how to look")
    add_set_flag(options)
    options.add_argument(
        "--start-second",
        type=seconds,
        metavar="S",
        help="time of the annotations at which the videos begin: 900 for AVA's 15-minute cuts "
        "(default: from the data)",
    )
    options.add_argument(
        "--quick",
        action="store_true",
        help="do not decode videos nor open every frame: faster, sees less damage",
    )
    options.add_argument("--json", action="store_true", help="the report as JSON on standard output")


_ROLES = {
    "--cfg": "a configuration",
    "--gt": "ground truth",
    "--pred": "predictions",
    "--boxes": "person boxes",
    "--exclusions": "excluded keyframes",
    "--labels": "a label map (or v2.2, v2.1, v2.2-80, v2.1-80)",
}


def run(args: argparse.Namespace) -> int:
    """Look at everything and print what was found."""
    from ava_detect.data.check import Options, check_things

    things = _things(args)
    if not things:
        raise UsageError("nothing to look at", hint="For example: ava-detect check data_set/")
    options = Options(tuple(overrides_from(args)), args.start_second, not args.quick)
    with _Progress() as progress:
        report = check_things(things, options, watch=progress.watch)
    if args.json:
        print(json.dumps(_as_json(report), indent=2))
    else:
        _print(report, quiet=args.quiet, verbose=args.verbose)
    return EXIT_FAULTS if report.faults else 0


def _things(args: argparse.Namespace) -> "list[Thing]":
    from ava_detect.data.check.kinds import Kind
    from ava_detect.data.check.load import Thing

    roles = {
        "cfg": Kind.CONFIG,
        "gt": Kind.TRUTH,
        "pred": Kind.PREDICTIONS,
        "boxes": Kind.BOXES,
        "exclusions": Kind.EXCLUSIONS,
        "labels": Kind.LABEL_MAP,
    }
    return [Thing(path, kind) for name, kind in roles.items() for path in getattr(args, name)] + [
        Thing(path) for path in args.things
    ]


class _Progress:
    """One bar for each folder of videos, one after the other."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._label = ""
        self._bar: console.Progress | None = None

    def watch(self, label: str, done: float, total: float) -> None:
        if self._bar is None or label != self._label:
            self._stack.close()
            self._label = label
            self._bar = self._stack.enter_context(console.Progress(total, label=label, unit="videos"))
        self._bar.update_to(done)

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


_STATUS_WIDTH = len("FAULT")


def _print(report: "Report", *, quiet: bool, verbose: bool) -> None:
    if not quiet:
        _print_subjects(report)
    shown = report.faults if quiet else report.findings
    for finding in shown:
        _print_finding(finding, all_places=verbose)
    print(_clean(_conclusion(report)))


def _print_subjects(report: "Report") -> None:
    """Print what was looked at, and what it was taken for."""
    width = min(48, max((len(subject.path) for subject in report.subjects), default=0))
    for subject in report.subjects:
        status = report.status_of(subject.path).value
        text = f"{subject.kind}: {subject.summary}" if subject.summary else subject.kind
        print(_clean(f"{subject.path:<{width}}  {status:<{_STATUS_WIDTH}}  {text}"))
    if report.findings:
        print()


def _print_finding(finding: "Finding", *, all_places: bool) -> None:
    indent = " " * (_STATUS_WIDTH + 2)
    first, *further = finding.message.splitlines() or [""]
    print(_clean(f"{finding.severity.value:<{_STATUS_WIDTH}}  {finding.subject}: {first}"))
    for line in further:
        print(_clean(f"{indent}{line}"))
    places = finding.places if all_places else finding.places[:1]
    for place in places:
        if place.line or Path(place.file).name not in finding.message:
            print(_clean(f"{indent}{place}"))
    for line in finding.hint.splitlines():
        print(_clean(f"{indent}{line}"))


def _conclusion(report: "Report") -> str:
    faults, notes = len(report.faults), len(report.notes)
    text = "no faults" if not faults else f"{faults} fault{'s' if faults > 1 else ''}"
    return f"{text}, {notes} note{'s' if notes > 1 else ''}" if notes else text


def _clean(text: str) -> str:
    """Replace what would move the cursor of a terminal; names and rows come from files."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def _as_json(report: "Report") -> dict[str, object]:
    return {
        "schema": "ava-detect check",
        "version": 1,
        "faults": len(report.faults),
        "notes": len(report.notes),
        "subjects": [
            {
                "path": subject.path,
                "kind": subject.kind,
                "summary": subject.summary,
                "status": report.status_of(subject.path).value,
            }
            for subject in report.subjects
        ],
        "findings": [
            {
                "severity": finding.severity.value,
                "code": finding.code,
                "subject": finding.subject,
                "message": finding.message,
                "count": finding.count,
                "places": [
                    {"file": place.file, "row": place.line or None, "text": place.text}
                    for place in finding.places
                ],
                "hint": finding.hint,
            }
            for finding in report.findings
        ],
    }
