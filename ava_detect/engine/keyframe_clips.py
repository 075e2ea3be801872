"""From a stream of frames to one clip per keyframe, in one forward pass and constant memory.

The road between the reader and the networks: frames arrive once, in order; each is the nearest frame to some
of the wanted instants (the keyframe itself and the T sample times around it). A frame that nobody wants is
never converted; one that is wanted is resized once, however many clips share it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

import numpy as np

from ava_detect.video.clip_sampler import TIE_S


class TimedFrame(Protocol):
    """What is needed of a frame; ``ava_detect.video.reader.Frame`` is one."""

    @property
    def time(self) -> float:
        """Presentation time, seconds."""

    @property
    def idx(self) -> int:
        """Position in presentation order."""

    def image(self) -> np.ndarray:
        """The picture: [H, W, 3] uint8, BGR."""


@dataclass(frozen=True)
class KeyframeClip:
    """One keyframe and the clip around it.

    Attributes:
        time: nominal time on the grid, seconds.
        frame_time, frame_idx: of the frame nearest to ``time``.
        image: [H, W, 3] uint8 BGR, that frame at full resolution.
        frames: [T, h, w, 3] uint8 BGR at the resolution of the action model.
    """

    time: float
    frame_time: float
    frame_idx: int
    image: np.ndarray
    frames: np.ndarray


def keyframe_clips(
    frames: Iterable[TimedFrame],
    grid: Iterable[float],
    *,
    offsets: np.ndarray,
    resize: Callable[[np.ndarray], np.ndarray],
) -> Iterator[KeyframeClip]:
    """Yield the clip of every keyframe of ``grid`` that the frames reach.

    A wanted time is given the frame nearest to it, the earlier one if two are equally near. Before the first
    and after the last frame that frame repeats. A keyframe later than the last frame does not exist.

    Args:
        frames: in presentation order, strictly increasing times.
        grid: increasing keyframe times, seconds; may be endless.
        offsets: [T] sample times relative to the keyframe, seconds, increasing.
        resize: full picture [H, W, 3] -> [h, w, 3]; called at most once per frame.
    """
    window = _Window(iter(grid), offsets)
    current: TimedFrame | None = None
    for following in frames:
        if current is not None:
            middle = (current.time + following.time + TIE_S) / 2  # a tie goes to the earlier frame
            yield from window.advance(_Picture(current, resize), until=middle)
        current = following
    if current is not None:
        yield from window.advance(_Picture(current, resize), until=inf, last_time=current.time)


class _Picture:
    """A frame whose full and resized pictures are made when first asked for."""

    def __init__(self, frame: TimedFrame, resize: Callable[[np.ndarray], np.ndarray]) -> None:
        self.frame, self._resize = frame, resize
        self._full: np.ndarray | None = None
        self._small: np.ndarray | None = None

    def full(self) -> np.ndarray:
        if self._full is None:
            self._full = self.frame.image()
        return self._full

    def small(self) -> np.ndarray:
        if self._small is None:
            self._small = self._resize(self.full())
        return self._small


@dataclass
class _Pending:
    """A keyframe whose clip is being filled."""

    time: float
    wanted: np.ndarray  # [T] seconds
    frames: list[np.ndarray] = field(default_factory=list)
    key: TimedFrame | None = None
    image: np.ndarray | None = None

    def take(self, picture: _Picture, until: float) -> None:
        """Take ``picture`` for every wanted time up to ``until``."""
        while len(self.frames) < len(self.wanted) and self.wanted[len(self.frames)] <= until:
            self.frames.append(picture.small())
        if self.key is None and self.time <= until:
            self.key, self.image = picture.frame, picture.full()

    def clip(self) -> KeyframeClip | None:
        """Return the finished clip, or None while something is missing."""
        if self.key is None or self.image is None or len(self.frames) < len(self.wanted):
            return None
        return KeyframeClip(self.time, self.key.time, self.key.idx, self.image, np.stack(self.frames))


class _Window:
    """The keyframes whose clips overlap the present frame, oldest first."""

    def __init__(self, grid: Iterator[float], offsets: np.ndarray) -> None:
        self._grid, self._offsets = grid, offsets
        self._reach_back = min(0.0, float(offsets[0]))
        self._pending: deque[_Pending] = deque()
        self._next = next(grid, inf)

    def advance(self, picture: _Picture, *, until: float, last_time: float = inf) -> Iterator[KeyframeClip]:
        """Give ``picture`` to all wanted times up to ``until``; yield the clips that are complete.

        ``last_time`` is the time of the stream's last frame, once it is known.
        """
        for pending in self._pending:
            if pending.time <= last_time:
                pending.take(picture, until)
        yield from self._complete()
        while self._next + self._reach_back <= until and self._next <= last_time:
            pending = _Pending(self._next, self._next + self._offsets)
            pending.take(picture, until)
            self._pending.append(pending)
            yield from self._complete()
            self._next = next(self._grid, inf)

    def _complete(self) -> Iterator[KeyframeClip]:
        """Yield and forget the oldest keyframes as long as their clips are complete."""
        while self._pending and (clip := self._pending[0].clip()) is not None:
            self._pending.popleft()
            yield clip
