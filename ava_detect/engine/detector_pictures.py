"""Pictures and people for the person detector: keyframes of an AVA-style set, or a COCO-style JSON file.

What comes out is Detectron2's dataset dicts with a function that reads a picture; the detector's package
knows neither videos nor annotation files.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ava_detect.config import Config, parse_config
from ava_detect.data.build import build_source
from ava_detect.data.clip_sources import ClipSource
from ava_detect.engine.coco_pictures import coco_pictures
from evaluation.errors import ConfigError, DataError, VideoError
from evaluation.keyframes import number_keyframes
from evaluation.overlaps import distinct_boxes
from evaluation.row_parser import RowRules
from evaluation.row_reader import read_rows
from evaluation.rows import format_time
from person_detector.training.pictures import PictureSet, Record

if TYPE_CHECKING:
    from detectron2.config import CfgNode

logger = logging.getLogger(__name__)

# Ground truth, but the class may be empty and the row may end before it: a box is a person.
_PEOPLE = RowRules(
    "people", "person_id", (2, 6, 7, 8), empty_class=True, empty_score=True, ordered_boxes=True
)  # fmt: skip
_PIXELS_ABOVE = 2.0  # labelled boxes may leave the picture a little; twice its width is another unit
_NAMED = 3  # videos that are named; the others are counted
_GB = 1e9


def training_pictures(cfg: CfgNode) -> PictureSet:
    """Return what to train on: ``COCO.TRAIN_JSON`` if it is given, else ``AVA.TRAIN_GT_BOX_LISTS``.

    Raises:
        ConfigError: the configuration does not say where the data are.
        DataError: a file cannot be used, or names nothing that is there.
    """
    if cfg.COCO.TRAIN_JSON:
        return coco_pictures(cfg.COCO.TRAIN_JSON, cfg.COCO.TRAIN_IMAGES, category=cfg.COCO.CATEGORY)
    ava = ava_section(cfg)
    names = ava.AVA.TRAIN_GT_BOX_LISTS
    return keyframe_pictures(
        ava, names, build_source(ava, ava.AVA.TRAIN_LISTS), cache_gb=cfg.DATALOADER.CACHE_GB
    )


def test_pictures(cfg: CfgNode) -> PictureSet | None:
    """Return what to score on: ``COCO.TEST_JSON``, else ``AVA.GROUNDTRUTH_FILE``; None without either.

    Raises:
        ConfigError, DataError: as for :func:`training_pictures`.
    """
    if cfg.COCO.TEST_JSON:
        return coco_pictures(cfg.COCO.TEST_JSON, cfg.COCO.TEST_IMAGES, category=cfg.COCO.CATEGORY)
    ava = ava_section(cfg)
    if cfg.COCO.TRAIN_JSON and not (ava.AVA.VIDEO_DIR or ava.AVA.FRAME_DIR):
        return None
    if not ava.AVA.GROUNDTRUTH_FILE:
        return None
    source = build_source(ava, ava.AVA.TEST_LISTS)
    return keyframe_pictures(ava, [ava.AVA.GROUNDTRUTH_FILE], source, cache_gb=cfg.DATALOADER.CACHE_GB)


def ava_section(cfg: CfgNode) -> Config:
    """Return the ``AVA`` section of a detector's configuration, checked as in an action model's.

    Raises:
        ConfigError: an unknown key, or a value of another type.
    """
    import yaml

    values = {key: list(value) if isinstance(value, tuple) else value for key, value in cfg.AVA.items()}
    return parse_config(yaml.safe_dump({"AVA": values}), "the detector's configuration")


def keyframe_pictures(
    ava: Config, names: Sequence[str], source: ClipSource, *, cache_gb: float = 0.0
) -> PictureSet:
    """Return the keyframes that annotation files name, every person once, whatever they do.

    Args:
        ava: the AVA section says where the files are and which seconds count.
        names: CSV files in ``AVA.ANNOTATION_DIR``: AVA's rows; the class may be empty.
        source: of the pictures.
        cache_gb: memory for decoded keyframes.

    Raises:
        DataError: a file cannot be used, boxes are not normalised, or no keyframe is left.
    """
    people = _read_people(ava, names)
    missing = sorted({video for video, _ in people} - source.video_names)
    shown = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
    kept = {key: boxes for key, boxes in people.items() if key[0] in source.video_names}
    if not kept:
        found = ", ".join(sorted(source.video_names)[:_NAMED])
        raise DataError(
            f"none of the {len(missing):,} annotated videos is there (annotated: {shown}; found: {found})",
            hint="A video's file is called like its id in the annotations: ID.mp4",
        )
    notes = []
    if missing:
        notes.append(
            f"left out {len(people) - len(kept):,} keyframes of {len(missing):,} videos that are not there:"
            f" {shown}"
        )
    records, unreadable = _records(kept, source)
    notes += [f"left out: {reason}" for reason in unreadable]
    if not records:
        raise DataError(f"no annotated video can be read: {unreadable[0]}")
    seconds: dict[str, list[float]] = {}
    for record in records:
        seconds.setdefault(record["video_id"], []).append(record["second"])
    reader = KeyframeReader(source, seconds, cache_bytes=int(cache_gb * _GB))
    return PictureSet(records, reader, tuple(notes))


def _read_people(ava: Config, names: Sequence[str]) -> dict[tuple[str, float], np.ndarray]:
    """Return (video id, second) -> [n, 4] normalised boxes, by video and time."""
    if not names:
        raise ConfigError("AVA.TRAIN_GT_BOX_LISTS is empty: which annotation files?")
    tables = [read_rows(Path(ava.AVA.ANNOTATION_DIR) / name, _PEOPLE) for name in names]
    keyframes = number_keyframes(*tables)
    frames = np.concatenate(keyframes.of_rows)
    boxes = np.concatenate([table.boxes for table in tables])
    far = np.abs(boxes).max(initial=0)
    if far > _PIXELS_ABOVE:
        raise DataError(
            f"{', '.join(map(str, names))}: a coordinate is {far:g}; AVA boxes are normalised",
            hint="Divide x by the width and y by the height of the picture: ava-detect convert",
        )
    people, _ = distinct_boxes(frames, boxes)
    by_frame: dict[int, list[np.ndarray]] = {frame: [] for frame in range(len(keyframes))}
    for row in people.tolist():
        by_frame[int(frames[row])].append(boxes[row])
    named = {
        (keyframes.video_names[keyframes.videos[frame]], float(keyframes.times[frame])): np.array(
            rows
        ).reshape(-1, 4)
        for frame, rows in by_frame.items()
    }
    return dict(sorted(_within(named, ava, tables[0].source).items()))


def _within(
    people: Mapping[tuple[str, float], np.ndarray], ava: Config, source: str
) -> dict[tuple[str, float], np.ndarray]:
    """Keep the keyframes of ``AVA.VALID_SECONDS``."""
    seconds = ava.AVA.VALID_SECONDS
    if isinstance(seconds, str):
        return dict(people)
    first, last = seconds[0], seconds[1]
    kept = {key: boxes for key, boxes in people.items() if first <= key[1] <= last}
    if people and not kept:
        times = sorted(second for _, second in people)
        raise DataError(
            f"{source}: no keyframe can be used: their seconds are {times[0]:g}-{times[-1]:g}, outside"
            f" AVA.VALID_SECONDS [{first:g}, {last:g}]",
            hint="For videos of your own: AVA.VALID_SECONDS auto AVA.START_SECOND 0",
        )
    if not people:
        raise DataError(f"{source}: no keyframe in it")
    return kept


def _records(
    people: Mapping[tuple[str, float], np.ndarray], source: ClipSource
) -> tuple[list[Record], list[str]]:
    """Turn keyframes into dataset dicts with boxes in pixels; say which videos cannot be opened, and why."""
    from detectron2.structures import BoxMode

    shapes: dict[str, tuple[int, int] | None] = {}
    reasons: list[str] = []
    records: list[Record] = []
    for (video, second), boxes in people.items():
        if video not in shapes:
            try:
                shapes[video] = source.picture_shape(video)
            except VideoError as error:
                shapes[video] = None
                reasons.append(str(error))
        shape = shapes[video]
        if shape is None:
            continue
        height, width = shape
        pixels = np.clip(boxes, 0, 1) * (width, height, width, height)
        solid = (pixels[:, 2:] > pixels[:, :2]).all(axis=1)
        records.append(
            {
                "image_id": len(records), "file_name": f"{video} at {format_time(second)}", "height": height,
                "width": width, "video_id": video, "second": second,
                "annotations": [
                    {"bbox": box, "bbox_mode": BoxMode.XYXY_ABS, "category_id": 0, "iscrowd": 0}
                    for box in pixels[solid].tolist()
                ],
            }
        )  # fmt: skip
    return records, reasons


@dataclass
class KeyframeReader:
    """Reads keyframes out of videos; keeps them, if there is memory for it.

    With memory, the first keyframe of a video that is asked for brings all that will be asked for: one pass
    over the video instead of one for each. Without memory each is decoded when it is due.

    Attributes:
        source: of the pictures.
        seconds: the keyframes of every video, ascending.
        cache_bytes: memory to use, per process.
    """

    source: ClipSource
    seconds: Mapping[str, Sequence[float]]
    cache_bytes: int = 0

    def __post_init__(self) -> None:
        self._kept: dict[tuple[str, float], np.ndarray] = {}
        self._used = 0

    def __call__(self, record: Record) -> np.ndarray:
        """Return a keyframe: [H, W, 3] uint8, BGR, as ``VideoReader`` gives it.

        Raises:
            VideoError: the video cannot be read there.
        """
        video, second = record["video_id"], record["second"]
        if (video, second) in self._kept:
            return self._kept[video, second]
        if self._used < self.cache_bytes:
            self._keep(video)
        if (video, second) in self._kept:
            return self._kept[video, second]
        return self.source.clip(video, second, np.zeros(1), _as_it_is).frames[0]

    def _keep(self, video: str) -> None:
        """Decode all keyframes of a video in one pass; where that fails, they are decoded one by one."""
        seconds = np.array(self.seconds[video])
        first, last = float(seconds[0]), float(seconds[-1])
        try:
            self.source.clip(video, first, np.zeros(1), _as_it_is)  # both ends must lie in the video
            frames = self.source.clip(video, last, seconds - last, _as_it_is).frames
        except VideoError:
            return
        for second, frame in zip(seconds.tolist(), frames, strict=True):
            self._kept[video, second] = frame
        self._used += frames.nbytes


def _as_it_is(image: np.ndarray) -> np.ndarray:
    return image
