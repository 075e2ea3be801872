"""The folder of a test: nothing is overwritten unasked, an interrupted test is recognised."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from ava_detect.engine.testing.results import DETECTIONS, UNREAD
from ava_detect.engine.testing.scores import PER_CLASS, SCORES
from evaluation.errors import AvaDetectError, UsageError

CONFIG = "config.yaml"
_OUTPUTS = (DETECTIONS, PER_CLASS, SCORES, UNREAD, CONFIG)


@dataclass(frozen=True)
class TestFolder:
    """Where a test writes, and where its journal is until it is complete."""

    __test__ = False  # not a test of pytest's

    path: Path

    @property
    def journal(self) -> Path:
        """Folder of the journal; it is there as long as the test is not complete."""
        return self.path / ".journal"

    @property
    def written(self) -> list[str]:
        """Names of the results that are there."""
        return [name for name in _OUTPUTS if (self.path / name).exists()]

    def check(self, *, resume: bool, overwrite: bool) -> None:
        """Make sure that a test may write here; nothing is changed.

        Raises:
            UsageError: there is a test in it, complete or not, and nobody said what to do with it.
        """
        if resume and overwrite:
            raise UsageError("--resume goes on with a test, --overwrite begins it anew: which?")
        if overwrite:
            return
        if self.journal.exists():
            if not resume:
                raise UsageError(
                    f"{self.path}: a test was interrupted here",
                    hint="Go on with it: --resume. Start anew: --overwrite",
                )
            return
        if self.written:
            raise UsageError(
                f"{self.path}: there is a complete test in it ({', '.join(self.written)})",
                hint="Use --overwrite, or another folder: --out DIR",
            )

    def open(self, *, overwrite: bool) -> None:
        """Make the folder; with ``overwrite`` remove the test that is in it, and nothing else.

        Raises:
            AvaDetectError: it cannot be made or emptied.
        """
        try:
            if overwrite:
                self._clear()
            self.journal.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AvaDetectError(f"{self.path}: cannot be written ({error.strerror or error})") from None

    def complete(self) -> None:
        """Remove the journal: everything is written."""
        shutil.rmtree(self.journal, ignore_errors=True)

    def _clear(self) -> None:
        for name in _OUTPUTS:
            (self.path / name).unlink(missing_ok=True)
        if self.journal.exists():
            shutil.rmtree(self.journal)
