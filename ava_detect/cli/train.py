"""``ava-detect train``: train or fine-tune the action model, on one device or, with torchrun, on many."""

import argparse
import contextlib
import io
import json
import logging
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ava_detect.cli import console
from ava_detect.cli.overrides import add_overrides, overrides_from
from evaluation.errors import DataError, UsageError

if TYPE_CHECKING:
    from ava_detect.config import Config
    from ava_detect.engine.distributed import Process
    from ava_detect.engine.training.session import Outcome, Request, Watch

_EPILOG = """\
files written into OUTPUT_DIR/RUN (default runs/DATE_CONFIG)
  config.yaml, config_diff.yaml, command.txt, environment.txt    what the run was started with
  log.txt, metrics.jsonl, summary.csv, tb/                       log; a line per logged step; a row per epoch
  checkpoints/step_NNNNNNNN.ckpt                                 what --resume goes on from
  eval/epoch_NNN/                                                detections and scores of each evaluation
  model_best.safetensors, model_final.safetensors                what predict and test take as --weights

examples
  ava-detect train --cfg mine.yaml
  ava-detect train --cfg ava/slowfast_8x8_r50 AVA.VIDEO_DIR videos AVA.ANNOTATION_DIR csv \\
      --weights slowfast-r50-8x8-k400
  ava-detect train --cfg mine.yaml --resume
  torchrun --nproc-per-node 8 -m ava_detect train --cfg mine.yaml
  torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint HOST:29500 \\
      --max-restarts 3 -m ava_detect train --cfg mine.yaml --run-name mine --resume

TRAIN.BATCH_SIZE counts the clips of all processes together; the learning rate stays with any number of them.
Ctrl-C writes a checkpoint and stops; twice: stops at once.

More: docs/training.md"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = "Train or fine-tune the action model from annotations and videos."
    parser.epilog = _EPILOG
    group = parser.add_argument_group("input")
    group.add_argument(
        "--cfg", required=True, metavar="FILE", help="YAML file, or a name of `ava-detect config list`"
    )
    group.add_argument(
        "--weights",
        default="",
        metavar="NAME|FILE",
        help="begin with these weights, as TRAIN.CHECKPOINT_FILE_PATH (default: random)",
    )
    group.add_argument("--offline", action="store_true", help="download nothing")
    add_overrides(parser)
    run = parser.add_argument_group("run")
    run.add_argument("--output-dir", metavar="DIR", help="where the run's folder is made (default runs)")
    run.add_argument("--run-name", default="", metavar="NAME", help="name of that folder")
    run.add_argument(
        "--resume", action="store_true", help="go on from the newest whole checkpoint, if there is one"
    )
    run.add_argument(
        "--dry-run",
        action="store_true",
        help="one step on one batch: shapes, memory, time; writes nothing",
    )
    run.add_argument("--limit-batches", type=int, metavar="N", help="stop after N steps")
    run.add_argument("--no-check", action="store_true", help="do not look for faults in the data first")
    speed = parser.add_argument_group("speed and reproducibility")
    speed.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N, mps (default: auto)")
    speed.add_argument(
        "--precision",
        default="",
        metavar="fp32|bf16|fp16",
        help="of the forward pass (default: TRAIN.MIXED_PRECISION; fp32)",
    )
    speed.add_argument("--seed", type=int, metavar="N", help="of everything random, as RNG_SEED (default 0)")
    speed.add_argument(
        "--deterministic", action="store_true", help="the same bits in every run on a GPU; slower"
    )
    parser.add_argument("--json", action="store_true", help="the outcome on stdout as JSON")


def run(args: argparse.Namespace) -> int:
    """Train; 130 after an interruption."""
    _check_numbers(args)

    from ava_detect.config import load_config
    from ava_detect.engine.distributed import joined_processes
    from ava_detect.engine.in_turn import FailedInFirstError
    from ava_detect.engine.training.assembly import Start
    from ava_detect.engine.training.refusals import check_trainable
    from ava_detect.engine.training.run_folder import command_line
    from ava_detect.engine.training.session import Request

    cfg = load_config(args.cfg, [*overrides_from(args), *_flags_as_settings(args)])
    check_trainable(cfg)
    request = Request(
        cfg_name=args.cfg,
        argv=command_line(),
        start=Start(args.weights or cfg.TRAIN.CHECKPOINT_FILE_PATH, args.precision, args.offline),
        run_name=args.run_name,
        resume=args.resume,
        deterministic=args.deterministic,
        limit_batches=args.limit_batches,
    )
    with joined_processes(args.device) as process:
        if not process.is_first:
            args.quiet = True
            console.set_up(args)
        if args.dry_run:
            return _dry_run(cfg, process, request, args)
        try:
            return _train(cfg, process, request, args)
        except FailedInFirstError as error:
            return error.exit_code


def _train(cfg: "Config", process: "Process", request: "Request", args: argparse.Namespace) -> int:
    """Train, with a bar, until the end or Ctrl-C."""
    from ava_detect.engine.interruption import graceful_interruption
    from ava_detect.engine.training.session import run_training

    with graceful_interruption(same_within_s=_TORCHRUN_ECHO_S) as interruption, _Bar() as bar:
        outcome = run_training(
            cfg,
            process,
            request,
            interruption=interruption,
            check_data=lambda: None if args.no_check or args.resume else _check_data(args),
            watch=bar.watch(),
        )
    if process.is_first:
        _say_outcome(outcome, args, request.argv)
    return 0 if outcome.finished else 130


_TORCHRUN_ECHO_S = 2.0  # it hands on the Ctrl-C that its processes got from the terminal as well
_FAULTS_SHOWN = 3


def _check_numbers(args: argparse.Namespace) -> None:
    if args.limit_batches is not None and args.limit_batches < 1:
        raise UsageError(f"--limit-batches {args.limit_batches}: expected at least 1")
    if args.seed is not None and args.seed < 0:
        raise UsageError(f"--seed {args.seed}: expected at least 0")


def _flags_as_settings(args: argparse.Namespace) -> list[object]:
    settings: list[object] = []
    if args.seed is not None:
        settings += ["RNG_SEED", args.seed]
    if args.output_dir is not None:
        settings += ["OUTPUT_DIR", args.output_dir]
    return settings


def _check_data(args: argparse.Namespace) -> None:
    """Look for faults in what the configuration names, without decoding videos; faults stop the run.

    Raises:
        DataError: there are faults.
    """
    from ava_detect.data.check import Options, check_things
    from ava_detect.data.check.kinds import Kind
    from ava_detect.data.check.load import Thing

    options = Options(overrides=overrides_from(args), decode=False)
    faults = check_things([Thing(args.cfg, Kind.CONFIG)], options).faults
    if not faults:
        return
    told = [f"{fault.subject}: {fault.message}" for fault in faults[:_FAULTS_SHOWN]]
    if len(faults) > _FAULTS_SHOWN:
        told.append(f"and {len(faults) - _FAULTS_SHOWN} more faults")
    raise DataError(
        "\n".join(told),
        hint=f"All of them, and what to do: ava-detect check --cfg {args.cfg}\n"
        "To train all the same: --no-check",
    )


def _dry_run(cfg: "Config", process: "Process", request: "Request", args: argparse.Namespace) -> int:
    """Try everything on one batch and print what was found."""
    from ava_detect.engine.training.dry_run import try_one_batch

    if process.world > 1:
        raise UsageError("--dry-run tries one process", hint="Run it without torchrun.")
    trial = try_one_batch(cfg, process, request)
    print(json.dumps(trial.document(), indent=2) if args.json else "\n".join(trial.lines()))
    return 0


class _Bar:
    """One bar for steps and evaluations on a terminal; elsewhere the lines of the log are enough.

    While it is drawn, the log is written above it, without the lines of steps, whose numbers it has.
    """

    def __init__(self) -> None:
        self._is_drawn = console.draws_bars()
        self._bar: console.Progress | None = None
        self._kind = ""
        self._undo = contextlib.ExitStack()

    def watch(self) -> "Watch":
        """Return what a training calls."""
        from ava_detect.engine.training.session import Watch

        download = console.DownloadBar("weights")
        if not self._is_drawn:
            return Watch(download=download.update)
        return Watch(step=self._step, evaluation=self._evaluation, download=download.update)

    def _step(self, done: int, total: int, note: str) -> None:
        self._show("train", "steps", total).update_to(done, note)

    def _evaluation(self, done: int, total: int) -> None:
        self._show("evaluate", "keyframes", total).update_to(done)

    def _show(self, kind: str, unit: str, total: int) -> console.Progress:
        if self._bar is None or self._kind != kind:
            self._remove()
            self._bar, self._kind = console.Progress(total, label=kind, unit=unit), kind
        return self._bar

    def _remove(self) -> None:
        if self._bar is not None:
            self._bar.remove()
            self._bar = None

    def __enter__(self) -> "_Bar":
        if self._is_drawn:
            for handler in logging.getLogger("ava_detect").handlers:
                if isinstance(handler, logging.StreamHandler):
                    handler.addFilter(_is_no_step)
                    self._undo.callback(handler.removeFilter, _is_no_step)
                    self._undo.callback(handler.setStream, handler.setStream(_AboveBar()))
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()
        self._undo.close()


class _AboveBar(io.TextIOBase):
    """Standard error, above the bar that is drawn there."""

    def write(self, text: str) -> int:
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr, end="")
        return len(text)


def _is_no_step(record: logging.LogRecord) -> bool:
    return record.name != "ava_detect.engine.training.steps"


def _say_outcome(outcome: "Outcome", args: argparse.Namespace, argv: Sequence[str]) -> None:
    folder = outcome.folder
    if args.json:
        document = {
            "schema": "ava-detect/train",
            "version": 1,
            "folder": str(folder.path),
            "finished": outcome.finished,
            "step": outcome.step,
            "total_steps": outcome.total_steps,
            "best_map": outcome.best_map,
        }
        print(json.dumps(document, indent=2))
        return
    if not outcome.finished:
        console.say(
            f"interrupted after step {outcome.step:,} of {outcome.total_steps:,}; the checkpoint is written."
            f" Go on with: {_resume_line(argv, folder.path.name)}"
        )
        return
    print(f"trained {outcome.step:,} of {outcome.total_steps:,} steps: {folder.final_model}")
    if outcome.best_map is not None:
        print(f"best mAP {100 * outcome.best_map:.2f} %: {folder.best_model}")


def _resume_line(argv: Sequence[str], name: str) -> str:
    """Return the line that goes on with a run: the one that began it, its name, and --resume."""
    words = [*argv]
    if "--run-name" not in words:
        words += ["--run-name", name]
    if "--resume" not in words:
        words.append("--resume")
    return shlex.join(words)
