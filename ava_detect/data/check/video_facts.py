"""What is known of a video that was read; apart from the reading, which needs FFmpeg."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ava_detect.video.reader import VideoInfo

MIN_SHORT_SIDE = 256  # the published models see pictures with this short side


@dataclass(frozen=True, eq=False)
class VideoFacts:
    """What was found by reading a video.

    Attributes:
        path: the file.
        video_id: what its rows are called.
        info: what the file says of itself.
        times: [n] seconds of its good frames, ascending; n >= 1.
        damage: where and why it ends early, ``None`` when it is whole.
    """

    path: Path
    video_id: str
    info: "VideoInfo"
    times: np.ndarray
    damage: str | None

    @property
    def last_s(self) -> float:
        """When the last frame is shown."""
        return float(self.times[-1])

    @property
    def step_s(self) -> float:
        """Usual time between two frames."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.0

    @property
    def length_s(self) -> float:
        """Real length, the last frame's time included."""
        return self.last_s + self.step_s

    def summary(self) -> str:
        """Describe the video in a few words."""
        rate = f"{1 / self.step_s:.4g} fps" if self.step_s else "one frame"
        return f"{clock(self.length_s)}, {self.info.width}x{self.info.height}, {rate}, {self.info.codec}"


def clock(seconds: float) -> str:
    """Format seconds as ``m:ss.s`` or ``h:mm:ss.s``."""
    tenths = round(seconds * 10)
    hours, minutes, rest = tenths // 36000, tenths // 600 % 60, tenths % 600 / 10
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
