"""Settings that cannot be together, completion of values per pathway, and the reasons that are given."""

import shlex

import pytest

from ava_detect.config import load_config, parse_config
from evaluation.errors import ConfigError

SLOWFAST = "ava/slowfast_8x8_r50"
SLOW = "kinetics/slow_8x8_r50"
TWO = "'[{FRAME_RATIO: 1}, {FRAME_RATIO: 4, CHANNEL_RATIO: 0.125}]'"


# ---- completion


def test_one_value_stands_for_every_pathway():
    settings = ["RESNET.SPATIAL_STRIDES", [1, 2, 2, 1], "NONLOCAL.GROUP", [[1], [2], [1], [1]]]
    cfg = parse_config("", overrides=settings)
    assert cfg.RESNET.SPATIAL_STRIDES == ((1, 1), (2, 2), (2, 2), (1, 1))
    assert cfg.NONLOCAL.GROUP == ((1, 1), (2, 2), (1, 1), (1, 1))
    assert cfg.NONLOCAL.LOCATION == (((), ()),) * 4


def test_three_pathways_have_three_values():
    three = "[{FRAME_RATIO: 1}, {FRAME_RATIO: 2, CHANNEL_RATIO: 0.5}, {FRAME_RATIO: 8, CHANNEL_RATIO: 0.125}]"
    cfg = parse_config("", overrides=["SLOWFAST.PATHWAYS", three])
    assert cfg.RESNET.SPATIAL_STRIDES == ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2))
    assert cfg.DATA.INPUT_CHANNEL_NUM == (3, 3, 3)


def test_a_stage_without_non_local_blocks_may_be_empty():
    cfg = load_config(SLOW, ["NONLOCAL.LOCATION", "[[], [[1, 3]], [[1, 3, 5]], []]"])
    assert cfg.NONLOCAL.LOCATION == (((),), ((1, 3),), ((1, 3, 5),), ((),))


def test_pools_for_more_pathways_than_there_are_are_dropped_as_in_pyslowfast():
    cfg = load_config(SLOW, ["NONLOCAL.POOL", "[[[2,2,2],[1,2,2]],[[1,2,2]],[[1,2,2]],[[1,2,2]]]"])
    assert cfg.NONLOCAL.POOL == (((2, 2, 2),), ((1, 2, 2),), ((1, 2, 2),), ((1, 2, 2),))


@pytest.mark.parametrize(
    ("form", "channels"), [("rgb", 3), ("half", 3), ("gray", 1), ("difference", 1), ("flow", 2)]
)
def test_input_channels_follow_from_the_input(form, channels):
    cfg = parse_config("", overrides=["SLOWFAST.FAST_INPUT", form, "MODEL.HEAD_POOL", "global"])
    assert cfg.DATA.INPUT_CHANNEL_NUM == (3, channels)


def test_input_channels_that_disagree_are_refused():
    with pytest.raises(ConfigError, match=r"INPUT_CHANNEL_NUM .* is \[3, 3\]; .* take \[3, 1\] channels"):
        parse_config("", overrides=["DATA.INPUT_CHANNEL_NUM", [3, 3], "SLOWFAST.FAST_INPUT", "gray"])


@pytest.mark.parametrize(("depth", "blocks"), [(18, (2, 2, 2, 2)), (34, (3, 4, 6, 3)), (101, (3, 4, 6, 3))])
def test_the_default_of_temporal_blocks_is_cut_to_the_depth(depth, blocks):
    cfg = parse_config("", overrides=["RESNET.DEPTH", depth])
    assert cfg.RESNET.NUM_BLOCK_TEMP_KERNEL == tuple((count, count) for count in blocks)
    assert cfg.RESNET.TRANS_FUNC == ("basic_transform" if depth < 50 else "bottleneck_transform")


# ---- what cannot be


@pytest.mark.parametrize(
    ("base", "typed", "message"),
    [
        # frames
        (
            SLOWFAST,
            "DATA.NUM_FRAMES 30",
            r"FRAMES 30 \(command line\), SLOWFAST\.ALPHA 4 \(ava/slowfast_8x8_r50:\d+\): .*no multiple",
        ),
        (SLOWFAST, "SLOWFAST.ALPHA 64", r"32 is no multiple of 64"),
        (
            SLOWFAST,
            f"SLOWFAST.PATHWAYS {TWO} DATA.NUM_FRAMES 6",
            r"SLOWFAST\.PATHWAYS \(command line\): .*6 is no multiple of 4",
        ),
        (SLOW, "MODEL.ARCH c2d DATA.NUM_FRAMES 1", r"the pool after res2 needs two frames"),
        # stages and pathways
        (
            SLOWFAST,
            "RESNET.SPATIAL_STRIDES [1,2,2]",
            r"SPATIAL_STRIDES \(command line\) has 3 entries; expected 4, one for each of res2",
        ),
        (SLOWFAST, "RESNET.SPATIAL_DILATIONS [1,1,1,2,2]", r"SPATIAL_DILATIONS .* has 5 entries"),
        (SLOWFAST, "NONLOCAL.GROUP [1]", r"NONLOCAL\.GROUP .* has 1 entries"),
        (
            SLOWFAST,
            "RESNET.SPATIAL_STRIDES [[1,1,1],2,2,1]",
            r"has 3 entries for res2; the network has 2 pathways",
        ),
        (
            SLOW,
            "RESNET.SPATIAL_DILATIONS [[1,1],1,1,1]",
            r"has 2 entries for res2; the network has 1 pathway \(MODEL\.ARCH is slow\)",
        ),
        (SLOWFAST, "RESNET.SPATIAL_STRIDES [1,[2,1],2,1]", r"strides in res3 differ"),
        (
            SLOWFAST,
            "RESNET.NUM_BLOCK_TEMP_KERNEL [3,4,23,3]",
            r"RESNET\.DEPTH 50 .*: res4 has 6 blocks, not 23",
        ),
        (SLOWFAST, "RESNET.TRANS_FUNC basic_transform", r"50 layers are built with bottleneck_transform"),
        (
            SLOWFAST,
            "RESNET.DEPTH 18 RESNET.TRANS_FUNC bottleneck_transform",
            r"18 layers are built with basic_transform",
        ),
        # channels
        (SLOWFAST, "SLOWFAST.BETA_INV 65", r"left without a single channel"),
        (SLOWFAST, "RESNET.STEM_WIDTH 4", r"left without a single channel"),
        (SLOWFAST, "RESNET.DEPTH 18 RESNET.NUM_GROUPS 2", r"basic blocks have no groups"),
        (
            SLOWFAST,
            "RESNET.NUM_GROUPS 32 RESNET.WIDTH_PER_GROUP 4 RESNET.STEM_WIDTH 64",
            r"cannot be cut into 32 groups",
        ),
        # lateral connections
        (SLOWFAST, "SLOWFAST.FUSION_KERNEL_SZ 6", r"FUSION_KERNEL_SZ 6 .*even kernel"),
        (
            SLOWFAST,
            "SLOWFAST.LATERAL time_to_channel_sum",
            r"ALPHA 4 .*BETA_INV 8 .*as wide as one Slow frame",
        ),
        # explicit pathways
        (
            SLOWFAST,
            f"SLOWFAST.PATHWAYS {TWO} MODEL.ARCH slow",
            r"explicit pathways need MODEL\.ARCH slowfast",
        ),
        (SLOWFAST, "SLOWFAST.PATHWAYS '[{FRAME_RATIO: 2}]'", r"slowest pathway has FRAME_RATIO 1"),
        (
            SLOWFAST,
            "SLOWFAST.PATHWAYS '[{FRAME_RATIO: 1},{FRAME_RATIO: 2},{FRAME_RATIO: 3}]'",
            r"FRAME_RATIO 3 is no multiple",
        ),
        (
            SLOWFAST,
            "SLOWFAST.PATHWAYS '[{TEMPORAL_KERNELS: [1,3]}]'",
            r"one kernel for the stem, then one or more",
        ),
        (
            SLOWFAST,
            "SLOWFAST.PATHWAYS '[{TEMPORAL_KERNELS: [1,1,1,[],3]}]'",
            r"one kernel for the stem, then one or more",
        ),
        (SLOWFAST, "SLOWFAST.PATHWAYS '[{TEMPORAL_KERNELS: [1,1,1,2,3]}]'", r"temporal kernels are odd"),
        # non-local blocks
        (SLOWFAST, "NONLOCAL.LOCATION [[[],[]],[[],[]],[[6],[]],[[],[]]]", r"res4 has the blocks 0 to 5"),
        (SLOWFAST, "NONLOCAL.LOCATION [[[],[]],[[1,1],[]],[[],[]],[[],[]]]", r"each to be named once"),
        (
            SLOWFAST,
            "NONLOCAL.LOCATION [[[]],[[1,3]],[[1]],[[]]]",
            r"lists blocks of res3 for one pathway of 2",
        ),
        (
            SLOW,
            "NONLOCAL.LOCATION [[[]],[[1]],[[]],[[]]] NONLOCAL.GROUP [1,3,1,1]",
            r"8 frames cannot be cut into 3 groups",
        ),
        (
            SLOW,
            "NONLOCAL.LOCATION [[],[[1]],[],[]] NONLOCAL.POOL [[[1,2,2]],[[9,2,2]],[[1,1,1]],[[1,1,1]]]",
            r"8 frames cannot be pooled by 9",
        ),
        (
            SLOW,
            "NONLOCAL.LOCATION [[[]],[[1]],[[]],[[]]] NONLOCAL.POOL [[[2,2]],[[2,2]],[[2,2]],[[2,2]]]",
            r"a pool has three sizes",
        ),
        # heads
        (SLOWFAST, "RESNET.SPATIAL_STRIDES [1,2,2,2]", r"SPATIAL_SCALE_FACTOR 16 .*make 32 pixels per cell"),
        (SLOW, "DATA.TRAIN_CROP_SIZE 16", r"TRAIN_CROP_SIZE 16 .*smaller than one cell .*32 pixels"),
        (SLOW, "DATA.TEST_CROP_SIZE 96", r"TEST_CROP_SIZE 96 .*does not fit into the test crop"),
        (SLOW, "MODEL.ARCH slowfast SLOWFAST.FAST_INPUT half", r"HEAD_POOL local .*it needs global"),
        # clips and data
        (SLOW, "DATA.MEAN [0.45]", r"expected three numbers: red, green, blue"),
        (SLOW, "DATA.STD [0.2,0.2,0.2,0.2]", r"DATA\.STD .*expected three numbers"),
        (SLOW, "DATA.TRAIN_JITTER_SCALES [320,256]", r"the least and the greatest short side"),
        (SLOW, "DATA.TRAIN_JITTER_SCALES [256]", r"the least and the greatest short side"),
        (SLOW, "DATA.TRAIN_JITTER_SCALES [128,160]", r"cannot be cut out of a smaller picture"),
        (SLOW, "DATA.TRAIN_JITTER_ASPECT_RELATIVE [1.0]", r"the least and the greatest, or nothing"),
        (SLOW, "DATA.TRAIN_PCA_EIGVAL [1,2]", r"expected 3 numbers and 3 x 3 numbers"),
        (SLOWFAST, "AVA.VALID_SECONDS [1798,902]", r"the first and the last second, or auto"),
        (SLOWFAST, "AVA.TRAIN_BOX_JITTER 0.5", r"from 0\.5 on boxes turn inside out"),
        # schedule and optimiser
        (
            SLOW,
            f"DATA.MEAN [{'0.5,' * 1000}]",
            r"^DATA\.MEAN \[0\.5, .{70,80}\.\.\. \(command line\): expected three",
        ),
        (SLOWFAST, "SOLVER.STEPS [5,10]", r"STEPS \[5\.0, 10\.0\] .*begin with 0"),
        (SLOWFAST, "SOLVER.STEPS [0,10,10]", r"expected ascending epochs"),
        (SLOWFAST, "SOLVER.STEPS []", r"expected ascending epochs"),
        (SLOWFAST, "SOLVER.LRS [1,0.1]", r"3 steps begin before epoch 20, each needs a rate"),
        (SLOW, "SOLVER.COSINE_END_LR 0.2", r"goes down, not up"),
        (SLOW, "SOLVER.BETAS [0.9]", r"expected two numbers below 1"),
        (SLOW, "SOLVER.COSINE_AFTER_WARMUP True SOLVER.MAX_EPOCH 34", r"nothing is left for the cosine"),
        (SLOW, "SOLVER.MOMENTUM 0", r"Nesterov's form needs momentum"),
        (SLOW, "SOLVER.DAMPENING 0.1", r"Nesterov's form has no dampening"),
        (SLOW, "SOLVER.CLIP_GRAD_VAL 1 SOLVER.CLIP_GRAD_L2NORM 40", r"by value or by norm, not both"),
        (SLOW, "SOLVER.EMA_DECAY 1", r"never change"),
        (SLOW, "SOLVER.GRAD_ACCUMULATION 3", r"cannot be cut into equal parts"),
        (SLOW, "MODEL.HEAD_BIAS_INIT prior MODEL.PRIOR_PROB 0", r"between 0 and 1, neither"),
    ],
)
def test_impossible_combinations_are_refused_with_the_reason(base, typed, message):
    with pytest.raises(ConfigError, match=message):
        load_config(base, shlex.split(typed))


# ---- what can be, though it looks odd


@pytest.mark.parametrize(
    ("base", "typed"),
    [
        (SLOWFAST, "SLOWFAST.BETA_INV 6"),  # table 5b: widths are rounded down
        (SLOWFAST, "SLOWFAST.BETA_INV 64"),
        (SLOWFAST, "SLOWFAST.ALPHA 1"),
        (SLOWFAST, "SLOWFAST.LATERAL time_to_channel_sum SLOWFAST.ALPHA 8"),
        (SLOWFAST, "SLOWFAST.LATERAL none SLOWFAST.FUSION_KERNEL_SZ 4"),  # there is no lateral kernel
        (SLOW, "SLOWFAST.ALPHA 3"),  # one pathway has no alpha
        (SLOW, "DATA.TRAIN_JITTER_SCALES [224,224]"),
        (SLOW, "DATA.TRAIN_CROP_SIZE 256 DATA.TEST_CROP_SIZE 225"),  # both have 8 cells
        (SLOW, "MODEL.ARCH i3d DATA.NUM_FRAMES 2"),
        (SLOWFAST, "SOLVER.MAX_EPOCH 1"),  # a short try with a longer warm-up
        (SLOWFAST, "SOLVER.STEPS [0,10,20] SOLVER.LRS [1,0.1]"),  # the end needs no rate
        (SLOWFAST, "MODEL.HEAD_ACT none"),
        (SLOW, "SOLVER.MOMENTUM 0 SOLVER.NESTEROV False"),
    ],
)
def test_unusual_combinations_are_taken(base, typed):
    load_config(base, shlex.split(typed))
