"""A Detectron2 Faster R-CNN arranged for inference: the same boxes, in less time.

Three steps, each with a method of its own: the trunk over the whole picture, the proposals of the RPN, and
the box head over the proposals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from detectron2.modeling import GeneralizedRCNN
from detectron2.modeling.proposal_generator import RPN
from detectron2.modeling.roi_heads import FastRCNNConvFCHead
from detectron2.structures import ImageList, Instances
from torch import Tensor, nn

from evaluation.errors import ConfigError
from person_detector.folding import fold_batch_norm
from person_detector.roi_pool import ChannelsLastPooler
from person_detector.trunk import OpenVinoTrunk, TorchTrunk, Trunk, TrunkOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class FasterRCNN:
    """Runs a Detectron2 model step by step.

    Folds its batch norms, lays convolutions out with the channels last, pools RoIs with
    ``ChannelsLastPooler`` on CPUs, and computes trunk and box head in the given precision; proposals, box
    coordinates and scores stay float32.

    Args:
        model: a Detectron2 ``GeneralizedRCNN`` with an RPN, weights loaded, on its device. It is changed, and
            must not be used otherwise afterwards.
        precision: "fp32", "bf16" or "fp16".
        backend: "torch", or "openvino" for the trunk on a CPU.

    Raises:
        ConfigError: the model is of another kind.
    """

    def __init__(self, model: nn.Module, *, precision: str = "fp32", backend: str = "torch") -> None:
        if not (isinstance(model, GeneralizedRCNN) and isinstance(model.proposal_generator, RPN)):
            raise ConfigError(
                f"the detector is a {type(model).__name__}; a GeneralizedRCNN with an RPN is expected"
            )
        model.eval().requires_grad_(False)
        fold_batch_norm(model)
        self._model, self.device = model, model.device
        self._dtype = DTYPES[precision]
        if self.device.type == "cpu":
            _pool_channels_last(model)
        _set_precision(_box_heads(model), self._dtype)
        trunk = TorchTrunk(
            model.backbone,
            model.proposal_generator.rpn_head,
            rpn_levels=model.proposal_generator.in_features,
            dtype=torch.float32 if backend == "openvino" else self._dtype,
        )
        self._trunk: Trunk = OpenVinoTrunk(trunk, precision=precision) if backend == "openvino" else trunk

    def normalise(self, pictures: Sequence[Tensor]) -> ImageList:
        """Normalise, pad and stack N pictures [3, H, W] in the channel order of the model."""
        images: ImageList = self._model.preprocess_image([{"image": picture.float()} for picture in pictures])
        return images

    def trunk(self, images: ImageList) -> TrunkOutput:
        """Run the part that works on whole pictures."""
        return self._trunk(images.tensor)

    def propose(self, images: ImageList, output: TrunkOutput) -> list[Instances]:
        """Return the regions that may hold an object, per picture, surest first."""
        rpn = self._model.proposal_generator
        anchors = rpn.anchor_generator([output.features[name] for name in rpn.in_features])
        proposals: list[Instances] = rpn.predict_proposals(
            anchors, output.objectness, output.deltas, images.image_sizes
        )
        return proposals

    def classify(self, images: ImageList, output: TrunkOutput, proposals: list[Instances]) -> list[Instances]:
        """Return classes, scores and refined boxes of the proposals, per picture, surest first.

        Boxes are in pixels of the pictures as given to ``normalise``.
        """
        results: list[Instances]
        results, _ = self._model.roi_heads(images, output.features, proposals, None)
        return results

    def __call__(self, pictures: Sequence[Tensor]) -> list[Instances]:
        """Detect on N pictures [3, H, W] of one size."""
        images = self.normalise(pictures)
        output = self.trunk(images)
        return self.classify(images, output, self.propose(images, output))


def _box_heads(model: GeneralizedRCNN) -> list[nn.Module]:
    """Return the box heads: one, or one per stage of a Cascade R-CNN."""
    heads = model.roi_heads.box_head
    return list(heads) if isinstance(heads, nn.ModuleList) else [heads]


def _pool_channels_last(model: GeneralizedRCNN) -> None:
    """Use ``ChannelsLastPooler`` where the pooled features go straight into fully connected layers.

    The columns of the first layer are put in the pooler's order, so the features need not be.
    """
    heads, pooler = _box_heads(model), model.roi_heads.box_pooler
    flat = [head for head in heads if isinstance(head, FastRCNNConvFCHead) and not head.conv_norm_relus]
    if len(flat) < len(heads) or not ChannelsLastPooler.supports(pooler):
        return
    for head in flat:
        first = head.fcs[0]
        weight = first.weight.unflatten(1, (-1, *pooler.output_size))  # [F, C, S, S]
        first.weight = nn.Parameter(weight.permute(0, 2, 3, 1).flatten(1).contiguous(), requires_grad=False)
    model.roi_heads.box_pooler = ChannelsLastPooler(pooler)


def _set_precision(heads: Sequence[nn.Module], dtype: torch.dtype) -> None:
    """Let the box heads compute in another type; what goes in and comes out stays float32."""
    if dtype == torch.float32:
        return
    for head in heads:
        head.to(dtype)
        head.register_forward_pre_hook(lambda _, args: tuple(arg.to(dtype) for arg in args))
        head.register_forward_hook(lambda _module, _args, output: output.float())
