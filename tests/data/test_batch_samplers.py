"""Which clips go into which batch of which process."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ava_detect.data.annotations import Annotations
from ava_detect.data.batch_samplers import EvaluationBatches, TrainingBatches
from evaluation.errors import DataError


def _annotations(videos: list[int]) -> Annotations:
    """Return one keyframe with one box for every entry."""
    count = len(videos)
    return Annotations(
        class_ids=(1,),
        video_names=tuple(f"v{video}" for video in range(max(videos, default=0) + 1)),
        videos=np.array(videos, np.int64),
        seconds=np.arange(count, dtype=float),
        starts=np.arange(count + 1),
        boxes=np.zeros((count, 4)),
        labels=np.zeros((count, 1), np.uint8),
        scores=np.ones(count),
    )


@given(count=st.integers(1, 60), part=st.integers(1, 4), world=st.integers(1, 4), epoch=st.integers(0, 3))
def test_processes_share_the_batches_of_one(count: int, part: int, world: int, epoch: int):
    size = part * world
    if count < size:
        return
    alone = TrainingBatches(count, size, seed=7)
    shared = [TrainingBatches(count, size, seed=7, rank=rank, world=world) for rank in range(world)]
    for sampler in (alone, *shared):
        sampler.epoch = epoch
    together = [[key for part in parts for key in part] for parts in zip(*shared, strict=True)]
    assert together == list(alone)
    assert len(alone) == len(together) == count // size
    places = [key.place for batch in together for key in batch]
    assert len(set(places)) == len(places)
    assert {key.epoch for batch in together for key in batch} == {epoch}


def test_epochs_differ_and_an_epoch_can_be_continued():
    sampler = TrainingBatches(20, 4, seed=1)
    first = list(sampler)
    sampler.start = 3
    assert list(sampler) == first[3:]
    sampler.epoch, sampler.start = 1, 0
    assert [key.place for key in next(iter(sampler))] != [key.place for key in first[0]]


def test_too_few_keyframes_for_a_batch_are_refused():
    with pytest.raises(DataError, match="3 keyframes for training are fewer than a batch of 4"):
        TrainingBatches(3, 4)
    with pytest.raises(ValueError, match="a batch of 5 clips cannot be divided among 2"):
        TrainingBatches(20, 5, world=2)
    with pytest.raises(ValueError, match="process 2 of 2"):
        TrainingBatches(20, 4, rank=2, world=2)


def test_no_keyframes_give_no_batches():
    assert list(EvaluationBatches(_annotations([]), 3)) == []
    with pytest.raises(ValueError, match="a batch of 0 clips"):
        EvaluationBatches(_annotations([0]), 0)


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    size=st.integers(1, 5),
    world=st.integers(1, 5),
)
def test_every_keyframe_is_in_one_batch_of_one_process(lengths: list[int], size: int, world: int):
    videos = [video for video, length in enumerate(lengths) for _ in range(length)]
    annotations = _annotations(videos)
    batches = [
        [key.place for key in batch]
        for rank in range(world)
        for batch in EvaluationBatches(annotations, size, rank=rank, world=world)
    ]
    assert [place for batch in batches for place in batch] == list(range(len(videos)))
    assert all(1 <= len(batch) <= size and len({videos[place] for place in batch}) == 1 for batch in batches)
