"""Mixed precision on CPUs gives the gradients of float32, up to rounding, where torch's own does not."""

import pytest
import torch
from torch import nn

from ava_detect.config import parse_config
from ava_detect.engine.training.cpu_bfloat16 import trusted_autocast
from ava_detect.models import SlowFast, build_model

NETWORK = """
MODEL: {ARCH: slowfast, NUM_CLASSES: 6, HEAD_ACT: sigmoid}
RESNET: {DEPTH: 50, WIDTH_PER_GROUP: 24,
  SPATIAL_STRIDES: [[1], [2], [2], [1]], SPATIAL_DILATIONS: [[1], [1], [1], [2]]}
DETECTION: {ENABLE: true}
DATA: {NUM_FRAMES: 32, SAMPLING_RATE: 2}
SLOWFAST: {ALPHA: 8, BETA_INV: 8}
"""


@pytest.fixture(scope="module")
def model() -> SlowFast:
    torch.manual_seed(0)
    return build_model(parse_config(NETWORK, source="network"))


def gradients(convolution: nn.Conv3d, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return the output and, for a fixed one of the output, the gradients of the input and the weight."""
    x = x.clone().requires_grad_()
    convolution.weight.grad = None
    y = convolution(x)
    generator = torch.Generator().manual_seed(1)
    y.backward(torch.randn(y.shape, generator=generator).bfloat16().to(y.dtype))
    return y.detach().float(), x.grad.float(), convolution.weight.grad.float()


# [T, side] as the layers meet them; torch 2.14 gives NaN or a fifth of error in the first two
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ("pathways.0.stem.conv", (4, 160, 160)),
        ("pathways.0.res2.blocks.1.conv_c", (4, 56, 56)),
        ("pathways.0.res2.blocks.1.conv_b", (6, 56, 56)),
        ("pathways.0.stem.conv", (8, 160, 160)),
        ("pathways.0.res2.blocks.1.conv_c", (8, 56, 56)),
        ("pathways.1.stem.conv", (32, 112, 112)),
        ("pathways.1.res3.blocks.0.conv_b", (32, 28, 28)),
        ("laterals.stem.0.conv", (32, 40, 40)),
    ],
)  # fmt: skip
def test_gradients_are_those_of_float32(model: SlowFast, layer: str, shape: tuple[int, int, int]):
    convolution = model.get_submodule(layer)
    assert isinstance(convolution, nn.Conv3d)
    clips = torch.randn(2, convolution.in_channels, *shape).bfloat16().float()
    with torch.no_grad():
        convolution.weight.copy_(convolution.weight.bfloat16())
    expected = gradients(convolution, clips)
    with trusted_autocast(model):
        found = gradients(convolution, clips)
    for name, ours, theirs in zip(("output", "of the input", "of the weight"), found, expected, strict=True):
        error = (ours - theirs).norm() / theirs.norm()
        assert error < 0.01, f"{name}: {error:.3f}"


def test_the_bias_has_its_gradient_too():
    model = build_model(parse_config(NETWORK, source="network"))
    layer = model.pathways[0].stem
    layer.conv = nn.Conv3d(3, 8, (1, 3, 3))
    y = layer.conv(torch.ones(1, 3, 2, 8, 8))
    with trusted_autocast(model):
        half = layer.conv(torch.ones(1, 3, 2, 8, 8))
        half.sum().backward()
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), y, rtol=0.02, atol=0.02)
    assert layer.conv.bias.grad.tolist() == [2 * 6 * 6] * 8


def test_convolutions_are_as_before_afterwards(model: SlowFast):
    with trusted_autocast(model):
        assert "forward" in vars(model.pathways[0].stem.conv)
    assert not any("forward" in vars(module) for module in model.modules())
