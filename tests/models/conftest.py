"""Fixtures of the model tests: configs of small networks, and clips and boxes with known content."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from ava_detect.config import Config, parse_config

# A stem of 16 channels instead of 64: the same structure at a sixteenth of the work.
SMALL = """
MODEL: {ARCH: slowfast, NUM_CLASSES: 7, DROPOUT_RATE: 0.0}
RESNET: {DEPTH: 50, WIDTH_PER_GROUP: 16}
SLOWFAST: {ALPHA: 4, BETA_INV: 4, FUSION_KERNEL_SZ: 5}
DATA: {NUM_FRAMES: 8, TRAIN_CROP_SIZE: 64, TEST_CROP_SIZE: 64, TRAIN_JITTER_SCALES: [64, 80]}
"""
ACTION = [
    *("DETECTION.ENABLE", True, "MODEL.HEAD_ACT", "sigmoid"),
    *("RESNET.SPATIAL_STRIDES", [1, 2, 2, 1], "RESNET.SPATIAL_DILATIONS", [1, 1, 1, 2]),
]


@pytest.fixture(scope="session")
def small_config() -> Callable[..., Config]:
    """Make the config of a small network; ``action``: with the RoI head; then KEY, VALUE, KEY, VALUE, ..."""

    def make(*overrides: object, action: bool = False) -> Config:
        return parse_config(SMALL, overrides=[*(ACTION if action else []), *overrides])

    return make


@pytest.fixture(scope="session")
def random_clip() -> Callable[..., Tensor]:
    """Make a clip [N, 3, F, H, W] of normal noise from a seed."""

    def make(shape: Sequence[int], seed: int = 0) -> Tensor:
        return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))

    return make
