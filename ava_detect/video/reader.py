"""Read a video file once, forwards: every frame with its exact presentation time.

This is the only road by which videos enter the pipeline. Times come from the file's timestamps (never from a
frame counter that assumes a rate), pictures stand upright, and a damaged or truncated file gives all frames
up to the damage and says where that is. Which odd files do what is listed in docs/video.md.
"""

import itertools
import logging
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ava_detect.video.clock import FrameClock, nominal_step, plausible_rate
from ava_detect.video.completeness import missing_bytes
from ava_detect.video.decoder import FrameDecoder
from ava_detect.video.pixels import BgrConverter, Deinterlacer, clockwise_rotation
from ava_detect.video.source import IMAGE_FORMATS, MAX_PIXELS, check_size, find_video_stream, open_container
from evaluation.errors import VideoError

logger = logging.getLogger(__name__)

# Matroska, written by FFmpeg and mkvmerge: 00:00:10.010000000
_DURATION_TAG = re.compile(r"(\d{1,6}):(\d\d):(\d\d(?:\.\d{1,12})?)", re.ASCII)
_INDEX_LOOK = 2000  # index entries examined for a variable rate


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video when its first frame has been decoded.

    Attributes:
        path: the file, as given.
        container: FFmpeg's name of the container format, for example ``"matroska,webm"``.
        codec: for example ``"h264"``.
        pix_fmt: of the stored frames, for example ``"yuv420p10le"``.
        width: pixels of the upright picture; anamorphic pixels are not stretched.
        height: pixels of the upright picture.
        rotation: degrees clockwise by which the stored picture is turned: 0, 90, 180 or 270.
        sample_aspect_ratio: width / height of one pixel of the upright picture; 1 where not stated.
        fps: the stated average rate; ``None`` when absent or absurd. For show; no time is made of it.
        variable_rate: whether frames are unevenly spaced; ``None`` when the file's index does not tell.
        duration_s: stated length of the video stream; ``None`` when absent.
        time_base: seconds per unit of the file's timestamps.
        start_s: time of t = 0 on the container's clock, which the sound shares; 0 without timestamps.
        has_audio: whether there is a sound stream.
        interlaced: whether the first frame is interlaced (frames are deinterlaced).
    """

    path: Path
    container: str
    codec: str
    pix_fmt: str
    width: int
    height: int
    rotation: int
    sample_aspect_ratio: Fraction
    fps: Fraction | None
    variable_rate: bool | None
    duration_s: float | None
    time_base: Fraction
    start_s: float
    has_audio: bool
    interlaced: bool


@dataclass(frozen=True)
class Frame:
    """One frame of a video; its pixels are converted when they are asked for.

    Attributes:
        time: presentation time, seconds from the video stream's first frame.
        idx: position in presentation order, from 0.
    """

    time: float
    idx: int
    _decoded: VideoFrame = field(repr=False, compare=False)
    _to_bgr: Callable[[VideoFrame], np.ndarray] = field(repr=False, compare=False)

    def image(self) -> np.ndarray:
        """Convert to [H, W, 3] uint8, BGR, upright. A new array at every call; nothing is kept."""
        return self._to_bgr(self._decoded)


@dataclass(frozen=True)
class Damage:
    """Where and why a video ended before its end.

    Attributes:
        time: presentation time of the last good frame, seconds.
        reason: what was found.
    """

    time: float
    reason: str

    def __str__(self) -> str:
        minutes, tenths = divmod(int(self.time * 10), 600)
        hours, minutes = divmod(minutes, 60)
        clock = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
        return f"damaged after {clock}:{tenths / 10:04.1f} ({self.reason})"


class VideoReader:
    """Iterates once over the frames of a video file; a context manager.

    Opening decodes the first frame, so that ``info`` is certain and a file without a single good frame is
    refused at once. Memory does not depend on the length of the video.

    Args:
        path: a local video file.
        threads: decoding threads; 0 lets FFmpeg choose.

    Attributes:
        info: facts about the video.
        damage: after the iteration, where and why the video ended early; ``None`` when it is whole.

    Raises:
        VideoError: the file is missing, is no video, or holds no frame that can be decoded.
    """

    def __init__(self, path: str | Path, *, threads: int = 0) -> None:
        self.path = Path(path)
        self.damage: Damage | None = None
        self._container = open_container(self.path)
        try:
            self._stream = find_video_stream(self._container, self.path)
            self._time_base = self._stream.time_base or Fraction(1, 1000)
            context = self._stream.codec_context
            context.thread_type = "AUTO"
            context.thread_count = threads
            context.options = {**context.options, "max_pixels": str(MAX_PIXELS)}
            self._decoder = FrameDecoder(self._container, self._stream)
            self._decoded = iter(self._decoder)
            self._first, *self._further = self._opening_frames()
            self.info = self._describe(self._first)
        except BaseException:
            self._container.close()
            raise
        self._started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Frames that are already out stay valid."""
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in presentation order; once."""
        if self._started:
            raise ValueError(f"{self.path}: a VideoReader is read once; open another one")
        self._started = True
        return self._frames()

    def _frames(self) -> Iterator[Frame]:
        step_s = nominal_step(self.info.fps)
        clock = FrameClock(self._time_base, self._origin(), step_s)
        to_bgr = BgrConverter(self._first.width, self._first.height)
        last_s = 0.0
        for idx, (time, decoded) in enumerate(self._timed(clock)):
            last_s = time
            yield Frame(time, idx, decoded, to_bgr)
        self._note_odd_times(clock)
        reason = self._decoder.damage or self._early_end(last_s, float(step_s))
        if reason is not None:
            self.damage = Damage(last_s, reason)

    def _timed(self, clock: FrameClock) -> Iterator[tuple[float, VideoFrame]]:
        """Yield (time, progressive frame); deinterlacing begins with the first interlaced frame."""
        deinterlacer: Deinterlacer | None = None
        waiting: deque[float] = deque()
        size = (0, 0, "")
        for decoded in self._from_first():
            waiting.append(clock.time_of(decoded.pts))
            now = (decoded.width, decoded.height, decoded.format.name)
            if deinterlacer is not None and now != size:
                yield from ((waiting.popleft(), ready) for ready in deinterlacer.push(None))
                deinterlacer = None
            if deinterlacer is None and decoded.interlaced_frame:
                deinterlacer, size = Deinterlacer(decoded, self._time_base), now
            if deinterlacer is None:
                yield waiting.popleft(), decoded
            else:
                yield from ((waiting.popleft(), ready) for ready in deinterlacer.push(decoded))
        if deinterlacer is not None:
            yield from ((waiting.popleft(), ready) for ready in deinterlacer.push(None))

    def _from_first(self) -> Iterator[VideoFrame]:
        yield self._first
        yield from self._further
        yield from self._decoded

    def _opening_frames(self) -> list[VideoFrame]:
        """Decode the first frame, and a second one where a single frame makes a still image."""
        first = next(self._decoded, None)
        if first is None:
            found = (
                "none of its frames can be decoded"
                if self._decoder.packets.count
                else "its video stream is empty"
            )
            raise VideoError(f"{self.path}: {found}")
        check_size(first.width, first.height, self.path)
        if self._decoder.skipped:
            logger.warning("%s: the beginning cannot be decoded and is left out", self.path)
        if self._container.format.name not in IMAGE_FORMATS:
            return [first]
        second = next(self._decoded, None)
        if second is None:
            raise VideoError(
                f"{self.path}: a still image ({self._container.format.name.upper()}), not a video"
            )
        return [first, second]

    def _origin(self) -> int | None:
        """Return the timestamp of t = 0: the first frame's, or the stream's start if that frame is lost."""
        return self._stream.start_time if self._decoder.skipped else self._first.pts

    def _describe(self, first: VideoFrame) -> VideoInfo:
        stream, rotation = self._stream, clockwise_rotation(first)
        width, height = (first.height, first.width) if rotation % 180 else (first.width, first.height)
        aspect = stream.sample_aspect_ratio or Fraction(1)
        rate = stream.average_rate or stream.guessed_rate
        origin = self._origin()
        return VideoInfo(
            path=self.path,
            container=self._container.format.name,
            codec=stream.codec_context.name,
            pix_fmt=first.format.name,
            width=width,
            height=height,
            rotation=rotation,
            sample_aspect_ratio=1 / aspect if rotation % 180 else aspect,
            fps=rate if rate is not None and plausible_rate(rate) else None,
            variable_rate=_variable_rate(stream),
            duration_s=_stream_duration_s(stream) or _container_duration_s(self._container),
            time_base=self._time_base,
            start_s=0.0 if origin is None else float(origin * self._time_base),
            has_audio=bool(self._container.streams.audio),
            interlaced=first.interlaced_frame,
        )

    def _early_end(self, last_s: float, step_s: float) -> str | None:
        """Find out whether the file ended before it should have, although nothing failed."""
        missing_frames = len(self._stream.index_entries) - self._decoder.packets.count
        if missing_frames > 0:
            return f"the last {missing_frames} frames of its index are not in the file"
        stated_s = self.info.duration_s
        missing_s = 0.0 if stated_s is None else stated_s - (last_s + step_s)
        if stated_s is not None and missing_s <= 0.5 * step_s:
            return None
        if missing_bytes(self.path, self.info.container):
            return "the file is cut off"
        # A wrong duration promises time without bytes; damage that stops FFmpeg leaves both unread.
        if stated_s and _stream_duration_s(self._stream) is not None and self._decoder.packets.end:
            size = self.path.stat().st_size
            if 1 - self._decoder.packets.end / size > 0.5 * missing_s / stated_s:
                return "the rest of the file is unreadable"
        return None

    def _note_odd_times(self, clock: FrameClock) -> None:
        if clock.odd:
            logger.warning(
                "%s: %d timestamps are missing or out of order; %.5g frames per second are assumed there",
                self.path, clock.odd, float(1 / nominal_step(self.info.fps)),
            )  # fmt: skip


def _stream_duration_s(stream: VideoStream) -> float | None:
    """Return the length that the file states for the video stream itself."""
    if stream.duration and stream.duration > 0 and stream.time_base:
        return float(stream.duration * stream.time_base)
    tag = _DURATION_TAG.fullmatch(stream.metadata.get("DURATION", ""))
    return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3]) if tag else None


def _container_duration_s(container: InputContainer) -> float | None:
    """Return the length that the file states for the longest of its streams."""
    return container.duration / av.time_base if container.duration and container.duration > 0 else None


def _variable_rate(stream: VideoStream) -> bool | None:
    """Compare the spacing of the first index entries, where the container has one entry per frame."""
    entries = stream.index_entries
    if len(entries) < 3 or stream.frames != len(entries):
        return None
    times = [entries[idx].timestamp for idx in range(min(len(entries), _INDEX_LOOK))]
    steps = [after - before for before, after in itertools.pairwise(times)]
    return max(steps) - min(steps) > 1 + max(steps) // 100  # rounding to the time base is not a variable rate
