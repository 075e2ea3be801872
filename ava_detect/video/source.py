"""Open a video file through FFmpeg, and refuse by name what is not one.

The file is hostile until shown otherwise. FFmpeg knows "formats" that are lists of other files or addresses
(HLS, DASH, concat, image patterns); opened from a local file they would read what they name. So only the
formats of ``FORMATS`` are tried, only the ``file:`` protocol exists, and pictures above ``MAX_PIXELS`` are
refused before memory is spent on them.
"""

import difflib
import errno
import os
import shlex
import stat
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from evaluation.errors import VideoError

MAX_PIXELS = 8192 * 8192  # one BGR frame of this size is 201 MB

FORMATS = (
    # Containers and elementary streams that hold moving pictures and refer to no other file.
    *("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "live_flv"),
    *("asf", "ogg", "mxf", "nut", "wtv", "rm", "dv", "gxf", "nsv", "ivf", "obu", "h264", "hevc", "vvc"),
    *("m4v", "h263", "h261", "vc1", "vc1test", "dirac", "dnxhd", "cavsvideo", "mjpeg", "mjpeg_2000"),
    *("yuv4mpegpipe", "gif", "apng", "dhav", "ifv", "kux", "lmlm4", "nuv", "pva", "ty", "xmv"),
    # Sound only: allowed so that such a file is refused as what it is.
    *("mp3", "wav", "w64", "flac", "aac", "ac3", "eac3", "dts", "aiff", "caf", "amr", "ape", "au", "tta"),
    *("wv", "loas", "truehd", "mlp"),
)  # fmt: skip

IMAGE_FORMATS = ("gif", "apng")  # still with one frame, video with more

_HEAD_BYTES = 4096
_STILL_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"BM", "BMP"), (b"GIF8", "GIF"),
    (b"II*\x00", "TIFF"), (b"MM\x00*", "TIFF"), (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
)  # fmt: skip
_PLAYLISTS = (
    (b"#EXTM3U", "an M3U/HLS playlist"), (b"ffconcat", "an FFmpeg concat list"),
    (b"[playlist]", "a PLS playlist"), (b"v=0", "an SDP session description"),
    (b"<MPD", "a DASH manifest"), (b"<SmoothStreamingMedia", "a Smooth Streaming manifest"),
)  # fmt: skip


def open_container(path: Path) -> InputContainer:
    """Open ``path`` with FFmpeg, restricted to local, self-contained video formats.

    Raises:
        VideoError: no such file, a directory, no permission, not a regular file, empty, a playlist, a still
            image, or nothing that FFmpeg can read.
    """
    head = _read_head(path)
    try:
        return av.open(
            f"file:{path}",  # with the prefix, a name like "concat:a|b.mp4" is a name
            container_options={"protocol_whitelist": "file", "format_whitelist": ",".join(FORMATS)},
            metadata_errors="replace",
        )
    except av.FFmpegError as error:
        raise VideoError(f"{path}: {_what_it_is(head, error)}", hint=_check_hint(path)) from error


def find_video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the first stream of moving pictures that can be decoded.

    Cover pictures of music files, thumbnails and still images inside a container do not count.

    Raises:
        VideoError: there is none, or its pictures are larger than ``MAX_PIXELS``.
    """
    not_moving = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
    moving = [stream for stream in container.streams.video if not stream.disposition & not_moving]
    if not moving:
        raise VideoError(f"{path}: {_what_it_holds(container)}", hint=_check_hint(path))
    # PyAV gives None where FFmpeg has no decoder, although its annotations say otherwise.
    decodable = [stream for stream in moving if getattr(stream, "codec_context", None) is not None]
    if not decodable:
        raise VideoError(f"{path}: FFmpeg has no decoder for its video stream; convert it to H.264 first")
    stream = decodable[0]
    check_size(stream.codec_context.width, stream.codec_context.height, path)
    return stream


def check_size(width: int, height: int, path: Path) -> None:
    """Refuse pictures of no size or of more than ``MAX_PIXELS``."""
    if width * height > MAX_PIXELS:
        raise VideoError(
            f"{path}: the picture is {width}x{height}; "
            f"pictures of more than {MAX_PIXELS / 1e6:.0f} million pixels are refused"
        )


def _read_head(path: Path) -> bytes:
    """Return the file's first bytes, having made sure that it is a readable, regular, non-empty file."""
    try:
        mode = path.stat().st_mode  # before opening: opening a named pipe would wait for a writer
        if stat.S_ISDIR(mode):
            raise VideoError(f"{path}: a folder, not a video file", hint=_videos_in(path))
        if not stat.S_ISREG(mode):
            raise VideoError(f"{path}: a pipe, socket or device; save the video to a file first")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise VideoError(f"{path}: no such file.{_nearby(path)}") from error
    except PermissionError as error:
        raise VideoError(f"{path}: no permission to read it") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            reason = "a symbolic link that leads in a circle"
        raise VideoError(f"{path}: {reason}") from error
    if not head:
        raise VideoError(f"{path}: the file is empty")
    return head


def _nearby(path: Path) -> str:
    """Return `` Nearby: gym.mp4`` for the names in the folder that resemble the one asked for."""
    folder = path.parent
    if not folder.is_dir():
        return f" There is no folder {folder} either."
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
    return f" Nearby: {', '.join(near)}" if near else ""


def _videos_in(folder: Path) -> str:
    return f"For the videos in it: ava-detect predict {shlex.quote(str(folder))}/*.mp4 --out actions.csv"


def _check_hint(path: Path) -> str:
    return f"ava-detect check {shlex.quote(str(path))} shows what is in the file."


def _what_it_is(head: bytes, error: av.FFmpegError) -> str:
    """Say in words why FFmpeg did not open a file that begins with ``head``."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, name in _PLAYLISTS:
        if text.startswith(magic) or (magic.startswith(b"<") and magic in head):
            return f"{name}, which names other files; give the video files themselves"
    for magic, name in _STILL_IMAGES:
        if head.startswith(magic):
            return f"a still image ({name}), not a video"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a still image (WebP), not a video"
    if head[4:8] == b"ftyp" and isinstance(error, av.error.InvalidDataError):
        return "not a video that FFmpeg can read (an MP4 without its index: the recording was cut off?)"
    if isinstance(error, av.error.ArgumentError):  # recognised, but not one of FORMATS
        return f"not a video that FFmpeg can read ({'text' if _is_text(head) else 'no video format'})"
    if isinstance(error, av.error.InvalidDataError):
        return "not a video that FFmpeg can read (no video stream found)"
    return f"not a video that FFmpeg can read ({(error.strerror or str(error)).lower()})"


def _is_text(head: bytes) -> bool:
    try:
        return head[:-4].decode().replace("\n", "").replace("\r", "").replace("\t", "").isprintable()
    except UnicodeDecodeError:
        return False


def _what_it_holds(container: InputContainer) -> str:
    if container.streams.audio:
        cover = " and a cover picture" if container.streams.video else ""
        return f"not a video; the file holds sound{cover} only"
    if container.streams.video:
        return "a still image, not a video"
    return "no video stream in it"
