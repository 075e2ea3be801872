"""Training pictures in batches: drawn, read, augmented; what is drawn follows from the seed alone.

Neither the number of loading processes nor an interruption changes a batch: every picture is drawn with a
generator of its own, seeded by its place in the sequence of all draws.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data import detection_utils
from detectron2.data import transforms as T
from detectron2.data.samplers import TrainingSampler
from torch.utils.data import DataLoader, Dataset, Sampler

from evaluation.errors import DataError, VideoError
from person_detector.training.pictures import PictureSet, Record

_log = logging.getLogger(__name__)

_UNREADABLE_BATCHES = 20  # one after the other; then it is no accident
Draw = tuple[int, int]
"""Place in the sequence of all draws, index of the picture."""


def build_loader(pictures: PictureSet, cfg: CfgNode, *, first_batch: int = 0) -> Iterator[list[Record]]:
    """Return this process's batches, without end.

    Args:
        pictures: to draw from.
        cfg: INPUT and DATALOADER say how; SOLVER.IMS_PER_BATCH is over all processes.
        first_batch: where the sequence begins: 0, or after an interruption the step to go on with.

    Raises:
        DataError: there is no picture to train on; while iterating, if no picture of 20 batches can be read.
    """
    records = list(pictures.records)
    if cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS:
        records = [record for record in records if any(not box["iscrowd"] for box in record["annotations"])]
    if not records:
        raise DataError(f"none of {len(pictures)} pictures has a person on it; there is nothing to train on")
    dataset = AugmentedPictures(PictureSet(records, pictures.read), cfg)
    batches = OrientedBatches(records, cfg, first_batch=first_batch)
    workers = cfg.DATALOADER.NUM_WORKERS
    loader: DataLoader[Record | None] = DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_readable,
        # A fork of a process in which OpenCV, FFmpeg or torch has started threads can wait for ever.
        multiprocessing_context="spawn" if workers else None,
    )
    return _not_empty(loader)


class OrientedBatches(Sampler[list[Draw]]):
    """Batches of Detectron2's endless shuffled sequence, upright pictures apart from others.

    Pictures of one orientation need less padding to form a batch; ``DATALOADER.ASPECT_RATIO_GROUPING`` turns
    it off.
    """

    def __init__(self, records: list[Record], cfg: CfgNode, *, first_batch: int = 0) -> None:
        self._sampler = TrainingSampler(len(records), seed=cfg.SEED)
        grouped = cfg.DATALOADER.ASPECT_RATIO_GROUPING
        self._upright = [bool(grouped and record["height"] > record["width"]) for record in records]
        # rounded up, so that a step never has fewer pictures than asked for
        self._size = -(-cfg.SOLVER.IMS_PER_BATCH // self._sampler._world_size)
        self._first_batch = first_batch

    def __iter__(self) -> Iterator[list[Draw]]:
        waiting: dict[bool, list[Draw]] = {False: [], True: []}
        number = 0
        for place, index in enumerate(self._sampler):
            group = waiting[self._upright[index]]
            group.append((place, index))
            if len(group) == self._size:
                if number >= self._first_batch:
                    yield list(group)
                number += 1
                group.clear()


class AugmentedPictures(Dataset["Record | None"]):
    """Pictures as the network trains on them: resized, mirrored, with other colours.

    Args:
        pictures: to read.
        cfg: INPUT.MIN_SIZE_TRAIN, MAX_SIZE_TRAIN, RANDOM_FLIP, CROP, COLOR_JITTER and FORMAT.
    """

    def __init__(self, pictures: PictureSet, cfg: CfgNode) -> None:
        self._pictures, self._seed, self._rgb = pictures, cfg.SEED, cfg.INPUT.FORMAT == "RGB"
        self._rank = 0 if not torch.distributed.is_initialized() else torch.distributed.get_rank()
        self._augmentations = T.AugmentationList(_augmentations(cfg))

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, draw: Draw) -> Record | None:
        """Return what Detectron2's models train on, or None for a picture that cannot be read."""
        place, index = draw
        record = self._pictures.records[index]
        try:
            image = self._pictures.read(record)
        except (VideoError, DataError) as error:
            _log.warning("left out: %s", error)
            return None
        with _seeded(self._seed, self._rank, place):
            return self._augmented(image, record)

    def _augmented(self, image_bgr: np.ndarray, record: Record) -> Record:
        given = T.AugInput(np.ascontiguousarray(image_bgr[:, :, ::-1]))  # RGB: what saturation is made for
        transforms = self._augmentations(given)
        image = given.image if self._rgb else given.image[:, :, ::-1]
        shape = image.shape[:2]
        people = [
            detection_utils.transform_instance_annotations(
                {**box, "bbox": list(box["bbox"])}, transforms, shape
            )
            for box in record["annotations"]
            if not box["iscrowd"]
        ]
        instances = detection_utils.annotations_to_instances(people, shape)
        return {
            "image": torch.from_numpy(image.transpose(2, 0, 1).copy()),
            "instances": detection_utils.filter_empty_instances(instances),
            **{key: record[key] for key in ("file_name", "image_id", "height", "width")},
        }


def _augmentations(cfg: CfgNode) -> list[T.Augmentation]:
    """Return Detectron2's augmentations of a configuration; colours first, because resizing blends them."""
    jitter = cfg.INPUT.COLOR_JITTER
    colours = (T.RandomBrightness, T.RandomContrast, T.RandomSaturation) if jitter else ()
    chosen: list[T.Augmentation] = [change(1 - jitter, 1 + jitter) for change in colours]
    if cfg.INPUT.CROP.ENABLED:
        chosen.append(T.RandomCrop(cfg.INPUT.CROP.TYPE, cfg.INPUT.CROP.SIZE))
    return [*chosen, *detection_utils.build_augmentation(cfg, is_train=True)]


@contextlib.contextmanager
def _seeded(*numbers: int) -> Iterator[None]:
    """Let NumPy's global generator, from which Detectron2's augmentations draw, begin anew within a block."""
    before = np.random.get_state()
    np.random.seed(np.random.SeedSequence(numbers).generate_state(4))
    try:
        yield
    finally:
        np.random.set_state(before)


def _readable(batch: list[Record | None]) -> list[Record]:
    return [item for item in batch if item is not None]


def _not_empty(loader: Any) -> Iterator[list[Record]]:  # Any: DataLoader's type knows no collate_fn
    empty = 0
    for batch in loader:
        empty = 0 if batch else empty + 1
        if empty >= _UNREADABLE_BATCHES:
            raise DataError(f"no picture of {empty} batches can be read; the warnings above say why")
        if batch:
            yield batch
