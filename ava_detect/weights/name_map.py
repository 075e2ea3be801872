"""Tables between a publisher's tensor names and ours, read in either direction.

A row is a pair of templates, the publisher's and ours::

    ("s{s}.pathway{p}_res{i}.branch2.{x}.weight", "pathways.{p}.res{s}.blocks.{i}.conv_{x}.weight")

========  ==============================================================================================
``{p}``   pathway, 0 = slowest
``{s}``   stage, 2..5 as in res2..res5; ``{s-1}`` where a publisher counts from one less
``{i}``   index of a block, or of a layer of the MLP head
``{j}``   a number that only the publisher has; such a row is read in one direction
``{x}``   convolution a, b or c of a residual block
``{n}``   convolution of a non-local block: theta, phi, g or out
``{t}``   last part of the name: weight, bias, running_mean, running_var, num_batches_tracked
========  ==============================================================================================
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_NUMBER = r"\d{1,3}"
_VALUES = {
    "p": _NUMBER,
    "s": _NUMBER,
    "i": _NUMBER,
    "j": _NUMBER,
    "x": "[abc]",
    "n": "theta|phi|g|out",
    "t": "weight|bias|running_mean|running_var|num_batches_tracked",
}
_PLACEHOLDER = re.compile(r"\{(\w)([+-]\d)?\}")


class NameMap:
    """Translates names by the first row that fits.

    Args:
        rows: (publisher's template, our template); more special rows come first.
    """

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        pairs = [(_Template(theirs), _Template(ours)) for theirs, ours in rows]
        self._to_ours = pairs
        self._from_ours = [(ours, theirs) for theirs, ours in pairs if theirs.letters == ours.letters]

    def to_ours(self, name: str) -> str | None:
        """Return our name for the publisher's, None if no row fits."""
        return _translate(name, self._to_ours)

    def from_ours(self, name: str) -> str | None:
        """Return the publisher's name for ours, None if no row fits."""
        return _translate(name, self._from_ours)


def _translate(name: str, rows: "list[tuple[_Template, _Template]]") -> str | None:
    return next((target.fill(values) for source, target in rows if (values := source.match(name))), None)


@dataclass(frozen=True)
class _Piece:
    """A literal, or a placeholder with the offset of the number in the name to the value."""

    literal: str = ""
    letter: str = ""
    offset: int = 0


class _Template:
    """One side of a row: takes the values out of a name, or puts them into one."""

    def __init__(self, text: str) -> None:
        self._pieces = list(_pieces(text))
        self._offsets = {piece.letter: piece.offset for piece in self._pieces if piece.letter}
        self._pattern = re.compile("".join(map(_as_pattern, self._pieces)))
        self.letters = set(self._offsets)

    def match(self, name: str) -> dict[str, str | int] | None:
        """Return the values of the placeholders (with "" -> "" so that a match is never empty), or None."""
        found = self._pattern.fullmatch(name)
        if found is None:
            return None
        values: dict[str, str | int] = {"": ""}
        for letter, text in found.groupdict().items():
            values[letter] = int(text) - self._offsets[letter] if _VALUES[letter] == _NUMBER else text
        return values

    def fill(self, values: dict[str, str | int]) -> str:
        """Write the name with these values."""
        return "".join(
            piece.literal or _written(values[piece.letter], piece.offset) for piece in self._pieces
        )


def _pieces(text: str) -> Iterator[_Piece]:
    place = 0
    for found in _PLACEHOLDER.finditer(text):
        if found.start() > place:
            yield _Piece(literal=text[place : found.start()])
        yield _Piece(letter=found[1], offset=int(found[2] or 0))
        place = found.end()
    if place < len(text):
        yield _Piece(literal=text[place:])


def _as_pattern(piece: _Piece) -> str:
    return f"(?P<{piece.letter}>{_VALUES[piece.letter]})" if piece.letter else re.escape(piece.literal)


def _written(value: str | int, offset: int) -> str:
    return str(value + offset) if isinstance(value, int) else value
