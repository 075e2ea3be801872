"""The place: wall and floor or sky and ground, painted once on the canvas, with parts of it that move.

The ground is textured in perspective, so that it moves with the people when the camera does.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ava_detect.data.scenes.dice import Dice
from ava_detect.data.scenes.looks import Colour
from ava_detect.data.scenes.view import View


@dataclass(frozen=True)
class Panel:
    """A rectangle of the canvas whose picture scrolls: a screen, a river of lights, drifting clouds.

    Attributes:
        left, top: corner on the canvas.
        picture: [h, 2 * w, 3] uint8, two repeats side by side.
        speed: pixels per second.
        mask: [h, w] uint8, 255 where the panel is visible; ``None`` everywhere.
    """

    left: int
    top: int
    picture: np.ndarray
    speed: float
    mask: np.ndarray | None = None

    def draw(self, canvas: np.ndarray, time: float) -> None:
        """Paint the panel onto the canvas."""
        height, width = self.picture.shape[0], self.picture.shape[1] // 2
        start = int(self.speed * time) % width
        region = canvas[self.top : self.top + height, self.left : self.left + width]
        visible = self.picture[:, start : start + width]
        if self.mask is None:
            region[:] = visible
        else:
            cv2.copyTo(visible, self.mask, region)


@dataclass
class Backdrop:
    """The painted canvas [H, W, 3] uint8 and its moving panels."""

    canvas: np.ndarray
    panels: list[Panel]

    def at(self, time: float) -> np.ndarray:
        """Return the canvas at a time; it is valid until the next call."""
        for panel in self.panels:
            panel.draw(self.canvas, time)
        return self.canvas


def paint_backdrop(dice: Dice, view: View, *, wall_depth: float, clutter: int, contrast: float) -> Backdrop:
    """Paint the place behind the people.

    Args:
        dice: the draws.
        view: the camera.
        wall_depth: Z of the wall or of the end of the ground, metres.
        clutter: how many things hang or stand at the wall.
        contrast: of the textures, 0 to 1.
    """
    width, height = view.canvas_size
    seam = int(np.clip(view.project(np.array([0.0, 0.0, wall_depth]))[1], 8, height - 8))
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[seam:] = _ground(dice, view, seam, contrast)
    if dice.chance(0.5):
        panels = _indoors(dice, canvas, seam, clutter, contrast)
    else:
        panels = _outdoors(dice, canvas, seam, clutter, contrast)
    return Backdrop(canvas, panels)


def texture(dice: Dice, height: int, width: int, colour: Colour, strength: float) -> np.ndarray:
    """Paint [height, width, 3] float32 cloud-like noise of several grain sizes around a colour."""
    noise = np.zeros((height, width), np.float32)
    for grain, weight in ((3, 0.35), (9, 0.5), (28, 0.7), (90, 1.0)):
        cells = (
            dice.uniforms(max(2, height // grain + 2), max(2, width // grain + 2)).astype(np.float32) - 0.5
        )
        noise += weight * cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)
    shade = 1.0 + strength * noise[..., None]
    return np.array(colour, np.float32) * shade


def _as_pixels(image: np.ndarray) -> np.ndarray:
    return np.clip(image, 0, 255).astype(np.uint8)


def _ground(dice: Dice, view: View, seam: int, contrast: float) -> np.ndarray:
    """Paint the ground below the seam: tiles, planks, stripes or plain, by the world's X and Z."""
    width, height = view.canvas_size
    rows = np.arange(seam, height, dtype=np.float32)[:, None] + 0.5
    depth = view.focal * view.eye / np.maximum(rows - view.horizon, 1.0)
    across = (np.arange(width, dtype=np.float32)[None] + 0.5 - view.centre[0]) * depth / view.focal
    deep = np.broadcast_to(depth, across.shape)
    turn = dice.uniform(-0.6, 0.6)
    u, v = np.cos(turn) * across + np.sin(turn) * deep, np.cos(turn) * deep - np.sin(turn) * across
    colour = _place_colour(dice)
    image = texture(dice, height - seam, width, colour, 0.35 * contrast + 0.1)
    size = dice.uniform(0.25, 0.8)
    kind = dice.pick(("checks", "tiles", "planks", "stripes", "plain"))
    if kind == "checks":
        mark = (np.floor(u / size) + np.floor(v / size)) % 2
    elif kind == "tiles":
        mark = (((u / size) % 1 < 0.06) | ((v / size) % 1 < 0.06)).astype(np.float32)
    elif kind == "planks":
        lane = np.floor(u / (0.4 * size))
        mark = 0.5 * (np.sin(lane * 12.9898) * 43758.5453 % 1) + ((u / (0.4 * size)) % 1 < 0.07)
    elif kind == "stripes":
        mark = ((v / (1.5 * size)) % 1 < 0.3).astype(np.float32)
    else:
        mark = np.zeros_like(u)
    # Far away the marks are finer than pixels: fade them instead of letting them flicker.
    fade = np.clip(size * view.focal / np.maximum(deep, 0.1) / 8.0, 0.0, 1.0)
    image *= 1 + dice.sign() * contrast * dice.uniform(0.15, 0.45) * (mark * fade)[..., None]
    return _as_pixels(image)


def _place_colour(dice: Dice) -> Colour:
    grey = dice.uniform(60, 190)
    return (grey + dice.uniform(-40, 25), grey + dice.uniform(-20, 20), grey + dice.uniform(-25, 40))


def _indoors(dice: Dice, canvas: np.ndarray, seam: int, clutter: int, contrast: float) -> list[Panel]:
    width = canvas.shape[1]
    colour = _place_colour(dice)
    wall = texture(dice, seam, width, colour, 0.25 * contrast + 0.08)
    rows, columns = np.mgrid[0:seam, 0:width]
    size = dice.integer(max(6, width // 60), max(12, width // 18))
    kind = dice.pick(("plain", "bricks", "wallpaper", "boards"))
    if kind == "bricks":
        course = rows // size
        mark = (rows % size < max(1, size // 8)) | (
            (columns + course % 2 * size) % (2 * size) < max(1, size // 8)
        )
    elif kind == "wallpaper":
        mark = columns // size % 2 == 0
    elif kind == "boards":
        mark = columns % size < max(1, size // 7)
    else:
        mark = np.zeros((seam, width), bool)
    wall *= 1 + dice.sign() * contrast * dice.uniform(0.1, 0.35) * mark[..., None]
    canvas[:seam] = _as_pixels(wall)
    skirting = max(3, seam // 40)
    canvas[seam - skirting : seam] = np.array(_place_colour(dice)).astype(np.uint8)
    for _ in range(clutter):
        _hang_on_wall(dice, canvas, seam)
    return [_screen(dice, canvas, seam) for _ in range(dice.integer(0, 2))]


def _hang_on_wall(dice: Dice, canvas: np.ndarray, seam: int) -> None:
    """Paint a picture, window, door or shelf onto the wall."""
    width = canvas.shape[1]
    kind = dice.pick(("picture", "window", "door", "shelf"))
    w, h = int(width * dice.uniform(0.05, 0.16)), int(seam * dice.uniform(0.2, 0.45))
    x, y = dice.integer(0, width - w - 1), dice.integer(4, max(5, seam - h - 8))
    if kind == "door":
        h = min(int(seam * 0.8), int(w * 2.2))
        y = seam - h
    frame = dice.colour(20, 210)
    inside = _as_pixels(texture(dice, h, w, dice.colour(30, 230), 0.9))
    cv2.rectangle(inside, (0, 0), (w - 1, h - 1), frame, max(2, w // 18))
    if kind == "window":
        cv2.line(inside, (w // 2, 0), (w // 2, h), frame, max(1, w // 26))
        cv2.line(inside, (0, h // 2), (w, h // 2), frame, max(1, w // 26))
    if kind == "shelf":
        for x0 in range(2, w - 4, max(4, w // 9)):
            tall = int(h * dice.uniform(0.4, 0.9))
            cv2.rectangle(inside, (x0, h - tall), (x0 + max(2, w // 12), h), dice.colour(20, 230), -1)
    canvas[y : y + h, x : x + w] = inside


def _screen(dice: Dice, canvas: np.ndarray, seam: int) -> Panel:
    """Make a screen or window on the wall behind which something passes."""
    width = canvas.shape[1]
    w, h = int(width * dice.uniform(0.12, 0.3)), int(seam * dice.uniform(0.25, 0.5))
    left, top = dice.integer(0, width - w - 1), dice.integer(2, max(3, int(0.6 * (seam - h))))
    cv2.rectangle(canvas, (left - 3, top - 3), (left + w + 3, top + h + 3), dice.colour(10, 90), -1)
    picture = texture(dice, h, w, dice.colour(60, 220), 1.1)
    for _ in range(dice.integer(2, 7)):
        x, y = dice.integer(0, w), dice.integer(0, h)
        cv2.rectangle(
            picture, (x, y), (x + dice.integer(4, w // 3), y + dice.integer(4, h // 2)), dice.colour(), -1
        )
    return Panel(left, top, np.tile(_as_pixels(picture), (1, 2, 1)), dice.uniform(0.1, 0.6) * w)


def _outdoors(dice: Dice, canvas: np.ndarray, seam: int, clutter: int, contrast: float) -> list[Panel]:
    width = canvas.shape[1]
    light = dice.uniform(0.55, 1.0)
    zenith = np.array([230 * light, 190 * light, 150 * light])
    haze = np.array([220 * light, 215 * light, 205 * light])
    share = np.linspace(0, 1, seam)[:, None, None]
    clouds = texture(dice, seam, width, (128.0, 128.0, 128.0), 0.5 + 0.5 * contrast) - 128
    sky = zenith + (haze - zenith) * share + 0.35 * clouds
    land, covered = canvas[:seam].copy(), np.zeros((seam, width), np.uint8)
    _skyline(dice, land, covered, clutter, contrast)
    sky = _as_pixels(np.concatenate([sky, sky[:, ::-1]], axis=1))  # mirrored, so that the repeat has no seam
    canvas[:seam] = np.where(covered[..., None] > 0, land, sky[:, :width])
    return [Panel(0, 0, np.tile(sky, (1, 1, 1)), dice.uniform(-0.05, 0.05) * width, 255 - covered)]


def _skyline(dice: Dice, land: np.ndarray, covered: np.ndarray, clutter: int, contrast: float) -> None:
    """Paint hills, houses and trees onto ``land`` and mark them in ``covered``, in place."""
    seam, width = covered.shape
    hills = seam * (0.75 - 0.3 * dice.uniform() * _smooth_curve(dice, width))
    mask = np.arange(seam)[:, None] > hills[None]
    green = (dice.uniform(50, 110), dice.uniform(80, 140), dice.uniform(60, 120))
    land[mask] = _as_pixels(texture(dice, seam, width, green, 0.5 * contrast + 0.15))[mask]
    covered[mask] = 255
    for _ in range(clutter):
        w, h = int(width * dice.uniform(0.06, 0.2)), int(seam * dice.uniform(0.25, 0.75))
        x = dice.integer(-w // 2, width - w // 2)
        if dice.chance(0.5):
            _house(dice, land, covered, x, seam - h, w, h)
        else:
            _tree(dice, land, covered, x + w // 2, seam, h)


def _smooth_curve(dice: Dice, width: int) -> np.ndarray:
    x = np.linspace(0, 2 * np.pi, width)
    waves = [np.sin(rate * x + dice.uniform(0, 6)) / rate for rate in (1, 2, 3, 5)]
    return np.sum(waves, axis=0) * 0.5 + 0.5


def _house(dice: Dice, land: np.ndarray, covered: np.ndarray, x: int, y: int, w: int, h: int) -> None:
    colour = _place_colour(dice)
    for image, value in ((land, colour), (covered, (255.0,) * 3)):
        cv2.rectangle(image, (x, y), (x + w, y + h), value, -1)
    step = max(8, w // dice.integer(3, 6))
    glass = dice.colour(30, 200)
    for top in range(y + step // 3, y + h - step // 2, step):
        for left in range(x + step // 3, x + w - step // 2, step):
            cv2.rectangle(land, (left, top), (left + step // 2, top + step // 2), glass, -1)


def _tree(dice: Dice, land: np.ndarray, covered: np.ndarray, x: int, ground: int, h: int) -> None:
    thick = max(2, h // 14)
    trunk, green = (45.0, 65.0, 85.0), (dice.uniform(30, 80), dice.uniform(80, 150), dice.uniform(30, 110))
    leaves = [
        (
            x + int(h * dice.uniform(-0.28, 0.28)),
            ground - int(h * dice.uniform(0.45, 0.95)),
            dice.uniform(0.1, 0.2),
        )
        for _ in range(12)
    ]
    for image in (land, covered):
        shade = image is land
        cv2.rectangle(
            image, (x - thick, ground - int(0.6 * h)), (x + thick, ground), trunk if shade else 255.0, -1
        )
        for index, (cx, cy, radius) in enumerate(leaves):
            value = tuple(channel * (0.75 + 0.04 * index) for channel in green) if shade else 255.0
            cv2.circle(image, (cx, cy), int(radius * h), value, -1)
