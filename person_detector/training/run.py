"""A whole training: model, weights to begin with, pictures, hooks, and what is kept."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from detectron2.config import CfgNode
from detectron2.engine import hooks
from detectron2.modeling import build_model
from detectron2.utils import comm
from detectron2.utils.events import EventWriter, JSONWriter, TensorboardXWriter
from torch import nn

from evaluation.errors import DataError
from evaluation.person_boxes import PersonBoxAP
from person_detector.training.loader import build_loader
from person_detector.training.log import LogWriter, ScoreHook
from person_detector.training.pictures import PictureSet
from person_detector.training.scoring import score_in_training
from person_detector.training.trainer import DetectorTrainer, StopHook

_log = logging.getLogger(__name__)

Keep = Callable[[nn.Module, PersonBoxAP, bool], None]
"""Called in the first process after every scoring: the model, its score, whether it is the best so far."""


@dataclass(frozen=True)
class TrainedDetector:
    """What a training left.

    Attributes:
        model: the last weights.
        score: of the last weights; None without pictures to score on, or in other processes than the first.
        first_step: where the training began: 0, or where it was resumed.
    """

    model: nn.Module
    score: PersonBoxAP | None
    first_step: int


def new_model(cfg: CfgNode, device: torch.device) -> nn.Module:
    """Build the model of a configuration with random weights, which follow from ``cfg.SEED``."""
    torch.manual_seed(cfg.SEED)
    placed = cfg.clone()
    placed.MODEL.DEVICE = str(device)
    model: nn.Module = build_model(placed)
    return model


def train(
    model: nn.Module,
    cfg: CfgNode,
    pictures: PictureSet,
    *,
    folder: Path,
    validation: PictureSet | None = None,
    resume: bool = False,
    stopped: Callable[[], bool] = lambda: False,
    keep: Keep | None = None,
) -> TrainedDetector:
    """Train a model, in one process or in all that torch.distributed has joined.

    Args:
        model: with the weights to begin with.
        cfg: Detectron2's keys and ours, see :mod:`person_detector.settings`.
        pictures: to train on.
        folder: of the run; gets ``metrics.jsonl``, ``checkpoints/`` and, with tensorboard, ``tb/``.
        validation: to score on, every ``TEST.EVAL_PERIOD`` steps and at the end.
        resume: go on from the folder's last checkpoint.
        stopped: whether to stop; asked after every step.
        keep: what to do with a model that was scored.

    Raises:
        DataError: pictures cannot be read, nobody is on them, or the training has diverged.
        WeightsError: the checkpoint to resume from is damaged, or of another configuration.
        KeyboardInterrupt: it was stopped; ``resume`` goes on from there.
    """
    if validation is not None and not validation.num_people:
        raise DataError("nobody is on the pictures to score on")
    if comm.is_main_process():
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    trainer = DetectorTrainer(model, cfg, folder=folder / "checkpoints")
    last: list[PersonBoxAP] = []
    if validation is not None:
        trainer.register_hooks([_score_hook(model, cfg, validation, keep, last)])
    if comm.is_main_process():
        trainer.register_hooks(
            [
                hooks.PeriodicCheckpointer(
                    trainer.checkpointer,
                    cfg.SOLVER.CHECKPOINT_PERIOD,
                    max_to_keep=cfg.SOLVER.KEEP_CHECKPOINTS,
                ),
                hooks.PeriodicWriter(_writers(cfg, folder), period=cfg.SOLVER.LOG_PERIOD),
            ]
        )
    trainer.register_hooks([StopHook(trainer.checkpointer, stopped)])
    first_step = trainer.resume() if resume else 0
    if first_step:
        _log.info("resumed after step %d of %d", first_step, cfg.SOLVER.MAX_ITER)
    trainer.run(build_loader(pictures, cfg, first_batch=first_step), first_step=first_step)
    return TrainedDetector(model, last[-1] if last else None, first_step)


def _score_hook(
    model: nn.Module, cfg: CfgNode, validation: PictureSet, keep: Keep | None, last: list[PersonBoxAP]
) -> ScoreHook:
    def kept(result: PersonBoxAP, is_best: bool) -> None:
        last.append(result)
        if keep is not None:
            keep(model, result, is_best)

    return ScoreHook(cfg.TEST.EVAL_PERIOD, lambda: score_in_training(model, cfg, validation), kept)


def _writers(cfg: CfgNode, folder: Path) -> list[EventWriter]:
    writers: list[EventWriter] = [
        LogWriter(cfg.SOLVER.MAX_ITER, cfg.SOLVER.IMS_PER_BATCH),
        JSONWriter(str(folder / "metrics.jsonl")),
    ]
    try:
        writers.append(TensorboardXWriter(str(folder / "tb")))
    except ImportError:
        _log.debug("tensorboard is not installed: no curves")
    return writers
