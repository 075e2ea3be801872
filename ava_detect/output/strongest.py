"""The strongest actions of a run as a small table: what is printed when no output was asked for."""

from collections.abc import Iterable
from dataclasses import dataclass

from ava_detect.output.clock import clock
from ava_detect.output.records import Header, Keyframe, Record


@dataclass(frozen=True)
class Moment:
    """Where one person does one action most surely."""

    video_id: str
    time: float
    person_id: int | None
    action: str
    score: float


def strongest(records: Iterable[Record], count: int = 10) -> list[Moment]:
    """Return the best moments, best first; each action of a person once, at its best keyframe.

    Without tracking, each action of a video once. Memory holds ``count`` moments.
    """
    best: dict[tuple[str, int | None, str], Moment] = {}
    for moment in _moments(records):
        key = moment.video_id, moment.person_id, moment.action
        if key in best:
            if moment.score > best[key].score:
                best[key] = moment
            continue
        # A key that was pushed out and comes back has its best score then: it was below all that stayed.
        if len(best) == count:
            weakest = min(best, key=lambda other: best[other].score)
            if moment.score <= best[weakest].score:
                continue
            del best[weakest]
        best[key] = moment
    return sorted(best.values(), key=lambda moment: (-moment.score, moment.video_id, moment.time))


def _moments(records: Iterable[Record]) -> Iterable[Moment]:
    video_id, names = "", dict[int, str]()
    for record in records:
        match record:
            case Header():
                video_id = record.video.video_id
                names = {action.id: action.name for action in record.model.classes}
            case Keyframe():
                for person in record.persons:
                    for action_id, score in person.actions:
                        yield Moment(video_id, record.time, person.person_id, names[action_id], score)


def table_lines(moments: Iterable[Moment]) -> list[str]:
    """Return the moments as an aligned table; no lines when there are none."""
    rows = [
        (
            moment.video_id,
            clock(moment.time),
            f"#{moment.person_id}" if moment.person_id else "",
            moment.action,
            f"{moment.score:.2f}",
        )
        for moment in moments
    ]
    if not rows:
        return []
    table = [("video", "time", "person", "action", "score"), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(5)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
