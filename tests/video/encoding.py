"""Real encodes of a pattern whose pixels say which frame they are.

The number of a frame is written as ten black or white bars across the upper half of the picture and survives
lossy coding, scaling, rotation and deinterlacing; the lower half moves and has colours.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

BITS = 10
BLACK, WHITE = 30, 220
SIZE = (160, 96)  # width, height


def picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Draw frame ``number`` as [H, W, 3] uint8, BGR."""
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    bits = np.arange(width) * BITS // width
    image[: height // 2] = np.where(number >> (BITS - 1 - bits) & 1, WHITE, BLACK)[:, None]
    image[height // 2 :] = np.linspace(60, 160, width)[:, None]
    left, top, side = number * 3 % (width - 12), height * 5 // 8, height // 4
    image[top : top + side, left : left + 12] = (40, 60, 200)
    return image


def read_number(image: np.ndarray) -> int:
    """Read the number back from the bars; the inverse of :func:`picture`."""
    height, width = image.shape[:2]
    columns = image[height // 8 : height * 3 // 8].mean(axis=(0, 2))
    number = 0
    for bit in range(BITS):
        middle = columns[int((bit + 0.3) * width / BITS) : int((bit + 0.7) * width / BITS) + 1]
        number = number * 2 + bool(middle.mean() > (BLACK + WHITE) / 2)
    return number


@dataclass
class Sound:
    """A tone of ``length_s`` that begins ``begin_s`` after the first frame (before it, if negative)."""

    codec: str = "aac"
    begin_s: float = 0.0
    length_s: float = 2.0
    first: bool = False  # whether it is stream 0
    rate: int = 48000


@dataclass
class Encode:
    """What to encode and how; the defaults make two seconds of 25 fps H.264."""

    fps: Fraction = Fraction(25)
    numbers: Sequence[int] = range(50)
    ticks: Sequence[int] | None = None  # timestamps in units of time_base; by default 0, 1, 2, ... / fps
    time_base: Fraction | None = None
    codec: str | None = "libx264"  # None: no video stream
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = SIZE
    options: dict[str, str] = field(default_factory=dict)
    format: str | None = None
    container_options: dict[str, str] = field(default_factory=dict)
    rotation: int = 0  # degrees clockwise by which a player turns the stored picture
    context: dict[str, Any] = field(default_factory=dict)  # attributes of the codec context
    sound: Sound | None = None
    drawn: Callable[[int, tuple[int, int]], np.ndarray] = picture


def encode(target: Path | Any, job: Encode) -> None:
    """Encode ``job`` into a file, or into an object with ``write``."""
    destination = f"file:{target}" if isinstance(target, Path) else target
    options = {"fflags": "+bitexact"} | job.container_options  # no random identifiers
    with av.open(destination, "w", format=job.format, options=options) as output:
        sound = _add_sound(output, job.sound) if job.sound and job.sound.first else None
        video = _add_video(output, job) if job.codec else None
        if job.sound and not job.sound.first:
            sound = _add_sound(output, job.sound)
        output.start_encoding()
        packets = _video_packets(video, job) if video is not None else []
        if sound is not None and job.sound is not None:
            packets += _sound_packets(sound, job.sound)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            output.mux(packet)


def _add_video(output: Any, job: Encode) -> Any:
    options = {"preset": "ultrafast", "crf": "12"} if job.codec == "libx264" else {}
    stream = output.add_stream(job.codec, rate=job.fps, options=options | job.options)
    stream.codec_context.thread_count = 1  # with more, some encoders' bytes depend on the machine's load
    stream.width, stream.height = job.size
    stream.pix_fmt = job.pix_fmt
    stream.time_base = stream.codec_context.time_base = job.time_base or 1 / job.fps
    for name, value in job.context.items():
        setattr(stream.codec_context, name, value)
    if job.rotation:
        stream.set_display_rotation(-job.rotation)
    return stream


def _video_packets(stream: Any, job: Encode) -> list[Any]:
    ticks = job.ticks if job.ticks is not None else range(len(job.numbers))
    upright = job.size[::-1] if job.rotation % 180 else job.size
    packets = []
    for number, tick in zip(job.numbers, ticks, strict=True):
        stored = np.rot90(
            job.drawn(number, upright), k=job.rotation // 90
        )  # counter-clockwise; players turn back
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(stored), format="bgr24")
        frame = frame.reformat(format=job.pix_fmt)
        frame.pts, frame.time_base = tick, job.time_base or 1 / job.fps
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _add_sound(output: Any, sound: Sound) -> Any:
    return output.add_stream(sound.codec, rate=sound.rate, layout="mono")


def _sound_packets(stream: Any, sound: Sound) -> list[Any]:
    rate = sound.rate
    resampler = av.AudioResampler(
        format=stream.codec_context.format,
        layout="mono",
        rate=rate,
        frame_size=stream.codec_context.frame_size or 1024,
    )
    samples = (
        np.sin(np.arange(int(sound.length_s * rate)) * 2 * np.pi * 440 / rate).astype(np.float32)[None] / 4
    )
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    packets = []
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        packets += stream.encode(piece)
    packets += stream.encode(None)
    shift = round(sound.begin_s * rate)
    for packet in packets:
        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
    return packets


def remux(
    source: Path, target: Path, timestamps: Callable[[int], tuple[int, int]], format: str | None = None
) -> None:
    """Copy the packets of ``source`` with other timestamps.

    Args:
        timestamps: from the packet's position to (pts, dts) in milliseconds.
    """
    with av.open(str(source)) as read, av.open(str(target), "w", format=format) as output:
        stream = read.streams.video[0]
        copied = output.add_stream_from_template(stream)
        packets: Iterable[Any] = (packet for packet in read.demux(stream) if packet.size)
        for position, packet in enumerate(packets):
            packet.time_base = Fraction(1, 1000)
            packet.pts, packet.dts = timestamps(position)
            packet.stream = copied
            output.mux(packet)
