"""Processes of one attempt find each other in a store that earlier attempts have written to."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from torch.distributed import HashStore, Store

from ava_detect.engine.meeting import fresh_store

PATIENCE = timedelta(seconds=20)


def meet(store: Store, world: int) -> list[Store]:
    with ThreadPoolExecutor(world) as pool:
        ranks = [
            pool.submit(fresh_store, store, rank=rank, world=world, patience=PATIENCE)
            for rank in reversed(range(world))
        ]
        return [future.result() for future in ranks]


@pytest.mark.parametrize("world", [1, 2, 5])
def test_all_meet_in_one_place(world: int):
    stores = meet(HashStore(), world)
    stores[0].set("key", "value")
    assert [store.get("key") for store in stores] == [b"value"] * world


def test_what_an_earlier_attempt_left_is_not_seen():
    store = HashStore()
    for earlier in meet(store, 3):
        earlier.set("address", "of a dead process")
    assert not any(each.check(["address"]) for each in meet(store, 3))


def test_a_process_that_died_on_the_way_is_not_waited_for():
    store = HashStore()
    with pytest.raises(TimeoutError, match="did not come"):  # showed its token, and nobody answered
        fresh_store(store, rank=2, world=3, patience=timedelta(seconds=0.1))
    stores = meet(store, 3)
    stores[2].set("key", "value")
    assert stores[0].get("key") == b"value"
