"""A training run from its command to its end: folder, log, resuming, the trainer, the outcome."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ava_detect.config import Config, parse_config
from ava_detect.config.difference import changes_between
from ava_detect.config.dump import format_value
from ava_detect.engine.device import describe_device
from ava_detect.engine.distributed import Process
from ava_detect.engine.in_turn import first_does
from ava_detect.engine.interruption import Interruption
from ava_detect.engine.training import run_folder
from ava_detect.engine.training.assembly import (
    Start,
    build_evaluation,
    build_parts,
    choose_precision,
    fitted_to_machine,
    idle_gpus,
    torchrun_line,
    use_determinism,
)
from ava_detect.engine.training.checkpoint import Checkpoint
from ava_detect.engine.training.checkpoint_folder import CheckpointFolder
from ava_detect.engine.training.random_states import seed_everything
from ava_detect.engine.training.refusals import check_processes, check_trainable
from ava_detect.engine.training.run_folder import RunFolder
from ava_detect.engine.training.run_log import RunLog
from ava_detect.engine.training.trainer import Trainer
from ava_detect.weights.zoo import Progress

logger = logging.getLogger(__name__)

# What may change between a run and its continuation without changing what is learnt.
_FREE_KEYS = ("DATA_LOADER.", "TENSORBOARD.", "TEST.", "LOG_PERIOD", "OUTPUT_DIR")
_FREE_KEYS_EXACT = (
    "TRAIN.CHECKPOINT_PERIOD", "TRAIN.CHECKPOINT_STEPS", "TRAIN.KEEP_CHECKPOINTS",
    "TRAIN.CHECKPOINT_FILE_PATH",
    "AVA.VIDEO_DIR", "AVA.FRAME_DIR", "AVA.FRAME_LIST_DIR", "AVA.ANNOTATION_DIR",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What a command asks for, beside the configuration.

    Attributes:
        cfg_name: what the configuration was called; part of a new run's name.
        argv: the words that started this, for the record.
        start: weights and precision.
        run_name: folder of the run inside OUTPUT_DIR; "" for one made of date and configuration.
        resume: go on with the run if there is one.
        deterministic: the same bits in every run on a GPU.
        limit_batches: stop after so many steps of this command; None: at the end.
    """

    cfg_name: str
    argv: Sequence[str]
    start: Start
    run_name: str = ""
    resume: bool = False
    deterministic: bool = False
    limit_batches: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        folder: of the run.
        finished: rather than interrupted.
        step, total_steps: where it is.
        best_map: the highest mAP of its evaluations, a fraction; None without one.
    """

    folder: RunFolder
    finished: bool
    step: int
    total_steps: int
    best_map: float | None


@dataclass(frozen=True)
class Watch:
    """What is called while a run goes on.

    Attributes:
        step: (steps done, steps in all, numbers of the last steps), after every step.
        evaluation: (keyframes done, keyframes in all), while the network is evaluated.
        download: (bytes done, bytes in all), while weights are fetched.
    """

    step: Callable[[int, int, str], None] = lambda _done, _total, _note: None
    evaluation: Callable[[int, int], None] = lambda _done, _total: None
    download: Progress | None = None


def run_training(
    cfg: Config,
    process: Process,
    request: Request,
    *,
    interruption: Interruption,
    check_data: Callable[[], None] = lambda: None,
    watch: Watch | None = None,
) -> Outcome:
    """Train from a configuration; all processes call this together.

    Args:
        cfg: the configuration.
        process: which of how many this is.
        request: what else was asked for.
        interruption: asked after every step.
        check_data: looks for faults in the data, in the first process, before anything is built.
        watch: for progress.

    Raises:
        AvaDetectError: something is wrong with the request, the data, the machine; see the modules called.
    """
    watch = watch or Watch()
    check_trainable(cfg)
    check_processes(cfg, process)
    use_determinism(request.deterministic)
    if process.is_first:
        check_data()
    cfg = fitted_to_machine(cfg, process)
    with RunLog(logging.INFO if process.is_first else logging.WARNING) as log:
        place = _find_place(cfg, process, request)
        _say_where(cfg, process, request)
        trainer = _build_trainer(cfg, process, request, place, interruption, watch)
        first_does(process, lambda: _open(place, cfg, request))  # a start that fails leaves nothing behind
        folder = place.folder
        if folder.path.is_dir():  # not on another machine without a common disk
            log.keep_in(folder.log(process.rank))
        logger.info("run      %s", folder.path)
        limit = request.limit_batches
        finished = trainer.run(last_step=None if limit is None else trainer.state.step + limit)
    best = trainer.state.best_map
    return Outcome(folder, finished, trainer.state.step, trainer.total_steps, best if best >= 0 else None)


@dataclass(frozen=True)
class _Place:
    """Where a run is.

    Attributes:
        folder: of the run.
        is_new: the folder is still to be made.
        checkpoint: what the run goes on from; None: it begins at the first step.
        checkpoint_path: its file.
    """

    folder: RunFolder
    is_new: bool
    checkpoint: Checkpoint | None = None
    checkpoint_path: Path | None = None


def _find_place(cfg: Config, process: Process, request: Request) -> _Place:
    """Choose the folder of a new run, or find the run to go on with and its newest whole checkpoint.

    The first process does it; the others, which may be on machines that do not see its disk, are told.
    """
    # torchrun counts a restart only on the machine whose worker died
    restarted = process.any(int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0)
    return first_does(process, lambda: _find_place_alone(cfg, request, resume=request.resume or restarted))


def _find_place_alone(cfg: Config, request: Request, *, resume: bool) -> _Place:
    output = Path(cfg.OUTPUT_DIR)
    name = request.run_name
    if name:
        run_folder.check_run_name(name)
    elif resume:
        name = run_folder.latest_run_name(output, request.cfg_name) or ""
    folder = RunFolder(output / (name or run_folder.new_run_name(request.cfg_name)))
    if not resume:
        run_folder.check_new(folder.path)
        return _Place(folder, is_new=True)
    if not folder.path.is_dir():
        logger.info("resume   nothing to go on with in %s: a new run begins", folder.path)
        return _Place(folder, is_new=True)
    newest = CheckpointFolder(folder.checkpoints, keep=0).newest()
    if newest is None:
        logger.info("resume   %s has no checkpoint yet: it begins at the first step", folder.path)
        return _Place(folder, is_new=False)
    path, checkpoint = newest
    return _Place(folder, is_new=False, checkpoint=checkpoint, checkpoint_path=path)


def _build_trainer(
    cfg: Config,
    process: Process,
    request: Request,
    place: _Place,
    interruption: Interruption,
    watch: Watch,
) -> Trainer:
    """Build everything that trains, where the run begins or goes on."""
    checkpoint = place.checkpoint
    if checkpoint is not None:
        _warn_of_changes(cfg, checkpoint)
    seed_everything(cfg.RNG_SEED)
    start = request.start if checkpoint is None else Start(precision=request.start.precision)
    parts = build_parts(cfg, process, start, progress=watch.download)
    precision = choose_precision(cfg, start.precision, process.device)
    evaluation = build_evaluation(cfg, process, precision, watch=watch.evaluation)
    trainer = Trainer(parts, place.folder, evaluation=evaluation, interruption=interruption, watch=watch.step)
    if checkpoint is not None:
        trainer.restore(checkpoint)
        steps = f"step {trainer.state.step} of {trainer.total_steps}"
        logger.info("resumed  from %s: %s", place.checkpoint_path, steps)
    return trainer


def _open(place: _Place, cfg: Config, request: Request) -> None:
    """Make the folder, and write down what the run is started with."""
    if place.is_new:
        run_folder.make_run_folder(place.folder.path)
    run_folder.record_start(place.folder, cfg, request.argv, resumed=place.checkpoint is not None)


def _warn_of_changes(cfg: Config, checkpoint: Checkpoint) -> None:
    """Say which settings are others than those that the run had so far."""
    before = parse_config(checkpoint.config, "the configuration in the checkpoint")
    for change in changes_between(before, cfg):
        if not (change.key.startswith(_FREE_KEYS) or change.key in _FREE_KEYS_EXACT):
            logger.warning(
                "%s was %s and is %s now: the run is not what it would have been",
                change.key,
                format_value(change.before),
                format_value(change.after),
            )


def _say_where(cfg: Config, process: Process, request: Request) -> None:
    precision = choose_precision(cfg, request.start.precision, process.device)
    logger.info("config   %s", request.cfg_name)
    many = f"{process.world} processes, " if process.world > 1 else ""
    logger.info("device   %s%s", many, describe_device(process.device, precision))
    idle = idle_gpus(process)
    if idle > 0:
        line = torchrun_line(idle + 1, request.argv[1:])
        logger.info("         %d more GPUs are idle. To use them:\n         %s", idle, line)
    if cfg.SOLVER.BASE_LR_SCALE_NUM_SHARDS and process.world > process.local_world:
        machines = process.world // process.local_world
        logger.info("         learning rates are multiplied by %d machines", machines)
