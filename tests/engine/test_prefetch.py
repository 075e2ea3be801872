"""The producer thread: order, errors, bounds, and that it ends when its consumer leaves."""

import time

import pytest

from ava_detect.engine.prefetch import prefetch


def test_nothing_comes_out_of_nothing():
    assert list(prefetch([], depth=1)) == []


def test_items_keep_their_order():
    assert list(prefetch(range(100), depth=3)) == list(range(100))


def test_an_error_arrives_after_the_items_before_it():
    def produce():
        yield 1
        raise ValueError("broken here")

    items = prefetch(produce(), depth=5)
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken here"):
        next(items)


def test_the_producer_is_never_more_than_depth_ahead():
    made = []

    def produce():
        for k in range(20):
            made.append(k)
            yield k

    items = prefetch(produce(), depth=2)
    next(items)
    time.sleep(0.3)
    assert len(made) <= 4  # one taken, two queued, one in the producer's hand
    items.close()


def test_leaving_early_stops_the_producer_and_closes_it():
    closed = []

    def produce():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    items = prefetch(produce(), depth=1)
    next(items)
    items.close()
    assert closed == [True]
