"""Where people are between keyframes: along their track, or faded out where there is none."""

from collections.abc import Iterator
from dataclasses import dataclass

from ava_detect.output.records import Keyframe, Person

_FULL = 0.3  # of the distance of keyframes: so long a lone box is drawn in full
_GONE = 0.5  # from here on it is not drawn; the person may be elsewhere by now
_MAX_STRETCH = 1.5  # of the usual distance: a longer gap (damage) is not bridged

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Appearance:
    """A person in one frame: labels are ``person``'s, the box has moved on, opacity in (0, 1]."""

    person: Person
    box: Box
    opacity: float


def appearances(
    time: float, before: Keyframe | None, after: Keyframe | None, *, every_s: float
) -> list[Appearance]:
    """Return the people of a frame between two keyframes, in the order of their ids.

    A person on both keyframes moves in a straight line and has the labels of the nearer one. A person with an
    id on one of them only is drawn near it and fades. A person without id is drawn until half-way.

    Args:
        time: of the frame, seconds.
        before: the last keyframe at or before that time; None before the first.
        after: the next one; None after the last.
        every_s: usual distance of keyframes.
    """
    found = [*_linked(time, before, after, every_s)]
    linked = {appearance.person.person_id for appearance in found}
    for keyframe in (before, after):
        if keyframe is None:
            continue
        distance = abs(time - keyframe.frame_time) / every_s
        for person in keyframe.persons:
            if person.person_id is None:
                opacity = float(_is_nearest(time, keyframe, before, after) and distance <= _GONE)
            else:
                opacity = min(1.0, max(0.0, (_GONE - distance) / (_GONE - _FULL)))
            if opacity > 0 and (person.person_id is None or person.person_id not in linked):
                found.append(Appearance(person, person.box_px, opacity))
    return sorted(found, key=lambda appearance: appearance.person.person_id or 0)


def _linked(
    time: float, before: Keyframe | None, after: Keyframe | None, every_s: float
) -> Iterator[Appearance]:
    if before is None or after is None:
        return
    gap = after.frame_time - before.frame_time
    if not 0 < gap <= _MAX_STRETCH * every_s:
        return
    share = (time - before.frame_time) / gap
    then = {person.person_id: person for person in before.persons if person.person_id is not None}
    for person in after.persons:
        if (earlier := then.get(person.person_id or 0)) is not None:
            nearer = earlier if share < 0.5 else person
            yield Appearance(nearer, _between(earlier.box_px, person.box_px, share), 1.0)


def _is_nearest(time: float, keyframe: Keyframe, before: Keyframe | None, after: Keyframe | None) -> bool:
    if before is None or after is None:
        return True
    return keyframe is (before if time - before.frame_time < after.frame_time - time else after)


def _between(start: Box, end: Box, share: float) -> Box:
    x1, y1, x2, y2 = ((1 - share) * first + share * last for first, last in zip(start, end, strict=True))
    return x1, y1, x2, y2
