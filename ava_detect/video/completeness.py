"""Does a file hold all the bytes that its container promises?

A recording cut short decodes without an error and just ends. The sizes written at the head of the outermost
elements tell a cut file from a whole one whose stated duration is wrong. Formats: ISO/IEC 14496-12 (boxes),
RFC 9559 (Matroska), RIFF/AVI with OpenDML extensions, Adobe FLV 10.1 annex E.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

_MAX_ELEMENTS = 1_000_000  # a hostile file of empty elements must not keep us walking
_EBML_HEADER, _SEGMENT = 0x1A45DFA3, 0x18538067


def missing_bytes(path: Path, container_format: str) -> int | None:
    """Return how many bytes the file lacks; 0 when it is whole, ``None`` when the format does not say.

    Args:
        path: a file that can be read.
        container_format: FFmpeg's name of its container, for example ``"matroska,webm"``.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if container_format.startswith("mov"):
            return _missing_from_boxes(file, size)
        if container_format.startswith("matroska"):
            return _missing_from_segment(file, size)
        if container_format == "avi":
            return _missing_from_riff(file, size)
        if container_format == "flv":
            return _missing_from_last_tag(file, size)
    return None


def _missing_from_boxes(file: BinaryIO, size: int) -> int | None:
    """Walk the outermost boxes of an MP4/MOV; the last one must end inside the file."""
    position = 0
    for _ in range(_MAX_ELEMENTS):
        if size - position < 8:  # the end, or less than a box header of padding
            return 0
        file.seek(position)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1 and size - position >= 16:
            (length,) = struct.unpack(">Q", file.read(8))
        if length < 8 or not kind.isalnum():  # 0: to the end of the file; anything else is padding
            return 0
        position += length
        if position > size:
            return position - size
    return None


def _missing_from_segment(file: BinaryIO, size: int) -> int | None:
    """Read the size of a Matroska file's Segment, which holds everything after the EBML header."""
    position = 0
    for _ in range(4):  # the header, the segment, and perhaps a Void between them
        file.seek(position)
        head = file.read(12)
        identifier, id_length = _ebml_number(head, keep_marker=True)
        length, size_length = _ebml_number(head[id_length:], keep_marker=False)
        if not id_length or not size_length:
            return None
        unknown = length == (1 << (7 * size_length)) - 1  # a live recording: nothing was written back
        end = position + id_length + size_length + length
        if identifier == _SEGMENT:
            return None if unknown else max(0, end - size)
        if position == 0 and identifier != _EBML_HEADER:
            return None
        position = end
    return None


def _ebml_number(data: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """Return a variable-length integer and its length in bytes; (0, 0) if ``data`` does not hold one."""
    if not data or not data[0]:
        return 0, 0
    length = 9 - data[0].bit_length()
    if len(data) < length:
        return 0, 0
    value = int.from_bytes(data[:length], "big")
    return (value if keep_marker else value & ((1 << (7 * length)) - 1)), length


def _missing_from_riff(file: BinaryIO, size: int) -> int | None:
    """Walk the RIFF chunks of an AVI; files above 1 GB have several."""
    position = 0
    for _ in range(_MAX_ELEMENTS):
        if size - position < 12:
            return 0
        file.seek(position)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind != b"RIFF":
            return 0 if position else None
        if length == 0 and position == 0:  # never written back
            return None
        position += 8 + length + length % 2
        if position > size + 1:
            return position - size
    return None


def _missing_from_last_tag(file: BinaryIO, size: int) -> int | None:
    """Check that an FLV ends with a tag and the repetition of its size."""
    if size < 9 + 4 + 11 + 4:
        return 1
    file.seek(-4, os.SEEK_END)
    (tag_size,) = struct.unpack(">I", file.read(4))
    start = size - 4 - tag_size
    if start < 13 or tag_size < 11:
        return 1
    file.seek(start)
    kind, *data_size = file.read(4)
    whole = kind & 0x1F in (8, 9, 18) and int.from_bytes(bytes(data_size), "big") + 11 == tag_size
    return 0 if whole else 1
