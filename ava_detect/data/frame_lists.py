"""Frame lists (PySlowFast's): the extracted frames of every video, in order.

Space-separated lines under the header ``original_vido_id video_id frame_id path labels`` (the misspelling is
part of the format); the first field names the video, the second numbers it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from evaluation.csv_blocks import read_blocks
from evaluation.errors import DataError

_HEADER = "original_vido_id video_id frame_id path labels"
_NUMBERED = re.compile(r"(.*?)(\d{1,12})(\.\w+)", re.ASCII)


@dataclass(frozen=True)
class FrameNames:
    """The paths of a video's frames, as a rule instead of a list: AVA has eight million of them.

    Attributes:
        prefix, digits, suffix: ``prefix``, the number with at least so many digits, ``suffix``.
        first: number of the first frame.
        count: how many there are.
    """

    prefix: str
    digits: int
    suffix: str
    first: int
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> str:
        """Return one path."""
        number = self.first + range(self.count)[place]
        return f"{self.prefix}{number:0{self.digits}d}{self.suffix}"

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(self.count))


FramePaths: TypeAlias = FrameNames | list[str]
"""The paths of a video's frames, in order."""


def read_frame_list(path: str | Path) -> dict[str, FramePaths]:
    """Read a frame list: space-separated lines ``video_name number frame_id path labels`` after a header.

    Returns:
        The paths of every video's frames, in order.

    Raises:
        DataError: the file cannot be read, a line is no such line, or frames are missing or out of order.
    """
    names: dict[str, list[str]] = {}
    rules: dict[str, FramePaths] = {}
    number, video = 0, ""
    for block in read_blocks(path):
        for line in block.decode("utf-8", errors="replace").splitlines():
            number += 1
            words = line.split()
            if number == 1 and words == _HEADER.split():
                continue
            if len(words) != 5 or not words[2].isdecimal():
                raise DataError(f"{path}:{number}: found {line[:60]!r}, expected: {_HEADER}")
            if words[0] != video:
                _finish(rules, names, video)
                video = words[0]
            listed = names.setdefault(video, [*rules.pop(video, [])])
            _check_frame(words, len(listed), f"{path}:{number}")
            listed.append(words[3])
    _finish(rules, names, video)
    if not rules:
        raise DataError(f"{path}: no frame in it; expected lines: {_HEADER}")
    return rules


def _check_frame(words: list[str], expected: int, where: str) -> None:
    if int(words[2]) != expected:
        raise DataError(
            f"{where}: frame_id {words[2]} of {words[0]}, expected {expected}: ids count from 0, in order"
        )
    frame = Path(words[3])
    if frame.is_absolute() or ".." in frame.parts:
        raise DataError(f"{where}: {words[3]!r} leads out of AVA.FRAME_DIR; expected a path inside it")


def _finish(rules: dict[str, FramePaths], names: dict[str, list[str]], video: str) -> None:
    """Replace a video's list of paths by the rule that gives the same, if there is one."""
    paths = names.pop(video, [])
    if not paths:
        return
    match = _NUMBERED.fullmatch(paths[0])
    rule = FrameNames(match[1], len(match[2]), match[3], int(match[2]), len(paths)) if match else paths
    rules[video] = rule if all(map(str.__eq__, rule, paths)) else paths
