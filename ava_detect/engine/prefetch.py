"""Run a producer in a thread of its own, a bounded number of items ahead of its consumer."""

import queue
import threading
from collections.abc import Generator, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


class _End:
    """The producer's last word: it is finished, or it failed with ``error``."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(items: Iterable[T], *, depth: int) -> Generator[T, None, None]:
    """Yield ``items`` while a thread makes the next ``depth`` of them.

    Decoding and resizing release Python's lock, so they overlap with the networks. An exception of the
    producer is raised here, at its place in the order. Closing the generator (leaving a ``for`` loop early
    included) stops the producer after the item that it is making.
    """
    # Any: the queue carries T and, last, _End.
    ready: queue.Queue[Any] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def produce() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not _put(ready, item, stop):
                    break
        except BaseException as caught:
            error = caught
        finally:
            if hasattr(items, "close"):
                items.close()
        _put(ready, _End(error), stop)

    thread = threading.Thread(target=produce, name="prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        thread.join()


def _put(ready: "queue.Queue[Any]", item: object, stop: threading.Event) -> bool:
    """Put ``item`` unless the consumer has gone; say whether it was put."""
    while not stop.is_set():
        try:
            ready.put(item, timeout=0.1)
            return True
        except queue.Full:
            continue
    return False
