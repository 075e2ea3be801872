"""Where clips come from: a folder of videos, or folders of extracted frames with the lists that name them.

Both take a frame for each wanted time, the nearest one, as prediction does. A frame folder stands for a video
of 30 frames per second, so that its clips are PySlowFast's: frame ``(second - start_second) * 30`` and its
neighbours, the first and last frame repeated beyond the ends.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from ava_detect.data.frame_lists import read_frame_list
from ava_detect.data.video_clips import Clip, Resize, read_video_clip
from ava_detect.data.video_index import IndexStore
from ava_detect.video.clip_sampler import nearest_frame_indices
from ava_detect.video.reader import VideoReader
from ava_detect.video.suffixes import VIDEO_SUFFIXES
from evaluation.errors import DataError, VideoError
from evaluation.rows import format_time

FRAMES_PER_S = 30.0
"""Of extracted frames; the published models' frames were extracted at this rate."""


class ClipSource(Protocol):
    """Gives the frames around a keyframe."""

    @property
    def video_names(self) -> frozenset[str]:
        """The videos that are there, by id."""

    def clip(self, video_id: str, second: float, offsets: np.ndarray, resize: Resize) -> Clip:
        """Return the frames nearest to ``second + offsets``.

        Args:
            video_id: one of ``video_names``.
            second: of the keyframe, on the clock of the annotations.
            offsets: [T] seconds relative to it, ascending.
            resize: what to do with each picture.

        Raises:
            VideoError: the video cannot be read there, or it has no such second.
        """

    def picture_shape(self, video_id: str) -> tuple[int, int]:
        """Return height and width of a video's pictures, without its length having a say.

        Raises:
            VideoError: the video cannot be read.
        """


class VideoFolder:
    """Videos named by their ids: ``FOLDER/ID.mp4``, any container.

    Args:
        folder: with the videos.
        index_folder: where what is learned about their frames is kept.
        start_second: time on the annotations' clock of a video's first frame; 900 for AVA's 15-minute cuts, 0
            for whole films.
        threads: decoding threads; 0 lets FFmpeg choose. One is best where many processes read.

    Raises:
        DataError: the folder cannot be read, has no video, or has two of one name.
    """

    def __init__(
        self, folder: str | Path, *, index_folder: str | Path, start_second: float = 0.0, threads: int = 1
    ) -> None:
        self._paths = videos_in(Path(folder))
        self._indices = IndexStore(Path(index_folder))
        self._start_second, self._threads = start_second, threads

    @property
    def video_names(self) -> frozenset[str]:
        """The videos that are there, by id."""
        return frozenset(self._paths)

    def clip(self, video_id: str, second: float, offsets: np.ndarray, resize: Resize) -> Clip:
        """Decode the frames nearest to ``second + offsets``; see :class:`ClipSource`."""
        path = self._paths[video_id]
        index = self._indices.of(path)
        places = _places(index.times, second, self._start_second, offsets, str(path))
        return read_video_clip(path, index, places, resize, threads=self._threads)

    def picture_shape(self, video_id: str) -> tuple[int, int]:
        """Decode the first frame to see its height and width."""
        with VideoReader(self._paths[video_id], threads=self._threads) as video:
            return video.info.height, video.info.width


class FrameFolder:
    """Extracted frames, 30 per second, and the lists that name them in order.

    Args:
        folder: to which the lists' paths are relative.
        lists: PySlowFast's frame lists.
        start_second: time on the annotations' clock of a video's first frame.

    Raises:
        DataError: a list cannot be read or is not one.
    """

    def __init__(self, folder: str | Path, lists: Iterable[str | Path], *, start_second: float = 0.0) -> None:
        self._folder, self._start_second = Path(folder), start_second
        self._names = {name: frames for path in lists for name, frames in read_frame_list(path).items()}

    @property
    def video_names(self) -> frozenset[str]:
        """The videos that are there, by id."""
        return frozenset(self._names)

    def clip(self, video_id: str, second: float, offsets: np.ndarray, resize: Resize) -> Clip:
        """Read the frames nearest to ``second + offsets``; see :class:`ClipSource`."""
        names = self._names[video_id]
        times = np.arange(len(names)) / FRAMES_PER_S
        places = _places(times, second, self._start_second, offsets, f"{video_id} (frames)")
        read: dict[int, np.ndarray] = {}
        shapes = set()
        for place in sorted(set(places)):
            image = _read_image(self._folder / names[place])
            shapes.add((image.shape[0], image.shape[1]))
            read[place] = resize(image)
        if len(shapes) > 1:
            raise VideoError(f"{video_id}: its frames differ in size: {sorted(shapes)} (height, width)")
        return Clip(np.stack([read[place] for place in places]), shapes.pop())

    def picture_shape(self, video_id: str) -> tuple[int, int]:
        """Read the first frame to see its height and width."""
        image = _read_image(self._folder / self._names[video_id][0])
        return image.shape[0], image.shape[1]


def videos_in(folder: Path) -> dict[str, Path]:
    """Return the videos of a folder by id, in the order of their names.

    Raises:
        DataError: the folder cannot be read, has no video, or has two of one name.
    """
    try:
        found = sorted(path for path in folder.iterdir() if _is_video(path))
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{folder}: cannot be read ({reason}); expected a folder of videos") from error
    if not found:
        raise DataError(f"{folder}: no video in it; expected files like ID.mp4 (AVA.VIDEO_DIR)")
    paths: dict[str, Path] = {}
    for path in found:
        if path.stem in paths:
            raise DataError(f"{folder}: {paths[path.stem].name} and {path.name} are both video {path.stem!r}")
        paths[path.stem] = path
    return paths


def _is_video(path: Path) -> bool:
    """Tell a video by its name; hidden files are unfinished ones."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")


def _places(
    times: np.ndarray, second: float, start_second: float, offsets: np.ndarray, what: str
) -> list[int]:
    """Return the frames nearest to the wanted times; the keyframe itself must lie in the video."""
    keyframe_s = second - start_second
    if not 0 <= keyframe_s <= times[-1]:
        raise VideoError(
            f"{what}: no second {format_time(second)}: it begins at {format_time(start_second)} and lasts"
            f" {times[-1]:.2f} s"
        )
    places: list[int] = nearest_frame_indices(times, keyframe_s + offsets).tolist()
    return places


def _read_image(path: Path) -> np.ndarray:
    image: np.ndarray | None = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        what = "cannot be read as a picture" if path.is_file() else "no such file"
        raise VideoError(f"{path}: {what}")
    return image
