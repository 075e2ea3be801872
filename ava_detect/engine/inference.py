"""A network made ready for fast inference on one device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

ScoreActions = Callable[[list[Tensor], Tensor], Tensor]
"""(clips of the pathways [N, C, T, H, W], rois [R, 5]) -> scores [R, K] float32."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def prepare_for_inference(model: nn.Module, device: torch.device, precision: str) -> ScoreActions:
    """Return ``model`` as a function that runs on ``device`` without gradients.

    Args:
        model: changed in place: evaluation mode, on the device. In the plain layout: on CPUs, channels last
            makes torch 2.14 overrun memory in convolutions with a temporal stride of 8, which laterals have.
        device: where to run.
        precision: fp32, bf16 or fp16; the latter two by autocast.
    """
    model.eval().to(device)
    half = precision != "fp32"

    def score(clips: list[Tensor], rois: Tensor) -> Tensor:
        with torch.inference_mode(), torch.autocast(device.type, _DTYPES[precision], enabled=half):
            return model(clips, rois).float()

    return score
