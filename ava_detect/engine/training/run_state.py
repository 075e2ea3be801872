"""Where a run is, beside its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ava_detect.engine.training.meter import StepFacts


@dataclass
class EpochTotals:
    """Sums over the steps of the current epoch."""

    steps: int = 0
    loss: float = 0.0
    seconds: float = 0.0
    data_seconds: float = 0.0
    clips: int = 0
    skipped: int = 0

    def add(self, facts: StepFacts) -> None:
        """Add a step."""
        self.steps += 1
        self.loss += facts.loss
        self.seconds += facts.seconds
        self.data_seconds += facts.data_seconds
        self.clips += facts.clips
        self.skipped += facts.skipped


@dataclass
class RunState:
    """The counters of a run.

    Attributes:
        step: optimiser steps done.
        closed_step: the end of an epoch up to which everything is done: evaluation, summary.
        best_map, best_step: the best evaluation and the step of it; below 0 without one.
        epoch: sums over the epoch so far.
    """

    step: int = 0
    closed_step: int = 0
    best_map: float = -1.0
    best_step: int = -1
    epoch: EpochTotals = field(default_factory=EpochTotals)

    def progress(self) -> dict[str, float]:
        """Return all but the step, as numbers by name, for a checkpoint."""
        return {
            "closed_step": self.closed_step,
            "best_map": self.best_map,
            "best_step": self.best_step,
            **asdict(self.epoch),
        }

    @classmethod
    def restored(cls, step: int, progress: Mapping[str, float]) -> RunState:
        """Make the state that ``progress`` was taken from.

        Raises:
            KeyError, TypeError: a number is missing, or there is one too many.
        """
        sums = dict(progress)
        return cls(
            step=step,
            closed_step=int(sums.pop("closed_step")),
            best_map=sums.pop("best_map"),
            best_step=int(sums.pop("best_step")),
            epoch=EpochTotals(**sums),  # type: ignore[arg-type]  # counts come back as whole numbers
        )
