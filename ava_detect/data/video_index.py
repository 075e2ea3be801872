"""When every frame of a video is shown and from where it can be decoded: what random access needs.

The times are those that ``VideoReader`` gives, frame for frame. For a plain stream they follow from its
packets, which are read without decoding anything. Where packets do not tell (interlaced or damaged
streams, missing timestamps, codecs with invisible frames), the video is decoded once, and clips are read from
its beginning, which is slow and right.

An index is kept on disk and made anew when size or modification time of the video has changed.
"""

import hashlib
import itertools
import logging
import os
import zipfile
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from ava_detect.video.clock import MAX_GAP_S
from ava_detect.video.packets import PacketReader
from ava_detect.video.reader import VideoInfo, VideoReader
from ava_detect.video.source import find_video_stream, open_container
from evaluation.atomic import atomic_path
from evaluation.errors import VideoError

logger = logging.getLogger(__name__)

_VERSION = 1  # of the file format and of the rules below
_IN_MEMORY = 64  # indices; one of a 15-minute video takes half a megabyte
# One packet is one shown frame in these codecs; elsewhere packets may hold frames that are never shown.
_CODECS = frozenset(
    "h264 hevc av1 libdav1d libaom-av1 vp9 libvpx-vp9 mpeg4 mpeg2video mjpeg prores ffv1".split()
)


@dataclass(frozen=True, eq=False)
class VideoIndex:
    """N frames in presentation order.

    Attributes:
        times: [N] float64 seconds from the first frame.
        pts: [N] int64 timestamps in the stream's time base; empty when frames cannot be sought.
        key_pts: [M] int64, ascending, timestamps of the frames at which decoding can begin.
        key_stamps: [M] int64, the timestamps by which the container finds them.
        stored_size: (width, height) of the stored picture, before rotation.
        why_sequential: why frames cannot be sought; "" when they can.
    """

    times: np.ndarray
    pts: np.ndarray
    key_pts: np.ndarray
    key_stamps: np.ndarray
    stored_size: tuple[int, int]
    why_sequential: str = ""

    def key_before(self, frame_idx: int) -> int:
        """Return the last of the M keys from which a frame can be decoded.

        A frame that is shown before a keyframe is decoded from the one before, even if it is stored behind
        it (the leading frames of an open group of pictures).
        """
        return int(np.searchsorted(self.key_pts, self.pts[frame_idx], side="right")) - 1


def build_index(path: Path) -> VideoIndex:
    """Read a video's packets, or decode it where they do not tell enough.

    Raises:
        VideoError: the file is missing, is no video, or holds no frame that can be decoded.
    """
    index = index_of_packets(path)
    if not index.why_sequential:
        return index
    with VideoReader(path) as video:
        times = np.array([frame.time for frame in video])
    logger.warning(
        "%s: %s; its clips are decoded from its beginning, which is slow", path, index.why_sequential
    )
    return replace(index, times=times)


def index_of_packets(path: Path) -> VideoIndex:
    """Read a video's packets; where they do not tell enough, the index has no frames and says why.

    Raises:
        VideoError: the file is missing, is no video, or holds no frame that can be decoded.
    """
    with VideoReader(path, threads=1) as video:
        info = video.info
    size = (info.height, info.width) if info.rotation % 180 else (info.width, info.height)
    packets, why_not = _read_packets(path, info)
    if not why_not:
        return _sought_index(packets, info, size)
    none = np.zeros(0, np.int64)
    return VideoIndex(np.zeros(0), none, none, none, size, why_not)


@dataclass(frozen=True)
class _Packet:
    pts: int
    dts: int | None
    is_key: bool
    is_shown: bool


def _read_packets(path: Path, info: VideoInfo) -> tuple[list[_Packet], str]:
    """Return the video's packets, and why frames cannot be told from them ("" if they can)."""
    if info.codec not in _CODECS:
        return [], f"{info.codec} packets do not tell which frames are shown"
    if info.interlaced:
        return [], "the video is interlaced"
    if info.container == "avi":
        return [], "AVI stores no presentation times"
    with open_container(path) as container:
        reader = PacketReader(container, find_video_stream(container, path))
        packets = [_packet(packet) for packet in reader]
    known = [packet for packet in packets if packet is not None]
    if reader.damage is not None:
        return [], reader.damage
    if len(known) < len(packets):
        return [], "packets without timestamps"
    return known, _why_odd(known, info)


def _packet(packet: "Packet[VideoStream]") -> _Packet | None:
    if packet.pts is None:
        return None
    return _Packet(packet.pts, packet.dts, packet.is_keyframe, not packet.is_discard)


def _why_odd(packets: list[_Packet], info: VideoInfo) -> str:
    """Say why times made of the packets' timestamps would not be the reader's ("" if they are)."""
    shown = sorted(packet.pts for packet in packets if packet.is_shown)
    if not shown or not packets[0].is_key or packets[0].pts > shown[0]:
        return "the video does not begin with a keyframe"
    if float(shown[0] * info.time_base) != info.start_s:
        return "its first frames cannot be decoded"
    steps = [float((after - before) * info.time_base) for before, after in itertools.pairwise(shown)]
    decoding = [packet.dts for packet in packets if packet.dts is not None]
    in_order = all(before < after for before, after in itertools.pairwise(decoding))
    if not in_order or (steps and not 0 < min(steps) <= max(steps) <= MAX_GAP_S):
        return "timestamps that repeat, jump or go back"
    return ""


def _sought_index(packets: list[_Packet], info: VideoInfo, size: tuple[int, int]) -> VideoIndex:
    pts = sorted(packet.pts for packet in packets if packet.is_shown)
    keys = sorted((packet.pts, _stamp_to_seek(packet, info)) for packet in packets if packet.is_key)
    # A fraction is rounded once, as the reader's clock does; the same in floats differs in the last place.
    times = [float((stamp - pts[0]) * info.time_base) for stamp in pts]
    key_pts, key_stamps = np.array(keys, np.int64).T
    return VideoIndex(np.array(times), np.array(pts, np.int64), key_pts, key_stamps, size)


def _stamp_to_seek(packet: _Packet, info: VideoInfo) -> int:
    """Return the timestamp by which the container files a keyframe: Matroska the time it is shown at."""
    return packet.pts if packet.dts is None or "matroska" in info.container else packet.dts


class IndexStore:
    """Indices of videos: in memory, else on disk, else made.

    Args:
        folder: where they are kept; made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._latest: OrderedDict[Path, tuple[str, VideoIndex]] = OrderedDict()

    def of(self, path: Path) -> VideoIndex:
        """Return the index of a video as the file is now.

        Raises:
            VideoError: the file is missing, or no video.
        """
        try:
            stamp = _stamp(path)
        except OSError as error:
            raise VideoError(f"{path}: {error.strerror or error}") from error
        kept = self._latest.get(path)
        if kept is None or kept[0] != stamp:
            kept = stamp, self._kept_on_disk(path, stamp)
            self._latest[path] = kept
            if len(self._latest) > _IN_MEMORY:
                self._latest.popitem(last=False)
        self._latest.move_to_end(path)
        return kept[1]

    def _kept_on_disk(self, path: Path, stamp: str) -> VideoIndex:
        file = self._folder / f"{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]}.npz"
        index = _load(file, stamp)
        if index is None:
            index = build_index(path)
            _save(index, file, stamp)
        return index


def _stamp(path: Path) -> str:
    """Return what changes when the file changes."""
    status = path.stat()
    return f"{_VERSION} {status.st_size} {status.st_mtime_ns}"


_ARRAYS = ("times", "pts", "key_pts", "key_stamps")


def _save(index: VideoIndex, file: Path, stamp: str) -> None:
    """Write an index; a disk that does not take it costs time later, nothing else."""
    arrays = {name: getattr(index, name) for name in _ARRAYS}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file) as temporary:
            np.savez(
                temporary, **arrays, stored_size=index.stored_size, stamp=stamp, why=index.why_sequential
            )
    except OSError as error:
        logger.warning("%s: the index of a video cannot be kept (%s)", file.parent, error.strerror or error)


def _load(file: Path, stamp: str) -> VideoIndex | None:
    """Read an index; ``None`` when there is none, it is of another file or version, or it is damaged."""
    try:
        with np.load(file, allow_pickle=False) as kept:
            if str(kept["stamp"]) != stamp:
                return None
            width, height = map(int, kept["stored_size"])
            arrays = {name: kept[name] for name in _ARRAYS}
            index = VideoIndex(**arrays, stored_size=(width, height), why_sequential=str(kept["why"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return index if len(index.pts) == (0 if index.why_sequential else len(index.times)) else None
