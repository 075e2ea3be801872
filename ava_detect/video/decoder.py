"""Decode one video stream packet by packet, up to the first damage.

FFmpeg carries on after errors and conceals what is missing; a frame of guessed pixels would become a row
of guessed actions. So decoding ends at the first damage, after every good frame that is shown before it, and
says why. What is unreadable before the first good frame (a recording that begins in the middle of a group of
pictures) is skipped and counted instead.

A frame may be predicted from one that is shown later (a B-frame from the next P-frame), and FFmpeg does not
mark it when that one was damaged. So a frame is handed out only when every packet decoded before it has come
out well, which takes as many frames as the stream reorders.
"""

import math
from collections import deque
from collections.abc import Iterator, Set

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ava_detect.video.awaited import AwaitedFrames
from ava_detect.video.disposable import DisposablePackets
from ava_detect.video.packets import PacketReader, reason

_MAX_REORDER = 16  # frames, in H.264 and HEVC
# After an error, so many further packets are decoded to bring out the frames shown before the damaged one;
# frame threading delays errors by one packet per thread.
_GRACE_PACKETS = 3 * _MAX_REORDER


class FrameDecoder:
    """Iterates once over the good frames of a stream, in presentation order.

    Args:
        container: which holds the stream.
        stream: to decode.
        wanted: timestamps of the frames that are needed, ``None`` for all; others may be left out where
            nothing depends on them.

    Attributes:
        packets: what was read of the stream so far.
        left_out: timestamps of the frames that were not decoded because nobody wants them.
        damage: why decoding ended early, or ``None``; to be read after the iteration.
        skipped: frames that could not be used before the first good one.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, *, wanted: Set[int] | None = None
    ) -> None:
        self._stream, self._wanted = stream, wanted
        self._disposable = DisposablePackets(stream)
        self.left_out: set[int] = set()
        self.packets = PacketReader(container, stream)
        # AVI stores no presentation times, and FFmpeg's are wrong where frames are reordered: the first frame
        # shown gets the first packet's decoding time, the second the second's, and so on.
        self._is_avi = container.format.name == "avi"
        self._dts: deque[int] = deque()
        self._awaited = AwaitedFrames()
        self._held: deque[tuple[int, VideoFrame]] = deque()  # (position in the order of decoding, frame)
        self._started = False
        self._error: str | None = None
        self._error_is_early = False
        self._grace = _GRACE_PACKETS
        self.damage: str | None = None
        self.skipped = 0

    def __iter__(self) -> Iterator[VideoFrame]:
        for frame in self._frames():
            position, lost = (-1, []) if frame.pts is None else self._awaited.receive(frame.pts)
            if not self._started and not self._is_start(frame, lost):
                continue
            self._started = True
            first_bad = min(lost, default=position) if self._error is not None else position
            if frame.is_corrupt or self._is_behind_error(frame, lost):
                self.damage = self._error or "the picture data are damaged"
                yield from self._release(first_bad)
                return
            self._held.append((position, frame))
            yield from self._release(self._awaited.oldest)
            if len(self._held) > _MAX_REORDER:  # a packet that gives no frame, not one that is still to come
                yield self._held.popleft()[1]
        self.damage = self._error if self._error and not self._error_is_early else self._missing_tail()
        yield from self._release(math.inf if self.damage is None else self._awaited.oldest)

    def _frames(self) -> Iterator[VideoFrame]:
        """Yield what comes out of the decoder, good or not, until the end or well behind the first error."""
        for packet in self.packets:
            if self._is_left_out(packet):
                continue
            self._await(packet)
            yield from self._decode(packet)
            if self._grace_is_over():
                return
        if self.packets.damage is not None:
            self._note(self.packets.damage)
        if self.packets.lost is not None:
            self._await(self.packets.lost)
        yield from self._decode(None)

    def _is_left_out(self, packet: "Packet[VideoStream]") -> bool:
        if self._wanted is None or packet.pts is None or packet.pts in self._wanted:
            return False
        if packet not in self._disposable:
            return False
        self.left_out.add(packet.pts)
        return True

    def _await(self, packet: "Packet[VideoStream]") -> None:
        timestamp = packet.dts if self._is_avi else packet.pts
        if timestamp is None or packet.is_discard:
            return
        self._awaited.send(timestamp)
        if self._is_avi:
            self._dts.append(timestamp)

    def _decode(self, packet: "Packet[VideoStream] | None") -> list[VideoFrame]:
        """Decode a packet, or, with ``None``, what is still in the decoder."""
        try:
            frames = self._stream.codec_context.decode(packet)
        except av.FFmpegError as error:
            self._note(reason(error))
            return []
        if self._is_avi:
            for frame in frames:
                frame.pts = self._dts.popleft() if self._dts else None
        return frames

    def _note(self, error: str) -> None:
        """Remember the first error, and whether it may concern what lies before the first good frame."""
        if self._error is None:
            self._error, self._error_is_early, self._grace = error, not self._started, _GRACE_PACKETS

    def _grace_is_over(self) -> bool:
        """Count packets after an error; forget an early one that left no gap behind the first good frame."""
        if self._error is None or not self._started:
            return False
        self._grace -= 1
        if self._grace < 0 and self._error_is_early:
            self._error = None
        return self._grace < 0 and self._error is not None

    def _is_start(self, frame: VideoFrame, lost: list[int]) -> bool:
        """Tell whether this is the first good frame; behind lost data only a keyframe needs none of it."""
        if self._error is not None:
            self.skipped += len(lost)
        if frame.is_corrupt or (self.skipped and not frame.key_frame):
            self.skipped += 1
            return False
        lost.clear()
        return True

    def _is_behind_error(self, frame: VideoFrame, lost: list[int]) -> bool:
        """Tell whether a frame shown before this one was lost to an error; if it cannot be known, it was."""
        return self._error is not None and (bool(lost) or frame.pts is None or self._is_avi)

    def _release(self, until: float) -> Iterator[VideoFrame]:
        """Yield the held frames that were decoded before position ``until``; keep the first other one."""
        while self._held and self._held[0][0] < until:
            yield self._held.popleft()[1]

    def _missing_tail(self) -> str | None:
        """Find frames at the end whose packets were read but which never came out of the decoder."""
        last, furthest = self._awaited.latest_pts, self._awaited.furthest_pts
        if last is None or furthest is None or self._stream.time_base is None:
            return None
        # Less than a frame's time is the second field of an interlaced picture in a packet of its own.
        rate = self._stream.average_rate
        missing_s = (furthest - last) * self._stream.time_base
        return "what follows cannot be decoded" if rate and missing_s > 0.75 / rate else None
