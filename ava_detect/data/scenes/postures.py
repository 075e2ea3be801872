"""What the body does below the arms: standing, gait, sitting, bowing, falling and getting up.

Motions that only time tells apart share their pose vectors: walking and running are one gait at two cadences;
getting up is falling with time reversed; a seated bow passes through the leans that other people hold still.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ava_detect.data.scenes.dice import Dice
from ava_detect.data.scenes.skeleton import LEFT_ARM, LEFT_LEG, RIGHT_ARM, RIGHT_LEG, Body, Dof

WALK_CADENCE_HZ = (0.75, 1.0)  # gait cycles (two steps) per second
RUN_CADENCE_HZ = (1.55, 1.95)
STANDING_BOW_LEAST = 0.35  # nobody who bows while standing is upright, or a keyframe would show a stander
FALL_VARIANTS = ("backwards", "forwards", "sideways")


@dataclass(frozen=True)
class Manner:
    """How one person stands, goes, sits, bows and falls; the same whatever the person is doing.

    Angles in radians, rates in Hz, phases in radians.
    """

    stride: float  # swing of the thighs while going
    elbows: float  # bend of the elbows while going
    lean: float  # of the trunk while going
    walk_cadence_hz: float
    run_cadence_hz: float
    first_phase: float  # of the gait
    stance: tuple[float, float]  # spread and stagger of the legs while standing
    seat: tuple[float, float, float]  # thighs, knees and spread while sitting
    seat_lean: float  # least lean while sitting
    bow_depth: tuple[float, float]  # of a seated and of a standing bow
    bow_rate_hz: float
    bow_phase: float
    held_bow: float  # phase of the bow that a still sitter holds
    fall: str  # one of FALL_VARIANTS
    mirrored: bool  # left-handed, falls to the left
    idle: np.ndarray  # [5, 4] amplitude, rate, two phases of slow sways


def draw_manner(dice: Dice) -> Manner:
    """Draw how a person moves."""
    idle = np.stack(
        [
            np.array([0.03, 0.03, 0.12, 0.06, 0.02]) * (0.5 + dice.uniforms(5)),
            0.12 + 0.3 * dice.uniforms(5),
            2 * np.pi * dice.uniforms(5),
            2 * np.pi * dice.uniforms(5),
        ],
        axis=1,
    )
    return Manner(
        stride=dice.uniform(0.40, 0.62),
        elbows=dice.uniform(0.25, 1.6),
        lean=dice.uniform(0.02, 0.2),
        walk_cadence_hz=dice.within(WALK_CADENCE_HZ),
        run_cadence_hz=dice.within(RUN_CADENCE_HZ),
        first_phase=dice.uniform(0, 2 * np.pi),
        stance=(dice.uniform(0.03, 0.15), dice.uniform(-0.16, 0.16)),
        seat=(dice.uniform(1.35, 1.6), dice.uniform(1.3, 1.75), dice.uniform(0.05, 0.28)),
        seat_lean=dice.uniform(-0.1, 0.15),
        bow_depth=(dice.uniform(0.6, 0.95), dice.uniform(1.0, 1.5)),
        bow_rate_hz=dice.uniform(0.5, 0.75),
        bow_phase=dice.uniform(0, 2 * np.pi),
        held_bow=dice.uniform(0, 2 * np.pi),
        fall=dice.pick(FALL_VARIANTS),
        mirrored=dice.chance(0.5),
        idle=idle,
    )


def still_pose(manner: Manner) -> np.ndarray:
    """Return the [30] pose of a person who stands, arms hanging."""
    spread, stagger = manner.stance
    pose = _keypose(feet_anchor=1.0)
    pose[Dof.LEFT_SPREAD] = pose[Dof.RIGHT_SPREAD] = spread
    pose[Dof.LEFT_THIGH], pose[Dof.RIGHT_THIGH] = stagger + 0.02, 0.02 - stagger
    pose[Dof.LEFT_KNEE] = pose[Dof.RIGHT_KNEE] = 0.05
    return pose


def gait_poses(phase: np.ndarray, manner: Manner) -> np.ndarray:
    """Return the [T, 30] poses of a walk or run at [T] phases; a cycle of 2 pi is two steps."""
    poses = np.tile(_keypose(), (len(phase), 1))
    poses[:, Dof.PELVIS_PITCH] = 0.6 * manner.lean
    poses[:, Dof.CHEST_PITCH] = 0.4 * manner.lean
    poses[:, Dof.HEAD_PITCH] = -0.5 * manner.lean
    poses[:, Dof.TRUNK_YAW] = -0.16 * np.sin(phase)
    poses[:, Dof.TRUNK_ROLL] = 0.035 * np.cos(phase)
    for leg, arm, swing in ((LEFT_LEG, RIGHT_ARM, phase), (RIGHT_LEG, LEFT_ARM, phase + np.pi)):
        thigh = manner.stride * np.sin(swing) + 0.06
        # The knee bends most when the thigh passes the other one on its way forward.
        knee = 0.1 + 2.1 * manner.stride * (0.5 + 0.5 * np.cos(swing + 0.2)) ** 3
        foot = np.clip(0.55 * (knee - thigh), -0.15, 0.25)
        poses[:, leg] = np.stack([thigh, np.full_like(thigh, 0.03), knee, foot], axis=1)
        poses[:, arm] = _swinging_arm(0.9 * manner.stride * np.sin(swing) - 0.1, manner.elbows)
    return poses


def _swinging_arm(angle: np.ndarray, elbow: float) -> np.ndarray:
    """Return [T, 7] arm values of a hanging arm at an angle forward, the elbow bent by a fixed angle."""
    hand_x = 0.29 * np.sin(angle) + 0.26 * np.sin(angle + elbow)
    hand_z = -0.29 * np.cos(angle) - 0.26 * np.cos(angle + elbow)
    out, one = np.full_like(angle, 0.05 - 0.05 * elbow), np.ones_like(angle)
    return np.stack([hand_x, out, hand_z, -one, 0.25 * one, 0 * one, 0.6 * one], axis=1)


def stride_length(manner: Manner, body: Body) -> float:
    """Metres that one gait cycle covers when the standing foot does not slide."""
    return 4 * body.leg_length * float(np.sin(manner.stride)) * 1.13


def seated_pose(manner: Manner) -> np.ndarray:
    """Return the [30] pose of a person on a stool, trunk upright, hands on the thighs."""
    thigh, knee, spread = manner.seat
    pose = _keypose()
    for first in (Dof.LEFT_THIGH, Dof.RIGHT_THIGH):
        pose[first : first + 4] = thigh, spread, knee, knee - thigh
    for first in (Dof.LEFT_HAND_X, Dof.RIGHT_HAND_X):
        pose[first : first + 7] = 0.30, 0.02, -0.34, -0.5, 0.8, -0.4, 0.0
    pose[Dof.PELVIS_PITCH] = manner.seat_lean
    return pose


def bow(phase: np.ndarray, depth: float, *, least: float = 0.0) -> np.ndarray:
    """Return the [T] lean of a bow that goes down and up once per cycle, radians.

    Args:
        phase: [T] radians.
        depth: the deepest lean.
        least: the least lean, as a share of the deepest.
    """
    return depth * (least + (1 - least) * (0.5 - 0.5 * np.cos(phase)))


def add_lean(poses: np.ndarray, lean: np.ndarray) -> None:
    """Bend [T, 30] poses forward at the waist by [T] radians, in place."""
    poses[:, Dof.PELVIS_PITCH] += 0.62 * lean
    poses[:, Dof.CHEST_PITCH] += 0.38 * lean
    poses[:, Dof.HEAD_PITCH] -= 0.15 * lean


def add_idle(poses: np.ndarray, times: np.ndarray, manner: Manner, strength: np.ndarray) -> None:
    """Add the slow sways of someone who keeps still (breath, looking around), in place."""
    amplitude, rate, first, second = (column[:, None] for column in manner.idle.T)
    turn = 2 * np.pi * rate * times
    sway = 0.5 * amplitude * (np.sin(turn + first) + np.sin(1.618 * turn + second)) * strength
    for row, dof in zip(
        sway, (Dof.CHEST_PITCH, Dof.TRUNK_ROLL, Dof.HEAD_YAW, Dof.HEAD_PITCH, Dof.TRUNK_YAW), strict=True
    ):
        poses[:, dof] += row


def fall_poses(progress: np.ndarray, manner: Manner) -> np.ndarray:
    """Return the [T, 30] poses on the way from standing (progress 0) to lying (1).

    A fall runs through them forwards, getting up runs through the same ones backwards.
    """
    keyposes = np.stack([still_pose(manner), *_FALLS[manner.fall]])
    if manner.mirrored:
        keyposes[1:] = _mirrored(keyposes[1:])
    return _through_keyposes(keyposes, np.clip(progress, 0.0, 1.0))


def ease(share: np.ndarray) -> np.ndarray:
    """Return [T] shares of a movement, slow at both ends and the same when time runs backwards."""
    share = np.clip(share, 0.0, 1.0)
    return share * share * (3 - 2 * share)


def _through_keyposes(keyposes: np.ndarray, progress: np.ndarray) -> np.ndarray:
    """Interpolate [n, 30] evenly spaced key poses at [T] progress in [0, 1] (Catmull-Rom, ends doubled)."""
    padded = np.concatenate([keyposes[:1], keyposes, keyposes[-1:]])
    position = progress * (len(keyposes) - 1)
    piece = np.minimum(position.astype(int), len(keyposes) - 2)
    u = (position - piece)[:, None]
    before, start, end, after = (padded[piece + offset] for offset in range(4))
    return start + 0.5 * u * (
        end
        - before
        + u * (2 * before - 5 * start + 4 * end - after + u * (3 * (start - end) + after - before))
    )


def _mirrored(poses: np.ndarray) -> np.ndarray:
    """Swap left and right in [n, 30] poses."""
    swapped = poses.copy()
    swapped[:, LEFT_LEG], swapped[:, RIGHT_LEG] = poses[:, RIGHT_LEG], poses[:, LEFT_LEG]
    swapped[:, LEFT_ARM], swapped[:, RIGHT_ARM] = poses[:, RIGHT_ARM], poses[:, LEFT_ARM]
    swapped[:, [Dof.TRUNK_ROLL, Dof.TRUNK_YAW, Dof.HEAD_YAW, Dof.BODY_ROLL]] *= -1
    return swapped


def _keypose(
    *,
    feet_anchor: float = 0.0,
    trunk: Sequence[float] = (0, 0, 0),
    roll: Sequence[float] = (0, 0),
    left_leg: Sequence[float] = (0, 3, 3, 0),
    right_leg: Sequence[float] | None = None,
    left_arm: Sequence[float] = (0.03, 0.07, -0.53, 1.0),
    right_arm: Sequence[float] | None = None,
) -> np.ndarray:
    """Build a pose: degrees for trunk (pelvis, chest, head pitch), roll (trunk, body), legs; arms in metres.

    A leg is thigh, spread, knee, foot; an arm the hand's x, y, z against the shoulder and the hang. The right
    side repeats the left one unless it is given.
    """
    pose = np.zeros(len(Dof))
    pose[[Dof.PELVIS_PITCH, Dof.CHEST_PITCH, Dof.HEAD_PITCH]] = np.radians(trunk)
    pose[[Dof.TRUNK_ROLL, Dof.BODY_ROLL]] = np.radians(roll)
    pose[Dof.FEET_ANCHOR] = feet_anchor
    pose[LEFT_LEG] = np.radians(left_leg)
    pose[RIGHT_LEG] = np.radians(left_leg if right_leg is None else right_leg)
    for arm, values in ((LEFT_ARM, left_arm), (RIGHT_ARM, left_arm if right_arm is None else right_arm)):
        x, y, z, hang = values
        pose[arm] = x, y, z, -1.0, 0.35, -0.1, hang
    return pose


# The way down after standing; the last pose lies on the ground.
_FALLS = {
    "backwards": (
        _keypose(
            feet_anchor=1, trunk=(12, 18, 10), left_leg=(62, 8, 95, 15), left_arm=(0.15, 0.22, -0.36, 0.5)
        ),
        _keypose(
            feet_anchor=1,
            trunk=(-28, 12, 18),
            left_leg=(112, 10, 82, 0),
            right_leg=(104, 12, 66, 0),
            left_arm=(-0.22, 0.18, -0.38, 0.5),
            right_arm=(-0.12, 0.25, -0.4, 0.5),
        ),
        _keypose(
            feet_anchor=1,
            trunk=(-86, 0, 6),
            left_leg=(98, 10, 26, -15),
            right_leg=(91, 9, 6, -20),
            left_arm=(0.02, 0.26, -0.40, 0),
            right_arm=(0.02, 0.16, -0.48, 0),
        ),
    ),
    "forwards": (
        _keypose(
            feet_anchor=1,
            trunk=(22, 14, -5),
            left_leg=(36, 6, 88, -10),
            right_leg=(22, 6, 78, -10),
            left_arm=(0.30, 0.12, -0.30, 0.5),
        ),
        _keypose(
            feet_anchor=1,
            trunk=(62, 12, -25),
            left_leg=(12, 8, 96, -40),
            right_leg=(-8, 8, 78, -40),
            left_arm=(0.34, 0.08, -0.38, 0.6),
            right_arm=(0.40, 0.10, -0.32, 0.6),
        ),
        _keypose(
            feet_anchor=1,
            trunk=(86, 4, -12),
            left_leg=(-82, 9, 12, -60),
            right_leg=(-86, 7, 4, -60),
            left_arm=(0.10, 0.26, 0.26, 0),
            right_arm=(0.06, 0.30, 0.05, 0),
        ),
    ),
    "sideways": (
        _keypose(
            feet_anchor=1,
            trunk=(20, 14, 0),
            roll=(10, 14),
            left_leg=(48, 10, 84, 8),
            right_leg=(60, 8, 98, 8),
            left_arm=(0.16, 0.28, -0.34, 0.4),
            right_arm=(0.10, 0.30, -0.36, 0.4),
        ),
        _keypose(
            feet_anchor=1,
            trunk=(8, 10, 0),
            roll=(-14, 62),
            left_leg=(58, 8, 80, 0),
            right_leg=(74, 4, 92, 0),
            left_arm=(0.26, 0.10, -0.36, 0),
            right_arm=(0.12, 0.34, -0.20, 0),
        ),
        _keypose(
            feet_anchor=1,
            trunk=(6, 10, 10),
            roll=(2, 88),
            left_leg=(34, 2, 52, -15),
            right_leg=(52, 0, 78, -15),
            left_arm=(0.34, 0.02, -0.20, 0),
            right_arm=(0.34, -0.02, 0.12, 0),
        ),
    ),
}
