"""How a test set is cut into batches and divided among processes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ava_detect.data.annotations import Annotations
from ava_detect.engine.testing.batches import ViewedBatches, cut_batches, share_of


def annotations_of(lengths: list[int]) -> Annotations:
    """Return videos of so many keyframes, one box each."""
    count = sum(lengths)
    return Annotations(
        class_ids=(1,),
        video_names=tuple(f"v{video}" for video in range(len(lengths))),
        videos=np.repeat(np.arange(len(lengths)), lengths),
        seconds=np.arange(count, dtype=float),
        starts=np.arange(count + 1),
        boxes=np.zeros((count, 4)),
        labels=np.zeros((count, 1), np.uint8),
        scores=np.ones(count),
    )


def test_nothing_is_cut_into_no_batches():
    assert cut_batches(annotations_of([]), 4) == []
    assert share_of([], rank=0, world=3) == []


def test_a_batch_ends_with_its_video():
    batches = cut_batches(annotations_of([5, 1, 2]), 2)
    assert batches == [range(0, 2), range(2, 4), range(4, 5), range(5, 6), range(6, 8)]


@given(st.lists(st.integers(1, 9), max_size=8), st.integers(1, 5), st.integers(1, 7))
def test_every_keyframe_falls_to_exactly_one_process_in_order(lengths, batch_size, world):
    batches = cut_batches(annotations_of(lengths), batch_size)
    shares = [share_of(batches, rank=rank, world=world) for rank in range(world)]
    assert [batch for share in shares for batch in share] == batches
    assert [place for batch in batches for place in batch] == list(range(sum(lengths)))
    sizes = [sum(map(len, share)) for share in shares]
    assert max(sizes) - min(sizes) <= 2 * batch_size


def test_the_views_of_a_batch_follow_each_other():
    keys = list(ViewedBatches([range(0, 2), range(2, 3)], 2))
    assert [[tuple(key) for key in batch] for batch in keys] == [
        [(0, 0), (0, 1)], [(1, 0), (1, 1)], [(0, 2)], [(1, 2)]
    ]  # fmt: skip
    assert len(ViewedBatches([range(0, 2), range(2, 3)], 2)) == 4
