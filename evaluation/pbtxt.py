"""A reader of protocol-buffer text, as far as label maps use it: entries with scalar fields.

The grammar is that of ``google.protobuf.text_format``: ``name { field: value ... }``, ``<`` ``>`` in place
of the braces, an optional ``:`` before them, commas or semicolons between fields, ``#`` comments, single or
double quotes, backslash escapes, neighbouring strings joined. Layout means nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from evaluation.errors import DataError


@dataclass(frozen=True)
class Token:
    """A piece of the text.

    Attributes:
        kind: "word", "string", or one of the marks ``{ } < > : , ;``.
        text: the word or mark itself; a string without quotes and with escapes resolved.
        line: 1-based line on which it begins.
    """

    kind: str
    text: str
    line: int


@dataclass(frozen=True)
class Message:
    """An entry ``name { ... }``: its scalar fields by name (the last one wins), nested messages left out."""

    name: str
    fields: dict[str, Token]
    line: int


def read_messages(text: str, source: str, *, expected: str) -> Iterator[Message]:
    """Read the top-level entries of a text.

    Args:
        text: the whole file.
        source: what error messages call the file.
        expected: an example entry, for error messages.

    Raises:
        DataError: the text is not of this grammar, or ends inside an entry; the message names the line.
    """
    cursor = _Cursor(list(_tokens(text, source, expected)), source, expected)
    while cursor.peek() is not None:
        opening = cursor.take("word")
        yield Message(opening.text, _read_fields(cursor), opening.line)
        cursor.skip(",", ";")


_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')
      | (?P<word>[A-Za-z0-9_.+-]+)
      | (?P<mark>[{}<>:,;])""",
    flags=re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def _tokens(text: str, source: str, expected: str) -> Iterator[Token]:
    line, position = 1, 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _unexpected(source, Token("", text[position : position + 20], line), expected)
        kind, found = str(match.lastgroup), match.group()
        if kind == "string":
            yield Token("string", _unescape(found[1:-1]), line)
        elif kind != "space":
            yield Token("word" if kind == "word" else found, found, line)
        line += found.count("\n")
        position = match.end()


def _unescape(body: str) -> str:
    """Resolve backslash escapes; escaped bytes above 127 are UTF-8, as the text format says."""

    def value(match: re.Match[str]) -> bytes:
        code = match.group()[1:]
        if code[0] == "x" and len(code) > 1:
            return bytes([int(code[1:], 16)])
        if code[0] in "01234567":
            return bytes([int(code, 8) & 0xFF])
        return _ESCAPED.get(code, code).encode("utf-8", errors="replace")

    if "\\" not in body:
        return body
    parts: list[bytes] = []
    end = 0
    for match in _ESCAPE.finditer(body):
        parts += [body[end : match.start()].encode("utf-8", errors="replace"), value(match)]
        end = match.end()
    return b"".join([*parts, body[end:].encode("utf-8", errors="replace")]).decode("utf-8", errors="replace")


def _unexpected(source: str, token: Token, expected: str) -> DataError:
    shown = token.text.splitlines()[0][:40] if token.text.strip() else token.text
    return DataError(f"{source}:{token.line}: found {shown!r}, expected entries like: {expected}")


class _Cursor:
    """A place in the list of tokens, with the checks that every rule of the grammar needs."""

    def __init__(self, tokens: list[Token], source: str, expected: str) -> None:
        self._tokens, self._next = tokens, 0
        self._source, self._expected = source, expected

    def peek(self) -> Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def take(self, *kinds: str) -> Token:
        token = self.peek()
        if token is None:
            line = self._tokens[-1].line
            raise DataError(
                f"{self._source}:{line}: the file ends inside an entry; expected: {self._expected}"
            )
        if token.kind not in kinds:
            raise _unexpected(self._source, token, self._expected)
        self._next += 1
        return token

    def skip(self, *kinds: str) -> bool:
        token = self.peek()
        if token is None or token.kind not in kinds:
            return False
        self._next += 1
        return True


def _read_fields(cursor: _Cursor) -> dict[str, Token]:
    """Read ``{ field: value ... }``."""
    cursor.skip(":")
    closing = "}" if cursor.take("{", "<").kind == "{" else ">"
    fields: dict[str, Token] = {}
    while not cursor.skip(closing):
        name = cursor.take("word").text
        colon = cursor.skip(":")
        following = cursor.peek()
        if colon and following is not None and following.kind in ("word", "string"):
            fields[name] = _read_scalar(cursor)
        else:
            _pass_over_message(cursor)
        cursor.skip(",", ";")
    return fields


def _read_scalar(cursor: _Cursor) -> Token:
    token = cursor.take("word", "string")
    while token.kind == "string" and (following := cursor.peek()) is not None and following.kind == "string":
        token = Token("string", token.text + cursor.take("string").text, token.line)
    return token


def _pass_over_message(cursor: _Cursor) -> None:
    depth = 1 if cursor.take("{", "<") else 0
    while depth:
        token = cursor.take("{", "}", "<", ">", ":", ",", ";", "word", "string")
        depth += {"{": 1, "<": 1, "}": -1, ">": -1}.get(token.kind, 0)
