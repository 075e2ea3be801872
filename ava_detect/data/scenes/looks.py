"""What people look like: build, skin, hair and clothes, as parts that hang on the skeleton's points."""

from dataclasses import dataclass, field
from enum import Enum, IntEnum

import numpy as np

from ava_detect.data.scenes.dice import Dice
from ava_detect.data.scenes.skeleton import Body, Joint, Posture

Colour = tuple[float, float, float]  # blue, green, red, 0-255

_SKINS: tuple[Colour, ...] = (
    (168, 198, 236),
    (140, 180, 224),
    (112, 156, 206),
    (82, 124, 176),
    (58, 92, 140),
    (42, 66, 104),
    (32, 48, 76),
)
_HAIRS: tuple[Colour, ...] = (
    (18, 18, 22),
    (26, 34, 52),
    (40, 64, 104),
    (92, 150, 196),
    (150, 150, 152),
    (30, 52, 130),
    (205, 208, 212),
)


class Point(IntEnum):
    """Places on the body that are not joints; rows after the joints in the array of points."""

    LEFT_HEEL = 20
    RIGHT_HEEL = 21
    CROWN = 22
    CHIN = 23
    HAIR = 24
    HAIR_END = 25
    LEFT_EYE = 26
    RIGHT_EYE = 27
    NOSE = 28
    MOUTH = 29
    BRIM = 30
    LEFT_BREAST = 31
    RIGHT_BREAST = 32
    BELLY = 33
    LEFT_SIDE = 34
    RIGHT_SIDE = 35
    LEFT_FINGERS = 36
    RIGHT_FINGERS = 37


class Limb(Enum):
    """A forearm with its hand: what has to be seen for an action of the hands to be seen."""

    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True)
class Part:
    """A coloured hull of circles around points of the body.

    Attributes:
        points: indices of joints or points, 2 to 5.
        radii: of the circles, metres of a 1.75 m body.
        colour: in full light.
        nearer: metres by which the part counts as nearer to the camera than its points.
        flat: no shading and no rim, for details on top of other parts.
        facing: -1 always drawn; otherwise drawn when the head faces the camera by at least this cosine.
        patterned: carries the pattern of the top.
        limb: the forearm or hand that it belongs to.
    """

    points: tuple[int, ...]
    radii: tuple[float, ...]
    colour: Colour
    nearer: float = 0.0
    flat: bool = False
    facing: float = -1.0
    patterned: bool = False
    limb: Limb | None = None


@dataclass(frozen=True)
class Look:
    """One person's body, parts and the pattern of the top (``None`` or [64, 64, 3] uint8)."""

    body: Body
    parts: tuple[Part, ...]
    pattern: np.ndarray | None = field(default=None, compare=False)


def body_points(posture: Posture, body: Body) -> np.ndarray:
    """Return [T, 38, 3]: the joints and the points of ``Point``, metres in the person's frame."""
    points = np.empty((len(posture.joints), len(Joint) + len(Point), 3))
    joints = posture.joints
    points[:, : len(Joint)] = joints
    for heel, knee, ankle, toe in (
        (Point.LEFT_HEEL, Joint.LEFT_KNEE, Joint.LEFT_ANKLE, Joint.LEFT_TOE),
        (Point.RIGHT_HEEL, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE, Joint.RIGHT_TOE),
    ):
        points[:, heel] = (
            joints[:, ankle]
            - 0.28 * (joints[:, toe] - joints[:, ankle])
            + 0.06 * (joints[:, ankle] - joints[:, knee])
        )
    for fingers, wrist, hand in (
        (Point.LEFT_FINGERS, Joint.LEFT_WRIST, Joint.LEFT_HAND),
        (Point.RIGHT_FINGERS, Joint.RIGHT_WRIST, Joint.RIGHT_HAND),
    ):
        points[:, fingers] = 1.75 * joints[:, hand] - 0.75 * joints[:, wrist]
    size, head = body.scale * body.head, joints[:, Joint.HEAD]
    for point, offset in _ON_HEAD.items():
        points[:, point] = head + posture.head_axes @ (size * np.array(offset))
    for point, (joint, offset) in _ON_CHEST.items():
        points[:, point] = joints[:, joint] + posture.chest_axes @ (body.scale * np.array(offset))
    return points


_ON_HEAD = {
    Point.CROWN: (-0.005, 0.0, 0.03),
    Point.CHIN: (0.025, 0.0, -0.065),
    Point.HAIR: (-0.028, 0.0, 0.04),
    Point.HAIR_END: (-0.075, 0.0, -0.16),
    Point.LEFT_EYE: (0.088, 0.04, 0.012),
    Point.RIGHT_EYE: (0.088, -0.04, 0.012),
    Point.NOSE: (0.105, 0.0, -0.022),
    Point.MOUTH: (0.088, 0.0, -0.066),
    Point.BRIM: (0.135, 0.0, 0.078),
}
_ON_CHEST = {
    Point.LEFT_BREAST: (Joint.LEFT_SHOULDER, (0.0, -0.045, -0.035)),
    Point.RIGHT_BREAST: (Joint.RIGHT_SHOULDER, (0.0, 0.045, -0.035)),
    Point.BELLY: (Joint.CHEST, (0.02, 0.0, -0.28)),
    Point.LEFT_SIDE: (Joint.CHEST, (0.0, 0.055, -0.33)),
    Point.RIGHT_SIDE: (Joint.CHEST, (0.0, -0.055, -0.33)),
}


def draw_look(dice: Dice) -> Look:
    """Draw one person's appearance."""
    child = dice.chance(0.14)
    body = Body(
        stature=dice.uniform(1.15, 1.45) if child else dice.uniform(1.55, 1.95),
        leg=dice.uniform(0.95, 1.05),
        trunk=dice.uniform(0.95, 1.05),
        arm=dice.uniform(0.96, 1.04),
        shoulders=dice.uniform(0.9, 1.15),
        head=dice.uniform(1.15, 1.3) if child else dice.uniform(0.95, 1.12),
        girth=dice.uniform(0.85, 1.4),
    )
    skin = _varied(dice, dice.pick(_SKINS), 12)
    top, bottom = _cloth(dice), _cloth(dice)
    parts = [
        *_legs(dice, body.girth, skin, bottom),
        *_trunk(body.girth, skin, top, bottom),
        *_arms(dice, body.girth**0.7, skin, top),
        *_head(dice, body.head, skin),
    ]
    pattern = _pattern(dice, top) if dice.chance(0.65) else None
    return Look(body, tuple(parts), pattern)


def _varied(dice: Dice, colour: Colour, spread: float) -> Colour:
    blue, green, red = (min(255.0, max(0.0, value + dice.uniform(-spread, spread))) for value in colour)
    return blue, green, red


def _cloth(dice: Dice) -> Colour:
    """Draw a colour of cloth: muted, dark, light or loud."""
    grey = dice.uniform(25, 215)
    kind = dice.uniform()
    if kind < 0.3:
        return _varied(dice, (grey, grey, grey), 14)
    if kind < 0.7:
        return _varied(dice, (0.8 * grey, 0.8 * grey, 0.8 * grey), 45)
    return dice.colour(15, 240)


def _legs(dice: Dice, girth: float, skin: Colour, bottom: Colour) -> list[Part]:
    dress = dice.uniform()
    shorts = dress < 0.18
    skirt = dress > 0.82
    shin = skin if shorts or skirt else bottom
    shoe = _varied(dice, dice.pick(((30, 30, 34), (60, 70, 90), (225, 225, 225), (40, 40, 150))), 25)
    parts = []
    for hip, knee, ankle, heel, toe in (
        (Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_ANKLE, Point.LEFT_HEEL, Joint.LEFT_TOE),
        (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE, Point.RIGHT_HEEL, Joint.RIGHT_TOE),
    ):
        loose = 1.0 if shin == skin else 1.12
        parts += [
            Part((heel, toe), (0.042, 0.034), shoe),
            Part((knee, ankle), (0.058 * girth**0.5 * loose, 0.042 * loose), shin, nearer=0.01),
            Part((hip, knee), (0.088 * girth, 0.062 * girth**0.5), bottom, nearer=0.02),
        ]
    if skirt:
        points = (Joint.LEFT_HIP, Joint.RIGHT_HIP, Joint.LEFT_KNEE, Joint.RIGHT_KNEE)
        parts.append(Part(points, (0.10 * girth, 0.10 * girth, 0.085, 0.085), bottom, nearer=0.12))
    return parts


def _trunk(girth: float, skin: Colour, top: Colour, bottom: Colour) -> list[Part]:
    breast, hip, belly = 0.082 * girth**0.6, 0.098 * girth, 0.105 * girth
    shoulders_to_waist = (
        Point.LEFT_BREAST,
        Point.RIGHT_BREAST,
        Point.BELLY,
        Point.LEFT_SIDE,
        Point.RIGHT_SIDE,
    )
    return [
        Part((Joint.LEFT_HIP, Joint.RIGHT_HIP), (hip, hip), bottom, nearer=0.04),
        Part(
            shoulders_to_waist, (breast, breast, belly, 0.9 * belly, 0.9 * belly), top, 0.05, patterned=True
        ),
        Part((Joint.CHEST, Joint.NECK, Joint.HEAD), (0.05, 0.05, 0.05), skin, nearer=-0.01),
    ]


def _arms(dice: Dice, girth: float, skin: Colour, top: Colour) -> list[Part]:
    sleeves = dice.pick_weighted({"long": 0.5, "short": 0.4, "none": 0.1})
    upper = skin if sleeves == "none" else top
    fore = top if sleeves == "long" else skin
    parts = []
    for limb, shoulder, fingers in (
        (Limb.LEFT, Joint.LEFT_SHOULDER, Point.LEFT_FINGERS),
        (Limb.RIGHT, Joint.RIGHT_SHOULDER, Point.RIGHT_FINGERS),
    ):
        elbow, wrist, hand = shoulder + 1, shoulder + 2, shoulder + 3
        parts += [
            Part((shoulder, elbow), (0.058 * girth, 0.046 * girth), upper, nearer=0.05),
            Part((elbow, wrist), (0.043 * girth, 0.033 * girth), fore, nearer=0.06, limb=limb),
            Part((wrist, hand, fingers), (0.03, 0.043, 0.03), skin, nearer=0.07, limb=limb),
        ]
    return parts


def _head(dice: Dice, size: float, skin: Colour) -> list[Part]:
    hair = _varied(dice, dice.pick(_HAIRS), 12)
    style = dice.pick_weighted({"short": 0.4, "long": 0.28, "bald": 0.1, "cap": 0.22})
    dark = (0.35 * skin[0], 0.3 * skin[1], 0.32 * skin[2])
    parts = [
        Part((Point.CROWN, Point.CHIN), (0.098 * size, 0.062 * size), skin),
        Part((Point.NOSE, Point.NOSE), (0.017 * size, 0.017 * size), skin, nearer=0.01),
        Part(
            (Point.LEFT_EYE, Point.LEFT_EYE), (0.013 * size,) * 2, (25, 22, 20), 0.06, flat=True, facing=0.05
        ),
        Part(
            (Point.RIGHT_EYE, Point.RIGHT_EYE),
            (0.013 * size,) * 2,
            (25, 22, 20),
            0.06,
            flat=True,
            facing=0.05,
        ),
        Part((Point.MOUTH, Point.MOUTH), (0.016 * size,) * 2, dark, 0.06, flat=True, facing=0.1),
    ]
    if style in ("short", "long"):
        parts.append(Part((Point.HAIR, Point.HAIR), (0.105 * size, 0.105 * size), hair, nearer=-0.02))
    if style == "long":
        parts.append(Part((Point.HAIR, Point.HAIR_END), (0.1 * size, 0.085 * size), hair, nearer=-0.035))
    if style == "cap":
        cap = _cloth(dice)
        parts.append(Part((Point.HAIR, Point.CROWN), (0.106 * size, 0.09 * size), cap, nearer=-0.02))
        parts.append(Part((Point.HAIR, Point.BRIM), (0.03 * size, 0.018 * size), cap, nearer=0.06))
    return parts


def _pattern(dice: Dice, top: Colour) -> np.ndarray:
    """Draw [64, 64, 3] cloth: stripes, checks, a block or a print in a second colour on the first."""
    second = np.array(_cloth(dice))
    rows, columns = np.mgrid[0:64, 0:64]
    width = dice.integer(4, 14)
    kind = dice.pick(("hoops", "stripes", "checks", "block", "print"))
    chosen = {
        "hoops": (rows // width) % 2 == 0,
        "stripes": (columns // width) % 2 == 0,
        "checks": ((rows // width) + (columns // width)) % 2 == 0,
        "block": rows > 20 + 2 * width,
        "print": (np.abs(rows - 26) < 6 + width // 2) & (np.abs(columns - 32) < 8 + width // 2),
    }[kind]
    cloth = np.where(chosen[..., None], second, np.array(top))
    cloth = cloth + 10 * dice.gaussians(64, 64, 1)
    return np.clip(cloth, 0, 255).astype(np.uint8)
