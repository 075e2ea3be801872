"""Draw what people hold: a box before the body, a bag in a hanging hand, a book, a phone."""

from dataclasses import dataclass

import cv2
import numpy as np

from ava_detect.data.scenes.arms import Arms
from ava_detect.data.scenes.casting import HandObject
from ava_detect.data.scenes.figure import SUBPIXEL_BITS, Placed, fixed_point, union_area
from ava_detect.data.scenes.looks import Colour
from ava_detect.data.scenes.props import cuboid_faces, shaded, upright_axes
from ava_detect.data.scenes.script import Script
from ava_detect.data.scenes.skeleton import Body, Joint, Posture
from ava_detect.data.scenes.view import View, apply_window

# Full lengths along the object's forward, up and left, metres of a 1.75 m body.
_SIZES = {
    HandObject.BOX: (0.30, 0.27, 0.36),
    HandObject.BAG: (0.13, 0.30, 0.40),
    HandObject.BOOK: (0.025, 0.23, 0.34),
    HandObject.PHONE: (0.02, 0.155, 0.07),
}
_HAND_TO_BAG = 0.2


@dataclass(frozen=True)
class _Held:
    """Centres [T, 3] and axes [T, 3, 3] (columns forward, up, left) of an object in the world."""

    centre: np.ndarray
    axes: np.ndarray


class Handheld:
    """The object of one person at T times.

    Args:
        kind: what it is.
        colour: of it.
        script: of the person; says when a book is read and a phone is at the ear.
        times: [T] seconds.
        body: of the person; objects scale with it.
        posture: of the person.
        placed: points of the person in the world.
        heading: [T] of the person.
        view: the camera.
    """

    def __init__(
        self,
        kind: HandObject,
        colour: Colour,
        script: Script,
        times: np.ndarray,
        body: Body,
        posture: Posture,
        placed: Placed,
        heading: np.ndarray,
        view: View,
    ) -> None:
        self._colour, self._view = colour, view
        self._size = np.array(_SIZES[kind]) * body.scale
        used = script.share(times, lambda beat: beat.arms in (Arms.READ, Arms.PHONE))
        held = _hold(kind, script.manner.mirrored, used, body, posture, placed, heading)
        self._centre, self._axes = held.centre, held.axes
        torso = placed.world[:, [Joint.CHEST, Joint.PELVIS], 2].mean(axis=1)
        beside = torso if kind is not HandObject.PHONE else placed.world[:, Joint.HEAD, 2] + 0.02
        self._in_front = self._centre[:, 2] <= beside

    def in_front(self, frame: int) -> bool:
        """Whether the object is painted after its person."""
        return bool(self._in_front[frame])

    def draw(self, image: np.ndarray, frame: int, window: np.ndarray, value: int | None = None) -> None:
        """Paint the object onto a frame, or fill a mask with ``value``."""
        for fixed, brightness in self._faces(frame, window):
            colour = shaded(self._colour, brightness) if value is None else value
            cv2.fillConvexPoly(image, fixed, colour, cv2.LINE_8, SUBPIXEL_BITS)
            if value is None:
                cv2.polylines(image, [fixed], True, shaded(self._colour, 0.5), 1, cv2.LINE_8, SUBPIXEL_BITS)

    def area(self, frame: int, window: np.ndarray) -> int:
        """Count the pixels that the object would cover alone in an unbounded frame."""
        return union_area([corners for corners, _ in self._faces(frame, window)])

    def _faces(self, frame: int, window: np.ndarray) -> list[tuple[np.ndarray, float]]:
        eye = np.array([0.0, self._view.eye, 0.0])
        faces = cuboid_faces(self._centre[frame], self._size, self._axes[frame], eye)
        return [
            (fixed_point(apply_window(self._view.project(corners), window)), light)
            for corners, light in faces
        ]


def _hold(
    kind: HandObject,
    mirrored: bool,
    used: np.ndarray,
    body: Body,
    posture: Posture,
    placed: Placed,
    heading: np.ndarray,
) -> _Held:
    main, other = (Joint.LEFT_HAND, Joint.RIGHT_HAND) if mirrored else (Joint.RIGHT_HAND, Joint.LEFT_HAND)
    hand, free_hand = placed.world[:, main], placed.world[:, other]
    upright = np.stack([upright_axes(angle) for angle in heading])
    chest = _in_world(posture.chest_axes, upright)
    middle = 0.5 * (hand + free_hand)
    size = body.scale
    down = np.array([0.0, -size, 0.0])
    if kind is HandObject.BOX:
        return _Held(middle + chest @ (size * np.array([0.06, 0.02, 0.0])), chest)
    if kind is HandObject.BAG:
        return _Held(free_hand + _HAND_TO_BAG * down, upright)
    share = used[:, None]
    if kind is HandObject.BOOK:
        lying = _pitched(chest, -0.6)
        reading = middle + lying @ (size * np.array([0.0, 0.09, 0.0]))
        axes = np.where(share[..., None] > 0.5, lying, upright[:, :, [2, 1, 0]])
        return _Held(share * reading + (1 - share) * (hand + 0.09 * down), axes)
    head = _in_world(posture.head_axes, upright)
    at_ear = hand + head @ (size * np.array([0.01, -0.01, 0.0]))
    axes = np.where(share[..., None] > 0.5, head, upright)
    return _Held(share * at_ear + (1 - share) * (hand + 0.03 * down), axes)


def _in_world(axes: np.ndarray, upright: np.ndarray) -> np.ndarray:
    """Turn [T, 3, 3] forward, left, up columns of a person into forward, up, left columns of the world."""
    to_world = upright[:, :, [0, 2, 1]]
    return (to_world @ axes)[:, :, [0, 2, 1]]


def _pitched(axes: np.ndarray, angle: float) -> np.ndarray:
    """Tilt [T, 3, 3] forward, up, left columns: the top goes away from the body for negative angles."""
    cos, sin = np.cos(angle), np.sin(angle)
    forward = cos * axes[:, :, 0] + sin * axes[:, :, 1]
    up = cos * axes[:, :, 1] - sin * axes[:, :, 0]
    return np.stack([forward, up, axes[:, :, 2]], axis=2)
