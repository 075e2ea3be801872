"""Write frames as an MP4 that browsers play: H.264, 4:2:0, index in front, exact times, sound if wanted.

Used for annotated videos and for procedural scenes.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from enum import Enum
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import cv2
import numpy as np
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from av.video.stream import VideoStream

from ava_detect.video.reader import VideoInfo
from ava_detect.video.sound import SoundTrack
from evaluation.atomic import atomic_path
from evaluation.errors import VideoError

logger = logging.getLogger(__name__)

_TICK = Fraction(1, 90000)
_FINEST = 1_000_000  # ticks per second; encoders and players stumble over more
_BT709 = 1  # AVCOL_SPC_BT709, ITU-T H.273 table 4


class FrameKind(Enum):
    """What other frames may depend on a frame, where the encoder is not to choose."""

    KEY = PictureType.I  # decoding can begin here
    REFERENCE = PictureType.P  # later frames may depend on it
    DISPOSABLE = PictureType.B  # nothing depends on it; the encoder may refuse (before a key, at the end)


class VideoWriter:
    """Writes BGR frames with their times; a context manager.

    The file appears under its name when the block ends without an exception, or at :meth:`finish`; until then
    it has a temporary name beside it, and an exception removes it.

    Times are kept as given (to one tick of ``time_base``, the first frame at 0), so a variable rate stays
    variable. 4:2:0 needs even sizes: an odd width or height is padded by one column or row that repeats the
    last one; nothing is cut off. Colours are BT.709, limited range, and tagged so.

    Args:
        path: a name ending in ``.mp4``.
        fps: nominal rate, for the encoder; ``None`` when variable or unknown.
        time_base: seconds per tick; by default what represents ``fps`` exactly, else 1/90000.
        audio_from: the video whose sound is laid under the frames, by the clock that both share.
        crf: x264's constant rate factor, 0 (lossless) to 51; 18 to 23 look like the input.
        preset: x264's speed, "ultrafast" to "veryslow".
        encoder_options: more options of the encoder, by FFmpeg's names; ``{"threads": "1"}`` makes the bytes
            of the file the same whatever the number of cores.
        sample_aspect_ratio: width / height of one pixel.

    Raises:
        VideoError: the name does not end in ``.mp4``, or the folder cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fps: Fraction | float | None = None,
        time_base: Fraction | None = None,
        audio_from: VideoInfo | None = None,
        crf: float = 20,
        preset: str = "veryfast",
        encoder_options: Mapping[str, str] | None = None,
        sample_aspect_ratio: Fraction = Fraction(1),
    ) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != ".mp4":
            raise VideoError(
                f"{self.path}: videos are written as .mp4", hint=f"Try: {self.path.with_suffix('.mp4')}"
            )
        self._fps = None if fps is None else Fraction(fps).limit_denominator(1001)
        self._tick = _usable_tick(time_base, self._fps)
        self._options = {"crf": str(crf), "preset": preset, **(encoder_options or {})}
        self._sample_aspect_ratio = sample_aspect_ratio
        self._audio_from = audio_from
        self._sound: SoundTrack | None = None
        self._stream: VideoStream | None = None
        self._shape = (0, 0)
        self._first_s = 0.0
        self._last_tick = -1
        self._step = 1  # ticks between the last two frames
        self._reformatter = VideoReformatter()
        self._finished = False
        self._stack = ExitStack()
        try:
            temporary = self._stack.enter_context(atomic_path(self.path))
            self._output = self._stack.enter_context(
                av.open(f"file:{temporary}", "w", format="mp4", container_options={"movflags": "+faststart"})
            )
        except (OSError, av.FFmpegError) as error:
            self.discard()
            raise VideoError(f"{self.path}: cannot be written ({error.strerror or error})") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.discard()

    def write(self, image: np.ndarray, time: float, kind: FrameKind | None = None) -> None:
        """Append a frame.

        Args:
            image: [H, W, 3] uint8, BGR; the same size at every call.
            time: presentation time in seconds, later than the previous frame's. Where the difference is below
                one tick, the frame is moved to the next tick.
            kind: of the frame; the encoder chooses by default.

        Raises:
            VideoError: encoding or writing failed, for example because the disk is full.
        """
        if self._stream is None:
            self._begin(image, time)
        if image.dtype != np.uint8 or image.shape != (*self._shape, 3):
            height, width = self._shape
            raise ValueError(
                f"frame {image.shape} {image.dtype}; expected ({height}, {width}, 3) uint8 like the first one"
            )
        tick = max(round((time - self._first_s) / self._tick), self._last_tick + 1)
        self._step, self._last_tick = tick - self._last_tick, tick
        frame = self._to_yuv(image)
        frame.pts, frame.time_base = tick, self._tick
        if kind is not None:
            frame.pict_type = kind.value
        self._encode(frame)
        if self._sound is not None:
            self._mux(self._sound.packets_until(float(tick * self._tick)))

    def finish(self) -> None:
        """Complete the file and give it its name. Calling it again does nothing.

        Raises:
            VideoError: no frame was written, or writing failed.
        """
        if self._finished:
            return
        self._finished = True
        with self._stack:  # gives the file its name, or removes it if anything below fails
            if self._stream is None:
                raise VideoError(f"{self.path}: no frame to write")
            if self._sound is not None:
                self._mux(self._sound.packets_until(float((self._last_tick + self._step) * self._tick)))
            self._encode(None)
            try:
                self._output.close()
            except av.FFmpegError as error:
                raise VideoError(f"{self.path}: writing failed ({error.strerror or error})") from error

    def discard(self) -> None:
        """Stop, and leave nothing behind."""
        self._finished = True
        with suppress(_Discarded), self._stack:
            raise _Discarded

    def _begin(self, image: np.ndarray, time: float) -> None:
        self._shape = (image.shape[0], image.shape[1])
        self._first_s = time
        height, width = (side + side % 2 for side in self._shape)
        stream = self._output.add_stream("libx264", rate=self._fps or Fraction(30), options=self._options)
        context = stream.codec_context
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = context.time_base = self._tick
        context.sample_aspect_ratio = self._sample_aspect_ratio
        context.colorspace, context.color_range = _BT709, ColorRange.MPEG
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        self._stream = stream
        if self._audio_from is not None and self._audio_from.has_audio:
            self._sound = SoundTrack.open(self._audio_from, self._output, begin_s=time)
            if self._sound is not None:
                self._stack.callback(self._sound.close)

    def _to_yuv(self, image: np.ndarray) -> VideoFrame:
        pad_y, pad_x = image.shape[0] % 2, image.shape[1] % 2
        if pad_y or pad_x:
            image = cv2.copyMakeBorder(image, 0, pad_y, 0, pad_x, cv2.BORDER_REPLICATE)
        return self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24"),
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            dst_colorspace=Colorspace.ITU709,
            interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
            threads=1,
        )

    def _encode(self, frame: VideoFrame | None) -> None:
        """Send a frame, or ``None`` for the end, to the encoder and write what comes out."""
        assert self._stream is not None
        try:
            self._output.mux(self._stream.encode(frame))
        except av.FFmpegError as error:
            raise VideoError(f"{self.path}: writing failed ({error.strerror or error})") from error

    def _mux(self, packets: Iterator[Packet]) -> None:
        try:
            for packet in packets:
                self._output.mux(packet)
        except av.FFmpegError as error:
            raise VideoError(f"{self.path}: writing failed ({error.strerror or error})") from error


class _Discarded(Exception):
    """Unwinds the writer's stack so that nothing is kept."""


def _usable_tick(time_base: Fraction | None, fps: Fraction | None) -> Fraction:
    """Return seconds per tick: the given time base, else one in which ``fps`` is exact, else 1/90000."""
    if time_base is not None and 0 < 1 / time_base <= _FINEST:
        return time_base
    if fps is None or fps.numerator > _FINEST:
        return _TICK
    return Fraction(1, fps.numerator * -(-1000 // fps.numerator))  # a millisecond or less
