"""From a stream of frames to one clip per keyframe, in one forward pass and constant memory.

The road between the reader and the networks: frames arrive once, in order; each is the nearest frame to some
of the wanted instants (the keyframe itself and the T sample times around it). A frame that nobody wants is
never converted; one that is wanted is resized once, however many clips share it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil, inf
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from ava_detect.engine.failure_causes import told_at
from ava_detect.video.clip_sampler import TIE_S

LONGEST_GAP_S = 4.0
"""Keyframes that are further apart have no steps between them, so that memory stays bounded."""


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
class Steps:
    """Small pictures from the keyframe before to a keyframe, both included, for following people.

    Attributes:
        times: [S] presentation times, seconds.
        pictures: S grey pictures [h, w] uint8, at the resolution of the action model.
    """

    times: np.ndarray
    pictures: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class KeyframeClip:
    """One keyframe and the clip around it.

    Attributes:
        time: nominal time on the grid, seconds.
        frame_time, frame_idx: of the frame nearest to ``time``.
        image: [H, W, 3] uint8 BGR, that frame at full resolution.
        frames: [T, h, w, 3] uint8 BGR at the resolution of the action model.
        steps: from the keyframe before to this one; None where nobody asked, or there is none near.
    """

    time: float
    frame_time: float
    frame_idx: int
    image: np.ndarray
    frames: np.ndarray
    steps: Steps | None = None


@contextmanager
def told_at_keyframes(video: Path, clips: Sequence[KeyframeClip]) -> Iterator[None]:
    """Say at which keyframes of a video a network gave up, and what to type.

    Raises:
        AvaDetectError: OpenVINO failed, or memory is short.
    """
    first, last = clips[0].time, clips[-1].time
    place = f"{video} at {first:g} s" if first == last else f"{video} from {first:g} to {last:g} s"
    with told_at(place, less_memory="With a smaller --batch, --resume goes on with what has been kept."):
        yield


def keyframe_clips(
    frames: Iterable[TimedFrame],
    grid: Iterable[float],
    *,
    offsets: np.ndarray,
    resize: Callable[[np.ndarray], np.ndarray],
    step_s: float | None = None,
    before: float | None = None,
) -> Iterator[KeyframeClip]:
    """Yield the clip of every keyframe of ``grid`` that the frames reach.

    A wanted time is given the frame nearest to it, the earlier one if two are equally near. Before the first
    and after the last frame that frame repeats. A keyframe later than the last frame does not exist.

    Args:
        frames: in presentation order, strictly increasing times.
        grid: increasing keyframe times, seconds; may be endless.
        offsets: [T] sample times relative to the keyframe, seconds, increasing.
        resize: full picture [H, W, 3] -> [h, w, 3]; called at most once per frame.
        step_s: distance of the pictures between keyframes, seconds; None for none.
        before: the keyframe before the first of the grid, if there is one: its steps begin there.
    """
    window = _Window(iter(grid), offsets, step_s=step_s, before=before)
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
        self._grey: np.ndarray | None = None

    def full(self) -> np.ndarray:
        if self._full is None:
            self._full = self.frame.image()
        return self._full

    def small(self) -> np.ndarray:
        if self._small is None:
            self._small = self._resize(self.full())
        return self._small

    def grey(self) -> np.ndarray:
        if self._grey is None:
            self._grey = cv2.cvtColor(self.small(), cv2.COLOR_BGR2GRAY)
        return self._grey


@dataclass
class _Pending:
    """A keyframe whose clip is being filled."""

    time: float
    wanted: np.ndarray  # [T] seconds
    step_times: np.ndarray  # [S] seconds; empty: no steps
    frames: list[np.ndarray] = field(default_factory=list)
    steps: list[tuple[float, np.ndarray]] = field(default_factory=list)
    key: TimedFrame | None = None
    image: np.ndarray | None = None

    @property
    def begin(self) -> float:
        """When the first of what it needs is shown, seconds."""
        return min(self.time, *self.wanted[:1], *self.step_times[:1])

    def take(self, picture: _Picture, until: float) -> None:
        """Take ``picture`` for every wanted time up to ``until``."""
        while len(self.frames) < len(self.wanted) and self.wanted[len(self.frames)] <= until:
            self.frames.append(picture.small())
        while len(self.steps) < len(self.step_times) and self.step_times[len(self.steps)] <= until:
            self.steps.append((picture.frame.time, picture.grey()))
        if self.key is None and self.time <= until:
            self.key, self.image = picture.frame, picture.full()

    def clip(self) -> KeyframeClip | None:
        """Return the finished clip, or None while something is missing."""
        missing = len(self.frames) < len(self.wanted) or len(self.steps) < len(self.step_times)
        if self.key is None or self.image is None or missing:
            return None
        return KeyframeClip(
            self.time, self.key.time, self.key.idx, self.image, np.stack(self.frames), self._distinct_steps()
        )

    def _distinct_steps(self) -> Steps | None:
        """Return the steps, each frame once: a video may have fewer frames than steps."""
        if not self.steps:
            return None
        times = np.array([time for time, _ in self.steps])
        kept = np.flatnonzero(np.diff(times, prepend=-inf) > 0)
        return Steps(times[kept], tuple(self.steps[place][1] for place in kept))


class _Window:
    """The keyframes whose clips overlap the present frame, oldest first."""

    def __init__(
        self, grid: Iterator[float], offsets: np.ndarray, *, step_s: float | None, before: float | None
    ) -> None:
        self._grid, self._offsets, self._step_s = grid, offsets, step_s
        self._pending: deque[_Pending] = deque()
        self._coming = self._next_pending(before)

    def _next_pending(self, before: float | None) -> _Pending | None:
        """Return the next keyframe of the grid, with the times of what it needs."""
        time = next(self._grid, None)
        if time is None:
            return None
        return _Pending(time, time + self._offsets, self._step_times(before, time))

    def _step_times(self, before: float | None, time: float) -> np.ndarray:
        if self._step_s is None or before is None or time - before > LONGEST_GAP_S:
            return np.zeros(0)
        return np.linspace(before, time, 1 + max(1, ceil((time - before) / self._step_s - TIE_S)))

    def advance(self, picture: _Picture, *, until: float, last_time: float = inf) -> Iterator[KeyframeClip]:
        """Give ``picture`` to all wanted times up to ``until``; yield the clips that are complete.

        ``last_time`` is the time of the stream's last frame, once it is known.
        """
        for pending in self._pending:
            if pending.time <= last_time:
                pending.take(picture, until)
        yield from self._complete()
        while (coming := self._coming) is not None and coming.begin <= until and coming.time <= last_time:
            coming.take(picture, until)
            self._pending.append(coming)
            yield from self._complete()
            self._coming = self._next_pending(coming.time)

    def _complete(self) -> Iterator[KeyframeClip]:
        """Yield and forget the oldest keyframes as long as their clips are complete."""
        while self._pending and (clip := self._pending[0].clip()) is not None:
            self._pending.popleft()
            yield clip
