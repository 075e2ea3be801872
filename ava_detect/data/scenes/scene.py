"""One scene: everything that a seed and a grade decide, its frames, and its ground truth."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import cv2
import numpy as np

from ava_detect.data.scenes.actions import Action
from ava_detect.data.scenes.backdrop import Backdrop, paint_backdrop
from ava_detect.data.scenes.casting import Actor, Casting
from ava_detect.data.scenes.dice import Dice
from ava_detect.data.scenes.effects import Effects, draw_effects
from ava_detect.data.scenes.grades import GRADES, SEEDS_PER_SPLIT, SPLITS, Grade
from ava_detect.data.scenes.props import Prop, obstacle, passer, plant
from ava_detect.data.scenes.script import ARM_ACTIONS
from ava_detect.data.scenes.shadow import draw_light
from ava_detect.data.scenes.stage import SUPERSAMPLING, Seen, Stage
from ava_detect.data.scenes.view import CameraMotion, View, draw_camera_motion, draw_view
from evaluation.errors import DataError


@dataclass(frozen=True)
class LabelledPerson:
    """One person of one keyframe.

    Attributes:
        second: of the keyframe, counted from the first frame.
        person_id: the same through the scene, from 1.
        box: x1, y1, x2, y2 of what is visible, normalised to [0, 1].
        actions: what the person does at that second; the pose first.
    """

    second: int
    person_id: int
    box: tuple[float, float, float, float]
    actions: tuple[Action, ...]


class Scene:
    """A drawn video of people with known actions. Made by :func:`generate_scene`.

    Attributes:
        scene_id: name of the video, for example ``standard-1000003``.
        seed: the scene's seed.
        grade: its difficulty.
        size: width and height in pixels, both even.
        fps: exact frame rate.
        num_frames: frames in all.
    """

    def __init__(self, seed: int, grade: Grade) -> None:
        self.seed, self.grade = seed, grade
        self.scene_id = f"{grade.name}-{seed:07d}"
        dice = self._dice("format")
        self.size: tuple[int, int] = dice.pick_weighted(grade.sizes)
        self.fps: Fraction = dice.pick_weighted(grade.rates)
        self.num_frames = round(grade.duration_s * self.fps)
        self.crf = round(dice.within(grade.crf))
        self.gop = dice.integer(*grade.gop)

    def _dice(self, part: str) -> Dice:
        return Dice(self.grade.stream, self.seed, part)

    @property
    def keyframes(self) -> range:
        """Seconds of the keyframes: 0, 1, ... up to the end."""
        return range(self.grade.duration_s)

    def frame_of(self, second: int) -> int:
        """Return the index of the frame nearest to a keyframe."""
        return min(round(second * self.fps), self.num_frames - 1)

    def frame_times(self) -> np.ndarray:
        """Return [T] presentation times in seconds."""
        return np.arange(self.num_frames) / float(self.fps)

    def frames(self, chosen: Sequence[int] | None = None) -> Iterator[np.ndarray]:
        """Yield frames as the camera records them, [H, W, 3] uint8, BGR.

        Args:
            chosen: indices of the frames to draw, in the order to draw them; all of them by default.
        """
        indices = range(self.num_frames) if chosen is None else chosen
        times = self.frame_times()[list(indices)]
        stage, backdrop, effects = self._stage(times), self._backdrop(), self._effects()
        for position, index in enumerate(indices):
            clean = _downsampled(stage.paint(position, backdrop))
            yield effects.apply(clean, float(times[position]), index)

    def clean_frames(self, times: Sequence[float], *, without: Collection[int] = ()) -> Iterator[np.ndarray]:
        """Yield the moments at ``times`` without the camera's effects, [H, W, 3] uint8, BGR.

        Args:
            times: seconds, in any order.
            without: ids of people who are left out, with their shadows and what they hold.
        """
        stage, backdrop = self._stage(np.array(times)), self._backdrop()
        for index in range(len(times)):
            yield _downsampled(stage.paint(index, backdrop, without=without))

    def groundtruth(self) -> list[LabelledPerson]:
        """Return the people of all keyframes, by second and person.

        A person is left out where less than the grade's share of the silhouette is visible, or where the
        visible box is lower than the grade's least height. An action of the hands is labelled where the
        grade's share of the forearms, hands and object that do it is visible, see ``Evidence``.
        """
        seen = self.seen([self.frame_of(second) / float(self.fps) for second in self.keyframes])
        people = []
        for second, at_second in zip(self.keyframes, seen, strict=True):
            for actor, one in zip(self.actors, at_second, strict=True):
                if one.box is None or not self._is_labelled(one):
                    continue
                x1, y1, x2, y2 = one.box
                box = (x1 / self.size[0], y1 / self.size[1], x2 / self.size[0], y2 / self.size[1])
                actions = self._visible_actions(actor, one, second)
                people.append(LabelledPerson(second, actor.person_id, box, actions))
        return people

    def seen(self, times: Sequence[float]) -> list[list[Seen]]:
        """Return what is seen of every actor, in their order, at some times in seconds."""
        stage = self._stage(np.array(times))
        return [stage.seen(index) for index in range(len(times))]

    def _is_labelled(self, seen: Seen) -> bool:
        if seen.box is None or seen.share < self.grade.min_visible_share:
            return False
        return seen.box[3] - seen.box[1] >= self.grade.min_height * self.size[1]

    def _visible_actions(self, actor: Actor, seen: Seen, second: int) -> tuple[Action, ...]:
        beat = actor.script.beat_at(second)
        actions: list[Action] = [beat.stance.value]
        for hands in ARM_ACTIONS[beat.arms]:
            limbs = hands.limbs(actor.script.manner.mirrored)
            if seen.share_of(limbs, hands.held) >= self.grade.min_hands_share:
                actions.append(hands.action)
        return tuple(actions)

    @cached_property
    def view(self) -> View:
        """The point of view, in supersampled pixels."""
        width, height = self.size
        return draw_view(self._dice("view"), (width * SUPERSAMPLING, height * SUPERSAMPLING))

    @cached_property
    def camera_motion(self) -> CameraMotion:
        """How the camera moves."""
        grade = self.grade
        return draw_camera_motion(
            self._dice("camera"),
            self.view,
            pan=grade.pan,
            zoom=grade.zoom,
            shake=grade.shake,
            still=grade.still_camera,
            duration_s=grade.duration_s,
        )

    @cached_property
    def actors(self) -> list[Actor]:
        """The people."""
        return Casting(self._dice("people"), self.grade, self.view).draw()

    @cached_property
    def wall_depth(self) -> float:
        """Z where the ground ends, metres."""
        furthest = 1.75 * self.view.focal / (self.grade.person_height[0] * self.view.frame_size[1])
        return furthest + self._dice("wall").uniform(1.5, 4.0)

    @cached_property
    def _props(self) -> list[Prop]:
        """Things in the way, things that pass, and plants at the wall."""
        dice, view, grade = self._dice("props"), self.view, self.grade
        nearest = 1.75 * view.focal / (grade.person_height[1] * view.frame_size[1])
        props = []
        for _ in range(dice.integer(*grade.obstacles)):
            z = dice.uniform(0.75 * nearest, 0.8 * self.wall_depth)
            props.append(obstacle(dice, view, dice.uniform(-1.1, 1.1) * view.half_width_at(z), z))
        for _ in range(dice.integer(*grade.passers)):
            z = dice.uniform(nearest, self.wall_depth)
            props.append(passer(dice, view, z, grade.duration_s))
        for _ in range(dice.integer(0, 3)):
            z = self.wall_depth - 0.4
            x = dice.uniform(-1.3, 1.3) * view.half_width_at(z)
            props.append(plant(dice, view, x, z, height=dice.uniform(0.7, 1.8)))
        return props

    def _stage(self, times: np.ndarray) -> Stage:
        return Stage(
            self.actors,
            self._props,
            self.view,
            self.camera_motion,
            draw_light(self._dice("light"), self.grade.shadow),
            times,
            self.wall_depth,
            self._dice("hands"),
        )

    def _backdrop(self) -> Backdrop:
        dice, grade = self._dice("backdrop"), self.grade
        return paint_backdrop(
            dice,
            self.view.scaled(1 / SUPERSAMPLING),
            wall_depth=self.wall_depth,
            clutter=dice.integer(*grade.clutter),
            contrast=dice.within(grade.texture),
        )

    def _effects(self) -> Effects:
        return draw_effects(self._dice("effects"), self.size, self.grade.effects, self.grade.duration_s)


def generate_scene(seed: int, grade: str = "standard") -> Scene:
    """Return the scene of a seed.

    Args:
        seed: 0 to 2,999,999; the range tells the split, see ``grades.SPLITS``.
        grade: "standard" or "hard".

    Raises:
        DataError: there is no such grade or seed.
    """
    if grade not in GRADES:
        raise DataError(f"grade {grade!r}: expected one of {', '.join(GRADES)}")
    if not 0 <= seed < SEEDS_PER_SPLIT * len(SPLITS):
        raise DataError(f"seed {seed}: expected 0 to {SEEDS_PER_SPLIT * len(SPLITS) - 1}")
    return Scene(seed, GRADES[grade])


def _downsampled(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    return cv2.resize(image, (width // SUPERSAMPLING, height // SUPERSAMPLING), interpolation=cv2.INTER_AREA)
