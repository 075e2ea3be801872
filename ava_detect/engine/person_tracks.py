"""Person ids on keyframes and paths between them: the tracker's geometry, and what is seen in between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ava_detect.engine.following import Followed, find_cuts, follow
from ava_detect.engine.keyframe_clips import KeyframeClip, Steps
from ava_detect.engine.tracker import Carried, Tracker
from ava_detect.output.results import PersonPath
from person_detector import PersonBoxes

STEP_S = 0.1
"""Distance of the pictures in which people are followed; who runs moves by a third of a height in it."""


@dataclass(frozen=True, eq=False)
class _Seen:
    """The people of a keyframe: boxes [R, 4] in its pixels, ids [R]."""

    boxes: np.ndarray
    ids: np.ndarray


class PersonTracks:
    """Gives people ids and paths, keyframe by keyframe of one video.

    What is remembered of the past are results alone, so a run that goes on after an interruption gives the
    same ids and paths.
    """

    def __init__(self) -> None:
        self._tracker = Tracker()
        self._last: _Seen | None = None

    def recall(self, time: float, boxes: np.ndarray, ids: np.ndarray) -> None:
        """Take people whose ids are known: results of an interrupted run; see ``Tracker.recall``."""
        self._tracker.recall(time, boxes, ids)
        self._last = _Seen(boxes, ids)

    def update(self, clip: KeyframeClip, people: PersonBoxes) -> tuple[np.ndarray, tuple[PersonPath, ...]]:
        """Take the people of the next keyframe.

        Returns:
            [R] ids from 1, and where the people of this and the last keyframe were between the two.
        """
        last, steps = self._last, clip.steps
        paths: tuple[PersonPath, ...] = ()
        if last is None or steps is None:
            ids = self._tracker.update(clip.time, people.boxes, people.scores)
        else:
            ids, paths = self._follow(clip, steps, people, last)
        self._last = _Seen(people.boxes, ids)
        return ids, paths

    def _follow(
        self, clip: KeyframeClip, steps: Steps, people: PersonBoxes, last: _Seen
    ) -> tuple[np.ndarray, tuple[PersonPath, ...]]:
        height, width = clip.image.shape[:2]
        small_height, small_width = steps.pictures[0].shape
        scale = np.array([width / small_width, height / small_height] * 2)
        cuts = find_cuts(steps.pictures)
        forwards = _until(follow(steps.pictures, last.boxes / scale), cuts[0] if cuts else None)
        reversed_cut = len(steps.pictures) - cuts[-1] if cuts else None
        backwards = _until(follow(steps.pictures[::-1], people.boxes / scale), reversed_cut)
        there, back = forwards.boxes * scale, backwards.boxes[::-1] * scale
        there[~forwards.sure], back[~backwards.sure[::-1]] = np.nan, np.nan
        if cuts:
            self._tracker.forget()
        carried = Carried(last.ids, there[-1], back[0])
        ids = self._tracker.update(clip.time, people.boxes, people.scores, carried=carried)
        return ids, tuple(_paths(steps.times, last, there, _Seen(people.boxes, ids), back))


def _until(followed: Followed, cut: int | None) -> Followed:
    """Let nobody be sure from the picture with which another scene begins."""
    if cut is None:
        return followed
    sure = followed.sure.copy()
    sure[cut:] = False
    return Followed(followed.boxes, sure)


def _paths(
    times: np.ndarray, last: _Seen, there: np.ndarray, now: _Seen, back: np.ndarray
) -> list[PersonPath]:
    """Return the paths of everybody, in the order of the ids.

    Args:
        times: [S] of the pictures; the first and the last are the keyframes.
        last, now: the people on those.
        there: [S, P, 4] where the last ones went; NaN where they were lost.
        back: [S, R, 4] where the present ones came from; NaN likewise.
    """
    rows_then = {person_id: row for row, person_id in enumerate(last.ids.tolist())}
    rows_now = {person_id: row for row, person_id in enumerate(now.ids.tolist())}
    paths = []
    for person_id in sorted(rows_then.keys() | rows_now.keys()):
        then, after = rows_then.get(person_id), rows_now.get(person_id)
        if then is not None and after is not None:
            boxes = _between(times, there[:, then], back[:, after], last.boxes[then], now.boxes[after])
        else:
            boxes = there[:, then] if then is not None else back[:, after]
        inner = np.arange(1, len(times) - 1)
        inner = inner[~np.isnan(boxes[1:-1]).any(axis=1)]
        if len(inner):
            paths.append(PersonPath(person_id, times[inner], boxes[inner]))
    return paths


def _between(
    times: np.ndarray, there: np.ndarray, back: np.ndarray, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """Return boxes [S, 4] that begin with one keyframe's and end with the other's.

    Each direction counts the more the nearer its own keyframe is; where one is lost, a straight line stands
    in for it.
    """
    share = ((times - times[0]) / max(times[-1] - times[0], 1e-9))[:, None]
    straight = (1 - share) * start + share * end
    forwards, backwards = np.where(np.isnan(there), straight, there), np.where(np.isnan(back), straight, back)
    return (1 - share) * forwards + share * backwards
