"""How fast and how well a run goes: times, losses, memory, and the line that says so."""

import math
import resource
import sys
from collections import deque
from dataclasses import dataclass
from statistics import median

import torch

_RECENT = 20  # steps over which a line's numbers are taken
_TOO_MUCH_WAITING = 0.3  # share of the time
_LONG = 50  # steps


@dataclass(frozen=True)
class StepFacts:
    """One step.

    Attributes:
        step: number of the step, from 1.
        epoch: time in epochs after it.
        loss, lr: of the step.
        gradient_norm: before clipping, where it is known.
        seconds: it took in all; data_seconds: of these, waiting for clips.
        clips: over all processes; skipped: clips that could not be read.
        memory: most that this process has used so far, bytes.
    """

    step: int
    epoch: float
    loss: float
    lr: float
    gradient_norm: float | None
    seconds: float
    data_seconds: float
    clips: int
    skipped: int
    memory: int

    def document(self) -> dict[str, object]:
        """Return the line of ``metrics.jsonl``; JSON has no infinity, which fp16 gives now and then."""
        norm = self.gradient_norm
        return {
            "kind": "train",
            "step": self.step,
            "epoch": round(self.epoch, 6),
            "loss": self.loss,
            "lr": self.lr,
            "gradient_norm": norm if norm is not None and math.isfinite(norm) else None,
            "step_s": round(self.seconds, 6),
            "data_s": round(self.data_seconds, 6),
            "clips": self.clips,
            "clips_per_s": round(self.clips / max(self.seconds, 1e-9), 3),
            "skipped": self.skipped,
            "memory_gb": round(self.memory / 1e9, 3),
        }


class Meter:
    """The last steps.

    Args:
        total_steps: of the run.
        steps_per_epoch, epochs: of the run.
    """

    def __init__(self, total_steps: int, steps_per_epoch: int, epochs: int) -> None:
        self._total, self._per_epoch, self._epochs = total_steps, steps_per_epoch, epochs
        self._recent: deque[StepFacts] = deque(maxlen=_RECENT)
        self._slow_steps = 0

    def add(self, facts: StepFacts) -> None:
        """Take a step into account."""
        self._recent.append(facts)
        is_slow = len(self._recent) == _RECENT and self.waiting_share > _TOO_MUCH_WAITING
        self._slow_steps = self._slow_steps + 1 if is_slow else 0

    @property
    def waiting_share(self) -> float:
        """Share of the time of the last steps that was spent waiting for clips."""
        return sum(each.data_seconds for each in self._recent) / max(self._seconds(), 1e-9)

    @property
    def is_slowed_by_loading(self) -> bool:
        """Whether a good part of the time has gone into waiting for clips, for a good while."""
        return self._slow_steps >= _LONG

    def line(self) -> str:
        """Return the line of the log about the last step."""
        last = self._recent[-1]
        epoch, place = divmod(last.step - 1, self._per_epoch)
        width = len(str(self._per_epoch))
        clips = sum(each.clips for each in self._recent)
        return (
            f"train  e {epoch + 1}/{self._epochs}  [{place + 1:>{width}}/{self._per_epoch}]"
            f"  eta {duration(self.remaining_seconds)}  loss {self._loss:.4f}  lr {last.lr:.4g}"
            f"  step {self._step_seconds:.3f} s  data {self.waiting_share * self._step_seconds:.3f} s"
            f"  {clips / max(self._seconds(), 1e-9):.1f} clips/s  mem {last.memory / 1e9:.1f} GB"
        )

    def note(self) -> str:
        """Return what stands beside a progress bar, the most important first: a terminal may be narrow."""
        last = self._recent[-1]
        return (
            f"eta {duration(self.remaining_seconds)} loss {self._loss:.4f} lr {last.lr:.3g}"
            f" step {self._step_seconds:.3g} s data {100 * self.waiting_share:.0f} %"
            f" {last.memory / 1e9:.1f} GB"
        )

    @property
    def remaining_seconds(self) -> float:
        """Time that the remaining steps will take at the pace of the last ones."""
        return self._step_seconds * (self._total - self._recent[-1].step)

    @property
    def _loss(self) -> float:
        return median(each.loss for each in self._recent)

    @property
    def _step_seconds(self) -> float:
        return self._seconds() / len(self._recent)

    def _seconds(self) -> float:
        return sum(each.seconds for each in self._recent)


def used_memory(device: torch.device) -> int:
    """Return the most memory that this process has used so far, bytes; on a GPU, that of the GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def duration(seconds: float) -> str:
    """Format a time as ``h:mm:ss``, preceded by the days where there are any."""
    days, rest = divmod(round(seconds), 86_400)
    text = f"{rest // 3600}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days} {'day' if days == 1 else 'days'}, {text}" if days else text
