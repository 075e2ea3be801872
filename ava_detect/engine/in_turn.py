"""The first process before the others, so that what is wrong is told once and not by each of them."""

from collections.abc import Callable
from typing import TypeVar

from ava_detect.engine.distributed import Process
from evaluation.errors import AvaDetectError

T = TypeVar("T")


class FailedInFirstError(AvaDetectError):
    """The first process failed and tells why; the others need not."""

    def __init__(self, message: str, *, hint: str = "", exit_code: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


def first_does(process: Process, work: Callable[[], T]) -> T:
    """Let the first process do something and give every process what came of it.

    Raises:
        AvaDetectError: in the first process what the work raised.
        FailedInFirstError: in the others, with the same words.
    """
    if process.world == 1:
        return work()
    outcome: list[T] = []
    error: AvaDetectError | None = None
    if process.is_first:
        try:
            outcome.append(work())
        except AvaDetectError as caught:
            error = caught
    told = (str(error), error.hint, error.exit_code) if error else None
    outcome, told = process.from_first((outcome, told))
    if error is not None:
        raise error
    if told is not None:
        message, hint, exit_code = told
        raise FailedInFirstError(message, hint=hint, exit_code=exit_code)
    return outcome[0]


def first_then_others(process: Process, work: Callable[[], T]) -> T:
    """Let every process do the same, the first one before the others.

    Raises:
        AvaDetectError, FailedInFirstError: as :func:`first_does`; the others then do not begin.
    """
    mine: list[T] = []
    first_does(process, lambda: mine.append(work()))
    return mine[0] if process.is_first else work()
