"""Things that stand or move between the people: seats, boxes, posts, plants, tables, cars, balls.

A prop is a list of coloured polygons on the canvas, already in painter's order, because the lens never
moves; in a frame they are shifted by the prop's own motion and by the window.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from ava_detect.data.scenes.dice import Dice
from ava_detect.data.scenes.figure import SUBPIXEL_BITS, fixed_point
from ava_detect.data.scenes.looks import Colour
from ava_detect.data.scenes.view import View, apply_window

Motion = Callable[[float], np.ndarray]  # seconds -> [2] canvas pixels


@dataclass(frozen=True)
class Sway:
    """Leaves in the wind: amplitude (pixels), rate (Hz), phase (radians), and a weight per polygon."""

    amplitude: float
    rate_hz: float
    phase: float
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Prop:
    """Polygons at one depth.

    Attributes:
        depth: metres from the camera; the order of painting.
        polygons: n arrays of [k, 2] canvas points, convex.
        colours: n colours.
        footprint: [k, 2] canvas outline of the shadow on the ground; ``None`` without.
        drift: shift of everything by time.
        sway: of single polygons.
    """

    depth: float
    polygons: tuple[np.ndarray, ...]
    colours: tuple[Colour, ...]
    footprint: np.ndarray | None = None
    drift: Motion | None = None
    sway: Sway | None = None

    def draw(self, image: np.ndarray, time: float, window: np.ndarray, value: int | None = None) -> None:
        """Paint the prop onto a frame, or fill a mask with ``value``."""
        corners = self._corners + self._shift(time)
        if self.sway is not None:
            turn = 2 * np.pi * self.sway.rate_hz * time + self.sway.phase
            corners[:, 0] += self.sway.amplitude * self._sway_weights * np.sin(turn + self._owner)
        fixed = fixed_point(apply_window(corners, window))
        for start, end, colour in zip(self._bounds[:-1], self._bounds[1:], self.colours, strict=True):
            cv2.fillConvexPoly(
                image, fixed[start:end], colour if value is None else value, cv2.LINE_8, SUBPIXEL_BITS
            )

    def draw_shadow(self, mask: np.ndarray, time: float, window: np.ndarray, scale: float) -> None:
        """Fill the prop's shadow on the ground in a mask that is ``scale`` times as large as the frame."""
        if self.footprint is not None:
            corners = scale * apply_window(self.footprint + self._shift(time), window)
            cv2.fillConvexPoly(mask, fixed_point(corners), 255, cv2.LINE_8, SUBPIXEL_BITS)

    def _shift(self, time: float) -> np.ndarray:
        return np.zeros(2) if self.drift is None else self.drift(time)

    @cached_property
    def _corners(self) -> np.ndarray:
        return np.concatenate(self.polygons)

    @cached_property
    def _bounds(self) -> list[int]:
        return np.cumsum([0, *map(len, self.polygons)]).tolist()

    @cached_property
    def _owner(self) -> np.ndarray:
        """[corners] index of the polygon of each corner."""
        return np.repeat(np.arange(len(self.polygons)), np.diff(self._bounds))

    @cached_property
    def _sway_weights(self) -> np.ndarray:
        return np.zeros(len(self._owner)) if self.sway is None else np.array(self.sway.weights)[self._owner]


def cuboid_faces(
    centre: np.ndarray, size: np.ndarray, axes: np.ndarray, eye: np.ndarray
) -> list[tuple[np.ndarray, float]]:
    """Return the faces of a box that the camera sees, far ones first, each with its brightness.

    Args:
        centre: [3] world.
        size: [3] full lengths along the axes.
        axes: [3, 3] columns are the box's directions in the world.
        eye: [3] the lens in the world.

    Returns:
        ([4, 3] corners, brightness 0.6 to 1.1) per visible face.
    """
    seen = []
    for axis in range(3):
        for sign in (1.0, -1.0):
            normal = sign * axes[:, axis]
            middle = centre + 0.5 * size[axis] * normal
            if (eye - middle) @ normal <= 0:
                continue
            first, second = (0.5 * size[other] * axes[:, other] for other in range(3) if other != axis)
            corners = np.stack([middle + first + second, middle + first - second])
            corners = np.concatenate([corners, [middle - first - second, middle - first + second]])
            brightness = 0.85 + 0.25 * normal[1] - 0.12 * normal[0]
            seen.append((corners, float(brightness), float(np.linalg.norm(eye - middle))))
    seen.sort(key=lambda face: -face[2])
    return [(corners, brightness) for corners, brightness, _ in seen]


def upright_axes(heading: float) -> np.ndarray:
    """Return [3, 3] columns forward, up, left of something that faces a heading (0: the camera)."""
    sin, cos = np.sin(heading), np.cos(heading)
    return np.array([[sin, 0.0, cos], [0.0, 1.0, 0.0], [-cos, 0.0, sin]])


def shaded(colour: Colour, brightness: float) -> Colour:
    """Return a colour lighter or darker."""
    blue, green, red = (min(255.0, value * brightness) for value in colour)
    return blue, green, red


@dataclass(frozen=True)
class Block:
    """A coloured box in the world: centre, size along its axes (forward, up, left), heading."""

    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    colour: Colour
    heading: float = 0.0


def block_prop(view: View, blocks: list[Block], depth: float, drift: Motion | None = None) -> Prop:
    """Make a prop of boxes, painted in the order given."""
    eye = np.array([0.0, view.eye, 0.0])
    polygons, colours, ground = [], [], []
    for block in blocks:
        axes, size = upright_axes(block.heading), np.array(block.size)
        for corners, brightness in cuboid_faces(np.array(block.centre), size, axes, eye):
            polygons.append(view.project(corners))
            colours.append(shaded(block.colour, brightness))
        reach = axes[:, [0, 2]] * (0.55 * size[[0, 2]])
        base = np.array(block.centre) * [1.0, 0.0, 1.0]
        ground += [base + reach @ np.array(signs) for signs in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
    outline = view.project(np.stack(ground))
    footprint = cv2.convexHull(outline.astype(np.float32)).reshape(-1, 2).astype(np.float64)
    return Prop(depth, tuple(polygons), tuple(colours), footprint, drift)


def seat_props(
    dice: Dice, view: View, place: tuple[float, float], heading: float, height: float
) -> list[Prop]:
    """Make a stool, box or chair for a sitter; a chair's back is a prop of its own.

    Args:
        dice: the draws.
        view: the camera.
        place: X and Z of the sitter's pelvis.
        heading: of the sitter, radians.
        height: of the seat, metres.
    """
    x, z = place
    colour = dice.colour(30, 190)
    kind = dice.pick(("stool", "box", "chair"))
    wide = dice.uniform(0.36, 0.46)
    if kind == "box":
        block = Block((x, height / 2, z), (wide, height, wide), colour, heading)
        return [block_prop(view, [block], z + 0.25)]
    axes = upright_axes(heading)
    leg = 0.42 * wide
    blocks = []
    for forward, left in sorted(((1, 1), (1, -1), (-1, 1), (-1, -1)), key=lambda s: -(axes[2, [0, 2]] @ s)):
        foot = np.array([x, 0.0, z]) + axes @ np.array([forward * leg, height / 2, left * leg])
        blocks.append(
            Block((foot[0], foot[1], foot[2]), (0.045, height, 0.045), shaded(colour, 0.75), heading)
        )
    blocks.append(Block((x, height - 0.025, z), (wide, 0.05, wide), colour, heading))
    props = [block_prop(view, blocks, z + 0.25)]
    if kind == "chair":
        back = np.array([x, height + 0.22, z]) - axes[:, 0] * (wide / 2 + 0.02)
        block = Block((back[0], back[1], back[2]), (0.04, 0.44, wide), colour, heading)
        props.append(block_prop(view, [block], z + (0.3 if np.cos(heading) > 0 else -0.3)))
    return props


def obstacle(dice: Dice, view: View, x: float, z: float) -> Prop:
    """Make something that stands in the way at a place: a post, crates, a table, a plant, a fence."""
    kind = dice.pick_weighted({"post": 0.25, "crates": 0.2, "table": 0.2, "plant": 0.25, "fence": 0.1})
    colour = dice.colour(25, 215)
    if kind == "post":
        wide = dice.uniform(0.1, 0.35)
        return block_prop(view, [Block((x, 1.6, z), (wide, 3.2, wide), colour, dice.uniform(0, 1.5))], z)
    if kind == "crates":
        side, heading = dice.uniform(0.4, 0.75), dice.uniform(0, 1.5)
        blocks = [Block((x, side / 2, z), (side, side, side), colour, heading)]
        if dice.chance(0.5):
            small = side * dice.uniform(0.5, 0.8)
            blocks.append(
                Block((x, side + small / 2, z), (small,) * 3, dice.colour(25, 215), dice.uniform(0, 1.5))
            )
        return block_prop(view, blocks, z)
    if kind == "table":
        return _table(dice, view, x, z, colour)
    if kind == "fence":
        blocks = [Block((x + 0.22 * step, 0.45, z), (0.03, 0.9, 0.09), colour) for step in range(-3, 4)]
        blocks.append(Block((x, 0.62, z - 0.02), (0.03, 0.08, 1.6), shaded(colour, 0.85)))
        return block_prop(view, blocks, z)
    return plant(dice, view, x, z, height=dice.uniform(0.7, 1.5))


def _table(dice: Dice, view: View, x: float, z: float, colour: Colour) -> Prop:
    height, wide, deep = dice.uniform(0.65, 0.8), dice.uniform(0.8, 1.4), dice.uniform(0.5, 0.7)
    legs = [
        Block(
            (x + side * (wide / 2 - 0.05), height / 2, z + far * (deep / 2 - 0.05)),
            (0.06, height, 0.06),
            colour,
        )
        for far in (1, -1)
        for side in (1, -1)
    ]
    top = Block((x, height, z), (deep, 0.05, wide), shaded(colour, 1.15))
    return block_prop(view, [*legs, top], z)


def plant(dice: Dice, view: View, x: float, z: float, *, height: float) -> Prop:
    """Make a potted plant whose leaves sway."""
    pot = block_prop(
        view, [Block((x, 0.15, z), (0.3, 0.3, 0.3), dice.colour(40, 170), dice.uniform(0, 1.5))], z
    )
    green = (dice.uniform(25, 80), dice.uniform(80, 170), dice.uniform(30, 120))
    scale = float(view.scale_at(np.array(z)))
    polygons, colours = list(pot.polygons), list(pot.colours)
    weights = [0.0] * len(polygons)
    root = view.project(np.array([x, 0.3, z]))
    for _ in range(dice.integer(14, 26)):
        rise, lean = dice.uniform(0.25, 1.0), dice.uniform(-0.9, 0.9)
        tip = root + scale * height * np.array([0.42 * lean * rise, -rise])
        long, slim = scale * height * dice.uniform(0.10, 0.2), scale * height * dice.uniform(0.03, 0.06)
        angle = lean * 1.2 + dice.uniform(-0.5, 0.5)
        turn = np.linspace(0, 2 * np.pi, 10, endpoint=False)
        leaf = np.stack([slim * np.cos(turn), long * np.sin(turn)], axis=1)
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        polygons.append(tip + leaf @ rotation.T)
        colours.append(shaded(green, dice.uniform(0.6, 1.3)))
        weights.append(rise)
    sway = Sway(
        scale * height * dice.uniform(0.01, 0.05), dice.uniform(0.3, 0.9), dice.uniform(0, 6), tuple(weights)
    )
    return Prop(z, tuple(polygons), tuple(colours), pot.footprint, None, sway)


def passer(dice: Dice, view: View, z: float, duration_s: float) -> Prop:
    """Make something that crosses the picture at a depth: a car, a rolling ball, a balloon."""
    reach = 1.5 * view.half_width_at(z) + 1.0
    speed = dice.sign() * dice.uniform(0.5, 1.4) * 2 * reach / duration_s
    start, scale = dice.uniform(-reach, reach), float(view.scale_at(np.array(z)))
    hop, rate, phase = dice.uniform(0, 0.4), dice.uniform(0.4, 1.1), dice.uniform(0, 6)
    kind = dice.pick(("car", "ball", "balloon"))
    hop = 0.0 if kind == "car" else hop

    def drift(time: float) -> np.ndarray:
        x = (start + speed * time + reach) % (2 * reach) - reach
        lift = hop * abs(np.sin(2 * np.pi * rate * time + phase))
        return scale * np.array([x, -lift])

    if kind == "car":
        return _car(dice, view, z, drift)
    height = dice.uniform(0.15, 0.35) if kind == "ball" else dice.uniform(1.2, 2.4)
    radius = scale * dice.uniform(0.12, 0.3)
    middle = view.project(np.array([0.0, height, z]))
    turn = np.linspace(0, 2 * np.pi, 18, endpoint=False)
    circle = radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    colour = dice.colour(20, 240)
    polygons = (middle + circle, middle + 0.45 * circle - 0.3 * radius)
    shadow = view.project(np.array([0.0, 0.0, z])) + circle * [1.0, 0.3]
    return Prop(z, polygons, (colour, shaded(colour, 1.3)), shadow if kind == "ball" else None, drift)


def _car(dice: Dice, view: View, z: float, drift: Motion) -> Prop:
    colour = dice.colour(30, 220)
    long, high = dice.uniform(1.2, 2.6), dice.uniform(0.5, 0.9)
    body = Block((0.0, 0.18 + high / 2, z), (0.8, high, long), colour)
    cabin = Block((0.1 * long, 0.18 + 1.35 * high, z), (0.7, 0.7 * high, 0.5 * long), (110, 95, 80))
    prop = block_prop(view, [body, cabin], z, drift)
    scale = float(view.scale_at(np.array(z)))
    turn = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    wheel = 0.2 * scale * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    centres = [view.project(np.array([side * 0.32 * long, 0.2, z - 0.4])) for side in (-1, 1)]
    polygons = (*prop.polygons, *(centre + wheel for centre in centres))
    return Prop(z, polygons, (*prop.colours, (30, 30, 30), (30, 30, 30)), prop.footprint, drift)
