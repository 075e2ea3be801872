"""From the name of an extracted picture to the video it was taken from, and when."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from evaluation.errors import DataError

_NUMBERED = re.compile(r"(?:(?P<stem>.*?)[ _\-.]*?)(?P<number>\d{1,9})", re.ASCII)
_EMPTY_STEMS = frozenset({"", "frame", "img", "image"})  # img_00042.jpg: the folder names the video


@dataclass(frozen=True)
class ImageNames:
    """How pictures were extracted.

    Attributes:
        rate: pictures per second; 0: one for every frame of the video.
        first: number of the first picture; 1 is FFmpeg's habit, 0 that of many tools.
    """

    rate: float = 0.0
    first: int = 0

    def video_and_moment(self, name: str, place: str) -> tuple[str, int | float]:
        """Return a picture's video and moment: frame or second.

        ``VIDEO_000042.jpg``, ``VIDEO/000042.jpg``, ``VIDEO/frame_000042.jpg`` and ``VIDEO/VIDEO_000042.jpg``
        are picture 42 of VIDEO.

        Raises:
            DataError: the name does not tell.
        """
        path = PurePosixPath(name.replace("\\", "/"))
        match = _NUMBERED.fullmatch(path.stem)
        video = match["stem"] if match else ""
        if match and video.lower() in _EMPTY_STEMS:
            video = path.parent.name
        if not match or not video or int(match["number"]) < self.first:
            raise DataError(
                f"{place}: the name {name[:80]!r} does not tell video and frame; expected names like"
                " VIDEO_000042.jpg or VIDEO/000042.jpg",
                hint="--first-image and --image-rate say how the pictures were numbered.",
            )
        order = int(match["number"]) - self.first
        return video, (order / self.rate if self.rate else order)
