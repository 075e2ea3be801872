"""What lies behind a network's failure: OpenVINO, memory, a process that reads clips, another process."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

import torch

from ava_detect.acceleration.openvino_network import OpenVinoError
from evaluation.errors import AvaDetectError

_LOST = ("connection closed", "connection reset", "connection refused", "broken pipe", "timed out", "nccl")


class Cause(Enum):
    """Why torch gave up."""

    MEMORY = auto()
    READER = auto()
    PEER = auto()


def cause_of(error: Exception) -> Cause | None:
    """Return the cause, as far as the exception's type and torch's words tell it; None: something else."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return Cause.MEMORY
    if not isinstance(error, RuntimeError):
        return None
    text = str(error)
    if "DataLoader worker" in text:
        return Cause.READER
    if "can't allocate memory" in text:
        return Cause.MEMORY
    return Cause.PEER if any(word in text.lower() for word in _LOST) else None


@contextmanager
def told_at(place: str, *, less_memory: str = "") -> Iterator[None]:
    """Say where a network gave up, and what to type, in a run that ``--resume`` goes on with.

    Args:
        place: the keyframes that it was at.
        less_memory: the hint where memory is short; "" leaves that case to the caller.

    Raises:
        AvaDetectError: OpenVINO failed, or memory is short.
    """
    try:
        yield
    except OpenVinoError as error:
        hint = f"{error.hint} --resume goes on with what has been kept."
        raise AvaDetectError(f"{place}: {error}", hint=hint) from error
    except (RuntimeError, MemoryError) as error:
        if not less_memory or cause_of(error) is not Cause.MEMORY:
            raise
        raise AvaDetectError(f"{place}: out of memory", hint=less_memory) from error
