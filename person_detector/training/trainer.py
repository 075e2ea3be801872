"""Train a detector: Detectron2's loop, schedule, checkpointer and hooks, with batches that others hand in."""

from __future__ import annotations

import logging
import math
import pickle
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.config import CfgNode
from detectron2.engine import SimpleTrainer, hooks
from detectron2.solver import build_lr_scheduler, get_default_optimizer_params
from detectron2.solver.build import maybe_add_gradient_clipping
from detectron2.utils import comm
from detectron2.utils.events import get_event_storage
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from evaluation.errors import ConfigError, DataError, WeightsError
from person_detector.network import DTYPES
from person_detector.training.pictures import Record
from person_detector.training.processes import gather, wait_for_all

# A training that fails raises; Detectron2 would print the traceback as well.
logging.getLogger("detectron2").addHandler(logging.NullHandler())


class DetectorTrainer(SimpleTrainer):
    """Detectron2's training loop in a chosen precision.

    Args:
        model: weights as they begin, on its device. Wrapped for several processes.
        cfg: SOLVER says how to train.
        folder: for checkpoints.

    Attributes:
        checkpointer: saves and restores model, optimiser, schedule and the state of the hooks.
    """

    def __init__(self, model: nn.Module, cfg: CfgNode, *, folder: Path) -> None:
        model.to(memory_format=torch.channels_last)  # convolutions are faster so, on CPUs as on GPUs
        device = next(model.parameters()).device
        super().__init__(_wrapped(model, device), _NO_BATCHES, build_optimizer(cfg, model))
        self._cfg, self._device = cfg, device
        self._dtype = _training_dtype(cfg.SOLVER.PRECISION, device)
        self._scaler = torch.amp.GradScaler(device.type, enabled=self._dtype == torch.float16)
        self.checkpointer = SafeCheckpointer(model, str(folder), trainer=weakref.proxy(self))
        schedule = build_lr_scheduler(cfg, self.optimizer)
        self.register_hooks([hooks.IterationTimer(), hooks.LRScheduler(scheduler=schedule)])

    def resume(self) -> int:
        """Go back to the last checkpoint of the folder; return the step to go on with, 0 without one.

        Raises:
            WeightsError: the checkpoint is damaged, or of another configuration.
        """
        if not self.checkpointer.has_checkpoint():
            return 0
        try:
            self.checkpointer.resume_or_load("", resume=True)
        except (KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
            raise WeightsError(
                f"{self.checkpointer.get_checkpoint_file()}: cannot be resumed from: {error}",
                hint="It belongs to another configuration, or it is damaged.",
            ) from error
        return int(self.iter) + 1

    def run(self, batches: Iterator[list[Record]], *, first_step: int = 0) -> None:
        """Train to ``SOLVER.MAX_ITER``.

        Raises:
            DataError: the loss is not finite.
            KeyboardInterrupt: a hook stopped the training; the checkpoint is written.
        """
        self._data_loader_iter = batches
        try:
            self.train(first_step, self._cfg.SOLVER.MAX_ITER)
        except FloatingPointError as error:
            raise DataError(
                f"step {self.iter}: the loss is not finite; the training has diverged",
                hint="Lower SOLVER.BASE_LR, or set SOLVER.CLIP_GRADIENTS.ENABLED True.",
            ) from error

    def run_step(self) -> None:
        """Train on one batch."""
        start = time.perf_counter()
        batch = next(self._data_loader_iter)
        waited_s = time.perf_counter() - start
        # What the network draws (anchors, proposals) follows from the step: an interruption changes nothing.
        torch.manual_seed(hash((self._cfg.SEED, self.iter, comm.get_rank())) % 2**63)
        with torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32):
            losses = self.model(batch)
        total = sum(losses.values())
        self.optimizer.zero_grad()
        self._scaler.scale(total).backward()
        self._write_metrics(losses, waited_s)
        self._scaler.step(self.optimizer)
        self._scaler.update()

    def _write_metrics(
        self, loss_dict: Mapping[str, torch.Tensor], data_time: float, prefix: str = ""
    ) -> None:
        """Record the means over all processes; the longest wait for data."""
        mine = {name: float(loss.detach()) for name, loss in loss_dict.items()}
        every = gather((mine, data_time))
        means = {f"{prefix}{name}": sum(each[name] for each, _ in every) / len(every) for name in mine}
        total = sum(means.values())
        if not math.isfinite(total):  # in every process, so that none waits for another
            raise FloatingPointError(str(means))
        storage = get_event_storage()
        storage.put_scalar("data_time", max(waited for _, waited in every))
        storage.put_scalars(**means, **{f"{prefix}total_loss": total})

    def state_dict(self) -> dict[str, Any]:  # Any: Detectron2's
        """Return what a checkpoint holds beside the model."""
        return {**super().state_dict(), "grad_scaler": self._scaler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore it."""
        super().load_state_dict(state_dict)
        self._scaler.load_state_dict(state_dict["grad_scaler"])


class SafeCheckpointer(DetectionCheckpointer):
    """Detectron2's checkpointer for its own checkpoints only, read without running anything in them."""

    def _load_file(self, filename: str) -> dict[str, Any]:
        try:
            return dict(torch.load(filename, map_location="cpu", weights_only=True))
        except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, TypeError, KeyError) as error:
            reason = str(error).split("\n")[0]
            raise WeightsError(
                f"{filename}: not a checkpoint of a training, or damaged: {reason}",
                hint="Remove it, and name an older one in the file last_checkpoint beside it.",
            ) from error


def build_optimizer(cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
    """Build SGD as Detectron2 does, or AdamW with the same groups of parameters and clipping.

    Raises:
        ConfigError: SOLVER.OPTIMIZER is something else.
    """
    solver = cfg.SOLVER
    groups = get_default_optimizer_params(
        model,
        base_lr=solver.BASE_LR,
        weight_decay_norm=solver.WEIGHT_DECAY_NORM,
        bias_lr_factor=solver.BIAS_LR_FACTOR,
        weight_decay_bias=solver.WEIGHT_DECAY_BIAS,
    )
    common: dict[str, Any] = {"lr": solver.BASE_LR, "weight_decay": solver.WEIGHT_DECAY}
    chosen: type[torch.optim.Optimizer]
    if solver.OPTIMIZER == "SGD":
        chosen, options = torch.optim.SGD, {"momentum": solver.MOMENTUM, "nesterov": solver.NESTEROV}
    elif solver.OPTIMIZER == "AdamW":
        chosen, options = torch.optim.AdamW, {}
    else:
        raise ConfigError(f"SOLVER.OPTIMIZER: expected SGD or AdamW, got {solver.OPTIMIZER!r}")
    return maybe_add_gradient_clipping(cfg, chosen)(groups, **common, **options)


def _wrapped(model: nn.Module, device: torch.device) -> nn.Module:
    if comm.get_world_size() == 1:
        return model
    devices: Sequence[torch.device] | None = [device] if device.type == "cuda" else None
    return DistributedDataParallel(model, device_ids=devices, broadcast_buffers=False)


def _training_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Return the type of a precision.

    Raises:
        ConfigError: not a precision, or not one of this device.
    """
    if precision not in DTYPES:
        raise ConfigError(f"SOLVER.PRECISION: expected {', '.join(DTYPES)}, got {precision!r}")
    if precision == "fp16" and device.type != "cuda":
        raise ConfigError(
            f"SOLVER.PRECISION fp16 needs a CUDA GPU, the device is {device}",
            hint="On a CPU that has it, bf16 is faster than fp32.",
        )
    return DTYPES[precision]


class StopHook(hooks.HookBase):
    """Stops after a step when asked to, with a checkpoint to go on from.

    Args:
        checkpointer: to save with.
        stopped: whether this process was asked to stop.
    """

    def __init__(self, checkpointer: DetectionCheckpointer, stopped: Callable[[], bool]) -> None:
        self._checkpointer, self._stopped = checkpointer, stopped

    def after_step(self) -> None:
        """Save and raise KeyboardInterrupt if any process was asked to stop."""
        if any(gather(self._stopped())):
            last = self.trainer.iter + 1 >= self.trainer.max_iter
            if comm.is_main_process() and not last:
                self._checkpointer.save(f"model_{self.trainer.iter:07d}")
            wait_for_all()
            raise KeyboardInterrupt


_NO_BATCHES: list[list[Record]] = []  # the loop gets its batches when it runs
