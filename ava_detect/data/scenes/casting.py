"""Who is in a scene, where, and what they will do: draws the people of a scene.

Roles and their weights are set so that every action is frequent enough to be learned from a few hundred
scenes; a test counts them.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from ava_detect.data.scenes.arms import Arms, draw_gestures
from ava_detect.data.scenes.dice import Dice
from ava_detect.data.scenes.grades import Grade
from ava_detect.data.scenes.looks import Look, draw_look
from ava_detect.data.scenes.postures import draw_manner, seated_pose
from ava_detect.data.scenes.props import Prop, seat_props
from ava_detect.data.scenes.script import Beat, Script, Stance, beat_times
from ava_detect.data.scenes.skeleton import Joint, forward_kinematics
from ava_detect.data.scenes.tracks import Loop, Spot, Track
from ava_detect.data.scenes.view import View


class HandObject(Enum):
    """What a person has in the hands for the whole scene."""

    BOX = "box"
    BAG = "bag"
    BOOK = "book"
    PHONE = "phone"


@dataclass(frozen=True)
class Actor:
    """One person of a scene.

    Attributes:
        person_id: 1, 2, ... within the scene.
        look: body and clothes.
        script: what the person does.
        track: where.
        holds: the object in the hands.
        furniture: the seat.
    """

    person_id: int
    look: Look
    script: Script
    track: Track
    holds: HandObject | None = None
    furniture: tuple[Prop, ...] = ()


# What people without and with an object do with their arms, by weight.
_FREE_ARMS = {Arms.REST: 0.1, Arms.WAVE: 0.25, Arms.RAISED: 0.18, Arms.CLAP: 0.28, Arms.TOGETHER: 0.19}
_GOING_ARMS = {Arms.REST: 0.6, Arms.WAVE: 0.22, Arms.RAISED: 0.18}
_HOLDING_ARMS: dict[HandObject, dict[Arms, float]] = {
    HandObject.BOX: {Arms.BOX: 1.0},
    HandObject.BAG: {Arms.BAG: 0.5, Arms.BAG_WAVE: 0.28, Arms.BAG_RAISED: 0.22},
    HandObject.BOOK: {Arms.READ: 0.72, Arms.LOWERED: 0.28},
    HandObject.PHONE: {Arms.PHONE: 0.72, Arms.LOWERED: 0.28},
}
_BENDING_ARMS = {
    None: Arms.REST,
    HandObject.BOX: Arms.BOX,
    HandObject.BAG: Arms.BAG,
    HandObject.BOOK: Arms.LOWERED,
    HandObject.PHONE: Arms.LOWERED,
}
_STANDER_HOLDS = {
    None: 0.44,
    HandObject.PHONE: 0.2,
    HandObject.BOOK: 0.2,
    HandObject.BOX: 0.07,
    HandObject.BAG: 0.09,
}
_SITTER_HOLDS = {None: 0.46, HandObject.PHONE: 0.23, HandObject.BOOK: 0.31}
_WALKER_HOLDS = {None: 0.55, HandObject.PHONE: 0.15, HandObject.BOX: 0.14, HandObject.BAG: 0.16}
_ROLES = {"walker": 0.24, "stander": 0.2, "sitter": 0.2, "faller": 0.26, "pair": 0.1}


class Casting:
    """Draws the people of one scene one after the other, keeping those who stay in place apart.

    Args:
        dice: the draws.
        grade: how many people, how large, how crowded.
        view: the camera.
    """

    def __init__(self, dice: Dice, grade: Grade, view: View) -> None:
        self._dice, self._grade, self._view = dice, grade, view
        self._taken: list[tuple[float, float]] = []  # left and right, widths of the frame
        self._actors: list[Actor] = []
        self._roles: dict[str, Callable[[], None]] = {
            "walker": self._add_walker,
            "stander": self._add_stander,
            "sitter": self._add_sitter,
            "faller": self._add_faller,
            "pair": self._add_pair,
        }

    def draw(self) -> list[Actor]:
        """Return the people of the scene."""
        count = self._dice.integer(*self._grade.people)
        while len(self._actors) < count:
            role = self._dice.pick_weighted(_ROLES)
            if role == "pair" and len(self._actors) + 2 > self._grade.people[1]:
                continue
            self._roles[role]()
        return self._actors

    def _add(
        self,
        look: Look,
        script: Script,
        track: Track,
        holds: HandObject | None = None,
        furniture: tuple[Prop, ...] = (),
    ) -> None:
        self._actors.append(Actor(len(self._actors) + 1, look, script, track, holds, furniture))

    def _place(self, wide: float, *, tallest: float = 1.0) -> tuple[float, float]:
        """Draw X and Z in metres; ``wide`` is the width in metres that the person needs.

        Takes the first of some draws that is free enough, or the last one.
        """
        low, high = self._grade.person_height
        x = z = 0.0
        for _ in range(10):
            share = self._dice.uniform(low, min(high, tallest))
            z = 1.75 * self._view.focal / (share * self._view.frame_size[1])
            half = self._view.half_width_at(z)
            x = self._dice.uniform(-1, 1) * max(0.2 * half, self._grade.spread * half - 0.3 * wide)
            left, right = (x - wide / 2) / half, (x + wide / 2) / half
            covered = sum(max(0.0, min(right, b) - max(left, a)) for a, b in self._taken)
            if covered <= self._grade.crowding * (right - left):
                break
        self._taken.append((left, right))
        return x, z

    def _heading(self) -> float:
        """Draw where a still person looks: mostly towards the camera, at times away from it."""
        if self._dice.chance(0.2):
            return np.pi + self._dice.uniform(-0.9, 0.9)
        return self._dice.uniform(-1.15, 1.15)

    def _script(self, beats: list[Beat], *, seated: bool = False) -> Script:
        return Script(tuple(beats), draw_manner(self._dice), draw_gestures(self._dice), seated)

    def _times(self, fewest: int, most: int) -> list[tuple[float, float]]:
        """Draw the times of beats that hold between ``fewest`` and ``most`` keyframes and cover the scene."""
        lengths: list[int] = []
        while sum(lengths) < self._grade.duration_s + 2:
            lengths.append(self._dice.integer(fewest, most))
        return beat_times(self._dice, lengths)

    def _arms(self, holds: HandObject | None, free: dict[Arms, float]) -> Arms:
        return self._dice.pick_weighted(free if holds is None else _HOLDING_ARMS[holds])

    def _add_walker(self) -> None:
        holds = self._dice.pick_weighted(_WALKER_HOLDS)
        stance = self._dice.pick((Stance.WALK, Stance.RUN))
        beats = []
        for start, end in self._times(2, 4):
            beats.append(Beat(start, end, stance, self._arms(holds, _GOING_ARMS)))
            stance = self._dice.pick_weighted(
                {Stance.STAND: 0.0 if stance is Stance.STAND else 0.16}
                | dict.fromkeys((Stance.WALK, Stance.RUN), 0.42)
            )
        x, z = self._place(0.0, tallest=0.75)
        wide = max(0.9, self._view.half_width_at(z) * self._dice.uniform(0.3, 0.95))
        deep = min(self._dice.uniform(0.35, 1.3), z - 2.0, 0.9 * wide)
        track = Loop(0.45 * x, z, wide, max(0.25, deep), self._dice.uniform(0, 2 * np.pi), self._dice.sign())
        self._add(draw_look(self._dice), self._script(beats), track, holds)

    def _add_stander(self) -> None:
        holds = self._dice.pick_weighted(_STANDER_HOLDS)
        beats = self._still_beats(Stance.STAND, holds, bends=0.2)
        x, z = self._place(0.7)
        self._add(draw_look(self._dice), self._script(beats), Spot(x, z, self._heading()), holds)

    def _add_sitter(self) -> None:
        holds = self._dice.pick_weighted(_SITTER_HOLDS)
        script = self._script(self._still_beats(Stance.SIT, holds, bends=0.34), seated=True)
        look = draw_look(self._dice)
        x, z = self._place(0.8, tallest=0.9)
        spot = Spot(x, z, self._heading())
        posture = forward_kinematics(seated_pose(script.manner)[None], look.body)
        height = float(posture.joints[0, Joint.PELVIS, 2]) - 0.085 * look.body.girth * look.body.scale
        seat = seat_props(self._dice, self._view, (x, z), spot.heading, height)
        self._add(look, script, spot, holds, tuple(seat))

    def _still_beats(self, stance: Stance, holds: HandObject | None, *, bends: float) -> list[Beat]:
        """Draw beats of someone who stays in place and bows in a share of them."""
        beats: list[Beat] = []
        for start, end in self._times(2, 3):
            arms = self._arms(holds, _FREE_ARMS)
            if not self._dice.chance(bends):
                beats.append(Beat(start, end, stance, arms))
            elif stance is Stance.SIT:
                # The arms of a seated bow are those of a still sitter, or they would give it away.
                beats.append(Beat(start, end, Stance.BEND, arms))
            else:
                beats.append(Beat(start, end, Stance.BEND, _BENDING_ARMS[holds]))
        return beats

    def _add_faller(self) -> None:
        order = [(Stance.STAND, 2), (Stance.FALL, 1), (Stance.LIE, 2), (Stance.GET_UP, 1)]
        turn = self._dice.integer(0, 3)
        stances: list[Stance] = []
        lengths: list[int] = []
        while sum(lengths) < self._grade.duration_s + 2:
            stance, most = order[turn % 4]
            stances.append(stance)
            lengths.append(self._dice.integer(1, most))
            turn += 1
        times = beat_times(self._dice, lengths)
        beats = [Beat(start, end, stance) for (start, end), stance in zip(times, stances, strict=True)]
        x, z = self._place(1.2, tallest=0.62)
        side = self._dice.sign() * self._dice.uniform(0.5, 2.4)
        self._add(draw_look(self._dice), self._script(beats), Spot(x, z, side))

    def _add_pair(self) -> None:
        """Add two people who face each other and shake hands now and then."""
        dice = self._dice
        looks = [draw_look(dice), draw_look(dice)]
        scripts = [self._script(beats) for beats in self._pair_beats()]
        apart = dice.uniform(0.78, 0.98) * (looks[0].body.scale + looks[1].body.scale) / 2
        x, z = self._place(1.5, tallest=0.8)
        turn = dice.uniform(-0.6, 0.6)
        meeting = 0.74 * (looks[0].body.shoulder_height + looks[1].body.shoulder_height) / 2
        rhythm = {
            name: getattr(scripts[0].gestures, name)
            for name in ("shake_rate_hz", "shake_swing", "shake_phase")
        }
        for look, script, side in zip(looks, scripts, (-1.0, 1.0), strict=True):
            body = look.body
            # The wrist stays a hand's length before the meeting point; right hands cross to the middle.
            ahead = (apart / 2 / body.scale - 0.07) / body.arm
            reach = (ahead, -0.175 * body.shoulders, (meeting - body.shoulder_height) / body.scale)
            gestures = dataclasses.replace(script.gestures, **rhythm)
            script = dataclasses.replace(script, gestures=gestures, shake_reach=reach)
            place = np.array([x, z]) + side * apart / 2 * np.array([np.cos(turn), np.sin(turn)])
            heading = turn + np.pi / 2 if side < 0 else turn - np.pi / 2
            self._add(look, script, Spot(float(place[0]), float(place[1]), heading))

    def _pair_beats(self) -> tuple[list[Beat], list[Beat]]:
        first, second = [], []
        shaking = self._dice.chance(0.6)
        for start, end in self._times(2, 3):
            if shaking:
                first.append(Beat(start, end, Stance.STAND, Arms.SHAKE))
                second.append(Beat(start, end, Stance.STAND, Arms.SHAKE))
            else:
                first.append(Beat(start, end, Stance.STAND, self._dice.pick_weighted(_FREE_ARMS)))
                second.append(Beat(start, end, Stance.STAND, self._dice.pick_weighted(_FREE_ARMS)))
            shaking = not shaking
        return first, second
