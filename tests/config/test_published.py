"""The packaged configurations: all load, and their effective values are the published facts.

The tables below are written from the facts about each publisher's files, not from ours: frames and sampling
rate, depth, alpha and lateral kernel, temporal blocks of res4, non-local blocks, and what else is special.
"""

from typing import NamedTuple

import pytest

from ava_detect.config import Config, dump_config, load_config, packaged_names, parse_config

NL_RES3_RES4 = (((),), ((1, 3),), ((1, 3, 5),), ((),))
NL_RES3_RES4_SLOW = (((), ()), ((1, 3), ()), ((1, 3, 5), ()), ((), ()))
NL_R101 = (((), ()), ((), ()), ((6, 13, 20), ()), ((), ()))


class Net(NamedTuple):
    """The numbers that make a published network."""

    clip: tuple[int, int]  # frames, sampling rate
    depth: int
    alpha_kernel: tuple[int, int] | None = None  # None: one pathway
    res4_temporal: tuple[int, ...] = (6,)  # per pathway
    non_local: tuple = ()


AVA = {
    "ava/slowfast_8x8_r50": Net((32, 2), 50, (4, 7), (6, 6)),
    "ava/slow_4x16_r50": Net((4, 16), 50),
    "ava/slow_8x8_r50": Net((8, 8), 50),
    "ava/slow_8x8_r50_bn": Net((8, 8), 50),
    "ava/c2/slowfast_8x8_r50": Net((32, 2), 50, (4, 7), (6, 6)),
    "ava/c2/slow_4x16_r50": Net((4, 16), 50),
    "ava/c2/slowfast_8x8_r101_nl": Net((32, 2), 101, (4, 5), (6, 6), NL_R101),
    "ava/c2/slowfast_8x8_r101_nl_ava21": Net((32, 2), 101, (4, 5), (6, 6), NL_R101),
    "ava/c2/slowfast_16x8_r101_nl": Net((64, 2), 101, (4, 5), (6, 6), NL_R101),
    "ava/pytorchvideo/slowfast_8x8_r50": Net((32, 2), 50, (4, 7), (6, 6)),
    "ava/pytorchvideo/slow_4x16_r50": Net((4, 16), 50),
}
KINETICS = {
    "slow_4x16_r50": Net((4, 16), 50),
    "slow_8x8_r50": Net((8, 8), 50),
    "slow_4x16_r50_nl": Net((4, 16), 50, non_local=NL_RES3_RES4),
    "slow_8x8_r50_nl": Net((8, 8), 50, non_local=NL_RES3_RES4),
    "slow_8x8_r50_linear": Net((8, 8), 50),
    "slow_8x8_r50_linear_bn": Net((8, 8), 50),
    "slowfast_4x16_r50": Net((32, 2), 50, (8, 5), (6, 6)),
    "slowfast_8x8_r50": Net((32, 2), 50, (4, 7), (6, 6)),
    "slowfast_8x8_r50_stepwise": Net((32, 2), 50, (4, 7), (6, 6)),
    "slowfast_4x16_r50_nl": Net((32, 2), 50, (8, 5), (6, 6), NL_RES3_RES4_SLOW),
    "slowfast_8x8_r50_nl": Net((32, 2), 50, (4, 5), (6, 6), NL_RES3_RES4_SLOW),
    "c2d_8x8_r50": Net((8, 8), 50),
    "c2d_8x8_r50_nl": Net((8, 8), 50, non_local=NL_RES3_RES4),
    "c2d_8x8_r50_in1k": Net((8, 8), 50),
    "c2d_8x8_r50_nl_in1k": Net((8, 8), 50, non_local=NL_RES3_RES4),
    "i3d_8x8_r50": Net((8, 8), 50),
    "i3d_8x8_r50_nl": Net((8, 8), 50, non_local=NL_RES3_RES4),
    "i3d_8x8_r50_in1k": Net((8, 8), 50),
    "i3d_8x8_r50_nl_in1k": Net((8, 8), 50, non_local=NL_RES3_RES4),
    "i3d_8x8_r101": Net((8, 8), 101, res4_temporal=(23,)),
    "i3d_8x8_r101_nl": Net((8, 8), 101, res4_temporal=(23,), non_local=NL_RES3_RES4),
    "c2/slow_4x16_r50": Net((4, 16), 50),
    "c2/slow_8x8_r50": Net((8, 8), 50),
    "c2/slowfast_4x16_r50": Net((32, 2), 50, (8, 5), (6, 6)),
    "c2/slowfast_8x8_r50": Net((32, 2), 50, (4, 7), (6, 6)),
    "c2/slowfast_8x8_r101_50_50": Net((32, 2), 101, (4, 5), (6, 6)),
    "c2/slowfast_8x8_r101_50_101": Net((32, 2), 101, (4, 5), (6, 23)),
    "c2/slowfast_8x8_r101_101_101": Net((32, 2), 101, (4, 5), (23, 23)),
    "c2/slowfast_16x8_r101_50_50": Net((64, 2), 101, (4, 5), (6, 6)),
    "c2/slowfast_16x8_r101_50_50_nl": Net((64, 2), 101, (4, 5), (6, 6), NL_R101),
    "c2/c2d_nopool_8x8_r50": Net((8, 8), 50),
    "c2/i3d_8x8_r50": Net((8, 8), 50),
    "c2/i3d_8x8_r50_nl": Net((8, 8), 50, non_local=NL_RES3_RES4),
}
PYTORCHVIDEO = {
    "slow_4x16_r50": Net((4, 16), 50),
    "slow_8x8_r50": Net((8, 8), 50),
    "slowfast_4x16_r50": Net((32, 2), 50, (8, 5), (6, 6)),
    "slowfast_8x8_r50": Net((32, 2), 50, (4, 7), (6, 6)),
    "slowfast_8x8_r101": Net((32, 2), 101, (4, 5), (23, 23)),
    "slowfast_16x8_r101_50_50": Net((64, 2), 101, (4, 5), (6, 6)),
}
OTHER = {
    "charades/slowfast_16x8_r50": Net((64, 2), 50, (4, 7), (6, 6)),
    "ssv2/slowfast_16x8_r50": Net((64, 2), 50, (4, 7), (6, 6)),
    "ssv2/slow_8x8_r50": Net((8, 8), 50),
    "ssv2/slow_8x8_r50_bn": Net((8, 8), 50),
} | {
    f"{data}/{folder}/{name}": net
    for data in ("charades", "ssv2")
    for folder in ("ptv", "pytorchvideo")
    for name, net in [
        ("slow_8x8_r50", Net((8, 8), 50)),
        ("slowfast_8x8_r50", Net((32, 2), 50, (4, 7), (6, 6))),
    ]
}
MMACTION2_NL = (((),), ((0, 2),), ((0, 2, 4),), ((),))
MMACTION2 = {
    "ava/mmaction2/slowfast_4x16_r50_ava21": Net((32, 2), 50, (8, 5), (6, 6)),
    "ava/mmaction2/slowfast_4x16_r50_context_ava21": Net((32, 2), 50, (8, 5), (6, 6)),
    "ava/mmaction2/slowfast_8x8_r50_ava21": Net((32, 2), 50, (4, 7), (6, 6)),
    "ava/mmaction2/slowfast_8x8_r50_ava22": Net((32, 2), 50, (4, 7), (6, 6)),
    "ava/mmaction2/slowfast_8x8_r50_temporal_max_ava22": Net((32, 2), 50, (4, 7), (6, 6)),
    "ava/mmaction2/slowfast_8x8_r50_temporal_max_focal_ava22": Net((32, 2), 50, (4, 7), (6, 6)),
    "ava/mmaction2/slowonly_4x16_r50_ava21": Net((4, 16), 50),
    "ava/mmaction2/slowonly_4x16_r50_k700_ava21": Net((4, 16), 50),
    "ava/mmaction2/slowonly_4x16_r50_nl_ava21": Net((4, 16), 50, non_local=MMACTION2_NL),
    "ava/mmaction2/slowonly_8x8_r50_nl_ava21": Net((8, 8), 50, non_local=MMACTION2_NL),
    "ava/mmaction2/slowonly_8x8_r101_ava21": Net((8, 8), 101, res4_temporal=(23,)),
    "ava/mmaction2/slowonly_4x16_r50_k400_ava_kinetics": Net((4, 16), 50),
    "ava/mmaction2/slowonly_4x16_r50_k700_ava_kinetics": Net((4, 16), 50),
    "ava/mmaction2/slowonly_8x8_r50_k400_ava_kinetics": Net((8, 8), 50),
    "ava/mmaction2/slowonly_8x8_r50_k700_ava_kinetics": Net((8, 8), 50),
    "ava/mmaction2/slowonly_8x8_r50_k700_context_ava_kinetics": Net((8, 8), 50),
    "ava/mmaction2/slowonly_8x8_r50_k700_context_temporal_max_ava_kinetics": Net((8, 8), 50),
    "ava/mmaction2/slowonly_8x8_r50_k700_context_temporal_max_mlp_ava_kinetics": Net((8, 8), 50),
    "ava/mmaction2/slowonly_8x8_r50_k700_context_temporal_max_mlp_focal_ava_kinetics": Net((8, 8), 50),
    "ava/mmaction2/slowonly_16x4_r50_k700_context_temporal_max_mlp_focal_ava_kinetics": Net((16, 4), 50),
    "kinetics/mmaction2/slowonly_4x16_r50": Net((4, 16), 50),
    "kinetics/mmaction2/slowonly_8x8_r50": Net((8, 8), 50),
    "kinetics/mmaction2/slowonly_8x8_r101": Net((8, 8), 101, res4_temporal=(23,)),
    "kinetics/mmaction2/slowfast_4x16_r50": Net((32, 2), 50, (8, 5), (6, 6)),
    "kinetics/mmaction2/slowfast_4x16_r101_r50": Net((32, 2), 50, (8, 5), (23, 6)),
    "kinetics/mmaction2/slowfast_8x8_r50": Net((32, 2), 50, (4, 7), (6, 6)),
    "kinetics/mmaction2/slowfast_8x8_r50_steplr": Net((32, 2), 50, (4, 7), (6, 6)),
    "kinetics/mmaction2/slowfast_8x8_r101": Net((32, 2), 101, (4, 7), (23, 23)),
}
NETS: dict[str, Net] = {
    **AVA,
    **{f"kinetics/{name}": net for name, net in KINETICS.items()},
    **{f"kinetics/ptv/{name}": net for name, net in PYTORCHVIDEO.items()},
    **{f"kinetics/pytorchvideo/{name}": net for name, net in PYTORCHVIDEO.items()},
    "kinetics/ptv/c2d_8x8_r50": Net((8, 8), 50),
    "kinetics/ptv/i3d_8x8_r50": Net((8, 8), 50),
    **OTHER,
    **MMACTION2,
}
OURS = {"ava/slowfast_8x8_r101_nl", "ava/slowfast_4x16_r50"}  # published networks with a recipe of ours


@pytest.mark.parametrize("name", packaged_names())
def test_every_packaged_configuration_loads_and_survives_its_dump(name):
    cfg = load_config(name)
    again = parse_config(dump_config(cfg))
    assert again == cfg
    assert dump_config(again) == dump_config(cfg)


def test_no_packaged_configuration_escapes_the_tables():
    families = ("demo/", "scenes/", "kinetics/ablations/")
    assert {name for name in packaged_names() if not name.startswith(families)} == set(NETS) | OURS


@pytest.mark.parametrize("name", NETS)
def test_networks_are_the_published_ones(name):
    cfg, net = load_config(name), NETS[name]
    pathways = 1 if net.alpha_kernel is None else 2
    res4 = net.res4_temporal if pathways == 2 else net.res4_temporal[:1]
    assert (cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE) == net.clip
    assert cfg.RESNET.DEPTH == net.depth
    assert cfg.MODEL.ARCH == _arch(name)
    if net.alpha_kernel is not None:
        assert (cfg.SLOWFAST.ALPHA, cfg.SLOWFAST.FUSION_KERNEL_SZ) == net.alpha_kernel
        assert (cfg.SLOWFAST.BETA_INV, cfg.SLOWFAST.FUSION_CONV_CHANNEL_RATIO) == (8, 2)
    assert cfg.RESNET.NUM_BLOCK_TEMP_KERNEL == ((3,) * pathways, (4,) * pathways, res4, (3,) * pathways)
    assert cfg.NONLOCAL.LOCATION == (net.non_local or (((),) * pathways,) * 4)
    assert (cfg.RESNET.WIDTH_PER_GROUP, cfg.RESNET.NUM_GROUPS, cfg.RESNET.STRIDE_1X1) == (64, 1, False)
    assert cfg.MODEL.DROPOUT_RATE == (0.0 if "linear" in name else 0.5)
    assert (cfg.DATA.INPUT_CHANNEL_NUM, cfg.DATA.TARGET_FPS) == ((3,) * pathways, 30)


def _arch(name: str) -> str:
    file = name.rpartition("/")[2]
    if "nopool" in file:
        return "slow_c2d"
    return "slow" if file.startswith("slowonly") else file.partition("_")[0]


@pytest.mark.parametrize("name", [name for name in NETS if name.startswith("ava/")])
def test_action_detectors_have_the_published_head(name):
    cfg = load_config(name)
    mmaction2 = "mmaction2" in name
    pathways = len(cfg.RESNET.SPATIAL_STRIDES[0])
    assert cfg.DETECTION.ENABLE
    assert (cfg.MODEL.NUM_CLASSES, cfg.MODEL.HEAD_ACT, cfg.MODEL.LOSS_FUNC) == (80, "sigmoid", "bce")
    assert cfg.RESNET.SPATIAL_STRIDES == tuple((s,) * pathways for s in (1, 2, 2, 1))
    assert cfg.RESNET.SPATIAL_DILATIONS == tuple((d,) * pathways for d in (1, 1, 1, 1 if mmaction2 else 2))
    assert cfg.DETECTION.SPATIAL_SCALE_FACTOR == 16
    assert cfg.DETECTION.ROI_XFORM_RESOLUTION == (8 if mmaction2 else 7)
    assert cfg.DETECTION.ALIGNED == (not any(each in name for each in ("/c2/", "/pytorchvideo/")))
    assert cfg.DETECTION.BACKGROUND_COLUMN == mmaction2
    assert cfg.DETECTION.TEMPORAL_POOL == ("max" if "temporal_max" in name else "avg")
    assert cfg.DETECTION.CONTEXT == ("context" in name)
    assert cfg.DETECTION.MLP_DIM == (
        4096 if "_mlp_" in name else 0
    )  # as wide as Slow's feature and its context
    assert cfg.MODEL.FOCAL_GAMMA == (1 if "_focal_" in name else 0)
    assert cfg.TRAIN.DATASET == cfg.TEST.DATASET == "ava"
    assert cfg.RESNET.ZERO_INIT_FINAL_BN


@pytest.mark.parametrize(
    ("name", "test_size", "threshold", "boxes", "batch"),
    [
        ("slowfast_8x8_r50", 224, 0.8, "iou90", 64),
        ("slow_4x16_r50", 256, 0.9, "iou90", 64),
        ("c2/slowfast_8x8_r50", 256, 0.8, "iou90", 16),
        ("c2/slow_4x16_r50", 256, 0.9, "iou75", 64),
        ("c2/slowfast_8x8_r101_nl", 256, 0.8, "iou90", 16),
        ("c2/slowfast_8x8_r101_nl_ava21", 256, 0.8, "iou90", 16),
        ("c2/slowfast_16x8_r101_nl", 256, 0.8, "iou90", 16),
    ],
)
def test_ava_is_tested_as_pyslowfast_does(name, test_size, threshold, boxes, batch):
    cfg = load_config(f"ava/{name}")
    assert cfg.DATA.TEST_CROP_SIZE == test_size
    assert cfg.AVA.DETECTION_SCORE_THRESH == threshold
    assert cfg.AVA.TEST_PREDICT_BOX_LISTS == (
        f"person_box_67091280_{boxes}/ava_detection_val_boxes_and_labels.csv",
    )
    assert cfg.TRAIN.BATCH_SIZE == batch


@pytest.mark.parametrize("name", ["ava/c2/slowfast_8x8_r101_nl", "ava/c2/slowfast_16x8_r101_nl"])
def test_r101_on_ava_pools_time_in_its_non_local_blocks(name):
    cfg = load_config(name)
    assert cfg.NONLOCAL.POOL[2][0] == (2, 2, 2)
    assert cfg.NONLOCAL.INSTANTIATION == "dot_product"
    assert load_config("kinetics/c2/slowfast_16x8_r101_50_50_nl").NONLOCAL.POOL[2][0] == (1, 2, 2)


def test_c2d_and_i3d_attend_with_softmax():
    for name in ("c2d_8x8_r50_nl", "i3d_8x8_r50_nl", "i3d_8x8_r101_nl", "c2/i3d_8x8_r50_nl"):
        assert load_config(f"kinetics/{name}").NONLOCAL.INSTANTIATION == "softmax"
    assert load_config("kinetics/slow_8x8_r50_nl").NONLOCAL.INSTANTIATION == "dot_product"


def test_versions_of_ava_name_their_files():
    new, old = load_config("ava/c2/slowfast_8x8_r101_nl"), load_config("ava/c2/slowfast_8x8_r101_nl_ava21")
    assert new.AVA.LABEL_MAP_FILE == "ava_action_list_v2.2_for_activitynet_2019.pbtxt"
    assert new.AVA.EXCLUSION_FILE == "ava_val_excluded_timestamps_v2.2.csv"
    assert old.AVA.LABEL_MAP_FILE == "ava_action_list_v2.1_for_activitynet_2018.pbtxt"
    assert old.AVA.EXCLUSION_FILE == "ava_val_excluded_timestamps_v2.1.csv"
    assert old.AVA.GROUNDTRUTH_FILE == "ava_val_v2.1.csv"
    assert old.AVA.TRAIN_GT_BOX_LISTS == ("ava_train_v2.1.csv",)
    for name in packaged_names():
        if name.endswith(("_ava21", "_ava22")):
            files = load_config(name).AVA
            version = "v2.1" if name.endswith("21") else "v2.2"
            named = (files.LABEL_MAP_FILE, files.EXCLUSION_FILE, files.GROUNDTRUTH_FILE)
            assert all(version in file for file in (*named, *files.TRAIN_GT_BOX_LISTS)), name


def recipe(cfg: Config) -> tuple[object, ...]:
    solver = cfg.SOLVER
    return solver.BASE_LR, solver.LR_POLICY, solver.MAX_EPOCH, solver.WARMUP_EPOCHS, solver.WARMUP_START_LR


STEPS = "steps_with_relative_lrs"


@pytest.mark.parametrize(
    ("name", "expected", "weight_decay"),
    [
        ("ava/slowfast_8x8_r50", (0.1, STEPS, 20, 5, 0.000125), 1e-7),
        ("ava/slow_4x16_r50", (0.1, STEPS, 20, 5, 0.000125), 1e-7),
        ("ava/slow_8x8_r50", (0.3, STEPS, 32, 5.3, 5e-4), 1e-7),
        ("kinetics/slow_8x8_r50", (0.1, "cosine", 196, 34, 0.01), 1e-4),
        ("kinetics/slowfast_8x8_r50", (0.1, "cosine", 196, 34, 0.01), 1e-4),
        ("kinetics/slowfast_8x8_r50_stepwise", (0.1, STEPS, 239, 34, 0.01), 1e-4),
        ("kinetics/i3d_8x8_r50_in1k", (0.01, STEPS, 118, 0, 0.01), 1e-4),
        ("charades/slowfast_16x8_r50", (0.0375, STEPS, 57, 4, 1e-4), 1e-4),
        ("ssv2/slowfast_16x8_r50", (0.03, STEPS, 22, 0.19, 1e-4), 1e-6),
        ("ava/mmaction2/slowfast_4x16_r50_ava21", (0.2, STEPS, 20, 5, 0.02), 1e-5),
        ("ava/mmaction2/slowfast_8x8_r50_ava21", (0.1, STEPS, 20, 5, 0.01), 1e-5),
        ("ava/mmaction2/slowfast_8x8_r50_ava22", (0.075, "cosine", 10, 2, 0.0075), 1e-5),
        ("kinetics/mmaction2/slowfast_8x8_r50", (0.1, "cosine", 256, 34, 0.01), 1e-4),
    ],
)
def test_recipes_are_the_published_ones(name, expected, weight_decay):
    cfg = load_config(name)
    assert recipe(cfg) == expected
    assert cfg.SOLVER.WEIGHT_DECAY == weight_decay
    assert cfg.SOLVER.MOMENTUM == 0.9
    assert cfg.SOLVER.NESTEROV == ("mmaction2" not in name)


@pytest.mark.parametrize(
    ("name", "steps", "rates"),
    [
        ("ava/slowfast_8x8_r50", (0, 10, 15, 20), (1, 0.1, 0.01, 0.001)),
        ("ava/slow_8x8_r50", (0, 16, 24, 28, 32), (1, 0.1, 0.01, 0.001)),
        ("kinetics/slowfast_8x8_r50_stepwise", (0, 94, 154, 196), (1, 0.1, 0.01, 1e-3, 1e-4, 1e-5)),
        ("charades/slowfast_16x8_r50", (0, 41, 49), (1, 0.1, 0.01, 1e-3, 1e-4, 1e-5)),
        ("ssv2/slowfast_16x8_r50", (0, 14, 18), (1, 0.1, 0.01, 1e-3, 1e-4, 1e-5)),
    ],
)
def test_stepwise_schedules_are_the_published_ones(name, steps, rates):
    solver = load_config(name).SOLVER
    assert (solver.STEPS, solver.LRS) == (steps, rates)


@pytest.mark.parametrize("name", [name for name in NETS if name.startswith("kinetics/")])
def test_kinetics_is_classified_with_a_softmax(name):
    cfg = load_config(name)
    strides = tuple(stage[0] for stage in cfg.RESNET.SPATIAL_STRIDES)
    dilations = tuple(stage[0] for stage in cfg.RESNET.SPATIAL_DILATIONS)
    assert not cfg.DETECTION.ENABLE
    assert (cfg.MODEL.NUM_CLASSES, cfg.MODEL.LOSS_FUNC) == (400, "cross_entropy")
    assert cfg.MODEL.HEAD_ACT == ("none" if "/pytorchvideo/" in name else "softmax")
    assert (strides, dilations) == ((1, 2, 2, 2), (1, 1, 1, 1))
    assert (cfg.DATA.TRAIN_CROP_SIZE, cfg.DATA.TEST_CROP_SIZE) == (224, 256)
    assert (cfg.TEST.NUM_ENSEMBLE_VIEWS, cfg.TEST.NUM_SPATIAL_CROPS) == (10, 3)
    assert cfg.TRAIN.DATASET == "kinetics"


def test_charades_and_something_something_differ_where_published():
    charades, ssv2 = load_config("charades/slowfast_16x8_r50"), load_config("ssv2/slowfast_16x8_r50")
    assert (charades.MODEL.NUM_CLASSES, ssv2.MODEL.NUM_CLASSES) == (157, 174)
    assert (charades.MODEL.HEAD_ACT, charades.MODEL.LOSS_FUNC) == ("sigmoid", "bce_logit")
    assert (ssv2.MODEL.HEAD_ACT, ssv2.MODEL.LOSS_FUNC) == ("softmax", "cross_entropy")
    assert (charades.DATA.MULTI_LABEL, charades.DATA.ENSEMBLE_METHOD) == (True, "max")
    assert (ssv2.DATA.MULTI_LABEL, ssv2.DATA.RANDOM_FLIP) == (False, False)
    assert (charades.DATA.TRAIN_JITTER_SCALES, ssv2.DATA.TRAIN_JITTER_SCALES) == ((256, 340), (256, 320))
    assert (charades.TEST.NUM_ENSEMBLE_VIEWS, charades.TEST.NUM_SPATIAL_CROPS) == (10, 3)
    assert (ssv2.TEST.NUM_ENSEMBLE_VIEWS, ssv2.TEST.NUM_SPATIAL_CROPS) == (1, 1)
    for cfg in (charades, ssv2):
        assert cfg.DATA.INV_UNIFORM_SAMPLE
        assert (cfg.BN.NORM_TYPE, cfg.BN.NUM_SYNC_DEVICES) == ("sync_batchnorm", 4)
        assert cfg.BN.USE_PRECISE_STATS
        assert cfg.TRAIN.BATCH_SIZE == 16


@pytest.mark.parametrize("name", MMACTION2)
def test_mmaction2_differs_in_lateral_frames_pixels_and_head(name):
    cfg = load_config(name)
    assert [round(255 * value, 3) for value in cfg.DATA.MEAN] == [123.675, 116.28, 103.53]
    assert [round(255 * value, 3) for value in cfg.DATA.STD] == [58.395, 57.12, 57.375]
    if "slowfast" in name:
        assert cfg.SLOWFAST.LATERAL_NORM == ("steplr" in name)
        assert cfg.SLOWFAST.SLOW_FRAMES == "stride"
    if name.startswith("kinetics/"):
        assert (cfg.MODEL.HEAD_CONCAT, cfg.MODEL.HEAD_POOL) == ("fast_slow", "global")
    else:
        assert cfg.MODEL.HEAD_CONCAT == "slow_fast"
        assert cfg.DATA.TEST_CROP_SIZE == 256
    if "_nl" in name:
        assert cfg.NONLOCAL.INSTANTIATION == "softmax"
        assert (cfg.NONLOCAL.POOL_FIRST, cfg.NONLOCAL.OUT_BIAS) == (False, False)
        assert cfg.NONLOCAL.POOL[1][0] == cfg.NONLOCAL.POOL[2][0] == (1, 2, 2)


def test_the_mixed_depths_of_one_mmaction2_model_are_written_out():
    slow, fast = load_config("kinetics/mmaction2/slowfast_4x16_r101_r50").SLOWFAST.PATHWAYS
    assert (slow.DEPTH, slow.FRAME_RATIO, slow.CHANNEL_RATIO) == (101, 1, 1.0)
    assert (fast.DEPTH, fast.FRAME_RATIO, fast.CHANNEL_RATIO) == (50, 8, 0.125)
    assert slow.TEMPORAL_KERNELS == ((1,), (1,), (1,), (3,), (3,))
    assert fast.TEMPORAL_KERNELS == ((5,), (3,), (3,), (3,), (3,))
