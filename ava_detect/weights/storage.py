"""How a tensor stands in a file of ours: small, without harm to the network."""

import torch
from torch import Tensor

from evaluation.errors import WeightsError


def to_storage(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a tensor as it is stored: on the CPU, with memory of its own.

    Args:
        name: for messages.
        tensor: a parameter or buffer.
        dtype: of convolutions and linear layers. Norms, their statistics and biases are stored in float32:
            they are few, and a small variance would become 0 in half precision, a large one infinite.

    Raises:
        WeightsError: a value is out of the range of ``dtype``.
    """
    tensor = tensor.detach().cpu()
    if not tensor.is_floating_point():
        return tensor.contiguous().clone()
    stored = tensor.to(dtype if tensor.dim() > 1 else torch.float32).contiguous().clone()
    if bool((tensor.isfinite() & ~stored.isfinite()).any()):
        kind = str(dtype).removeprefix("torch.")
        raise WeightsError(f"{name} has the value {tensor.abs().max():g}, out of the range of {kind}")
    return stored
