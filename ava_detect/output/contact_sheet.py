"""A contact sheet: pictures with their people and actions, and what is to be said about each below it.

Pictures of any shape stand in rows that fill the sheet's width, as in a gallery of photographs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from ava_detect.output.overlay import DrawnPerson, draw_frame
from ava_detect.output.style import Colour, Style
from ava_detect.output.text import fitted_text, stamp, text_height, text_mask, text_width
from evaluation.atomic import atomic_path
from evaluation.errors import DataError

GROUND: Colour = (28, 28, 28)
INK: Colour = (225, 225, 225)

_CAP = 10  # pixels, of capitals below the pictures
_HEAD_CAP = 14
_GAP = 14
_LINE_GAP = 3


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
    path: Path, tiles: Sequence[Tile], *, head: str = "", width: int = 1920, row_height: int = 330
) -> None:
    """Write tiles as one picture, in order, row by row.

    Args:
        path: ends in .png or .jpg.
        tiles: at least one.
        head: a line above all.
        width: of the sheet, pixels.
        row_height: of a row's pictures, pixels; rows but the last are scaled to fill the width.

    Raises:
        DataError: the file cannot be written.
        ValueError: there is no tile.
    """
    if not tiles:
        raise ValueError("a contact sheet needs at least one picture")
    rows = [_row(row, height, width) for row, height in _rows(tiles, width - 2 * _GAP, row_height)]
    if head:
        rows.insert(0, _head(head, width))
    sheet = np.concatenate([*rows, np.full((_GAP, width, 3), GROUND, np.uint8)])
    _, encoded = cv2.imencode(path.suffix, sheet)
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(encoded.tobytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from error


def _rows(tiles: Sequence[Tile], width: int, row_height: int) -> Iterator[tuple[list[Tile], int]]:
    """Divide tiles among rows; yield each row with the height of its pictures."""
    row: list[Tile] = []
    for tile in tiles:
        row.append(tile)
        height = _filling_height(row, width)
        if height <= row_height:
            yield row, height
            row = []
    if row:
        yield row, min(row_height, _filling_height(row, width))


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
    texts = [_line(line, width) for line in [*lines, *tile.notes]]
    return np.concatenate([picture, np.full((_LINE_GAP, width, 3), GROUND, np.uint8), *texts])


def _scaled(person: DrawnPerson, scale: float) -> DrawnPerson:
    x1, y1, x2, y2 = (edge * scale for edge in person.box)
    return replace(person, box=(x1, y1, x2, y2))


def _line(notes: Sequence[Note], width: int) -> np.ndarray:
    """Write notes one after the other; what does not fit is cut."""
    image = np.full((text_height(_CAP) + _LINE_GAP, width, 3), GROUND, np.uint8)
    x = 0
    for note in notes:
        text = fitted_text(note.text, _CAP, width - x)
        if not text:
            break
        stamp(image, text_mask(text, _CAP), x, 0, note.colour)
        x += text_width(text, _CAP) + _CAP // 2
    return image


def _head(text: str, width: int) -> np.ndarray:
    image = np.full((_GAP + text_height(_HEAD_CAP), width, 3), GROUND, np.uint8)
    mask = text_mask(fitted_text(text, _HEAD_CAP, width - 2 * _GAP), _HEAD_CAP)
    stamp(image, mask, _GAP, _GAP, INK)
    return image
