"""Draw people: the parts of a look around the points of a posture, as shaded polygons in painter's order.

Everything that can be computed for all frames at once is; a frame is then some eighty small polygon fills per
person. Polygons are fixed-point, so that a picture and a mask made from them agree to the pixel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np

from ava_detect.data.scenes.looks import Limb, Look, Part, Point
from ava_detect.data.scenes.view import View

SUBPIXEL_BITS = 4
_SUBPIXEL = 1 << SUBPIXEL_BITS
_ARC = 6  # corners on each round end of a capsule
_CIRCLE = 10  # corners of a circle that a hull is made from
_RIM, _BASE, _LIGHT = range(3)  # the layers of a part: dark edge, colour, lit side
_FAR = 4000 * _SUBPIXEL  # polygon corners are kept within OpenCV's fixed-point range


@dataclass(frozen=True)
class Placed:
    """A body's points in the world and on the canvas, at T times.

    Attributes:
        world: [T, P, 3] metres.
        canvas: [T, P, 2] pixels.
        scale: [T, P] canvas pixels per metre at every point's depth.
        facing: [T] cosine between where the head looks and the direction to the camera.
    """

    world: np.ndarray
    canvas: np.ndarray
    scale: np.ndarray
    facing: np.ndarray


def place_points(points: np.ndarray, place: np.ndarray, heading: np.ndarray, view: View) -> Placed:
    """Put a body's points [T, P, 3] into the world and on the canvas.

    Args:
        points: metres in the person's frame (forward, left, up).
        place: [T, 2] X and Z of the person, metres.
        heading: [T] radians; 0 faces the camera, a quarter turn faces the right edge.
        view: the camera.
    """
    sin, cos = np.sin(heading)[:, None], np.cos(heading)[:, None]
    forward, left, up = points[..., 0], points[..., 1], points[..., 2]
    world = np.stack(
        [
            place[:, None, 0] + forward * sin + left * cos,
            up,
            place[:, None, 1] - forward * cos + left * sin,
        ],
        axis=-1,
    )
    nose = world[:, Point.NOSE] - 0.5 * (world[:, Point.CROWN] + world[:, Point.CHIN])
    to_camera = np.array([0.0, view.eye, 0.0]) - world[:, Point.CROWN]
    facing = (nose * to_camera).sum(axis=1)
    facing /= np.linalg.norm(nose, axis=1) * np.linalg.norm(to_camera, axis=1)
    return Placed(world, view.project(world), view.scale_at(world[..., 2]), facing)


class Figure:
    """One person's polygons at T times.

    Args:
        look: parts and proportions.
        placed: the points of the body.
        windows: [T, 2, 3] canvas to frame.
        light: [2] direction of the light in the picture, of length up to 1.
    """

    def __init__(self, look: Look, placed: Placed, windows: np.ndarray, light: np.ndarray) -> None:
        self._look = look
        zoom = np.sqrt(np.abs(np.linalg.det(windows[:, :, :2])))
        self._points = np.einsum("tij,tpj->tpi", windows[:, :, :2], placed.canvas) + windows[:, None, :, 2]
        self._radius_scale = placed.scale * zoom[:, None] * look.body.scale
        self._capsules = [part for part in look.parts if len(part.points) == 2]
        self._hulls = [part for part in look.parts if len(part.points) > 2]
        parts = self._capsules + self._hulls
        depth = np.stack(
            [placed.world[:, part.points, 2].mean(axis=1) - part.nearer * look.body.scale for part in parts],
            axis=1,
        )
        self.depth = placed.world[:, :20, 2].mean(axis=1)  # [T] metres from the camera, of the whole person
        self._order = np.argsort(depth, axis=1, kind="stable")[:, ::-1]
        self._colours = _layer_colours(parts, depth - depth.mean(axis=1, keepdims=True))
        self._shown = np.stack([placed.facing >= part.facing for part in parts], axis=1)
        self._polygons = self._capsule_polygons(light)
        self._hull_corners = [self._hull_points(part, light) for part in self._hulls]

    def _layers(self, part: Part) -> tuple[int, ...]:
        return (_BASE,) if part.flat else (_RIM, _BASE, _LIGHT)

    def draw(self, image: np.ndarray, frame: int) -> None:
        """Paint the person onto a frame [H, W, 3]."""
        for index in self._order[frame]:
            if not self._shown[frame, index]:
                continue
            part = self._part(index)
            for layer in self._layers(part):
                corners = self._corners(index, layer, frame)
                cv2.fillConvexPoly(
                    image, corners, self._colours[frame][index][layer], cv2.LINE_8, SUBPIXEL_BITS
                )
                if layer == _BASE and part.patterned and self._look.pattern is not None:
                    self._paint_pattern(image, corners, frame, self._look.pattern)
                    break

    def draw_mask(
        self,
        mask: np.ndarray,
        frame: int,
        value: int,
        limb_values: Mapping[Limb, int] = MappingProxyType({}),
    ) -> None:
        """Fill the person's silhouette in a mask [H, W] uint8; named limbs get values of their own."""
        for index in self._order[frame]:
            if self._shown[frame, index]:
                part = self._part(index)
                fill = value if part.limb is None else limb_values.get(part.limb, value)
                corners = self._corners(index, self._layers(part)[0], frame)
                cv2.fillConvexPoly(mask, corners, fill, cv2.LINE_8, SUBPIXEL_BITS)

    def area(self, frame: int, limb: Limb | None = None) -> int:
        """Count the pixels that the person, or one limb alone, would cover in an unbounded frame."""
        parts = range(len(self._capsules) + len(self._hulls))
        polygons = [
            self._corners(index, self._layers(self._part(index))[0], frame)
            for index in parts
            if self._shown[frame, index] and limb in (None, self._part(index).limb)
        ]
        return union_area(polygons)

    def _part(self, index: int) -> Part:
        count = len(self._capsules)
        return self._capsules[index] if index < count else self._hulls[index - count]

    def _corners(self, index: int, layer: int, frame: int) -> np.ndarray:
        count = len(self._capsules)
        if index < count:
            return self._polygons[frame, layer, index]
        return cv2.convexHull(self._hull_corners[index - count][frame, layer])

    def _capsule_polygons(self, light: np.ndarray) -> np.ndarray:
        """Return [T, 3, n, 2 * _ARC, 2] int32 fixed-point corners."""
        ends = np.array([part.points for part in self._capsules])
        radii = np.array([part.radii for part in self._capsules])
        a, b = self._points[:, ends[:, 0]], self._points[:, ends[:, 1]]
        radius_a = radii[:, 0] * self._radius_scale[:, ends[:, 0]]
        radius_b = radii[:, 1] * self._radius_scale[:, ends[:, 1]]
        layers = []
        for layer in (_RIM, _BASE, _LIGHT):
            moved_a, new_a = _layer_circle(a, radius_a, layer, light)
            moved_b, new_b = _layer_circle(b, radius_b, layer, light)
            layers.append(capsule_corners(moved_a, moved_b, new_a, new_b))
        return fixed_point(np.stack(layers, axis=1))

    def _hull_points(self, part: Part, light: np.ndarray) -> np.ndarray:
        """Return [T, 3, n, 2] int32 corners whose convex hull is the part."""
        indices = list(part.points)
        centres = self._points[:, indices]
        radii = np.array(part.radii) * self._radius_scale[:, indices]
        angles = 2 * np.pi * np.arange(_CIRCLE) / _CIRCLE
        circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        layers = []
        for layer in (_RIM, _BASE, _LIGHT):
            moved, radius = _layer_circle(centres, radii, layer, light)
            corners = moved[:, :, None] + radius[:, :, None, None] * circle
            layers.append(corners.reshape(len(corners), -1, 2))
        return fixed_point(np.stack(layers, axis=1))

    def _paint_pattern(self, image: np.ndarray, corners: np.ndarray, frame: int, pattern: np.ndarray) -> None:
        """Cover a polygon with cloth that moves with shoulders and waist."""
        polygon = corners.reshape(-1, 2)
        height, width = image.shape[:2]
        left, top = np.maximum(polygon.min(axis=0) // _SUBPIXEL, 0)
        right, bottom = np.minimum(polygon.max(axis=0) // _SUBPIXEL + 2, (width, height))
        if right - left < 2 or bottom - top < 2:
            return
        points, grow = self._points[frame], 0.13 * self._radius_scale[frame, Point.BELLY]
        breast = 0.5 * (points[Point.LEFT_BREAST] + points[Point.RIGHT_BREAST])
        down = points[Point.BELLY] - breast
        across = points[Point.RIGHT_BREAST] - points[Point.LEFT_BREAST]
        # Seen from the side the shoulders are one point; the cloth keeps the thickness of the chest.
        across = across * (1 + 2 * grow / max(float(np.hypot(*across)), grow))
        collar = breast - 0.25 * down
        target = np.stack([collar, breast + 1.35 * down, collar + 0.5 * across]) - [left, top]
        source = np.array([[32, 0], [32, 64], [64, 0]], np.float32)
        affine = cv2.getAffineTransform(source, target.astype(np.float32))
        size = (int(right - left), int(bottom - top))
        cloth = cv2.warpAffine(pattern, affine, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        mask = np.zeros((size[1], size[0]), np.uint8)
        moved = polygon - np.array([left, top], np.int32) * _SUBPIXEL
        cv2.fillConvexPoly(mask, moved, 255, cv2.LINE_8, SUBPIXEL_BITS)
        region = image[top:bottom, left:right]
        cv2.copyTo(cloth, mask, region)


def union_area(polygons: Sequence[np.ndarray]) -> int:
    """Count the pixels that convex fixed-point polygons cover together, wherever they lie."""
    every = np.concatenate([polygon.reshape(-1, 2) for polygon in polygons])
    low = (every.min(axis=0) >> SUBPIXEL_BITS) - 2
    width, height = (every.max(axis=0) >> SUBPIXEL_BITS) - low + 3
    mask = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        cv2.fillConvexPoly(mask, polygon - (low << SUBPIXEL_BITS), 1, cv2.LINE_8, SUBPIXEL_BITS)
    return cv2.countNonZero(mask)


def _layer_circle(
    centre: np.ndarray, radius: np.ndarray, layer: int, light: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the circle of a layer: larger for the rim, smaller and towards the light for the lit side."""
    if layer == _RIM:
        return centre, radius * 1.06 + 0.7
    if layer == _BASE:
        return centre, radius
    return centre - 0.32 * radius[..., None] * light, 0.58 * radius


def capsule_corners(a: np.ndarray, b: np.ndarray, radius_a: np.ndarray, radius_b: np.ndarray) -> np.ndarray:
    """Return [..., 2 * _ARC, 2] corners of the hull of two circles, [..., 2] centres and [...] radii."""
    axis = b - a
    distance = np.hypot(axis[..., 0], axis[..., 1])
    # A circle inside the other one is replaced by the other one.
    inside = distance <= np.abs(radius_a - radius_b) * 1.02
    larger_is_a = (radius_a >= radius_b)[..., None]
    centre = np.where(larger_is_a, a, b)
    a, b = np.where(inside[..., None], centre, a), np.where(inside[..., None], centre, b)
    radius = np.maximum(radius_a, radius_b)
    radius_a, radius_b = np.where(inside, radius, radius_a), np.where(inside, radius, radius_b)
    angle = np.arctan2(axis[..., 1], axis[..., 0])[..., None]
    difference = (radius_a - radius_b) / np.maximum(distance, 1e-6)
    half = np.arccos(np.clip(np.where(inside, 0.0, difference), -1.0, 1.0))[..., None]
    steps = np.linspace(0.0, 1.0, _ARC)
    around_a = angle + half + (2 * np.pi - 2 * half) * steps
    around_b = angle - half + 2 * half * steps
    corners_a = a[..., None, :] + radius_a[..., None, None] * np.stack(
        [np.cos(around_a), np.sin(around_a)], -1
    )
    corners_b = b[..., None, :] + radius_b[..., None, None] * np.stack(
        [np.cos(around_b), np.sin(around_b)], -1
    )
    return np.concatenate([corners_a, corners_b], axis=-2)


def fixed_point(corners: np.ndarray) -> np.ndarray:
    """Round pixels to OpenCV's fixed-point corners, kept within its range."""
    return np.clip(np.rint(corners * _SUBPIXEL), -_FAR, _FAR).astype(np.int32)


def _layer_colours(parts: list[Part], behind: np.ndarray) -> list[list[list[tuple[int, int, int]]]]:
    """Return colours by frame, part and layer; parts further away than the person are darker.

    Args:
        parts: n parts.
        behind: [T, n] metres behind the middle of the person.
    """
    base = np.array([part.colour for part in parts])
    shade = 1.0 - 0.3 * np.clip(behind * 2.2, -0.4, 1.0)[..., None]
    middle = np.clip(base * np.minimum(shade, 1.08), 0, 255)
    layers = np.stack([0.5 * middle, 0.88 * middle, np.minimum(255, 1.04 * middle + 9)], axis=2)
    return [
        [[tuple(layer) for layer in part] for part in frame] for frame in np.rint(layers).astype(int).tolist()
    ]
