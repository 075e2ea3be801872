"""Where the stacks of label chips stand: inside the picture, beside their person, never on each other.

A pure function of sizes and boxes. Every stack may stand at many places: at the corners and edges of its box,
at the edges of the picture, against the stacks that are placed already. Among the free places the one wins
that hides least and is nearest to the top left corner of its box. The places include every corner that the
placed stacks and the picture's edges form, so if there is room for a stack at all, it is found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_MAX_COVER = 0.4  # of the picture under chips; people are what the video is about
_FACE = np.array([0.2, 0.0, 0.8, 0.3])  # x1, y1, x2, y2 as fractions of a person's box

# What a place costs: the parts of people that it hides, and distance in diagonals of the stack.
_HIDES_FACE = 5.0
_HIDES_OTHER = 1.5
_HIDES_OWN = 1.0
_DISTANCE = 0.6
_ALIGNED = 0.1  # distance of the left edges, in diagonals
_STAY = 0.4  # taken off where the stack stood in the frame before: chips do not hop about
_SAME = 0.12  # taken off, per stack, for showing as many chips as in the frame before; below _LEFT_OUT
_LEFT_OUT = 0.15  # per chip: a good place is worth a weak action
_NO_PLACE = 1000.0  # above all other costs together


@dataclass(frozen=True)
class Stack:
    """The chips of one person.

    Attributes:
        key: the same from frame to frame.
        box: [x1, y1, x2, y2] of the person, pixels.
        chips: widths in pixels, best action first.
        head: width of the head line, the person's id; 0 for none.
        more: width of "+3" beside or instead of the head; it appears when chips are left out.
    """

    key: int
    box: tuple[float, float, float, float]
    chips: tuple[int, ...]
    head: int
    more: int


@dataclass(frozen=True)
class Place:
    """Where a stack stands: top left corner and size in pixels, and how many of its chips are shown."""

    x: int
    y: int
    width: int
    height: int
    shown: int

    @property
    def rect(self) -> tuple[int, int, int, int]:
        """The place as [x1, y1, x2, y2]."""
        return self.x, self.y, self.x + self.width, self.y + self.height


@dataclass(frozen=True)
class Metrics:
    """Sizes that all stacks share: height of a chip and the gap between chips or stacks, pixels."""

    line: int
    gap: int


@dataclass(frozen=True)
class Standing:
    """How a stack stood in the frame before.

    Attributes:
        dx, dy: its corner relative to that of its box, pixels.
        shown, chips: how many of how many chips were shown.
    """

    dx: float
    dy: float
    shown: int
    chips: int


Standings = Mapping[int, Standing]
"""By the key of the stack."""


def place_stacks(
    stacks: Sequence[Stack],
    picture: tuple[int, int],
    metrics: Metrics,
    *,
    taken: Sequence[tuple[int, int, int, int]] = (),
    before: Standings | None = None,
) -> list[Place | None]:
    """Find a place for every stack.

    Places never overlap each other or ``taken`` and lie inside the picture. When there is no room for all, or
    the chips would cover too much of the picture or of the people, the persons with most chips lose their
    weakest ones first. Only where there is no room for one action each, the head line stands alone, and the
    first stacks get what room there is.

    Args:
        stacks: first come, first served.
        picture: height and width in pixels.
        metrics: of chips.
        taken: rectangles [x1, y1, x2, y2] that are not free.
        before: what ``standings_of`` told of the frame before.

    Returns:
        Per stack its place; None for a stack with nothing to show or without room.
    """
    most = max((len(stack.chips) for stack in stacks), default=0)
    best: list[Place | None] = []
    best_cost = np.inf
    for limit in range(most, -1, -1):
        if limit == 0 and best_cost < _NO_PLACE / 2:
            break  # everybody has a place with at least one action
        shown = [min(limit, len(stack.chips)) for stack in stacks]
        sizes = [_size(stack, count, picture, metrics) for stack, count in zip(stacks, shown, strict=True)]
        covered = sum(width * height for width, height in sizes)
        cost = _count_cost(stacks, shown, before or {})
        if cost >= best_cost or (limit and covered > _MAX_COVER * picture[0] * picture[1]):
            continue
        places, hidden = _place_all(stacks, sizes, shown, picture, metrics.gap, taken, before or {})
        if cost + hidden < best_cost:
            best, best_cost = places, cost + hidden
    return best


def standings_of(stacks: Sequence[Stack], places: Sequence[Place | None]) -> Standings:
    """Return what the next frame needs to leave the stacks as they are."""
    return {
        stack.key: Standing(place.x - stack.box[0], place.y - stack.box[1], place.shown, len(stack.chips))
        for stack, place in zip(stacks, places, strict=True)
        if place is not None
    }


def _count_cost(stacks: Sequence[Stack], shown: Sequence[int], before: Standings) -> float:
    """Return what it costs to show so many chips of each stack."""
    cost = 0.0
    for stack, count in zip(stacks, shown, strict=True):
        then = before.get(stack.key)
        same = then is not None and (then.shown, then.chips) == (count, len(stack.chips))
        cost += _LEFT_OUT * (len(stack.chips) - count) - _SAME * same
    return cost


def _size(stack: Stack, shown: int, picture: tuple[int, int], metrics: Metrics) -> tuple[int, int]:
    """Return width and height of a stack that shows ``shown`` of its chips; (0, 0) when nothing is left."""
    left_out = shown < len(stack.chips)
    head = stack.head + (stack.more if left_out else 0)
    lines = shown + (head > 0)
    if not lines:
        return 0, 0
    width = max((head, *stack.chips[:shown]))
    return min(width, picture[1]), lines * (metrics.line + metrics.gap) - metrics.gap


def _place_all(
    stacks: Sequence[Stack],
    sizes: Sequence[tuple[int, int]],
    shown: Sequence[int],
    picture: tuple[int, int],
    gap: int,
    taken: Sequence[tuple[int, int, int, int]],
    before: Standings,
) -> tuple[list[Place | None], float]:
    """Place stacks of given sizes one after the other; return the places and what they cost in all."""
    occupied = list(taken)
    boxes = np.array([stack.box for stack in stacks], np.float64).reshape(-1, 4)
    places: list[Place | None] = []
    total = 0.0
    for idx, (stack, (width, height)) in enumerate(zip(stacks, sizes, strict=True)):
        place = None
        if height:
            corners = _free_corners(stack, width, height, picture, gap, occupied, before)
            rects = np.hstack([corners, corners + np.array([width, height])])
            stood = _stood(stack, width, height, picture, before)
            costs = _cost(rects, idx, boxes, stood)
            total += float(costs.min(initial=_NO_PLACE))
            if len(costs):
                x, y = corners[int(np.argmin(costs))].tolist()
                place = Place(x, y, width, height, shown[idx])
                occupied.append(place.rect)
        places.append(place)
    return places, total


def _free_corners(
    stack: Stack,
    width: int,
    height: int,
    picture: tuple[int, int],
    gap: int,
    occupied: Sequence[tuple[int, int, int, int]],
    before: Standings,
) -> np.ndarray:
    """Return the corners [P, 2] at which a stack stands inside the picture and on nothing occupied."""
    x1, y1, x2, y2 = stack.box
    xs = {0, picture[1] - width, x1, x2 - width, x1 - gap - width, x2 + gap, x1 + gap, x2 - gap - width}
    ys = {0, picture[0] - height, y1, y2 - height, y1 - gap - height, y2 + gap, y1 + gap, y2 - gap - height}
    for left, top, right, bottom in occupied:
        xs |= {left - gap - width, right + gap}
        ys |= {top - gap - height, bottom + gap}
    if (stood := _stood(stack, width, height, picture, before)) is not None:
        xs.add(stood[0])
        ys.add(stood[1])
    across, down = _inside(xs, picture[1] - width), _inside(ys, picture[0] - height)
    corners = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
    rects = np.hstack([corners, corners + np.array([width, height])])
    grown = np.array(occupied, np.int64).reshape(-1, 4) + np.array([-gap, -gap, gap, gap])
    return corners[~(_overlap(rects, grown) > 0).any(axis=1)]


def _stood(
    stack: Stack, width: int, height: int, picture: tuple[int, int], before: Standings
) -> tuple[float, float] | None:
    """Return the corner at which a stack goes on standing where it stood, and inside the picture."""
    if (then := before.get(stack.key)) is None:
        return None
    x, y = stack.box[0] + then.dx, stack.box[1] + then.dy
    return min(max(x, 0), picture[1] - width), min(max(y, 0), picture[0] - height)


def _inside(positions: set[float], last: int) -> np.ndarray:
    """Return the positions as whole pixels, moved into 0..last; none when the stack does not fit."""
    if last < 0:
        return np.zeros(0, np.int64)
    return np.unique(np.clip(np.rint(np.array(sorted(positions))), 0, last).astype(np.int64))


def _cost(
    rects: np.ndarray, own_idx: int, boxes: np.ndarray, stood: tuple[float, float] | None
) -> np.ndarray:
    """Return the cost [P] of a stack standing at each of ``rects`` [P, 4]; lower is better."""
    own = boxes[own_idx]
    faces = np.tile(boxes[:, :2], 2) + _FACE * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    others = np.arange(len(boxes)) != own_idx
    hidden = _hidden_parts(rects, boxes) @ np.where(others, _HIDES_OTHER, _HIDES_OWN)
    hidden += _hidden_parts(rects, faces).sum(axis=1) * _HIDES_FACE
    diagonal = np.linalg.norm(rects[:, 2:] - rects[:, :2], axis=1)
    nearest = np.clip(own[:2], rects[:, :2], rects[:, 2:])
    away = _DISTANCE * np.linalg.norm(nearest - own[:2], axis=1) + _ALIGNED * np.abs(rects[:, 0] - own[0])
    cost = hidden + away / diagonal
    if stood is not None:
        cost -= _STAY * (np.abs(rects[:, :2] - stood).max(axis=1) <= 1)
    return cost


def _hidden_parts(rects: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return [P, R] in [0, 1]: what part of each box [R, 4] lies under each rectangle [P, 4]."""
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return _overlap(rects, boxes) / np.maximum(areas, 1)


def _overlap(rects: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the common area [P, Q] of rectangles [P, 4] and [Q, 4]."""
    top_left = np.maximum(rects[:, None, :2], others[None, :, :2])
    bottom_right = np.minimum(rects[:, None, 2:], others[None, :, 2:])
    return np.prod(np.clip(bottom_right - top_left, 0, None), axis=2)
