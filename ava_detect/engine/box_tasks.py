"""Which keyframes of which videos: all of some videos, those that a CSV names, those of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ava_detect.config import Config
from ava_detect.data.build import build_label_map
from ava_detect.data.clip_sources import videos_in
from ava_detect.data.frame_lists import FramePaths, read_frame_list
from ava_detect.engine.box_finding import BoxTask
from ava_detect.engine.keyframe_images import FolderPictures, KeyframePictures, VideoPictures
from ava_detect.video.keyframes import KeyframeGrid
from ava_detect.video.reader import VideoInfo
from evaluation.errors import ConfigError, DataError
from evaluation.rows import RowTable, format_time, read_keyframes

_NAMED = 3  # missing videos that are named; the others are counted
_TICKS_PER_S = 1_000_000  # keyframes are told apart by microseconds


@dataclass(frozen=True)
class BoxPlan:
    """What is to be done.

    Attributes:
        tasks: the videos.
        time_offset: what the rows' times have more than the videos', seconds.
        truth: annotations to compare with, each by itself.
        class_ids: of the label map; None: those that the annotations have.
        notes: what is left out; for people.
    """

    tasks: tuple[BoxTask, ...]
    time_offset: float = 0.0
    truth: tuple[RowTable, ...] = ()
    class_ids: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()


def plan_of_videos(infos: Iterable[VideoInfo], grid: KeyframeGrid, time_offset: float) -> BoxPlan:
    """Take the keyframes of a grid, as ``predict`` does."""
    tasks = []
    for info in infos:
        count = None if info.duration_s is None else len(grid.up_to(info.duration_s))
        tasks.append(BoxTask(info.path.stem, VideoPictures(info.path), grid, count))
    return BoxPlan(tuple(tasks), time_offset)


def plan_at(csv: Path, infos: Iterable[VideoInfo], time_offset: float) -> BoxPlan:
    """Take the keyframes that a CSV names, with or without boxes on them.

    Args:
        csv: ground truth, boxes, or rows ``video_id,timestamp``.
        infos: the videos; those that the CSV does not name are left out.
        time_offset: what the file's times have more than the videos', seconds.

    Raises:
        DataError: the CSV cannot be read, or names none of the videos.
    """
    table = read_keyframes(csv)
    seconds = _named_seconds(table)
    by_id = {info.path.stem: info for info in infos}
    pictures: dict[str, KeyframePictures] = {
        video_id: VideoPictures(info.path) for video_id, info in by_id.items() if video_id in seconds
    }
    chosen = {video_id: seconds[video_id] for video_id in pictures}
    if not pictures:
        raise _no_common_video(str(csv), sorted(seconds), sorted(by_id))
    notes = [_missing(str(csv), sorted(set(seconds) - set(by_id)))]
    if unnamed := sorted(set(by_id) - set(seconds)):
        notes.append(f"left out {_listed(unnamed)}: not in {csv}")
    ends = {video_id: info.duration_s for video_id, info in by_id.items()}
    notes.append(_beyond(str(csv), chosen, ends, time_offset))
    tasks = _tasks(pictures, chosen, time_offset)
    truth = _of_videos(table, set(pictures))
    return BoxPlan(tasks, time_offset, (truth,) if len(truth) else (), None, tuple(filter(None, notes)))


def plan_of_set(cfg: Config, split: str, every: float) -> BoxPlan:
    """Take all keyframes of an AVA-style data set.

    They are the seconds ``AVA.VALID_SECONDS``, ``every`` seconds apart, of every video that the annotations
    name, labelled or not; with ``auto``, the keyframes that the annotations name.

    Args:
        cfg: names videos or frames, and annotations.
        split: "train" or "test".
        every: seconds between keyframes.

    Raises:
        ConfigError: the configuration says not where the data are.
        DataError: a file cannot be used, or none of the annotated videos is there.
    """
    ava = cfg.AVA
    names = ava.TRAIN_GT_BOX_LISTS if split == "train" else (ava.GROUNDTRUTH_FILE,)
    truth = tuple(read_keyframes(Path(ava.ANNOTATION_DIR) / name) for name in names)
    seconds: dict[str, tuple[float, ...]] = {}
    for table in truth:
        for video_id, named in _named_seconds(table).items():
            seconds[video_id] = tuple(sorted({*seconds.get(video_id, ()), *named}))
    if not isinstance(ava.VALID_SECONDS, str):
        first, last = ava.VALID_SECONDS
        grid = tuple(KeyframeGrid(every, start=first, end=last))
        seconds = dict.fromkeys(seconds, grid)
    there = _pictures_of_set(cfg, ava.TRAIN_LISTS if split == "train" else ava.TEST_LISTS)
    pictures = {video_id: there[video_id] for video_id in sorted(seconds) if video_id in there}
    where = ava.VIDEO_DIR or ava.FRAME_DIR
    if not pictures:
        raise _no_common_video(", ".join(table.source for table in truth), sorted(seconds), sorted(there))
    missing = sorted(set(seconds) - set(there))
    note = f"left out {_listed(missing)}: not in {where}" if missing else ""
    chosen = {video_id: seconds[video_id] for video_id in pictures}
    return BoxPlan(
        _tasks(pictures, chosen, ava.START_SECOND),
        ava.START_SECOND,
        tuple(_of_videos(table, set(pictures)) for table in truth),
        tuple(build_label_map(cfg).ids),
        (note,) if note else (),
    )


def _pictures_of_set(cfg: Config, lists: Sequence[str]) -> dict[str, KeyframePictures]:
    ava = cfg.AVA
    if ava.VIDEO_DIR:
        return {name: VideoPictures(path) for name, path in videos_in(Path(ava.VIDEO_DIR)).items()}
    if not ava.FRAME_DIR:
        raise ConfigError(
            "AVA.VIDEO_DIR is empty and AVA.FRAME_DIR is too: where are the videos?",
            hint="Set one of them, for example: --set AVA.VIDEO_DIR data/videos",
        )
    frames: dict[str, FramePaths] = {}
    for name in lists:
        frames |= read_frame_list(Path(ava.FRAME_LIST_DIR) / name)
    return {name: FolderPictures(Path(ava.FRAME_DIR), paths) for name, paths in frames.items()}


def _tasks(
    pictures: dict[str, KeyframePictures], seconds: dict[str, tuple[float, ...]], offset: float
) -> tuple[BoxTask, ...]:
    tasks = []
    for video_id, video in pictures.items():
        ticks = [round((second - offset) * _TICKS_PER_S) for second in seconds[video_id]]
        times = tuple(tick / _TICKS_PER_S for tick in ticks if tick >= 0)
        tasks.append(BoxTask(video_id, video, times, len(times)))
    return tuple(tasks)


def _named_seconds(table: RowTable) -> dict[str, tuple[float, ...]]:
    """Return the times that a file names, by video, increasing; rows without a box count."""
    videos = np.concatenate([table.videos, table.bare_videos])
    ticks = np.rint(np.concatenate([table.times, table.bare_times]) * _TICKS_PER_S)
    return {
        name: tuple((np.unique(ticks[videos == code]) / _TICKS_PER_S).tolist())
        for code, name in enumerate(table.video_names)
    }


def _of_videos(table: RowTable, names: set[str]) -> RowTable:
    kept = [code for code, name in enumerate(table.video_names) if name in names]
    bare = np.isin(table.bare_videos, kept)
    columns = ("bare_videos", "bare_times", "bare_lines")
    return replace(
        table.select(np.isin(table.videos, kept)), **{name: getattr(table, name)[bare] for name in columns}
    )


def _beyond(
    source: str, seconds: dict[str, tuple[float, ...]], ends: dict[str, float | None], offset: float
) -> str:
    """Say how many keyframes lie outside their videos."""
    outside = [
        f"{video_id} at {format_time(second)}"
        for video_id, named in seconds.items()
        for second in named
        if second < offset or ((end := ends[video_id]) is not None and second - offset > end)
    ]
    if not outside:
        return ""
    return f"{len(outside):,} keyframes of {source} lie outside their videos: {_listed(outside)}"


def _missing(source: str, names: list[str]) -> str:
    return f"{len(names):,} videos of {source} are not given: {_listed(names)}" if names else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")


def _no_common_video(source: str, named: list[str], there: list[str]) -> DataError:
    return DataError(
        f"{source}: names none of the videos (it names {_listed(named) or 'none'}; there are"
        f" {_listed(there) or 'none'})",
        hint="A video's file is called like its id: ID.mp4",
    )
