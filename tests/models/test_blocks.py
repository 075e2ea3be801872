"""Stem, residual blocks and stages: sizes by hand, where stride and dilation act, how it begins."""

import pytest
import torch
from torch import nn

from ava_detect.models.blocks import BasicBlock, BottleneckBlock
from ava_detect.models.initialisation import initialise
from ava_detect.models.nonlocal_block import NonLocal
from ava_detect.models.norm import batch_norm
from ava_detect.models.stage import Stage
from ava_detect.models.stem import Stem


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (1, 1, (1, 1)),
        (64, 80, (16, 20)),
        (65, 81, (17, 21)),  # 65 -> 33 -> 17: both halvings round up
        (256, 340, (64, 85)),
    ],
)
def test_stem_quarters_the_frame_rounding_up_and_keeps_the_time(height, width, expected):
    stem = Stem(3, 4, temporal_kernel=5, norm=batch_norm)
    assert stem(torch.zeros(2, 3, 6, height, width)).shape == (2, 4, 6, *expected)


def test_stem_with_temporal_kernel_one_sees_one_frame_and_with_five_its_neighbours():
    clip = torch.zeros(1, 3, 7, 16, 16)
    touched = clip.clone()
    touched[:, :, 3] = 1.0
    for kernel, reach in ((1, 0), (5, 2)):
        torch.manual_seed(0)
        stem = Stem(3, 8, temporal_kernel=kernel, norm=batch_norm).eval()
        changed = (stem(touched) - stem(clip)).abs().amax(dim=(0, 1, 3, 4)) > 0
        assert changed.nonzero().flatten().tolist() == list(range(3 - reach, 4 + reach))


def test_bottleneck_changes_channels_and_size_and_has_a_projection_then():
    block = BottleneckBlock(6, 16, inner_channels=4, temporal_kernel=3, stride=2, norm=batch_norm)
    assert block(torch.zeros(2, 6, 5, 9, 8)).shape == (2, 16, 5, 5, 4)
    assert block.conv_shortcut.weight.shape == (16, 6, 1, 1, 1)
    assert block.conv_a.weight.shape == (4, 6, 3, 1, 1)
    assert block.conv_b.weight.shape == (4, 4, 1, 3, 3)
    assert block.conv_c.weight.shape == (16, 4, 1, 1, 1)


@pytest.mark.parametrize(("channels", "stride", "projected"), [(8, 1, False), (8, 2, True), (6, 1, True)])
def test_shortcut_is_the_identity_unless_the_shape_changes(channels, stride, projected):
    block = BottleneckBlock(channels, 8, inner_channels=4, temporal_kernel=1, stride=stride, norm=batch_norm)
    assert isinstance(block.conv_shortcut, nn.Conv3d) == projected
    basic = BasicBlock(channels, 8, temporal_kernel=1, stride=stride, norm=batch_norm)
    assert isinstance(basic.conv_shortcut, nn.Conv3d) == projected


def test_stride_is_on_the_3x3_unless_asked_to_be_on_the_1x1():
    for on_1x1, strides in ((False, [(1, 1, 1), (1, 2, 2)]), (True, [(1, 2, 2), (1, 1, 1)])):
        block = BottleneckBlock(
            6, 8, inner_channels=4, temporal_kernel=3, stride=2, stride_on_1x1=on_1x1, norm=batch_norm
        )
        assert [block.conv_a.stride, block.conv_b.stride] == strides
        assert block.conv_c.stride == (1, 1, 1)
        assert block(torch.zeros(1, 6, 2, 8, 8)).shape == (1, 8, 2, 4, 4)


def test_dilation_widens_what_a_position_sees_without_changing_the_size():
    x = torch.zeros(1, 4, 1, 9, 9)
    touched = x.clone()
    touched[..., 4, 4] = 1.0
    for dilation in (1, 2):
        torch.manual_seed(0)
        block = BottleneckBlock(4, 4, inner_channels=4, temporal_kernel=1, dilation=dilation, norm=batch_norm)
        changed = (block.eval()(touched) - block(x)).abs().amax(dim=(0, 1, 2)) > 1e-7  # [9, 9]
        rows = changed.any(dim=1).nonzero().flatten().tolist()
        assert rows == [4 - dilation, 4, 4 + dilation]


def test_groups_split_the_3x3_only():
    block = BottleneckBlock(8, 8, inner_channels=8, temporal_kernel=1, groups=4, norm=batch_norm)
    assert block.conv_b.weight.shape == (8, 2, 1, 3, 3)
    assert block.conv_a.groups == block.conv_c.groups == 1


def test_basic_block_has_the_temporal_kernel_on_its_first_convolution():
    block = BasicBlock(4, 8, temporal_kernel=3, stride=2, norm=batch_norm)
    assert block.conv_a.weight.shape == (8, 4, 3, 3, 3)
    assert block.conv_b.weight.shape == (8, 8, 1, 3, 3)
    assert block(torch.zeros(2, 4, 3, 7, 8)).shape == (2, 8, 3, 4, 4)


def test_block_is_relu_of_shortcut_plus_branch():
    torch.manual_seed(0)
    block = BottleneckBlock(4, 6, inner_channels=2, temporal_kernel=3, norm=batch_norm)
    x = torch.randn(2, 4, 3, 5, 5)
    branch = block.norm_a(block.conv_a(x)).clamp(min=0)
    branch = block.norm_b(block.conv_b(branch)).clamp(min=0)
    branch = block.norm_c(block.conv_c(branch))
    expected = (block.norm_shortcut(block.conv_shortcut(x)) + branch).clamp(min=0)
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("kind", ["norm", "conv"])
def test_zero_initialised_blocks_start_as_the_identity(kind):
    stage = Stage(
        [
            BottleneckBlock(4, 4, inner_channels=2, temporal_kernel=3, norm=batch_norm),
            BasicBlock(4, 4, temporal_kernel=3, norm=batch_norm),
        ],
        {0: NonLocal(4, 2, norm=batch_norm)},
    )
    initialise(stage, zero_final_norm=kind == "norm", zero_final_conv=kind == "conv")
    x = torch.rand(2, 4, 2, 6, 6)  # not negative, so that ReLU keeps it
    torch.testing.assert_close(stage.eval()(x), x)


def test_initial_values_are_those_of_the_published_recipe():
    torch.manual_seed(0)
    block = BottleneckBlock(64, 64, inner_channels=128, temporal_kernel=3, stride=2, norm=batch_norm)
    attention = NonLocal(64, 32, norm=batch_norm)
    linear = nn.Linear(400, 300)
    network = nn.ModuleList([block, attention, linear])
    initialise(network, zero_final_norm=True, linear_std=0.01)
    # fan out: 128 outputs x 3 frames; the sample's deviation is within 3 % of the true one
    assert block.conv_a.weight.std().item() == pytest.approx((2 / (128 * 3)) ** 0.5, rel=0.03)
    assert block.conv_b.weight.std().item() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.03)
    assert linear.weight.std().item() == pytest.approx(0.01, rel=0.03)
    assert not linear.bias.any()
    assert not attention.theta.bias.any()
    assert not block.norm_c.weight.any()
    assert not attention.norm.weight.any()
    assert (block.norm_shortcut.weight == 1).all()  # only the branch starts at zero
    assert (block.norm_a.weight == 1).all()


def test_stage_runs_a_non_local_block_right_after_its_block():
    order: list[str] = []

    class Step(nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            order.append(self.name)
            return x

    Stage([Step("block 0"), Step("block 1"), Step("block 2")], {1: Step("non-local")})(torch.zeros(1))
    assert order == ["block 0", "block 1", "non-local", "block 2"]
