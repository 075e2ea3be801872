"""The learning rate as a function of time in epochs, which may be fractions."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, pi

from ava_detect.config import Config

Policy = Callable[[float], float]
"""(time in epochs) -> learning rate, without the warm-up."""


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from ``start_lr`` at epoch ``begin`` down to ``end_lr`` at epoch ``end``.

    Reference: Loshchilov and Hutter, SGDR (ICLR 2017), equation 5, without restarts.
    """

    start_lr: float
    end_lr: float
    begin: float
    end: float

    def __call__(self, epoch: float) -> float:
        """Return the learning rate at a time in epochs."""
        done = (epoch - self.begin) / (self.end - self.begin)
        return self.end_lr + (self.start_lr - self.end_lr) * (1 + cos(pi * done)) / 2


@dataclass(frozen=True)
class Steps:
    """``base_lr * factors[k]`` from epoch ``starts[k]`` on; the first start is 0."""

    base_lr: float
    starts: Sequence[float]
    factors: Sequence[float]

    def __call__(self, epoch: float) -> float:
        """Return the learning rate at a time in epochs."""
        return self.base_lr * self.factors[bisect_right(self.starts, epoch) - 1]


@dataclass(frozen=True)
class Schedule:
    """A policy, preceded by a line from ``warmup_lr`` to the policy's value at the end of the warm-up."""

    policy: Policy
    warmup_epochs: float = 0.0
    warmup_lr: float = 0.0

    def __call__(self, epoch: float) -> float:
        """Return the learning rate at a time in epochs: epoch 2.5 is the middle of the third one."""
        if epoch >= self.warmup_epochs:
            return self.policy(epoch)
        reached = self.policy(self.warmup_epochs)
        return self.warmup_lr + (reached - self.warmup_lr) * epoch / self.warmup_epochs


def build_schedule(cfg: Config, *, machines: int = 1) -> Schedule:
    """Build the schedule of SOLVER.

    Args:
        cfg: the configuration.
        machines: how many train together; the rates are multiplied by it where
            SOLVER.BASE_LR_SCALE_NUM_SHARDS asks for it.
    """
    solver = cfg.SOLVER
    scale = machines if solver.BASE_LR_SCALE_NUM_SHARDS else 1
    base = solver.BASE_LR * scale
    policy: Policy
    if solver.LR_POLICY == "cosine":
        begin = solver.WARMUP_EPOCHS if solver.COSINE_AFTER_WARMUP else 0.0
        policy = Cosine(base, solver.COSINE_END_LR * scale, begin, solver.MAX_EPOCH)
    else:
        policy = Steps(base, solver.STEPS, solver.LRS)
    return Schedule(policy, solver.WARMUP_EPOCHS, solver.WARMUP_START_LR * scale)
