"""The checkpoints of a run: their names, the newest good one, and which of them stay."""

import logging
import re
from pathlib import Path

from ava_detect.engine.training.checkpoint import Checkpoint, load_checkpoint, write_checkpoint
from evaluation.errors import WeightsError

logger = logging.getLogger(__name__)

_NAME = re.compile(r"step_(\d{8,})\.ckpt")


class CheckpointFolder:
    """A folder of files ``step_00001200.ckpt``.

    Args:
        folder: need not be there yet.
        keep: how many of the newest stay; 0 for all of them.
    """

    def __init__(self, folder: Path, *, keep: int) -> None:
        self._folder, self._keep = folder, keep

    def path_of(self, step: int) -> Path:
        """Return the file of a step."""
        return self._folder / f"step_{step:08d}.ckpt"

    def steps(self) -> list[int]:
        """Return the steps of which there are files, ascending."""
        if not self._folder.is_dir():
            return []
        matches = (_NAME.fullmatch(path.name) for path in self._folder.iterdir())
        return sorted(int(match[1]) for match in matches if match)

    def write(self, checkpoint: Checkpoint, *, best_step: int | None = None) -> Path:
        """Write a checkpoint, then remove those that need not stay; the one of ``best_step`` does.

        Raises:
            OSError: it cannot be written; the others are as they were.
        """
        path = self.path_of(checkpoint.step)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_checkpoint(checkpoint, path)
        if self._keep:
            for step in self.steps()[: -self._keep]:
                if step != best_step:
                    self.path_of(step).unlink(missing_ok=True)
        return path

    def _remove_unfinished(self) -> None:
        """Remove files that a killed run was still writing."""
        if self._folder.is_dir():
            for path in self._folder.glob(".step_*.tmp.ckpt"):
                path.unlink(missing_ok=True)

    def newest(self) -> tuple[Path, Checkpoint] | None:
        """Read the newest checkpoint that is whole; say which damaged ones were passed over.

        Returns:
            None when there is not a single file.

        Raises:
            WeightsError: there are files, and all of them are damaged.
        """
        self._remove_unfinished()
        damaged: list[WeightsError] = []
        for step in reversed(self.steps()):
            path = self.path_of(step)
            try:
                checkpoint = load_checkpoint(path)
            except WeightsError as error:
                damaged.append(error)
                logger.warning("%s; the one before it is taken", str(error).rstrip("."))
                continue
            for newer in self.steps():
                if newer > step:  # damaged; out of the way of what will be written
                    self.path_of(newer).replace(f"{self.path_of(newer)}.damaged")
            return path, checkpoint
        if damaged:
            raise WeightsError(
                f"{self._folder}: none of {len(damaged)} checkpoints can be read; the newest: {damaged[0]}",
                hint="Begin anew under another name: --run-name NAME",
            )
        return None
