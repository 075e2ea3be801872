"""Fold the batch norms of a Detectron2 network into its convolutions: the same numbers with less work."""

from detectron2.layers import Conv2d, FrozenBatchNorm2d
from torch import nn

from ava_detect.acceleration.folding import fold_norm


def fold_batch_norm(module: nn.Module) -> int:
    """Fold every batch norm that belongs to a Detectron2 convolution, in place; return how many.

    Only for inference: the running statistics become constants.
    """
    folded = 0
    for layer in module.modules():
        if not (isinstance(layer, Conv2d) and isinstance(layer.norm, FrozenBatchNorm2d | nn.BatchNorm2d)):
            continue
        weight, bias = fold_norm(layer.weight, layer.bias, layer.norm)
        layer.weight = nn.Parameter(weight, requires_grad=False)
        layer.bias = nn.Parameter(bias, requires_grad=False)
        layer.norm = None
        folded += 1
    return folded
