"""Folding a norm into a convolution of any number of dimensions."""

import pytest
import torch
from torch import nn

from ava_detect.acceleration.folding import fold_norm

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


@torch.no_grad()
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_a_folded_convolution_gives_what_convolution_and_norm_give(dims: int, bias: bool, groups: int):
    torch.manual_seed(0)
    conv = CONVOLUTIONS[dims](4, 6, 3, bias=bias, groups=groups)
    norm = NORMS[dims](6).eval()
    for tensor in (norm.weight, norm.bias, norm.running_mean):
        tensor.normal_()
    norm.running_var.uniform_(0.1, 3)
    x = torch.randn(2, 4, *[7] * dims)
    expected = norm(conv(x))
    before = conv.weight.clone()
    weight, shift = fold_norm(conv.weight, conv.bias, norm)
    folded = CONVOLUTIONS[dims](4, 6, 3, groups=groups)
    folded.load_state_dict({"weight": weight, "bias": shift})
    torch.testing.assert_close(folded(x), expected)
    assert torch.equal(conv.weight, before)
    assert not weight.requires_grad


def test_the_numbers_are_those_of_the_formula():
    norm = nn.BatchNorm2d(1, eps=0.0)
    state = {"weight": 3.0, "bias": 5.0, "running_mean": 2.0, "running_var": 4.0}
    norm.load_state_dict({name: torch.tensor([value]) for name, value in state.items()}, strict=False)
    weight, bias = fold_norm(torch.full((1, 1, 1, 1), 10.0), torch.tensor([1.0]), norm)
    assert weight.item() == 15.0  # 10 * 3 / sqrt(4)
    assert bias.item() == 3.5  # 5 + (1 - 2) * 3 / sqrt(4)
