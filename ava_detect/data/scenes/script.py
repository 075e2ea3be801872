"""What one person does when: a sequence of beats, the labels at a second, and the poses at any time.

A beat begins and ends between two keyframes, at least ``CLEAR_S`` away from both, and the change from one to
the next is over before the keyframe. So the label of a keyframe is never in doubt.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ava_detect.data.scenes import arms as arm_poses
from ava_detect.data.scenes import postures
from ava_detect.data.scenes.actions import Action
from ava_detect.data.scenes.arms import Arms, Gestures
from ava_detect.data.scenes.dice import Dice
from ava_detect.data.scenes.looks import Limb
from ava_detect.data.scenes.postures import Manner
from ava_detect.data.scenes.skeleton import LEFT_ARM, RIGHT_ARM, Dof

CLEAR_S = 0.35  # no beat begins or ends closer to a keyframe
BLEND_S = 0.15  # half of the time that a change takes


class Stance(Enum):
    """What the body does below the arms; AVA gives every person exactly one such pose."""

    STAND = Action.STAND
    WALK = Action.WALK
    RUN = Action.RUN
    SIT = Action.SIT
    BEND = Action.BEND
    FALL = Action.FALL_DOWN
    LIE = Action.LIE
    GET_UP = Action.GET_UP


class Hand(Enum):
    """Which hands do something; the main one is the left of a mirrored person."""

    MAIN = "main"
    OTHER = "other"
    BOTH = "both"
    RIGHT = "right"


class Evidence(Enum):
    """What the held object has to do with seeing an action of the hands."""

    NONE = "none"  # nothing
    HELPS = "helps"  # it counts with the arms: an arm at the ear tells of the phone that the head hides
    NEEDED = "needed"  # it counts with the arms, and has to be seen itself: a back does not tell of a book


@dataclass(frozen=True)
class HandAction:
    """An action of the hands and what has to be seen of it.

    Attributes:
        action: AVA's.
        hands: that do it.
        held: what the object in the hands counts.
    """

    action: Action
    hands: Hand
    held: Evidence = Evidence.NONE

    def limbs(self, mirrored: bool) -> tuple[Limb, ...]:
        """Return the forearms and hands that do it."""
        main, other = (Limb.LEFT, Limb.RIGHT) if mirrored else (Limb.RIGHT, Limb.LEFT)
        return {
            Hand.MAIN: (main,),
            Hand.OTHER: (other,),
            Hand.BOTH: (Limb.LEFT, Limb.RIGHT),
            Hand.RIGHT: (Limb.RIGHT,),
        }[self.hands]


ARM_ACTIONS: dict[Arms, tuple[HandAction, ...]] = {
    Arms.REST: (),
    Arms.WAVE: (HandAction(Action.HAND_WAVE, Hand.MAIN),),
    Arms.RAISED: (),
    Arms.CLAP: (HandAction(Action.HAND_CLAP, Hand.BOTH),),
    Arms.TOGETHER: (),
    Arms.PHONE: (HandAction(Action.ANSWER_PHONE, Hand.MAIN, Evidence.HELPS),),
    Arms.READ: (HandAction(Action.READ, Hand.BOTH, Evidence.NEEDED),),
    Arms.LOWERED: (HandAction(Action.HOLD, Hand.MAIN, Evidence.NEEDED),),
    Arms.BOX: (HandAction(Action.HOLD, Hand.BOTH, Evidence.NEEDED),),
    Arms.BAG: (HandAction(Action.HOLD, Hand.OTHER, Evidence.NEEDED),),
    Arms.BAG_WAVE: (
        HandAction(Action.HOLD, Hand.OTHER, Evidence.NEEDED),
        HandAction(Action.HAND_WAVE, Hand.MAIN),
    ),
    Arms.BAG_RAISED: (HandAction(Action.HOLD, Hand.OTHER, Evidence.NEEDED),),
    Arms.SHAKE: (HandAction(Action.HAND_SHAKE, Hand.RIGHT),),
}


@dataclass(frozen=True)
class Beat:
    """One thing that a person does from ``start`` to ``end`` (seconds)."""

    start: float
    end: float
    stance: Stance
    arms: Arms = Arms.REST


def beat_times(dice: Dice, lengths: Sequence[int]) -> list[tuple[float, float]]:
    """Draw (start, end) times of consecutive beats that hold given numbers of keyframes, from before 0."""
    bounds = [-1 + dice.uniform(CLEAR_S, 1 - CLEAR_S)]
    second = -1
    for length in lengths:
        second += length
        bounds.append(second + dice.uniform(CLEAR_S, 1 - CLEAR_S))
    return list(itertools.pairwise(bounds))


@dataclass(frozen=True)
class Script:
    """Beats of one person and the way this person moves.

    Attributes:
        beats: without gaps; the first begins before the video, the last ends after it.
        manner: of the body.
        gestures: of the arms.
        seated: the person is on a seat throughout; bows are seated ones.
        shake_reach: where the right hand meets the partner's (forward, out, up against the shoulder, metres
            of a 1.75 m body).
    """

    beats: tuple[Beat, ...]
    manner: Manner
    gestures: Gestures
    seated: bool = False
    shake_reach: tuple[float, float, float] = (0.42, -0.15, -0.25)

    def beat_at(self, time: float) -> Beat:
        """Return the beat at a time; the first or last one outside the script."""
        for beat in self.beats:
            if time < beat.end:
                return beat
        return self.beats[-1]

    def actions_at(self, time: float) -> tuple[Action, ...]:
        """Return what the person does at a time: one pose, then objects and people."""
        beat = self.beat_at(time)
        return (beat.stance.value, *(hands.action for hands in ARM_ACTIONS[beat.arms]))

    def share(self, times: np.ndarray, chosen: Callable[[Beat], bool]) -> np.ndarray:
        """Return [T] in [0, 1]: how much of the person is in one of the chosen beats, blended at changes."""
        total = np.zeros(len(times))
        last = len(self.beats) - 1
        for position, beat in enumerate(self.beats):
            if chosen(beat):
                begun = _step(times - beat.start) if position > 0 else 1.0
                over = _step(times - beat.end) if position < last else 0.0
                total += begun - over
        return total

    def going(self, times: np.ndarray) -> np.ndarray:
        """Return [T] in [0, 1]: how much the person walks or runs."""
        return self.share(times, lambda beat: beat.stance in (Stance.WALK, Stance.RUN))

    def cadence(self, times: np.ndarray) -> np.ndarray:
        """Return [T] gait cycles per second; 0 while not going."""
        walking = self.share(times, lambda beat: beat.stance is Stance.WALK)
        running = self.share(times, lambda beat: beat.stance is Stance.RUN)
        return walking * self.manner.walk_cadence_hz + running * self.manner.run_cadence_hz

    def cycles(self, times: np.ndarray) -> np.ndarray:
        """Return [T] gait cycles gone since time 0, the integral of the cadence."""
        grid = np.arange(self.beats[0].start, self.beats[-1].end + 0.01, 0.01)
        gone = np.concatenate([[0.0], np.cumsum(0.005 * (self.cadence(grid)[1:] + self.cadence(grid)[:-1]))])
        return np.interp(times, grid, gone) - np.interp(0.0, grid, gone)

    def fallen(self, times: np.ndarray) -> np.ndarray:
        """Return [T] progress on the way from standing (0) to lying (1)."""
        progress = np.zeros(len(times))
        for beat in self.beats:
            inside = (times >= beat.start) & (times < beat.end)
            share = postures.ease((times[inside] - beat.start) / (beat.end - beat.start))
            if beat.stance is Stance.LIE:
                progress[inside] = 1.0
            elif beat.stance is Stance.FALL:
                progress[inside] = share
            elif beat.stance is Stance.GET_UP:
                progress[inside] = 1.0 - share
        return progress

    def poses(self, times: np.ndarray) -> np.ndarray:
        """Return the [T, 30] pose vectors at [T] times in seconds."""
        going = self.going(times)[:, None]
        fallen = self.fallen(times)
        if self.seated:
            still = np.tile(postures.seated_pose(self.manner), (len(times), 1))
        else:
            still = postures.fall_poses(fallen, self.manner)
        phase = self.manner.first_phase + 2 * np.pi * self.cycles(times)
        poses = still * (1 - going) + postures.gait_poses(phase, self.manner) * going
        postures.add_lean(poses, self._lean(times))
        quiet = (1 - going[:, 0]) * (1 - np.minimum(1.0, 4 * fallen * (1 - fallen))) * (1 - 0.8 * fallen)
        postures.add_idle(poses, times, self.manner, quiet)
        self._move_arms(poses, times)
        return poses

    def _lean(self, times: np.ndarray) -> np.ndarray:
        """Return [T] radians: bows in motion, and the held lean of a sitter between them."""
        manner = self.manner
        bending = self.share(times, lambda beat: beat.stance is Stance.BEND)
        phase = manner.bow_phase + 2 * np.pi * manner.bow_rate_hz * times
        if not self.seated:
            return bending * postures.bow(phase, manner.bow_depth[1], least=postures.STANDING_BOW_LEAST)
        held = postures.bow(np.full(len(times), manner.held_bow), manner.bow_depth[0])
        return bending * postures.bow(phase, manner.bow_depth[0]) + (1 - bending) * held

    def _move_arms(self, poses: np.ndarray, times: np.ndarray) -> None:
        """Blend what the arms do into the poses, in place; arms that rest stay as the body has them."""
        for arms in dict.fromkeys(beat.arms for beat in self.beats):
            weight = self._share_of_arms(times, arms)[:, None]
            for side, values in self._arm_moves(arms, times).items():
                columns = LEFT_ARM if side is Limb.LEFT else RIGHT_ARM
                poses[:, columns] += weight * (values - poses[:, columns])
            if arms is Arms.READ:
                poses[:, Dof.HEAD_PITCH] += 0.4 * weight[:, 0]

    def _share_of_arms(self, times: np.ndarray, arms: Arms) -> np.ndarray:
        return self.share(times, lambda beat: beat.arms is arms)

    def _arm_moves(self, arms: Arms, times: np.ndarray) -> dict[Limb, np.ndarray]:
        """Return the [T, 7] arm values of the arms that are not left as the body has them."""
        main, other = (Limb.LEFT, Limb.RIGHT) if self.manner.mirrored else (Limb.RIGHT, Limb.LEFT)
        gestures, turn, hanging = self.gestures, 2 * np.pi * times, arm_poses.hanging_arm(len(times))
        if arms in (Arms.WAVE, Arms.BAG_WAVE):
            wave = arm_poses.waving(gestures.wave_phase + gestures.wave_rate_hz * turn, gestures)
            return {main: wave} | ({other: hanging} if arms is Arms.BAG_WAVE else {})
        if arms in (Arms.RAISED, Arms.BAG_RAISED):
            raised = arm_poses.waving(np.full(len(times), gestures.held_wave), gestures)
            return {main: raised} | ({other: hanging} if arms is Arms.BAG_RAISED else {})
        if arms is Arms.CLAP:
            clap = arm_poses.clapping(gestures.clap_phase + gestures.clap_rate_hz * turn, gestures)
            return {main: clap, other: clap}
        if arms is Arms.TOGETHER:
            held = arm_poses.clapping(np.full(len(times), gestures.held_clap), gestures)
            return {main: held, other: held}
        if arms is Arms.SHAKE:  # right hands meet, left-handed or not
            phase = gestures.shake_phase + gestures.shake_rate_hz * turn
            return {Limb.RIGHT: arm_poses.shaking(self.shake_reach, phase, gestures)}
        if arms in (Arms.READ, Arms.BOX):
            one = (
                arm_poses.reading_arm(len(times), gestures)
                if arms is Arms.READ
                else arm_poses.box_arm(len(times))
            )
            return {main: one, other: one}
        if arms is Arms.PHONE:
            return {main: arm_poses.phone_arm(len(times))}
        if arms is Arms.LOWERED:  # a sitter's hand stays on the thigh
            return {} if self.seated else {main: hanging}
        return {other: hanging} if arms is Arms.BAG else {}


def _step(elapsed: np.ndarray) -> np.ndarray:
    """Return [T] in [0, 1]: a smooth step around elapsed 0 that takes 2 * BLEND_S."""
    return postures.ease((elapsed + BLEND_S) / (2 * BLEND_S))
