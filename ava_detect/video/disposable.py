"""Which packets of an H.264 stream no other picture depends on.

Such pictures need not be decoded unless they themselves are wanted; the others come out the same without
them. In streams with B-frames they are about half of all.

Reference: ITU-T H.264, section 7.4.1 (``nal_ref_idc``); ISO/IEC 14496-15, section 5.3.3.1 (length prefixes).
"""

from collections.abc import Iterator

from av.packet import Packet
from av.video.stream import VideoStream

_SLICES = range(1, 6)  # types of NAL units that hold parts of a picture


class DisposablePackets:
    """Tells packets that nothing depends on, where the stream is H.264 with length prefixes (MP4, Matroska).

    Elsewhere no packet is called disposable.

    Args:
        stream: whose packets will be asked about.
    """

    def __init__(self, stream: VideoStream) -> None:
        header = stream.codec_context.extradata or b""
        has_lengths = stream.codec_context.name == "h264" and len(header) > 4 and header[0] == 1
        self._length_bytes = (header[4] & 3) + 1 if has_lengths else 0

    def __contains__(self, packet: "Packet[VideoStream]") -> bool:
        if not self._length_bytes or packet.is_keyframe:
            return False
        for head in self._heads(memoryview(packet)):
            if head & 31 in _SLICES:  # the slices of one picture are all references, or none is
                return head >> 5 & 3 == 0
        return False

    def _heads(self, data: memoryview) -> Iterator[int]:
        """Yield the first byte of each NAL unit; what lies behind a wrong length is not looked at."""
        begin = self._length_bytes
        while begin < len(data):
            yield data[begin]
            length = int.from_bytes(data[begin - self._length_bytes : begin], "big")
            begin += length + self._length_bytes
