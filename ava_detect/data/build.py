"""Data sets and loaders from a configuration; the only part of training data that knows one."""

import logging
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from ava_detect.config import Config
from ava_detect.config.schema import AvaSection
from ava_detect.data.annotation_reader import (
    PredictedBoxRules,
    read_test_annotations,
    read_training_annotations,
)
from ava_detect.data.annotations import Annotations, label_columns
from ava_detect.data.clip_dataset import ClipDataset, ClipItem, SkippedClip, collate
from ava_detect.data.clip_loader import ClipLoader, prepare_worker
from ava_detect.data.clip_sources import ClipSource, FrameFolder, VideoFolder
from ava_detect.data.clip_views import ClipView, EvaluationView, Pixels, TrainingView
from ava_detect.data.colour_jitter import ColourJitter
from ava_detect.video.clip_sampler import ClipSampler
from ava_detect.video.transforms import ChannelOrder, ShortSideJitter
from ava_detect.weights.cache import cache_dir
from evaluation.errors import ConfigError, DataError
from evaluation.label_map import BUILT_IN, LabelMap, load_label_map
from evaluation.rows import EXCLUSION_LISTS, RowTable, read_boxes, read_exclusions, read_groundtruth

logger = logging.getLogger(__name__)

Key = TypeVar("Key", bound=tuple)

_INDICES = "video_index"  # folder in the cache
_NAMED = 3  # missing videos that are named; the others are counted


def build_training_set(cfg: Config) -> ClipDataset:
    """Build the training set of an AVA-style configuration.

    Keyframes of videos that are not there are left out with a warning.

    Raises:
        ConfigError: the configuration says not where the data are, or asks for what cannot be done.
        DataError: a file cannot be used, or nothing is left to train on.
    """
    source = build_source(cfg, cfg.AVA.TRAIN_LISTS)
    annotations = read_training_annotations(
        _annotation_files(cfg, "TRAIN_GT_BOX_LISTS"),
        _class_ids(cfg),
        predicted=_annotation_files(cfg, "TRAIN_PREDICT_BOX_LISTS", may_be_empty=True),
        rules=PredictedBoxRules(cfg.AVA.DETECTION_SCORE_THRESH, cfg.AVA.TRAIN_PREDICT_BOX_IOU),
        valid_seconds=_valid_seconds(cfg),
    )
    return _dataset(cfg, annotations, source, _training_view(cfg))


def build_test_set(
    cfg: Config, *, size: int | None = None, mirrored: bool = False, label_map: LabelMap | None = None
) -> ClipDataset:
    """Build the test set: detected boxes, or with ``AVA.TEST_GT_BOXES`` the labelled ones.

    Args:
        cfg: the configuration.
        size: short side of the clips, pixels; ``None`` for ``DATA.TEST_CROP_SIZE``.
        mirrored: exchange left and right; ``AVA.TEST_FORCE_FLIP`` turns it round.
        label_map: the classes; ``None`` for ``AVA.LABEL_MAP_FILE``.

    Raises:
        ConfigError: the configuration says not where the data are.
        DataError: a file cannot be used, or nothing is left to test.
    """
    source = build_source(cfg, cfg.AVA.TEST_LISTS)
    class_ids, seconds, exclusions = _class_ids(cfg, label_map), _valid_seconds(cfg), build_exclusions(cfg)
    if cfg.AVA.TEST_GT_BOXES:
        truth = [_annotation_path(cfg, cfg.AVA.GROUNDTRUTH_FILE)]
        annotations = read_training_annotations(
            truth, class_ids, exclusions=exclusions, valid_seconds=seconds
        )
    else:
        annotations = read_test_annotations(
            _box_files(cfg),
            class_ids,
            min_score=cfg.AVA.DETECTION_SCORE_THRESH,
            exclusions=exclusions,
            valid_seconds=seconds,
        )
    view = build_test_view(cfg, size or cfg.DATA.TEST_CROP_SIZE, mirrored != cfg.AVA.TEST_FORCE_FLIP)
    return _dataset(cfg, annotations, source, view)


def build_test_view(cfg: Config, size: int, mirrored: bool) -> EvaluationView:
    """Build the view of a test clip at a short side of ``size`` pixels."""
    return EvaluationView(_pixels(cfg), size, mirrored=mirrored)


def build_loader(
    dataset: "Dataset[ClipItem | SkippedClip]", batches: Sampler[list[Key]], cfg: Config
) -> ClipLoader:
    """Build the loader that gives a ``Batch`` for every list of the data set's keys of ``batches``.

    Workers live as long as the loader; what they read does not depend on how many there are. They are
    spawned: a fork of a process in which OpenCV, FFmpeg or torch has started threads can wait for ever.
    """
    workers = cfg.DATA_LOADER.NUM_WORKERS
    return ClipLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=collate,
        pin_memory=cfg.DATA_LOADER.PIN_MEMORY and torch.cuda.is_available(),
        prefetch_factor=cfg.DATA_LOADER.PREFETCH_FACTOR if workers else None,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=prepare_worker,
    )


def build_source(cfg: Config, lists: Sequence[str]) -> ClipSource:
    """Build the source of clips: videos, or frames and the lists that name them.

    Raises:
        ConfigError: neither is given.
        DataError: the folder or a list cannot be used.
    """
    ava = cfg.AVA
    if ava.VIDEO_DIR:
        return VideoFolder(ava.VIDEO_DIR, index_folder=index_folder(), start_second=ava.START_SECOND)
    if ava.FRAME_DIR:
        folder = Path(ava.FRAME_LIST_DIR)
        return FrameFolder(ava.FRAME_DIR, [folder / name for name in lists], start_second=ava.START_SECOND)
    raise ConfigError(
        "AVA.VIDEO_DIR is empty and AVA.FRAME_DIR is too: where are the videos?",
        hint="Set one of them, for example: AVA.VIDEO_DIR data/videos",
    )


def annotated_videos(cfg: Config) -> tuple[list[str], list[Path]]:
    """Name the videos of the training and the test set.

    Returns:
        Their ids, and the files that would name more of them and are not there. The boxes to test on, which
        are often made last, are missed only where no labels name the videos of the test set.

    Raises:
        DataError: a file cannot be used, or none of them is there.
    """
    ava = cfg.AVA
    truth = [*ava.TRAIN_GT_BOX_LISTS, *filter(None, [ava.GROUNDTRUTH_FILE])]
    boxes = [] if ava.TEST_GT_BOXES else ava.TEST_PREDICT_BOX_LISTS
    readers = dict.fromkeys(truth, read_groundtruth) | dict.fromkeys(boxes, read_boxes)
    files = {_annotation_path(cfg, name): reader for name, reader in readers.items()}
    missing = [path for path in files if not path.exists()]
    if len(missing) == len(files):
        raise DataError(
            f"none of the annotation files is there: {', '.join(map(str, missing))}",
            hint="AVA.ANNOTATION_DIR, AVA.TRAIN_GT_BOX_LISTS and AVA.GROUNDTRUTH_FILE say where they are.",
        )
    names = {name for path, reader in files.items() if path.exists() for name in reader(path).video_names}
    labelled = groundtruth_file(cfg) not in (None, *missing)
    return sorted(names), [path for path in missing if not (labelled and files[path] is read_boxes)]


def build_label_map(cfg: Config) -> LabelMap:
    """Read ``AVA.LABEL_MAP_FILE``: a file in ``AVA.ANNOTATION_DIR``, else a label map of this project.

    Raises:
        DataError: there is no such label map, or it is none.
    """
    name = cfg.AVA.LABEL_MAP_FILE
    path = _annotation_path(cfg, name)
    by_file = {file: built_in for built_in, file in BUILT_IN.items()}
    if not path.exists() and (name in BUILT_IN or name in by_file):
        return load_label_map(by_file.get(name, name))
    return load_label_map(path)


def build_exclusions(cfg: Config) -> RowTable | None:
    """Read the list of keyframes that are left out of tests: a file, else a list of this project.

    The default name asks for none where there is no such file: the weights of a training name every key.

    Raises:
        DataError: the file cannot be used.
    """
    name = cfg.AVA.EXCLUSION_FILE
    path = _annotation_path(cfg, name)
    if not name or (name == AvaSection.EXCLUSION_FILE and not path.exists()):
        return None
    ours = {file: key for key, file in EXCLUSION_LISTS.items()} | {key: key for key in EXCLUSION_LISTS}
    if name in ours and not path.exists():
        return read_exclusions(ours[name])
    return read_exclusions(path)


def groundtruth_file(cfg: Config) -> Path | None:
    """Return the file that tests are scored against; none where ``AVA.GROUNDTRUTH_FILE`` is empty."""
    return _annotation_path(cfg, cfg.AVA.GROUNDTRUTH_FILE) if cfg.AVA.GROUNDTRUTH_FILE else None


def index_folder() -> Path:
    """Return where indices of videos are kept."""
    return cache_dir() / _INDICES


def _dataset(cfg: Config, annotations: Annotations, source: ClipSource, view: ClipView) -> ClipDataset:
    sampler = ClipSampler(cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE, cfg.DATA.TARGET_FPS)
    return ClipDataset(_with_media(annotations, source, cfg), source, sampler, view, seed=cfg.RNG_SEED)


def _with_media(annotations: Annotations, source: ClipSource, cfg: Config) -> Annotations:
    """Leave out keyframes whose video is not there, and say so."""
    there = np.array([name in source.video_names for name in annotations.video_names], bool)
    chosen = there[annotations.videos]
    if chosen.all():
        return annotations
    folder = cfg.AVA.VIDEO_DIR or cfg.AVA.FRAME_LIST_DIR
    missing = [annotations.video_names[video] for video in np.unique(annotations.videos[~chosen])]
    shown = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
    if not chosen.any():
        found = ", ".join(sorted(source.video_names)[:_NAMED])
        raise DataError(
            f"{folder}: none of the {len(missing):,} annotated videos is there"
            f" (annotated: {shown}; found: {found})",
            hint="A video's file is called like its id in the annotations: ID.mp4",
        )
    note = f"left out {int((~chosen).sum()):,} keyframes of {len(missing):,} videos not in {folder}: {shown}"
    logger.warning("%s", note)
    kept = annotations.select(chosen)
    return replace(kept, notes=(*kept.notes, note))


def _training_view(cfg: Config) -> TrainingView:
    data, ava = cfg.DATA, cfg.AVA
    if data.TRAIN_JITTER_SCALES_RELATIVE or data.TRAIN_JITTER_ASPECT_RELATIVE:
        raise ConfigError(
            "DATA.TRAIN_JITTER_SCALES_RELATIVE is for classification; it would cut people out of their clips",
            hint="Set DATA.TRAIN_JITTER_SCALES_RELATIVE [] and DATA.TRAIN_JITTER_ASPECT_RELATIVE []",
        )
    least, greatest = data.TRAIN_JITTER_SCALES
    colours = None
    if ava.TRAIN_USE_COLOR_AUGMENTATION:
        strength = 0.0 if ava.TRAIN_PCA_JITTER_ONLY else 0.4
        colours = ColourJitter(data.TRAIN_PCA_EIGVAL, data.TRAIN_PCA_EIGVEC, strength)
    return TrainingView(
        _pixels(cfg),
        short_sides=(least, greatest),
        jitter=ShortSideJitter.RECIPROCAL if data.INV_UNIFORM_SAMPLE else ShortSideJitter.UNIFORM,
        crop=data.TRAIN_CROP_SIZE,
        flip=data.RANDOM_FLIP,
        colours=colours,
        min_visible=ava.TRAIN_BOX_MIN_VISIBLE,
        box_jitter=ava.TRAIN_BOX_JITTER,
    )


def _pixels(cfg: Config) -> Pixels:
    return Pixels(cfg.DATA.MEAN, cfg.DATA.STD, ChannelOrder.BGR if cfg.AVA.BGR else ChannelOrder.RGB)


def _class_ids(cfg: Config, label_map: LabelMap | None = None) -> tuple[int, ...]:
    return label_columns((label_map or build_label_map(cfg)).ids, cfg.MODEL.NUM_CLASSES)


def _valid_seconds(cfg: Config) -> tuple[float, float] | None:
    seconds = cfg.AVA.VALID_SECONDS
    return None if isinstance(seconds, str) else (seconds[0], seconds[1])


def _annotation_path(cfg: Config, name: str) -> Path:
    return Path(cfg.AVA.ANNOTATION_DIR) / name


def _annotation_files(cfg: Config, key: str, *, may_be_empty: bool = False) -> list[Path]:
    names = getattr(cfg.AVA, key)
    if not names and not may_be_empty:
        raise ConfigError(f"AVA.{key} is empty: which annotation files?")
    return [_annotation_path(cfg, name) for name in names]


def _box_files(cfg: Config) -> list[Path]:
    """Return the files of boxes to test on.

    Raises:
        DataError: one is not there.
    """
    files = _annotation_files(cfg, "TEST_PREDICT_BOX_LISTS")
    for path in files:
        if not path.exists():
            raise DataError(
                f"{path}: no such file; AVA.TEST_PREDICT_BOX_LISTS names it, the boxes to test on",
                hint=f"To make it: ava-detect boxes --cfg FILE --out {shlex.quote(str(path))}\n"
                "To test on the labelled boxes instead: AVA.TEST_GT_BOXES True",
            )
    return files
