"""Forward kinematics: bones keep their lengths, the body is on the ground, hands go where they are sent."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ava_detect.data.scenes.dice import Dice
from ava_detect.data.scenes.looks import Point, body_points
from ava_detect.data.scenes.postures import draw_manner, still_pose
from ava_detect.data.scenes.skeleton import Body, Dof, Joint, forward_kinematics

BONES = {
    (Joint.LEFT_HIP, Joint.LEFT_KNEE): 0.44,
    (Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE): 0.43,
    (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW): 0.29,
    (Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST): 0.26,
    (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER): 0.35,
}

poses = st.lists(st.floats(-1.5, 1.5), min_size=len(Dof), max_size=len(Dof)).map(
    lambda values: np.array([values])
)


@settings(max_examples=60, deadline=None)
@given(poses)
def test_bones_keep_their_lengths_in_any_pose(pose: np.ndarray) -> None:
    joints = forward_kinematics(pose, Body()).joints[0]

    for (start, end), length in BONES.items():
        assert np.linalg.norm(joints[end] - joints[start]) == pytest.approx(length, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(poses)
def test_no_joint_is_below_the_ground_and_something_touches_it(pose: np.ndarray) -> None:
    heights = forward_kinematics(pose, Body()).joints[0, :, 2]

    assert heights.min() >= 0.04 - 1e-9  # the flesh below a joint is at least 4 cm
    assert heights.min() <= 0.12 + 1e-9  # and at most 12 cm


@pytest.mark.parametrize("stature", [1.2, 1.75, 1.95])
def test_a_standing_body_is_as_tall_as_its_stature(stature: float) -> None:
    body = Body(stature=stature)
    posture = forward_kinematics(still_pose(draw_manner(Dice(1)))[None], body)
    crown = (
        body_points(posture, body)[0, Point.CROWN, 2] + 0.098 * body.scale
    )  # centre and radius of the skull

    assert crown == pytest.approx(stature, rel=0.03)


def test_a_thigh_lifted_by_a_quarter_turn_points_forward() -> None:
    pose = np.zeros((1, len(Dof)))
    pose[0, Dof.LEFT_THIGH] = np.pi / 2

    joints = forward_kinematics(pose, Body()).joints[0]

    np.testing.assert_allclose(joints[Joint.LEFT_KNEE] - joints[Joint.LEFT_HIP], [0.44, 0, 0], atol=1e-9)


@pytest.mark.parametrize(("side", "sign"), [("LEFT", 1), ("RIGHT", -1)])
def test_a_hand_within_reach_arrives_and_outwards_is_mirrored(side: str, sign: int) -> None:
    pose = np.zeros((1, len(Dof)))
    first = Dof[f"{side}_HAND_X"]
    pose[0, first : first + 3] = 0.3, 0.2, 0.1
    pose[0, first + 3 : first + 6] = 0, 0, -1

    joints = forward_kinematics(pose, Body()).joints[0]

    reached = joints[Joint[f"{side}_WRIST"]] - joints[Joint[f"{side}_SHOULDER"]]
    np.testing.assert_allclose(reached, [0.3, sign * 0.2, 0.1], atol=1e-5)


def test_a_hand_out_of_reach_stretches_the_arm_towards_it() -> None:
    pose = np.zeros((1, len(Dof)))
    pose[0, Dof.LEFT_HAND_X] = 5.0
    pose[0, Dof.LEFT_ELBOW_Z] = -1

    joints = forward_kinematics(pose, Body()).joints[0]

    reached = joints[Joint.LEFT_WRIST] - joints[Joint.LEFT_SHOULDER]
    np.testing.assert_allclose(reached, [0.995 * 0.55, 0, 0], atol=1e-5)


def test_anchored_feet_stay_when_the_trunk_leans() -> None:
    upright = still_pose(draw_manner(Dice(2)))
    bent = upright.copy()
    bent[Dof.PELVIS_PITCH] = 1.0

    joints = forward_kinematics(np.stack([upright, bent]), Body()).joints

    for ankle in (Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE):
        np.testing.assert_allclose(joints[0, ankle], joints[1, ankle], atol=1e-9)
