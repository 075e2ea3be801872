"""Mixed precision on CPUs, around the convolutions that torch 2.14 gets wrong in bfloat16."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv3d_input, conv3d_weight

from ava_detect.models import SlowFast

_SHORT = 8  # frames; weight gradients of shorter outputs come out wrong


@contextmanager
def trusted_autocast(model: SlowFast) -> Iterator[None]:
    """Autocast to bfloat16 with convolutions that give what they should, in the backward pass too.

    Two faults of torch 2.14 with oneDNN on processors with AMX make it necessary. A convolution of a temporal
    stride of 8 writes beyond its memory: the laterals stay in float32. The gradient of a weight is wrong by
    5 to 30 per cent, or NaN, where the output has up to 6 frames and many pixels, as the slow pathway's have:
    there it is computed in float32.
    """
    laterals = set(model.laterals.modules())
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv3d)]
    for module in convolutions:
        forward = _in_float32 if module in laterals else _convolve
        module.forward = forward.__get__(module)  # type: ignore[method-assign]
    try:
        with torch.autocast("cpu", torch.bfloat16):
            yield
    finally:
        for module in convolutions:
            del module.forward


def _in_float32(convolution: nn.Conv3d, x: Tensor) -> Tensor:
    with torch.autocast("cpu", enabled=False):
        return nn.Conv3d.forward(convolution, x.float())


def _convolve(convolution: nn.Conv3d, x: Tensor) -> Tensor:
    y: Tensor = _Convolution.apply(x.bfloat16(), convolution.weight.bfloat16(), convolution)
    return y if convolution.bias is None else y + convolution.bias.bfloat16().view(-1, 1, 1, 1)


class _Convolution(torch.autograd.Function):
    """A convolution in bfloat16 without bias; its weight's gradient in float32 if the output is short."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, convolution: nn.Conv3d) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.how = convolution.stride, convolution.padding, convolution.dilation, convolution.groups
        return F.conv3d(x, weight, None, *ctx.how)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor, None]:
        x, weight = ctx.saved_tensors
        dx = None
        if ctx.needs_input_grad[0]:
            dx = conv3d_input(x.shape, weight, dy, *ctx.how)
        if dy.shape[2] < _SHORT:
            return dx, conv3d_weight(x.float(), weight.shape, dy.float(), *ctx.how), None
        return dx, conv3d_weight(x, weight.shape, dy, *ctx.how), None
