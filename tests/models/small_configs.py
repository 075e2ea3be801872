"""Configs of small networks, drawn by hypothesis: all that can be combined, and is not refused."""

from hypothesis import assume
from hypothesis import strategies as st

from ava_detect.config import Config, parse_config
from evaluation.errors import ConfigError

BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
WIDTH = 8


@st.composite
def pathway_settings(draw: st.DrawFn, depth: int) -> list[object]:
    """Draw one, two or three pathways and what connects them."""
    arch = draw(st.sampled_from(["slow", "fast", "c2d", "i3d", "slow_i3d", "slowfast", "slowfast", "three"]))
    form = draw(st.sampled_from(["rgb", "gray", "difference", "half"]))
    chosen: list[object] = ["SLOWFAST.BETA_INV", draw(st.sampled_from([1, 2, 3, 4]))]
    if arch == "three":
        ratios = draw(st.sampled_from([(1, 2, 4), (1, 1, 2), (1, 2, 2)]))
        shares = draw(st.sampled_from([(1.0, 0.5, 0.25), (1.0, 0.25, 0.5), (1.0, 1.0, 1.0)]))
        kernels = draw(st.sampled_from([[1, 1, 1, 3, 3], [5, 3, [3, 1], [3, 1], [1, 3]]]))
        pathways = [
            {"FRAME_RATIO": ratio, "CHANNEL_RATIO": share, "TEMPORAL_KERNELS": kernels}
            for ratio, share in zip(ratios, shares, strict=True)
        ]
        pathways[-1]["INPUT"] = form
        chosen += ["SLOWFAST.PATHWAYS", pathways]
    else:
        chosen += [
            "MODEL.ARCH",
            arch,
            "SLOWFAST.ALPHA",
            draw(st.sampled_from([1, 2, 4])),
            "SLOWFAST.FAST_INPUT",
            form,
        ]
    counts = [draw(st.integers(1, blocks)) for blocks in BLOCKS[depth]]
    return [
        *chosen,
        *("SLOWFAST.LATERAL", draw(st.sampled_from(["conv", "time_to_channel_concat", "sample", "none"]))),
        *("SLOWFAST.LATERAL_NORM", draw(st.booleans())),
        *("SLOWFAST.FUSION_KERNEL_SZ", draw(st.sampled_from([1, 3, 7]))),
        *("SLOWFAST.FUSION_CONV_CHANNEL_RATIO", draw(st.integers(1, 3))),
        *("SLOWFAST.SLOW_FRAMES", draw(st.sampled_from(["linspace", "stride"]))),
        *("RESNET.NUM_BLOCK_TEMP_KERNEL", counts),
    ]


@st.composite
def nonlocal_settings(draw: st.DrawFn, depth: int, pathways: int) -> list[object]:
    """Draw places for non-local blocks, in any stage of any pathway, and their kind."""
    places = [
        [draw(st.lists(st.integers(0, blocks - 1), max_size=1, unique=True)) for _ in range(pathways)]
        for blocks in BLOCKS[depth]
    ]
    # the maps of res4 and res5 are down to one cell for a clip this small, too little to pool
    pool, none = draw(st.sampled_from([[1, 1, 1], [1, 2, 2]])), [1, 1, 1]
    return [
        *("NONLOCAL.LOCATION", places, "NONLOCAL.POOL", [[pool], [pool], [none], [none]]),
        *("NONLOCAL.GROUP", [draw(st.sampled_from([1, 2]))] * 4),
        *("NONLOCAL.INSTANTIATION", draw(st.sampled_from(["dot_product", "softmax"]))),
        *("NONLOCAL.POOL_FIRST", draw(st.booleans()), "NONLOCAL.OUT_BIAS", draw(st.booleans())),
    ]


@st.composite
def head_settings(draw: st.DrawFn) -> list[object]:
    """Draw one of the two heads with any of its options."""
    common = [
        *("MODEL.HEAD_CONCAT", draw(st.sampled_from(["slow_fast", "fast_slow"]))),
        *("MODEL.HEAD_ACT", draw(st.sampled_from(["softmax", "sigmoid", "none"]))),
    ]
    if draw(st.booleans()):
        return [*common, "MODEL.HEAD_POOL", draw(st.sampled_from(["local", "global"]))]
    return [
        *common,
        *("DETECTION.ENABLE", True, "RESNET.SPATIAL_STRIDES", [1, 2, 2, 1]),
        *("RESNET.SPATIAL_DILATIONS", [1, 1, 1, draw(st.sampled_from([1, 2]))]),
        *("DETECTION.ALIGNED", draw(st.booleans()), "DETECTION.CONTEXT", draw(st.booleans())),
        *("DETECTION.TEMPORAL_POOL", draw(st.sampled_from(["avg", "max"]))),
        *(
            "DETECTION.MLP_DIM",
            draw(st.sampled_from([0, 5])),
            "DETECTION.BACKGROUND_COLUMN",
            draw(st.booleans()),
        ),
    ]


@st.composite
def configs(draw: st.DrawFn) -> Config:
    depth = draw(st.sampled_from(sorted(BLOCKS)))
    chosen = [
        *("RESNET.DEPTH", depth, "RESNET.WIDTH_PER_GROUP", WIDTH, "MODEL.NUM_CLASSES", 3),
        *("RESNET.TRANS_FUNC", "basic_transform" if depth == 18 else "bottleneck_transform"),
        *("RESNET.ZERO_INIT_FINAL_BN", draw(st.booleans()), "RESNET.STRIDE_1X1", draw(st.booleans())),
        *(
            "DATA.NUM_FRAMES",
            draw(st.sampled_from([4, 8])),
            "DATA.TRAIN_CROP_SIZE",
            32,
            "DATA.TEST_CROP_SIZE",
            48,
        ),
        *("DATA.TRAIN_JITTER_SCALES", [32, 40]),
        *draw(pathway_settings(depth)),
        *draw(head_settings()),
    ]
    if depth == 50:
        chosen += ["RESNET.NUM_GROUPS", draw(st.sampled_from([1, 2]))]
    try:
        cfg = parse_config("", overrides=chosen)
        if draw(st.booleans()):
            pathways = len(cfg.RESNET.SPATIAL_STRIDES[0])
            cfg = parse_config("", overrides=[*chosen, *draw(nonlocal_settings(depth, pathways))])
    except ConfigError:  # a combination that is refused with a reason; tests/config has those
        assume(False)
    return cfg
