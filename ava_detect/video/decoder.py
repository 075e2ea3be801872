"""Decode one video stream packet by packet, up to the first damage.

FFmpeg carries on after errors and conceals what is missing; a frame of guessed pixels would become a row
of guessed actions. So decoding ends at the first damage, after every frame that is shown before it, and says
why. What is unreadable before the first good frame (a recording that begins in the middle of a group of
pictures) is skipped and counted instead.
"""

import heapq
from collections import deque
from collections.abc import Iterator

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ava_detect.video.packets import PacketReader, reason

# After an error, so many further packets are decoded to bring out the frames shown before the damaged one:
# H.264 and HEVC reorder 16 frames at most, and frame threading delays errors by one packet per thread.
_GRACE_PACKETS = 48


class FrameDecoder:
    """Iterates once over the good frames of a stream, in presentation order.

    Attributes:
        packets: what was read of the stream so far.
        damage: why decoding ended early, or ``None``; to be read after the iteration.
        skipped: packets and frames that could not be used before the first good frame.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._stream = stream
        self.packets = PacketReader(container, stream)
        # AVI stores no presentation times, and FFmpeg's are wrong where frames are reordered: the first frame
        # shown gets the first packet's decoding time, the second the second's, and so on.
        self._is_avi = container.format.name == "avi"
        self._dts: deque[int] = deque()
        self._awaited: list[int] = []  # heap of the timestamps of packets whose frame has not come out yet
        self._latest_pts: int | None = None
        self._started = False
        self._error: str | None = None
        self.damage: str | None = None
        self.skipped = 0

    def __iter__(self) -> Iterator[VideoFrame]:
        for frame in self._frames():
            if frame.is_corrupt and not self._started:
                self.skipped += 1
                continue
            lost = self._settle(frame)
            if frame.is_corrupt:
                self.damage = self._error or "the picture data are damaged"
                return
            if self._error is not None and (lost or frame.pts is None or self._is_avi):
                break
            self._started = True
            yield frame
        self.damage = self._error or self._missing_tail()

    def _frames(self) -> Iterator[VideoFrame]:
        """Yield what comes out of the decoder, good or not, until the end or well behind the first error."""
        grace = _GRACE_PACKETS
        for packet in self.packets:
            self._await(packet)
            yield from self._decode(packet)
            grace -= self._error is not None
            if grace < 0:
                return
        if self.packets.damage is not None:
            self._note(self.packets.damage)
        if self.packets.lost is not None:
            self._await(self.packets.lost)
        yield from self._decode(None)

    def _await(self, packet: "Packet[VideoStream]") -> None:
        timestamp = packet.dts if self._is_avi else packet.pts
        if timestamp is None or packet.is_discard:
            return
        heapq.heappush(self._awaited, timestamp)
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
        """Remember the first error after the first good frame; count those before it."""
        if not self._started:
            self.skipped += 1
        elif self._error is None:
            self._error = error

    def _settle(self, frame: VideoFrame) -> bool:
        """Cross off the packets shown up to ``frame``; tell whether one of them gave no frame."""
        lost = False
        if frame.pts is None:
            return lost
        self._latest_pts = frame.pts if self._latest_pts is None else max(self._latest_pts, frame.pts)
        while self._awaited and self._awaited[0] <= frame.pts:
            lost |= heapq.heappop(self._awaited) != frame.pts
        return lost

    def _missing_tail(self) -> str | None:
        """Find frames at the end whose packets were read but which never came out of the decoder."""
        if self._latest_pts is None or not self._awaited or self._stream.time_base is None:
            return None
        missing_s = (max(self._awaited) - self._latest_pts) * self._stream.time_base
        # Less than a frame's time is the second field of an interlaced picture in a packet of its own.
        rate = self._stream.average_rate
        return "what follows cannot be decoded" if rate and missing_s > 0.75 / rate else None
