"""Damaged and odd video files, made from real encodes, and what must come out of each.

``make_all(folder)`` writes them and returns the list; tests of the reader and of ``predict`` go through it.

    python -m tests.video.odd_files FOLDER     writes the files there
    python -m tests.video.odd_files --table    puts the table of results into docs/video.md
"""

import argparse
import io
import os
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2

from ava_detect.video.reader import VideoReader
from evaluation.errors import VideoError
from tests.video.encoding import Encode, Sound, encode, picture, remux

FPS = 25
FRAMES = 50
INTRA = {"g": "1", "bf": "0"}
_PAGE = Path(__file__).resolve().parents[2] / "docs" / "video.md"
_BEGIN, _END = "<!-- table: python -m tests.video.odd_files --table -->", "<!-- end of the table -->"


@dataclass(frozen=True)
class OddFile:
    """A file and what the reader must make of it.

    Attributes:
        path: the file.
        what: what is odd about it, for the table.
        numbers: the numbers of the frames that must come out, in order; ``None`` when the file is refused.
        times: their times, seconds; ``None`` when the file is refused or the times are not fixed.
        tolerance_s: by how much times may differ (rounding of the container's clock).
        damage: pattern of the damage that must be reported; ``None`` for a whole file.
        error: pattern of the message of a refused file.
        at_least: with damage at a place that depends on the decoder, so many of ``numbers`` must come out,
            none of them wrong.
    """

    path: Path
    what: str
    numbers: Sequence[int] | None = None
    times: Sequence[float] | None = None
    tolerance_s: float = 1e-9
    damage: str | None = None
    error: str | None = None
    at_least: int | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name


def make_all(folder: Path) -> list[OddFile]:
    """Write every file into ``folder`` and describe it.

    A file whose permission is taken away is left out for a user whom permissions do not stop (root).
    """
    folder.mkdir(parents=True, exist_ok=True)
    makers: tuple[Callable[[Path], Iterator[OddFile]], ...] = (
        _rates, _pictures, _containers, _timestamps, _short_ones, _truncated, _broken, _refused, _not_files,
    )  # fmt: skip
    return [odd for maker in makers for odd in maker(folder)]


def regular(count: int = FRAMES, fps: Fraction | int = FPS) -> list[float]:
    """Return the times of ``count`` frames at a constant rate."""
    return [float(Fraction(idx) / fps) for idx in range(count)]


def _whole(path: Path, what: str, job: Encode, *, tolerance_s: float = 1e-9) -> OddFile:
    """Encode ``job``; every frame must come out, at its own time."""
    encode(path, job)
    ticks = job.ticks if job.ticks is not None else range(len(job.numbers))
    base = job.time_base or 1 / job.fps
    times = [float((tick - ticks[0]) * base) for tick in ticks]
    return OddFile(path, what, list(job.numbers), times, tolerance_s)


def _rates(folder: Path) -> Iterator[OddFile]:
    ntsc = (("23.976", Fraction(24000, 1001)), ("29.97", Fraction(30000, 1001)))
    for name, fps in (*ntsc, *((str(rate), Fraction(rate)) for rate in (25, 50, 60))):
        yield _whole(folder / f"{name}fps.mp4", f"{name} frames per second", Encode(fps=fps))
    uneven = [0]
    for idx in range(1, FRAMES):
        uneven.append(uneven[-1] + (33, 17, 50, 133, 40)[idx % 5])
    variable = Encode(ticks=uneven, time_base=Fraction(1, 1000))
    yield _whole(folder / "variable.mp4", "variable rate, 7 to 60 frames per second", variable)
    yield _whole(folder / "variable.mkv", "variable rate, Matroska", variable)
    pause = [idx * 40 + (120_000 if idx >= 25 else 0) for idx in range(FRAMES)]
    yield _whole(
        folder / "pause.mkv",
        "two minutes without a new frame",
        Encode(ticks=pause, time_base=Fraction(1, 1000)),
    )


def _pictures(folder: Path) -> Iterator[OddFile]:
    for degrees in (90, 180, 270):
        job = Encode(rotation=degrees)
        yield _whole(
            folder / f"rotated{degrees}.mp4", f"to be turned by {degrees} degrees, as phones write", job
        )
    vp9 = {"deadline": "realtime", "cpu-used": "8"}
    x265 = {"preset": "ultrafast", "x265-params": "log-level=none"}
    pq = {"color_primaries": 9, "color_trc": 16, "colorspace": 9, "color_range": 1}
    jobs = {
        "odd_size.webm": ("101x67 pixels", Encode(codec="libvpx-vp9", size=(101, 67), options=vp9)),
        "hevc_10bit.mp4": ("HEVC, 10 bit", Encode(codec="libx265", pix_fmt="yuv420p10le", options=x265)),
        "av1_10bit.mp4": (
            "AV1, 10 bit",
            Encode(
                codec="libsvtav1", pix_fmt="yuv420p10le", options={"preset": "12", "svtav1-params": "lp=1"}
            ),
        ),
        "hdr_pq.mp4": (
            "HEVC, high dynamic range (PQ, BT.2020)",
            Encode(codec="libx265", pix_fmt="yuv420p10le", options=x265, context=pq),
        ),
        "yuv444.mp4": ("colour at full resolution", Encode(pix_fmt="yuv444p")),
        "gray.mkv": ("grey", Encode(codec="ffv1", pix_fmt="gray")),
        "alpha.mov": ("with an alpha channel", Encode(codec="qtrle", pix_fmt="argb")),
        "anamorphic.mp4": (
            "pixels twice as wide as high",
            Encode(context={"sample_aspect_ratio": Fraction(2)}),
        ),
        "interlaced.mp4": ("interlaced, H.264", Encode(options={"x264-params": "tff=1"})),
        "interlaced.ts": (
            "interlaced, MPEG-2 in a transport stream",
            Encode(codec="mpeg2video", options={"flags": "+ildct+ilme", "b": "2M"}),
        ),
        "animated.gif": ("an animated GIF", Encode(codec="gif", pix_fmt="rgb8")),
        "motion_jpeg.avi": ("Motion JPEG", Encode(codec="mjpeg", pix_fmt="yuvj420p")),
    }
    for name, (what, job) in jobs.items():
        yield _whole(folder / name, what, job, tolerance_s=0.0006 if name.endswith(".webm") else 1e-9)


def _containers(folder: Path) -> Iterator[OddFile]:
    b_frames = {"preset": "veryfast", "bf": "3"}
    yield _whole(folder / "offset.ts", "transport stream; its clock begins above 0", Encode(options=b_frames))
    yield _whole(folder / "flash.flv", "FLV", Encode(options=b_frames))
    yield _whole(
        folder / "b_frames.avi",
        "AVI with reordered frames, which it has no times for",
        Encode(options=b_frames),
    )
    fragments = {"movflags": "frag_keyframe+empty_moov"}
    fragmented = Encode(container_options=fragments, options={"g": "10"})
    yield _whole(folder / "fragmented.mp4", "fragmented MP4, no index", fragmented)

    for name, container, codec in (("live.mkv", "matroska", "libx264"), ("live.webm", "webm", "libvpx-vp9")):
        pipe = _Pipe()
        encode(
            pipe,
            Encode(
                codec=codec, format=container, options={} if codec == "libx264" else {"deadline": "realtime"}
            ),
        )
        (folder / name).write_bytes(bytes(pipe.data))
        yield OddFile(folder / name, "live recording, no duration", range(FRAMES), regular(), 0.0006)

    encode(folder / "raw.h264", Encode(format="h264"))
    yield OddFile(folder / "raw.h264", "bare H.264 stream, no timestamps", range(FRAMES), regular())

    early = Encode(sound=Sound(begin_s=-1.0, length_s=3.0, first=True))
    encode(folder / "sound_first.mkv", early)
    what = "sound is the first stream and begins a second before the picture"
    yield OddFile(folder / "sound_first.mkv", what, range(FRAMES), regular(), 0.0006)
    encode(folder / "long_sound.mkv", Encode(sound=Sound(length_s=4.0)))
    yield OddFile(
        folder / "long_sound.mkv", "sound twice as long as the picture", range(FRAMES), regular(), 0.0006
    )

    data = bytearray((folder / "variable.mkv").read_bytes())
    at = data.index(b"\x44\x89\x88") + 3  # Duration, 8 bytes, in milliseconds
    data[at : at + 8] = struct.pack(">d", 36_000_000.0)
    at = data.index(b"DURATION", at)
    data[at : at + 8] = b"DURATIOM"
    (folder / "wrong_duration.mkv").write_bytes(data)
    yield OddFile(folder / "wrong_duration.mkv", "claims to last ten hours", range(FRAMES))

    data = bytearray((folder / "25fps.mp4").read_bytes())
    at = data.index(b"mdhd") + 4 + 16
    data[at : at + 4] = struct.pack(">I", 0x7FFFFFFF)
    (folder / "wrong_duration.mp4").write_bytes(data)
    yield OddFile(folder / "wrong_duration.mp4", "claims to last two days", range(FRAMES), regular())

    for name in ("räum lich 視頻.mp4", "concat:a.mp4", "frame%03d.mp4"):
        yield _whole(folder / name, "a name that could be misread", Encode(numbers=range(5)))
    (folder / "link.mp4").symlink_to(folder / "25fps.mp4")
    yield OddFile(folder / "link.mp4", "a symbolic link to a video", range(FRAMES), regular())


def _timestamps(folder: Path) -> Iterator[OddFile]:
    encode(folder / "_intra.mkv", Encode(options=INTRA))
    source = folder / "_intra.mkv"

    def retimed(name: str, what: str, pts: Sequence[int], times: Sequence[float]) -> OddFile:
        remux(source, folder / name, lambda idx: (pts[idx], min(idx, pts[idx])))
        return OddFile(folder / name, what, range(FRAMES), times, 0.0006)

    even = [1000 + idx * 40 for idx in range(FRAMES)]
    swapped = [*even[:20], even[21], even[20], *even[22:]]
    expected = regular()
    expected[20], expected[21] = 0.84, 0.86
    yield retimed("backwards.mkv", "one timestamp earlier than the one before", swapped, expected)
    equal = [*even[:20], even[19], *even[21:]]
    expected = regular()
    expected[20] = 0.78
    yield retimed("equal.mkv", "two equal timestamps", equal, expected)
    restart = [*even[:25], *(100 + idx * 40 for idx in range(25))]
    yield retimed("restart.mkv", "a clock that starts anew in the middle", [*restart], regular())
    jump = [*even[:25], *(tick + 10 * 3_600_000 for tick in even[25:])]
    yield retimed("jump.mkv", "a clock that jumps by ten hours", jump, regular())

    trimmed = folder / "edit_list.mp4"
    encode(folder / "_plain.mp4", Encode(options={"g": "25", "bf": "0"}))
    remux(folder / "_plain.mp4", trimmed, lambda idx: ((idx - 10) * 40, (idx - 10) * 40))
    yield OddFile(trimmed, "the first ten frames are cut off by an edit list", range(10, FRAMES), regular(40))

    parts = b""
    for part in range(2):
        encode(folder / "_part.ts", Encode(numbers=range(part * 25, part * 25 + 25), options=INTRA))
        parts += (folder / "_part.ts").read_bytes()
    (folder / "joined.ts").write_bytes(parts)
    yield OddFile(
        folder / "joined.ts", "two recordings joined; the clock starts anew", range(FRAMES), regular()
    )
    encode(folder / "_part.ts", Encode(numbers=range(25, 50), options=INTRA, size=(320, 192)))
    first = Encode(numbers=range(25), options=INTRA)
    encode(folder / "_first.ts", first)
    (folder / "new_size.ts").write_bytes(
        (folder / "_first.ts").read_bytes() + (folder / "_part.ts").read_bytes()
    )
    yield OddFile(
        folder / "new_size.ts", "the picture doubles its size in the middle", range(FRAMES), regular()
    )

    groups = {"preset": "veryfast", "x264-params": "open-gop=1:keyint=20:min-keyint=20:bframes=3:scenecut=0"}
    encode(folder / "open_gop.ts", Encode(options=groups))
    yield OddFile(folder / "open_gop.ts", "open groups of pictures", range(FRAMES), regular())
    data = (folder / "open_gop.ts").read_bytes()
    (folder / "begins_late.ts").write_bytes(data[len(data) // 4 // 188 * 188 :])
    yield OddFile(folder / "begins_late.ts", "begins in the middle of a group of pictures", range(20, FRAMES))
    middle = len(data) * 6 // 10 // 188 * 188
    (folder / "lost_packets.ts").write_bytes(data[:middle] + data[middle + 8 * 188 :])
    yield OddFile(
        folder / "lost_packets.ts",
        "eight transport packets are lost",
        range(FRAMES),
        regular(),
        damage=".",
        at_least=10,
    )


def _short_ones(folder: Path) -> Iterator[OddFile]:
    yield _whole(folder / "one_frame.mp4", "a single frame", Encode(numbers=[7]))
    yield _whole(folder / "two_frames.mp4", "two frames", Encode(numbers=[7, 8]))


def _truncated(folder: Path) -> Iterator[OddFile]:
    def cut(name: str, source: Path, share: float) -> Path:
        data = source.read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])
        return folder / name

    gop = {"g": "10", "bf": "2"}
    encode(folder / "_moov_last.mp4", Encode(options=gop))
    yield OddFile(
        cut("cut_index_last.mp4", folder / "_moov_last.mp4", 0.5),
        "cut in half; its index was at the end", error="without its index",
    )  # fmt: skip
    encode(folder / "_moov_first.mp4", Encode(options=gop, container_options={"movflags": "+faststart"}))
    jobs = {
        "cut_index_first.mp4": (folder / "_moov_first.mp4", "cut in half; its index is at the front"),
        "cut_fragmented.mp4": (folder / "fragmented.mp4", "fragmented MP4, cut in half"),
    }
    for name in ("mkv", "avi", "flv"):
        encode(folder / f"_cut.{name}", Encode(options=gop))
        jobs[f"cut.{name}"] = (folder / f"_cut.{name}", f"{name.upper()} cut in half")
    for name, (source, what) in jobs.items():
        yield OddFile(cut(name, source, 0.5), what, range(FRAMES), regular(), 0.0006, "cut", at_least=10)
    yield OddFile(
        cut("cut_at_the_end.mkv", folder / "_cut.mkv", 0.96), "MKV that lacks its last bytes",
        range(FRAMES), regular(), 0.0006, "cut", at_least=40,
    )  # fmt: skip


def _broken(folder: Path) -> Iterator[OddFile]:
    gop = {"g": "50", "bf": "2", "preset": "veryfast"}
    encode(folder / "_broken.mp4", Encode(options=gop))
    encode(folder / "_broken.mkv", Encode(options=gop))
    for name in ("mp4", "mkv"):
        data = bytearray((folder / f"_broken.{name}").read_bytes())
        for at in range(len(data) * 6 // 10, len(data) * 6 // 10 + 400, 7):
            data[at] ^= 0xFF
        (folder / f"flipped.{name}").write_bytes(data)
        yield OddFile(
            folder / f"flipped.{name}", f"flipped bytes, {name.upper()}", range(FRAMES), regular(), 0.0006,
            damage=".", at_least=10,
        )  # fmt: skip
    data = bytearray((folder / "_broken.mp4").read_bytes())
    half, end = len(data) // 2, data.index(b"moov") - 4
    data[half:end] = bytes(end - half)
    (folder / "zeros.mp4").write_bytes(data)
    yield OddFile(
        folder / "zeros.mp4", "the second half is zeros (an unfinished download)", range(FRAMES), regular(),
        damage=".", at_least=10,
    )  # fmt: skip


def _refused(folder: Path) -> Iterator[OddFile]:
    encode(folder / "sound_only.m4a", Encode(codec=None, sound=Sound(), format="mp4"))
    yield OddFile(folder / "sound_only.m4a", "sound without a picture", error="sound only")
    _cover_art(folder / "cover.m4a")
    yield OddFile(folder / "cover.m4a", "sound with a cover picture", error="sound and a cover picture only")
    for name in ("still.png", "still.jpg", "still.bmp", "still.webp"):
        cv2.imwrite(str(folder / name), picture(1))
        yield OddFile(folder / name, "a still image", error="a still image")
    encode(folder / "still.gif", Encode(codec="gif", pix_fmt="rgb8", numbers=[1]))
    yield OddFile(folder / "still.gif", "a GIF with one picture", error="a still image")

    files: dict[str, tuple[str, bytes, str]] = {
        "empty.mp4": ("zero bytes", b"", "the file is empty"),
        "notes.txt": ("text", b"Bring the camera on Friday.\n" * 40, "not a video"),
        "zero_bytes.mp4": ("zeros only", bytes(100_000), "not a video"),
        "list.m3u8": (
            "a playlist that names another file",
            b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\noffset.ts\n#EXT-X-ENDLIST\n", "M3U/HLS playlist",
        ),
        "list.ffconcat": ("a list of files", b"ffconcat version 1.0\nfile 25fps.mp4\n", "concat list"),
        "manifest.mpd": (
            "a DASH manifest",
            b'<?xml version="1.0"?><MPD><BaseURL>http://localhost/</BaseURL></MPD>', "DASH manifest",
        ),
        "session.sdp": (
            "a network session",
            b"v=0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n", "SDP session",
        ),
    }  # fmt: skip
    for name, (what, content, error) in files.items():
        (folder / name).write_bytes(content)
        yield OddFile(folder / name, what, error=error)

    encode(folder / "_vp8.ivf", Encode(codec="libvpx", numbers=[1, 2, 3], format="ivf"))
    data = bytearray((folder / "_vp8.ivf").read_bytes())
    at = data.index(b"\x9d\x01\x2a") + 3
    data[at : at + 4] = data[12:16] = struct.pack("<HH", 16000, 16000)
    (folder / "huge.ivf").write_bytes(data)
    yield OddFile(folder / "huge.ivf", "claims 16000x16000 pixels", error="16000x16000")


def _not_files(folder: Path) -> Iterator[OddFile]:
    (folder / "folder.mp4").mkdir(exist_ok=True)
    yield OddFile(folder / "folder.mp4", "a folder", error="a folder, not a video file")
    yield OddFile(folder / "25fsp.mp4", "a misspelt name", error=r"no such file\. Nearby: 25fps\.mp4")
    yield OddFile(folder / "nowhere" / "a.mp4", "in a folder that does not exist", error="There is no folder")
    (folder / "circle.mp4").symlink_to(folder / "circle.mp4")
    yield OddFile(folder / "circle.mp4", "a symbolic link to itself", error="leads in a circle")
    os.mkfifo(folder / "pipe.mp4")
    yield OddFile(folder / "pipe.mp4", "a named pipe", error="a pipe, socket or device")
    if os.geteuid() != 0:
        (folder / "forbidden.mp4").write_bytes((folder / "25fps.mp4").read_bytes())
        (folder / "forbidden.mp4").chmod(0)
        yield OddFile(folder / "forbidden.mp4", "no permission to read it", error="no permission")


class _Pipe(io.RawIOBase):
    """Something that can be written but not rewound, as a live stream is."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.data += data
        return len(data)


def _cover_art(path: Path) -> None:
    """Write a second of sound with a picture attached, as music files have."""
    encode(path.with_name("_tone.m4a"), Encode(codec=None, sound=Sound(length_s=1.0), format="mp4"))
    _, png = cv2.imencode(".png", picture(1))
    with av.open(str(path.with_name("_tone.m4a"))) as tone, av.open(str(path), "w", format="mp4") as output:
        sound = output.add_stream_from_template(tone.streams.audio[0])
        cover = output.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 160, 96, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        output.start_encoding()
        packet = av.Packet(png.tobytes())
        packet.stream, packet.pts, packet.dts, packet.time_base = cover, 0, 0, Fraction(1, 1000)
        output.mux(packet)
        for packet in tone.demux(tone.streams.audio[0]):
            if packet.size:
                packet.stream = sound
                output.mux(packet)


def outcome(odd: OddFile) -> str:
    """Say in the table's words what the reader makes of a file."""
    try:
        with VideoReader(odd.path) as video:
            times = [frame.time for frame in video]
    except VideoError as error:
        return f"refused: {str(error).replace(str(odd.path), odd.name).replace(str(odd.path.parent), '.')}"
    frames = "1 frame" if len(times) == 1 else f"{len(times)} frames, 0 to {times[-1]:.4g} s"
    return frames if video.damage is None else f"{frames}; {video.damage}"


def table(files: Sequence[OddFile]) -> str:
    """Return the table of results, Markdown."""
    rows = [f"| `{odd.name}` | {odd.what} | {outcome(odd)} |" for odd in files]
    return "\n".join(["| file | what is odd | what ava-detect does |", "| --- | --- | --- |", *rows])


def main() -> None:
    """Write the files, or the table of what comes out of them."""
    parser = argparse.ArgumentParser(
        description="Odd and damaged video files, and what the reader makes of them."
    )
    parser.add_argument("folder", nargs="?", type=Path, help="write the files there")
    parser.add_argument("--table", action="store_true", help=f"put the table into {_PAGE.name}")
    args = parser.parse_args()
    if not args.table and args.folder is None:
        parser.error("a FOLDER to write the files to, or --table")
    with tempfile.TemporaryDirectory() as temporary:
        files = make_all(args.folder or Path(temporary))
        if args.table:
            head, _, rest = _PAGE.read_text().partition(_BEGIN)
            tail = rest.partition(_END)[2]
            _PAGE.write_text(f"{head}{_BEGIN}\n\n{table(files)}\n\n{_END}{tail}")
    print(f"{len(files)} files")


if __name__ == "__main__":
    main()
