"""Ctrl-C once: finish what is in hand. Twice: stop now."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Says whether the user, or a scheduler with SIGTERM, asked to stop."""

    def __init__(self) -> None:
        self.requested = False

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def graceful_interruption() -> Iterator[Interruption]:
    """Within the block, the first SIGINT or SIGTERM only sets ``requested``; the second raises.

    Raises:
        KeyboardInterrupt: in the block, at the second signal.
    """
    interruption = Interruption()
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
