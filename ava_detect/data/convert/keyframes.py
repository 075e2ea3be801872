"""From labels as files have them to keyframes: seconds, shares of the picture, people, actions.

Frames are turned into seconds by the timestamps of the video itself, so that any frame rate, constant or not,
is right. Tracks are looked at on a grid of seconds; single boxes make a keyframe where they are, unless a
grid is asked for.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ava_detect.data.convert.labels import Box, LabelledBox, Track
from ava_detect.data.convert.videos import LabelledVideos, VideoFacts
from ava_detect.video.clip_sampler import nearest_frame_indices
from evaluation.errors import DataError

_OUTSIDE = 0.5  # of the picture: a box that lies further out is in another unit or of another video


@dataclass(frozen=True)
class Person:
    """Somebody on a keyframe: normalised box, person's number in the video, names of actions."""

    box: Box
    number: int
    actions: tuple[str, ...]


@dataclass
class ConvertedVideo:
    """The keyframes of one video, by time.

    Attributes:
        people: who is there by second; an empty list says that somebody has looked and found nobody.
    """

    people: dict[float, list[Person]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class Converted:
    """All videos by id, and what was left out, counted."""

    videos: dict[str, ConvertedVideo] = field(default_factory=lambda: defaultdict(ConvertedVideo))
    left_out: Counter[str] = field(default_factory=Counter)


class KeyframeMaker:
    """Collects the keyframes of any number of files.

    Args:
        videos: where sizes and timestamps come from.
        every: seconds between keyframes; ``None``: 1 for tracks, and wherever single boxes are.
    """

    def __init__(self, videos: LabelledVideos, every: float | None = None) -> None:
        self._videos, self._every = videos, every
        self._numbers: dict[str, dict[str, int]] = defaultdict(dict)
        self.result = Converted()

    def add_boxes(self, boxes: Sequence[LabelledBox]) -> None:
        """Add single boxes; equal boxes of one moment are one person.

        Raises:
            DataError: a box makes no sense, or a video is not known that is needed.
        """
        for label in boxes:
            video_id = self._videos.id_of(label.video, label.place)
            second = self._second(label, video_id)
            if second is None:
                continue
            if not label.actions:
                self.result.left_out["people without an action"] += 1
                continue
            box = self._normalised(label.box, label, video_id)
            self._add(video_id, second, box, label.person, label.actions)

    def add_tracks(self, tracks: Sequence[Track]) -> None:
        """Add tracks, looked at every so many seconds from the first to the last frame that a track touches.

        Raises:
            DataError: a box makes no sense, or a video is not there.
        """
        by_video: dict[str, list[Track]] = defaultdict(list)
        for track in tracks:
            by_video[self._videos.id_of(track.video, track.place)].append(track)
        for video_id, listed in by_video.items():
            facts = self._videos.facts(video_id, listed[0].place)
            first = min(track.steps[0].frame for track in listed)
            last = max(track.steps[-1].frame for track in listed)
            self._note_late_frames(facts, last)
            for second, frame in _grid(facts, self._every or 1.0, first, last):
                self._look_at(video_id, listed, second, frame)

    def _look_at(self, video_id: str, tracks: Iterable[Track], second: float, frame: int) -> None:
        """Add the keyframe, and everybody who is there."""
        idle = 0
        for track in tracks:
            step = track.at(frame)
            if step is None or step.box is None:
                continue
            if step.actions:
                box = self._normalised(step.box, track, video_id)
                self._add(video_id, second, box, track.person, step.actions)
            idle += not step.actions
        if not idle:  # touch it: nobody is there, and that is known
            self.result.videos[video_id].people[second]
        self.result.left_out["people without an action"] += idle

    def _add(self, video_id: str, second: float, box: Box, person: str, actions: tuple[str, ...]) -> None:
        people = self.result.videos[video_id].people[second]
        for place, other in enumerate(people):
            if other.box == box:
                joined = tuple(dict.fromkeys([*other.actions, *actions]))
                people[place] = Person(box, other.number, joined)
                return
        numbers = self._numbers[video_id]
        key = person or f"\0{len(numbers)}"  # somebody whom nothing links gets a number of his own
        people.append(Person(box, numbers.setdefault(key, len(numbers)), actions))

    def _second(self, label: LabelledBox, video_id: str) -> float | None:
        """Return the keyframe's second; ``None`` where there is none, which is counted."""
        if isinstance(label.moment, int):
            facts = self._videos.facts(video_id, label.place)
            if label.moment >= len(facts.times):
                self.result.left_out["boxes on frames behind the end of their video"] += 1
                return None
            second = float(facts.times[label.moment])
            tolerance = facts.frame_s / 2
        else:
            second, tolerance = label.moment, 0.0005
        if self._every is None:
            return round(second, 3)
        nearest = round(second / self._every) * self._every
        if abs(nearest - second) > tolerance + 1e-6:
            self.result.left_out[f"boxes between keyframes every {self._every:g} s"] += 1
            return None
        return round(nearest, 3)

    def _normalised(self, box: Box, label: LabelledBox | Track, video_id: str) -> Box:
        """Divide by the picture's size and cut off what lies outside.

        Raises:
            DataError: the box is empty, upside down, or far outside.
        """
        width, height = 1.0, 1.0
        if isinstance(label, Track) or not label.is_normalised:
            width, height = label.size or self._videos.facts(video_id, label.place).size
        x1, y1, x2, y2 = box[0] / width, box[1] / height, box[2] / width, box[3] / height
        if not (x1 < x2 and y1 < y2):
            raise DataError(f"{label.place}: box {_shown(box)}; expected x1 < x2 and y1 < y2")
        if min(x1, y1) < -_OUTSIDE or max(x2, y2) > 1 + _OUTSIDE or min(x2, y2) <= 0 or max(x1, y1) >= 1:
            raise DataError(
                f"{label.place}: box {_shown(box)} lies outside the picture of {width:g} x {height:g}",
                hint="Is it another video's, or another unit? (--unit pixels or normalised, for tables)",
            )
        clipped = tuple(round(min(max(value, 0.0), 1.0), 6) for value in (x1, y1, x2, y2))
        if clipped != tuple(round(value, 6) for value in (x1, y1, x2, y2)):
            self.result.left_out["parts of boxes outside the picture"] += 1
        return clipped[0], clipped[1], clipped[2], clipped[3]

    def _note_late_frames(self, facts: VideoFacts, last: int) -> None:
        if last > len(facts.times):  # CVAT ends a track one frame behind its last box
            self.result.left_out["frames of tracks behind the end of their video"] += last - len(facts.times)


def _grid(facts: VideoFacts, every: float, first: int, last: int) -> list[tuple[float, int]]:
    """Return (second, nearest frame) of the keyframes between two frames."""
    last = min(last, len(facts.times) - 1)
    if first > last:
        return []
    begin_s, end_s = float(facts.times[first]), float(facts.times[last])
    numbers = np.arange(math.floor(begin_s / every), math.ceil(end_s / every) + 1)
    frames = nearest_frame_indices(facts.times, numbers * every)
    return [
        (round(float(number * every), 3), int(frame))
        for number, frame in zip(numbers, frames, strict=True)
        if first <= frame <= last and float(number * every) <= facts.times[-1]
    ]


def _shown(box: Box) -> str:
    return ", ".join(f"{value:g}" for value in box)


def count_actions(videos: Mapping[str, ConvertedVideo]) -> Counter[str]:
    """Return how many people do each action."""
    return Counter(
        action
        for video in videos.values()
        for people in video.people.values()
        for person in people
        for action in person.actions
    )
