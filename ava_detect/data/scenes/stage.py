"""Put a scene's people and things together into frames and into masks of who is seen where."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ava_detect.data.scenes.backdrop import Backdrop
from ava_detect.data.scenes.casting import Actor
from ava_detect.data.scenes.dice import Dice
from ava_detect.data.scenes.figure import Figure, place_points
from ava_detect.data.scenes.handheld import Handheld
from ava_detect.data.scenes.looks import Limb, body_points
from ava_detect.data.scenes.postures import stride_length
from ava_detect.data.scenes.props import Prop
from ava_detect.data.scenes.script import Evidence
from ava_detect.data.scenes.shadow import CastShadow, Light, darken
from ava_detect.data.scenes.skeleton import forward_kinematics
from ava_detect.data.scenes.view import CameraMotion, View

SUPERSAMPLING = 2  # drawn pixels per pixel of the video, in each direction


@dataclass(frozen=True)
class _Performer:
    """An actor with everything that is drawn of it, at T times."""

    person_id: int
    figure: Figure
    shadow: CastShadow
    handheld: Handheld | None


@dataclass(frozen=True)
class Seen:
    """What is seen of one person in one frame.

    Attributes:
        person_id: of the actor.
        box: x1, y1, x2, y2 of the visible pixels, pixels of the video; ``None`` when nothing is seen. Held
            objects do not count.
        share: visible pixels over all pixels that the person would cover alone in an unbounded frame.
        limbs: (visible, whole) pixels of each forearm with its hand.
        held: (visible, whole) pixels of the object in the hands; (0, 0) without.
    """

    person_id: int
    box: tuple[float, float, float, float] | None
    share: float
    limbs: Mapping[Limb, tuple[int, int]]
    held: tuple[int, int]

    def share_of(self, limbs: Iterable[Limb], held: Evidence) -> float:
        """Return how much is visible of what some limbs do, with or without the object in the hands.

        A box may hide the arms that carry it, so that arms and object count together.
        """
        if held is Evidence.NONE:
            return _share(*(self.limbs[limb] for limb in limbs))
        together = _share(self.held, *(self.limbs[limb] for limb in limbs))
        return together if held is Evidence.HELPS else min(together, _share(self.held))


class Stage:
    """Everything of a scene at T times, ready to be drawn.

    Args:
        actors: the people.
        props: everything else, with depths.
        view: the camera.
        motion: of the camera.
        light: for shading and shadows.
        times: [T] seconds.
        wall_depth: Z where the ground ends.
        dice: the draws of the colours of handheld objects.
    """

    def __init__(
        self,
        actors: Sequence[Actor],
        props: Sequence[Prop],
        view: View,
        motion: CameraMotion,
        light: Light,
        times: np.ndarray,
        wall_depth: float,
        dice: Dice,
    ) -> None:
        self._view, self._light, self._times = view, light, times
        self._windows = motion.windows(times, view)
        self._props = sorted(
            [*props, *(prop for actor in actors for prop in actor.furniture)], key=lambda prop: -prop.depth
        )
        self._performers = [self._perform(actor, wall_depth, dice) for actor in actors]

    def _perform(self, actor: Actor, wall_depth: float, dice: Dice) -> _Performer:
        script, body = actor.script, actor.look.body
        posture = forward_kinematics(script.poses(self._times), body)
        distance = script.cycles(self._times) * stride_length(script.manner, body)
        place, heading = actor.track.at(distance)
        placed = place_points(body_points(posture, body), place, heading, self._view)
        figure = Figure(actor.look, placed, self._windows, self._light.in_picture)
        shadow = CastShadow(
            placed,
            body,
            self._light,
            self._view,
            self._windows,
            wall_depth=wall_depth,
            scale=1 / SUPERSAMPLING,
        )
        colour = dice.colour(25, 235)
        handheld = None
        if actor.holds is not None:
            handheld = Handheld(
                actor.holds, colour, script, self._times, body, posture, placed, heading, self._view
            )
        return _Performer(actor.person_id, figure, shadow, handheld)

    def paint(self, frame: int, backdrop: Backdrop, *, without: Collection[int] = ()) -> np.ndarray:
        """Draw one frame, supersampled and clean.

        Args:
            frame: index into the times.
            backdrop: the place.
            without: ids of people who are left out, with their shadows and what they hold.

        Returns:
            [H, W, 3] uint8, BGR, ``SUPERSAMPLING`` times the size of the video.
        """
        time, window = float(self._times[frame]), self._windows[frame]
        present = [performer for performer in self._performers if performer.person_id not in without]
        image = self._paint_ground(frame, backdrop, present)
        for thing in self._far_to_near(frame, present):
            if isinstance(thing, Prop):
                thing.draw(image, time, window)
                continue
            held = thing.handheld
            if held is not None and not held.in_front(frame):
                held.draw(image, frame, window)
            thing.figure.draw(image, frame)
            if held is not None and held.in_front(frame):
                held.draw(image, frame, window)
        return image

    def _paint_ground(self, frame: int, backdrop: Backdrop, present: Sequence[_Performer]) -> np.ndarray:
        """Paint the place and the shadows at the size of the video, then enlarge them to be drawn on."""
        time, window = float(self._times[frame]), self._windows[frame]
        width, height = self._view.frame_size
        size = (width // SUPERSAMPLING, height // SUPERSAMPLING)
        small = np.concatenate([window[:, :2], window[:, 2:] / SUPERSAMPLING], axis=1)
        image = cv2.warpAffine(
            backdrop.at(time), small, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        shade = np.zeros(image.shape[:2], np.uint8)
        for performer in present:
            performer.shadow.draw(shade, frame)
        for prop in self._props:
            prop.draw_shadow(shade, time, window, 1 / SUPERSAMPLING)
        darken(image, shade, self._light.darkness)
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST)

    def seen(self, frame: int) -> list[Seen]:
        """Return what is seen of every person in a frame."""
        mask = self._id_mask(frame)
        return [self._seen(frame, performer, mask, index) for index, performer in enumerate(self._performers)]

    def _seen(self, frame: int, performer: _Performer, mask: np.ndarray, index: int) -> Seen:
        body, left, right, held = _mask_values(index)
        figure = performer.figure
        mine = cv2.inRange(mask, body, right)
        visible = cv2.countNonZero(mine)
        box = None
        if visible > 0:
            x, y, width, height = cv2.boundingRect(mine)
            box = tuple(side / SUPERSAMPLING for side in (x, y, x + width, y + height))
        limbs = {
            limb: (cv2.countNonZero(cv2.inRange(mask, value, value)), figure.area(frame, limb))
            for limb, value in ((Limb.LEFT, left), (Limb.RIGHT, right))
        }
        objects = (0, 0)
        if performer.handheld is not None:
            whole = performer.handheld.area(frame, self._windows[frame])
            objects = (cv2.countNonZero(cv2.inRange(mask, held, held)), whole)
        return Seen(performer.person_id, box, visible / max(figure.area(frame), 1), limbs, objects)

    def _id_mask(self, frame: int) -> np.ndarray:
        """Return [H, W] uint8, supersampled: 0 for things, the values of ``_mask_values`` for people."""
        width, height = self._view.frame_size
        mask = np.zeros((height, width), np.uint8)
        time, window = float(self._times[frame]), self._windows[frame]
        values = {
            performer.person_id: _mask_values(index) for index, performer in enumerate(self._performers)
        }
        for thing in self._far_to_near(frame, self._performers):
            if isinstance(thing, Prop):
                thing.draw(mask, time, window, 0)
                continue
            body, left, right, holding = values[thing.person_id]
            held = thing.handheld
            if held is not None and not held.in_front(frame):
                held.draw(mask, frame, window, holding)
            thing.figure.draw_mask(mask, frame, body, {Limb.LEFT: left, Limb.RIGHT: right})
            if held is not None and held.in_front(frame):
                held.draw(mask, frame, window, holding)
        return mask

    def _far_to_near(self, frame: int, present: Sequence[_Performer]) -> list[Prop | _Performer]:
        """Return things and people in painter's order."""
        things: list[tuple[float, Prop | _Performer]] = [(prop.depth, prop) for prop in self._props]
        things += [(float(performer.figure.depth[frame]), performer) for performer in present]
        things.sort(key=lambda pair: -pair[0])
        return [thing for _, thing in things]


def _mask_values(index: int) -> tuple[int, int, int, int]:
    """Return the mask's values of the index-th person: body, left and right forearm, held object."""
    return 4 * index + 1, 4 * index + 2, 4 * index + 3, 4 * index + 4


def _share(*counts: tuple[int, int]) -> float:
    """Return the share of visible pixels over several (visible, whole) counts."""
    return sum(visible for visible, _ in counts) / max(1, sum(whole for _, whole in counts))
