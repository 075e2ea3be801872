"""The sound of one video laid under the frames of another: copied where MP4 players know it, else as AAC."""

import io
import logging
from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from ava_detect.video.reader import VideoInfo
from ava_detect.video.source import open_container
from evaluation.errors import VideoError

logger = logging.getLogger(__name__)

_COPIED = ("aac", "mp3", "mp3float", "opus", "libopus")  # what browsers play from an MP4
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


class SoundTrack:
    """Packets of the first sound stream of a video, on the clock of the new file.

    What lies before t = 0 of the new file is left out. Sound that cannot be read ends early, with a warning;
    sound never stops a video from being written.

    Args:
        info: the video that the sound comes from.
        output: the new file; a stream is added to it, so no packet may have been written yet.
        begin_s: time in ``info``'s video that becomes 0 in the new file.
    """

    def __init__(self, info: VideoInfo, output: OutputContainer, *, begin_s: float) -> None:
        self._path = info.path
        self._source: InputContainer = open_container(info.path)
        source = self._source.streams.audio[0]
        if getattr(source, "codec_context", None) is None:  # PyAV's annotations do not know this case
            raise ValueError("FFmpeg has no decoder for it")
        zero_s = info.start_s + begin_s
        if source.codec_context.name in _COPIED and _mp4_takes(source):
            stream = output.add_stream_from_template(source)
            self._packets = self._copied(source, stream, zero_s)
        else:
            self._packets = self._encoded(source, self._aac_stream(source, output), zero_s)
        self._next = self._advance()

    @classmethod
    def open(cls, info: VideoInfo, output: OutputContainer, *, begin_s: float) -> "SoundTrack | None":
        """Return the sound track, or ``None`` (and a warning) where the sound cannot be taken over."""
        try:
            return cls(info, output, begin_s=begin_s)
        except (av.FFmpegError, ValueError, VideoError) as error:
            logger.warning("%s: the sound is left out (%s)", info.path, error)
            return None

    def packets_until(self, end_s: float) -> "Iterator[Packet[AudioStream]]":
        """Yield the packets that begin before ``end_s``, seconds of the new file."""
        while self._next is not None and self._next[0] < end_s:
            yield self._next[1]
            self._next = self._advance()

    def close(self) -> None:
        """Close the file that the sound comes from."""
        self._source.close()

    def _advance(self) -> "tuple[float, Packet[AudioStream]] | None":
        try:
            return next(self._packets, None)
        except (av.FFmpegError, ValueError) as error:  # ValueError: the sound changes its rate or channels
            logger.warning("%s: the sound ends early (%s)", self._path, error)
            return None

    def _copied(
        self, source: AudioStream, stream: AudioStream, zero_s: float
    ) -> "Iterator[tuple[float, Packet[AudioStream]]]":
        last = None
        for packet in self._source.demux(source):
            if packet.pts is None or packet.dts is None or packet.is_corrupt:
                continue
            zero = round(Fraction(zero_s) / packet.time_base)
            packet.pts, packet.dts = packet.pts - zero, packet.dts - zero
            if packet.dts < 0 or (last is not None and packet.dts <= last):
                continue  # before the first frame; or a clock that runs backwards, which MP4 cannot hold
            last = packet.dts
            packet.stream = stream
            yield float(packet.pts * packet.time_base), packet

    def _aac_stream(self, source: AudioStream, output: OutputContainer) -> AudioStream:
        rate = source.rate if source.rate in _AAC_RATES else 48000
        return output.add_stream("aac", rate=rate, layout="mono" if source.channels == 1 else "stereo")

    def _encoded(
        self, source: AudioStream, stream: AudioStream, zero_s: float
    ) -> "Iterator[tuple[float, Packet[AudioStream]]]":
        context = stream.codec_context
        resampler = AudioResampler(format="fltp", layout=context.layout, rate=context.sample_rate)
        samples: int | None = None  # position of the next sample; gaps in the source's clock are closed
        for frame in self._decoded(source):
            if samples is None:
                if frame.time is None or frame.time < zero_s:
                    continue
                samples = round((frame.time - zero_s) * context.sample_rate)
            for piece in resampler.resample(frame):
                piece.pts, piece.time_base = samples, Fraction(1, context.sample_rate)
                samples += piece.samples
                yield from _timed(stream.encode(piece))
        yield from _timed(stream.encode(None))

    def _decoded(self, source: AudioStream) -> Iterator[AudioFrame]:
        for packet in self._source.demux(source):
            try:
                yield from packet.decode()
            except av.FFmpegError:  # a click in the sound is not worth a warning
                continue


def _mp4_takes(source: AudioStream) -> bool:
    """Try whether MP4 holds the stream as it is; it refuses some sample rates and missing headers."""
    try:
        with av.open(io.BytesIO(), "w", format="mp4") as trial:
            trial.add_stream_from_template(source)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _timed(packets: "list[Packet[AudioStream]]") -> "Iterator[tuple[float, Packet[AudioStream]]]":
    for packet in packets:
        yield float((packet.pts or 0) * packet.time_base), packet
