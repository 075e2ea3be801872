"""A contact sheet: pictures with their people and actions, and what is to be said about each below it.

Pictures of any shape stand in rows that fill the sheet's width, as in a gallery of photographs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from ava_detect.output.overlay import DrawnPerson, draw_frame
from ava_detect.output.picture import write_picture
from ava_detect.output.style import Colour, Style
from ava_detect.output.text import fitted_text, stamp, text_height, text_mask, text_width

GROUND: Colour = (28, 28, 28)
INK: Colour = (225, 225, 225)

_CAP = 10  # pixels, of capitals below the pictures
_HEAD_CAP = 14
_GAP = 14
_LINE_GAP = 3
_MOST_ENLARGED = 3  # halves of the row height: a few pictures do not fill the width at any price


@dataclass(frozen=True)
class Note:
    """A few words in a colour."""

    text: str
    colour: Colour = INK


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet.

    Attributes:
        image: [H, W, 3] uint8, BGR.
        people: to draw on it; boxes in its pixels.
        title: first line below it.
        notes: further lines, each of several notes.
    """

    image: np.ndarray
    people: Sequence[DrawnPerson] = ()
    title: str = ""
    notes: Sequence[Sequence[Note]] = field(default_factory=tuple)


def write_contact_sheet(
    path: Path, tiles: Sequence[Tile], *, head: Sequence[Note] = (), width: int = 1920, row_height: int = 330
) -> None:
    """Write the ``contact_sheet`` of tiles as a picture.

    Args:
        path: ends in .png or .jpg.
        tiles, head, width, row_height: of the sheet.

    Raises:
        DataError: the file cannot be written.
        ValueError: there is no tile.
    """
    write_picture(path, contact_sheet(tiles, head=head, width=width, row_height=row_height))


def contact_sheet(
    tiles: Sequence[Tile], *, head: Sequence[Note] = (), width: int, row_height: int
) -> np.ndarray:
    """Draw tiles as one picture, [H, W, 3] uint8, BGR, in order, row by row.

    Args:
        tiles: at least one.
        head: a line above all.
        width: of the sheet, pixels.
        row_height: pixels; about the height of a row's pictures, which are scaled to fill the width.

    Raises:
        ValueError: there is no tile.
    """
    if not tiles:
        raise ValueError("a contact sheet needs at least one picture")
    rows = [_row(row, height, width) for row, height in _rows(tiles, width - 2 * _GAP, row_height)]
    if head:
        rows.insert(0, _head(head, width))
    return np.concatenate([*rows, np.full((_GAP, width, 3), GROUND, np.uint8)])


def _rows(tiles: Sequence[Tile], width: int, row_height: int) -> Iterator[tuple[list[Tile], int]]:
    """Divide tiles among rows of about equal length; yield each row with the height of its pictures."""
    aspects = np.array([tile.image.shape[1] / tile.image.shape[0] for tile in tiles])
    count = max(1, round(aspects.sum() * row_height / width))
    middles = np.cumsum(aspects) - aspects / 2
    row_of = np.minimum((middles / aspects.sum() * count).astype(int), count - 1)
    for number in range(count):
        row = [tile for tile, place in zip(tiles, row_of.tolist(), strict=True) if place == number]
        if row:
            yield row, min(_filling_height(row, width), _MOST_ENLARGED * row_height // 2)


def _filling_height(row: Sequence[Tile], width: int) -> int:
    """Return the height at which a row's pictures fill the width."""
    aspects = sum(tile.image.shape[1] / tile.image.shape[0] for tile in row)
    return max(1, int((width - _GAP * (len(row) - 1)) / aspects))


def _row(row: Sequence[Tile], height: int, width: int) -> np.ndarray:
    """Draw a row, with a gap above it."""
    drawn = [_drawn(tile, height) for tile in row]
    full = max(picture.shape[0] for picture in drawn)
    out = np.full((_GAP + full, width, 3), GROUND, np.uint8)
    x = _GAP
    for picture in drawn:
        out[_GAP : _GAP + picture.shape[0], x : x + picture.shape[1]] = picture[:, : width - x]
        x += picture.shape[1] + _GAP
    return out


def _drawn(tile: Tile, height: int) -> np.ndarray:
    """Draw one tile: its picture at a height, its lines below."""
    scale = height / tile.image.shape[0]
    width = max(1, round(tile.image.shape[1] * scale))
    smoothing = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = np.ascontiguousarray(cv2.resize(tile.image, (width, height), interpolation=smoothing))
    people = [_scaled(person, scale) for person in tile.people]
    draw_frame(picture, people, Style.for_picture(*picture.shape[:2]))
    lines = [(Note(tile.title),)] if tile.title else []
    texts = [text for line in [*lines, *tile.notes] for text in _lines(line, width, _CAP)]
    return np.concatenate([picture, np.full((_LINE_GAP, width, 3), GROUND, np.uint8), *texts])


def _scaled(person: DrawnPerson, scale: float) -> DrawnPerson:
    x1, y1, x2, y2 = (edge * scale for edge in person.box)
    return replace(person, box=(x1, y1, x2, y2))


def _lines(notes: Sequence[Note], width: int, cap: int) -> Iterator[np.ndarray]:
    """Write notes one after the other, in as many lines as they need; a longer one than a line is cut."""
    line, x = _empty_line(width, cap), 0
    for note in notes:
        text = fitted_text(note.text, cap, width)
        if x and x + text_width(text, cap) > width:
            yield line
            line, x = _empty_line(width, cap), 2 * cap
            text = fitted_text(note.text, cap, width - x)
        if text:
            stamp(line, text_mask(text, cap), x, 0, note.colour)
            x += text_width(text, cap) + cap // 2
    yield line


def _empty_line(width: int, cap: int) -> np.ndarray:
    return np.full((text_height(cap) + _LINE_GAP, width, 3), GROUND, np.uint8)


def _head(notes: Sequence[Note], width: int) -> np.ndarray:
    text = np.concatenate(list(_lines(notes, width - 2 * _GAP, _HEAD_CAP)))
    return cv2.copyMakeBorder(text, _GAP, 0, _GAP, _GAP, cv2.BORDER_CONSTANT, value=GROUND)
