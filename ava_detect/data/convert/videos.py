"""The videos that labels speak of: their ids, sizes and timestamps."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ava_detect.data.clip_sources import videos_in
from ava_detect.data.video_index import IndexStore
from ava_detect.video.reader import VideoReader
from ava_detect.video.suffixes import VIDEO_SUFFIXES
from evaluation.errors import DataError

_NAMED = 5


@dataclass(frozen=True, eq=False)
class VideoFacts:
    """What labels need of a video.

    Attributes:
        times: [N] seconds of its frames.
        size: (width, height) of the upright picture.
        frame_s: median time from one frame to the next.
    """

    times: np.ndarray
    size: tuple[int, int]
    frame_s: float


class LabelledVideos:
    """Finds videos by the names that labels give them.

    Args:
        folder: with the videos; ``None`` where labels can do without: seconds and normalised boxes.
        index_folder: where indices of videos are kept.

    Raises:
        DataError: the folder cannot be used.
    """

    def __init__(self, folder: Path | None, index_folder: Path) -> None:
        self._folder = folder
        self._paths = videos_in(folder) if folder is not None else {}
        self._indices = IndexStore(index_folder)
        self._facts: dict[str, VideoFacts] = {}

    def id_of(self, name: str, place: str) -> str:
        """Return the video id: the file name without path and suffix.

        Raises:
            DataError: no such video is in the folder, or the name cannot be an id.
        """
        base = PurePosixPath(name.replace("\\", "/")).name
        stem = base if base in self._paths else _without_suffix(base)
        if not stem or not stem.isprintable():
            raise DataError(f"{place}: {name[:80]!r} is no name of a video")
        if self._folder is not None and stem not in self._paths:
            there = ", ".join(list(self._paths)[:_NAMED])
            raise DataError(
                f"{place}: video {stem!r} is not in {self._folder} (there are: {there})",
                hint="A video's file is called as in the labels: NAME.mp4",
            )
        return stem

    def facts(self, video_id: str, place: str) -> VideoFacts:
        """Return what is known of a video.

        Raises:
            DataError: no folder was given.
            VideoError: the video cannot be read.
        """
        if self._folder is None:
            raise DataError(
                f"{place}: frames or pixels of {video_id}, and no videos to look them up in",
                hint="Say where the videos are: --videos DIR",
            )
        if video_id not in self._facts:
            path = self._paths[video_id]
            with VideoReader(path, threads=1) as video:
                size = (video.info.width, video.info.height)
            times = self._indices.of(path).times
            frame_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.04
            self._facts[video_id] = VideoFacts(times, size, frame_s)
        return self._facts[video_id]


def _without_suffix(name: str) -> str:
    """Cut off a suffix of videos; a name may hold other full stops."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in VIDEO_SUFFIXES else name
