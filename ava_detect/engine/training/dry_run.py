"""One batch there and back: what a training will look like, without a run folder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice

import torch

from ava_detect.config import Config, replace
from ava_detect.data.batch_samplers import TrainingBatches
from ava_detect.data.build import build_loader
from ava_detect.data.clip_dataset import Batch
from ava_detect.engine.distributed import Process
from ava_detect.engine.training.assembly import (
    build_evaluation,
    build_parts,
    choose_precision,
    fitted_to_machine,
)
from ava_detect.engine.training.failures import TrainingError, told_in_words
from ava_detect.engine.training.meter import duration, used_memory
from ava_detect.engine.training.random_states import seed_everything
from ava_detect.engine.training.refusals import check_processes, check_trainable
from ava_detect.engine.training.session import Request
from ava_detect.engine.training.step import NotFinite
from ava_detect.models import split_pathways
from evaluation.errors import DataError

_STEPS = 2  # the first one warms up


@dataclass(frozen=True)
class Trial:
    """What one batch took.

    Attributes:
        clips: shapes [N, C, T, H, W] of the pathways' clips of one part of the batch, slowest first.
        boxes: people in that part.
        parts: of the batch, whose gradients are added.
        loss: of the first step.
        step_s: seconds of a step, without reading; reading_s: seconds to read one clip, in one process.
        memory: most that was used, bytes.
        steps_per_epoch, epochs: of the run.
        workers: processes that will read clips.
    """

    clips: tuple[tuple[int, ...], ...]
    boxes: int
    parts: int
    batch_size: int
    loss: float
    step_s: float
    reading_s: float
    memory: int
    steps_per_epoch: int
    epochs: int
    workers: int

    @property
    def epoch_s(self) -> float:
        """Expected time of an epoch: of the slower of computing and reading."""
        reading = self.batch_size * self.reading_s
        if self.workers == 0:
            return self.steps_per_epoch * (self.step_s + reading)
        return self.steps_per_epoch * max(self.step_s, reading / self.workers)

    def document(self) -> dict[str, object]:
        """Return it as plain values."""
        return {
            "schema": "ava-detect/train-dry-run",
            "version": 1,
            "clips": self.clips,
            "boxes": self.boxes,
            "parts": self.parts,
            "loss": self.loss,
            "step_s": self.step_s,
            "reading_s_per_clip": self.reading_s,
            "memory_bytes": self.memory,
            "steps_per_epoch": self.steps_per_epoch,
            "epochs": self.epochs,
            "epoch_s": self.epoch_s,
        }

    def lines(self) -> list[str]:
        """Return it for people."""
        shapes = ", ".join(str(list(shape)) for shape in self.clips)
        parts = f" (one of {self.parts} parts of a step)" if self.parts > 1 else ""
        return [
            f"clips    {shapes}, {self.boxes} people{parts}",
            f"loss     {self.loss:.4f}",
            f"time     {self.step_s:.3f} s for a step; {self.reading_s:.3f} s to read a clip in one process",
            f"memory   {self.memory / 1e9:.1f} GB",
            f"expected {duration(self.epoch_s)} for an epoch of {self.steps_per_epoch:,} steps,"
            f" {duration(self.epoch_s * self.epochs)} for {self.epochs}, without evaluations",
        ]


def try_one_batch(cfg: Config, process: Process, request: Request) -> Trial:
    """Read one batch, run it forwards and backwards twice, and measure.

    Raises:
        AvaDetectError: whatever would stop the training at its beginning.
    """
    check_trainable(cfg)
    check_processes(cfg, process)
    cfg = fitted_to_machine(cfg, process)
    seed_everything(cfg.RNG_SEED)
    parts = build_parts(cfg, process, request.start)
    build_evaluation(cfg, process, choose_precision(cfg, request.start.precision, process.device))
    number = cfg.SOLVER.GRAD_ACCUMULATION
    batches = TrainingBatches(len(parts.dataset), cfg.TRAIN.BATCH_SIZE // number, seed=cfg.RNG_SEED)
    loader = build_loader(parts.dataset, batches, replace(cfg, ["DATA_LOADER.NUM_WORKERS", 0]))
    began = time.perf_counter()
    read: list[Batch] = list(islice(loader, number))
    reading_s = (time.perf_counter() - began) / cfg.TRAIN.BATCH_SIZE
    boxes = sum(len(part.boxes) for part in read)
    if not boxes:
        raise DataError(f"no clip of the first batch can be read; {read[0].skipped[0].reason}")
    parts.network.train()
    times, losses = [], []
    with told_in_words(batch_size=cfg.TRAIN.BATCH_SIZE, workers=0):
        for _ in range(_STEPS):
            began = time.perf_counter()
            on_device = [part.to(process.device) for part in read]
            try:
                result = parts.make_step(on_device, boxes=boxes, epoch=0, lr=parts.schedule(0))
            except NotFinite as error:
                raise TrainingError(f"the first batch: {error}") from error
            if process.device.type == "cuda":
                torch.cuda.synchronize(process.device)
            times.append(time.perf_counter() - began)
            losses.append(result.loss)
    return Trial(
        clips=tuple(tuple(clip.shape) for clip in split_pathways(read[0].clips, cfg)),
        boxes=len(read[0].boxes),
        parts=number,
        batch_size=cfg.TRAIN.BATCH_SIZE,
        loss=losses[0],
        step_s=times[-1],
        reading_s=reading_s,
        memory=used_memory(process.device),
        steps_per_epoch=len(batches) // number,
        epochs=cfg.SOLVER.MAX_EPOCH,
        workers=cfg.DATA_LOADER.NUM_WORKERS,
    )
