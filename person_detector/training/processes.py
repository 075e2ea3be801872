"""The processes of a training, when there are several.

Detectron2's own ways of gathering know process groups of one backend only; ours may have gloo for objects and
NCCL for tensors on GPUs.
"""

from __future__ import annotations

from typing import TypeVar

import torch.distributed as dist
from detectron2.utils import comm

T = TypeVar("T")


def gather(mine: T) -> list[T]:
    """Return what every process gave, in the order of their ranks, in every process."""
    world = comm.get_world_size()
    if world == 1:
        return [mine]
    every: list[T | None] = [None] * world
    dist.all_gather_object(every, mine)
    return every  # type: ignore[return-value]  # filled by now


def wait_for_all() -> None:
    """Go on when every process has come here."""
    gather(None)
