"""Draws people and their actions onto a picture: boxes, label chips, time stamp."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from ava_detect.output.chips import Metrics, Place, Stack, Standings, place_stacks, standings_of
from ava_detect.output.labels import Label
from ava_detect.output.style import (
    CHIP_OPACITY,
    SHADOW,
    WHITE,
    Colour,
    Style,
    group_colours,
    ink_on,
    person_colour,
)
from ava_detect.output.text import fitted_text, stamp, text_height, text_mask, text_width

_STAMP_OPACITY = 0.55


@dataclass(frozen=True)
class DrawnPerson:
    """One person as drawn.

    Attributes:
        box: [x1, y1, x2, y2] in pixels; may reach over the picture's edge.
        person_id: gives the colour and the head line; None without tracking.
        labels: best first.
        opacity: in (0, 1]; below 1 while fading.
    """

    box: tuple[float, float, float, float]
    person_id: int | None
    labels: tuple[Label, ...]
    opacity: float = 1.0


@dataclass(frozen=True)
class TimeStamp:
    """The time shown at the bottom left, seconds; with a mark on keyframes."""

    time: float
    keyframe: bool = False


def draw_frame(
    image: np.ndarray,
    people: Sequence[DrawnPerson],
    style: Style,
    *,
    time_stamp: TimeStamp | None = None,
    before: Standings | None = None,
) -> Standings:
    """Draw people and a time stamp onto a picture.

    Args:
        image: [H, W, 3] uint8, BGR; changed in place.
        people: those with higher priority for the place of their chips first.
        style: ``Style.for_picture`` of the picture.
        time_stamp: None for none.
        before: what this function returned for the frame before; keeps the chips where they are.

    Returns:
        Where the chips stand.
    """
    height, width = image.shape[:2]
    for person in people:
        _draw_box(image, person, style)
    stamp_rect = _stamp_rect(height, style)
    if stamp_rect[2] > width or 3 * (height - stamp_rect[1]) > height:
        time_stamp = None  # in a thumbnail it would hide more than it tells
    taken = [] if time_stamp is None else [stamp_rect]
    people = [_shortened(person, width, style) for person in people]
    stacks = [_stack(person, idx, style) for idx, person in enumerate(people)]
    metrics = Metrics(line=_line_height(style), gap=style.gap)
    places = place_stacks(stacks, (height, width), metrics, taken=taken, before=before)
    for person, place in zip(people, places, strict=True):
        if place is not None:
            _draw_leader(image, person, place, style)
    for person, place in zip(people, places, strict=True):
        if place is not None:
            _draw_stack(image, person, place, style)
    if time_stamp is not None:
        _draw_time(image, time_stamp, style)
    return standings_of(stacks, places)


def _line_height(style: Style) -> int:
    return text_height(style.cap) + 2 * style.padding


def _shortened(person: DrawnPerson, width: int, style: Style) -> DrawnPerson:
    """Cut the names of labels that are wider than the picture."""
    room = width - _chip_width("", style)
    labels = (replace(label, text=fitted_text(label.text, style.cap, room)) for label in person.labels)
    return replace(person, labels=tuple(labels))


def _stack(person: DrawnPerson, idx: int, style: Style) -> Stack:
    head = _head_text(person.person_id, 0)
    return Stack(
        key=person.person_id if person.person_id is not None else -1 - idx,
        box=person.box,
        chips=tuple(_chip_width(label.text, style) for label in person.labels),
        head=_padded_width(head, style) if head else 0,
        more=_padded_width(" +99", style),
    )


def _head_text(person_id: int | None, left_out: int) -> str:
    name = f"#{person_id}" if person_id is not None else ""
    return f"{name} +{left_out}".strip() if left_out else name


def _padded_width(text: str, style: Style) -> int:
    return text_width(text, style.cap) + 2 * style.padding


def _chip_width(name: str, style: Style) -> int:
    score = text_width("0.00", style.cap)
    return (text_width(name, style.cap) if name else 0) + 2 * style.padding + score + 2 * style.padding


def _draw_box(image: np.ndarray, person: DrawnPerson, style: Style) -> None:
    """Draw a person's box with its dark edge; the line lies inside the box."""
    x1, y1, x2, y2 = (round(edge) for edge in person.box)
    x1, y1 = max(x1, 0), max(y1, 0)
    x2, y2 = min(x2, image.shape[1]), min(y2, image.shape[0])
    if x1 >= x2 or y1 >= y2:
        return
    edge = style.hairline
    _draw_ring(image, (x1 - edge, y1 - edge, x2 + edge, y2 + edge), edge, SHADOW, 0.7 * person.opacity)
    _draw_ring(image, (x1, y1, x2, y2), style.line, person_colour(person.person_id), person.opacity)


def _draw_ring(
    image: np.ndarray, rect: tuple[int, int, int, int], thickness: int, colour: Colour, opacity: float
) -> None:
    """Draw the outline of a rectangle, ``thickness`` pixels inwards from its edges."""
    x1, y1, x2, y2 = rect
    inner_top, inner_bottom = min(y1 + thickness, y2), max(y2 - thickness, y1 + thickness)
    _fill(image, (x1, y1, x2, inner_top), colour, opacity)
    _fill(image, (x1, inner_bottom, x2, y2), colour, opacity)
    _fill(image, (x1, inner_top, min(x1 + thickness, x2), inner_bottom), colour, opacity)
    _fill(image, (max(x2 - thickness, x1 + thickness), inner_top, x2, inner_bottom), colour, opacity)


def _fill(image: np.ndarray, rect: tuple[int, int, int, int], colour: Colour, opacity: float) -> None:
    """Blend a colour into a rectangle [x1, y1, x2, y2]; what lies outside the picture is cut off."""
    x1, y1, x2, y2 = rect
    part = image[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
    if part.size == 0:
        return
    if opacity >= 1:
        part[:] = colour
    else:
        part[:] = cv2.LUT(part, _blend_table(colour, round(opacity, 2)))


@lru_cache(maxsize=256)
def _blend_table(colour: Colour, opacity: float) -> np.ndarray:
    """Return [1, 256, 3] uint8: what every value of a channel becomes under a colour."""
    below = np.arange(256, dtype=np.float64)[None, :, None]
    return np.rint((1 - opacity) * below + opacity * np.array(colour)).astype(np.uint8)


def _draw_leader(image: np.ndarray, person: DrawnPerson, place: Place, style: Style) -> None:
    """Join a stack that stands away from its box to the box by a line."""
    x1, y1, x2, y2 = place.rect
    bx1, by1, bx2, by2 = person.box
    from_x, from_y = min(max(bx1, x1), x2), min(max(by1, y1), y2)
    to_x, to_y = min(max(from_x, bx1), bx2), min(max(from_y, by1), by2)
    if max(abs(from_x - to_x), abs(from_y - to_y)) <= 2 * style.gap + style.hairline:
        return
    line = round(from_x), round(from_y), round(to_x), round(to_y)
    _draw_line(image, line, SHADOW, 3 * style.hairline, 0.7 * person.opacity)
    _draw_line(image, line, person_colour(person.person_id), style.hairline, person.opacity)


def _draw_line(
    image: np.ndarray, line: tuple[int, int, int, int], colour: Colour, thickness: int, opacity: float
) -> None:
    """Blend a straight line from (x1, y1) to (x2, y2) into the picture."""
    x1, y1, x2, y2 = line
    left, top = max(0, min(x1, x2) - thickness), max(0, min(y1, y2) - thickness)
    part = image[top : max(y1, y2) + thickness + 1, left : max(x1, x2) + thickness + 1]
    if part.size == 0:
        return
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.line(mask, (x1 - left, y1 - top), (x2 - left, y2 - top), 255, thickness, cv2.LINE_AA)
    stamp(image, mask, left, top, colour, opacity)


def _draw_stack(image: np.ndarray, person: DrawnPerson, place: Place, style: Style) -> None:
    y, line = place.y, _line_height(style)
    if head := _head_text(person.person_id, len(person.labels) - place.shown):
        _draw_head(image, head, place, person, style)
        y += line + style.gap
    for label in person.labels[: place.shown]:
        _draw_chip(image, label, (place.x, y, place.x + place.width, y + line), person.opacity, style)
        y += line + style.gap


def _draw_head(image: np.ndarray, text: str, place: Place, person: DrawnPerson, style: Style) -> None:
    """Draw the head line: the person's id on the colour of the box."""
    ground = person_colour(person.person_id)
    width = min(_padded_width(text, style), place.width)
    rect = (place.x, place.y, place.x + width, place.y + _line_height(style))
    _fill(image, rect, ground, person.opacity)
    mask = text_mask(text, style.cap)
    stamp(image, mask, place.x + style.padding, place.y + style.padding, ink_on(ground), person.opacity)


def _draw_chip(
    image: np.ndarray, label: Label, rect: tuple[int, int, int, int], opacity: float, style: Style
) -> None:
    """Draw one action: name on the left, score on the right, a bar as long as the score at the lower edge."""
    x1, y1, x2, y2 = rect
    ground, bar = group_colours(label.group)
    _fill(image, rect, ground, CHIP_OPACITY * opacity)
    _fill(image, (x1, y2 - style.bar, x1 + round(label.score * (x2 - x1)), y2), bar, opacity)
    ink, top = ink_on(ground), y1 + style.padding
    if label.text:
        stamp(image, text_mask(label.text, style.cap), x1 + style.padding, top, ink, opacity)
    score = text_mask(f"{label.score:.2f}", style.cap)
    stamp(image, score, x2 - style.padding - score.shape[1], top, ink, opacity)


def _stamp_rect(height: int, style: Style) -> tuple[int, int, int, int]:
    """Return where the time stamp stands, bottom left."""
    width = _padded_width(stamp_text(0.0), style) + style.padding + style.cap
    return 0, max(0, height - _line_height(style)), width, height


def _draw_time(image: np.ndarray, time_stamp: TimeStamp, style: Style) -> None:
    x1, y1, x2, y2 = _stamp_rect(image.shape[0], style)
    _fill(image, (x1, y1, x2, y2), SHADOW, _STAMP_OPACITY)
    stamp(
        image,
        text_mask(stamp_text(time_stamp.time), style.cap),
        x1 + style.padding,
        y1 + style.padding,
        WHITE,
    )
    if time_stamp.keyframe:
        _draw_tick(image, x2 - style.padding - style.cap, y2 - style.padding, style)


def _draw_tick(image: np.ndarray, x: int, y: int, style: Style) -> None:
    """Draw a tick mark as high as a capital letter, with its foot near (x, y)."""
    size, foot = style.cap, y - round(0.36 * style.cap)
    points = np.array([[x, foot - size // 2], [x + size // 3, foot], [x + size, foot - size]], np.int32)
    cv2.polylines(image, [points], False, WHITE, max(1, round(1.5 * style.unit)), cv2.LINE_AA)


def stamp_text(time: float) -> str:
    """Format a time as ``h:mm:ss.cc``, cut to hundredths."""
    hundredths = int(time * 100 + 1e-6)
    seconds, rest = divmod(hundredths, 100)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:02d}"
