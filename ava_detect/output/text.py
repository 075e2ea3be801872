"""Text as masks of opacity: drawn once by OpenCV, stamped in any colour as often as needed."""

import unicodedata
from functools import lru_cache

import cv2
import numpy as np

from ava_detect.output.style import Colour

_FACE = cv2.FONT_HERSHEY_DUPLEX
_OUTLINE_FONT = hasattr(cv2, "FontFace")  # OpenCV 5; OpenCV 4 draws strokes, and only ASCII
_CAP_AT_SCALE_1 = 20.3 if _OUTLINE_FONT else 21.0  # pixels, for strokes without their thickness
_ASCENT = 1.2  # of the cap height: slashes and brackets reach over the capitals
_DESCENT = 0.45
_MARGIN = 1


def text_height(cap: int) -> int:
    """Return the height in pixels of a line of text with capitals of ``cap`` pixels."""
    return _ascent(cap) + round(_DESCENT * cap)


def text_width(text: str, cap: int) -> int:
    """Return the width in pixels of a text."""
    return text_mask(text, cap).shape[1]


@lru_cache(maxsize=1024)
def text_mask(text: str, cap: int) -> np.ndarray:
    """Draw a text.

    Args:
        text: one line; what the font cannot draw is replaced.
        cap: height of a capital letter in pixels.

    Returns:
        [text_height(cap), W] uint8, 255 where the ink is. Not to be written to: it is shared.
    """
    if _OUTLINE_FONT:
        thickness, scale = 1, cap / _CAP_AT_SCALE_1  # more thickness would be another weight of the font
    else:
        text, thickness = ascii_text(text), max(1, round(cap / 9))
        scale = (cap - thickness) / _CAP_AT_SCALE_1
    (width, _), _ = cv2.getTextSize(text, _FACE, scale, thickness)
    mask = np.zeros((text_height(cap), width + 2 * _MARGIN), np.uint8)
    cv2.putText(mask, text, (_MARGIN, _ascent(cap)), _FACE, scale, 255, thickness, cv2.LINE_AA)
    mask.flags.writeable = False
    return mask


def fitted_text(text: str, cap: int, width: int) -> str:
    """Return the text, or as much of its beginning as fits with two dots; "" when nothing does."""
    if text_width(text, cap) <= width:
        return text
    for length in range(len(text) - 1, 0, -1):
        shorter = text[:length].rstrip() + ".."
        if text_width(shorter, cap) <= width:
            return shorter
    return ""


def stamp(image: np.ndarray, mask: np.ndarray, x: int, y: int, colour: Colour, opacity: float = 1.0) -> None:
    """Blend a colour into the picture where a mask says so; what lies outside the picture is cut off.

    Args:
        image: [H, W, 3] uint8 BGR, changed in place.
        mask: [h, w] uint8.
        x, y: top left corner of the mask.
        colour: of the ink.
        opacity: in [0, 1]; of full ink.
    """
    top, left = max(0, -y), max(0, -x)
    part = image[max(0, y) : max(0, y + mask.shape[0]), max(0, x) : max(0, x + mask.shape[1])]
    if part.size == 0:
        return
    ink = mask[top : top + part.shape[0], left : left + part.shape[1], None].astype(np.float32)
    ink *= opacity / 255
    part[:] = np.rint(part + ink * (np.array(colour, np.float32) - part)).astype(np.uint8)


def ascii_text(text: str) -> str:
    """Return the text in ASCII: letters without their accents, ``?`` for everything else."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(char if char.isascii() else "?" for char in plain if not unicodedata.combining(char))


def _ascent(cap: int) -> int:
    return round(_ASCENT * cap)
