"""Shadows on the ground: the body flattened along the light, drawn dark and soft."""

from dataclasses import dataclass

import cv2
import numpy as np

from ava_detect.data.scenes.dice import Dice
from ava_detect.data.scenes.figure import SUBPIXEL_BITS, Placed, capsule_corners, fixed_point
from ava_detect.data.scenes.looks import Point
from ava_detect.data.scenes.skeleton import Body, Joint
from ava_detect.data.scenes.view import View

# Bones that throw a shadow: ends and radii in metres of a 1.75 m body.
_BONES = (
    (Joint.LEFT_HIP, Joint.LEFT_KNEE, 0.08, 0.06),
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, 0.08, 0.06),
    (Joint.LEFT_KNEE, Joint.LEFT_ANKLE, 0.06, 0.05),
    (Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE, 0.06, 0.05),
    (Point.LEFT_HEEL, Joint.LEFT_TOE, 0.05, 0.04),
    (Point.RIGHT_HEEL, Joint.RIGHT_TOE, 0.05, 0.04),
    (Joint.CHEST, Joint.PELVIS, 0.16, 0.13),
    (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, 0.055, 0.045),
    (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, 0.055, 0.045),
    (Joint.LEFT_ELBOW, Joint.LEFT_HAND, 0.045, 0.04),
    (Joint.RIGHT_ELBOW, Joint.RIGHT_HAND, 0.045, 0.04),
    (Point.CROWN, Point.CHIN, 0.11, 0.09),
)


@dataclass(frozen=True)
class Light:
    """Where the light goes.

    Attributes:
        slope: [2] metres along X and Z that a shadow moves per metre of height.
        darkness: of shadows, 0 to 1.
    """

    slope: tuple[float, float]
    darkness: float

    @property
    def in_picture(self) -> np.ndarray:
        """[2] direction of the light in the picture, downwards, of length below 1."""
        direction = np.array([self.slope[0], 1.0])
        return 0.9 * direction / np.linalg.norm(direction)


def draw_light(dice: Dice, darkness: tuple[float, float]) -> Light:
    """Draw where the light comes from and how dark its shadows are."""
    return Light((dice.uniform(-0.9, 0.9), dice.uniform(-0.35, 0.6)), dice.within(darkness))


class CastShadow:
    """One person's shadow at T times.

    Args:
        placed: points of the body in the world.
        body: proportions.
        light: where it goes.
        view: the camera.
        windows: [T, 2, 3] canvas to frame.
        wall_depth: Z beyond which there is no ground.
        scale: size of the shadow's mask relative to the frame.
    """

    def __init__(
        self,
        placed: Placed,
        body: Body,
        light: Light,
        view: View,
        windows: np.ndarray,
        *,
        wall_depth: float,
        scale: float,
    ) -> None:
        ends = np.array([bone[:2] for bone in _BONES])
        radii = np.array([bone[2:] for bone in _BONES]) * body.scale
        ground = placed.world[:, ends].copy()
        height = ground[..., 1].copy()
        ground[..., 0] += light.slope[0] * height
        ground[..., 2] = np.minimum(ground[..., 2] + light.slope[1] * height, wall_depth)
        ground[..., 1] = 0.0
        zoom = np.sqrt(np.abs(np.linalg.det(windows[:, :, :2])))[:, None, None]
        points = (
            np.einsum("tij,tbej->tbei", windows[:, :, :2], view.project(ground))
            + windows[:, None, None, :, 2]
        )
        # Flattened circles are thinner than the bones; one factor stands for the ellipse that they become.
        radius = 0.75 * radii * view.scale_at(ground[..., 2]) * zoom
        self._polygons = fixed_point(
            scale * capsule_corners(points[:, :, 0], points[:, :, 1], radius[..., 0], radius[..., 1])
        )

    def draw(self, mask: np.ndarray, frame: int) -> None:
        """Fill the shadow in a mask [H, W] uint8."""
        for corners in self._polygons[frame]:
            cv2.fillConvexPoly(mask, corners, 255, cv2.LINE_8, SUBPIXEL_BITS)


def darken(image: np.ndarray, mask: np.ndarray, darkness: float) -> None:
    """Darken a frame [H, W, 3] in place where the mask [H, W] is set, with soft edges."""
    left, top, width, height = cv2.boundingRect(mask)
    if width == 0:
        return
    pad = 2
    rows = slice(max(0, top - pad), top + height + pad)
    columns = slice(max(0, left - pad), left + width + pad)
    soft = cv2.blur(mask[rows, columns], (3, 3))
    keep = cv2.LUT(soft, np.rint(255 - darkness * np.arange(256)).astype(np.uint8))
    region = image[rows, columns]
    region[:] = cv2.multiply(region, cv2.merge([keep] * 3), scale=1 / 255)
