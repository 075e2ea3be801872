"""``ava-detect predict``: who does what, where and when in videos."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ava_detect.cli import console
from ava_detect.cli.inputs import find_videos
from ava_detect.cli.number_types import positive_count, positive_number, seconds, share
from ava_detect.cli.overrides import add_set_flag, overrides_from
from evaluation.errors import UsageError

if TYPE_CHECKING:
    from ava_detect.engine.assembly import ActionModel, People
    from ava_detect.engine.prediction import Outcome
    from ava_detect.engine.predictor import Predictor
    from ava_detect.output.journal import Journal
    from ava_detect.output.records import Header
    from ava_detect.output.results import KeyframeResult
    from ava_detect.output.summary import Summary
    from ava_detect.output.targets import Target
    from ava_detect.video.reader import VideoInfo

EXIT_FAILED, EXIT_INCOMPLETE, EXIT_INTERRUPTED = 1, 3, 130

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
    _speed_arguments(parser.add_argument_group("speed"))
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
    group.add_argument(
        "--detector-weights",
        metavar="NAME|FILE",
        help="of the person detector (default faster-rcnn-r50-fpn-coco)",
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


def _speed_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N, mps (default auto)")
    group.add_argument(
        "--precision", default="auto", help="auto, fp32, bf16, fp16 (default auto: half on CUDA, else fp32)"
    )
    group.add_argument("--batch", type=positive_count, metavar="N", help="keyframes at once (default auto)")


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
    inputs = find_videos(args.inputs)
    targets, drawings = _targets(args), _drawings(args, inputs)
    place = _check_outputs(args, inputs, targets, drawings)
    infos, outcomes = probe_videos(inputs)
    if not infos:
        return _conclude(outcomes)
    model, people = _load(args)
    predictor = _predictor(args, model, people)
    _introduce(model, people, predictor, infos)
    with _journal(args, place) as journal, graceful_interruption() as interruption:
        outcomes += predict_videos(
            predictor,
            infos,
            journal,
            make_header=lambda info: _header(args, model, people, predictor, info),
            interruption=interruption,
            watch=_Bars(args.every).watch,
        )
        write_outputs(journal.path, targets)
        drawing_s = _draw(args, journal, model, {path: drawings[path] for path in infos if path in drawings})
        summary = summarise(read_journal(journal.path))
        _report(args, targets, drawings, summary, journal)
        _say_times(outcomes, drawing_s, time.monotonic() - started)
        if all(outcome.status != "interrupted" for outcome in outcomes):
            journal.discard()
    return _conclude(outcomes)


def _targets(args: argparse.Namespace) -> list[Target]:
    from ava_detect.output.targets import out_target, table_target

    targets = [out_target(name) for name in args.out]
    return [*targets, table_target(str(args.table))] if args.table else targets


def _drawings(args: argparse.Namespace, inputs: Sequence[Path]) -> dict[Path, Path]:
    """The annotated video of each input: the file that was named, or one per input in a folder."""
    if args.video is None:
        return {}
    if args.video.suffix.lower() == ".mp4":
        if len(inputs) > 1:
            raise UsageError(
                f"--video {args.video}: {len(inputs)} inputs need a folder", hint="--video overlays/"
            )
        return {inputs[0]: args.video}
    if args.video.suffix:
        raise UsageError(f"--video {args.video}: expected a name that ends in .mp4, or a folder")
    args.video.mkdir(parents=True, exist_ok=True)
    return {path: args.video / f"{path.stem}.mp4" for path in inputs}


def _check_outputs(
    args: argparse.Namespace, inputs: Sequence[Path], targets: Sequence[Target], drawings: dict[Path, Path]
) -> Path | None:
    """Make sure that every output may be written; return where the journal goes (None: nothing is kept)."""
    from ava_detect.output.journal import journal_path
    from ava_detect.output.targets import check_places, refuse_existing

    outputs = [target.path for target in targets if target.path] + list(drawings.values())
    check_places(outputs, inputs)
    place = journal_path(outputs[0]) if outputs else None
    resumed = args.resume and place is not None and place.exists()
    if not (args.overwrite or resumed):
        refuse_existing(outputs)
    if args.overwrite and place and not args.resume:
        place.unlink(missing_ok=True)
    return place


@contextmanager
def _journal(args: argparse.Namespace, place: Path | None) -> Iterator[Journal]:
    from ava_detect.output.journal import Journal

    if place is not None:
        with Journal.resume(place) if args.resume else Journal.create(place) as journal:
            yield journal
        return
    with (
        tempfile.TemporaryDirectory(prefix="ava-detect-") as folder,
        Journal.create(Path(folder, "j")) as journal,
    ):
        yield journal


def _load(args: argparse.Namespace) -> tuple[ActionModel, People]:
    """The person boxes first: what is missing there is told before weights of 200 MB are fetched."""
    from ava_detect.engine.assembly import load_action_model, people_from_detector, people_from_file
    from ava_detect.weights.zoo import DEFAULT_ACTIONS, DEFAULT_PERSONS, EMBEDDED

    offline = args.offline or None
    if args.boxes:
        people = people_from_file(args.boxes, time_offset=args.time_offset)
    else:
        default = EMBEDDED if args.weights == EMBEDDED else DEFAULT_PERSONS
        people = people_from_detector(args.detector_weights or default, device=args.device, offline=offline)
    model = load_action_model(
        args.weights or DEFAULT_ACTIONS,
        cfg=args.cfg,
        overrides=overrides_from(args),
        labels=args.labels,
        offline=offline,
    )
    return model, people


def _predictor(args: argparse.Namespace, model: ActionModel, people: People) -> Predictor:
    from ava_detect.engine.predictor import Predictor

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
        video=VideoFacts(
            video_id=info.path.stem,
            path=str(info.path),
            width=info.width,
            height=info.height,
            duration_s=info.duration_s,
            fps=str(info.fps) if info.fps else None,
            rotation=info.rotation,
            codec=info.codec,
            size_bytes=info.path.stat().st_size,
        ),
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
        ),
    )


def _introduce(
    model: ActionModel, people: People, predictor: Predictor, infos: dict[Path, VideoInfo]
) -> None:
    from ava_detect.engine.device import describe_device

    threshold = f", threshold {predictor.person_thresh:.2f}" if predictor.person_thresh else ""
    console.say(f"model    {model.description}")
    console.say(f"persons  {people.description}{threshold}")
    console.say(f"device   {describe_device(predictor.device, predictor.precision)}")
    for path, info in infos.items():
        length = console.clock(info.duration_s) if info.duration_s else "length unknown"
        rate = f", {float(info.fps):.5g} fps" if info.fps else ""
        console.say(f"video    {path}  {length}, {info.width}x{info.height}{rate}, {info.codec}")


class _Bars:
    """One progress bar per video, in seconds of video."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._bar: console.Progress | None = None
        self._path: Path | None = None
        self._persons = 0

    def watch(self, info: VideoInfo, result: KeyframeResult) -> None:
        """Draw the bar of ``info`` up to ``result``."""
        if self._bar is None or self._path != info.path:
            self.close()
            self._bar = console.Progress(info.duration_s, label=info.path.name, unit="s")
            self._path, self._persons = info.path, 0
        self._persons = max(self._persons, int(result.person_ids.max(initial=0)))
        note = f"{self._persons} persons" if self._persons else ""
        done = result.time + self._every
        self._bar.update_to(min(done, info.duration_s or done), note)

    def close(self) -> None:
        """End the line of the last bar."""
        if self._bar is not None:
            self._bar.close()


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


def _report(
    args: argparse.Namespace,
    targets: Sequence[Target],
    drawings: dict[Path, Path],
    summary: Summary,
    journal: Journal,
) -> None:
    """Say what was found and what was written."""
    from ava_detect.output.journal import read_journal
    from ava_detect.output.strongest import strongest, table_lines
    from ava_detect.output.summary import summary_lines, wrote_line

    for line in summary_lines(summary):
        console.say(line)
    for target in targets:
        console.say(wrote_line(target, summary))
    for drawing in drawings.values():
        if drawing.exists():
            console.say(f"wrote {drawing}")
    if args.json:
        print(json.dumps(summary.as_json(), indent=2))
    elif not targets and not drawings:
        for line in table_lines(strongest(read_journal(journal.path))):
            print(line)
        console.say("To keep everything: --out actions.csv --table people.csv --video annotated.mp4")


def _say_times(outcomes: Sequence[Outcome], drawing_s: float, wall_s: float) -> None:
    """Print the seconds per stage and the peak memory of this process."""
    import resource

    stages: dict[str, float] = {}
    for outcome in outcomes:
        for stage, spent in outcome.seconds.items():
            stages[stage] = stages.get(stage, 0.0) + spent
    if drawing_s > 0.05:
        stages["draw"] = drawing_s
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # kilobytes on Linux
    parts = ", ".join(f"{stage} {spent:.1f} s" for stage, spent in stages.items())
    console.say(f"time: {parts} (overlapped), {wall_s:.1f} s in all; peak memory {peak_gb:.1f} GB")


def _conclude(outcomes: Sequence[Outcome]) -> int:
    """Print what went wrong, last of all, and return the exit code."""
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    damaged = [outcome for outcome in outcomes if outcome.status == "damaged"]
    for outcome in damaged:
        console.warn(f"{outcome.path}: {outcome.reason}; results end there")
    for outcome in failed:
        console.error(outcome.reason, hint=outcome.hint)
    if any(outcome.status == "interrupted" for outcome in outcomes):
        console.error("interrupted; what is complete has been kept. To go on: the same command with --resume")
        return EXIT_INTERRUPTED
    if len(failed) == len(outcomes):
        return EXIT_FAILED
    if failed or damaged:
        console.error(f"{len(failed) + len(damaged)} of {len(outcomes)} inputs incomplete")
        return EXIT_INCOMPLETE
    return 0
