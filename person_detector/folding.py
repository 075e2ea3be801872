"""Fold frozen batch normalisation into the convolution before it: the same numbers with less work."""

import torch
from detectron2.layers import Conv2d, FrozenBatchNorm2d
from torch import nn


def fold_batch_norm(module: nn.Module) -> int:
    """Fold every batch norm that belongs to a Detectron2 convolution, in place; return how many.

    w' = w * gamma / sqrt(var + eps);  b' = beta + (b - mean) * gamma / sqrt(var + eps).
    Only for inference: the running statistics become constants. Computed in double precision.
    """
    folded = 0
    for layer in module.modules():
        if not (isinstance(layer, Conv2d) and isinstance(layer.norm, FrozenBatchNorm2d | nn.BatchNorm2d)):
            continue
        norm: FrozenBatchNorm2d = layer.norm  # or a BatchNorm2d, which has the same fields
        with torch.no_grad():
            scale = norm.weight.double() * (norm.running_var.double() + norm.eps).rsqrt()
            bias = 0.0 if layer.bias is None else layer.bias.double()
            shift = norm.bias.double() + (bias - norm.running_mean.double()) * scale
            weight = layer.weight.double() * scale[:, None, None, None]
            layer.weight = nn.Parameter(weight.to(layer.weight.dtype), requires_grad=False)
            layer.bias = nn.Parameter(shift.to(layer.weight.dtype), requires_grad=False)
        layer.norm = None
        folded += 1
    return folded
