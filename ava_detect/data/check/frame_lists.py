"""Frame lists (PySlowFast's): well-formed, complete, in order, and naming files that are there.

Space-separated, with the header ``original_vido_id video_id frame_id path labels``; one line per frame.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ava_detect.data.check.finding import MAX_PLACES, Finding, Place
from ava_detect.data.check.frames import FRAMES_PER_S
from ava_detect.data.check.names import Extent, Media
from ava_detect.data.check.row_files import RowFile, named, shown_text

HEADER = "original_vido_id video_id frame_id path labels"
_FIELDS = 5


@dataclass
class ListedVideo:
    """The frames of one video in a list.

    Attributes:
        frame_ids: in the list's order.
        lines: 1-based rows.
        paths: as written.
    """

    frame_ids: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@dataclass
class FrameList:
    """A frame list.

    Attributes:
        source: the file.
        videos: by video id, in the list's order.
        split: "train", "val", or "".
    """

    source: str
    videos: dict[str, ListedVideo] = field(default_factory=dict)
    split: str = ""

    def summary(self) -> str:
        """Say how much is listed."""
        total = sum(len(video.paths) for video in self.videos.values())
        return f"{total:,} frames of {len(self.videos):,} videos"

    def media(self) -> Media:
        """Describe the frames for the comparison with rows."""
        extents = {
            name: Extent((len(video.paths) - 1) / FRAMES_PER_S, 1 / FRAMES_PER_S, "frames")
            for name, video in self.videos.items()
        }
        return Media(self.source, frozenset(self.videos), extents)


def read_frame_list(path: Path, *, split: str = "") -> tuple[FrameList, list[Finding]]:
    """Read a frame list.

    Args:
        path: the file.
        split: if the caller knows it.

    Returns:
        What is listed, and what is wrong with the lines.

    Raises:
        OSError: the file cannot be read.
    """
    listed, bad, number = FrameList(str(path), split=split), [], 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            words = raw.decode("utf-8", errors="replace").split()
            if number == 1 and words[:1] == ["original_vido_id"]:
                continue
            if len(words) != _FIELDS or not (words[2].isascii() and words[2].isdigit()) or len(words[2]) > 9:
                bad.append(Place(str(path), number, shown_text(raw[:200].decode("utf-8", "replace").strip())))
                continue
            video = listed.videos.setdefault(words[0], ListedVideo())
            video.frame_ids.append(int(words[2]))
            video.lines.append(number)
            video.paths.append(words[3])
    return listed, [*_bad_lines(listed, bad, number), *_order(listed)]


def _bad_lines(listed: FrameList, bad: list[Place], total: int) -> Iterator[Finding]:
    if bad:
        message = f"{len(bad):,} of {total:,} lines are not like: {HEADER}"
        yield Finding("frame-list-lines", listed.source, message, len(bad), tuple(bad[:MAX_PLACES]))
    if not listed.videos:
        yield Finding("empty", listed.source, f"no frame in it; expected lines: {HEADER}")


def _order(listed: FrameList) -> Iterator[Finding]:
    """PySlowFast takes a frame's place in the list for its number."""
    wrong = []
    for name, video in listed.videos.items():
        expected = np.arange(len(video.frame_ids))
        off = np.flatnonzero(np.array(video.frame_ids) != expected)
        if len(off):
            wrong.append((name, video.lines[int(off[0])], video.frame_ids[int(off[0])], int(off[0])))
    if wrong:
        name, _, found, expected_id = wrong[0]
        more = f" (and {len(wrong) - 1:,} more videos)" if len(wrong) > 1 else ""
        message = (
            f"{name}: frame_id {found} where {expected_id} is expected{more}; ids count from 0, in order"
        )
        places = tuple(Place(listed.source, place) for _, place, _, _ in wrong[:MAX_PLACES])
        yield Finding("frame-list-order", listed.source, message, len(wrong), places)


def compare_frame_list(listed: FrameList, folder: str) -> Iterator[Finding]:
    """Look for frames that are listed and not in their folder."""
    missing: list[Place] = []
    count = 0
    for video in listed.videos.values():
        for line, path in zip(video.lines, video.paths, strict=True):
            if not _is_file(Path(folder) / path):
                count += 1
                if len(missing) < MAX_PLACES:
                    missing.append(Place(listed.source, line))
    if count:
        message = f"{count:,} of its frames are not in {folder}"
        yield Finding("listed-frames-missing", listed.source, message, count, tuple(missing))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long or holds a NUL character is no file
        return False


def compare_video_sets(listed: FrameList, rows: RowFile) -> Iterator[Finding]:
    """PySlowFast wants the same videos in lists and boxes, and stops with a bare assertion otherwise."""
    ids, names = set(rows.table.video_names), set(listed.videos)
    if ids == names or not ids or not names:
        return
    parts = []
    for only, source in ((names - ids, listed.source), (ids - names, rows.source)):
        if only:
            parts.append(f"{len(only):,} only in {source} ({named(only)})")
    message = f"its videos are not those of {rows.source}: {'; '.join(parts)}"
    yield Finding("video-sets-differ", listed.source, message, len(names ^ ids))
