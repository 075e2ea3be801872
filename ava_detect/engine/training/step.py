"""One step of the optimiser: forwards and backwards over the parts of a batch, then the update."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ava_detect.data.clip_dataset import Batch
from ava_detect.engine.distributed import Process
from ava_detect.engine.training.loss import BoxLoss
from ava_detect.engine.training.network import TrainingNetwork
from ava_detect.engine.training.optimizer import Clipping


@dataclass(frozen=True)
class StepResult:
    """What a step gave, the same in every process.

    Attributes:
        loss: of the whole batch of all processes, normalised.
        gradient_norm: before clipping; None where it was not needed.
    """

    loss: float
    gradient_norm: float | None = None


class NotFinite(Exception):
    """The loss is infinite or not a number; the weights are as they were before the step.

    Attributes:
        logits: of each part of this process.
    """

    def __init__(self, loss: float, logits: Sequence[Tensor]) -> None:
        super().__init__(f"the loss is {loss}")
        self.loss, self.logits = loss, logits


class OptimizerStep:
    """Makes steps.

    Args:
        network: what is trained.
        loss: summed over boxes.
        optimizer: over its parameters.
        clipping: of the gradients.
        normalise: by the boxes of the whole step, or the mean of each process's and part's mean.
        process: which of how many this is.
        scaler: of the gradients; does nothing unless in fp16.
    """

    def __init__(
        self,
        network: TrainingNetwork,
        loss: BoxLoss,
        optimizer: torch.optim.Optimizer,
        *,
        clipping: Clipping,
        normalise: Literal["global", "per_process"],
        process: Process,
        scaler: torch.amp.GradScaler,
    ) -> None:
        self._network, self._loss, self._optimizer = network, loss, optimizer
        self._clipping, self._normalise = clipping, normalise
        self._process, self._scaler = process, scaler

    def __call__(self, parts: Sequence[Batch], *, boxes: int, epoch: int, lr: float) -> StepResult:
        """Make a step.

        Args:
            parts: on the device; together this process's share of the batch.
            boxes: of all parts of all processes; at least 1.
            epoch: of the samples.
            lr: learning rate.

        Raises:
            NotFinite: in every process, if the loss of any is not finite.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        total, logits = self._backward(parts, boxes, epoch)
        loss = (self._process.sum(total) / self._process.world).item()
        if not math.isfinite(loss):
            self._optimizer.zero_grad(set_to_none=True)
            raise NotFinite(loss, logits)
        self._scaler.unscale_(self._optimizer)
        parameters = [each for group in self._optimizer.param_groups for each in group["params"]]
        norm = self._clipping(parameters)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        return StepResult(loss, None if norm is None else norm.item())

    def _backward(self, parts: Sequence[Batch], boxes: int, epoch: int) -> tuple[Tensor, list[Tensor]]:
        """Add up the gradients of all parts; return ``world`` times this process's loss, and the logits."""
        total, every = torch.zeros((), device=self._process.device), []
        for number, part in enumerate(parts):
            is_last = number == len(parts) - 1
            with nullcontext() if is_last else self._network.without_exchange():
                logits = self._network.logits(part, epoch)
                labels = part.labels if len(part) else logits.new_zeros(logits.shape)
                loss = self._loss(logits, labels) * self._weight(len(logits), boxes, len(parts))
                self._scaler.scale(loss).backward()
            total += loss.detach()
            every.append(logits.detach())
        return total, every

    def _weight(self, mine: int, boxes: int, parts: int) -> float:
        """Return the factor of a part's sum; gradients are averaged over the processes afterwards."""
        if self._normalise == "global":
            return self._process.world / boxes
        return 1 / (max(mine, 1) * parts)
