"""Convolutions on Intel and AMD CPUs, as oneDNN, PyTorch's own library for them, does them best.

PyTorch hands one convolution at a time to oneDNN, rearranges its weights every time, and makes a pass over
memory of its own for each addition and ReLU. oneDNN can keep rearranged weights and do all three at once; the
operators for that are in PyTorch because torch.compile uses them. They are called here directly, and nothing
is compiled.
"""

import math
import platform

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def has_fused_convolutions() -> bool:
    """Say whether this PyTorch has the operators that ``FusedConvolution`` calls; measured on x86-64 only."""
    return (
        platform.machine().lower() in ("x86_64", "amd64")
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        and hasattr(torch.ops.mkldnn, "_reorder_convolution_weight")
    )


class FusedConvolution(nn.Module):
    """A convolution, an addition and a ReLU in one step, with the channels last.

    The weights are kept in the arrangement that is best for the size of the last input. Another size costs
    the time of rearranging them, once, which is less than that of one pass.

    Args:
        conv: zero padded, on the CPU, in float32 or bfloat16; not needed afterwards.
        relu: end with a ReLU.
    """

    def __init__(self, conv: nn.Conv3d, *, relu: bool = False) -> None:
        super().__init__()
        self._geometry = (conv.padding, conv.stride, conv.dilation, conv.groups)
        self._relu = relu
        self._bias = None if conv.bias is None else conv.bias.detach()
        # Not a parameter: nn.Module cannot move or copy it as oneDNN has it.
        self._weight = conv.weight.detach()
        self._arranged_for: torch.Size | None = None

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """Map [N, C_in, T, H, W] to [N, C_out, T', H', W'], plus ``added`` of that shape."""
        if x.shape != self._arranged_for:
            self._arrange_weight(x.shape)
        relu = "relu" if self._relu else None
        if added is None:
            y: Tensor = torch.ops.mkldnn._convolution_pointwise(
                x, self._weight, self._bias, *self._geometry, relu or "none", [None], ""
            )
        else:
            y = torch.ops.mkldnn._convolution_pointwise.binary(
                x, added, self._weight, self._bias, *self._geometry, "add", 1.0, relu, [None], ""
            )
        return y

    def _arrange_weight(self, size: torch.Size) -> None:
        """Rearrange the weights for inputs of ``size``."""
        plain = self._weight.to_dense() if self._weight.is_mkldnn else self._weight
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(plain, *self._geometry, size)
        self._arranged_for = size


def widen_strided_kernels(network: nn.Module) -> None:
    """Add zeros to the kernels of convolutions that are narrower than their stride, in place.

    The numbers stay the same. oneDNN up to 3.12 takes too small a buffer for such a convolution (5 frames
    with a stride of 8, between the pathways of SlowFast 4x16) in bf16 on CPUs with AMX, and overwrites the
    memory behind it. PyTorch 2.14 and OpenVINO 2026.4 have that oneDNN; oneDNN's pull request 5494 mends it.
    Pointwise convolutions take another way and are left alone.

    Raises:
        ValueError: a convolution's padding is a word; numbers are expected.
    """
    for conv in network.modules():
        if not isinstance(conv, nn.Conv3d) or max(conv.kernel_size) == 1:
            continue
        zeros = [  # on either side, so that the middle stays where it is
            math.ceil(max(0, stride - kernel) / 2)
            for kernel, stride in zip(conv.kernel_size, conv.stride, strict=True)
        ]
        if any(zeros):
            if isinstance(conv.padding, str):
                raise ValueError(f"padding {conv.padding!r}: numbers are expected")
            t, h, w = zeros
            conv.weight = nn.Parameter(F.pad(conv.weight.detach(), (w, w, h, h, t, t)), requires_grad=False)
            conv.kernel_size = tuple(k + 2 * z for k, z in zip(conv.kernel_size, zeros, strict=True))
            conv.padding = tuple(p + z for p, z in zip(conv.padding, zeros, strict=True))
