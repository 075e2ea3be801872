"""What every reader of labels gives: boxes of people, and what these do, as they stand in the file."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2."""


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """One person at one moment.

    Attributes:
        video: as the file names it: a file name, with or without path and suffix.
        moment: ``int``: number of the frame, from 0; ``float``: seconds from the first frame.
        box: in pixels, unless ``is_normalised``.
        size: (width, height) of the picture that the pixels belong to; ``None``: the video's own.
        person: what links the boxes of one person in a video; "" where nothing does.
        actions: names, in any number.
        place: where it stands, for messages: file and line, or file and key.
        is_normalised: the box is divided by width and height already.
    """

    video: str
    moment: int | float
    box: Box
    actions: tuple[str, ...]
    place: str
    person: str = ""
    size: tuple[int, int] | None = None
    is_normalised: bool = False


@dataclass(frozen=True, slots=True)
class TrackStep:
    """A tracked person on one frame; ``box`` is ``None`` where the track pauses or ends."""

    frame: int
    box: Box | None
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Track:
    """One person through a video; between two steps the box moves evenly.

    Attributes:
        video, person, size, place: as in :class:`LabelledBox`.
        steps: by frame, at least one.
    """

    video: str
    person: str
    steps: tuple[TrackStep, ...]
    place: str
    size: tuple[int, int] | None = None

    def at(self, frame: int) -> TrackStep | None:
        """Return the person on a frame; ``None`` before, after and between the parts of the track."""
        place = bisect_right(self.steps, frame, key=lambda step: step.frame) - 1
        if place < 0:
            return None
        before = self.steps[place]
        if before.box is None or before.frame == frame:
            return before if before.box is not None else None
        return _between(before, self.steps[place + 1], frame) if place + 1 < len(self.steps) else None


def _between(before: TrackStep, after: TrackStep, frame: int) -> TrackStep:
    """Return the step between two, the first with a box: what is done is what was done before."""
    assert before.box is not None
    if after.box is None:
        return TrackStep(frame, before.box, before.actions)
    share = (frame - before.frame) / (after.frame - before.frame)
    x1, y1, x2, y2 = (a + share * (b - a) for a, b in zip(before.box, after.box, strict=True))
    return TrackStep(frame, (x1, y1, x2, y2), before.actions)


@dataclass(frozen=True)
class Labels:
    """The contents of one file.

    Attributes:
        form: what it is, for people: "CVAT for video 1.1".
        boxes: single boxes.
        tracks: people followed through their video.
        notes: what was left out and why, a line each.
    """

    form: str
    boxes: Sequence[LabelledBox] = ()
    tracks: Sequence[Track] = ()
    notes: Sequence[str] = ()
