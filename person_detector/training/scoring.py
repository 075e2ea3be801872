"""Score a detector on pictures with known people: COCO's numbers, by pycocotools."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable

import numpy as np
from detectron2.config import CfgNode
from detectron2.utils import comm
from torch import nn

from evaluation.errors import DataError, VideoError
from evaluation.person_boxes import PersonBoxAP, coco_box_ap
from person_detector.boxes import PersonBoxes
from person_detector.detector import DetectorForm, PersonDetector
from person_detector.network import FasterRCNN
from person_detector.training.pictures import PictureSet, Record, truth_boxes
from person_detector.training.processes import gather

_log = logging.getLogger(__name__)

_LINE_EVERY_S = 30.0
Found = dict[int, PersonBoxes]
"""What was found on each picture, by its place in the set."""


def detector_in_training(model: nn.Module, cfg: CfgNode) -> PersonDetector:
    """Return a detector with a copy of a model's present weights, which goes on being trained."""
    return PersonDetector(
        FasterRCNN(copy.deepcopy(model)),
        DetectorForm.of(cfg, person_class=0),
        name="the detector in training",
        threshold=cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST,
        max_side=cfg.INPUT.MAX_SIZE_TEST,
        rgb=cfg.INPUT.FORMAT == "RGB",
    )


def find_people(
    detector: PersonDetector,
    pictures: PictureSet,
    *,
    progress: Callable[[int], None] | None = None,
) -> Found:
    """Run a detector over this process's share of the pictures, with every box that the network gives.

    Args:
        detector: to run.
        pictures: the whole set; of several processes each takes every n-th picture.
        progress: called with the number of pictures done.

    Raises:
        VideoError, DataError: a picture cannot be read.
    """
    found: Found = {}
    for place in range(comm.get_rank(), len(pictures), comm.get_world_size()):
        found[place] = detector.detect(pictures.read(pictures.records[place]), threshold=0.0)
        if progress is not None:
            progress(len(found))
    return found


def score_boxes(found: Found, pictures: PictureSet) -> PersonBoxAP:
    """Score what was found against what is known. Sizes are those of the pictures as they are stored.

    Raises:
        DataError: a picture was not looked at, or there is nobody to find.
    """
    missing = len(pictures) - len(found)
    if missing:
        raise DataError(f"{missing} of {len(pictures)} pictures were not looked at")
    places = range(len(pictures))
    records = [pictures.records[place] for place in places]
    return coco_box_ap(
        [truth_boxes(record) for record in records],
        [found[place].boxes for place in places],
        [found[place].scores for place in places],
        areas=[_areas(record) for record in records],
        crowds=[truth_boxes(record, crowd=True) for record in records],
    )  # fmt: skip


def score_in_training(model: nn.Module, cfg: CfgNode, pictures: PictureSet) -> PersonBoxAP | None:
    """Score a model's present weights, all processes together; None in all but the first.

    Raises:
        DataError: a picture cannot be read.
    """
    detector = detector_in_training(model, cfg)
    say = _Progress(len(range(comm.get_rank(), len(pictures), comm.get_world_size())))
    try:
        mine: Found | str = find_people(detector, pictures, progress=say)
    except (VideoError, DataError) as error:
        mine = str(error)
    parts = gather(mine)  # before anything is raised: the others wait here
    failed = [part for part in parts if isinstance(part, str)]
    if failed:
        raise DataError(f"{failed[0]} (a picture to be scored)")
    if not comm.is_main_process():
        return None
    found = {place: people for part in parts if not isinstance(part, str) for place, people in part.items()}
    return score_boxes(found, pictures)


class _Progress:
    """Writes a line to the log now and then: scoring a large set takes minutes."""

    def __init__(self, total: int) -> None:
        self._total, self._said = total, time.monotonic()

    def __call__(self, done: int) -> None:
        if time.monotonic() - self._said >= _LINE_EVERY_S:
            self._said = time.monotonic()
            _log.info("score  %d of %d pictures", done, self._total)


def _areas(record: Record) -> np.ndarray:
    """Return the sizes of the people: as told, else of their boxes."""
    boxes = truth_boxes(record)
    people = [each for each in record["annotations"] if not each["iscrowd"]]
    measured = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return np.array([each.get("area", area) for each, area in zip(people, measured, strict=True)])
