"""How tensors stand in a file of ours: small, without harm to the network.

=========  ========================================  =============================  =========================
dtype      large convolutions and linear layers      smaller ones                   norms, statistics, biases
=========  ========================================  =============================  =========================
float32    float32                                   float32                        float32
float16    float16                                   float16                        float32
int8       8 bits, one scale per output channel      float16                        float32
=========  ========================================  =============================  =========================

Norms, their statistics and biases are few, and a small variance would become 0 in half precision, a large one
infinite. The scales of ``NAME`` are the tensor ``NAME:scale``; whoever reads the file gets float32 back, so
that 8 bits are a matter of the file alone and everything is computed as ever.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from evaluation.errors import WeightsError

_LARGE = 2**16  # numbers; below it there is little to save
_STEPS = 127
_SCALE = ":scale"


def to_storage(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Return tensors as they are stored: on the CPU, with memory of their own.

    Args:
        tensors: name -> parameter or buffer.
        dtype: float32, float16 or int8; see the table.

    Raises:
        WeightsError: a value is out of the range of half precision.
    """
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        number = tensor.detach().cpu()
        if not number.is_floating_point():
            stored[name] = number.contiguous().clone()
        elif number.dim() < 2 or dtype == torch.float32:
            stored[name] = number.to(torch.float32).contiguous().clone()
        elif dtype == torch.int8 and number.numel() >= _LARGE:
            stored[name], stored[name + _SCALE] = _in_eight_bits(number)
        else:
            stored[name] = _in_half_precision(name, number)
    return stored


def from_storage(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with those in 8 bits as float32 again, the others as they are.

    Raises:
        ValueError: scales do not fit the tensor that they are of.
    """
    restored = {name: tensor for name, tensor in tensors.items() if not name.endswith(_SCALE)}
    for name in tensors.keys() - restored.keys():
        base, scale = name.removesuffix(_SCALE), tensors[name]
        steps = restored.get(base)
        if steps is None or steps.dtype != torch.int8 or steps.dim() < 2 or scale.shape != steps.shape[:1]:
            raise ValueError(f"{name} does not fit {base}")
        restored[base] = steps.float() * scale.float().reshape(-1, *[1] * (steps.dim() - 1))
    return restored


def _in_eight_bits(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Return whole numbers from -127 to 127, and per row the size of a step."""
    scale = tensor.float().flatten(1).abs().amax(dim=1) / _STEPS
    scale = torch.where(scale > 0, scale, 1.0)
    steps = tensor.float() / scale.reshape(-1, *[1] * (tensor.dim() - 1))
    return steps.round().to(torch.int8).contiguous(), scale


def _in_half_precision(name: str, tensor: Tensor) -> Tensor:
    stored = tensor.to(torch.float16).contiguous().clone()
    if bool((tensor.isfinite() & ~stored.isfinite()).any()):
        raise WeightsError(f"{name} has the value {tensor.abs().max():g}, out of the range of float16")
    return stored
