"""The loop: steps, checkpoints, evaluations, until the last epoch or until somebody stops it.

Where the run is follows from the number of optimiser steps alone: the epoch, the place in it, the samples of
the next step, what chance does to them, the learning rate. So a run goes on exactly from any checkpoint.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from ava_detect.config import Config, dump_config
from ava_detect.data.batch_samplers import TrainingBatches
from ava_detect.data.build import build_loader
from ava_detect.data.clip_dataset import Batch, ClipDataset, SkippedClip
from ava_detect.engine.distributed import Process
from ava_detect.engine.failure_causes import Cause, cause_of
from ava_detect.engine.interruption import Interruption
from ava_detect.engine.training.averaging import WeightAverage
from ava_detect.engine.training.checkpoint import Checkpoint
from ava_detect.engine.training.checkpoint_folder import CheckpointFolder
from ava_detect.engine.training.classes import as_document
from ava_detect.engine.training.failures import (
    TrainingError,
    cannot_write,
    describe_crash,
    keep_batch,
    told_in_words,
)
from ava_detect.engine.training.loss import BoxLoss
from ava_detect.engine.training.meter import Meter, StepFacts, used_memory
from ava_detect.engine.training.network import TrainingNetwork
from ava_detect.engine.training.optimizer import optimizer_state, restore_optimizer_state
from ava_detect.engine.training.precise_norm import set_precise_statistics
from ava_detect.engine.training.random_states import random_states, restore_random_states
from ava_detect.engine.training.records import Pictures, Records
from ava_detect.engine.training.run_folder import RunFolder
from ava_detect.engine.training.run_state import EpochTotals, RunState
from ava_detect.engine.training.schedule import Schedule
from ava_detect.engine.training.step import NotFinite, OptimizerStep
from ava_detect.models import SlowFast
from ava_detect.weights import save_weights
from evaluation.errors import DataError, WeightsError
from evaluation.label_map import LabelMap
from evaluation.rows import format_time

logger = logging.getLogger(__name__)

_NAMED_SKIPS = 20  # clips that cannot be read are named until so many; the others are counted


class Scored(Protocol):
    """What an evaluation gives."""

    @property
    def mean_ap(self) -> float:
        """Mean average precision in [0, 1]."""

    @property
    def by_class(self) -> Mapping[int, float]:
        """Average precision by class id; NaN for a class without ground truth."""


@dataclass(frozen=True)
class Evaluation:
    """How a network is scored on the way.

    Attributes:
        score: (network, folder for its files) -> scores; called by all processes together.
        pictures: what it found, to be shown in TensorBoard; None: nothing is.
    """

    score: Callable[[SlowFast, Path], Scored]
    pictures: Pictures | None = None


@dataclass(frozen=True)
class Parts:
    """What is trained, and with what; made by ``assembly``."""

    cfg: Config
    process: Process
    model: SlowFast
    dataset: ClipDataset
    classes: LabelMap
    network: TrainingNetwork
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    schedule: Schedule
    loss: BoxLoss
    average: WeightAverage | None
    make_step: OptimizerStep


class Trainer:
    """Trains until the end or an interruption.

    Args:
        parts: see there.
        folder: of the run; only the first process writes there.
        evaluation: None: nothing to score against.
        interruption: asked after every step.
        watch: called with (steps done, steps in all, numbers of the last steps) after every step.
    """

    def __init__(
        self,
        parts: Parts,
        folder: RunFolder,
        *,
        evaluation: Evaluation | None,
        interruption: Interruption,
        watch: Callable[[int, int, str], None] = lambda _done, _total, _note: None,
    ) -> None:
        cfg = parts.cfg
        self._parts, self._cfg, self._process = parts, cfg, parts.process
        self._folder, self._evaluation = folder, evaluation
        self._interruption, self._watch = interruption, watch
        self._accumulation = cfg.SOLVER.GRAD_ACCUMULATION
        self._batches = TrainingBatches(
            len(parts.dataset),
            cfg.TRAIN.BATCH_SIZE // self._accumulation,
            seed=cfg.RNG_SEED,
            rank=self._process.rank,
            world=self._process.world,
        )
        self.steps_per_epoch = len(self._batches) // self._accumulation
        self.total_steps = self.steps_per_epoch * cfg.SOLVER.MAX_EPOCH
        self._loader = build_loader(parts.dataset, self._batches, cfg)
        self._checkpoints = CheckpointFolder(folder.checkpoints, keep=cfg.TRAIN.KEEP_CHECKPOINTS)
        self._meter = Meter(self.total_steps, self.steps_per_epoch, cfg.SOLVER.MAX_EPOCH)
        self._between_steps = True
        self._saved_step = -1  # the same in all processes, unlike what they see of the folder
        self._named_skips: set[tuple[str, float]] = set()
        self._warned_of_loading = False
        self.state = RunState()

    # ---- going on from a checkpoint

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take up a run where a checkpoint left it.

        Raises:
            WeightsError: the checkpoint is of another network, or of other data.
        """
        if checkpoint.steps_per_epoch != self.steps_per_epoch:
            raise WeightsError(
                f"the checkpoint's epochs have {checkpoint.steps_per_epoch} steps, those of this run"
                f" {self.steps_per_epoch}: the data or the batch size have changed",
                hint="Begin another run from its weights: --weights FILE --run-name NAME",
            )
        parts = self._parts
        try:
            parts.model.load_state_dict(checkpoint.model)
            if parts.average is not None:
                parts.average.model.load_state_dict(checkpoint.average or checkpoint.model)
            restore_optimizer_state(parts.optimizer, parts.model, checkpoint.optimizer)
            if checkpoint.scaler and parts.scaler.is_enabled():
                parts.scaler.load_state_dict(checkpoint.scaler)
            self.state = RunState.restored(checkpoint.step, checkpoint.progress)
            self._saved_step = checkpoint.step
            states = checkpoint.random
            restore_random_states(states[self._process.rank % len(states)])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise WeightsError(f"the checkpoint does not fit this network: {error}") from error

    # ---- the loop

    def run(self, *, last_step: int | None = None) -> bool:
        """Train; return whether the end was reached rather than an interruption.

        Args:
            last_step: stop after this step as if it were the last; None: at the end of the last epoch.

        Raises:
            TrainingError: the loss is not finite, memory or disk is short, another process is gone.
            DataError: a process that reads clips died, or no clip of an epoch could be read.
        """
        end = min(self.total_steps, last_step) if last_step is not None else self.total_steps
        pictures = None if self._evaluation is None else self._evaluation.pictures
        with Records(
            self._folder, self._cfg, self._process, after=self.state, pictures=pictures
        ) as self._records:
            try:
                with told_in_words(
                    batch_size=self._cfg.TRAIN.BATCH_SIZE, workers=self._cfg.DATA_LOADER.NUM_WORKERS
                ):
                    return self._run(end)
            except BaseException:
                if self._between_steps and self.state.step != self._saved_step:
                    self._save(alone=True)
                raise
            finally:
                self._loader.close()

    def _run(self, end: int) -> bool:
        while True:
            if self._is_epoch_end and self.state.closed_step != self.state.step:
                self._close_epoch()
            if self.state.step >= end:
                break
            if not self._train_epoch(end):
                self._save()
                return False
        if self.state.step != self._saved_step:
            self._save()
        if self._process.is_first:
            self._export_final()
        return True

    @property
    def _is_epoch_end(self) -> bool:
        return self.state.step > 0 and self.state.step % self.steps_per_epoch == 0

    def _train_epoch(self, end: int) -> bool:
        """Train until the end of the epoch or step ``end``; return False if interrupted."""
        state, period = self.state, self._cfg.TRAIN.CHECKPOINT_STEPS
        epoch, place = divmod(state.step, self.steps_per_epoch)
        if place == 0:
            state.epoch = EpochTotals()
        self._parts.network.train()
        clips = self._clips_from(epoch, place)
        for _ in range(min(self.steps_per_epoch - place, end - state.step)):
            if not self._one_step(clips, epoch):
                return False
            if period and state.step % period == 0 and not self._is_epoch_end:
                self._save()
        if state.epoch.clips == 0:
            raise DataError(f"epoch {epoch + 1}: not one clip could be read; the warnings above say why")
        return True

    def _clips_from(self, epoch: int, place: int) -> Iterator[Batch]:
        """Read an epoch from a batch on; begins, where readers may be found dead, with the first ``next``."""
        self._batches.epoch, self._batches.start = epoch, place * self._accumulation
        yield from self._loader

    def _one_step(self, clips: Iterator[Batch], epoch: int) -> bool:
        """Read a batch and make a step of it; return False, without a step, if somebody asked to stop."""
        state, process = self.state, self._process
        began = time.perf_counter()
        parts = self._read(clips)
        data_seconds = time.perf_counter() - began
        skipped = [clip for part in parts for clip in part.skipped]
        self._name_skipped(skipped)
        counts = (
            sum(len(part.boxes) for part in parts),
            sum(len(part) for part in parts),
            len(skipped),
            int(self._interruption.requested),
        )
        boxes, num_clips, num_skipped, stop = process.sum(torch.tensor(counts)).tolist()
        if stop:
            return False
        lr = self._parts.schedule(state.step / self.steps_per_epoch)
        loss, norm = self._update(parts, boxes, epoch, lr) if boxes else (0.0, None)
        state.step += 1
        facts = StepFacts(
            step=state.step,
            epoch=state.step / self.steps_per_epoch,
            loss=loss,
            lr=lr,
            gradient_norm=norm,
            seconds=time.perf_counter() - began,
            data_seconds=data_seconds,
            clips=num_clips,
            skipped=num_skipped,
            memory=used_memory(process.device),
        )
        self._take_note(facts)
        return True

    def _read(self, clips: Iterator[Batch]) -> list[Batch]:
        """Read the parts of a batch; none once somebody asked to stop."""
        if self._interruption.requested:
            return []
        try:
            return [next(clips) for _ in range(self._accumulation)]
        except RuntimeError as error:
            if self._interruption.requested and cause_of(error) is Cause.READER:
                return []  # a scheduler ends all processes of a job, those that read clips too
            raise

    def _update(
        self, parts: Sequence[Batch], boxes: int, epoch: int, lr: float
    ) -> tuple[float, float | None]:
        """Make the step of the optimiser and let the average follow."""
        self._between_steps = False
        on_device = [part.to(self._process.device) for part in parts]
        try:
            result = self._parts.make_step(on_device, boxes=boxes, epoch=epoch, lr=lr)
        except NotFinite as error:
            raise self._crash(error, on_device) from error
        if self._parts.average is not None:
            self._parts.average.update(self._parts.model, self.state.step + 1)
        self._between_steps = True
        return result.loss, result.gradient_norm

    # ---- what is said

    def _take_note(self, facts: StepFacts) -> None:
        self.state.epoch.add(facts)
        self._meter.add(facts)
        if not self._process.is_first:
            return
        if facts.step % self._cfg.LOG_PERIOD == 0 or facts.step == self.total_steps:
            self._records.step(facts, self._meter.line())
        self._watch(facts.step, self.total_steps, self._meter.note())
        if self._meter.is_slowed_by_loading and not self._warned_of_loading:
            self._warned_of_loading = True
            self._records.loading_is_slow(self._meter.waiting_share)

    def _name_skipped(self, skipped: Sequence[SkippedClip]) -> None:
        """Name each clip that cannot be read once."""
        for clip in skipped:
            key = (clip.video_id, clip.second)
            if key in self._named_skips:
                continue
            self._named_skips.add(key)
            if len(self._named_skips) <= _NAMED_SKIPS:
                logger.warning("left out %s at %s: %s", clip.video_id, format_time(clip.second), clip.reason)
            elif len(self._named_skips) == _NAMED_SKIPS + 1:
                logger.warning("more clips cannot be read; they are counted from here on (metrics.jsonl)")

    def _crash(self, error: NotFinite, parts: Sequence[Batch]) -> TrainingError:
        """Keep the batch whose loss is not finite, and say whose it is."""
        class_ids = self._parts.dataset.annotations.class_ids
        mine = describe_crash(self._parts.loss, parts, error.logits, class_ids)
        path = self._folder.crash_batch(self._process.rank)
        if self._folder.path.is_dir():
            keep_batch(path, parts, error.logits)
        lines = [line for every in self._process.gather(mine) for line in every]
        steps = self._checkpoints.steps()
        last = f"last checkpoint: {self._checkpoints.path_of(steps[-1])}" if steps else "no checkpoint yet"
        return TrainingError(
            f"step {self.state.step + 1} (epoch {self.state.step / self.steps_per_epoch:.2f}): the loss is"
            f" {error.loss}\n" + "\n".join(lines),
            hint=f"The batch is in {path.name}; {last}.\n"
            "Lower SOLVER.BASE_LR, lengthen SOLVER.WARMUP_EPOCHS, or set SOLVER.CLIP_GRAD_L2NORM 40.",
        )

    # ---- the end of an epoch

    def _close_epoch(self) -> None:
        """Evaluate where that is due, write the summary, keep a checkpoint."""
        state, train = self.state, self._cfg.TRAIN
        epoch = state.step // self.steps_per_epoch
        is_last = state.step == self.total_steps
        scores: Scored | None = None
        evaluated = self._evaluation is not None and (is_last or epoch % train.EVAL_PERIOD == 0)
        if evaluated and self._cfg.BN.USE_PRECISE_STATS:
            self._set_precise_statistics(epoch - 1)
        if evaluated:
            self._process.copy_from_first(self._tested_model.buffers())  # each process has its own statistics
            self._save()  # an evaluation may take long, and be killed
            scores = self._score(epoch)
        state.closed_step = state.step
        if self._process.is_first:
            self._records.epoch(epoch, state.step, state.epoch, self._schedule_at(state.step), scores)
        if evaluated or is_last or epoch % train.CHECKPOINT_PERIOD == 0:
            self._save()

    def _schedule_at(self, step: int) -> float:
        return self._parts.schedule((step - 1) / self.steps_per_epoch)

    def _score(self, epoch: int) -> Scored:
        """Evaluate the network; keep it if it is the best so far."""
        assert self._evaluation is not None
        state = self.state
        scores = self._evaluation.score(self._tested_model, self._folder.evaluation(epoch))
        if self._process.is_first:
            self._records.evaluation(epoch, state.step, scores)
        if scores.mean_ap > state.best_map:
            state.best_map, state.best_step = scores.mean_ap, state.step
            if self._process.is_first:
                self._export(self._tested_model, self._folder.best_model, f"epoch {epoch}, best by mAP")
        return scores

    @property
    def _tested_model(self) -> SlowFast:
        average = self._parts.average
        return self._parts.model if average is None else average.model

    def _set_precise_statistics(self, epoch: int) -> None:
        """Measure the batch norms' statistics on training clips of the epoch that has ended."""
        clips = self._clips_from(epoch, 0)
        count = min(self._cfg.BN.NUM_BATCHES_PRECISE, len(self._batches))
        batches = (next(clips).to(self._process.device) for _ in range(count))
        set_precise_statistics(
            self._parts.model, batches, lambda batch: self._parts.network.logits(batch, epoch), self._process
        )

    # ---- files

    def _save(self, *, alone: bool = False) -> None:
        """Write a checkpoint; all processes take part, unless the others may be gone."""
        states = [random_states()] if alone else self._process.gather(random_states())
        self._saved_step = self.state.step
        if not self._process.is_first:
            return
        parts, state = self._parts, self.state
        checkpoint = Checkpoint(
            step=state.step,
            steps_per_epoch=self.steps_per_epoch,
            model=parts.model.state_dict(),
            average=None if parts.average is None else parts.average.model.state_dict(),
            optimizer=optimizer_state(parts.optimizer, parts.model),
            random=states,
            config=dump_config(self._cfg),
            label_map=as_document(parts.classes),
            scaler=parts.scaler.state_dict(),
            progress=state.progress(),
        )
        try:
            path = self._checkpoints.write(checkpoint, best_step=state.best_step)
        except OSError as error:
            raise cannot_write(self._checkpoints.path_of(state.step), error) from error
        logger.debug("wrote %s", path)

    def _export_final(self) -> None:
        self._export(self._tested_model, self._folder.final_model, "last step")
        if self._parts.average is not None:
            self._export(self._parts.model, self._folder.final_plain_model, "last step, not averaged")

    def _export(self, model: SlowFast, path: Path, what: str) -> None:
        """Write weights as ``predict`` and ``test`` take them."""
        source = f"trained by ava-detect in {self._folder.path.name}, {what}, step {self.state.step}"
        save_weights(model, path, config=self._cfg, label_map=self._parts.classes, source=source)
