"""The log of a run, in a file of its folder."""

import logging
from logging.handlers import MemoryHandler
from pathlib import Path
from types import TracebackType
from typing import Self

from evaluation.errors import AvaDetectError

_PACKAGES = ("ava_detect", "person_detector", "evaluation")
_MANY = 1_000_000  # lines; all that wait
_NEVER = logging.CRITICAL + 1


class RunLog:
    """Takes down what is logged within its block, and the error that ends it.

    The lines wait in memory until there is a file for them: a run that cannot begin has no folder.

    Args:
        level: the lowest that is taken down.
    """

    def __init__(self, level: int) -> None:
        self._waiting = MemoryHandler(_MANY, flushLevel=_NEVER)
        self._waiting.setLevel(level)
        self._file: logging.FileHandler | None = None

    def keep_in(self, path: Path) -> None:
        """Write everything into a file from now on, after what it holds, beginning with what waits."""
        self._file = logging.FileHandler(path, encoding="utf-8", delay=True)
        self._file.setFormatter(_Formatter("%(asctime)s  %(message)s"))
        self._waiting.setTarget(self._file)
        self._waiting.flush()
        self._waiting.capacity = 1

    def __enter__(self) -> Self:
        for package in _PACKAGES:
            logging.getLogger(package).addHandler(self._waiting)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, AvaDetectError):
            text = f"{error}\n{error.hint}".rstrip()
            self._waiting.handle(logging.LogRecord(__name__, logging.ERROR, __file__, 0, "%s", (text,), None))
        for package in _PACKAGES:
            logging.getLogger(package).removeHandler(self._waiting)
        self._waiting.close()
        if self._file is not None:
            self._file.close()


class _Formatter(logging.Formatter):
    """Warnings and errors carry their level as the first word."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if record.levelno <= logging.INFO:
            return text
        stamp, gap, message = text.partition("  ")
        return f"{stamp}{gap}{record.levelname.lower()}: {message}"
