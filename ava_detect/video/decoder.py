"""Decode one video stream packet by packet, up to the first damage.

FFmpeg carries on after errors and conceals what is missing; a frame of guessed pixels would become a row
of guessed actions. So decoding ends at the first damage, after every frame that is shown before it, and says
why. What is unreadable before the first good frame (a recording that begins in the middle of a group of
pictures) is skipped and counted instead.
"""

import heapq
from collections.abc import Iterator

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

# After an error, so many further packets are decoded to bring out the frames shown before the damaged one:
# H.264 and HEVC reorder 16 frames at most, and frame threading delays errors by one packet per thread.
_GRACE_PACKETS = 48


class PacketDecoder:
    """Iterates once over the good frames of a stream, in presentation order.

    Attributes:
        damage: why decoding ended early, or ``None``; to be read after the iteration.
        skipped: packets and frames that could not be used before the first good frame.
        packets: packets read so far.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container = container
        self._stream = stream
        self._error: str | None = None
        self._grace = _GRACE_PACKETS
        self._last_pts: int | None = None
        self._started = False
        self._expected: list[int] = []  # heap of the timestamps of packets whose frame has not come out yet
        self._lost = False  # a frame between the last one delivered and the present one never came
        self.damage: str | None = None
        self.skipped = 0
        self.packets = 0

    def __iter__(self) -> Iterator[VideoFrame]:
        for packet in self._demuxed():
            for frame in self._decoded(packet):
                if frame.is_corrupt and not self._started:
                    self.skipped += 1
                    continue
                self._settle(frame)
                if self._ends_before(frame):
                    return
                self._started = True
                self._last_pts = frame.pts if frame.pts is not None else self._last_pts
                yield frame
            if self._error is not None:
                self._grace -= 1
                if self._grace < 0:
                    break
        self.damage = self._error or self._missing_tail()

    def _demuxed(self) -> "Iterator[Packet[VideoStream]]":
        """Yield the stream's packets and the empty one that flushes the decoder, also after a read error."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as error:
                self._note(_reason(error))
                yield Packet()
                return
            self.packets += packet.size > 0
            yield packet

    def _decoded(self, packet: "Packet[VideoStream]") -> list[VideoFrame]:
        if packet.size and packet.is_corrupt:
            self._note("a packet is cut short or damaged")
            return []
        if packet.size and packet.pts is not None and not packet.is_discard:
            heapq.heappush(self._expected, packet.pts)
        try:
            return self._stream.codec_context.decode(packet if packet.size else None)
        except av.error.EOFError:  # packets after the end of the stream; the decoder takes no more
            return []
        except av.FFmpegError as error:
            self._note(_reason(error))
            return []

    def _note(self, reason: str) -> None:
        """Remember the first error after the first good frame; count those before it."""
        if not self._started:
            self.skipped += 1
        elif self._error is None:
            self._error = reason

    def _settle(self, frame: VideoFrame) -> None:
        """Cross off the packets shown up to ``frame``, and note whether one of them gave no frame."""
        self._lost = False
        while self._expected and frame.pts is not None and self._expected[0] <= frame.pts:
            pts = heapq.heappop(self._expected)
            self._lost |= pts != frame.pts and self._last_pts is not None and pts > self._last_pts

    def _ends_before(self, frame: VideoFrame) -> bool:
        """Tell whether ``frame`` is at or behind the damage."""
        if frame.is_corrupt:
            self.damage = self._error or "the picture data are damaged"
        elif self._error is not None and (self._lost or frame.pts is None):
            self.damage = self._error
        return self.damage is not None

    def _missing_tail(self) -> str | None:
        """Find frames at the end whose packets were read but which never came out of the decoder."""
        if self._last_pts is None or not self._expected or self._stream.time_base is None:
            return None
        missing_s = (max(self._expected) - self._last_pts) * self._stream.time_base
        # Less than a frame's time is the second field of an interlaced picture in a packet of its own.
        rate = self._stream.average_rate
        return "the last frames do not decode" if rate and missing_s > 0.75 / rate else None


def _reason(error: av.FFmpegError) -> str:
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
