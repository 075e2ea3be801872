"""Detector weights without training: every value follows from a seed and the tensor's name.

For tests and benchmarks where no trained weights can be had. The boxes mean nothing, but there are many of
them, with scores all over (0, 1), and activations keep the scale that they have in trained networks, so
rounding errors and speed are those of a real detector.
"""

import math
import zlib

import torch
from detectron2.modeling import GeneralizedRCNN
from torch import Tensor

_TYPICAL_DEVIATION = 60.0  # grey levels, of a photograph around its mean
_BRANCH_SCALE = 0.2  # a residual branch is weak against its shortcut, as after training
_RELU_GAIN, _LINEAR_GAIN = math.sqrt(2), 1.0

# Layers whose output is read as a number, and the deviation that it shall have.
_OUTPUT_DEVIATION = {
    "objectness_logits.weight": 2.0,
    "anchor_deltas.weight": 0.3,
    "cls_score.weight": 2.0,
    "bbox_pred.weight": 1.0,  # tenths of a box's size
}


def fill_detector(model: GeneralizedRCNN, *, seed: int = 0) -> None:
    """Set all weights of a Detectron2 R-CNN with a ResNet and a feature pyramid.

    Args:
        model: from Detectron2's ``build_model``; equal names and shapes get equal values on any machine.
        seed: another seed gives other values.
    """
    norms = _branch_ends(model)
    norms["backbone.bottom_up.stem.conv1.norm.weight"] = float(model.pixel_std.mean()) / _TYPICAL_DEVIATION
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("norm.weight"):
                tensor.fill_(norms.get(name, 1.0))
            elif name.endswith("running_var"):
                tensor.fill_(1.0)
            elif name.endswith("cls_score.bias"):
                tensor.zero_()[-1] = math.log(len(tensor))  # the background is the likeliest class
            elif tensor.ndim < 2:
                tensor.zero_()
            else:
                tensor.copy_(_weight(name, tensor.shape, seed))


def _branch_ends(model: GeneralizedRCNN) -> dict[str, float]:
    """Return the scale of the last norm of each residual block."""
    return {
        f"{prefix}.{'conv3' if hasattr(block, 'conv3') else 'conv2'}.norm.weight": _BRANCH_SCALE
        for prefix, block in model.named_modules()
        if hasattr(block, "shortcut")
    }


def _weight(name: str, shape: torch.Size, seed: int) -> Tensor:
    """Return normal values that keep the variance of what goes through the layer."""
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}:{name}".encode()))
    gain = _LINEAR_GAIN if ".fpn_" in name else _RELU_GAIN
    for ending, deviation in _OUTPUT_DEVIATION.items():
        if name.endswith(ending):
            gain = deviation
    return torch.randn(shape, generator=generator) * (gain / math.sqrt(shape[1:].numel()))
