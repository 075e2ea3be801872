"""Tell what a file or folder is from its content; its name decides only where that leaves two ways."""

import csv
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ava_detect.video.suffixes import VIDEO_SUFFIXES


class Kind(Enum):
    """What a thing can be; the value is what reports call it."""

    CONFIG = "configuration"
    DATA_SET = "data set"
    ANNOTATIONS = "annotation folder"
    TRUTH = "ground truth"
    PREDICTIONS = "predictions"
    BOXES = "person boxes"
    EXCLUSIONS = "excluded keyframes"
    LABEL_MAP = "label map"
    FRAME_LIST = "frame list"
    VIDEO = "video"
    VIDEOS = "videos"
    FRAMES = "frames"
    CHECKPOINT = "checkpoint"
    UNKNOWN = "unknown"


ROW_KINDS = (Kind.TRUTH, Kind.PREDICTIONS, Kind.BOXES, Kind.EXCLUSIONS)
"""Kinds that are CSV files of AVA rows."""

IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp"))


@dataclass(frozen=True)
class Told:
    """What a thing was told to be.

    Attributes:
        kind: what it is.
        reason: why nothing can be made of it, if the kind is ``UNKNOWN``.
        hint: what to type then.
    """

    kind: Kind
    reason: str = ""
    hint: str = ""


_HEAD_BYTES = 1 << 16
_SAMPLED_ROWS = 500
_WEIGHT_SUFFIXES = frozenset(".safetensors .pyth .pth .pt .pkl .ckpt .bin".split())
_VIDEO_STARTS = (b"\x1aE\xdf\xa3", b"FLV\x01", b"\x00\x00\x01\xba", b"\x30\x26\xb2\x75", b"OggS")
_BOXES_OF_MP4 = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"II*\x00", b"MM\x00*")
_COMPRESSED = ((b"\x1f\x8b", "gzip", "gunzip"), (b"BZh", "bzip2", "bunzip2"), (b"\xfd7zXZ", "xz", "unxz"))

_LABEL_MAP = re.compile(r"\s*(#[^\n]*\s*)*(item|label)\s*:?\s*[{<]|\s*[+-]?\d+\s*:\s*\S", re.ASCII)
_SECTIONS = re.compile(r"^[A-Z][A-Z_0-9]*(\.[A-Z_0-9]+)*\s*:|^_BASE_\s*:", re.MULTILINE)
_FRAME_LIST = re.compile(r"original_vido_id |[^ ,\n]+ \d+ \d+ [^ \n]+\.(jpg|jpeg|png) ")
_WHOLE = re.compile(r"\s*[+-]?\d*\s*", re.ASCII)
_NAMED_PREDICTIONS = re.compile(r"pred|detect|(^|[._-])det([._-]|$)|result|submi", re.IGNORECASE)
_NAMED_BOXES = re.compile(r"box|proposal|person", re.IGNORECASE)


def tell_kind(path: Path) -> Told:
    """Look into a file or folder that exists and say what it is.

    Raises:
        OSError: it cannot be read.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        return _kind_of_folder(path)
    if not stat.S_ISREG(mode):
        return Told(Kind.UNKNOWN, "a pipe, socket or device", "Save it to a file first.")
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return _kind_of_bytes(path, head) or _kind_of_text(path, head)


def _kind_of_folder(folder: Path) -> Told:
    with os.scandir(folder) as entries:
        visible = [entry for entry in entries if not entry.name.startswith(".")]
    folders = {entry.name for entry in visible if entry.is_dir()}
    suffixes = {Path(entry.name).suffix.lower() for entry in visible if not entry.is_dir()}
    tables = bool(suffixes & {".csv", ".pbtxt"})
    videos = bool(suffixes & VIDEO_SUFFIXES)
    if "annotations" in folders or (tables and (videos or folders & {"videos", "frames"})):
        return Told(Kind.DATA_SET)
    if videos:
        return Told(Kind.VIDEOS)
    if suffixes & IMAGE_SUFFIXES or any(_holds_pictures(folder / name) for name in sorted(folders)[:20]):
        return Told(Kind.FRAMES)
    if tables:
        return Told(Kind.ANNOTATIONS)
    return Told(Kind.UNKNOWN, "no video, no frames and no annotations in this folder")


def _holds_pictures(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(Path(entry.name).suffix.lower() in IMAGE_SUFFIXES for entry in entries)


def _kind_of_bytes(path: Path, head: bytes) -> Told | None:
    """Recognise what is no text by its first bytes, or by its suffix where these are damaged."""
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES or _looks_like_video(head):
        return Told(Kind.VIDEO)
    if suffix in _WEIGHT_SUFFIXES or head.startswith((b"PK\x03\x04", b"\x80")) or head[8:10] == b'{"':
        return Told(Kind.CHECKPOINT)
    for start, name, command in _COMPRESSED:
        if head.startswith(start):
            return Told(Kind.UNKNOWN, f"compressed with {name}", f"{command} {path}")
    if head.startswith(_PICTURES):
        return Told(Kind.UNKNOWN, "a picture; frames are checked as a folder of them")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Told(Kind.UNKNOWN, "UTF-16 text, expected UTF-8", "Save it as CSV in UTF-8.")
    if b"\0" in head:
        return Told(Kind.UNKNOWN, "neither text, nor a video, nor a checkpoint")
    return None


def _looks_like_video(head: bytes) -> bool:
    transport_stream = head[:1] == b"\x47" and head[188:189] == b"\x47" and head[376:377] == b"\x47"
    riff = head[:4] == b"RIFF" and head[8:11] == b"AVI"
    return transport_stream or riff or head.startswith(_VIDEO_STARTS) or head[4:8] in _BOXES_OF_MP4


def _kind_of_text(path: Path, head: bytes) -> Told:
    text = head.decode("utf-8", errors="replace").removeprefix("\ufeff")
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml"):
        return Told(Kind.CONFIG)
    if suffix == ".pbtxt" or _LABEL_MAP.match(text):
        return Told(Kind.LABEL_MAP)
    if _FRAME_LIST.match(text):
        return Told(Kind.FRAME_LIST)
    if not text.strip():
        return Told(Kind.UNKNOWN, "the file is empty")
    if "," not in text[:2000] and _SECTIONS.match(text):
        return Told(Kind.CONFIG)
    kind = kind_of_rows(text.splitlines()[:_SAMPLED_ROWS], path.name)
    if kind is None and suffix == ".csv":
        kind = Kind.TRUTH  # its reader says what is wrong with every row
    if kind is None:
        return Told(Kind.UNKNOWN, "text of no kind that is known here (AVA rows, label map, configuration)")
    return Told(kind)


def kind_of_rows(lines: Sequence[str], name: str) -> Kind | None:
    """Tell what AVA rows are from their columns.

    Args:
        lines: the first rows of a file.
        name: the file's name, which decides between predictions and annotations without an 8th column.

    Returns:
        The kind, or ``None`` if these are no such rows.
    """
    rows = [fields for fields in map(_fields, lines) if _is_row(fields)]
    with_box = [fields for fields in rows if len(fields) >= 6]
    if not with_box:
        return Kind.EXCLUSIONS if rows else None
    if sum(len(fields) == 6 or not fields[6].strip() for fields in with_box) > len(with_box) / 2:
        return Kind.BOXES
    last = [fields[7] for fields in with_box if len(fields) == 8]
    if not last or all(map(_WHOLE.fullmatch, last)):
        if _NAMED_PREDICTIONS.search(name) and not _NAMED_BOXES.search(name):
            return Kind.PREDICTIONS
        return Kind.BOXES if _NAMED_BOXES.search(name) else Kind.TRUTH
    return Kind.BOXES if _NAMED_BOXES.search(name) else Kind.PREDICTIONS


def _fields(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def _is_row(fields: list[str]) -> bool:
    """Tell whether fields look like an AVA row: a name and a time, and a box or nothing behind them."""
    if len(fields) not in (2, 6, 7, 8):
        return False
    try:
        float(fields[1])
    except ValueError:
        return False
    return bool(fields[0])
