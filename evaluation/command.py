"""The ``evaluate`` command: arguments, order of work, what is printed where.

``ava-detect evaluate`` and ``python -m evaluation`` are both this module. Results go to stdout, warnings
to stderr.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.errors import AvaDetectError, UsageError

if TYPE_CHECKING:
    from evaluation.comparison import Comparison
    from evaluation.frame_map import EvaluationResult
    from evaluation.report_files import Document
    from evaluation.row_table import RowTable

EXIT_FAILED = 1
EXIT_BELOW = 3
EXIT_INTERRUPTED = 130
PICTURES = ("ap_by_class.png", "precision_recall.png", "errors.png", "comparison.png")

DESCRIPTION = "Score a detections file against ground truth as the AVA challenge does: frame-mAP at IoU 0.5."
EPILOG = """\
columns
  --gt    video_id,timestamp,x1,y1,x2,y2,action_id[,person_id]   or video_id,timestamp alone, no header
  --pred  video_id,timestamp,x1,y1,x2,y2,action_id,score         boxes divided by the frame's width and height
  --exclusions  video_id,timestamp
  --by-class writes: class_id, name, group, truth, detections, found, ap, ... with header; AP in [0, 1]

exit codes: 0 done, 1 a file cannot be used, 2 wrong use, 3 mAP below --min-map

examples
  {program} --gt ava_val_v2.2.csv --pred detections.csv
  {program} --gt val.csv --pred new.csv --compare old.csv --plot pictures/
  {program} --gt val.csv --pred detections.csv --labels mine.pbtxt --by-class classes.csv --min-map 0.25

The rules, the differences between protocols and a worked example: docs/evaluation.md
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's description, arguments and examples."""
    parser.description = DESCRIPTION
    parser.epilog = EPILOG.format(program=parser.prog)
    _add_files(parser.add_argument_group("input"))
    _add_rules(parser.add_argument_group("rules"))
    _add_outputs(parser.add_argument_group("output"))


def _add_files(files: "argparse._ArgumentGroup") -> None:
    files.add_argument("--gt", required=True, metavar="FILE", help="ground truth (CSV)")
    files.add_argument("--pred", required=True, metavar="FILE", help="detections (CSV)")
    files.add_argument(
        "--labels",
        default="v2.2",
        metavar="NAME|FILE",
        help="the classes that count: v2.2, v2.1 (AVA's 60), v2.2-80, v2.1-80, a .pbtxt file (default: v2.2)",
    )
    files.add_argument(
        "--exclusions",
        metavar="NAME|FILE",
        help="keyframes to leave out: v2.1-val, v2.1-train, or a CSV file",
    )
    files.add_argument(
        "--boxes", metavar="FILE", help="person boxes (CSV): also print their recall, the ceiling"
    )
    files.add_argument(
        "--compare", metavar="FILE", help="other detections: also print the change of every class"
    )


def _add_rules(rules: "argparse._ArgumentGroup") -> None:
    rules.add_argument(
        "--protocol",
        default="official",
        choices=("official", "pyslowfast", "mmaction2"),
        help="whose numbers to reproduce (default: official, the AVA challenge's script)",
    )
    rules.add_argument(
        "--iou",
        nargs="+",
        type=float,
        default=[0.5],
        metavar="X",
        help="smallest IoU of a match; the first value is reported by class (default: 0.5)",
    )
    rules.add_argument(
        "--pred-ids",
        default="one-based",
        choices=("one-based", "zero-based"),
        help="how --pred (and --compare) count classes (default: one-based, as AVA)",
    )
    rules.add_argument(
        "--lenient",
        action="store_true",
        help="skip rows that cannot be read, and count them, instead of stopping",
    )


def _add_outputs(output: "argparse._ArgumentGroup") -> None:
    output.add_argument("--by-class", metavar="FILE", help="write one row per class (CSV)")
    output.add_argument(
        "--json", metavar="FILE", help="write everything as JSON; - for stdout, instead of the text"
    )
    output.add_argument("--plot", metavar="DIR", help="draw AP by class, precision against recall, ... (PNG)")
    output.add_argument(
        "--errors", action="store_true", help="also print which kinds of mistakes cost how much"
    )
    output.add_argument(
        "--tie-interval", action="store_true", help="also print how much the order of equal scores can change"
    )
    output.add_argument(
        "--min-map", type=float, metavar="X", help="exit with 3 when mAP (a fraction) is below X"
    )
    output.add_argument("--overwrite", action="store_true", help="replace existing output files")
    output.add_argument(
        "--resamples",
        type=int,
        default=1000,
        metavar="N",
        help="of the videos, for --compare (default: 1000)",
    )
    output.add_argument("--seed", type=int, default=0, metavar="N", help="of the resamples (default: 0)")


def run(args: argparse.Namespace) -> int:
    """Evaluate and report.

    Returns:
        0, or 3 when the mAP is below ``--min-map``.

    Raises:
        AvaDetectError: a file cannot be used or written, or the flags do not fit together.
    """
    _check_arguments(args)
    from evaluation.explanation import explain  # here, because pandas takes half a second to import
    from evaluation.report_files import result_document
    from evaluation.report_text import result_text

    result = _evaluate(args, args.pred)
    findings = explain(result)
    for finding in findings:
        warn(finding.message, hint=finding.hint)
    for table in (result.scoring.annotated, result.scoring.found):
        _warn_of_skipped_rows(table)
    report = _Report([result_text(result)], result_document(result, findings))
    if args.boxes:
        _add_recall(report, result, args)
    if args.errors or args.plot:
        _add_errors(report, result, args)
    if args.compare:
        _add_comparison(report, result, args)
    if args.plot:
        _add_pictures(report, result)
    _write(report, result, args)
    if args.min_map is not None and result.mean < args.min_map:
        error(f"mAP {result.mean:.4f} is below --min-map {args.min_map:g}")
        return EXIT_BELOW
    return 0


@dataclass
class _Report:
    """What is to be printed and written."""

    texts: list[str]
    document: "Document"
    pictures: "dict[str, Callable[[Path], None]]" = field(default_factory=dict)
    comparison: "Comparison | None" = None


def _check_arguments(args: argparse.Namespace) -> None:
    """Find what is wrong with the arguments before minutes are spent on the files."""
    if args.min_map is not None and not 0 <= args.min_map <= 1:
        raise UsageError(f"--min-map {args.min_map:g}, expected a fraction: 0.25 for 25 %")
    if args.resamples < 1:
        raise UsageError(f"--resamples {args.resamples}, expected at least 1")
    if args.seed < 0:
        raise UsageError(f"--seed {args.seed}, expected 0 or more")
    outputs = [Path(path) for path in (args.by_class, args.json) if path and path != "-"]
    if args.plot:
        from evaluation.plots import require_matplotlib

        require_matplotlib()
        outputs += [Path(args.plot, name) for name in PICTURES]
    for path in outputs:
        if path.exists() and not args.overwrite:
            raise AvaDetectError(f"{path} exists. Use --overwrite, or another name.")


def _evaluate(args: argparse.Namespace, detections: str) -> "EvaluationResult":
    from evaluation.frame_map import evaluate_ava

    return evaluate_ava(
        args.gt,
        detections,
        args.labels,
        args.exclusions,
        args.protocol,
        iou_thresholds=args.iou,
        tie_intervals=args.tie_interval,
        lenient=args.lenient,
        zero_based_classes=args.pred_ids == "zero-based",
    )


def _warn_of_skipped_rows(table: "RowTable") -> None:
    if table.faults.total:
        first = min(table.faults.examples, key=lambda fault: fault.line)
        rows = f"{table.faults.total:,} row" + ("s" if table.faults.total > 1 else "")
        warn(f"{table.source}: skipped {rows} that cannot be read; first row {first.line}: {first.problem}")


def _add_recall(report: _Report, result: "EvaluationResult", args: argparse.Namespace) -> None:
    from evaluation.box_recall import box_recall
    from evaluation.report_files import recall_document
    from evaluation.report_text import recall_text
    from evaluation.rows import read_boxes

    boxes = read_boxes(args.boxes, lenient=args.lenient)
    _warn_of_skipped_rows(boxes)
    recall = box_recall(result, boxes)
    report.texts.append(recall_text(recall, result.iou_threshold))
    report.document["boxes"] = recall_document(recall)


def _add_errors(report: _Report, result: "EvaluationResult", args: argparse.Namespace) -> None:
    from evaluation.error_analysis import analyse_errors
    from evaluation.plots import plot_errors
    from evaluation.report_files import errors_document
    from evaluation.report_text import errors_text

    analysis = analyse_errors(result)
    if args.errors:
        report.texts.append(errors_text(analysis))
        report.document["errors"] = errors_document(analysis)
    report.pictures["errors.png"] = partial(plot_errors, analysis, result)


def _add_comparison(report: _Report, result: "EvaluationResult", args: argparse.Namespace) -> None:
    from evaluation.comparison import compare
    from evaluation.plots import plot_comparison
    from evaluation.report_files import comparison_document
    from evaluation.report_text import comparison_text

    other = _evaluate(args, args.compare)
    _warn_of_skipped_rows(other.scoring.found)
    comparison = compare(other, result, num_resamples=args.resamples, seed=args.seed)
    report.comparison = comparison
    report.texts.append(comparison_text(comparison, result, other))
    report.document["comparison"] = comparison_document(comparison, other)
    report.pictures["comparison.png"] = partial(plot_comparison, comparison, result, args.compare)


def _add_pictures(report: _Report, result: "EvaluationResult") -> None:
    from evaluation.plots import plot_class_ap, plot_precision_recall

    report.pictures["ap_by_class.png"] = partial(plot_class_ap, result)
    report.pictures["precision_recall.png"] = partial(plot_precision_recall, result)


def _write(report: _Report, result: "EvaluationResult", args: argparse.Namespace) -> None:
    """Print the report and write the files that were asked for."""
    from evaluation.report_files import json_text, write_class_table, write_json

    if args.json == "-":
        print(json_text(report.document))
    else:
        print("\n\n".join(report.texts))
    written: list[Path] = []
    if args.json and args.json != "-":
        _write_file(Path(args.json), partial(write_json, report.document), written)
    if args.by_class:
        _write_file(Path(args.by_class), partial(write_class_table, result, report.comparison), written)
    if args.plot:
        _make_folder(Path(args.plot))
        for name, draw in report.pictures.items():
            _write_file(Path(args.plot, name), draw, written)
    if written:
        print(f"wrote {', '.join(map(str, written))}", file=sys.stderr)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise AvaDetectError(f"{path}: cannot be made ({problem.strerror})") from None


def _write_file(path: Path, write: "Callable[[Path], None]", written: list[Path]) -> None:
    try:
        write(path)
    except OSError as problem:
        raise AvaDetectError(f"{path}: cannot be written ({problem.strerror or problem})") from None
    written.append(path)


def warn(message: str, *, hint: str = "") -> None:
    """Print ``warning: message`` and the hint's lines, indented, to stderr."""
    _print_lines("warning: ", message, hint)


def error(message: str, *, hint: str = "") -> None:
    """Print ``error: message`` and the hint's lines, indented, to stderr."""
    _print_lines("error: ", message, hint)


def _print_lines(prefix: str, message: str, hint: str) -> None:
    lines = [*message.splitlines(), *hint.splitlines()]
    print(prefix + "\n       ".join(lines), file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command by itself: parse, evaluate, turn errors into one line and an exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    configure(parser)
    parser.add_argument("--debug", action="store_true", help="tracebacks")
    args = parser.parse_args(argv)
    try:
        return run(args)
    except AvaDetectError as problem:
        if args.debug:
            raise
        error(str(problem), hint=problem.hint)
        return problem.exit_code
    except KeyboardInterrupt:
        error("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our standard output went away
        sys.stderr.close()
        return EXIT_FAILED
    except MemoryError:
        error("out of memory")
        return EXIT_FAILED
