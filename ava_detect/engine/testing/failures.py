"""What can go wrong while a test runs, in words: memory, the processes that read clips, other processes."""

from collections.abc import Iterator
from contextlib import contextmanager

from ava_detect.engine.failure_causes import Cause, cause_of
from evaluation.errors import AvaDetectError


@contextmanager
def told_in_words() -> Iterator[None]:
    """Turn what torch raises into an error that says what to do; what was scored is kept by then.

    Raises:
        AvaDetectError: memory is short, or a process is gone.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        match cause_of(error):
            case Cause.MEMORY:
                raise AvaDetectError(
                    "out of memory",
                    hint="What is scored has been kept: --resume goes on where there is more memory.\n"
                    "Begun anew, with --overwrite, a smaller --batch or --precision bf16 takes less.",
                ) from error
            case Cause.READER:
                raise AvaDetectError(
                    "a process that reads clips died, most often for want of memory",
                    hint="Set DATA_LOADER.NUM_WORKERS lower, then go on with --resume.",
                ) from error
            case Cause.PEER:
                raise AvaDetectError(
                    f"another process of this test is gone ({str(error).splitlines()[0]})",
                    hint="Its own message says why. What is scored has been kept: --resume goes on.",
                ) from error
        raise
