"""The test set cut into batches, and the batches divided among processes.

Where the batches are cut depends on the keyframes alone: not on how many processes there are, nor on what an
interrupted run has done before. So every clip is computed beside the same others, and its scores are the
same bits, in whatever way the work is divided.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from torch.utils.data import Sampler

from ava_detect.data.annotations import Annotations
from ava_detect.engine.testing.views import ViewKey


def cut_batches(annotations: Annotations, batch_size: int) -> list[range]:
    """Cut the keyframes, in order, into batches within one video; clips of one video have one size.

    Args:
        annotations: F keyframes.
        batch_size: keyframes per batch, at most.
    """
    videos = annotations.videos
    borders = [0, *(np.flatnonzero(videos[1:] != videos[:-1]) + 1).tolist(), len(videos)]
    return [
        range(start, min(start + batch_size, after))
        for before, after in pairwise(borders)
        for start in range(before, after, batch_size)
    ]


def share_of(batches: Sequence[range], *, rank: int, world: int) -> list[range]:
    """Return one process's batches: neighbours, so that it reads few videos, and equally many keyframes.

    Over all ranks every batch is given out exactly once.
    """
    ends = np.cumsum([0, *map(len, batches)])
    owner = (ends[:-1] + ends[1:]) * world // (2 * max(1, ends[-1]))  # where the batch's middle lies
    return [batch for batch, its_owner in zip(batches, owner.tolist(), strict=True) if its_owner == rank]


class ViewedBatches(Sampler[list[ViewKey]]):
    """Every batch once in every view, the views of a batch one after the other.

    Args:
        batches: places in the annotations.
        num_views: of the test set.
    """

    def __init__(self, batches: Sequence[range], num_views: int) -> None:
        self._batches, self._num_views = batches, num_views

    def __len__(self) -> int:
        return len(self._batches) * self._num_views

    def __iter__(self) -> Iterator[list[ViewKey]]:
        for batch in self._batches:
            for view in range(self._num_views):
                yield [ViewKey(view, place) for place in batch]
