"""``ava-detect predict``: who does what, where and when in videos."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ava_detect.cli import console
from ava_detect.cli.detector_arguments import (
    add_detector_arguments,
    detector_choices,
    given_detector_flag,
)
from ava_detect.cli.inputs import find_videos
from ava_detect.cli.number_types import positive_count, positive_number, seconds, share
from ava_detect.cli.overrides import add_set_flag, overrides_from
from ava_detect.cli.prediction_outputs import check_outputs, chosen_drawings, chosen_targets, open_journal
from ava_detect.cli.prediction_report import Bars, conclude, introduce, report, say_times
from ava_detect.cli.speed_arguments import add_speed_arguments
from evaluation.errors import UsageError

if TYPE_CHECKING:
    from ava_detect.engine.assembly import ActionModel, People
    from ava_detect.engine.predictor import Predictor
    from ava_detect.output.journal import Journal
    from ava_detect.output.records import Header
    from ava_detect.video.reader import VideoInfo

DESCRIPTION = "Find people in videos and say what each of them does."

EPILOG = """\
files
  --out *.csv    the official AVA rows, no header, ready for: ava-detect evaluate
                 video_id,timestamp,x1,y1,x2,y2,action_id,score
  --out *.json   one document with video, model, settings, people; --out *.jsonl: one keyframe a line
  --table *.csv  for spreadsheets, with a header: times, pixels, person ids, action names
  --video *.mp4  the video with boxes and actions drawn; plays in browsers

examples
  ava-detect predict video.mp4 --out actions.csv
  ava-detect predict clips/ --out actions.csv --table people.csv --video overlays/
  ava-detect predict video.mp4 --boxes boxes.csv --weights mymodel.pth --cfg ava/slowfast_8x8_r50 --out -

exit codes: 0 done, 1 not possible, 2 wrong use, 3 some inputs failed or were damaged, 130 interrupted
more: docs/predict.md
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    _input_arguments(parser.add_argument_group("input"))
    _output_arguments(
        parser.add_argument_group("output (several allowed; none: the strongest actions are printed)")
    )
    _model_arguments(parser.add_argument_group("model"))
    add_speed_arguments(parser.add_argument_group("speed"), batch_help="keyframes at once (default auto)")
    _drawing_arguments(parser.add_argument_group("drawing, with --video"))


def _input_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("inputs", nargs="+", metavar="INPUT", help="video file, folder or glob")
    group.add_argument(
        "--boxes", type=Path, metavar="FILE.csv", help="use these person boxes, not the detector"
    )
    group.add_argument(
        "--every",
        type=positive_number,
        default=1.0,
        metavar="SECONDS",
        help="between keyframes (default 1.0, as AVA)",
    )
    group.add_argument(
        "--start", type=seconds, default=0.0, metavar="SECONDS", help="first keyframe (default 0)"
    )
    group.add_argument(
        "--end", type=seconds, metavar="SECONDS", help="no keyframe after this (default: the end)"
    )
    group.add_argument(
        "--time-offset",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="added to the times in CSV files and looked up in --boxes; 900 for AVA's 15-minute cuts",
    )


def _output_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--out",
        action="append",
        default=[],
        metavar="FILE",
        help=".csv: AVA rows (- is standard output); .json, .jsonl",
    )
    group.add_argument(
        "--table", type=Path, metavar="FILE.csv", help="header, pixels, action names, person ids"
    )
    group.add_argument(
        "--video", type=Path, metavar="FILE.mp4", help="annotated video; a folder for several inputs"
    )
    group.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    group.add_argument("--resume", action="store_true", help="go on with the run that was interrupted")
    group.add_argument("--json", action="store_true", help="the summary on standard output as JSON")


def _model_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--weights",
        metavar="NAME|FILE",
        help="see: ava-detect models list (default slowfast-r101-nl-8x8-ava22)",
    )
    group.add_argument("--cfg", metavar="FILE", help="for weights that do not bring their config")
    add_set_flag(group)
    group.add_argument("--labels", metavar="FILE", help="label map the weights were trained with (.pbtxt)")
    add_detector_arguments(
        group,
        short_names=False,
        weights_help="of the person detector (default faster-rcnn-r50-fpn-coco)",
    )
    group.add_argument(
        "--person-thresh",
        type=share,
        metavar="X",
        help="higher: fewer, surer people (default: the detector's)",
    )
    group.add_argument(
        "--min-score",
        type=share,
        default=0.05,
        metavar="X",
        help="actions below are not written (default 0.05)",
    )
    group.add_argument(
        "--track", action=argparse.BooleanOptionalAction, default=True, help="the same id for the same person"
    )
    group.add_argument("--offline", action="store_true", help="download nothing")


def _drawing_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--top-k", type=positive_count, default=5, metavar="N", help="actions per person (default 5)"
    )
    group.add_argument(
        "--label-thresh",
        type=share,
        default=0.3,
        metavar="X",
        help="actions below are not drawn (default 0.3)",
    )
    group.add_argument("--no-timestamp", action="store_true", help="no clock in the corner")


def run(args: argparse.Namespace) -> int:
    """Predict all inputs, write the outputs, say what was found."""
    from ava_detect.engine.interruption import graceful_interruption
    from ava_detect.engine.prediction import predict_videos, probe_videos
    from ava_detect.output.journal import read_journal
    from ava_detect.output.summary import summarise
    from ava_detect.output.writers import write_outputs

    started = time.monotonic()
    if args.boxes and (flag := given_detector_flag(args)):
        raise UsageError(f"{flag} is for the person detector, and --boxes brings the people")
    inputs = find_videos(args.inputs)
    targets, drawings = chosen_targets(args), chosen_drawings(args, inputs)
    place = check_outputs(args, inputs, targets, drawings)
    infos, outcomes = probe_videos(inputs)
    if not infos:
        return conclude(outcomes)
    model, people = _load(args)
    predictor = _predictor(args, model, people, infos.values())
    introduce(model, people, predictor, infos)
    with open_journal(args, place) as journal, graceful_interruption() as interruption:
        with Bars(args.every) as bars:
            outcomes += predict_videos(
                predictor,
                infos,
                journal,
                make_header=lambda info: _header(args, model, people, predictor, info),
                interruption=interruption,
                watch=bars.watch,
            )
        write_outputs(journal.path, targets)
        drawing_s = _draw(args, journal, model, {path: drawings[path] for path in infos if path in drawings})
        summary = summarise(read_journal(journal.path))
        report(args, targets, drawings, summary, journal)
        say_times(outcomes, drawing_s, time.monotonic() - started)
        if all(outcome.status != "interrupted" for outcome in outcomes):
            journal.discard()
    return conclude(outcomes)


def _load(args: argparse.Namespace) -> tuple[ActionModel, People]:
    """The person boxes first: what is missing there is told before weights of 200 MB are fetched."""
    from ava_detect.engine.assembly import load_action_model, people_from_detector, people_from_file
    from ava_detect.weights.zoo import DEFAULT_ACTIONS, DEFAULT_PERSONS, EMBEDDED, find_weights

    weights = args.weights or DEFAULT_ACTIONS
    find_weights(weights, kind="actions")  # a misspelt name is told before anything is downloaded
    if args.boxes:
        people = people_from_file(args.boxes, time_offset=args.time_offset)
    else:
        detector = args.detector_weights or (EMBEDDED if args.weights == EMBEDDED else DEFAULT_PERSONS)
        with console.DownloadBar(detector) as bar:
            people = people_from_detector(
                detector,
                threshold=args.person_thresh,
                device=args.device,
                precision=args.precision,
                offline=args.offline,
                progress=bar.update,
                **detector_choices(args),
            )
    with console.DownloadBar(weights) as bar:
        model = load_action_model(
            weights,
            cfg=args.cfg,
            overrides=overrides_from(args),
            labels=args.labels,
            offline=args.offline,
            progress=bar.update,
        )
    return model, people


def _predictor(
    args: argparse.Namespace, model: ActionModel, people: People, infos: Iterable[VideoInfo]
) -> Predictor:
    from ava_detect.engine.prediction import count_keyframes
    from ava_detect.engine.predictor import Predictor
    from ava_detect.video.keyframes import KeyframeGrid

    if args.end is not None and args.end < args.start:
        raise UsageError(f"--end {args.end:g} lies before --start {args.start:g}")
    return Predictor(
        model.cfg,
        model.network,
        people.find,
        every=args.every,
        start=args.start,
        end=args.end,
        person_thresh=_threshold(args, people) or 0.0,
        device=args.device,
        precision=args.precision,
        backend=args.backend,
        keyframes=count_keyframes(infos, KeyframeGrid(args.every, start=args.start, end=args.end)),
        batch=args.batch,
        track=args.track,
    )


def _threshold(args: argparse.Namespace, people: People) -> float | None:
    return args.person_thresh if args.person_thresh is not None else people.threshold


def _header(
    args: argparse.Namespace, model: ActionModel, people: People, predictor: Predictor, info: VideoInfo
) -> Header:
    from ava_detect import __version__
    from ava_detect.output.records import Header, Settings, VideoFacts

    return Header(
        tool_version=__version__,
        video=VideoFacts.of(info, info.path.stem),
        model=model.facts,
        detector=people.facts,
        settings=Settings(
            every_s=args.every,
            start_s=args.start,
            end_s=args.end,
            time_offset_s=args.time_offset,
            person_thresh=_threshold(args, people),
            min_score=args.min_score,
            track=args.track,
            precision=predictor.precision,
            device=str(predictor.device),
            backend=predictor.backend,
        ),
    )


def _draw(
    args: argparse.Namespace, journal: Journal, model: ActionModel, drawings: dict[Path, Path]
) -> float:
    """Draw the annotated videos; return the seconds that it took."""
    from ava_detect.output.journal import read_keyframes
    from ava_detect.output.render import OverlayOptions, render_video

    started = time.monotonic()
    options = OverlayOptions(args.every, args.top_k, args.label_thresh, not args.no_timestamp, args.end)
    for path, drawing in drawings.items():
        progress = journal.videos.get(path.stem)
        if progress is None or not progress.keyframes:
            continue
        if progress.status is None:  # interrupted: up to the last keyframe
            options = replace(options, end_s=progress.last_time)
        keyframes = read_keyframes(journal.path, path.stem)
        with console.Progress(
            progress.header.video.duration_s, label=f"drawing {drawing.name}", unit="s"
        ) as bar:
            render_video(path, keyframes, model.facts.classes, drawing, options, progress=bar.update_to)
    return time.monotonic() - started
