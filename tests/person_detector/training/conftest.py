"""Shared by the tests of training: pictures of bright squares, which a detector learns in a minute."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from detectron2.config import CfgNode
from detectron2.structures import BoxMode

from evaluation.errors import VideoError
from person_detector.architecture import SMALL, load_training_config
from person_detector.training.pictures import PictureSet, Record

MakePictures = Callable[..., PictureSet]


@dataclass
class Squares:
    """Draws a bright square per person on dark noise; refuses the pictures of some numbers."""

    broken: Sequence[int] = ()

    def __call__(self, record: Record) -> np.ndarray:
        if record["image_id"] in self.broken:
            raise VideoError(f"picture {record['image_id']} is damaged")
        rng = np.random.default_rng(record["image_id"])
        image = rng.integers(0, 60, (record["height"], record["width"], 3), np.uint8)
        for person in record["annotations"]:
            x1, y1, x2, y2 = map(int, person["bbox"])
            image[y1:y2, x1:x2] = (200, 120, 40)
        return image


@pytest.fixture
def make_pictures() -> MakePictures:
    """Return a function that draws pictures; every second one upright if asked for, one of them empty."""

    def make(
        count: int = 12, *, upright: bool = False, broken: Sequence[int] = (), empty: Sequence[int] = ()
    ) -> PictureSet:
        records = []
        for number in range(count):
            rng = np.random.default_rng(100 + number)
            height, width = (96, 64) if upright and number % 2 else (64, 96)
            people = []
            if number not in empty:
                side = int(rng.integers(20, 40))
                x1, y1 = int(rng.integers(0, width - side)), int(rng.integers(0, height - side))
                people = [[float(x1), float(y1), float(x1 + side), float(y1 + side)]]
            records.append(
                {
                    "image_id": number, "file_name": f"picture {number}", "height": height, "width": width,
                    "annotations": [
                        {"bbox": box, "bbox_mode": BoxMode.XYXY_ABS, "category_id": 0, "iscrowd": 0}
                        for box in people
                    ],
                }
            )  # fmt: skip
        return PictureSet(records, Squares(broken))

    return make


@pytest.fixture
def cfg() -> CfgNode:
    """The small detector for pictures of 64 pixels, without augmentation."""
    cfg = load_training_config(SMALL)
    cfg.MODEL.DEVICE = "cpu"
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MAX_SIZE_TRAIN = (64,), 96
    cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST = 64, 96
    cfg.INPUT.COLOR_JITTER, cfg.INPUT.RANDOM_FLIP = 0.0, "none"
    cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.MAX_ITER = 2, 4
    cfg.SOLVER.WARMUP_ITERS, cfg.SOLVER.LOG_PERIOD = 0, 1
    cfg.SOLVER.PRECISION = "fp32"
    cfg.TEST.EVAL_PERIOD = 0
    return cfg
