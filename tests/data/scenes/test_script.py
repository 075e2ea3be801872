"""Scripts: labels hold around their keyframes, and motion pairs share their poses."""

import dataclasses
import functools
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from ava_detect.data.scenes import generate_scene
from ava_detect.data.scenes.actions import Action
from ava_detect.data.scenes.arms import Arms, draw_gestures
from ava_detect.data.scenes.dice import Dice
from ava_detect.data.scenes.postures import FALL_VARIANTS, draw_manner, stride_length
from ava_detect.data.scenes.script import BLEND_S, CLEAR_S, Beat, Script, Stance
from ava_detect.data.scenes.skeleton import Body, Joint, forward_kinematics
from ava_detect.data.scenes.tracks import Loop


def script_of(*beats: Beat, key: int = 1, seated: bool = False, **manner: object) -> Script:
    """A script without idle sways, so that poses are those of the action alone."""
    dice = Dice(key, "test")
    drawn = dataclasses.replace(draw_manner(dice), idle=np.zeros((5, 4)), **manner)
    return Script(tuple(beats), drawn, draw_gestures(dice), seated)


def hands(script: Script, times: np.ndarray) -> np.ndarray:
    """[T, 2, 3] places of both hands."""
    return forward_kinematics(script.poses(times), Body()).joints[:, [Joint.LEFT_HAND, Joint.RIGHT_HAND]]


@pytest.mark.parametrize("variant", FALL_VARIANTS)
@pytest.mark.parametrize("mirrored", [False, True])
def test_getting_up_is_falling_with_time_reversed(variant: str, mirrored: bool) -> None:
    before, after = Beat(-1, 0.5, Stance.STAND), Beat(1.75, 5, Stance.LIE)
    fall = script_of(before, Beat(0.5, 1.75, Stance.FALL), after, fall=variant, mirrored=mirrored)
    before, after = Beat(-1, 0.5, Stance.LIE), Beat(1.75, 5, Stance.STAND)
    get_up = script_of(before, Beat(0.5, 1.75, Stance.GET_UP), after, fall=variant, mirrored=mirrored)
    times = np.linspace(0.5, 1.75, 41)[:-1] + 0.01  # inside, symmetric about the middle
    times = np.concatenate([times, 2.25 - times])

    falling, rising = fall.poses(np.sort(times)), get_up.poses(np.sort(times))

    np.testing.assert_allclose(falling, rising[::-1], atol=1e-9)
    assert np.abs(falling[0] - falling[-1]).max() > 1  # a different pose at the end


def test_a_fall_begins_upright_and_ends_on_the_ground() -> None:
    for variant in FALL_VARIANTS:
        script = script_of(
            Beat(-1, 0, Stance.STAND), Beat(0, 1, Stance.FALL), Beat(1, 5, Stance.LIE), fall=variant
        )
        heads = forward_kinematics(script.poses(np.array([-0.5, 0.5, 1.5])), Body()).joints[:, Joint.HEAD, 2]
        assert heads[0] > 1.5
        assert 0.4 < heads[1] < 1.4
        assert heads[2] < 0.4


def test_walking_and_running_are_one_gait_at_two_speeds() -> None:
    walk, run = (script_of(Beat(-1, 12, stance)) for stance in (Stance.WALK, Stance.RUN))
    ratio = walk.manner.run_cadence_hz / walk.manner.walk_cadence_hz
    times = np.linspace(0, 4, 50)

    np.testing.assert_allclose(walk.poses(times * ratio), run.poses(times), atol=1e-6)
    assert ratio > 1.5


def test_a_gait_covers_the_ground_that_the_standing_foot_covers() -> None:
    for key in range(5):
        script, body = script_of(Beat(-1, 12, Stance.WALK), key=key), Body()
        times = np.linspace(0, 3, 901)
        joints = forward_kinematics(script.poses(times), body).joints
        ankles = joints[:, [Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE]]
        toes = joints[:, [Joint.LEFT_TOE, Joint.RIGHT_TOE]]
        # Heel and toe of a foot on the ground are 7.5 cm and 4 cm below their joints.
        standing = np.minimum(ankles[..., 2] - 0.075, toes[..., 2] - 0.04).argmin(axis=1)
        backwards = -np.diff(ankles[..., 0], axis=0)[np.arange(900), standing[:-1]]

        gone = stride_length(script.manner, body) * script.cycles(np.array([3.0]))[0]

        assert gone == pytest.approx(backwards.sum(), rel=0.1)


@pytest.mark.parametrize(
    ("moving", "still", "rate", "phase", "held"),
    [
        (Arms.WAVE, Arms.RAISED, "wave_rate_hz", "wave_phase", "held_wave"),
        (Arms.BAG_WAVE, Arms.BAG_RAISED, "wave_rate_hz", "wave_phase", "held_wave"),
        (Arms.CLAP, Arms.TOGETHER, "clap_rate_hz", "clap_phase", "held_clap"),
    ],
)
def test_still_twins_hold_a_pose_of_the_movement(
    moving: Arms, still: Arms, rate: str, phase: str, held: str
) -> None:
    move = script_of(Beat(-1, 12, Stance.STAND, moving))
    hold = script_of(Beat(-1, 12, Stance.STAND, still))
    gestures = hold.gestures
    # The moment at which the movement is where the twin holds.
    turn = (getattr(gestures, held) - getattr(gestures, phase)) / (2 * np.pi)
    time = np.array([(turn % 1) / getattr(gestures, rate)])

    np.testing.assert_allclose(move.poses(time), hold.poses(time), atol=1e-9)
    times = np.linspace(0, 2, 60)
    assert np.ptp(hands(move, times), axis=0).max() > 0.1  # metres
    assert np.ptp(hands(hold, times), axis=0).max() < 1e-9


def test_a_still_sitter_holds_a_lean_of_the_bow() -> None:
    bow = script_of(Beat(-1, 12, Stance.BEND), seated=True)
    sit = script_of(Beat(-1, 12, Stance.SIT), seated=True)
    turn = (sit.manner.held_bow - sit.manner.bow_phase) / (2 * np.pi)
    time = np.array([(turn % 1) / sit.manner.bow_rate_hz])

    np.testing.assert_allclose(bow.poses(time), sit.poses(time), atol=1e-9)


@dataclasses.dataclass(frozen=True)
class Moment:
    """One person at one keyframe."""

    scene: int
    script: Script
    beat: Beat
    pose: np.ndarray  # [60] places of the joints
    motion: np.ndarray  # [61] speeds of the joints, and how fast the head rises


@functools.cache
def moments() -> list[Moment]:
    """Every person at every keyframe of 150 scenes."""
    found = []
    around = np.linspace(-0.2, 0.2, 9)
    for seed in range(150):
        for actor in generate_scene(seed).actors:
            times = (np.arange(10.0)[:, None] + around).ravel()
            joints = forward_kinematics(actor.script.poses(times), actor.look.body).joints
            joints = joints.reshape(10, 9, 60) / actor.look.body.scale
            speeds = np.abs(np.diff(joints, axis=1)).mean(axis=1)
            rise = joints[:, -1, 3 * Joint.HEAD + 2] - joints[:, 0, 3 * Joint.HEAD + 2]
            for second in range(10):
                motion = np.append(speeds[second], rise[second])
                beat = actor.script.beat_at(second)
                found.append(Moment(seed, actor.script, beat, joints[second, 4], motion))
    return found


def seated_only(script: Script, beat: Beat) -> str | None:
    return beat.stance.name if script.seated else None


PAIRS: dict[str, tuple[set[str], Callable[[Script, Beat], str | None]]] = {
    "walk and stand": ({"WALK", "STAND"}, lambda script, beat: beat.stance.name),
    "walk and run": ({"WALK", "RUN"}, lambda script, beat: beat.stance.name),
    "fall and get up": ({"FALL", "GET_UP"}, lambda script, beat: beat.stance.name),
    "sit and bend": ({"SIT", "BEND"}, seated_only),
    "wave and raised": ({"WAVE", "RAISED"}, lambda script, beat: beat.arms.name),
    "clap and together": ({"CLAP", "TOGETHER"}, lambda script, beat: beat.arms.name),
}


def balanced_guesses(pair: str, of: Callable[[Moment], np.ndarray]) -> float:
    """Share of right guesses, each class counting half, by seven nearest neighbours from other scenes."""
    wanted, name_of = PAIRS[pair]
    named = [(name_of(moment.script, moment.beat), moment) for moment in moments()]
    named = [(name, moment) for name, moment in named if name in wanted]
    features = np.array([of(moment) for _, moment in named])
    scenes = np.array([moment.scene for _, moment in named])
    is_first = np.array([name == min(wanted) for name, _ in named])
    square = np.square(features).sum(axis=1)
    distance = square[:, None] + square[None] - 2 * features @ features.T
    distance[scenes[:, None] == scenes[None]] = np.inf
    votes = is_first[np.argpartition(distance, 7, axis=1)[:, :7]].mean(axis=1)
    # Judged against the share that each class has, so that a frequent class is no advantage.
    guess = votes > is_first.mean()
    return float(0.5 * (guess[is_first].mean() + (~guess[~is_first]).mean()))


MOTION_PAIRS = [pair for pair in PAIRS if pair != "walk and stand"]


@pytest.mark.parametrize("pair", MOTION_PAIRS)
def test_a_single_pose_does_not_tell_a_motion_pair_apart(pair: str) -> None:
    # People, not keyframes, are the independent samples: some 60 of them, so the deviation is about 0.05.
    assert balanced_guesses(pair, lambda moment: moment.pose) == pytest.approx(0.5, abs=0.13)


@pytest.mark.parametrize("pair", MOTION_PAIRS)
def test_four_tenths_of_a_second_tell_a_motion_pair_apart(pair: str) -> None:
    assert balanced_guesses(pair, lambda moment: moment.motion) > 0.9


def test_a_single_pose_tells_other_actions_apart() -> None:
    assert balanced_guesses("walk and stand", lambda moment: moment.pose) > 0.95


def test_every_label_holds_around_its_keyframe() -> None:
    steady = CLEAR_S - BLEND_S
    for seed in range(40):
        for actor in generate_scene(seed, "hard").actors:
            for second in range(10):
                beat = actor.script.beat_at(second)
                assert beat.start <= second - CLEAR_S + 1e-9
                assert beat.end >= second + CLEAR_S - 1e-9
                around = np.linspace(second - steady, second + steady, 5)
                share = actor.script.share(around, lambda other, beat=beat: other is beat)
                np.testing.assert_allclose(share, 1.0, atol=1e-9)


def test_beats_have_no_gaps_and_cover_the_video() -> None:
    for seed in range(40):
        for actor in generate_scene(seed).actors:
            beats = actor.script.beats
            assert beats[0].start < 0
            assert beats[-1].end > 10
            assert all(first.end == second.start for first, second in pairwise(beats))


def test_everyone_has_one_pose_and_what_the_arms_do() -> None:
    script = script_of(
        Beat(-1, 1.5, Stance.STAND, Arms.BAG_WAVE),
        Beat(1.5, 2.5, Stance.WALK),
        Beat(2.5, 5, Stance.SIT, Arms.READ),
    )

    assert script.actions_at(1) == (Action.STAND, Action.HOLD, Action.HAND_WAVE)
    assert script.actions_at(2) == (Action.WALK,)
    assert script.actions_at(3) == (Action.SIT, Action.READ)
    assert script.actions_at(99) == (Action.SIT, Action.READ)


def test_a_loop_is_gone_round_at_the_speed_of_the_gait_and_looked_along() -> None:
    track = Loop(x=0.5, z=5.0, wide=2.0, deep=0.7, start=1.0, clockwise=-1.0)
    distance = np.linspace(0, 30, 3001)

    place, heading = track.at(distance)

    steps = np.diff(place, axis=0)
    np.testing.assert_allclose(np.hypot(*steps.T), 0.01, rtol=0.02)
    ahead = np.stack([np.sin(heading), -np.cos(heading)], axis=1)[:-1]
    assert ((steps * ahead).sum(axis=1) / np.hypot(*steps.T)).min() > 0.99
