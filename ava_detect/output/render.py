"""Writes the annotated video: a second pass over the file, drawn on from the journal's keyframes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ava_detect.output.chips import Standings
from ava_detect.output.labels import choose_labels
from ava_detect.output.motion import Appearance, appearances
from ava_detect.output.overlay import DrawnPerson, TimeStamp, draw_frame
from ava_detect.output.records import ActionClass, Keyframe
from ava_detect.output.style import Style
from ava_detect.output.summary import SEEN_SCORE
from ava_detect.video.reader import VideoReader
from ava_detect.video.writer import VideoWriter

_TICK_S = 0.15  # the mark of a keyframe stays long enough to be seen
_FINE_TICK = Fraction(1, 90_000)  # for frames that are, or may be, unevenly spaced


@dataclass(frozen=True)
class OverlayOptions:
    """What is drawn.

    Attributes:
        every_s: distance of the keyframes, seconds.
        top_k: actions per person, the best pose among them.
        label_thresh: lowest score of an action that is drawn.
        timestamp: whether the time is shown.
        end_s: the video is written up to here, seconds; None: to its end.
    """

    every_s: float = 1.0
    top_k: int = 5
    label_thresh: float = SEEN_SCORE
    timestamp: bool = True
    end_s: float | None = None


def render_video(
    video_path: str | Path,
    keyframes: Iterable[Keyframe],
    classes: Sequence[ActionClass],
    out_path: str | Path,
    options: OverlayOptions,
    *,
    progress: Callable[[float], None] | None = None,
) -> int:
    """Draw people and actions onto every frame of a video and write it with the sound.

    Size, frame times and sound are the input's; memory does not grow with the length.

    Args:
        video_path: the video that the keyframes are of.
        keyframes: in the order of time; read one ahead.
        classes: names and groups of the actions.
        out_path: ends in ``.mp4``; appears when it is complete.
        options: what is drawn.
        progress: called with the time of every frame, seconds.

    Returns:
        How many frames were written.

    Raises:
        VideoError: the video cannot be read, or the file cannot be written.
    """
    frames = 0
    with (
        VideoReader(video_path) as video,
        VideoWriter(
            out_path,
            fps=video.info.fps,
            time_base=None if video.info.variable_rate is False else _FINE_TICK,
            audio_from=video.info,
            sample_aspect_ratio=video.info.sample_aspect_ratio,
        ) as writer,
    ):
        painter = _Painter(classes, options)
        timeline = _Timeline(keyframes)
        for frame in video:
            if options.end_s is not None and frame.time > options.end_s and frames:
                break
            before, after = timeline.around(frame.time)
            image = np.ascontiguousarray(frame.image())
            painter.paint(image, frame.time, before, after)
            writer.write(image, frame.time)
            frames += 1
            if progress is not None:
                progress(frame.time)
    return frames


class _Timeline:
    """Walks along keyframes, one ahead.

    Args:
        keyframes: in the order of time.
    """

    def __init__(self, keyframes: Iterable[Keyframe]) -> None:
        self._coming: Iterator[Keyframe] = iter(keyframes)
        self._before: Keyframe | None = None
        self._after: Keyframe | None = next(self._coming, None)

    def around(self, time: float) -> tuple[Keyframe | None, Keyframe | None]:
        """Return the last keyframe at or before a time and the first after it; times must not go back."""
        while self._after is not None and self._after.frame_time <= time:
            self._before, self._after = self._after, next(self._coming, None)
        return self._before, self._after


class _Painter:
    """Draws frame after frame; remembers where the chips stood."""

    def __init__(self, classes: Sequence[ActionClass], options: OverlayOptions) -> None:
        self._classes = {action.id: action for action in classes}
        self._options = options
        self._standings: Standings | None = None

    def paint(self, image: np.ndarray, time: float, before: Keyframe | None, after: Keyframe | None) -> None:
        """Draw the people between two keyframes onto a frame."""
        shown = appearances(time, before, after, every_s=self._options.every_s)
        time_stamp = None
        if self._options.timestamp:
            at_keyframe = before is not None and time - before.frame_time < min(
                _TICK_S, self._options.every_s / 2
            )
            time_stamp = TimeStamp(time, at_keyframe)
        self._standings = draw_frame(
            image,
            [self._drawn(appearance) for appearance in shown],
            Style.for_picture(*image.shape[:2]),
            time_stamp=time_stamp,
            before=self._standings,
        )

    def _drawn(self, appearance: Appearance) -> DrawnPerson:
        labels = choose_labels(
            appearance.person.actions,
            self._classes,
            top_k=self._options.top_k,
            threshold=self._options.label_thresh,
        )
        return DrawnPerson(appearance.box, appearance.person.person_id, labels, appearance.opacity)
