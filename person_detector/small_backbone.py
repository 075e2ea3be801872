"""A narrow ResNet-18 with a feature pyramid: the backbone of the small detector that comes with the project.

Detectron2's own builder insists on 64 channels for ResNet-18; this one takes the widths of the stages from
``MODEL.RESNETS.STAGE_CHANNELS``, so that a half-width detector fits into a few megabytes.
"""

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, FPN
from detectron2.modeling.backbone.fpn import LastLevelMaxPool
from detectron2.modeling.backbone.resnet import BasicBlock, BasicStem, ResNet

_BLOCKS_PER_STAGE = 2


@BACKBONE_REGISTRY.register()
def build_narrow_resnet18_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPN:
    """Build the backbone that a config names, of as many basic-block stages as it has widths.

    Reference: He et al., Deep Residual Learning (CVPR 2016), table 1, 18 layers; Lin et al., Feature Pyramid
    Networks (CVPR 2017).
    """
    norm, width = cfg.MODEL.RESNETS.NORM, cfg.MODEL.RESNETS.STEM_OUT_CHANNELS
    stages = []
    channels = width
    for stage, out_channels in enumerate(cfg.MODEL.RESNETS.STAGE_CHANNELS):
        stride = 1 if stage == 0 else 2
        stages.append(
            ResNet.make_stage(
                BasicBlock,
                _BLOCKS_PER_STAGE,
                stride_per_block=[stride, *[1] * (_BLOCKS_PER_STAGE - 1)],
                in_channels=channels,
                out_channels=out_channels,
                norm=norm,
            )
        )
        channels = out_channels
    stem = BasicStem(in_channels=input_shape.channels, out_channels=width, norm=norm)
    resnet = ResNet(
        stem, stages, out_features=cfg.MODEL.RESNETS.OUT_FEATURES, freeze_at=cfg.MODEL.BACKBONE.FREEZE_AT
    )
    return FPN(
        bottom_up=resnet,
        in_features=cfg.MODEL.FPN.IN_FEATURES,
        out_channels=cfg.MODEL.FPN.OUT_CHANNELS,
        norm=cfg.MODEL.FPN.NORM,
        top_block=LastLevelMaxPool(),
    )
