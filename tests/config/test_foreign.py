"""PySlowFast's YAML: keys that are honoured, without effect (said once), or refused by name."""

import logging

import pytest

from ava_detect.config import dump_config, load_config, parse_config
from evaluation.errors import ConfigError

# The shape of a published file: what we honour, among what steers other parts of PySlowFast.
PUBLISHED = """
TRAIN:
  ENABLE: True
  DATASET: ava
  BATCH_SIZE: 64
  AUTO_RESUME: True
  CHECKPOINT_TYPE: caffe2
DATA:
  NUM_FRAMES: 32
  SAMPLING_RATE: 2
  INPUT_CHANNEL_NUM: [3, 3]
DETECTION:
  ENABLE: True
SLOWFAST:
  ALPHA: 4
RESNET:
  TRANS_FUNC: bottleneck_transform
  NUM_BLOCK_TEMP_KERNEL: [[3, 3], [4, 4], [6, 6], [3, 3]]
  SPATIAL_STRIDES: [[1, 1], [2, 2], [2, 2], [1, 1]]
  SPATIAL_DILATIONS: [[1, 1], [1, 1], [1, 1], [2, 2]]
SOLVER:
  WEIGHT_DECAY: 1e-7
MODEL:
  NUM_CLASSES: 80
  ARCH: slowfast
  MODEL_NAME: SlowFast
  LOSS_FUNC: bce
  HEAD_ACT: sigmoid
TEST:
  ENABLE: True
NUM_GPUS: 8
NUM_SHARDS: 1
OUTPUT_DIR: .
"""

# What a configuration inside a checkpoint brings along: every section of PySlowFast, switched off.
SWITCHED_OFF = """
AUG: {ENABLE: false, NUM_SAMPLE: 1, MAX_MASK_PATCHES_PER_BLOCK: null}
BENCHMARK: {NUM_EPOCHS: 5}
CONTRASTIVE: {T: 0.07, TYPE: mem, DELTA_CLIPS_MIN: -.inf, PREDICTOR_DEPTHS: []}
MASK: {ENABLE: false, PRETRAIN_DEPTH: [15]}
MIXUP: {ENABLE: false, ALPHA: 0.8}
MULTIGRID: {SHORT_CYCLE: false, LONG_CYCLE: false, LONG_CYCLE_FACTORS: [[0.25, 0.7], [1, 1]]}
MVIT: {DEPTH: 16, REV: {ENABLE: false}}
X3D: {WIDTH_FACTOR: 1.0}
VIS_MASK: {ENABLE: false}
TASK: ''
SOLVER: {LARS_ON: false, LAYER_DECAY: 1.0, BETAS: [0.9, 0.999], CLIP_GRAD_VAL: null}
TENSORBOARD: {ENABLE: false, MODEL_VIS: {GRAD_CAM: {ENABLE: true, LAYER_LIST: []}}}
DEMO: {ENABLE: false, WEBCAM: -1, COMMON_CLASS_NAMES: ["talk to (e.g., self, a person, a group)"]}
DATA: {REVERSE_INPUT_CHANNEL: false, SSL_COLOR_HUE: 0.1, IN22k_VAL_IN1K: ''}
MODEL: {SINGLE_PATHWAY_ARCH: [2d, c2d, x3d, mvit], ACT_CHECKPOINT: false}
"""


def test_a_published_file_loads_unchanged():
    cfg = parse_config(PUBLISHED, "published.yaml")
    assert cfg.RESNET.SPATIAL_DILATIONS == ((1, 1), (1, 1), (1, 1), (2, 2))
    assert cfg.SOLVER.WEIGHT_DECAY == 1e-7
    assert cfg.OUTPUT_DIR == "."


def test_keys_without_effect_are_said_once_with_the_reason(caplog):
    with caplog.at_level(logging.INFO, logger="ava_detect"):
        parse_config(PUBLISHED)
    assert len(caplog.messages) == 1
    said = caplog.messages[0]
    assert said.startswith("without effect here: TRAIN.ENABLE, TEST.ENABLE (the command says what to do); ")
    assert "NUM_GPUS, NUM_SHARDS (torchrun says how many processes and machines there are)" in said
    assert "BATCH_SIZE" not in said


def test_our_own_files_have_nothing_to_say(caplog):
    with caplog.at_level(logging.INFO, logger="ava_detect"):
        load_config("ava/slowfast_8x8_r50")
    assert caplog.messages == []


def test_sections_that_are_switched_off_are_without_effect():
    assert parse_config(SWITCHED_OFF) == parse_config("")


def test_keys_without_effect_are_not_dumped():
    assert "NUM_GPUS" not in dump_config(parse_config(PUBLISHED))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MULTIGRID: {SHORT_CYCLE: True}", r"SHORT_CYCLE \(a\.yaml:1\) is 'True': multigrid training"),
        ("MULTIGRID: {LONG_CYCLE: True}", r"MULTIGRID\.LONG_CYCLE .*multigrid training"),
        ("MODEL: {ARCH: mvit, MODEL_NAME: MViT}", r"MODEL\.ARCH .*Multiscale Vision Transformers"),
        ("MODEL: {ARCH: x3d, MODEL_NAME: X3D}", r"MODEL\.ARCH .*X3D networks"),
        ("MODEL: {ARCH: csn}", r"channel-separated networks"),
        ("MODEL: {ARCH: r2plus1d}", r"R\(2\+1\)D networks"),
        ("MODEL: {ARCH: slow, MODEL_NAME: ContrastiveModel}", r"MODEL\.MODEL_NAME .*contrastive"),
        ("TASK: ssl", r"TASK .*self-supervised training"),
        ("RESNET: {TRANS_FUNC: x3d_transform}", r"RESNET\.TRANS_FUNC .*X3D"),
        ("MASK: {ENABLE: True}", r"masked-feature training"),
        ("AUG: {ENABLE: True}", r"RandAugment"),
        ("MIXUP: {ENABLE: True}", r"mixup"),
        ("BN: {NORM_TYPE: sub_batchnorm}", r"sub-batch norm"),
        ("SOLVER: {OPTIMIZING_METHOD: adam}", r"AdamW only: adamw"),
        ("SOLVER: {OPTIMIZING_METHOD: mt_adamw}", r"multi-tensor"),
        ("SOLVER: {LARS_ON: True}", r"LARS"),
        ("TRAIN: {DATASET: imagenet}", r"image data sets"),
        ("MODEL: {LOSS_FUNC: contrastive_loss}", r"self-supervised"),
    ],
)
def test_what_is_absent_here_is_refused_by_name_with_the_reason(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_config(text, "a.yaml")


def test_the_model_is_refused_before_its_details_and_before_slips_of_the_file():
    text = "MVIT: {DEPTH: 16, DEPTH: 24}\nAUG: {ENABLE: True}\nMODEL: {ARCH: mvit, UNKNOWN: 1}"
    with pytest.raises(ConfigError, match=r"MODEL\.ARCH .* is 'mvit'"):
        parse_config(text)


def test_fine_tuning_of_self_supervised_models_is_ordinary_training():
    cfg = parse_config("TASK: ssl_eval_ava\nTRAIN:\n  CHECKPOINT_CLEAR_NAME_PATTERN: ('backbone.',)\n")
    assert cfg == parse_config("")


@pytest.mark.parametrize(("name", "ours"), [("ptvkinetics", "kinetics"), ("ptvcharades", "charades")])
def test_data_sets_read_by_pytorchvideo_are_the_same_data_sets(name, ours):
    assert parse_config(f"TRAIN: {{DATASET: {name}}}").TRAIN.DATASET == ours


def test_apex_is_another_way_to_synchronise():
    assert parse_config("BN: {NORM_TYPE: sync_batchnorm_apex}").BN.NORM_TYPE == "sync_batchnorm"


@pytest.mark.parametrize(("arch", "ours"), [("c2d", "slow_c2d"), ("i3d", "slow_i3d"), ("slow", "slow")])
def test_a_model_class_without_pool_is_the_arch_without_pool(arch, ours):
    assert parse_config(f"MODEL: {{ARCH: {arch}, MODEL_NAME: ResNet_nopool}}").MODEL.ARCH == ours


def test_keys_of_older_versions_are_renamed():
    cfg = parse_config("AVA: {TRAIN_PCA_EIGVAL: [0.1, 0.2, 0.3]}\nBN: {EPSILON: 1e-5}")
    assert cfg.DATA.TRAIN_PCA_EIGVAL == (0.1, 0.2, 0.3)


def test_pytorchvideo_detection_says_which_layer_differs(caplog):
    with caplog.at_level(logging.WARNING, logger="ava_detect"):
        parse_config(PUBLISHED.replace("MODEL_NAME: SlowFast", "MODEL_NAME: PTVSlowFast"))
    assert "set RESNET.SPATIAL_DILATIONS to [1, 1, 1, [2, 1]]" in caplog.messages[0]
