"""Several processes and one error; what torch raises, in words."""

from dataclasses import dataclass, field

import pytest
import torch

from ava_detect.engine.in_turn import FailedInFirstError, first_does, first_then_others
from ava_detect.engine.testing.failures import told_in_words
from evaluation.errors import AvaDetectError, UsageError


@dataclass
class Pair:
    """Two processes, one after the other: what the first gave is what the second is told."""

    is_first: bool = True
    world: int = 2
    told: list = field(default_factory=list)

    def from_first(self, mine):
        if self.is_first:
            self.told.append(mine)
        return self.told.pop(0) if not self.is_first else mine

    def second(self) -> "Pair":
        return Pair(is_first=False, told=self.told)


def refuse():
    raise UsageError("no such thing", hint="another")


def test_what_the_first_did_everybody_has():
    first = Pair()
    assert first_does(first, lambda: 7) == 7
    assert first_does(first.second(), refuse) == 7  # the second does not do it


def test_an_error_of_the_first_is_everybodys_and_told_once():
    first = Pair()
    with pytest.raises(UsageError, match="no such thing"):
        first_does(first, refuse)
    with pytest.raises(FailedInFirstError, match="no such thing") as caught:
        first_does(first.second(), lambda: 7)
    assert (caught.value.exit_code, caught.value.hint) == (UsageError.exit_code, "another")


def test_the_others_begin_when_the_first_is_done_and_not_if_it_failed():
    first, done = Pair(), []
    assert first_then_others(first, lambda: done.append("first") or "a") == "a"
    assert first_then_others(first.second(), lambda: done.append("second") or "b") == "b"
    assert done == ["first", "second"]
    with pytest.raises(UsageError):
        first_then_others(first, refuse)
    with pytest.raises(FailedInFirstError):
        first_then_others(first.second(), lambda: done.append("never"))
    assert done == ["first", "second"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "out of memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "out of memory"),
        (
            RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."),
            "a process that reads clips died",
        ),
        (RuntimeError("Connection closed by peer [::1]:29500"), "another process of this test is gone"),
    ],
)
def test_what_happens_on_the_way_is_told_with_what_to_do(error, message):
    with pytest.raises(AvaDetectError, match=message) as caught, told_in_words():
        raise error
    assert "--resume" in caught.value.hint


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shape mismatch"), told_in_words():
        raise RuntimeError("shape mismatch")
