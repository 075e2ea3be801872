"""``ava-detect test``: run a model over a data set and score it."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ava_detect.cli import console
from ava_detect.cli.overrides import add_overrides, overrides_from
from ava_detect.cli.prediction_report import say_caveats
from ava_detect.cli.speed_arguments import add_speed_arguments

if TYPE_CHECKING:
    from ava_detect.engine.distributed import Process
    from ava_detect.engine.testing.plan import TestPlan
    from ava_detect.engine.testing.results import TestResults
    from ava_detect.engine.testing.scores import Scores
    from ava_detect.engine.testing.session import TestSession

DESCRIPTION = "Run a model over the keyframes of an AVA-style data set and score what it finds."

EPILOG = """\
data set (settings, in --cfg or as KEY VALUE)
  AVA.VIDEO_DIR, AVA.ANNOTATION_DIR    where the videos and the CSV files are
  AVA.GROUNDTRUTH_FILE                 what is scored against; "" writes rows and scores nothing
  AVA.TEST_PREDICT_BOX_LISTS           detected boxes, from AVA.DETECTION_SCORE_THRESH on
  AVA.TEST_GT_BOXES True               the labelled boxes instead
  TEST.SCALES, TEST.FLIP               views of each clip whose scores are averaged

files, in --out
  detections.csv  video_id,timestamp,x1,y1,x2,y2,action_id,score for every box and class, no header
  per_class.csv   AP by class, with header; scores.json: all figures, under every protocol
  config.yaml     every setting; unread.csv: keyframes that could not be read, with the reason, if any

examples
  ava-detect test --weights runs/mine/model_best.safetensors
  ava-detect test --weights model.safetensors --cfg data.yaml AVA.TEST_GT_BOXES True --out runs/test_mine
  ava-detect test --weights slowfast-r50-8x8-ava22 AVA.VIDEO_DIR videos AVA.ANNOTATION_DIR annotations
  torchrun --nproc-per-node 8 -m ava_detect test --weights model.safetensors --cfg data.yaml

exit codes: 0 done, 1 not possible, 2 wrong use, 3 some keyframes could not be read, 130 interrupted
more: docs/testing.md
"""

EXIT_INCOMPLETE, EXIT_INTERRUPTED = 3, 130
_NAMED = 5  # unread keyframes that are named on the screen; unread.csv has all


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    model = parser.add_argument_group("input")
    model.add_argument(
        "--weights", metavar="NAME|FILE", default="", help="see: ava-detect models list (default: TEST."
        "CHECKPOINT_FILE_PATH of --cfg)"
    )  # fmt: skip
    model.add_argument(
        "--cfg",
        metavar="FILE",
        help="settings on top of those that the weights bring; all if they bring none",
    )
    model.add_argument("--offline", action="store_true", help="download nothing")
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the results (default: test_NAME in OUTPUT_DIR)"
    )
    output.add_argument("--resume", action="store_true", help="go on with the test that was interrupted")
    output.add_argument("--overwrite", action="store_true", help="replace the test that is there")
    output.add_argument("--json", action="store_true", help="scores.json on standard output, not the report")
    add_speed_arguments(
        parser.add_argument_group("speed"),
        batch_help="keyframes at once, in each process (default: 1 on a CPU, TEST.BATCH_SIZE elsewhere)",
    )
    add_overrides(parser)


def run(args: argparse.Namespace) -> int:
    """Score the test set, in one process or in those that torchrun started."""
    from ava_detect.engine.distributed import joined_processes
    from ava_detect.engine.in_turn import FailedInFirstError
    from ava_detect.engine.testing.failures import told_in_words

    with joined_processes(args.device) as process:
        if not process.is_first:
            console.hush()
        try:
            with told_in_words():
                return _test(args, process)
        except FailedInFirstError as error:
            return error.exit_code


def _test(args: argparse.Namespace, process: Process) -> int:
    from ava_detect.engine.in_turn import first_does
    from ava_detect.engine.interruption import graceful_interruption

    plan = first_does(process, lambda: _plan(args))
    session = _prepare(args, plan, process)
    _introduce(session)
    started = time.monotonic()
    with graceful_interruption() as interruption, _progress(session) as bar:
        complete = session.score(lambda done, _: bar.update_to(done), lambda: interruption.requested)
    if not complete:
        if process.is_first:
            console.error(
                "interrupted; what is scored has been kept. To go on: the same command with --resume"
            )
        return EXIT_INTERRUPTED
    seconds = time.monotonic() - started
    results, scores = session.conclude()
    if process.is_first:
        _report(args, session, results, scores, seconds)
    return EXIT_INCOMPLETE if results.unread else 0


def _plan(args: argparse.Namespace) -> TestPlan:
    from ava_detect.engine.testing.plan import plan_test

    with console.DownloadBar(args.weights) as bar:
        return plan_test(
            args.weights,
            cfg=args.cfg,
            overrides=overrides_from(args),
            offline=args.offline,
            progress=bar.update,
        )


def _prepare(args: argparse.Namespace, plan: TestPlan, process: Process) -> TestSession:
    from ava_detect.engine.testing.session import HowToTest, TestSession

    key = "DATA_LOADER.NUM_WORKERS"
    how = HowToTest(
        precision=args.precision,
        backend=args.backend,
        batch_size=args.batch,
        workers=plan.cfg.DATA_LOADER.NUM_WORKERS if key in overrides_from(args)[::2] else None,
    )
    folder = args.out or Path(plan.cfg.OUTPUT_DIR, f"test_{Path(plan.name).stem}")
    return TestSession.prepare(plan, folder, process, how, resume=args.resume, overwrite=args.overwrite)


def _introduce(session: TestSession) -> None:
    """Say what is tested, on what, where."""
    from ava_detect.engine.device import describe_device
    from ava_detect.engine.testing.views import chosen_views

    plan, process, annotations = session.plan, session.process, session.tester.annotations
    ava = plan.cfg.AVA
    if ava.TEST_GT_BOXES:
        boxes = f"labelled boxes ({ava.GROUNDTRUTH_FILE}): an upper bound of what detected ones give"
    else:
        boxes = f"{', '.join(ava.TEST_PREDICT_BOX_LISTS)}, score at least {ava.DETECTION_SCORE_THRESH:g}"
    result = f" ({plan.result} as published)" if plan.result else ""
    console.say(f"model    {plan.name}, {plan.cfg.MODEL.NUM_CLASSES} classes{result}")
    console.say(
        f"data     {len(annotations):,} keyframes of {len(set(annotations.videos.tolist())):,} videos,"
        f" {len(annotations.boxes):,} boxes"
    )
    for note in annotations.notes:
        console.say(f"         {note}")
    console.say(f"boxes    {boxes}")
    console.say(f"views    short side {', '.join(map(str, chosen_views(plan.cfg)))}")
    shared = f"; {process.world} processes" if process.world > 1 else ""
    device = describe_device(process.device, session.precision)
    console.say(f"device   {device}, {session.network.backend}{shared}")
    if session.num_done:
        console.say(f"resumed  {session.num_done:,} of {len(annotations):,} keyframes are done")
    if process.is_first:
        say_caveats(plan.caveat)


def _progress(session: TestSession) -> console.Progress:
    """Return the bar of the first process's share, which is as long as the others'."""
    from ava_detect.engine.testing.batches import share_of

    process = session.process
    mine = share_of(session.todo, rank=process.rank, world=process.world)
    label = "test" if process.world == 1 else f"test (process 1 of {process.world})"
    return console.Progress(sum(map(len, mine)), label=label, unit="keyframes")


def _report(
    args: argparse.Namespace,
    session: TestSession,
    results: TestResults,
    scores: Scores | None,
    seconds: float,
) -> None:
    """Print the figures, or the document; name what could not be read and what was written."""
    from ava_detect.engine.testing.results import UNREAD
    from ava_detect.engine.testing.scores import results_document
    from evaluation.report_files import json_text

    for finding in scores.warnings if scores else ():
        console.warn(finding.message, hint=finding.hint)
    if args.json:
        print(json_text(scores.document if scores else results_document(results)))
    elif scores:
        print(scores.report)
    else:
        console.say("AVA.GROUNDTRUTH_FILE is empty: nothing is scored")
    for keyframe in results.unread[:_NAMED]:
        console.warn(f"not read: {keyframe}")
    folder = session.folder.path
    console.say(f"wrote {folder}: {', '.join(session.folder.written)}")
    todo = sum(map(len, session.todo))
    console.say(f"time: {console.clock(seconds)}, {todo / max(seconds, 1e-9):.1f} keyframes/s")
    if results.unread:
        more = f"; all of them: {folder / UNREAD}" if len(results.unread) > _NAMED else ""
        console.error(
            f"{len(results.unread):,} of {len(results.annotations):,} keyframes could not be read and have no"
            f" rows{more}"
        )
