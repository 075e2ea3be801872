"""Read the packets of one stream up to the first that the container marks as damaged."""

import itertools
from collections import deque
from collections.abc import Iterator

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

_LOOK_AHEAD = 3  # packets; the mark lies on the packet before the loss or on the one before that


class PacketReader:
    """Iterates once over the packets of a stream that hold data.

    Ends at a read error and at a packet that is cut short or otherwise marked as damaged; before the first
    whole keyframe such packets are skipped, because nothing could be decoded from them anyway.

    In a transport stream the mark says that a counter jumped: data are lost. Where a keyframe follows at
    once (two recordings joined, for example), nothing depends on what is lost, and reading goes on.

    Attributes:
        damage: why reading ended early; ``None`` at the end of the file.
        lost: the packet that was not handed out, if it was one that ended the reading.
        count: packets read, including skipped and lost ones.
        end: position in the file behind the last packet; 0 where the container does not tell.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._packets = container.demux(stream)
        self._is_transport_stream = container.format.name == "mpegts"
        self._begun = False
        self.damage: str | None = None
        self.lost: Packet[VideoStream] | None = None
        self.count = 0
        self.end = 0

    def __iter__(self) -> "Iterator[Packet[VideoStream]]":
        packets = self._read()
        waiting: deque[Packet[VideoStream]] = deque()
        while (packet := waiting.popleft() if waiting else next(packets, None)) is not None:
            if packet.is_corrupt and self._is_transport_stream:
                waiting.extend(itertools.islice(packets, _LOOK_AHEAD - len(waiting)))
                packet.is_corrupt = not any(following.is_keyframe for following in waiting)
            if not packet.is_corrupt:
                self._begun |= packet.is_keyframe
                yield packet
            elif self._begun:
                self.damage, self.lost = "a packet is cut short or damaged", packet
                return

    def _read(self) -> "Iterator[Packet[VideoStream]]":
        while True:
            try:
                packet = next(self._packets, None)
            except av.FFmpegError as error:
                self.damage = reason(error)
                return
            if packet is None:
                return
            if packet.size:  # the last one is empty and stands for the end
                self.count += 1
                self.end = max(self.end, (packet.pos or -packet.size) + packet.size)
                yield packet


def reason(error: av.FFmpegError) -> str:
    """Return FFmpeg's words for an error, to be put in brackets."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
