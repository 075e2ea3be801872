"""What can go wrong while a test runs, in words: memory, the processes that read clips, other processes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from evaluation.errors import AvaDetectError

_LOST = ("connection closed", "connection reset", "broken pipe", "timed out", "nccl")


@contextmanager
def told_in_words() -> Iterator[None]:
    """Turn what torch raises into an error that says what to do; what was scored is kept by then.

    Raises:
        AvaDetectError: memory is short, or a process is gone.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory() from error
    except RuntimeError as error:
        text = str(error)
        if "can't allocate memory" in text:
            raise _out_of_memory() from error
        if "DataLoader worker" in text:
            raise AvaDetectError(
                "a process that reads clips died, most often for want of memory",
                hint="Set DATA_LOADER.NUM_WORKERS lower, then go on with --resume.",
            ) from error
        if any(word in text.lower() for word in _LOST):
            raise AvaDetectError(
                f"another process of this test is gone ({text.splitlines()[0]})",
                hint="Its own message says why. What is scored has been kept: --resume goes on.",
            ) from error
        raise


def _out_of_memory() -> AvaDetectError:
    return AvaDetectError(
        "out of memory", hint="A smaller --batch or --precision bf16 takes less. Then go on with --resume."
    )
