"""Draws person boxes and their scores on a video: what stage one sees."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from ava_detect.output.journal import read_journal
from ava_detect.output.records import ActionClass, Keyframe
from ava_detect.output.render import OverlayOptions, render_video

_PERSON = ActionClass(1, "person", "pose")
_MOST = 20  # people drawn per keyframe, the surest: more would hide the picture


def draw_boxes(
    video: Path, journal: Path, out: Path, *, every_s: float, progress: Callable[[float], None] | None = None
) -> None:
    """Draw the people of a journal, each with one chip that shows the score; in a crowd the surest 20.

    Args:
        video: that the journal is of.
        journal: of one video.
        out: ends in ``.mp4``; appears when it is complete.
        every_s: usual distance of the keyframes, seconds.
        progress: called with the time of every frame, seconds.

    Raises:
        VideoError: the video cannot be read, or the file cannot be written.
    """
    options = OverlayOptions(every_s, top_k=1, label_thresh=0.0)
    render_video(video, _scored(journal), (_PERSON,), out, options, progress=progress)


def _scored(journal: Path) -> Iterator[Keyframe]:
    for record in read_journal(journal):
        if isinstance(record, Keyframe):
            persons = [
                replace(person, actions=((_PERSON.id, person.score),)) for person in record.persons[:_MOST]
            ]
            yield replace(record, persons=tuple(persons))
