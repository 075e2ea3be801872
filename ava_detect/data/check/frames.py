"""A folder of extracted frames: numbering, gaps, damaged files, sizes, and how many there ought to be.

Layouts that the field uses: ``FOLDER/VIDEO/VIDEO_000001.jpg`` (PySlowFast, SlowFast's authors) and
``FOLDER/VIDEO/img_00001.jpg`` (mmaction2), 30 frames per second of video in both.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ava_detect.data.check.finding import Finding, Place, merged, some
from ava_detect.data.check.kinds import IMAGE_SUFFIXES
from ava_detect.data.check.video_facts import MIN_SHORT_SIDE, VideoFacts

FRAMES_PER_S = 30
AVA_FRAMES = 27_030  # of 901 s
TOLERANCE = 2  # frames; versions of FFmpeg differ by so many at the ends
_NAME = re.compile(r"(.*?)(\d+)\.[A-Za-z]+", re.ASCII)
_EXTRACT = "Extract them anew: ffmpeg -i VIDEO.mp4 -r 30 -q:v 1 FOLDER/VIDEO/VIDEO_%06d.jpg (-r behind -i)"
_RATES = (24, 25, 15, 10, 12, 20, 50, 60, 5, 1)


@dataclass(frozen=True, eq=False)
class FrameFolder:
    """The extracted frames of one video.

    Attributes:
        path: the folder.
        video_id: its name.
        numbers: [n] numbers in the files' names, ascending.
        prefixes: what stands before the numbers; one in a sound folder.
        broken: names of files that are empty, no pictures, or cut off.
        sizes: distinct (width, height) of the first, middle and last frame.
    """

    path: Path
    video_id: str
    numbers: np.ndarray
    prefixes: tuple[str, ...]
    broken: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, eq=False)
class FrameSet:
    """Frames of several videos.

    Attributes:
        source: the folder, as given.
        folders: by video id.
    """

    source: str
    folders: dict[str, FrameFolder]

    def summary(self) -> str:
        """Say how much is there."""
        return f"{sum(map(len, self.folders.values())):,} frames of {len(self.folders):,} videos"


def read_frames(
    source: Path, *, open_all: bool = True, on_folder: Callable[[int, int], None] = lambda _done, _total: None
) -> FrameSet:
    """Read the names of all frames, and the first and last bytes of their files.

    Args:
        source: a folder of folders, or of one video's frames.
        open_all: look into every file; otherwise at sizes only.
        on_folder: called with the folders that are read and how many there are, for progress.

    Raises:
        OSError: a folder cannot be read.
    """
    with os.scandir(source) as entries:
        inside = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    paths = [source / name for name in inside] or [source]
    folders = []
    for path in paths:
        folders.append(_read_folder(path, open_all))
        on_folder(len(folders), len(paths))
    return FrameSet(str(source), {folder.video_id: folder for folder in folders})


def _read_folder(path: Path, open_all: bool) -> FrameFolder:
    numbered: list[tuple[int, str, Path]] = []
    empty = []
    with os.scandir(path) as entries:
        for entry in entries:
            file = Path(entry.path)
            match = _NAME.fullmatch(entry.name)
            if match is None or file.suffix.lower() not in IMAGE_SUFFIXES or len(match[2]) > 9:
                continue
            numbered.append((int(match[2]), match[1], file))
            if not entry.stat().st_size:
                empty.append(entry.name)
    numbered.sort()
    broken = set(empty)
    if open_all:
        broken |= {file.name for _, _, file in numbered if not _is_whole(file)}
    whole = [file for _, _, file in numbered if file.name not in broken]
    return FrameFolder(
        path=path,
        video_id=path.resolve().name,
        numbers=np.array([number for number, _, _ in numbered], np.int64),
        prefixes=tuple(dict.fromkeys(prefix for _, prefix, _ in numbered)),
        broken=tuple(sorted(broken)),
        sizes=_sizes(whole),
    )


def _is_whole(file: Path) -> bool:
    """Tell whether a JPEG begins and ends as one; other formats only have to begin as what they are."""
    try:
        with file.open("rb") as stream:
            start = stream.read(8)
            if file.suffix.lower() not in (".jpg", ".jpeg"):
                return start.startswith((b"\x89PNG", b"BM", b"RIFF"))
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 64))
            return start.startswith(b"\xff\xd8\xff") and b"\xff\xd9" in stream.read()
    except OSError:
        return False


def _sizes(files: list[Path]) -> tuple[tuple[int, int], ...]:
    """Decode the first, the middle and the last frame."""
    if not files:
        return ()
    import cv2

    found: dict[tuple[int, int], None] = {}
    for file in dict.fromkeys((files[0], files[len(files) // 2], files[-1])):
        image = cv2.imread(str(file))
        if image is not None:
            found[(image.shape[1], image.shape[0])] = None
    return tuple(found)


def look_at_frames(
    frames: FrameSet, *, videos: dict[str, VideoFacts] | None = None, is_ava: bool = False
) -> list[Finding]:
    """Look at extracted frames.

    Args:
        frames: from ``read_frames``.
        videos: the videos that they were extracted from, as far as these are there.
        is_ava: whether the videos are AVA's, of which the number of frames is known.
    """
    found: list[Finding] = []
    for folder in frames.folders.values():
        found += _names(folder)
        found += _gaps(folder)
        found += _broken(folder)
        found += _pictures(folder)
        found += _number(folder, (videos or {}).get(folder.video_id), is_ava)
    return merged(found, frames.source)


def _about(folder: FrameFolder, code: str, message: str, name: str = "", hint: str = "") -> Finding:
    place = Place(str(folder.path / name) if name else str(folder.path))
    return Finding(code, str(folder.path), f"{folder.video_id}: {message}", 1, (place,), hint)


def _names(folder: FrameFolder) -> Iterator[Finding]:
    if not len(folder):
        yield _about(folder, "no-frames", "no numbered pictures in this folder")
        return
    if len(folder.prefixes) > 1:
        shown = some([f"{prefix}NNN" for prefix in folder.prefixes])
        yield _about(folder, "frame-names", f"the frames are named in {len(folder.prefixes)} ways: {shown}")
    first = int(folder.numbers[0])
    if first not in (0, 1):
        yield _about(folder, "frames-missing", f"the first frame has number {first}, expected 1")
    elif first == 0:
        yield _about(folder, "frames-from-zero", "numbers begin with 0; other tools begin with 1")


def _gaps(folder: FrameFolder) -> Iterator[Finding]:
    steps = np.diff(folder.numbers)
    missing = int((steps[steps > 1] - 1).sum())
    if missing and len(folder.prefixes) == 1:
        where = int((steps > 1).argmax())
        start, end = int(folder.numbers[where]) + 1, int(folder.numbers[where + 1]) - 1
        numbers = f"{start}" if start == end else f"{start}-{end}"
        message = f"frames missing: {missing:,}, first {numbers}"
        yield _about(folder, "frames-missing", message, hint=_EXTRACT)


def _broken(folder: FrameFolder) -> Iterator[Finding]:
    if folder.broken:
        message = f"frames that are empty, cut off, or no pictures: {some(folder.broken)}"
        yield _about(folder, "frame-broken", message, folder.broken[0], hint=_EXTRACT)


def _pictures(folder: FrameFolder) -> Iterator[Finding]:
    if len(folder.sizes) > 1:
        sizes = some([f"{width}x{height}" for width, height in folder.sizes])
        yield _about(folder, "frame-sizes", f"the frames have different sizes: {sizes}")
    elif folder.sizes and min(folder.sizes[0]) < MIN_SHORT_SIDE:
        width, height = folder.sizes[0]
        message = (
            f"the frames are {width}x{height}; the published models want a short side of {MIN_SHORT_SIDE}"
        )
        yield _about(folder, "small-picture", message, hint="Extract them without scaling.")


def _number(folder: FrameFolder, video: VideoFacts | None, is_ava: bool) -> Iterator[Finding]:
    """Compare the number of frames with 30 per second of video."""
    if not len(folder):
        return
    seconds = video.length_s if video is not None else AVA_FRAMES / FRAMES_PER_S if is_ava else None
    if seconds is None:
        return
    expected = round(seconds * FRAMES_PER_S)
    if abs(len(folder) - expected) <= TOLERANCE:
        return
    rate = next(
        (rate for rate in _RATES if abs(len(folder) - rate * seconds) <= max(2.0, 0.002 * len(folder))), 0
    )
    looks = f"; {rate} per second" if rate else ""
    message = f"{len(folder):,} frames, expected {expected:,} (30 for each of {seconds:.1f} s){looks}"
    yield _about(folder, "frame-count", message, hint=_EXTRACT)
