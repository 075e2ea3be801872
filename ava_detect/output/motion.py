"""Where people are between keyframes: along their path, or faded out where there is none."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ava_detect.output.records import BoxPath, Keyframe, Person

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

    A person on both keyframes moves along the path that was followed, in straight lines from point to point,
    and has the labels of the nearer one. A person with an id on one of them only is drawn near it, on the
    path if there is one, and fades. A person without id is drawn until half-way.

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
                points = _points(keyframe, person, after, every_s=every_s)
                found.append(Appearance(person, _at(time, points), opacity))
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
    paths = {path.person_id: path for path in after.paths}
    then = {person.person_id: person for person in before.persons if person.person_id is not None}
    for person in after.persons:
        if (earlier := then.get(person.person_id or 0)) is not None:
            nearer = earlier if share < 0.5 else person
            path = paths.get(person.person_id or 0)
            ends = ((before.frame_time, earlier.box_px), (after.frame_time, person.box_px))
            yield Appearance(nearer, _at(time, [ends[0], *_inner(path), ends[1]]), 1.0)


def _points(
    keyframe: Keyframe, person: Person, after: Keyframe | None, *, every_s: float
) -> list[tuple[float, Box]]:
    """Return where a person who is on one keyframe only was followed to, or from."""
    own = (keyframe.frame_time, person.box_px)
    if after is None or abs(after.frame_time - keyframe.frame_time) > _MAX_STRETCH * every_s:
        return [own]
    path = next((path for path in after.paths if path.person_id == person.person_id), None)
    return [*_inner(path), own] if keyframe is after else [own, *_inner(path)]


def _inner(path: BoxPath | None) -> list[tuple[float, Box]]:
    return [] if path is None else [(time, (x1, y1, x2, y2)) for time, x1, y1, x2, y2 in path.points]


def _at(time: float, points: Sequence[tuple[float, Box]]) -> Box:
    """Return the box of a time on a path; before its first point and behind its last one the box stays."""
    if time <= points[0][0]:
        return points[0][1]
    for (start, box), (end, following) in itertools.pairwise(points):
        if time <= end:
            return _between(box, following, (time - start) / max(end - start, 1e-9))
    return points[-1][1]


def _is_nearest(time: float, keyframe: Keyframe, before: Keyframe | None, after: Keyframe | None) -> bool:
    if before is None or after is None:
        return True
    return keyframe is (before if time - before.frame_time < after.frame_time - time else after)


def _between(start: Box, end: Box, share: float) -> Box:
    x1, y1, x2, y2 = ((1 - share) * first + share * last for first, last in zip(start, end, strict=True))
    return x1, y1, x2, y2
