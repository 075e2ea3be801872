"""Processes that read clips: Ctrl-C does not reach them, and they end without a word."""

import multiprocessing
import os
import signal

import torch
from torch.utils.data import Dataset

from ava_detect.data.clip_loader import ClipLoader, prepare_worker


class LargeClips(Dataset):
    """Tensors of 16 MB, so that handing one over takes a while."""

    def __getitem__(self, place: int) -> torch.Tensor:
        return torch.full((4_000_000,), float(place))

    def __len__(self) -> int:
        return 20


def loader_of(workers: int) -> ClipLoader:
    """Return a loader that asks processes for three clips each ahead of need."""
    return ClipLoader(
        LargeClips(),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=3,
        persistent_workers=True,
        multiprocessing_context="spawn",
        worker_init_fn=prepare_worker,
    )


def test_reading_processes_survive_ctrl_c_and_end_without_a_word(capfd):
    loader = loader_of(2)
    watching, blocked = signal.getsignal(signal.SIGCHLD), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    clips = iter(loader)
    assert signal.getsignal(signal.SIGCHLD) is watching
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == blocked
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    for worker in workers:
        os.kill(worker.pid, signal.SIGINT)  # while they start, long before any code of ours runs in them
    assert [next(clips)[0].item() for _ in range(2)] == [0, 1]
    for worker in workers:
        os.kill(worker.pid, signal.SIGINT)
    assert next(clips)[0].item() == 2
    loader.close()  # in the middle of handing over the clips that were asked for ahead
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert multiprocessing.active_children() == []
    assert capfd.readouterr().err == ""


def test_loader_begins_again_after_its_end():
    loader = loader_of(1)
    assert next(iter(loader))[0].item() == 0
    loader.close()
    assert next(iter(loader))[0].item() == 0
    loader.close()


def test_loader_without_processes_needs_no_end():
    loader = ClipLoader(LargeClips(), batch_size=None)
    assert next(iter(loader))[0].item() == 0
    loader.close()
    assert multiprocessing.active_children() == []
