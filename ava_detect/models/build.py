"""From a config to a network: the only file of this package that knows the keys.

``build_model`` and ``split_pathways`` are what the rest of the project calls.
"""

from fractions import Fraction
from math import log

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ava_detect.config import Config
from ava_detect.models.classification_head import ClassificationHead, Window
from ava_detect.models.cost import Cost, count_cost
from ava_detect.models.initialisation import initialise
from ava_detect.models.inputs import pathway_clips
from ava_detect.models.lateral import LateralSpec
from ava_detect.models.norm import Norm, batch_norm, frozen_batch_norm, sync_batch_norm
from ava_detect.models.pathway import (
    C2D_KERNELS,
    FAST_KERNELS,
    I3D_KERNELS,
    SLOW_KERNELS,
    InputForm,
    NonLocalSpec,
    PathwaySpec,
    TemporalKernels,
)
from ava_detect.models.roi_head import RoIHead
from ava_detect.models.slowfast import SlowFast

ONE_PATHWAY_KERNELS: dict[str, TemporalKernels] = {
    "slow": SLOW_KERNELS,
    "fast": FAST_KERNELS,
    "c2d": C2D_KERNELS,
    "slow_c2d": C2D_KERNELS,
    "i3d": I3D_KERNELS,
    "slow_i3d": I3D_KERNELS,
    "2d": C2D_KERNELS,
}
"""MODEL.ARCH -> temporal kernels of the networks with one pathway."""

TEMPORAL_POOL = {"c2d": 2, "i3d": 2}
"""MODEL.ARCH -> frames that the max pool after res2 takes together, where there is one."""


def build_model(cfg: Config) -> SlowFast:
    """Build the network that ``cfg`` describes, with its initial weights, in training mode.

    ``model(clips, boxes)`` takes one clip per pathway, slowest first, and boxes [R, 5] where DETECTION.ENABLE
    is set. It returns scores [R, K] or [N, K] in evaluation mode and logits in training mode.

    Raises:
        ValueError: the settings do not fit together in a way that ``load_config`` does not look for.
    """
    norm = _norm(cfg)
    pathways = pathway_specs(cfg)
    head = _roi_head(cfg, pathways) if cfg.DETECTION.ENABLE else _classification_head(cfg, pathways)
    lateral = LateralSpec(
        kind=cfg.SLOWFAST.LATERAL,
        kernel=cfg.SLOWFAST.FUSION_KERNEL_SZ,
        channel_ratio=cfg.SLOWFAST.FUSION_CONV_CHANNEL_RATIO,
        with_norm=cfg.SLOWFAST.LATERAL_NORM,
    )
    model = SlowFast(pathways, head, lateral=lateral, norm=norm)
    initialise(
        model,
        zero_final_norm=cfg.RESNET.ZERO_INIT_FINAL_BN,
        zero_final_conv=cfg.RESNET.ZERO_INIT_FINAL_CONV,
        linear_std=cfg.MODEL.FC_INIT_STD,
    )
    if cfg.MODEL.HEAD_BIAS_INIT == "prior":
        nn.init.constant_(head.classifier.bias, log(cfg.MODEL.PRIOR_PROB / (1 - cfg.MODEL.PRIOR_PROB)))
    return model


def split_pathways(clip: Tensor, cfg: Config) -> list[Tensor]:
    """Give each pathway of ``build_model(cfg)`` its frames of a clip, in its form.

    Args:
        clip: [N, 3, F, H, W], normalised RGB; F is DATA.NUM_FRAMES.
        cfg: the network's config.

    Returns:
        One clip per pathway, slowest first; [clip] where there is one.

    Raises:
        ValueError: F is not a multiple of α, or the clip has neither 3 channels nor 5 (flow supplied).
    """
    return pathway_clips(clip, pathway_specs(cfg), slow_frames=cfg.SLOWFAST.SLOW_FRAMES)


def estimate_cost(cfg: Config, *, height: int, width: int) -> Cost:
    """Count the parameters and the multiply-adds of ``build_model(cfg)`` for one clip, without running it.

    Args:
        cfg: the network's config.
        height: of the clip, pixels.
        width: of the clip, pixels.
    """
    with torch.device("meta"):  # shapes without memory
        model = build_model(cfg)
        # five channels, so that optical flow, where a pathway sees it, need not be computed
        clip = torch.empty(1, 5, cfg.DATA.NUM_FRAMES, height, width)
        return count_cost(model, split_pathways(clip, cfg))


def pathway_specs(cfg: Config) -> tuple[PathwaySpec, ...]:
    """Return what each pathway of ``cfg`` is made of, slowest first."""
    slowfast = cfg.SLOWFAST
    if slowfast.PATHWAYS:
        return tuple(
            _pathway(
                cfg,
                p,
                frame_ratio=entry.FRAME_RATIO,
                # YAML has decimal fractions only: 0.16667 means 1/6
                channel_ratio=Fraction(entry.CHANNEL_RATIO).limit_denominator(1024),
                kernels=entry.TEMPORAL_KERNELS,
                input_form=entry.INPUT,
                depth=entry.DEPTH,
                groups=entry.NUM_GROUPS,
            )
            for p, entry in enumerate(slowfast.PATHWAYS)
        )
    beta = Fraction(1, slowfast.BETA_INV)
    fast_input = slowfast.FAST_INPUT
    if cfg.MODEL.ARCH == "slowfast":
        return (
            _pathway(cfg, 0, kernels=SLOW_KERNELS),
            _pathway(
                cfg,
                1,
                frame_ratio=slowfast.ALPHA,
                channel_ratio=beta,
                kernels=FAST_KERNELS,
                input_form=fast_input,
            ),
        )
    if cfg.MODEL.ARCH == "fast":
        return (_pathway(cfg, 0, channel_ratio=beta, kernels=FAST_KERNELS, input_form=fast_input),)
    return (_pathway(cfg, 0, kernels=ONE_PATHWAY_KERNELS[cfg.MODEL.ARCH]),)


def _pathway(
    cfg: Config,
    p: int,
    *,
    frame_ratio: int = 1,
    channel_ratio: Fraction = Fraction(1),
    kernels: TemporalKernels,
    input_form: InputForm = "rgb",
    depth: int = 0,
    groups: int = 0,
) -> PathwaySpec:
    """Return pathway ``p``: what is special to it, and its entry in the settings that have one for each."""
    resnet, nonlocals = cfg.RESNET, cfg.NONLOCAL
    return PathwaySpec(
        frame_ratio=frame_ratio,
        channel_ratio=channel_ratio,
        temporal_kernels=kernels,
        input_form=input_form,
        depth=depth or resnet.DEPTH,
        width=resnet.STEM_WIDTH or resnet.WIDTH_PER_GROUP,
        inner_width=resnet.NUM_GROUPS * resnet.WIDTH_PER_GROUP,
        groups=groups or resnet.NUM_GROUPS,
        temporal_blocks=tuple(stage[p] for stage in resnet.NUM_BLOCK_TEMP_KERNEL),
        strides=tuple(stage[p] for stage in resnet.SPATIAL_STRIDES),
        dilations=tuple(stage[p] for stage in resnet.SPATIAL_DILATIONS),
        stride_on_1x1=resnet.STRIDE_1X1,
        temporal_pool=TEMPORAL_POOL.get(cfg.MODEL.ARCH, 1),
        nonlocals=NonLocalSpec(
            after=tuple(stage[p] for stage in nonlocals.LOCATION),
            pool=tuple(_window(stage[p]) for stage in nonlocals.POOL),
            time_groups=tuple(stage[p] for stage in nonlocals.GROUP),
            instantiation=nonlocals.INSTANTIATION,
            pool_first=nonlocals.POOL_FIRST,
            out_bias=nonlocals.OUT_BIAS,
        ),
    )


def _window(sizes: tuple[int, ...]) -> Window:
    """Return (t, h, w) as a tuple of that length."""
    frames, height, width = sizes
    return frames, height, width


def _roi_head(cfg: Config, pathways: tuple[PathwaySpec, ...]) -> RoIHead:
    slow_stride = cfg.DETECTION.SPATIAL_SCALE_FACTOR
    return RoIHead(
        [spec.stage_channels[-1] for spec in pathways],
        # a pathway at half resolution has half as many cells on a side
        [slow_stride * spec.stride // pathways[0].stride for spec in pathways],
        cfg.MODEL.NUM_CLASSES,
        resolution=cfg.DETECTION.ROI_XFORM_RESOLUTION,
        aligned=cfg.DETECTION.ALIGNED,
        temporal_pool=cfg.DETECTION.TEMPORAL_POOL,
        context=cfg.DETECTION.CONTEXT,
        concat=cfg.MODEL.HEAD_CONCAT,
        mlp_dim=cfg.DETECTION.MLP_DIM,
        background_column=cfg.DETECTION.BACKGROUND_COLUMN,
        dropout=cfg.MODEL.DROPOUT_RATE,
        detach=cfg.MODEL.DETACH_FINAL_FC,
        activation=cfg.MODEL.HEAD_ACT,
    )


def _classification_head(cfg: Config, pathways: tuple[PathwaySpec, ...]) -> ClassificationHead:
    windows = (
        None if cfg.MODEL.HEAD_POOL == "global" else [_training_map(cfg, spec, pathways) for spec in pathways]
    )
    return ClassificationHead(
        [spec.stage_channels[-1] for spec in pathways],
        cfg.MODEL.NUM_CLASSES,
        windows=windows,
        concat=cfg.MODEL.HEAD_CONCAT,
        dropout=cfg.MODEL.DROPOUT_RATE,
        detach=cfg.MODEL.DETACH_FINAL_FC,
        activation=cfg.MODEL.HEAD_ACT,
    )


def _training_map(cfg: Config, spec: PathwaySpec, pathways: tuple[PathwaySpec, ...]) -> Window:
    """Return (t, h, w) of the last map of one pathway for a clip of the training size."""
    if spec.input_form == "half":
        raise ValueError(
            "a pathway at half resolution has fewer window positions than the Slow one; "
            "set MODEL.HEAD_POOL global"
        )
    frames = cfg.DATA.NUM_FRAMES // pathways[-1].frame_ratio * spec.frame_ratio // spec.temporal_pool
    side = cfg.DATA.TRAIN_CROP_SIZE // spec.stride
    return frames, side, side


def _norm(cfg: Config) -> Norm:
    if cfg.MODEL.FROZEN_BN:
        return frozen_batch_norm
    if cfg.BN.NORM_TYPE == "batchnorm":
        return batch_norm
    if not dist.is_initialized() or cfg.BN.GLOBAL_SYNC:
        return sync_batch_norm()
    group, _ = dist.new_subgroups(min(cfg.BN.NUM_SYNC_DEVICES, dist.get_world_size()))
    return sync_batch_norm(group)
