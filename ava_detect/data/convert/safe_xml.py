"""Read XML element by element, and nothing but elements.

A document type can define entities that expand without end or name other files; labels never need one, so a
file that has one is refused. Memory does not depend on the length of the file: elements are handed out as
they end, and forgotten.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from evaluation.errors import DataError

_BLOCK = 1 << 16
_MAX_DEPTH = 100


@dataclass
class Element:
    """An element with its children.

    Attributes:
        name: its tag.
        attributes: by name.
        line: of the file, from 1.
        children: in order; those that were handed out by themselves are not among them.
        text: directly in it.
    """

    name: str
    attributes: dict[str, str]
    line: int
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def find(self, *path: str) -> "Element | None":
        """Return the first descendant on a path of tags."""
        if not path:
            return self
        found = (child.find(*path[1:]) for child in self.children if child.name == path[0])
        return next((element for element in found if element is not None), None)

    def text_at(self, *path: str) -> str:
        """Return the text of the first descendant on a path of tags; "" where there is none."""
        element = self.find(*path)
        return "" if element is None else element.text.strip()


def iterate_elements(path: Path, names: frozenset[str]) -> Iterator[Element]:
    """Yield the elements of some names when they end, with all that is in them, in the order of the file.

    Raises:
        DataError: the file cannot be read, is no XML, or has a document type.
    """
    builder = _Builder(path, names)
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                builder.feed(block)
                yield from builder.take()
        builder.feed(b"", is_last=True)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    yield from builder.take()


class _Builder:
    def __init__(self, path: Path, names: frozenset[str]) -> None:
        self._path, self._names = path, names
        self._open: list[Element] = []
        self._done: list[Element] = []
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.EntityDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def feed(self, block: bytes, *, is_last: bool = False) -> None:
        try:
            self._parser.Parse(block, is_last)
        except expat.ExpatError as error:
            reason = expat.errors.messages.get(error.code, "not well formed")
            raise DataError(f"{self._path}:{error.lineno}: not XML that can be read ({reason})") from error

    def take(self) -> list[Element]:
        done, self._done = self._done, []
        return done

    def _refuse(self, *_: object) -> None:
        raise DataError(
            f"{self._path}:{self._parser.CurrentLineNumber}: it has a document type (DOCTYPE), which"
            " labels never need; it is refused",
            hint="Delete the DOCTYPE line if you trust the file.",
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= _MAX_DEPTH:
            raise DataError(f"{self._path}:{self._parser.CurrentLineNumber}: elements nested too deeply")
        self._open.append(Element(name, attributes, self._parser.CurrentLineNumber))

    def _end(self, _: str) -> None:
        element = self._open.pop()
        if element.name in self._names:
            self._done.append(element)
        elif self._open and any(parent.name in self._names for parent in self._open):
            self._open[-1].children.append(element)

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text
