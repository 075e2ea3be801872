"""Ctrl-C once lets the work in hand finish; twice stops at once; afterwards signals work as before."""

import os
import signal

import pytest

from ava_detect.engine.interruption import graceful_interruption


def test_without_a_signal_nothing_is_requested():
    with graceful_interruption() as interruption:
        assert not interruption.requested


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_only_asks(number):
    with graceful_interruption() as interruption:
        os.kill(os.getpid(), number)
        assert interruption.requested


def test_the_second_signal_stops():
    with graceful_interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT)
    with graceful_interruption():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
