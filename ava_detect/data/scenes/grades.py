"""The two grades of difficulty and the splits: fixed, so that a score on them means something later.

Nothing here or in what is drawn from it may change without a new ``VERSION``; a test holds digests of the
ground truth of both grades.
"""

from dataclasses import dataclass
from fractions import Fraction

from ava_detect.data.scenes.effects import EffectStrength

VERSION = 1

Range = tuple[float, float]

_RATES: dict[Fraction, float] = {
    Fraction(24000, 1001): 0.15,
    Fraction(25): 0.2,
    Fraction(30000, 1001): 0.15,
    Fraction(30): 0.3,
    Fraction(50): 0.1,
    Fraction(60): 0.1,
}
_SIZES: dict[tuple[int, int], float] = {
    (340, 256): 0.25,
    (320, 240): 0.15,
    (456, 256): 0.15,
    (426, 240): 0.15,
    (352, 288): 0.1,
    (480, 360): 0.08,
    (640, 360): 0.06,
    (240, 320): 0.06,
}


@dataclass(frozen=True)
class Grade:
    """Everything that a grade of difficulty fixes.

    Attributes:
        name: "standard" or "hard".
        stream: key of the grade's random draws.
        duration_s: of every scene, whole seconds.
        rates: frame rates with their weights.
        sizes: (width, height) with their weights.
        people: fewest and most.
        person_height: of a person 1.75 m tall, heights of the frame.
        spread: how far from the middle people are placed, halves of the frame's width.
        crowding: largest part of a still person's width that others may cover when placed.
        obstacles, passers, clutter: fewest and most things in the way, things that move, things on the wall.
        pan, zoom, shake: see ``view.draw_camera_motion``.
        still_camera: probability of a camera on a tripod that does not move.
        texture: contrast of walls and grounds.
        shadow: darkness of shadows, 0 to 1.
        effects: of the camera.
        crf: x264's constant rate factor.
        gop: frames between key frames of the video.
        min_visible_share: people of whom less is seen are not labelled.
        min_height: people whose visible box is lower are not labelled, heights of the frame.
        min_hands_share: actions of the hands are not labelled where less is seen of the forearms, hands and
            object that do them.
    """

    name: str
    stream: int
    duration_s: int
    rates: dict[Fraction, float]
    sizes: dict[tuple[int, int], float]
    people: tuple[int, int]
    person_height: Range
    spread: float
    crowding: float
    obstacles: tuple[int, int]
    passers: tuple[int, int]
    clutter: tuple[int, int]
    pan: float
    zoom: float
    shake: float
    still_camera: float
    texture: Range
    shadow: Range
    effects: EffectStrength
    crf: Range
    gop: tuple[int, int]
    min_visible_share: float
    min_height: float
    min_hands_share: float


STANDARD = Grade(
    name="standard",
    stream=101,
    duration_s=10,
    rates=_RATES,
    sizes=_SIZES,
    people=(1, 4),
    person_height=(0.42, 0.85),
    spread=0.8,
    crowding=0.35,
    obstacles=(0, 2),
    passers=(0, 1),
    clutter=(1, 5),
    pan=0.25,
    zoom=0.2,
    shake=0.012,
    still_camera=0.35,
    texture=(0.2, 0.8),
    shadow=(0.2, 0.5),
    effects=EffectStrength(
        blur=(0.0, 0.7),
        noise=(0.5, 5.0),
        exposure=(0.85, 1.15),
        drift=(0.0, 0.08),
        step=0.1,
        light=(0.0, 0.15),
        cast=0.16,
    ),
    crf=(20, 28),
    gop=(12, 250),
    min_visible_share=0.35,
    min_height=0.08,
    min_hands_share=0.35,
)

HARD = Grade(
    name="hard",
    stream=202,
    duration_s=10,
    rates=_RATES,
    sizes=_SIZES,
    people=(2, 7),
    person_height=(0.25, 0.95),
    spread=1.0,
    crowding=0.65,
    obstacles=(1, 4),
    passers=(0, 3),
    clutter=(3, 10),
    pan=0.4,
    zoom=0.4,
    shake=0.03,
    still_camera=0.15,
    texture=(0.4, 1.0),
    shadow=(0.25, 0.65),
    effects=EffectStrength(
        blur=(0.2, 1.5),
        noise=(3.0, 13.0),
        exposure=(0.55, 1.35),
        drift=(0.05, 0.2),
        step=0.35,
        light=(0.1, 0.4),
        cast=0.35,
    ),
    crf=(25, 35),
    gop=(12, 250),
    min_visible_share=0.35,
    min_height=0.08,
    min_hands_share=0.35,
)

GRADES: dict[str, Grade] = {grade.name: grade for grade in (STANDARD, HARD)}


@dataclass(frozen=True)
class Split:
    """A range of scene seeds that no other split uses: first, first + 1, ..., first + SEEDS_PER_SPLIT - 1."""

    name: str
    first_seed: int


SEEDS_PER_SPLIT = 1_000_000
SEEDS_PER_BLOCK = 10_000
SPLITS: dict[str, Split] = {
    name: Split(name, position * SEEDS_PER_SPLIT) for position, name in enumerate(("train", "val", "test"))
}
