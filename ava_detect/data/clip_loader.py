"""torch's loader, with reading processes that signals do not reach and that end without a word."""

import multiprocessing.resource_tracker
import multiprocessing.util
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from ava_detect.data.clip_dataset import ClipItem, SkippedClip

_LAST = -1000  # after everything that ends with a process, such as the removal of its temporary folder


class ClipLoader(DataLoader[ClipItem | SkippedClip]):
    """Gives a ``Batch`` for every list of keys; takes the arguments of torch's loader.

    The processes that it starts are spawned, prepared by ``prepare_worker``, and live until ``close``.
    """

    def __iter__(self) -> _BaseDataLoaderIter:
        """Begin to read, and start the processes that do it if they are not there yet."""
        with _apart_from_signals():
            return super().__iter__()

    def close(self) -> None:
        """End the reading processes; the next iteration would start others."""
        reading, self._iterator = self._iterator, None
        if reading is not None and self.num_workers:
            reading._shutdown_workers()  # type: ignore[attr-defined]  # else it waits for the last reference


def prepare_worker(worker: int) -> None:  # noqa: ARG001 - torch passes its number
    """Keep OpenCV to one thread, since the workers share the cores, and let the process end at once.

    Like one that was forked, it ends without taking its interpreter down: a thread that is handing over a
    batch just then would abort it ("terminate called without an active exception").
    """
    cv2.setNumThreads(1)
    multiprocessing.util.Finalize(None, os._exit, args=(0,), exitpriority=_LAST)


@contextmanager
def _apart_from_signals() -> Iterator[None]:
    """Start processes within the block that Ctrl-C does not reach, and whose end is no signal to this one.

    A terminal sends Ctrl-C to all processes, also to those that are still starting; it is for the parent to
    end them. And torch's loader would raise wherever the program is when one of them dies, in the middle of a
    step or of a checkpoint; without the signal it notices when the next clip is waited for, where nothing is
    lost.
    """
    multiprocessing.resource_tracker.ensure_running()  # whose start would let Ctrl-C through again
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # what is started inherits it
    is_main = threading.current_thread() is threading.main_thread()
    watching = signal.getsignal(signal.SIGCHLD)
    try:
        yield
    finally:
        if is_main:  # only there may handlers be set, and does torch set its own
            signal.signal(signal.SIGCHLD, signal.SIG_DFL if watching is None else watching)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
