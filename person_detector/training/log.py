"""What a training tells while it runs: a line now and then, and the best detector so far."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from detectron2.engine.hooks import HookBase
from detectron2.utils.events import EventStorage, EventWriter, get_event_storage

from evaluation.person_boxes import PersonBoxAP
from person_detector.training.processes import wait_for_all

_log = logging.getLogger(__name__)

_WINDOW = 20  # steps of which a line gives the median
_SHOWN_PARTS = ("loss_rpn_cls", "loss_rpn_loc", "loss_cls", "loss_box_reg")


class LogWriter(EventWriter):
    """Writes a line of numbers to the log.

    Args:
        max_iter: steps in all.
        pictures_per_step: over all processes.
    """

    def __init__(self, max_iter: int, pictures_per_step: int) -> None:
        self._max_iter, self._pictures = max_iter, pictures_per_step
        self._written = 0

    def write(self) -> None:
        """Write the line of the present step."""
        storage = get_event_storage()
        step = storage.iter + 1
        if not self._written < step <= self._max_iter or "total_loss" not in storage.histories():
            return
        self._written = step
        _log.info("%s", self._line(storage, step))

    def _line(self, storage: EventStorage, step: int) -> str:
        numbers = storage.histories()
        width = len(str(self._max_iter))
        text = f"train  [{step:{width}d}/{self._max_iter}]"
        if "time" in numbers:
            step_s = numbers["time"].median(_WINDOW)
            to_go_s = numbers["time"].global_avg() * (self._max_iter - step)
            text += f"  eta {_clock(to_go_s)}"
        text += f"  loss {numbers['total_loss'].median(_WINDOW):.4f}"
        parts = [f"{numbers[name].median(_WINDOW):.3f}" for name in _SHOWN_PARTS if name in numbers]
        text += f" (rpn {'+'.join(parts[:2])}, box {'+'.join(parts[2:])})" if len(parts) == 4 else ""
        text += f"  lr {storage.latest()['lr'][0]:.2e}" if "lr" in storage.latest() else ""
        if "time" in numbers:
            waited_s = numbers["data_time"].median(_WINDOW)
            rate = self._pictures / max(step_s, 1e-9)
            text += f"  step {step_s:.3f} s  data {waited_s:.3f} s  {rate:.1f} pictures/s"
        if torch.cuda.is_available():
            text += f"  mem {torch.cuda.max_memory_allocated() / 2**30:.1f} GB"
        return text


class ScoreHook(HookBase):
    """Scores the model now and then and at the end, and says when it is the best so far.

    Args:
        period: steps between; 0 for the end only.
        score: gives the score, in the first process; None in the others.
        keep: called in the first process with every score and whether it is the best.
    """

    def __init__(
        self,
        period: int,
        score: Callable[[], PersonBoxAP | None],
        keep: Callable[[PersonBoxAP, bool], None],
    ) -> None:
        self._period, self._score, self._keep = period, score, keep
        self._best = -math.inf

    def state_dict(self) -> dict[str, Any]:  # Any: HookBase's
        """Return the best AP so far."""
        return {"best": self._best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore it."""
        self._best = float(state_dict["best"])

    def after_step(self) -> None:
        """Score when it is time."""
        step = self.trainer.iter + 1
        if step == self.trainer.max_iter or (self._period > 0 and step % self._period == 0):
            self._run(step)

    def _run(self, step: int) -> None:
        result = self._score()
        if result is not None:
            is_best = result.ap > self._best
            self._best = max(self._best, result.ap)
            _log.info("score  [%d]  %s%s", step, in_words(result), "  (best so far)" if is_best else "")
            numbers = {f"val/{name}": value for name, value in asdict(result).items()}
            self.trainer.storage.put_scalars(**numbers, smoothing_hint=False)
            self._keep(result, is_best)
        wait_for_all()


def in_words(result: PersonBoxAP) -> str:
    """Put a score into a line."""
    sizes = ("small", "medium", "large")
    aps = "/".join(_percent(getattr(result, f"ap_{size}")) for size in sizes)
    recalls = "/".join(_percent(getattr(result, f"recall_{size}")) for size in sizes)
    return (
        f"AP {_percent(result.ap)}  AP50 {_percent(result.ap50)}  AP75 {_percent(result.ap75)}  "
        f"AR {_percent(result.recall)}  small/medium/large: AP {aps}, AR {recalls}"
    )


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f}"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
