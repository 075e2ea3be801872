"""What a video would take as JPEG frames: a few are encoded as in the published extraction."""

from fractions import Fraction

import av
import numpy as np
from av.video.frame import VideoFrame

FRAMES_PER_S = 30
_LOOK_EVERY_S = 5.0


class JpegSizes:
    """Mean size of a video's frames as ``ffmpeg -r 30 -q:v 1`` extracts them, at full size.

    FFmpeg's encoder goes no lower than a quantiser scale of 2 unless told to, whatever ``-q:v`` says.
    """

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._next_s = 0.0

    def look(self, image: np.ndarray, time: float) -> None:
        """Weigh a [H, W, 3] BGR frame now and then; ``time`` in seconds, ascending."""
        if time >= self._next_s:
            self._next_s = time + _LOOK_EVERY_S
            self._sizes.append(len(extracted_jpeg(image)))

    def total(self, duration_s: float) -> int:
        """Return the bytes of all frames of a video of this length."""
        return round(float(np.mean(self._sizes)) * (duration_s * FRAMES_PER_S + 1))


def extracted_jpeg(image: np.ndarray) -> bytes:
    """Encode a [H, W, 3] BGR frame as ``ffmpeg -q:v 1`` does."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = image.shape[1], image.shape[0], "yuvj420p"
    encoder.time_base = Fraction(1, FRAMES_PER_S)
    encoder.options = {"qmin": "2", "qmax": "2", "huffman": "default"}
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24").reformat(format="yuvj420p")
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
