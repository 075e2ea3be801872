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
        model: changed in place: evaluation mode, on the device.
        device: where to run.
        precision: fp32, bf16 or fp16; the latter two by autocast.
    """
    model.eval().to(device)
    half = precision != "fp32"
    if half and device.type == "cpu":
        for conv in model.get_submodule("laterals").modules():
            if isinstance(conv, nn.Conv3d):
                conv.forward = _in_fp32(conv.forward)  # type: ignore[assignment, method-assign]

    def score(clips: list[Tensor], rois: Tensor) -> Tensor:
        with torch.inference_mode(), torch.autocast(device.type, _DTYPES[precision], enabled=half):
            return model(clips, rois).float()

    return score


def _in_fp32(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Keep a convolution out of autocast: torch 2.14 overruns memory in bf16 with a temporal stride of 8."""

    def run(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return forward(x.float())

    return run
