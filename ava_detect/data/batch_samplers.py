"""Which clips make up which batch of which process.

Training: every process makes the same permutation and takes its own part of every batch, so that two
processes with half a batch each see what one process with the whole batch sees. Testing: every keyframe
exactly once, whatever the number of processes; nothing is repeated to fill up.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from torch.utils.data import Sampler

from ava_detect.data.annotations import Annotations
from ava_detect.data.clip_dataset import ClipKey
from evaluation.errors import DataError


class TrainingBatches(Sampler[list[ClipKey]]):
    """Batches of one epoch in random order; the last, incomplete one is left out.

    Set ``epoch`` before iterating, and ``start`` to go on in the middle of one.

    Args:
        count: keyframes in all.
        batch_size: clips per batch over all processes.
        seed: of the order.
        rank, world: which of how many processes this is.

    Attributes:
        epoch: decides the order, and what chance does to the clips.
        start: batches of this epoch that are done.

    Raises:
        DataError: there are fewer keyframes than a batch holds.
        ValueError: the batch cannot be divided among the processes.
    """

    def __init__(self, count: int, batch_size: int, *, seed: int = 0, rank: int = 0, world: int = 1) -> None:
        _check_rank(rank, world)
        if batch_size % world:
            raise ValueError(f"a batch of {batch_size} clips cannot be divided among {world} processes")
        if count < batch_size:
            raise DataError(
                f"{count} keyframes for training are fewer than a batch of {batch_size}",
                hint=f"Set TRAIN.BATCH_SIZE to {count} or less",
            )
        self._count, self._batch_size, self._seed = count, batch_size, seed
        self._rank, self._world = rank, world
        self.epoch, self.start = 0, 0

    def __len__(self) -> int:
        """Return the batches of a whole epoch, the same for every process."""
        return self._count // self._batch_size

    def __iter__(self) -> Iterator[list[ClipKey]]:
        order = np.random.default_rng((self._seed, self.epoch)).permutation(self._count)
        part = self._batch_size // self._world
        for batch in range(self.start, len(self)):
            first = batch * self._batch_size + self._rank * part
            yield [ClipKey(self.epoch, int(index)) for index in order[first : first + part]]


class EvaluationBatches(Sampler[list[ClipKey]]):
    """All keyframes in order, this process's share; no batch holds clips of two videos.

    Clips of one video have one size and lie near each other in its file.

    Args:
        annotations: the keyframes.
        batch_size: clips per batch of one process, at most.
        rank, world: which of how many processes this is.
    """

    def __init__(self, annotations: Annotations, batch_size: int, *, rank: int = 0, world: int = 1) -> None:
        _check_rank(rank, world)
        if batch_size < 1:
            raise ValueError(f"a batch of {batch_size} clips; expected at least one")
        first, end = (len(annotations) * part // world for part in (rank, rank + 1))
        videos = annotations.videos[first:end]
        borders = [0, *(np.flatnonzero(videos[1:] != videos[:-1]) + 1).tolist(), len(videos)]
        self._batches = [
            range(first + start, first + min(start + batch_size, after))
            for before, after in pairwise(borders)
            for start in range(before, after, batch_size)
        ]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[ClipKey]]:
        for batch in self._batches:
            yield [ClipKey(0, index) for index in batch]


def _check_rank(rank: int, world: int) -> None:
    if not 0 <= rank < world:
        raise ValueError(f"process {rank} of {world}: expected 0 to {world - 1}")
