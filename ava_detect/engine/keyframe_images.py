"""Full-size keyframes of videos and frame folders, with as little decoding as they need.

A keyframe shows the frame that ``predict`` uses for it: the nearest, the earlier one of two equally near.
Where a video can be sought, decoding begins at the stored keyframe before each wanted one if that saves work;
elsewhere, and behind anything that goes wrong, the video is read from its beginning.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from ava_detect.data.clip_sources import FRAMES_PER_S
from ava_detect.data.frame_lists import FramePaths
from ava_detect.data.video_clips import NotReachedError, decode_frames
from ava_detect.data.video_index import VideoIndex, index_of_packets
from ava_detect.engine.keyframe_clips import KeyframeClip, keyframe_clips
from ava_detect.output.records import VideoFacts
from ava_detect.video.clip_sampler import nearest_frame_indices
from ava_detect.video.reader import VideoReader
from evaluation.errors import VideoError

log = logging.getLogger(__name__)

_NO_CLIP = np.zeros((0, 0, 0, 3), np.uint8)


class KeyframePictures(Protocol):
    """A video whose keyframes can be had.

    Attributes:
        path: the file or folder, for messages.
        damage: after ``keyframes``, why it ended before the wanted times; None when it did not.
    """

    path: Path
    damage: str | None

    def facts(self, video_id: str) -> VideoFacts:
        """Return what the journal says of the video.

        Raises:
            VideoError: it cannot be read.
        """

    def keyframes(self, times: Iterable[float]) -> Iterator[KeyframeClip]:
        """Yield the keyframes that the video reaches, without clips around them.

        Args:
            times: seconds from the first frame, increasing; may be endless.

        Raises:
            VideoError: it cannot be read.
        """


class VideoPictures:
    """The keyframes of a video file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: str | None = None

    def facts(self, video_id: str) -> VideoFacts:
        """Return what the journal says of the video; see :class:`KeyframePictures`."""
        with VideoReader(self.path, threads=1) as video:
            return VideoFacts.of(video.info, video_id)

    def keyframes(self, times: Iterable[float]) -> Iterator[KeyframeClip]:
        """Yield the keyframes; see :class:`KeyframePictures`."""
        index = index_of_packets(self.path)
        if index.why_sequential:
            log.debug("%s: %s; read from its beginning", self.path, index.why_sequential)
            yield from self._from_beginning(times)
            return
        wanted = list(takewhile(lambda moment: moment <= index.times[-1], times))
        done = 0
        try:
            for clip in self._sought(index, wanted):
                yield clip
                done += 1
        except (NotReachedError, VideoError) as reason:
            log.debug("%s: %s; read from its beginning", self.path, reason)
            yield from self._from_beginning(wanted[done:])

    def _sought(self, index: VideoIndex, wanted: Sequence[float]) -> Iterator[KeyframeClip]:
        places = nearest_frame_indices(index.times, np.array(wanted)).tolist()
        coming = iter(zip(wanted, places, strict=True))
        keyframe = next(coming, None)
        if keyframe is None:
            return
        for place, image in decode_frames(self.path, index, sorted(set(places)), threads=0):
            while keyframe is not None and keyframe[1] == place:
                yield KeyframeClip(keyframe[0], float(index.times[place]), place, image, _NO_CLIP)
                keyframe = next(coming, None)

    def _from_beginning(self, times: Iterable[float]) -> Iterator[KeyframeClip]:
        with VideoReader(self.path) as video:
            yield from keyframe_clips(video, times, offsets=np.zeros(1), resize=lambda image: image[:1, :1])
            self.damage = None if video.damage is None else str(video.damage)


class FolderPictures:
    """The keyframes of a video whose frames were extracted, 30 per second.

    Args:
        folder: to which the paths are relative.
        names: paths of the frames, in order.
    """

    def __init__(self, folder: Path, names: FramePaths) -> None:
        self.path = folder / Path(names[0]).parent
        self.damage: str | None = None
        self._folder, self._names = folder, names

    def facts(self, video_id: str) -> VideoFacts:
        """Return what the journal says of the video; see :class:`KeyframePictures`."""
        height, width = self._read(0).shape[:2]
        return VideoFacts(
            video_id=video_id,
            path=str(self.path),
            width=width,
            height=height,
            duration_s=len(self._names) / FRAMES_PER_S,
            fps=f"{FRAMES_PER_S:g}",
        )

    def keyframes(self, times: Iterable[float]) -> Iterator[KeyframeClip]:
        """Yield the keyframes; see :class:`KeyframePictures`."""
        frame_times = np.arange(len(self._names)) / FRAMES_PER_S
        for moment in takewhile(lambda moment: moment <= frame_times[-1], times):
            place = int(nearest_frame_indices(frame_times, np.array([moment]))[0])
            yield KeyframeClip(moment, float(frame_times[place]), place, self._read(place), _NO_CLIP)

    def _read(self, place: int) -> np.ndarray:
        path = self._folder / self._names[place]
        image: np.ndarray | None = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            what = "cannot be read as a picture" if path.is_file() else "no such file"
            raise VideoError(f"{path}: {what}")
        return image
