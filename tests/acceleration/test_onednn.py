"""Fused convolutions against the plain ones, and kernels that are wide enough for their stride."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ava_detect.acceleration.onednn import FusedConvolution, has_fused_convolutions, widen_strided_kernels

needs_onednn = pytest.mark.skipif(not has_fused_convolutions(), reason="oneDNN is for x86-64")

GEOMETRIES = [
    {"kernel_size": 1},
    {"kernel_size": 1, "stride": (1, 2, 2)},
    {"kernel_size": (3, 1, 1), "padding": (1, 0, 0)},
    {"kernel_size": (1, 3, 3), "padding": (0, 2, 2), "dilation": (1, 2, 2)},
    {"kernel_size": (1, 3, 3), "padding": (0, 1, 1), "stride": (1, 2, 2), "groups": 4},
    {"kernel_size": (5, 7, 7), "padding": (2, 3, 3), "stride": (1, 2, 2)},
    {"kernel_size": (5, 1, 1), "padding": (2, 0, 0), "stride": (4, 1, 1), "bias": False},
]


def noise(*shape: int, seed: int = 0) -> Tensor:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return x.contiguous(memory_format=torch.channels_last_3d)


def convolution(**geometry: object) -> nn.Conv3d:
    torch.manual_seed(0)
    return nn.Conv3d(8, 16, **geometry)


@needs_onednn
@torch.no_grad()
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_one_step_gives_what_three_give(geometry: dict[str, object], added: bool, relu: bool):
    conv = convolution(**geometry)
    fused = FusedConvolution(conv, relu=relu)
    for seed, size in enumerate(
        [(8, 9, 12), (8, 9, 12), (4, 21, 7), (8, 9, 12)]
    ):  # it rearranges and goes back
        x = noise(2, 8, *size, seed=seed)
        expected = conv(x)
        other = noise(*expected.shape, seed=9) if added else None
        expected = expected + other if added else expected
        expected = F.relu(expected) if relu else expected
        torch.testing.assert_close(fused(x, other), expected, rtol=1e-4, atol=1e-5)


@needs_onednn
@torch.no_grad()
def test_bf16_rounds_once_whatever_the_size():
    conv = convolution(kernel_size=(1, 3, 3), padding=(0, 1, 1))
    fused = FusedConvolution(copy.deepcopy(conv).bfloat16(), relu=True)
    for height in (9, 20, 9):
        x, other = noise(1, 8, 4, height, 9), noise(1, 16, 4, height, 9, seed=1)
        exact = F.relu(conv(x) + other)
        found = fused(x.bfloat16(), other.bfloat16())
        assert found.dtype == torch.bfloat16
        # inputs, weights and result are rounded to 8 bits: some 2^-8 of values up to 4
        torch.testing.assert_close(found.float(), exact, rtol=0.01, atol=0.03)


@needs_onednn
@torch.no_grad()
def test_the_inputs_are_left_as_they_are():
    x, other = noise(1, 8, 4, 9, 9), noise(1, 16, 4, 9, 9, seed=1)
    copies = x.clone(), other.clone()
    FusedConvolution(convolution(kernel_size=1), relu=True)(x, other)
    assert torch.equal(x, copies[0])
    assert torch.equal(other, copies[1])


@torch.no_grad()
@pytest.mark.parametrize(
    ("kernel", "stride", "wider"),
    [(5, 8, 9), (7, 8, 9), (3, 4, 5), (3, 8, 9), (5, 6, 7), (5, 4, 5), (1, 8, 1)],
)
def test_a_kernel_is_made_as_wide_as_its_stride_with_the_same_result(kernel: int, stride: int, wider: int):
    geometry = {"stride": (stride, 1, 1), "padding": (kernel // 2, 0, 0)}
    conv = convolution(kernel_size=(kernel, 1, 1), **geometry)
    x = noise(1, 8, 2 * stride, 5, 4)
    expected = conv(x)
    widen_strided_kernels(nn.Sequential(conv))
    assert conv.kernel_size == (wider, 1, 1)
    torch.testing.assert_close(conv(x), expected)


@torch.no_grad()
def test_the_convolution_that_overran_its_memory_is_right_in_bf16():
    # res4's lateral connection in SlowFast 4x16 at 256 x 340; with a kernel of 5 this aborts on CPUs with AMX
    torch.manual_seed(0)
    conv = nn.Conv3d(128, 256, (5, 1, 1), stride=(8, 1, 1), padding=(2, 0, 0), bias=False)
    x = noise(1, 128, 32, 16, 22)
    expected = conv(x)
    widen_strided_kernels(conv)
    found = conv.bfloat16()(x.bfloat16()).float()
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)
