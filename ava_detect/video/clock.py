"""Turn the timestamps of decoded frames into times that always increase.

Timestamps come from files, so they can be missing, equal, backwards, or jump by years. Every frame gets a
time all the same. Where timestamps are sound, times are exact: the difference to the origin in units of the
stream's time base, converted to float once.
"""

from fractions import Fraction

FALLBACK_FPS = Fraction(25)
MAX_GAP_S = 3600.0  # a longer pause between two frames is a broken timestamp, not a pause
RESTART_S = 0.5  # a step back of more than this is a clock that was restarted, less is disorder


class FrameClock:
    """Times of frames in presentation order, in seconds from ``origin``; strictly increasing.

    - A frame without a timestamp follows its predecessor by ``step_s``: frame ``i`` is at ``i * step_s`` if
      none has one.
    - A timestamp equal to its predecessor's, or less than ``RESTART_S`` before it, puts the frame half a step
      after the predecessor, so that the true timestamps take over again as soon as they are later.
    - A step back by more, or forward by more than ``MAX_GAP_S``, is a clock that was restarted (joined
      recordings, a hostile file): the frame follows by ``step_s`` and later timestamps count from there.

    Args:
        time_base: seconds per timestamp unit.
        origin: the timestamp of t = 0; ``None`` takes the first frame's.
        step_s: nominal seconds between frames, > 0.

    Attributes:
        odd: number of frames whose timestamp was missing or not believed.
    """

    def __init__(self, time_base: Fraction, origin: int | None, step_s: Fraction) -> None:
        self._time_base = time_base
        self._origin = origin
        self._step_s = step_s
        self._shift_s = Fraction(0)
        self._last_s: Fraction | None = None
        self.odd = 0

    def time_of(self, pts: int | None) -> float:
        """Return the time of the next frame in presentation order."""
        if self._last_s is None:
            self._last_s = self._first(pts)
        else:
            self._last_s = self._next(pts, self._last_s)
        return float(self._last_s)

    def _first(self, pts: int | None) -> Fraction:
        if pts is None:
            self.odd += 1
            return Fraction(0)
        if self._origin is None or not 0 <= (pts - self._origin) * self._time_base <= MAX_GAP_S:
            self._origin = pts
        return (pts - self._origin) * self._time_base

    def _next(self, pts: int | None, last_s: Fraction) -> Fraction:
        if pts is None:
            self.odd += 1
            return last_s + self._step_s
        if self._origin is None:  # the first frames had no timestamps, this one has: it follows the last
            self._origin = pts
            self._shift_s = last_s + self._step_s
        time_s = (pts - self._origin) * self._time_base + self._shift_s
        if last_s < time_s <= last_s + Fraction(MAX_GAP_S):
            return time_s
        self.odd += 1
        if last_s - Fraction(RESTART_S) < time_s <= last_s:
            return last_s + self._step_s / 2
        self._shift_s += last_s + self._step_s - time_s
        return last_s + self._step_s


def nominal_step(rate: Fraction | None) -> Fraction:
    """Return seconds between frames at a stated rate, or at ``FALLBACK_FPS`` if it is absent or absurd."""
    return 1 / (rate if rate is not None and plausible_rate(rate) else FALLBACK_FPS)


def plausible_rate(rate: Fraction) -> bool:
    """Tell whether a stated rate can be a frame rate; containers also put their tick rate (90000) there."""
    return Fraction(1, 600) <= rate <= 1000
