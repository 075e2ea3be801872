"""Single frames out of the middle of video files: exactly those that reading from the beginning would give.

Decoding begins at the keyframe before a wanted frame and ends with the last wanted one. Where that does not
bring the frame out (a keyframe that is none, a container that seeks badly), the video is read from its
beginning by ``VideoReader``, whose frames are the measure of everything else.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ava_detect.data.video_index import VideoIndex
from ava_detect.video.decoder import FrameDecoder
from ava_detect.video.pixels import BgrConverter
from ava_detect.video.reader import VideoReader
from ava_detect.video.source import MAX_PIXELS, find_video_stream, open_container
from evaluation.errors import VideoError

logger = logging.getLogger(__name__)

Resize = Callable[[np.ndarray], np.ndarray]
"""[H, W, 3] -> [h, w, 3], called once per frame, so that full pictures do not pile up."""

# A jump costs as much as decoding a few frames; shorter stretches between wanted frames are decoded.
_FRAMES_PER_JUMP = 4


@dataclass(frozen=True, eq=False)
class Clip:
    """The frames of a clip.

    Attributes:
        frames: [T, h, w, 3] uint8, BGR, resized.
        full_shape: (H, W) of the pictures before that.
    """

    frames: np.ndarray
    full_shape: tuple[int, int]


def read_video_clip(
    path: Path, index: VideoIndex, frame_idx: Sequence[int], resize: Resize, *, threads: int = 1
) -> Clip:
    """Decode some frames of a video.

    Args:
        path: the file.
        index: of the file as it is now.
        frame_idx: T places in presentation order, ascending; repetitions are allowed.
        resize: what to do with each picture.
        threads: of the decoder; 0 lets FFmpeg choose.

    Raises:
        VideoError: the file cannot be opened, or one of the frames cannot be decoded.
    """
    wanted = sorted(set(frame_idx))
    pictures = _Pictures(resize)
    if not index.why_sequential:
        try:
            for place, image in decode_frames(path, index, wanted, threads=threads):
                pictures.add(place, image)
            return pictures.clip(frame_idx)
        except NotReachedError:
            logger.debug("%s: frames %d to %d cannot be sought", path, wanted[0], wanted[-1])
    _read_from_beginning(path, index, wanted, pictures)
    return pictures.clip(frame_idx)


class NotReachedError(Exception):
    """Decoding cannot begin where it should; the caller reads from further back."""


class _Pictures:
    """Wanted frames as they come in, by place."""

    def __init__(self, resize: Resize) -> None:
        self._resize = resize
        self._resized: dict[int, np.ndarray] = {}
        self._full_shape = (0, 0)

    def add(self, place: int, image: np.ndarray) -> None:
        self._full_shape = (image.shape[0], image.shape[1])
        self._resized[place] = self._resize(image)

    def clip(self, frame_idx: Sequence[int]) -> Clip:
        return Clip(np.stack([self._resized[place] for place in frame_idx]), self._full_shape)


def decode_frames(
    path: Path, index: VideoIndex, wanted: Sequence[int], *, threads: int = 1
) -> Iterator[tuple[int, np.ndarray]]:
    """Decode some frames of a video that can be sought, one after the other.

    Args:
        path: the file.
        index: of the file as it is now, with frames.
        wanted: places in presentation order, ascending, each once.
        threads: of the decoder; 0 lets FFmpeg choose.

    Yields:
        Place and picture [H, W, 3] uint8, BGR, upright.

    Raises:
        VideoError: the file cannot be opened, or is damaged where a frame is wanted.
        NotReachedError: decoding cannot begin in the middle there; ``VideoReader`` gets at the frame.
    """
    to_bgr = BgrConverter(*index.stored_size)
    with open_container(path) as container:
        stream = find_video_stream(container, path)
        context = stream.codec_context
        context.thread_type, context.thread_count = "AUTO", threads
        context.options = {**context.options, "max_pixels": str(MAX_PIXELS)}
        for places in _stretches(index, wanted):
            for place, decoded in _decode_stretch(container, stream, index, places, path):
                yield place, to_bgr(decoded)


def _stretches(index: VideoIndex, wanted: Sequence[int]) -> list[list[int]]:
    """Divide wanted frames where jumping to a later keyframe saves decoding."""
    stretches = [[wanted[0]]]
    for place in wanted[1:]:
        key_place = int(np.searchsorted(index.pts, index.key_pts[index.key_before(place)]))
        if key_place > stretches[-1][-1] + _FRAMES_PER_JUMP:
            stretches.append([])
        stretches[-1].append(place)
    return stretches


def _decode_stretch(
    container: InputContainer, stream: VideoStream, index: VideoIndex, places: Sequence[int], path: Path
) -> Iterator[tuple[int, VideoFrame]]:
    """Yield (place, frame) of each wanted frame, decoding from the keyframe before the first.

    Raises:
        VideoError: the data are damaged there.
        NotReachedError: decoding cannot begin there.
    """
    start = _seek(container, stream, index, index.key_before(places[0]))
    # What a stream calls a keyframe may be the beginning of a gradual refresh, which gives no frame for a
    # while and then nearly right ones. So the first frame must come out, and every one after it.
    first = place = int(np.searchsorted(index.pts, start))
    awaited = deque(places)
    decoder = FrameDecoder(container, stream, wanted=frozenset(index.pts[places].tolist()))
    for decoded in decoder:
        if decoded.pts is not None and decoded.pts < start:
            continue  # a leading frame, which refers to what was not decoded
        if decoded.interlaced_frame:
            raise NotReachedError  # it takes its neighbours to make a picture of it
        while place < len(index.pts) and index.pts[place] in decoder.left_out:
            place += 1
        if place == len(index.pts) or decoded.pts != index.pts[place]:
            break
        if place == awaited[0]:
            yield awaited.popleft(), decoded
        if not awaited:
            return
        place += 1
    if place == first and decoder.damage is None:
        raise NotReachedError
    place = min(place, len(index.pts) - 1)
    raise VideoError(
        f"{path}: damaged at {index.times[place]:.2f} s ({decoder.damage or 'a frame is missing'});"
        f" the frame at {index.times[awaited[0]]:.2f} s was wanted"
    )


def _seek(container: InputContainer, stream: VideoStream, index: VideoIndex, key: int) -> int:
    """Go to a keyframe, or to one before it, and return its timestamp."""
    stamp = int(index.key_stamps[key])
    try:
        container.seek(stamp, stream=stream)
        first = next(container.demux(stream), None)
        container.seek(stamp, stream=stream)  # the packet that was looked at is gone
    except av.FFmpegError as error:
        raise NotReachedError from error
    if first is None or not first.is_keyframe or first.pts is None or first.pts > index.key_pts[key]:
        raise NotReachedError
    return first.pts


def _read_from_beginning(path: Path, index: VideoIndex, wanted: Sequence[int], pictures: _Pictures) -> None:
    with VideoReader(path) as video:
        for frame in video:
            if frame.idx in wanted:
                if frame.time != index.times[frame.idx]:
                    raise VideoError(f"{path}: its frames are not at the times that its packets tell")
                pictures.add(frame.idx, frame.image())
            if frame.idx >= wanted[-1]:
                return
        damage = video.damage or f"only {frame.idx + 1} of {len(index.times)} frames can be decoded"
    raise VideoError(f"{path}: {damage}; frame {wanted[-1]} at {index.times[wanted[-1]]:.2f} s was wanted")
