"""The figures of a run on disk: ``metrics.jsonl``, ``summary.csv``, TensorBoard.

A run that goes on from a checkpoint first forgets what was written after it, so that the files read as if
nothing had happened.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from evaluation.atomic import atomic_path
from evaluation.errors import MissingDependencyError

SUMMARY_COLUMNS = (
    "epoch", "step", "loss", "lr", "mean_ap", "seconds", "data_share", "clips_per_s", "skipped"
)  # fmt: skip


class MetricsFile:
    """One JSON object per line: of every logged step, every epoch and every evaluation, by their step."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, document: Mapping[str, object]) -> None:
        """Write a line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(document) + "\n")

    def forget_after(self, step: int, *, kinds_at_step: Sequence[str]) -> None:
        """Remove lines of later steps, and of ``step`` itself those of other kinds than named.

        A line that was cut off goes as well.
        """
        if not self._path.exists():
            return
        kept = [
            line
            for line in self._path.read_text(encoding="utf-8").splitlines(keepends=True)
            if _is_before(line, step, kinds_at_step)
        ]
        with atomic_path(self._path) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")


def _is_before(line: str, step: int, kinds_at_step: Sequence[str]) -> bool:
    try:
        document = json.loads(line)
        at, kind = int(document["step"]), document["kind"]
    except (ValueError, KeyError, TypeError):
        return False
    return at < step or (at == step and kind in kinds_at_step)


class SummaryFile:
    """``summary.csv``: a row per epoch."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, row: Mapping[str, object]) -> None:
        """Write the row of an epoch; the header comes with the first."""
        is_new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, SUMMARY_COLUMNS, lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerow(row)

    def forget_after(self, step: int) -> None:
        """Remove the rows of epochs that ended after ``step``."""
        if not self._path.exists():
            return
        with self._path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if _number(row.get("step")) <= step]
        self._path.unlink()
        for row in rows:
            self.append({name: row.get(name) for name in SUMMARY_COLUMNS})


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return float("inf")


def check_tensorboard() -> None:
    """Refuse to draw curves without TensorBoard.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401 - whether it is there
    except ImportError as error:
        raise MissingDependencyError(
            "TENSORBOARD.ENABLE is on, and TensorBoard is not installed", hint="pip install tensorboard"
        ) from error


class Curves:
    """TensorBoard's curves; ``check_tensorboard`` comes first.

    Args:
        folder: for its event files.
        after_step: forget what earlier runs wrote after this step.
    """

    def __init__(self, folder: Path, *, after_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=after_step + 1)

    def add(self, step: int, values: Mapping[str, float | None]) -> None:
        """Draw a point of each curve."""
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, value, step)

    def add_picture(self, step: int, name: str, image: np.ndarray) -> None:
        """Show a picture, [H, W, 3] uint8, BGR, beside those of the same name at other steps."""
        self._writer.add_image(name, np.ascontiguousarray(image[..., ::-1]), step, dataformats="HWC")

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
