"""One process among those that work together: who it is, and what it can do with the others.

torchrun starts the processes and tells each through its environment who it is; without torchrun there is one.

    with joined_processes("auto") as process:
        mine = work(rank=process.rank, world=process.world, device=process.device)
        every = process.gather(mine)            # a list in every process
        if process.is_first:
            write(every)

Tensors on GPUs travel by NCCL, everything else by gloo. All processes must make the same calls in the same
order; none of them may sit inside a branch that only some processes take.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from evaluation.errors import UsageError

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

# Only ends a run whose other processes live but do not come: torchrun itself notices one that died.
_PATIENCE = timedelta(hours=1)


@dataclass(frozen=True)
class Process:
    """One of ``world`` processes; with ``world`` 1 every method answers at once.

    Attributes:
        rank: 0 .. world - 1 over all machines.
        world: processes in all.
        local_rank: number on this machine.
        local_world: processes on this machine.
        device: where this process computes.
    """

    rank: int
    world: int
    local_rank: int
    local_world: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this is the one that prints and writes."""
        return self.rank == 0

    def gather(self, mine: T) -> list[T]:
        """Return what every process gave, in the order of their ranks, in every process.

        Objects travel as pickles between the processes of one run, which trust each other.
        """
        if self.world == 1:
            return [mine]
        import torch.distributed as dist

        every: list[T | None] = [None] * self.world
        dist.all_gather_object(every, mine)
        return every  # type: ignore[return-value]  # filled by now

    def from_first(self, mine: T) -> T:
        """Return what process 0 gave, in every process."""
        if self.world == 1:
            return mine
        import torch.distributed as dist

        box: list[T] = [mine]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def copy_from_first(self, tensors: Iterable[torch.Tensor]) -> None:
        """Give tensors, in every process, the values that they have in process 0."""
        if self.world > 1:
            import torch.distributed as dist

            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def sum(self, mine: torch.Tensor) -> torch.Tensor:
        """Return the sum over all processes as a new tensor; it has no gradient."""
        total = mine.detach().clone()
        if self.world > 1:
            import torch.distributed as dist

            dist.all_reduce(total)
        return total

    def any(self, mine: bool) -> bool:
        """Whether the answer is yes in at least one process."""
        if self.world == 1:
            return mine
        import torch

        return bool(self.sum(torch.tensor(int(mine))).item())

    def barrier(self) -> None:
        """Wait until every process has come here."""
        self.any(False)


ALONE_ENVIRONMENT = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}


@contextmanager
def joined_processes(device: str = "auto", *, patience: timedelta = _PATIENCE) -> Iterator[Process]:
    """Join the processes that torchrun started, or be the only one; leave them at the end.

    Args:
        device: "auto", "cpu", "cuda" or, for a single process, "cuda:N"; on a machine with several processes
            each takes the GPU of its number.
        patience: how long a process waits for one that lives and does not come.

    Raises:
        UsageError: more processes than GPUs, a device that is not there, or a damaged environment.
    """
    rank, world, local_rank, local_world = _numbers()
    place = _device(device, local_rank, local_world)
    process = Process(rank, world, local_rank, local_world, place)
    if world == 1:
        yield process
        return
    import torch.distributed as dist

    from ava_detect.engine.meeting import fresh_store

    backend = "cpu:gloo,cuda:nccl" if place.type == "cuda" else "gloo"
    store, _, _ = next(dist.rendezvous("env://", rank, world, timeout=patience))
    store = fresh_store(store, rank=rank, world=world, patience=patience)
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=patience)
    try:
        yield process
    finally:
        dist.destroy_process_group()


def _numbers() -> tuple[int, int, int, int]:
    """Read rank, world, local rank and local world from torchrun's environment."""
    values = {name: os.environ.get(name, alone) for name, alone in ALONE_ENVIRONMENT.items()}
    try:
        rank, world, local_rank, local_world = (int(value) for value in values.values())
    except ValueError:
        rank, world, local_rank, local_world = -1, 0, -1, 0
    if not (0 <= rank < world and 0 <= local_rank < local_world):
        said = " ".join(f"{name}={value}" for name, value in values.items())
        raise UsageError(
            f"the environment says {said}; expected numbers as torchrun sets them",
            hint="Unset them to run one process, or start with torchrun.",
        )
    return rank, world, local_rank, local_world


def _device(name: str, local_rank: int, local_world: int) -> torch.device:
    import torch

    from ava_detect.engine.device import pick_device

    device = pick_device(name)
    if local_world == 1 or device.type == "cpu":
        return device
    if device.type == "mps":
        raise UsageError("--device mps: several processes need CUDA GPUs or the CPU")
    if ":" in name:
        raise UsageError(f"--device {name}: of {local_world} processes each takes the GPU of its own number")
    if local_world > torch.cuda.device_count():
        raise UsageError(
            f"{local_world} processes on this machine, but torch sees {torch.cuda.device_count()} CUDA GPUs",
            hint=f"Start torchrun with --nproc-per-node {torch.cuda.device_count()}, or pass --device cpu.",
        )
    device = torch.device("cuda", local_rank)
    torch.cuda.set_device(device)
    return device
