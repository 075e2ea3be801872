"""Decoded frames to upright BGR pictures; interlaced ones to progressive ones."""

import threading
from fractions import Fraction

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorTrc, Interpolation, VideoReformatter

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def clockwise_rotation(frame: VideoFrame) -> int:
    """Return by how many degrees clockwise a stored picture must be turned to stand upright: 0, 90, 180, 270.

    FFmpeg counts counter-clockwise; angles that are no quarter turn are rounded to one.
    """
    return -round(frame.rotation / 90) * 90 % 360


class BgrConverter:
    """Converts frames of one video to BGR, 8 bit, upright, all of one size.

    The colour matrix and range are the stream's own (untagged: BT.601, limited range, as FFmpeg assumes).
    More than 8 bits are rounded, HDR transfer curves (PQ, HLG) are mapped to SDR BT.709, an alpha channel is
    ignored, grey becomes three equal channels. Frames of another size than the first (a stream that changes
    its resolution) are resized to the first one's.

    Safe to call from several threads, one after the other.

    Args:
        width: of the stored picture, before the rotation.
        height: of the stored picture, before the rotation.
    """

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._reformatter = VideoReformatter()  # one for all frames: it keeps its tables
        self._lock = threading.Lock()

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        """Return a new, writable, contiguous [H, W, 3] uint8 array."""
        high_range = frame.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)
        with self._lock:
            bgr = self._reformatter.reformat(
                frame,
                format="bgr24",
                interpolation=Interpolation.BICUBIC,
                dst_color_trc=ColorTrc.BT709 if high_range else None,
                dst_color_primaries=ColorPrimaries.BT709 if high_range else None,
                threads=1,
            )
        image = bgr.to_ndarray()
        if image.shape[:2] != (self._height, self._width):
            image = cv2.resize(image, (self._width, self._height), interpolation=cv2.INTER_LINEAR)
        turn = _TURNS.get(clockwise_rotation(frame))
        if turn is not None:
            return cv2.rotate(image, turn)
        return np.require(image, requirements=["C", "W"])


class Deinterlacer:
    """Turns interlaced frames into progressive ones, one for one; progressive frames pass unchanged.

    Uses FFmpeg's ``bwdif`` filter (motion-adaptive), which needs the next frame before it gives one out.
    """

    def __init__(self, frame: VideoFrame, time_base: Fraction) -> None:
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=time_base
        )
        filtering = graph.add("bwdif", "mode=send_frame:deint=interlaced")
        sink = graph.add("buffersink")
        source.link_to(filtering)
        filtering.link_to(sink)
        graph.configure()
        self._graph = graph

    def push(self, frame: VideoFrame | None) -> list[VideoFrame]:
        """Take one frame, or ``None`` at the end, and return the frames that are ready, in order."""
        self._graph.push(frame)
        ready: list[VideoFrame] = []
        while True:
            try:
                ready.append(self._graph.vpull())
            except (av.error.BlockingIOError, av.error.EOFError):
                return ready
