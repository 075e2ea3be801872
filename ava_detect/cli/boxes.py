"""``ava-detect boxes``: stage one alone, person boxes on keyframes as the official CSV."""

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ava_detect.cli import console
from ava_detect.cli.boxes_report import BoxProgress, Findings, introduce, report
from ava_detect.cli.detector_arguments import add_detector_arguments, detector_choices
from ava_detect.cli.inputs import find_videos
from ava_detect.cli.number_types import positive_number, seconds, share
from ava_detect.cli.overrides import add_set_flag, overrides_from
from ava_detect.cli.prediction_outputs import chosen_drawings
from ava_detect.cli.prediction_report import conclude
from ava_detect.cli.speed_arguments import add_batch_argument, add_device_arguments
from evaluation.errors import UsageError

if TYPE_CHECKING:
    from ava_detect.engine.assembly import People
    from ava_detect.engine.box_finding import BoxFinder
    from ava_detect.engine.box_tasks import BoxPlan
    from ava_detect.engine.distributed import Process
    from ava_detect.engine.prediction import Outcome

DESCRIPTION = "Find the people on keyframes of videos and write their boxes: stage one alone."

EPILOG = """\
files
  --out *.csv    the official person boxes, no header: video_id,timestamp,x1,y1,x2,y2,,score
                 for: ava-detect predict --boxes, AVA.TEST_PREDICT_BOX_LISTS, ava-detect evaluate --boxes
  --video *.mp4  the video with the boxes and their scores drawn

examples
  ava-detect boxes video.mp4 --out boxes.csv
  ava-detect boxes videos/*.mp4 --at val.csv --out boxes_val.csv
  ava-detect boxes --cfg mine.yaml --split test --out boxes_val.csv
  ava-detect boxes videos/ --mode fast --precision bf16 --out boxes.csv
  torchrun --nproc-per-node 4 -m ava_detect boxes --cfg ava/slowfast_8x8_r50 --out boxes_val.csv

exit codes: 0 done, 1 not possible, 2 wrong use, 3 some inputs failed or were damaged, 130 interrupted
more: docs/person_detector.md
"""

_SET_SUFFIXES = (".yaml", ".yml")
_PATIENCE = timedelta(days=30)  # a process whose videos are short waits for the others


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    _input_arguments(parser.add_argument_group("input"))
    _output_arguments(parser.add_argument_group("output (at least one of --out and --video)"))
    _model_arguments(parser.add_argument_group("model"))
    speed = parser.add_argument_group("speed")
    add_device_arguments(speed)
    add_batch_argument(speed, batch_help="keyframes at once (default auto)")


def _input_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "inputs", nargs="*", metavar="INPUT", help="video file, folder or glob; or one data set's .yaml"
    )
    group.add_argument("--cfg", metavar="FILE", help="all keyframes of this AVA-style data set")
    add_set_flag(group)
    group.add_argument(
        "--split", choices=("train", "test"), default="test", help="of the data set (default test)"
    )
    group.add_argument(
        "--at",
        type=Path,
        metavar="FILE.csv",
        help="only the keyframes that this CSV names, e.g. ground truth",
    )
    group.add_argument(
        "--every", type=positive_number, metavar="SECONDS", help="between keyframes (default 1.0, as AVA)"
    )
    group.add_argument("--start", type=seconds, metavar="SECONDS", help="first keyframe (default 0)")
    group.add_argument(
        "--end", type=seconds, metavar="SECONDS", help="no keyframe after this (default: the end)"
    )
    group.add_argument(
        "--time-offset",
        type=float,
        metavar="SECONDS",
        help="added to the times written and taken from those of --at; 900 for AVA's 15-minute cuts",
    )


def _output_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--out", type=Path, metavar="FILE.csv", help="the boxes")
    group.add_argument(
        "--video", type=Path, metavar="FILE.mp4", help="boxes drawn; a folder for several inputs"
    )
    group.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    group.add_argument("--resume", action="store_true", help="go on with the run that was interrupted")
    group.add_argument("--json", action="store_true", help="counts and recall on standard output as JSON")


def _model_arguments(group: argparse._ArgumentGroup) -> None:
    add_detector_arguments(
        group, short_names=True, weights_help="of the detector (default faster-rcnn-r50-fpn-coco)"
    )
    group.add_argument(
        "--min-score",
        type=share,
        default=0.05,
        metavar="X",
        help="boxes below are not written (default 0.05: low, so that a threshold can be chosen later)",
    )
    group.add_argument("--offline", action="store_true", help="download nothing")


def run(args: argparse.Namespace) -> int:
    """Find the boxes, write them, compare them with the annotations."""
    _check_words(args)
    inputs = find_videos(args.inputs) if args.inputs else []
    drawings = chosen_drawings(args, inputs)
    outputs = [path for path in (args.out, *drawings.values()) if path is not None]
    _check_outputs(args, outputs, inputs)

    from ava_detect.engine.distributed import joined_processes

    with joined_processes(args.device, patience=_PATIENCE) as process:
        if not process.is_first:
            args.quiet = True
            console.set_up(args)
        plan, failed = _plan(args, inputs)
        if not plan.tasks:
            return conclude(failed)
        outcomes = _work(args, process, plan, drawings, outputs[0])
        return conclude([*failed, *outcomes]) if process.is_first else 0


def _check_words(args: argparse.Namespace) -> None:
    """Refuse what does not go together.

    Raises:
        UsageError: it does not.
    """
    if args.out is None and args.video is None:
        raise UsageError("nothing to write: give --out boxes.csv, --video boxes.mp4 or both")
    if args.out is not None and args.out.suffix.lower() != ".csv":
        raise UsageError(f"--out {args.out}: expected a name that ends in .csv")
    if args.cfg is None and len(args.inputs) == 1 and args.inputs[0].lower().endswith(_SET_SUFFIXES):
        args.cfg, args.inputs = args.inputs[0], []
    if bool(args.cfg) == bool(args.inputs):
        raise UsageError(f"expected videos or a data set (--cfg), found {'both' if args.cfg else 'neither'}")
    said = [
        flag for flag in ("at", "start", "end", "time_offset", "video") if getattr(args, flag) is not None
    ]
    if args.cfg and said:
        raise UsageError(f"--{said[0].replace('_', '-')} is for videos; with --cfg the configuration decides")
    if args.set and not args.cfg:
        raise UsageError("--set changes a configuration, and there is none without --cfg")
    grid = [flag for flag in ("every", "start", "end") if getattr(args, flag) is not None]
    if args.at and grid:
        raise UsageError(f"--{grid[0]} means nothing with --at, which names the keyframes")
    if args.end is not None and args.end < (args.start or 0.0):
        raise UsageError(f"--end {args.end:g} lies before --start {args.start or 0:g}")


def _check_outputs(args: argparse.Namespace, outputs: list[Path], inputs: list[Path]) -> None:
    from ava_detect.engine.box_finding import parts_folder
    from ava_detect.output.targets import check_places, refuse_existing

    check_places(outputs, inputs)
    if not (args.overwrite or (args.resume and parts_folder(outputs[0]).exists())):
        refuse_existing(outputs)


def _plan(args: argparse.Namespace, inputs: list[Path]) -> tuple[BoxPlan, list[Outcome]]:
    """Find out what is to be done, and which inputs cannot be read."""
    from ava_detect.config import load_config
    from ava_detect.engine.box_tasks import BoxPlan, plan_at, plan_of_set, plan_of_videos
    from ava_detect.engine.prediction import probe_videos
    from ava_detect.video.keyframes import KeyframeGrid

    every, offset = args.every or 1.0, args.time_offset or 0.0
    if args.cfg:
        return plan_of_set(load_config(args.cfg, overrides_from(args)), args.split, every), []
    infos, failed = probe_videos(inputs)
    if not infos:
        return BoxPlan(()), failed
    if args.at:
        return plan_at(args.at, infos.values(), offset), failed
    grid = KeyframeGrid(every, start=args.start or 0.0, end=args.end)
    return plan_of_videos(infos.values(), grid, offset), failed


def _work(
    args: argparse.Namespace, process: Process, plan: BoxPlan, drawings: dict[Path, Path], first_output: Path
) -> list[Outcome]:
    """Do this process's share, wait for the others', write everything."""
    from ava_detect.engine.box_finding import open_parts, parts_folder, remove_parts, shared_out
    from ava_detect.engine.interruption import graceful_interruption

    people = _people(args, process)
    folder = parts_folder(first_output)
    if process.is_first:
        open_parts(folder, resume=args.resume, overwrite=args.overwrite)
    process.barrier()
    finder = _finder(args, process, people, plan, folder)
    introduce(plan, people, finder, process)
    mine = shared_out(plan.tasks, process.rank, process.world)
    with graceful_interruption() as interruption, BoxProgress(mine, process.world) as progress:
        done = list(finder.run(mine, interruption, progress.watch))
    outcomes = [outcome for share in process.gather(done) for outcome in share]
    if not process.is_first:
        return outcomes
    findings = Findings.collect(finder, plan, args.out)
    _draw(args, plan, folder, drawings)
    report(args, findings, [drawing for drawing in drawings.values() if drawing.exists()])
    if all(outcome.status in ("complete", "damaged") for outcome in outcomes):
        remove_parts(folder)
    return outcomes


def _people(args: argparse.Namespace, process: Process) -> People:
    from ava_detect.engine.assembly import people_from_detector
    from ava_detect.weights.zoo import DEFAULT_PERSONS

    weights = args.detector_weights or DEFAULT_PERSONS
    with console.DownloadBar(weights) as bar:
        return people_from_detector(
            weights,
            threshold=args.min_score,
            device=str(process.device),
            precision=args.precision,
            offline=args.offline,
            progress=bar.update,
            **detector_choices(args),
        )


def _finder(
    args: argparse.Namespace, process: Process, people: People, plan: BoxPlan, folder: Path
) -> BoxFinder:
    from ava_detect import __version__
    from ava_detect.engine.box_finding import BoxFinder
    from ava_detect.engine.device import pick_precision
    from ava_detect.output.records import Settings

    settings = Settings(
        every_s=args.every or 1.0,
        start_s=args.start or 0.0,
        end_s=args.end,
        time_offset_s=plan.time_offset,
        person_thresh=args.min_score,
        track=False,
        precision=pick_precision(args.precision, process.device),
        device=process.device.type,  # another process, or the one that resumes, may have another GPU
    )
    batch = args.batch or (1 if process.device.type == "cpu" else 8)
    return BoxFinder(people.find, people.facts, settings, folder, __version__, batch)


def _draw(args: argparse.Namespace, plan: BoxPlan, folder: Path, drawings: dict[Path, Path]) -> None:
    """Draw the boxes with their scores on the videos."""
    from ava_detect.engine.box_finding import journal_of
    from ava_detect.output.box_video import draw_boxes

    tasks = {task.pictures.path: task for task in plan.tasks}
    for path, drawing in drawings.items():
        journal = journal_of(folder, tasks[path]) if path in tasks else None
        if journal is None or not journal.exists():
            continue
        with console.Progress(None, label=f"drawing {drawing.name}", unit="s") as bar:
            draw_boxes(path, journal, drawing, every_s=args.every or 1.0, progress=bar.update_to)
