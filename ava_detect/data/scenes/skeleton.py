"""A jointed body: the pose vector, the body's proportions, and forward kinematics.

Axes of a person's own frame: x forward, y to the person's left, z up, in metres, origin on the ground. A pose
says nothing about where the person is or how the ground is reached: kinematics sets the lowest point of the
body on the ground, whatever the pose, so that standing, kneeling and lying need no special case.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class Dof(IntEnum):
    """Positions in the pose vector. Angles in radians; hands in metres of a body 1.75 m tall."""

    PELVIS_PITCH = 0  # lean of the whole trunk: forward positive; the legs do not follow
    CHEST_PITCH = 1  # chest against pelvis
    HEAD_PITCH = 2  # head against chest: looking down positive
    TRUNK_ROLL = 3  # lean of the trunk to the person's right positive
    TRUNK_YAW = 4  # twist of the trunk to the left positive
    HEAD_YAW = 5
    BODY_ROLL = 6  # the whole body, legs included, tips to the person's right
    FEET_ANCHOR = 7  # 0: the pelvis stays above the person's place; 1: the feet stay there
    LEFT_THIGH = 8  # from hanging straight down; forward positive
    LEFT_SPREAD = 9  # away from the other leg
    LEFT_KNEE = 10  # bent positive
    LEFT_FOOT = 11  # toes up positive, against the shin's right angle
    RIGHT_THIGH = 12
    RIGHT_SPREAD = 13
    RIGHT_KNEE = 14
    RIGHT_FOOT = 15
    LEFT_HAND_X = 16  # hand against its shoulder in the chest's frame; y counts outwards on both sides
    LEFT_HAND_Y = 17
    LEFT_HAND_Z = 18
    LEFT_ELBOW_X = 19  # where the elbow points to, same frame
    LEFT_ELBOW_Y = 20
    LEFT_ELBOW_Z = 21
    LEFT_HANG = 22  # 0: the hand follows the chest's frame; 1: it hangs in the upright frame
    RIGHT_HAND_X = 23
    RIGHT_HAND_Y = 24
    RIGHT_HAND_Z = 25
    RIGHT_ELBOW_X = 26
    RIGHT_ELBOW_Y = 27
    RIGHT_ELBOW_Z = 28
    RIGHT_HANG = 29


LEFT_ARM = slice(Dof.LEFT_HAND_X, Dof.LEFT_HANG + 1)
RIGHT_ARM = slice(Dof.RIGHT_HAND_X, Dof.RIGHT_HANG + 1)
LEFT_LEG = slice(Dof.LEFT_THIGH, Dof.LEFT_FOOT + 1)
RIGHT_LEG = slice(Dof.RIGHT_THIGH, Dof.RIGHT_FOOT + 1)


class Joint(IntEnum):
    """Rows of the joint array."""

    PELVIS = 0
    CHEST = 1  # midway between the shoulders
    NECK = 2
    HEAD = 3  # centre of the head
    LEFT_SHOULDER = 4
    LEFT_ELBOW = 5
    LEFT_WRIST = 6
    LEFT_HAND = 7
    RIGHT_SHOULDER = 8
    RIGHT_ELBOW = 9
    RIGHT_WRIST = 10
    RIGHT_HAND = 11
    LEFT_HIP = 12
    LEFT_KNEE = 13
    LEFT_ANKLE = 14
    LEFT_TOE = 15
    RIGHT_HIP = 16
    RIGHT_KNEE = 17
    RIGHT_ANKLE = 18
    RIGHT_TOE = 19


# How far flesh and shoes reach below a joint that touches the ground, metres of a 1.75 m body.
_CLEARANCE = np.array(
    [0.10, 0.10, 0.06, 0.12, *2 * [0.08, 0.04, 0.04, 0.04], *2 * [0.10, 0.055, 0.075, 0.04]]
)


@dataclass(frozen=True)
class Body:
    """Proportions of one person.

    Attributes:
        stature: height in metres.
        leg, trunk, arm, shoulders, head: lengths relative to an average body of that height.
        girth: thickness of trunk and limbs relative to the average.
    """

    stature: float = 1.75
    leg: float = 1.0
    trunk: float = 1.0
    arm: float = 1.0
    shoulders: float = 1.0
    head: float = 1.0
    girth: float = 1.0

    @property
    def scale(self) -> float:
        """Metres of this body per metre of a 1.75 m body."""
        return self.stature / 1.75

    @property
    def leg_length(self) -> float:
        """Hip to ankle in metres."""
        return 0.87 * self.leg * self.scale

    @property
    def shoulder_height(self) -> float:
        """Height of the shoulders of the upright body, metres."""
        return (0.87 * self.leg + 0.075 + 0.50 * self.trunk) * self.scale


@dataclass(frozen=True)
class Posture:
    """Where a body's joints are, at T times.

    Attributes:
        joints: [T, 20, 3] metres in the person's frame (x forward, y left, z up from the ground).
        chest_axes: [T, 3, 3] the chest's forward, left and up directions as columns.
        head_axes: [T, 3, 3] the same of the head.
    """

    joints: np.ndarray
    chest_axes: np.ndarray
    head_axes: np.ndarray


def forward_kinematics(pose: np.ndarray, body: Body) -> Posture:
    """Place the joints of a body for every pose and set it on the ground.

    Args:
        pose: [T, 30] pose vectors, see ``Dof``.
        body: the proportions.

    Returns:
        The posture at T times.
    """
    upright = _about_x(pose[:, Dof.BODY_ROLL])
    pelvis_axes = (
        upright
        @ _about_z(0.4 * pose[:, Dof.TRUNK_YAW])
        @ _about_y(pose[:, Dof.PELVIS_PITCH])
        @ _about_x(0.4 * pose[:, Dof.TRUNK_ROLL])
    )
    chest_axes = (
        pelvis_axes
        @ _about_z(0.6 * pose[:, Dof.TRUNK_YAW])
        @ _about_y(pose[:, Dof.CHEST_PITCH])
        @ _about_x(0.6 * pose[:, Dof.TRUNK_ROLL])
    )
    head_axes = chest_axes @ _about_z(pose[:, Dof.HEAD_YAW]) @ _about_y(pose[:, Dof.HEAD_PITCH])
    joints = np.zeros((len(pose), len(Joint), 3))
    _place_trunk(joints, body, pelvis_axes, chest_axes, head_axes)
    for side in (1.0, -1.0):
        _place_leg(joints, pose, body, side, upright, pelvis_axes)
        _place_arm(joints, pose, body, side, upright, chest_axes)
    joints *= body.scale
    joints[..., 2] -= (joints[..., 2] - _CLEARANCE * body.scale).min(axis=1, keepdims=True)
    feet = 0.5 * (joints[:, Joint.LEFT_ANKLE, :2] + joints[:, Joint.RIGHT_ANKLE, :2])
    joints[..., :2] -= (pose[:, Dof.FEET_ANCHOR, None] * feet)[:, None]
    return Posture(joints, chest_axes, head_axes)


def _place_trunk(
    joints: np.ndarray, body: Body, pelvis_axes: np.ndarray, chest_axes: np.ndarray, head_axes: np.ndarray
) -> None:
    waist = pelvis_axes @ np.array([0.0, 0.0, 0.20 * body.trunk])
    joints[:, Joint.CHEST] = waist + chest_axes @ np.array([0.0, 0.0, 0.30 * body.trunk])
    joints[:, Joint.NECK] = joints[:, Joint.CHEST] + chest_axes @ np.array([0.0, 0.0, 0.05])
    joints[:, Joint.HEAD] = joints[:, Joint.NECK] + head_axes @ np.array(
        [0.025, 0.0, 0.04 + 0.11 * body.head]
    )


def _place_leg(
    joints: np.ndarray,
    pose: np.ndarray,
    body: Body,
    side: float,
    upright: np.ndarray,
    pelvis_axes: np.ndarray,
) -> None:
    first, dof = (Joint.LEFT_HIP, Dof.LEFT_THIGH) if side > 0 else (Joint.RIGHT_HIP, Dof.RIGHT_THIGH)
    thigh, spread, knee, foot = (pose[:, dof + offset] for offset in range(4))
    spreading = upright @ _about_x(side * spread)
    down = np.array([0.0, 0.0, -1.0])
    hip = pelvis_axes @ np.array([0.0, side * 0.095 * body.girth**0.5, 0.0])
    joints[:, first] = hip
    joints[:, first + 1] = hip + (spreading @ _about_y(-thigh)) @ (0.44 * body.leg * down)
    shin = spreading @ _about_y(knee - thigh)
    joints[:, first + 2] = joints[:, first + 1] + shin @ (0.43 * body.leg * down)
    sole = shin @ _about_y(-foot)
    joints[:, first + 3] = joints[:, first + 2] + sole @ np.array([0.17, side * 0.03, -0.035])


def _place_arm(
    joints: np.ndarray, pose: np.ndarray, body: Body, side: float, upright: np.ndarray, chest_axes: np.ndarray
) -> None:
    first, dof = (
        (Joint.LEFT_SHOULDER, Dof.LEFT_HAND_X) if side > 0 else (Joint.RIGHT_SHOULDER, Dof.RIGHT_HAND_X)
    )
    outwards = np.array([1.0, side, 1.0])
    shoulder = joints[:, Joint.CHEST] + chest_axes @ np.array([0.0, side * 0.175 * body.shoulders, 0.0])
    hang = pose[:, dof + 6, None]
    target = _in_frames(pose[:, dof : dof + 3] * outwards, hang, upright, chest_axes)
    pole = _in_frames(pose[:, dof + 3 : dof + 6] * outwards, hang, upright, chest_axes)
    upper, fore = 0.29 * body.arm, 0.26 * body.arm
    elbow, wrist = _bend_arm(target * body.arm, pole, upper, fore)
    joints[:, first] = shoulder
    joints[:, first + 1] = shoulder + elbow
    joints[:, first + 2] = shoulder + wrist
    joints[:, first + 3] = shoulder + wrist + (wrist - elbow) / fore * 0.07


def _in_frames(
    vectors: np.ndarray, hang: np.ndarray, upright: np.ndarray, chest_axes: np.ndarray
) -> np.ndarray:
    """Turn vectors of the chest's frame (hang 0) or the upright one (hang 1) into the person's frame."""
    in_chest = np.einsum("tij,tj->ti", chest_axes, vectors)
    return in_chest * (1 - hang) + np.einsum("tij,tj->ti", upright, vectors) * hang


def _bend_arm(
    target: np.ndarray, pole: np.ndarray, upper: float, fore: float
) -> tuple[np.ndarray, np.ndarray]:
    """Find elbow and wrist of a two-bone arm that reaches for a target, the elbow pointing to the pole.

    Args:
        target: [T, 3] against the shoulder; pulled in when out of reach.
        pole: [T, 3] direction.
        upper: length of the upper arm.
        fore: length of the forearm.

    Returns:
        [T, 3] elbow and [T, 3] wrist against the shoulder.
    """
    # Nudges far below a pixel give a direction to a hand at the shoulder and to an elbow that points nowhere.
    target = target + np.array([0.0, 0.0, -1e-6])
    pole = pole + np.array([-1e-6, 2e-6, -3e-6])
    distance = np.linalg.norm(target, axis=1, keepdims=True)
    direction = target / np.maximum(distance, 1e-12)
    reach = np.clip(distance, abs(upper - fore) + 0.03, 0.995 * (upper + fore))
    along = (upper**2 - fore**2 + reach**2) / (2 * reach)
    aside = np.sqrt(np.maximum(upper**2 - along**2, 0.0))
    across = pole - (pole * direction).sum(axis=1, keepdims=True) * direction
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    return along * direction + aside * across, reach * direction


def _about_x(angle: np.ndarray) -> np.ndarray:
    """[T] angles -> [T, 3, 3]; a hanging limb goes to the left, an upright one to the right."""
    return _rotation(angle, 1, 2)


def _about_y(angle: np.ndarray) -> np.ndarray:
    """[T] angles -> [T, 3, 3]; an upright limb goes forward, a hanging one backward."""
    return _rotation(angle, 2, 0)


def _about_z(angle: np.ndarray) -> np.ndarray:
    """[T] angles -> [T, 3, 3]; forward goes to the left."""
    return _rotation(angle, 0, 1)


def _rotation(angle: np.ndarray, first: int, second: int) -> np.ndarray:
    """Rotate axis ``first`` towards axis ``second``."""
    matrix = np.zeros((len(angle), 3, 3))
    matrix[:, range(3), range(3)] = 1.0
    cos, sin = np.cos(angle), np.sin(angle)
    matrix[:, first, first] = matrix[:, second, second] = cos
    matrix[:, second, first] = sin
    matrix[:, first, second] = -sin
    return matrix
