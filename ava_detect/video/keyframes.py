"""The times of keyframes: a regular grid, exact however long the video is."""

from collections.abc import Iterator
from fractions import Fraction


class KeyframeGrid:
    """Keyframes at ``start + k * every``, k = 0, 1, 2, ...; each is rounded once, errors do not add up.

    Decimal numbers mean what they say: ``every=0.1`` gives 0.3, not 0.30000000000000004.

    Args:
        every: seconds from one keyframe to the next.
        start: seconds, time of the first keyframe.
        end: no keyframe is later than this; ``None`` for as long as the video lasts.

    Raises:
        ValueError: ``every`` is not positive, ``start`` negative, or a number is not finite.
    """

    def __init__(self, every: float = 1.0, *, start: float = 0.0, end: float | None = None) -> None:
        self.every = _exact(every, "every")
        self.start = _exact(start, "start")
        self.end = None if end is None else _exact(end, "end")
        if self.every <= 0:
            raise ValueError(f"every is {every}; keyframes need a positive distance")
        if self.start < 0:
            raise ValueError(f"start is {start}; a video begins at 0")

    def __iter__(self) -> Iterator[float]:
        """Yield keyframe times in order; without ``end``, for ever."""
        k = 0
        while self.end is None or self.start + k * self.every <= self.end:
            yield float(self.start + k * self.every)
            k += 1

    def up_to(self, last_frame_s: float) -> list[float]:
        """Return the keyframes of a video whose last frame is shown at ``last_frame_s`` seconds."""
        times = []
        for time in self:
            if time > last_frame_s:
                break
            times.append(time)
        return times


def _exact(number: float, name: str) -> Fraction:
    """Read a float as the decimal number that it is printed as."""
    try:
        return Fraction(repr(float(number)))
    except ValueError:  # repr is "nan" or "inf"
        raise ValueError(f"{name} is {number}; a finite number of seconds is expected") from None
