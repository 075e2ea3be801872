"""What a run says while it goes: log lines, figures on disk, curves."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from ava_detect.config import Config
from ava_detect.engine.distributed import Process
from ava_detect.engine.training.failures import cannot_write
from ava_detect.engine.training.meter import StepFacts, duration
from ava_detect.engine.training.metrics import Curves, MetricsFile, SummaryFile
from ava_detect.engine.training.run_folder import RunFolder
from ava_detect.engine.training.run_state import EpochTotals, RunState

if TYPE_CHECKING:
    from ava_detect.engine.training.trainer import Scored

logger = logging.getLogger(__name__)

Pictures = Callable[[Path], Iterable[tuple[str, np.ndarray]]]
"""(folder of an evaluation) -> names and pictures, [H, W, 3] uint8, BGR."""

step_logger = logging.getLogger("ava_detect.engine.training.steps")
"""Lines of steps; a terminal with a progress bar need not show them."""

_LINE_EVERY_S = 5.0  # lines of short steps would only fill the log; metrics.jsonl has them all


class Records:
    """Writes what happens in the first process; in the others does nothing.

    Args:
        folder: of the run.
        cfg: of the run.
        process: which this is.
        after: where the run is; what the files say about later steps is removed.
        pictures: of an evaluation, to be shown beside the curves; None: none.
    """

    def __init__(
        self,
        folder: RunFolder,
        cfg: Config,
        process: Process,
        *,
        after: RunState,
        pictures: Pictures | None = None,
    ) -> None:
        self._folder, self._cfg, self._pictures = folder, cfg, pictures
        self._metrics, self._summary = MetricsFile(folder.metrics), SummaryFile(folder.summary)
        self._curves: Curves | None = None
        self._last_line = 0.0
        if not process.is_first:
            return
        is_closed = after.closed_step == after.step
        self._metrics.forget_after(
            after.step, kinds_at_step=("train", "eval", "epoch") if is_closed else ("train",)
        )
        self._summary.forget_after(after.closed_step)
        if cfg.TENSORBOARD.ENABLE:
            tb = Path(cfg.TENSORBOARD.LOG_DIR) if cfg.TENSORBOARD.LOG_DIR else folder.path / "tb"
            self._curves = Curves(tb, after_step=after.step)

    def step(self, facts: StepFacts, line: str) -> None:
        """Write down a step."""
        document = facts.document()
        self._append(document)
        now = time.monotonic()
        if now - self._last_line >= _LINE_EVERY_S:
            self._last_line = now
            step_logger.info("%s", line)
        if self._curves is not None:
            names = {
                "loss": "train/loss",
                "lr": "train/lr",
                "gradient_norm": "train/gradient_norm",
                "step_s": "time/step_s",
                "data_s": "time/data_s",
                "clips_per_s": "time/clips_per_s",
                "memory_gb": "memory_gb",
            }
            self._curves.add(facts.step, {tag: document[name] for name, tag in names.items()})  # type: ignore[misc]

    def epoch(self, epoch: int, step: int, totals: EpochTotals, lr: float, scores: Scored | None) -> None:
        """Write down the end of an epoch."""
        steps, seconds = max(totals.steps, 1), max(totals.seconds, 1e-9)
        row = {
            "epoch": epoch,
            "step": step,
            "loss": totals.loss / steps,
            "lr": lr,
            "mean_ap": None if scores is None else _finite(scores.mean_ap),
            "seconds": round(totals.seconds, 3),
            "data_share": round(totals.data_seconds / seconds, 4),
            "clips_per_s": round(totals.clips / seconds, 3),
            "skipped": totals.skipped,
        }
        self._append({"kind": "epoch", **row})
        try:
            self._summary.append(row)
        except OSError as error:
            raise cannot_write(self._folder.summary, error) from error
        left_out = f"  {totals.skipped:,} clips left out" if totals.skipped else ""
        logger.info(
            "epoch  %d/%d  loss %.4f  %s  %.1f clips/s  waiting for data %.0f %%%s",
            epoch,
            self._cfg.SOLVER.MAX_EPOCH,
            totals.loss / steps,
            duration(totals.seconds),
            totals.clips / seconds,
            100 * totals.data_seconds / seconds,
            left_out,
        )

    def evaluation(self, epoch: int, step: int, scores: Scored) -> None:
        """Write down an evaluation."""
        by_class = {str(class_id): _finite(ap) for class_id, ap in scores.by_class.items()}
        mean_ap = _finite(scores.mean_ap)
        self._append({"kind": "eval", "step": step, "epoch": epoch, "mean_ap": mean_ap, "by_class": by_class})
        logger.info("eval   %d/%d  mAP %.2f %%", epoch, self._cfg.SOLVER.MAX_EPOCH, 100 * scores.mean_ap)
        if self._curves is not None:
            curves = {f"ap/{class_id}": ap for class_id, ap in by_class.items()}
            self._curves.add(step, {"eval/mean_ap": mean_ap, **curves})
            if self._pictures is not None:
                for name, image in self._pictures(self._folder.evaluation(epoch)):
                    self._curves.add_picture(step, name, image)

    def loading_is_slow(self, share: float) -> None:
        """Say once that the network waits for clips, and what helps."""
        workers, cores = self._cfg.DATA_LOADER.NUM_WORKERS, os.cpu_count() or 1
        advice = (
            f"raise DATA_LOADER.NUM_WORKERS (now {workers} of {cores} cores)"
            if workers < cores
            else "make smaller copies of the videos: ava-detect prepare"
        )
        logger.warning("loading is the bottleneck (%.0f %% waiting): %s", 100 * share, advice)

    def _append(self, document: dict[str, object]) -> None:
        try:
            self._metrics.append(document)
        except OSError as error:
            raise cannot_write(self._folder.metrics, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._curves is not None:
            self._curves.close()


def _finite(value: float) -> float | None:
    """JSON has no NaN, which is the AP of a class without ground truth."""
    return value if math.isfinite(value) else None
