"""Copies of videos that are quick to read in the middle: smaller pictures, short groups of pictures.

A copy has the same frames at the same times as its original, so that clips are made of the same source frames
(encoded once more). That is checked before a copy gets its name.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from ava_detect.data.jpeg_size import JpegSizes
from ava_detect.data.video_index import build_index
from ava_detect.video.reader import Frame, VideoInfo, VideoReader
from ava_detect.video.writer import FrameKind, VideoWriter
from evaluation.atomic import atomic_path
from evaluation.errors import VideoError

_LOOKS_PER_S = 15  # SAMPLING_RATE 2 at TARGET_FPS 30, and its multiples
_MAX_DISPOSABLE = 15  # between two others; x264 allows 16
_FINEST_TICK = Fraction(1, 1_000_000)  # of the writer; finer clocks are rounded to it
_TIME_TOLERANCE_S = 0.6e-6  # half of that tick; frames nearer than this to a tie are a tie in clips too


class FrameKinds:
    """Chooses what frames of a copy others may depend on: those that clips are made of.

    Clips of the published models take frames 1/15 s or a multiple of it apart, keyframes at whole seconds.
    The frames nearest to these times depend on one another alone; all others are disposable, so that reading
    such a clip decodes hardly more frames than it has. Clips at other times are read, too, by decoding more.

    Args:
        gop: frames from one keyframe to the next, at least; a keyframe is a frame that clips are made of.
    """

    def __init__(self, gop: int) -> None:
        self._gop = gop
        self._since_key = gop
        self._disposable = 0
        self._middle_s = -1.0  # between the last frame and this one

    def of(self, time: float, following: float | None) -> FrameKind:
        """Return the kind of the next frame, shown at ``time``; the one after it at ``following``."""
        before, self._middle_s = self._middle_s, time if following is None else (time + following) / 2
        looked_at = math.floor(self._middle_s * _LOOKS_PER_S) > math.floor(before * _LOOKS_PER_S)
        self._since_key += 1
        if self._since_key > self._gop and (looked_at or time == 0):
            self._since_key = 1
            kind = FrameKind.KEY
        elif looked_at or self._disposable == _MAX_DISPOSABLE:
            kind = FrameKind.REFERENCE
        else:
            kind = FrameKind.DISPOSABLE
        self._disposable = self._disposable + 1 if kind is FrameKind.DISPOSABLE else 0
        return kind


@dataclass(frozen=True)
class CopySettings:
    """How copies are encoded.

    Attributes:
        short_side: pixels; smaller pictures are not enlarged.
        gop: frames from one keyframe to the next, >= 1.
        crf: x264's constant rate factor; 0 is lossless, more is smaller.
    """

    short_side: int = 320
    gop: int = 24
    crf: float = 23


@dataclass(frozen=True)
class VideoCopy:
    """A finished copy.

    Attributes:
        frames: how many.
        duration_s: time of the last frame.
        bytes_before: of the original.
        bytes_after: of the copy.
        jpeg_bytes: what the original would take as 30 extracted frames per second, estimated.
    """

    frames: int
    duration_s: float
    bytes_before: int
    bytes_after: int
    jpeg_bytes: int


def copy_video(source: Path, target: Path, settings: CopySettings) -> VideoCopy:
    """Write a copy of a video; ``target`` appears when it is complete and checked.

    One thread reads and one writes, so that the bytes of the copy do not depend on the machine's cores.

    Raises:
        VideoError: the video cannot be read to its end, or the copy cannot be written.
    """
    with atomic_path(target) as temporary:
        with VideoReader(source, threads=1) as video:
            jpegs = JpegSizes()
            times = _encode(video, temporary, settings, jpegs)
            if video.damage is not None:
                raise VideoError(f"{source}: {video.damage}")
        _check_times(temporary, times, source)
        after = temporary.stat().st_size
    return VideoCopy(len(times), times[-1], source.stat().st_size, after, jpegs.total(times[-1]))


def _encode(video: VideoReader, target: Path, settings: CopySettings, jpegs: JpegSizes) -> list[float]:
    """Write all frames of a video and return their times."""
    width, height = _size(video.info, settings.short_side)
    kinds = FrameKinds(settings.gop)
    times: list[float] = []
    with VideoWriter(
        target,
        fps=video.info.fps,
        time_base=max(video.info.time_base, _FINEST_TICK),
        crf=settings.crf,
        encoder_options=_encoder_options(settings.gop),
        sample_aspect_ratio=video.info.sample_aspect_ratio,
    ) as writer:
        for frame, following in _with_following(video):
            image = frame.image()
            jpegs.look(image, frame.time)
            kind = kinds.of(frame.time, following.time if following is not None else None)
            writer.write(_resized(image, width, height), frame.time, kind)
            times.append(frame.time)
    return times


def _with_following(video: VideoReader) -> Iterator[tuple[Frame, Frame | None]]:
    """Yield every frame with the one after it."""
    frames = iter(video)
    frame = next(frames)
    for following in frames:
        yield frame, following
        frame = following
    yield frame, None


def _encoder_options(gop: int) -> dict[str, str]:
    """Return x264's options for closed groups of pictures that are quick to decode."""
    return {
        "g": str(gop + _MAX_DISPOSABLE),
        "sc_threshold": "0",
        "bf": str(_MAX_DISPOSABLE),
        "b_strategy": "0",
        "b-pyramid": "none",
        "forced-idr": "1",
        "tune": "fastdecode",
        "threads": "1",
    }


def _size(info: VideoInfo, short_side: int) -> tuple[int, int]:
    """Return (width, height) of a copy: even, because 4:2:0 has one colour for two pixels."""
    scale = min(1.0, short_side / min(info.width, info.height))
    width, height = (max(2, 2 * round(side * scale / 2)) for side in (info.width, info.height))
    return width, height


def _resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    if image.shape[:2] == (height, width):
        return image
    # The mean over the pixels that fall together: no aliasing where the picture becomes much smaller.
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _check_times(copy: Path, times: list[float], source: Path) -> None:
    """Make sure that clips of the copy are made of the same frames as those of the original."""
    index = build_index(copy)
    if len(index.times) != len(times) or np.abs(index.times - times).max() > _TIME_TOLERANCE_S:
        raise VideoError(f"{source}: its frame times cannot be kept in a copy (more than 1,000,000 a second)")
