"""Fold a batch norm into the convolution before it: the same numbers with less work."""

from typing import Protocol

import torch
from torch import Tensor


class StoredNorm(Protocol):
    """A batch norm that uses its running statistics; torch's and Detectron2's frozen one have these fields.

    Attributes:
        weight, bias: [C] scale and shift, trained.
        running_mean, running_var: [C] statistics of the training clips.
        eps: added to the variance.
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor
    eps: float


@torch.no_grad()
def fold_norm(weight: Tensor, bias: Tensor | None, norm: StoredNorm) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a convolution that gives what convolution and norm give one after the other.

    w' = w * gamma / sqrt(var + eps);  b' = beta + (b - mean) * gamma / sqrt(var + eps). Computed in double
    precision. Only for inference: the running statistics become constants.

    Args:
        weight: [C_out, C_in / groups, ...] of a convolution in any number of dimensions; not changed.
        bias: [C_out]; None is zero.
        norm: of C_out channels.

    Returns:
        Weight, in the shape and memory format of the given one, and bias [C_out], both of its type.
    """
    scale = norm.weight.double() * (norm.running_var.double() + norm.eps).rsqrt()
    shift = norm.bias.double() - norm.running_mean.double() * scale
    if bias is not None:
        shift = shift + bias.double() * scale
    folded = weight.double() * scale.view(-1, *[1] * (weight.dim() - 1))
    return folded.to(weight.dtype), shift.to(weight.dtype)
