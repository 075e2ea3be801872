"""Batch normalisation in the three forms that training needs; the parameter names are the same in all.

eps 1e-5 and momentum 0.1 (PyTorch's sense) everywhere, as in the published networks.
"""

from collections.abc import Callable

import torch.distributed as dist
from torch import nn

EPS = 1e-5
MOMENTUM = 0.1

BatchNorm = nn.BatchNorm3d | nn.SyncBatchNorm

Norm = Callable[[int], BatchNorm]
"""Makes the normalisation layer for so many channels; every builder of this package takes one."""


def batch_norm(channels: int) -> BatchNorm:
    """Make a plain batch norm: statistics of this process's clips."""
    return nn.BatchNorm3d(channels, eps=EPS, momentum=MOMENTUM)


def sync_batch_norm(process_group: dist.ProcessGroup | None = None) -> Norm:
    """Return a maker of batch norms that share their statistics over ``process_group``.

    Without an initialised process group the layers behave as plain ones, so that such a network also runs
    alone.
    """

    def make(channels: int) -> BatchNorm:
        return nn.SyncBatchNorm(channels, eps=EPS, momentum=MOMENTUM, process_group=process_group)

    return make


def frozen_batch_norm(channels: int) -> BatchNorm:
    """Make a batch norm that always uses its stored statistics and whose parameters do not train."""
    return FrozenBatchNorm3d(channels, eps=EPS, momentum=MOMENTUM)


class FrozenBatchNorm3d(nn.BatchNorm3d):
    """A batch norm that stays in evaluation mode; for fine-tuning with few clips per process."""

    def __init__(self, channels: int, *, eps: float, momentum: float) -> None:
        super().__init__(channels, eps=eps, momentum=momentum)
        self.weight.requires_grad_(False)
        self.bias.requires_grad_(False)
        self.training = False

    def train(self, mode: bool = True) -> "FrozenBatchNorm3d":
        """Stay in evaluation mode, whatever is asked; ``mode`` is for the parent's signature."""
        del mode
        return super().train(False)
