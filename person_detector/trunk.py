"""The part of a Faster R-CNN that works on whole pictures: backbone, feature pyramid and RPN head.

It takes most of the time, knows no boxes, and has one tensor in and tensors out; so it is the part that runs
in lower precision or is compiled by OpenVINO.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from detectron2.modeling import Backbone
from torch import Tensor, nn

from ava_detect.acceleration.openvino_network import OpenVinoNetwork

_EXAMPLE_PX = 128  # OpenVINO traces the trunk once on a picture this large; the compiled one takes any size


@dataclass(frozen=True)
class TrunkOutput:
    """What the trunk computes for N pictures; everything float32.

    Attributes:
        features: level name -> [N, C, H, W], channels last in memory.
        objectness: per RPN level, [N, H * W * A] logits.
        deltas: per RPN level, [N, H * W * A, 4] box deltas.
    """

    features: dict[str, Tensor]
    objectness: list[Tensor]
    deltas: list[Tensor]


class Trunk(Protocol):
    """Either of the two below."""

    def __call__(self, pictures: Tensor) -> TrunkOutput:
        """Run on [N, 3, H, W] normalised, padded pictures."""


class TorchTrunk(nn.Module):
    """The trunk in PyTorch.

    Args:
        backbone: a Detectron2 backbone; its batch norms should be folded.
        rpn_head: a Detectron2 RPN head with 4 numbers per anchor.
        rpn_levels: names of the levels that the RPN sees.
        dtype: what it computes in.
    """

    def __init__(
        self, backbone: Backbone, rpn_head: nn.Module, *, rpn_levels: Sequence[str], dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.backbone, self.rpn_head = backbone, rpn_head
        self.rpn_levels, self.dtype = list(rpn_levels), dtype
        self.levels = list(backbone.output_shape())
        self.to(dtype=dtype).to(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor) -> TrunkOutput:
        """Run on [N, 3, H, W] pictures."""
        return _named(self.flat(pictures), self.levels)

    def flat(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Return features [N, H, W, C] of all levels, then objectness, then deltas; float32."""
        pictures = pictures.to(self.dtype).contiguous(memory_format=torch.channels_last)
        features = self.backbone(pictures)
        objectness, deltas = self.rpn_head([features[name] for name in self.rpn_levels])
        outputs = [features[name].permute(0, 2, 3, 1) for name in self.levels]
        outputs += [logits.permute(0, 2, 3, 1).flatten(1) for logits in objectness]
        outputs += [delta.permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, 4)) for delta in deltas]
        return tuple(output.float() for output in outputs)


class OpenVinoTrunk:
    """The trunk compiled by OpenVINO for this CPU; takes pictures of any size.

    Args:
        trunk: in float32; not needed afterwards.
        precision: "fp32" or "bf16".

    Raises:
        MissingDependencyError: OpenVINO is not installed.
        OpenVinoError: it cannot run this trunk.
    """

    def __init__(self, trunk: TorchTrunk, *, precision: str) -> None:
        self.levels = trunk.levels
        example = torch.zeros(1, 3, _EXAMPLE_PX, _EXAMPLE_PX)
        self._network = OpenVinoNetwork(
            _Flat(trunk),
            [example],
            shapes=[(-1, 3, -1, -1)],
            precision=precision,
            instead="--detector-backend torch",
        )

    def __call__(self, pictures: Tensor) -> TrunkOutput:
        """Run on [N, 3, H, W] pictures.

        Raises:
            OpenVinoError: it fails on these.
        """
        return _named(self._network(pictures), self.levels)


class _Flat(nn.Module):
    """A trunk whose forward pass gives plain tensors, which is what tracing needs."""

    def __init__(self, trunk: TorchTrunk) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return self.trunk.flat(pictures)


def _named(outputs: Sequence[Tensor], levels: Sequence[str]) -> TrunkOutput:
    """Sort the tensors of ``TorchTrunk.flat`` into their places."""
    count = len(levels)
    features = {
        name: feature.permute(0, 3, 1, 2) for name, feature in zip(levels, outputs[:count], strict=True)
    }
    middle = count + (len(outputs) - count) // 2
    return TrunkOutput(features, list(outputs[count:middle]), list(outputs[middle:]))
