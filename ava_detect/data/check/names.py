"""Rows against media: does every annotated video have its file or frames, and is every time inside it?"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from ava_detect.data.check import remedies
from ava_detect.data.check.finding import MAX_PLACES, Finding, Place
from ava_detect.data.check.frames import FRAMES_PER_S, FrameSet
from ava_detect.data.check.row_files import RowFile, all_lines, all_places, named
from ava_detect.data.check.times import span, unit_of
from ava_detect.data.check.video_facts import VideoFacts, clock
from ava_detect.video.suffixes import VIDEO_SUFFIXES
from evaluation.ava_names import are_ava_names

AVA_CUT_START_S = 900.0
_PAUSE_S = 0.5  # a keyframe farther than this from any frame shows another moment
_MOST = 0.5
_NAMED = 3


@dataclass(frozen=True, eq=False)
class Extent:
    """When a video's pictures are there, in seconds from its beginning.

    Attributes:
        last_s: the last frame's time.
        step_s: from one frame to the next.
        times: [n] all frame times; ``None`` when they are regular.
        what: for messages, "video" or "frames".
    """

    last_s: float
    step_s: float
    what: str
    times: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Media:
    """Videos or frames under one name.

    Attributes:
        source: the folder or file.
        names: ids of all videos there, the unreadable ones too.
        extents: by id, of those that can be read.
        complete: whether this is meant to be all videos (a folder) or only some (single files).
    """

    source: str
    names: frozenset[str]
    extents: dict[str, Extent]
    complete: bool = True


def media_of_videos(
    source: str, videos: dict[str, VideoFacts], *, names: Sequence[str], complete: bool
) -> Media:
    """Describe videos for the comparison with rows."""
    extents = {
        name: Extent(facts.last_s, facts.step_s, "video", facts.times) for name, facts in videos.items()
    }
    return Media(source, frozenset(names), extents, complete)


def media_of_frames(frames: FrameSet) -> Media:
    """Describe extracted frames for the comparison with rows."""
    extents = {
        name: Extent((len(folder) - 1) / FRAMES_PER_S, 1 / FRAMES_PER_S, "frames")
        for name, folder in frames.folders.items()
        if len(folder)
    }
    return Media(frames.source, frozenset(frames.folders), extents)


def start_of_media(file: RowFile, media: Media) -> float:
    """Guess at which second of the rows' clock the videos begin: AVA's 15-minute cuts at 900, others at 0."""
    _, times = all_places(file.table)
    if not len(times) or not are_ava_names(file.table.video_names) or times.min() < AVA_CUT_START_S:
        return 0.0
    lengths = [extent.last_s for name, extent in media.extents.items() if name in file.table.video_names]
    return AVA_CUT_START_S if lengths and max(lengths) < times.max() else 0.0


def missing_names(file: RowFile, media: Media) -> set[str]:
    """Return the ids of rows without a video."""
    return set(file.table.video_names) - media.names


def compare_names(file: RowFile, media: Media, *, known: Set[str] = frozenset()) -> Iterator[Finding]:
    """Look for videos that the rows name and that are not there.

    Args:
        file: rows.
        media: the videos or frames.
        known: ids that have been reported already, from another file.
    """
    ids = set(file.table.video_names)
    missing = missing_names(file, media) - known
    if not missing or not media.names or (not media.complete and ids & media.names):
        return
    cause, change, hint = _cause(missing, media.names, file.source)
    place = _first_place(file, missing)
    if cause:
        example = min(missing)
        message = (
            f"{len(missing):,} of {len(ids):,} video ids are not in {media.source}: they differ {cause}"
            f" ({named([example])}, there {named([_match(example, media.names, change)])})"
        )
        yield Finding("names-differ", file.source, message, len(missing), place, hint)
        return
    message = f"{len(missing):,} of {len(ids):,} videos are not in {media.source}: {named(missing)}"
    unused = media.names - ids
    if len(missing) == len(ids):
        message += f"; there: {named(unused)}"
    hint = "Put them there, or leave their rows out"
    if len(missing) <= _NAMED and '"' not in "".join(missing):
        hint += f":\n{remedies.without_videos(file.source, sorted(missing))}"
    yield Finding("video-missing", file.source, message, len(missing), place, hint)


def file_names_as_ids(file: RowFile) -> Iterator[Finding]:
    """Note ids that are names of files; here and in AVA an id is the name without folder and suffix."""
    names = {name for name in file.table.video_names if _bare(name) != name}
    if names:
        wanted = _bare(min(names))
        message = f"{len(names):,} video ids are names of files: {named(names)}; expected like {wanted!r}"
        yield Finding("file-names-as-ids", file.source, message, len(names), hint=_without_path(file.source))


def _without_path(source: str) -> str:
    return remedies.replace_text(source, r"s#^[^,]*[/\\]##", r"s#^([^,]*)\.[A-Za-z0-9]+,#\1,#")


def unused_media(files: Sequence[RowFile], media: Media) -> Iterator[Finding]:
    """Note videos that no file of rows names."""
    ids = {name for file in files for name in file.table.video_names}
    unused = media.names - ids
    if media.complete and ids & media.names and unused:
        message = f"{len(unused):,} of {len(media.names):,} have no rows: {named(unused)}"
        yield Finding("without-rows", media.source, message, len(unused))


def _first_place(file: RowFile, names: set[str]) -> tuple[Place, ...]:
    table = file.table
    videos, _ = all_places(table)
    codes = [code for code, name in enumerate(table.video_names) if name in names]
    lines = np.sort(all_lines(table)[np.isin(videos, codes)])
    return tuple(Place(file.source, line) for line in lines[:1].tolist())


_Change = Callable[[str], str]


def _bare(name: str) -> str:
    path = PurePath(name.replace("\\", "/"))
    return path.stem if path.suffix.lower() in VIDEO_SUFFIXES else path.name


_CAUSES: tuple[tuple[str, _Change], ...] = (
    ("by folder or suffix", _bare),
    ("by spaces", lambda name: name.strip()),
    ("by capitals", lambda name: name.casefold()),
    ("in how accents are encoded", lambda name: unicodedata.normalize("NFC", name)),
    ("by leading zeros", lambda name: name.lstrip("0")),
)


def _cause(missing: set[str], there: frozenset[str], source: str) -> tuple[str, _Change, str]:
    """Find what makes the names equal, and the line to type."""
    for cause, change in _CAUSES:
        known = {change(name) for name in there}
        if sum(change(name) in known for name in missing) >= _MOST * len(missing):
            hint = ""
            if change is _bare:
                hint = _without_path(source)
            elif cause == "by spaces":
                hint = remedies.replace_text(source, r"s#^ +##", "s# +,#,#")
            return cause, change, hint
    return "", str, ""


def _match(name: str, there: frozenset[str], change: _Change) -> str:
    return min((other for other in there if change(other) == change(name)), default=min(there))


def compare_times(file: RowFile, media: Media, start_s: float) -> Iterator[Finding]:
    """Look for keyframes before the beginning, behind the end, or in a pause of their video.

    Args:
        file: rows.
        media: the videos or frames.
        start_s: time on the rows' clock at which the videos begin.
    """
    videos, times = all_places(file.table)
    early = np.zeros(len(times), bool)
    late, paused = early.copy(), early.copy()
    for code, name in enumerate(file.table.video_names):
        extent = media.extents.get(name)
        if extent is None:
            continue
        rows = np.flatnonzero(videos == code)
        inside = times[rows] - start_s
        early[rows] = inside < 0
        late[rows] = inside > extent.last_s + max(1.5 * extent.step_s, 0.05)
        if extent.times is not None:
            paused[rows] = ~early[rows] & ~late[rows] & (_to_nearest(extent.times, inside) > _PAUSE_S)
    yield from _late(file, media, late, start_s)
    yield from _early(file, early, start_s)
    if paused.any():
        message = f"{int(paused.sum()):,} rows lie where their video has no frame within {_PAUSE_S:g} s"
        yield Finding("in-pause", file.source, message, int(paused.sum()), _places(file, paused))


def _to_nearest(frame_times: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return [n] the distance to the nearest frame."""
    after = np.searchsorted(frame_times, times).clip(1, max(1, len(frame_times) - 1))
    before = after - 1
    after = after.clip(max=len(frame_times) - 1)
    return np.minimum(np.abs(frame_times[after] - times), np.abs(times - frame_times[before]))


def _late(file: RowFile, media: Media, late: np.ndarray, start_s: float) -> Iterator[Finding]:
    if not late.any():
        return
    videos, times = all_places(file.table)
    first = int(late.argmax())
    name = file.table.video_names[videos[first]]
    extent, of_video = media.extents[name], videos == videos[first]
    begins = f" of a video that begins at {start_s:g} s" if start_s else ""
    message = (
        f"{int(late.sum()):,} of {len(times):,} rows lie behind the end of their {extent.what}: "
        f"{name} has times {span(times[of_video])}, its last frame is at {clock(extent.last_s)}{begins}"
    )
    hint = ""
    if late[of_video].mean() >= _MOST:
        unit, hint = unit_of(file.source, times[of_video], start_s, start_s + extent.last_s + 1)
        if not unit and times[of_video].min() >= AVA_CUT_START_S > start_s:
            hint = "If the videos are AVA's 15-minute cuts: --start-second 900 (AVA.START_SECOND)"
        message += f"; the times look like {unit}" if unit else ""
    yield Finding("behind-end", file.source, message, int(late.sum()), _places(file, late), hint)


def _early(file: RowFile, early: np.ndarray, start_s: float) -> Iterator[Finding]:
    if early.any():
        videos, times = all_places(file.table)
        name = file.table.video_names[videos[int(early.argmax())]]
        message = (
            f"{int(early.sum()):,} of {len(times):,} rows lie before the beginning of their video: "
            f"the times are {span(times)}, {name} begins at {start_s:g} s"
        )
        hint = "If the videos begin at 0: AVA.START_SECOND 0 (on this command line: --start-second 0)"
        yield Finding("before-start", file.source, message, int(early.sum()), _places(file, early), hint)


def _places(file: RowFile, concerned: np.ndarray) -> tuple[Place, ...]:
    lines = np.sort(all_lines(file.table)[concerned])
    return tuple(Place(file.source, line) for line in lines[:MAX_PLACES].tolist())
