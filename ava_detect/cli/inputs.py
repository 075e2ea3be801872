"""The videos that a command line names: files, folders, globs."""

import glob
from collections.abc import Sequence
from pathlib import Path

from ava_detect.video.suffixes import VIDEO_SUFFIXES
from evaluation.errors import UsageError, VideoError


def find_videos(inputs: Sequence[str]) -> list[Path]:
    """Return the videos in the order of the command line; folders and globs give theirs by name.

    Raises:
        VideoError: a folder or glob holds no video.
        UsageError: a stem, which is the ``video_id`` of the rows, cannot be one or is there twice.
    """
    videos = [video for text in inputs for video in _expand(text)]
    by_stem: dict[str, Path] = {}
    for video in videos:
        if not video.stem.isprintable():
            raise UsageError(
                f"{str(video)!r}: a video_id cannot hold control characters", hint="Rename the file."
            )
        other = by_stem.setdefault(video.stem, video)
        if other is not video:
            raise UsageError(
                f"{other} and {video} would both be video_id {video.stem!r}", hint="Rename one of them."
            )
    return videos


def _expand(text: str) -> list[Path]:
    path = Path(text)
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if _is_video(file))
        if not found:
            raise VideoError(
                f"{text}: no video in this folder (looked for {' '.join(sorted(VIDEO_SUFFIXES))})"
            )
        return found
    if glob.has_magic(text) and not path.exists():  # a file may really be called clip[1].mp4
        found = sorted(file for file in map(Path, glob.glob(text)) if _is_video(file))  # noqa: PTH207 - may be absolute
        if not found:
            raise VideoError(f"{text}: no video matches")
        return found
    return [path]


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and path.is_file() and not path.name.startswith(".")
