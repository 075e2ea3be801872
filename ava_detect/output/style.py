"""How the annotated video looks: sizes from the picture, colours of people and of groups of actions."""

from dataclasses import dataclass
from typing import Self

Colour = tuple[int, int, int]
"""Blue, green, red, 0-255: OpenCV's order."""


def _from_hex(code: str) -> Colour:
    return int(code[5:7], 16), int(code[3:5], 16), int(code[1:3], 16)


PERSON_COLOURS: tuple[Colour, ...] = tuple(
    map(_from_hex, ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"))
)
"""Told apart by colour-blind people too (Okabe and Ito, Color Universal Design, 2008)."""

NEUTRAL_COLOUR = _from_hex("#F2F2F2")  # boxes without person ids
SHADOW: Colour = (16, 16, 16)
WHITE: Colour = (255, 255, 255)

# (ground, bar). On these grounds white text keeps a contrast of 4.5 to 1 even over a white picture.
_GROUP_COLOURS: dict[str, tuple[Colour, Colour]] = {
    "pose": (_from_hex("#0B3C78"), _from_hex("#7CC0FF")),
    "object": (_from_hex("#0A4F33"), _from_hex("#6FE3A5")),
    "person": (_from_hex("#561B73"), _from_hex("#E0A2FF")),
    "other": (_from_hex("#3A3A3A"), _from_hex("#D0D0D0")),
}

CHIP_OPACITY = 0.75

_REFERENCE_SIDE_PX = 360


@dataclass(frozen=True)
class Style:
    """Sizes in pixels, all multiples of ``unit``: a picture and its enlargement look the same.

    Attributes:
        unit: the short side over 360, at least 1.
        line: thickness of a person's box.
        hairline: of the dark edge around it.
        cap: height of a capital letter; the line of text is half as high again.
        padding: around the text of a chip.
        gap: between chips, and between a stack and its box.
        bar: height of the score's bar.
    """

    unit: float
    line: int
    hairline: int
    cap: int
    padding: int
    gap: int
    bar: int

    @classmethod
    def for_picture(cls, height: int, width: int) -> Self:
        """Return the style for pictures of a size."""
        unit = max(1.0, min(height, width) / _REFERENCE_SIDE_PX)
        return cls(
            unit=unit,
            line=round(2 * unit),
            hairline=round(unit),
            cap=round(8 * unit),
            padding=round(3 * unit),
            gap=round(unit),
            bar=round(2 * unit),
        )


def person_colour(person_id: int | None) -> Colour:
    """Return the colour of a person's box; the same id has the same colour in every picture."""
    return NEUTRAL_COLOUR if person_id is None else PERSON_COLOURS[(person_id - 1) % len(PERSON_COLOURS)]


def group_colours(group: str) -> tuple[Colour, Colour]:
    """Return the ground and the bar colour of a group's chips."""
    return _GROUP_COLOURS.get(group, _GROUP_COLOURS["other"])


def ink_on(ground: Colour) -> Colour:
    """Return black or white, whichever reads better on a ground."""
    return SHADOW if luminance(ground) > 0.18 else WHITE  # equal contrast to both at 0.18


def luminance(colour: Colour) -> float:
    """Return the relative luminance in [0, 1] (WCAG 2.2)."""
    blue, green, red = (_linear(channel / 255) for channel in colour)
    return 0.0722 * blue + 0.7152 * green + 0.2126 * red


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
