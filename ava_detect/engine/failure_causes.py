"""What lies behind an exception of torch's: memory, a process that reads clips, another process."""

from enum import Enum, auto

import torch

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
