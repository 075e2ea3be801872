"""What the two heads share: the order of the pathways and the activation."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Activation = Literal["softmax", "sigmoid", "none"]
ConcatOrder = Literal["slow_fast", "fast_slow"]


def concat_pathways(x: Sequence[Tensor], order: ConcatOrder) -> Tensor:
    """Concatenate one tensor per pathway, given slowest first, along the channels (dimension 1)."""
    return torch.cat(list(x) if order == "slow_fast" else list(x)[::-1], dim=1)


def activate(logits: Tensor, activation: Activation) -> Tensor:
    """Turn logits [.., K] into scores: softmax over K, sigmoid, or as they are."""
    match activation:
        case "softmax":
            return torch.softmax(logits, dim=-1)
        case "sigmoid":
            return torch.sigmoid(logits)
        case "none":
            return logits
    raise ValueError(f"activation {activation!r} is not one of softmax, sigmoid, none")
