"""Ctrl-C once: finish what is in hand. Twice: stop now."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Says whether the user, or a scheduler with SIGTERM, asked to stop."""

    def __init__(self, *, same_within_s: float = 0.0) -> None:
        self.requested = False
        self._same_within_s, self._first = same_within_s, 0.0

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if not self.requested:
            self.requested, self._first = True, time.monotonic()
        elif time.monotonic() - self._first >= self._same_within_s:
            raise KeyboardInterrupt


@contextmanager
def graceful_interruption(*, same_within_s: float = 0.0) -> Iterator[Interruption]:
    """Within the block, the first SIGINT or SIGTERM only sets ``requested``; the second raises.

    Args:
        same_within_s: a signal that follows the first within this time counts as the same: torchrun hands on
            the Ctrl-C that its processes got from the terminal as well.

    Raises:
        KeyboardInterrupt: in the block, at the second signal.
    """
    interruption = Interruption(same_within_s=same_within_s)
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield interruption
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, interruption._handle) for number in numbers}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
