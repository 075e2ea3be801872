"""Gives the same person the same id from keyframe to keyframe.

Keyframes are about a second apart, so a box has moved between them, often off itself. A person of the last
keyframes may be where it was or where its motion carries it; each found box is charged for lack of overlap,
for distance and for change of size against both, and the cheaper one counts. The pairs that cost least in all
are linked (Kuhn 1955, the Hungarian method). Where people were followed through the pictures between two
keyframes, it counts most how well that agrees. Nothing here looks at pixels: who does says so (``Carried``),
and who sees a cut lets the tracker ``forget``.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

_REACH = (
    0.4  # how far a person gets in no time at all, in heights: jitter of the detector, bending, a raised arm
)
_SPEED = 1.0  # heights per second; brisk walking is 0.9
_MAX_REACH = 1.6  # after a long gap, being near says little
_MAX_SIZE_RATIO = 2.0  # of the geometric mean side; coming close, or sitting down behind a desk
_KEPT_MOTION = 0.5  # of the last motion goes on; people turn around
_TIME_SLACK_S = 1e-6  # start + k * every is not exact
_FOLLOWED_REACH = 0.5  # heights: what following is wrong by, at most
_DOUBT = 1.0  # cost of a link that following does not support
_NEW = 3.0  # cost of leaving a person and a box unlinked; above what any allowed pair costs


@dataclass
class _Track:
    """One person: where it was seen last, and how it moved."""

    person_id: int
    time: float
    box: np.ndarray  # [4] x1, y1, x2, y2, pixels
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))  # [2] of the centre, pixels per second

    def see(self, time: float, box: np.ndarray) -> None:
        """Move the track to where the person is now."""
        self.velocity = (_centre(box) - _centre(self.box)) / (time - self.time)
        self.time, self.box = time, box

    def moved(self, time: float) -> np.ndarray:
        """Return the box [4] where the motion carries the person."""
        shift = _KEPT_MOTION * self.velocity * (time - self.time)
        return self.box + np.tile(shift, 2)


@dataclass(frozen=True)
class Carried:
    """People of the last keyframe and of this one, followed from one to the other.

    Attributes:
        ids: [P] of people of the last keyframe.
        forwards: [P, 4] where their boxes are on this keyframe, pixels; NaN where they were lost on the way.
        backwards: [R, 4] where the boxes of this keyframe were on the last one; NaN likewise.
    """

    ids: np.ndarray
    forwards: np.ndarray
    backwards: np.ndarray


class Tracker:
    """Links people through one video, keyframe by keyframe.

    The same boxes give the same ids, in whatever order they come. Ids count from 1 in the order in which
    people appear; the surer box gets the lower one.

    Args:
        max_gap_s: a person who was not seen for longer gets a new id when coming back; the default bridges
            two missed keyframes at one a second. The people of the last keyframe are linked in any case.
    """

    def __init__(self, *, max_gap_s: float = 3.0) -> None:
        self.max_gap_s = max_gap_s
        self._tracks: list[_Track] = []
        self._last_time = -np.inf
        self._next_id = 1

    def update(
        self, time: float, boxes: np.ndarray, scores: np.ndarray, *, carried: Carried | None = None
    ) -> np.ndarray:
        """Take the people of the next keyframe.

        Args:
            time: seconds; after the last one.
            boxes: [R, 4] x1, y1, x2, y2 in pixels.
            scores: [R] of the person detector.
            carried: what following them through the pictures between gave.

        Returns:
            [R] int64 person ids from 1, no two equal.

        Raises:
            ValueError: the time does not come after the last one.
        """
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        # The solver's choice among equal costs depends on the order; ours must not.
        order = np.lexsort((*boxes.T[::-1], -np.asarray(scores, np.float64)))
        self._advance(time)
        ids = np.full(len(boxes), -1, np.int64)
        support = np.full((len(self._tracks), len(boxes)), np.nan)
        if carried is not None:
            support = np.array([_support(track, carried, boxes) for track in self._tracks]).reshape(
                support.shape
            )
        ids[order] = self._link(time, boxes[order], support[:, order])
        for row in order[ids[order] < 0]:
            ids[row], self._next_id = self._next_id, self._next_id + 1
        self._remember(time, boxes, ids)
        return ids

    def recall(self, time: float, boxes: np.ndarray, ids: np.ndarray) -> None:
        """Take people whose ids are known: the results of an interrupted run, in the order of time.

        Args:
            time: seconds; after the last one.
            boxes: [R, 4] x1, y1, x2, y2 in pixels.
            ids: [R] person ids; below 1 for people without.

        Raises:
            ValueError: the time does not come after the last one.
        """
        boxes, ids = np.asarray(boxes, np.float64).reshape(-1, 4), np.asarray(ids, np.int64)
        self._advance(time)
        self._remember(time, boxes[ids > 0], ids[ids > 0])
        self._next_id = max(self._next_id, 1 + int(ids.max(initial=0)))

    def forget(self) -> None:
        """Let everybody who comes be new: another scene has begun."""
        self._tracks = []

    def _advance(self, time: float) -> None:
        if not time > self._last_time:
            raise ValueError(f"keyframe at {time} s does not come after {self._last_time} s")
        self._tracks = [
            track
            for track in self._tracks
            if track.time == self._last_time or time - track.time <= self.max_gap_s + _TIME_SLACK_S
        ]
        self._last_time = time

    def _link(self, time: float, boxes: np.ndarray, support: np.ndarray) -> np.ndarray:
        """Return the ids [R] of boxes that continue a track, -1 for the others.

        ``support`` [tracks, R] is what following makes of each link as a cost; NaN where it says nothing.
        """
        ids = np.full(len(boxes), -1, np.int64)
        if not self._tracks or not len(boxes):
            return ids
        cost = np.stack([_link_cost(track, time, boxes) for track in self._tracks])  # [tracks, R]
        doubted = np.minimum(cost + _DOUBT, _NEW)
        cost = np.where(np.isnan(support), cost, np.fmin(support, doubted))
        for track_idx, row in zip(*linear_sum_assignment(cost), strict=True):
            if cost[track_idx, row] < _NEW:
                ids[row] = self._tracks[track_idx].person_id
        return ids

    def _remember(self, time: float, boxes: np.ndarray, ids: np.ndarray) -> None:
        known = {track.person_id: track for track in self._tracks}
        for box, person_id in zip(boxes, ids.tolist(), strict=True):
            if person_id in known:
                known[person_id].see(time, box)
            else:
                known[person_id] = _Track(person_id, time, box)
        self._tracks = [known[person_id] for person_id in sorted(known)]


def _link_cost(track: _Track, time: float, boxes: np.ndarray) -> np.ndarray:
    """Return the cost [R] of linking a track to each box; _NEW where that cannot be the person."""
    reach = min(_REACH + _SPEED * (time - track.time), _MAX_REACH)
    stayed = _box_cost(track.box, boxes, reach)
    went_on = _box_cost(track.moved(time), boxes, reach)
    return np.minimum(stayed, went_on)


def _support(track: _Track, carried: Carried, boxes: np.ndarray) -> np.ndarray:
    """Return the cost [R] of linking a track to each box by following; NaN where nobody was followed."""
    found = np.flatnonzero(carried.ids == track.person_id)
    if not len(found):
        return np.full(len(boxes), np.nan)
    forwards = carried.forwards[found[0]]
    costs = np.full((2, len(boxes)), np.nan)
    if not np.isnan(forwards).any():
        costs[0] = _box_cost(forwards, boxes, _FOLLOWED_REACH)
    seen = ~np.isnan(carried.backwards).any(axis=1)
    costs[1, seen] = _box_cost(track.box, carried.backwards[seen], _FOLLOWED_REACH)
    said = (~np.isnan(costs)).sum(axis=0)
    return np.where(said > 0, np.nansum(costs, axis=0) / np.maximum(said, 1), np.nan)


def _box_cost(box: np.ndarray, boxes: np.ndarray, reach: float) -> np.ndarray:
    """Charge each of ``boxes`` [R, 4] for not being ``box`` [4]; three parts of at most 1 each.

    Args:
        box: where the person may be.
        boxes: found on the keyframe.
        reach: the largest distance between the centres, in heights of the person.

    Returns:
        [R] from 0, the same box, to below _NEW; _NEW where distance or change of size are too large.
    """
    distance = np.linalg.norm(_centre(boxes) - _centre(box), axis=1)
    height = (np.maximum(boxes[:, 3] - boxes[:, 1], 1) + max(box[3] - box[1], 1)) / 2
    distance /= height * reach
    growth = np.abs(np.log(_side(boxes) / _side(box))) / np.log(_MAX_SIZE_RATIO)
    cost = (1 - _iou(box, boxes)) + distance + growth
    return np.where((distance < 1) & (growth < 1), cost, _NEW)


def _centre(boxes: np.ndarray) -> np.ndarray:
    """Return the centres [..., 2] of boxes [..., 4]."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2


def _side(boxes: np.ndarray) -> np.ndarray:
    """Return the side [...] of the square with a box's area, at least a pixel."""
    return np.sqrt(np.maximum(np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1), 1))


def _iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return the overlap [R] in [0, 1] of one box with others, as intersection over union."""
    top_left, bottom_right = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    inter = np.prod(np.clip(bottom_right - top_left, 0, None), axis=1)
    area = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return inter / np.maximum(area - inter, 1e-9)
