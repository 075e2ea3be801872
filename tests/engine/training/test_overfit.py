"""The whole road learns: a small network knows a dozen drawn clips by heart."""

import dataclasses
from fractions import Fraction
from pathlib import Path

import pytest

from ava_detect.config import parse_config
from ava_detect.data.scenes import GRADES, Scene, groundtruth_lines, write_scene
from ava_detect.engine.distributed import Process
from ava_detect.engine.interruption import Interruption
from ava_detect.engine.training.assembly import Start
from ava_detect.engine.training.session import Request, run_training
from evaluation.label_map import load_label_map

SCENES, SECONDS = 4, 3  # a dozen keyframes
SIZE, RATE = (128, 72), Fraction(15)

SETTINGS = """
MODEL: {ARCH: slowfast, NUM_CLASSES: 80, LOSS_FUNC: bce, HEAD_ACT: sigmoid, DROPOUT_RATE: 0.0,
  HEAD_BIAS_INIT: frequency}
RESNET: {DEPTH: 18, WIDTH_PER_GROUP: 8, SPATIAL_STRIDES: [1, 2, 2, 1], SPATIAL_DILATIONS: [1, 1, 1, 2]}
SLOWFAST: {ALPHA: 4, BETA_INV: 4, FUSION_KERNEL_SZ: 5}
DETECTION: {ENABLE: true}
DATA: {NUM_FRAMES: 8, SAMPLING_RATE: 4, TRAIN_JITTER_SCALES: [72, 72], TRAIN_CROP_SIZE: 72,
  TEST_CROP_SIZE: 72, RANDOM_FLIP: false}
SOLVER: {OPTIMIZING_METHOD: adamw, BASE_LR: 0.01, WARMUP_EPOCHS: 4, WARMUP_START_LR: 0.001, MAX_EPOCH: 50,
  WEIGHT_DECAY: 0.0, CLIP_GRAD_L2NORM: 5.0}
BN: {USE_PRECISE_STATS: true, NUM_BATCHES_PRECISE: 2}
AVA: {START_SECOND: 0, VALID_SECONDS: auto, TRAIN_GT_BOX_LISTS: [train.csv], GROUNDTRUTH_FILE: train.csv,
  TEST_GT_BOXES: true, FULL_TEST_ON_VAL: true, LABEL_MAP_FILE: v2.2-80}
TRAIN: {DATASET: ava, BATCH_SIZE: 6, CHECKPOINT_PERIOD: 50, EVAL_PERIOD: 50}
DATA_LOADER: {NUM_WORKERS: 0}
"""


@pytest.fixture
def dozen(tmp_path: Path) -> Path:
    """A folder with four drawn videos of three seconds, small ones, and their annotations."""
    grade = dataclasses.replace(
        GRADES["standard"], duration_s=SECONDS, sizes={SIZE: 1.0}, rates={RATE: 1.0}, gop=(5, 5)
    )
    (tmp_path / "videos").mkdir()
    lines = []
    for seed in range(SCENES):
        scene = Scene(seed, grade)
        write_scene(scene, tmp_path / "videos")
        lines += groundtruth_lines(scene)
    (tmp_path / "train.csv").write_text("".join(f"{line}\n" for line in lines))
    return tmp_path


def test_a_dozen_clips_are_learnt_by_heart(dozen: Path, alone: Process):
    assert len(load_label_map("v2.2-80")) == 80
    cfg = parse_config(
        SETTINGS,
        overrides=[
            "AVA.VIDEO_DIR",
            str(dozen / "videos"),
            "AVA.ANNOTATION_DIR",
            str(dozen),
            "OUTPUT_DIR",
            str(dozen),
        ],
    )
    outcome = run_training(
        cfg, alone, Request("overfit", ["test"], Start(), run_name="run"), interruption=Interruption()
    )
    assert outcome.finished
    assert outcome.best_map is not None
    assert outcome.best_map >= 0.99
