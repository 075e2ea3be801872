"""From config keys to modules: each key that changes the network changes the right thing."""

import dataclasses
from fractions import Fraction

import pytest
import torch
import torch.distributed as dist
from torch import nn

from ava_detect.models import build_model
from ava_detect.models.build import pathway_specs
from ava_detect.models.norm import FrozenBatchNorm3d
from ava_detect.models.pathway import PathwaySpec


def temporal_kernels(model: nn.Module, pathway: int) -> list[list[int]]:
    """Return the temporal kernels of conv1 and of each block of res2 .. res5."""
    path = model.pathways[pathway]
    stages = [
        [block.conv_a.kernel_size[0] for block in getattr(path, f"res{k}").blocks] for k in (2, 3, 4, 5)
    ]
    return [[path.stem.conv.kernel_size[0]], *stages]


@pytest.mark.parametrize(
    ("arch", "pathway", "expected"),
    [
        ("slow", 0, [[1], [1] * 3, [1] * 4, [3] * 6, [3] * 3]),
        ("slowfast", 0, [[1], [1] * 3, [1] * 4, [3] * 6, [3] * 3]),
        ("slowfast", 1, [[5], [3] * 3, [3] * 4, [3] * 6, [3] * 3]),
        ("fast", 0, [[5], [3] * 3, [3] * 4, [3] * 6, [3] * 3]),
        ("c2d", 0, [[1], [1] * 3, [1] * 4, [1] * 6, [1] * 3]),
        ("slow_c2d", 0, [[1], [1] * 3, [1] * 4, [1] * 6, [1] * 3]),
        ("2d", 0, [[1], [1] * 3, [1] * 4, [1] * 6, [1] * 3]),
        ("i3d", 0, [[5], [3] * 3, [3, 1, 3, 1], [3, 1, 3, 1, 3, 1], [1, 3, 1]]),
        ("slow_i3d", 0, [[5], [3] * 3, [3, 1, 3, 1], [3, 1, 3, 1, 3, 1], [1, 3, 1]]),
    ],
)
def test_temporal_kernels_of_each_arch(arch, pathway, expected, small_config):
    assert temporal_kernels(build_model(small_config("MODEL.ARCH", arch)), pathway) == expected


@pytest.mark.parametrize(
    ("counts", "slow", "fast"),
    [
        ([3, 4, 6, 3], 6, 6),  # "50_50"
        ([[3, 3], [4, 4], [6, 23], [3, 3]], 6, 23),  # "50_101"
        ([3, 4, 23, 3], 23, 23),  # "101_101"
    ],
)
def test_only_the_first_blocks_of_res4_have_a_temporal_kernel_in_101_layers(counts, slow, fast, small_config):
    cfg = small_config("RESNET.DEPTH", 101, "RESNET.NUM_BLOCK_TEMP_KERNEL", counts)
    with torch.device("meta"):
        model = build_model(cfg)
    assert temporal_kernels(model, 0)[3] == [3] * slow + [1] * (23 - slow)
    assert temporal_kernels(model, 1)[3] == [3] * fast + [1] * (23 - fast)


def test_res5_of_ava_networks_is_dilated_in_every_block_and_not_strided(small_config):
    model = build_model(small_config(action=True))
    for pathway in model.pathways:
        assert [block.conv_b.dilation for block in pathway.res5.blocks] == [(1, 2, 2)] * 3
        assert [block.conv_b.stride for block in pathway.res5.blocks] == [(1, 1, 1)] * 3
        assert [block.conv_b.stride for block in pathway.res4.blocks] == [(1, 2, 2)] + [(1, 1, 1)] * 5


def test_dilation_can_differ_between_pathways(small_config):
    model = build_model(
        small_config("RESNET.SPATIAL_DILATIONS", [[1, 1], [1, 1], [1, 1], [2, 1]], action=True)
    )
    assert [pathway.res5.blocks[0].conv_b.dilation for pathway in model.pathways] == [(1, 2, 2), (1, 1, 1)]


def test_depth_can_differ_between_pathways(small_config):
    pathways = [
        {"FRAME_RATIO": 1, "DEPTH": 50},
        {"FRAME_RATIO": 4, "CHANNEL_RATIO": 0.25, "DEPTH": 18, "TEMPORAL_KERNELS": [5, 3, 3, 3, 3]},
    ]
    counts = [[3, 2], [4, 2], [6, 2], [3, 2]]
    model = build_model(small_config("SLOWFAST.PATHWAYS", pathways, "RESNET.NUM_BLOCK_TEMP_KERNEL", counts))
    assert [len(pathway.res4.blocks) for pathway in model.pathways] == [6, 2]


def test_basic_depths_have_the_widths_of_the_image_networks(small_config):
    for depth, blocks in ((18, [2, 2, 2, 2]), (34, [3, 4, 6, 3])):
        cfg = small_config("RESNET.DEPTH", depth, "RESNET.TRANS_FUNC", "basic_transform")
        model = build_model(cfg)
        slow = model.pathways[0]
        assert [len(getattr(slow, f"res{k}").blocks) for k in (2, 3, 4, 5)] == blocks
        assert slow.res5.blocks[-1].conv_b.out_channels == 16 * 8
        assert model.head.projection.in_features == 16 * 8 + 4 * 8


@pytest.mark.parametrize(("beta_inv", "widths"), [(6, (10, 42, 85, 170, 341)), (12, (5, 21, 42, 85, 170))])
def test_widths_that_do_not_divide_are_rounded_down_one_by_one(beta_inv, widths, small_config):
    explicit = [{"FRAME_RATIO": 1}, {"FRAME_RATIO": 4, "CHANNEL_RATIO": round(1 / beta_inv, 5)}]
    for setting in (("SLOWFAST.BETA_INV", beta_inv), ("SLOWFAST.PATHWAYS", explicit)):
        fast = pathway_specs(small_config("RESNET.WIDTH_PER_GROUP", 64, *setting))[1]
        assert (fast.stem_channels, *fast.stage_channels) == widths


def test_resnext_groups_only_the_3x3_and_keeps_the_resnets_widths(small_config):
    pathways = [{"FRAME_RATIO": 1}, {"FRAME_RATIO": 4, "CHANNEL_RATIO": 0.25, "NUM_GROUPS": 2}]
    cfg = small_config(
        *("RESNET.NUM_GROUPS", 8, "RESNET.WIDTH_PER_GROUP", 4, "RESNET.STEM_WIDTH", 16),
        *("SLOWFAST.PATHWAYS", pathways),
    )
    slow, fast = build_model(cfg).pathways
    assert slow.res2.blocks[0].conv_b.weight.shape == (32, 4, 1, 3, 3)  # 8 groups of 4
    assert fast.res2.blocks[0].conv_b.weight.shape == (8, 4, 1, 3, 3)  # 2 groups of 4
    assert slow.res2.blocks[0].conv_c.out_channels == 64


def test_stride_on_1x1_reaches_every_pathway(small_config):
    for pathway in build_model(small_config("RESNET.STRIDE_1X1", True)).pathways:
        assert pathway.res3.blocks[0].conv_a.stride == (1, 2, 2)


def test_nonlocal_settings_reach_the_block_they_name(small_config):
    cfg = small_config(
        *("NONLOCAL.LOCATION", [[[], []], [[1], []], [[0, 5], [2]], [[], []]]),
        *("NONLOCAL.POOL", [[[1, 2, 2]], [[1, 1, 1]], [[2, 2, 2], [1, 4, 4]], [[1, 2, 2]]]),
        *("NONLOCAL.GROUP", [[1], [2], [1], [1]]),
        *("NONLOCAL.INSTANTIATION", "softmax", "NONLOCAL.POOL_FIRST", False, "NONLOCAL.OUT_BIAS", False),
    )
    slow, fast = build_model(cfg).pathways
    assert list(slow.res3.nonlocals) == ["1"]
    assert list(slow.res4.nonlocals) == ["0", "5"]
    assert list(fast.res4.nonlocals) == ["2"]
    assert not slow.res2.nonlocals
    assert slow.res3.nonlocals["1"].time_groups == 2
    assert fast.res4.nonlocals["2"].pool == (1, 4, 4)
    block = slow.res4.nonlocals["5"]
    assert (block.pool, block.instantiation, block.pool_first) == ((2, 2, 2), "softmax", False)
    assert block.theta.weight.shape[:2] == (128, 256)
    assert block.out.bias is None


def test_roi_settings_reach_the_head(small_config):
    head = build_model(
        small_config(
            *("DETECTION.ROI_XFORM_RESOLUTION", 8, "DETECTION.ALIGNED", False, "DETECTION.CONTEXT", True),
            *("DETECTION.TEMPORAL_POOL", "max", "DETECTION.MLP_DIM", 20, "DETECTION.BACKGROUND_COLUMN", True),
            *("MODEL.HEAD_CONCAT", "fast_slow", "MODEL.HEAD_ACT", "none", "MODEL.DROPOUT_RATE", 0.3),
            *("MODEL.DETACH_FINAL_FC", True),
            action=True,
        )
    ).head
    assert (head.resolution, head.aligned, head.context, head.temporal_pool) == (8, False, True, "max")
    assert (head.concat, head.activation, head.dropout.p, head.detach) == ("fast_slow", "none", 0.3, True)
    assert head.projection[0].weight.shape == (20, 2 * (512 + 128))
    assert head.projection[2].weight.shape == (8, 20)
    assert head.strides == (16, 16)


@pytest.mark.parametrize(
    ("settings", "windows"),
    [
        (["MODEL.ARCH", "slow", "DATA.NUM_FRAMES", 4], ((4, 2, 2),)),
        (["MODEL.ARCH", "i3d"], ((4, 2, 2),)),  # the pool after res2 halves 8 frames
        (["DATA.NUM_FRAMES", 16], ((4, 2, 2), (16, 2, 2))),
        (["DATA.TRAIN_CROP_SIZE", 224, "DATA.TEST_CROP_SIZE", 256, "DATA.TRAIN_JITTER_SCALES", [256, 320]],
         ((2, 7, 7), (8, 7, 7))),
        (["MODEL.HEAD_POOL", "global"], None),
    ],
)  # fmt: skip
def test_classification_window_is_the_last_map_of_a_training_clip(settings, windows, small_config):
    assert build_model(small_config(*settings)).head.windows == windows


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (["BN.NORM_TYPE", "batchnorm"], nn.BatchNorm3d),
        (["BN.NORM_TYPE", "sync_batchnorm", "BN.NUM_SYNC_DEVICES", 4], nn.SyncBatchNorm),
        (["MODEL.FROZEN_BN", True], FrozenBatchNorm3d),
    ],
)
def test_every_kind_of_batch_norm_has_the_same_names_and_constants(
    setting, expected, small_config, random_clip
):
    plain, model = build_model(small_config()), build_model(small_config(*setting))
    norms = [module for name, module in model.named_modules() if name.rpartition(".")[2].startswith("norm")]
    norms = [norm for norm in norms if not isinstance(norm, nn.Identity)]
    assert {type(norm) for norm in norms} == {expected}
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-5, 0.1)}
    assert list(model.state_dict()) == list(plain.state_dict())
    model([random_clip((2, 3, 2, 64, 64)), random_clip((2, 3, 8, 64, 64))])  # runs without a process group


def test_sync_norms_share_statistics_in_groups_of_processes(small_config, tmp_path):
    cfg = small_config("BN.NORM_TYPE", "sync_batchnorm", "BN.NUM_SYNC_DEVICES", 4)
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        norm = build_model(cfg).pathways[0].stem.norm
        assert dist.get_world_size(norm.process_group) == 1  # four are asked for, one is there
        assert norm.process_group is not dist.group.WORLD
        everyone = build_model(small_config("BN.NORM_TYPE", "sync_batchnorm", "BN.GLOBAL_SYNC", True))
        assert everyone.pathways[0].stem.norm.process_group in (None, dist.group.WORLD)
    finally:
        dist.destroy_process_group()


def test_frozen_norms_neither_train_nor_update_their_statistics(small_config, random_clip):
    model = build_model(small_config("MODEL.FROZEN_BN", True)).train()
    before = {name: value.clone() for name, value in model.state_dict().items() if "norm" in name}
    model([random_clip((2, 3, 2, 64, 64)), random_clip((2, 3, 8, 64, 64))]).sum().backward()
    trained = {name for name, value in model.named_parameters() if value.grad is not None}
    assert not any("norm" in name for name in trained)
    assert any("conv_a" in name for name in trained)
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_initial_values_follow_the_config(small_config):
    torch.manual_seed(0)
    plain = build_model(small_config("MODEL.FC_INIT_STD", 0.05))
    assert plain.head.projection.weight.std().item() == pytest.approx(0.05, rel=0.1)
    assert not plain.head.projection.bias.any()
    assert plain.pathways[0].res2.blocks[0].norm_c.weight.all()
    zero = build_model(small_config("RESNET.ZERO_INIT_FINAL_BN", True))
    assert not zero.pathways[0].res2.blocks[0].norm_c.weight.any()
    assert zero.laterals["stem"][0].norm.weight.all()
    zero = build_model(small_config("RESNET.ZERO_INIT_FINAL_CONV", True))
    assert not zero.pathways[0].res2.blocks[0].conv_c.weight.any()


def test_classifier_can_start_at_a_prior_probability(small_config):
    cfg = small_config(
        *("MODEL.HEAD_BIAS_INIT", "prior", "MODEL.PRIOR_PROB", 0.02, "DETECTION.MLP_DIM", 6), action=True
    )
    torch.testing.assert_close(torch.sigmoid(build_model(cfg).head.classifier.bias), torch.full((7,), 0.02))


def test_lateral_settings_reach_the_connections(small_config):
    laterals = build_model(
        small_config(
            *("SLOWFAST.FUSION_KERNEL_SZ", 7, "SLOWFAST.FUSION_CONV_CHANNEL_RATIO", 3),
            *("SLOWFAST.LATERAL_NORM", False),
        )
    ).laterals
    assert list(laterals) == ["stem", "res2", "res3", "res4"]
    assert laterals["res3"][0].conv.weight.shape == (3 * 32, 32, 7, 1, 1)
    assert laterals["res3"][0].norm is None


def test_half_resolution_with_local_windows_is_refused(small_config):
    cfg = small_config("SLOWFAST.FAST_INPUT", "half", "MODEL.HEAD_POOL", "global")
    unchecked = dataclasses.replace(cfg, MODEL=dataclasses.replace(cfg.MODEL, HEAD_POOL="local"))
    with pytest.raises(ValueError, match="fewer window positions than the Slow one"):
        build_model(unchecked)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"depth": 152}, "depth 152 is not one of 18, 34, 50, 101"),
        ({"input_form": "sound"}, "input form 'sound' is not one of rgb, gray"),
        ({"temporal_kernels": ((1,), (1,), (2, 1), (3,), (3,))}, "are not all odd"),
        ({"depth": 18, "groups": 2}, "depth 18 has basic blocks, which have no groups"),
        ({"groups": 7}, "do not divide into 7 groups"),
        ({"channel_ratio": Fraction(1, 100)}, "channel ratio 1/100 leaves none of the stem's 64 channels"),
    ],
)
def test_impossible_pathways_are_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        PathwaySpec(**numbers)
