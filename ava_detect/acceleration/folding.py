"""Fold a batch norm into the convolution before it: the same numbers with less work."""

from typing import Protocol

import torch
from torch import Tensor


class StoredNorm(Protocol):
    """What folding needs of a batch norm; torch's and Detectron2's frozen norms have these fields."""

    eps: float

    @property
    def weight(self) -> Tensor:
        """[C] scale, trained."""

    @property
    def bias(self) -> Tensor:
        """[C] shift, trained."""

    @property
    def running_mean(self) -> Tensor | None:
        """[C] mean of the training clips."""

    @property
    def running_var(self) -> Tensor | None:
        """[C] variance of the training clips."""


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

    Raises:
        ValueError: the norm has no running statistics.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a norm that takes its statistics from each batch cannot be folded")
    scale = norm.weight.double() * (norm.running_var.double() + norm.eps).rsqrt()
    shift = norm.bias.double() - norm.running_mean.double() * scale
    if bias is not None:
        shift = shift + bias.double() * scale
    folded = weight.double() * scale.view(-1, *[1] * (weight.dim() - 1))
    return folded.to(weight.dtype), shift.to(weight.dtype)
