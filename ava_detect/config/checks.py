"""Settings that do not fit together: each check names the keys, their values, and the reason.

Called once the values are converted and completed; nothing here touches a disk or a device.
"""

from collections.abc import Callable, Sequence
from math import floor, prod

from ava_detect.config.pathways import STAGES, PathwayShape, frames_after_res2, frames_of, pathways_of
from ava_detect.config.schema import Config
from evaluation.errors import ConfigError

_STEM_STRIDE = 4  # convolution and max pool of the stem halve the picture each


def check(cfg: Config) -> None:
    """Raise for the first combination of settings that cannot be.

    Raises:
        ConfigError: with the keys, where their values came from, and why they do not fit.
    """
    for each in _CHECKS:
        each(cfg)


def _pathways(cfg: Config) -> None:
    entries = cfg.SLOWFAST.PATHWAYS
    if not entries:
        return
    if cfg.MODEL.ARCH != "slowfast":
        raise _misfit(
            cfg, "SLOWFAST.PATHWAYS", "MODEL.ARCH", reason="explicit pathways need MODEL.ARCH slowfast"
        )
    if entries[0].FRAME_RATIO != 1:
        raise _misfit(cfg, "SLOWFAST.PATHWAYS", reason="the first, slowest pathway has FRAME_RATIO 1")
    for slower, faster in zip(entries, entries[1:], strict=False):
        if faster.FRAME_RATIO % slower.FRAME_RATIO:
            raise _misfit(
                cfg,
                "SLOWFAST.PATHWAYS",
                reason=f"FRAME_RATIO {faster.FRAME_RATIO} is no multiple of the slower pathway's {slower.FRAME_RATIO}",
            )
    for entry in entries:
        kernels = entry.TEMPORAL_KERNELS
        if len(kernels) != 1 + len(STAGES) or not all(kernels) or len(kernels[0]) != 1:
            raise _misfit(
                cfg,
                "SLOWFAST.PATHWAYS",
                reason=f"TEMPORAL_KERNELS has five entries: one kernel for the stem, one or more each for "
                f"{', '.join(STAGES)}",
            )
        if any(kernel % 2 == 0 for pattern in kernels for kernel in pattern):
            raise _misfit(
                cfg, "SLOWFAST.PATHWAYS", reason="temporal kernels are odd; even ones would lose frames"
            )


def _frames(cfg: Config) -> None:
    fastest = pathways_of(cfg)[-1].frame_ratio
    if cfg.DATA.NUM_FRAMES % fastest:
        key = "SLOWFAST.PATHWAYS" if cfg.SLOWFAST.PATHWAYS else "SLOWFAST.ALPHA"
        raise _misfit(
            cfg,
            "DATA.NUM_FRAMES",
            key,
            reason=f"the Slow pathway takes one of {fastest} frames, and {cfg.DATA.NUM_FRAMES} is no multiple "
            f"of {fastest}",
        )
    slowest = pathways_of(cfg)[0]
    if frames_after_res2(cfg, slowest) < 1:
        raise _misfit(
            cfg, "DATA.NUM_FRAMES", "MODEL.ARCH", reason="the pool after res2 needs two frames or more"
        )


def _channels(cfg: Config) -> None:
    resnet = cfg.RESNET
    key = "SLOWFAST.PATHWAYS" if cfg.SLOWFAST.PATHWAYS else "SLOWFAST.BETA_INV"
    for pathway in pathways_of(cfg):
        inner = [
            _share(resnet.NUM_GROUPS * resnet.WIDTH_PER_GROUP * 2**i, pathway.channel_ratio)
            for i in range(len(STAGES))
        ]
        stem = _share(resnet.STEM_WIDTH or resnet.WIDTH_PER_GROUP, pathway.channel_ratio)
        if min(stem, *inner) < 1:
            raise _misfit(
                cfg, key, "RESNET.WIDTH_PER_GROUP", reason="a pathway would be left without a single channel"
            )
        if pathway.is_basic and pathway.num_groups > 1:
            raise _misfit(cfg, "RESNET.NUM_GROUPS", "RESNET.DEPTH", reason="basic blocks have no groups")
        if any(channels % pathway.num_groups for channels in inner):
            raise _misfit(
                cfg,
                "RESNET.NUM_GROUPS",
                key,
                reason=f"{inner} inner channels of a pathway cannot be cut into {pathway.num_groups} groups",
            )


def _lateral(cfg: Config) -> None:
    pathways = pathways_of(cfg)
    if len(pathways) == 1:
        return
    if cfg.SLOWFAST.LATERAL == "conv" and cfg.SLOWFAST.FUSION_KERNEL_SZ % 2 == 0:
        raise _misfit(
            cfg, "SLOWFAST.FUSION_KERNEL_SZ", reason="an even kernel gives another number of Slow frames"
        )
    if cfg.SLOWFAST.LATERAL != "time_to_channel_sum":
        return
    for slower, faster in zip(pathways, pathways[1:], strict=False):
        packed = faster.channel_ratio * faster.frame_ratio / slower.frame_ratio
        if abs(packed - slower.channel_ratio) > 1e-6:
            raise _misfit(
                cfg,
                "SLOWFAST.LATERAL",
                "SLOWFAST.ALPHA",
                "SLOWFAST.BETA_INV",
                reason="a sum needs equal channels: alpha Fast frames side by side must be as wide as a Slow one",
            )


def _temporal_blocks(cfg: Config) -> None:
    for pathway_idx, pathway in enumerate(pathways_of(cfg)):
        for name, blocks, stage in zip(STAGES, pathway.blocks, cfg.RESNET.NUM_BLOCK_TEMP_KERNEL, strict=True):
            if stage[pathway_idx] > blocks:
                raise _misfit(
                    cfg,
                    "RESNET.NUM_BLOCK_TEMP_KERNEL",
                    "RESNET.DEPTH",
                    reason=f"{name} has {blocks} blocks, not {stage[pathway_idx]}",
                )


def _strides(cfg: Config) -> None:
    for name, stage in zip(STAGES, cfg.RESNET.SPATIAL_STRIDES, strict=True):
        if len(set(stage)) > 1:
            raise _misfit(
                cfg,
                "RESNET.SPATIAL_STRIDES",
                reason=f"the pathways' strides in {name} differ, so that their maps cannot be joined",
            )


def _non_local(cfg: Config) -> None:
    for pathway_idx, pathway in enumerate(pathways_of(cfg)):
        for i in range(len(STAGES)):
            if cfg.NONLOCAL.LOCATION[i][pathway_idx]:
                _non_local_blocks(cfg, i, pathway_idx, pathway)


def _non_local_blocks(cfg: Config, i: int, pathway_idx: int, pathway: PathwayShape) -> None:
    """Check the non-local blocks of stage ``i`` of one pathway."""
    location = cfg.NONLOCAL.LOCATION[i][pathway_idx]
    group, pool = cfg.NONLOCAL.GROUP[i][pathway_idx], cfg.NONLOCAL.POOL[i][pathway_idx]
    if max(location) >= pathway.blocks[i] or len(set(location)) < len(location):
        raise _misfit(
            cfg,
            "NONLOCAL.LOCATION",
            "RESNET.DEPTH",
            reason=f"{STAGES[i]} has the blocks 0 to {pathway.blocks[i] - 1}, each named once at most",
        )
    if len(pool) != 3:
        raise _misfit(cfg, "NONLOCAL.POOL", reason="a pool has three sizes: frames, height, width")
    frames = frames_of(cfg, pathway) if i == 0 else frames_after_res2(cfg, pathway)
    if frames % group:
        raise _misfit(
            cfg,
            "NONLOCAL.GROUP",
            "DATA.NUM_FRAMES",
            reason=f"{frames} frames cannot be cut into {group} groups",
        )
    if pool[0] > frames // group:
        raise _misfit(
            cfg,
            "NONLOCAL.POOL",
            "DATA.NUM_FRAMES",
            reason=f"{frames // group} frames cannot be pooled by {pool[0]}",
        )


def _heads(cfg: Config) -> None:
    stride = _STEM_STRIDE * prod(stage[0] for stage in cfg.RESNET.SPATIAL_STRIDES)
    if cfg.DETECTION.ENABLE:
        if stride != cfg.DETECTION.SPATIAL_SCALE_FACTOR:
            raise _misfit(
                cfg,
                "DETECTION.SPATIAL_SCALE_FACTOR",
                "RESNET.SPATIAL_STRIDES",
                reason=f"the strides make {stride} pixels per cell; boxes would be pooled in the wrong place",
            )
        return
    if cfg.MODEL.HEAD_POOL == "global":
        return
    window = cfg.DATA.TRAIN_CROP_SIZE // stride
    if window < 1:
        raise _misfit(
            cfg,
            "DATA.TRAIN_CROP_SIZE",
            reason=f"one cell before the classifier is {stride} pixels; the crop is less",
        )
    if -(-cfg.DATA.TEST_CROP_SIZE // stride) < window:
        raise _misfit(
            cfg,
            "DATA.TEST_CROP_SIZE",
            "DATA.TRAIN_CROP_SIZE",
            reason="the classifier's window, as large as the training crop, does not fit into the test crop",
        )
    if any(pathway.input_form == "half" for pathway in pathways_of(cfg)):
        raise _misfit(
            cfg,
            "MODEL.HEAD_POOL",
            reason="a pathway at half the resolution has other window positions; it needs MODEL.HEAD_POOL global",
        )


def _clips(cfg: Config) -> None:
    data = cfg.DATA
    for key, values in (("DATA.MEAN", data.MEAN), ("DATA.STD", data.STD)):
        if len(values) != 3:
            raise _misfit(cfg, key, reason="expected three numbers: red, green, blue")
    if len(data.TRAIN_JITTER_SCALES) != 2 or data.TRAIN_JITTER_SCALES[0] > data.TRAIN_JITTER_SCALES[1]:
        raise _misfit(
            cfg, "DATA.TRAIN_JITTER_SCALES", reason="expected the least and the greatest short side"
        )
    for key in ("TRAIN_JITTER_SCALES_RELATIVE", "TRAIN_JITTER_ASPECT_RELATIVE"):
        pair = getattr(data, key)
        if pair and (len(pair) != 2 or pair[0] > pair[1]):
            raise _misfit(cfg, f"DATA.{key}", reason="expected nothing, or the least and the greatest")
    if not data.TRAIN_JITTER_SCALES_RELATIVE and data.TRAIN_JITTER_SCALES[0] < data.TRAIN_CROP_SIZE:
        raise _misfit(
            cfg,
            "DATA.TRAIN_JITTER_SCALES",
            "DATA.TRAIN_CROP_SIZE",
            reason="a crop cannot be cut out of a smaller picture",
        )
    if [len(row) for row in (data.TRAIN_PCA_EIGVAL, *data.TRAIN_PCA_EIGVEC)] != [3, 3, 3, 3]:
        raise _misfit(
            cfg,
            "DATA.TRAIN_PCA_EIGVAL",
            "DATA.TRAIN_PCA_EIGVEC",
            reason="expected 3 numbers and 3 x 3 numbers",
        )


def _ava(cfg: Config) -> None:
    seconds = cfg.AVA.VALID_SECONDS
    if not isinstance(seconds, str) and (len(seconds) != 2 or seconds[0] > seconds[1]):
        raise _misfit(cfg, "AVA.VALID_SECONDS", reason="expected the first and the last second, or auto")


def _schedule(cfg: Config) -> None:
    solver = cfg.SOLVER
    if solver.LR_POLICY == "cosine":
        if solver.COSINE_END_LR > solver.BASE_LR:
            raise _misfit(
                cfg, "SOLVER.COSINE_END_LR", "SOLVER.BASE_LR", reason="the cosine goes down, not up"
            )
        if solver.COSINE_AFTER_WARMUP and solver.WARMUP_EPOCHS >= solver.MAX_EPOCH:
            raise _misfit(
                cfg,
                "SOLVER.WARMUP_EPOCHS",
                "SOLVER.MAX_EPOCH",
                reason="nothing is left for the cosine after it",
            )
        return
    if not solver.STEPS or solver.STEPS[0] != 0 or not _ascending(solver.STEPS):
        raise _misfit(cfg, "SOLVER.STEPS", reason="expected ascending epochs that begin with 0")
    reached = [step for step in solver.STEPS if step < solver.MAX_EPOCH]
    if len(solver.LRS) < len(reached):
        raise _misfit(
            cfg,
            "SOLVER.LRS",
            "SOLVER.STEPS",
            reason=f"{len(reached)} steps are reached before epoch {solver.MAX_EPOCH}, each needs a rate",
        )


def _optimiser(cfg: Config) -> None:
    solver = cfg.SOLVER
    if solver.NESTEROV and (solver.MOMENTUM == 0 or solver.DAMPENING > 0):
        raise _misfit(
            cfg,
            "SOLVER.NESTEROV",
            "SOLVER.MOMENTUM",
            "SOLVER.DAMPENING",
            reason="Nesterov's form needs momentum, and no dampening",
        )
    if solver.CLIP_GRAD_VAL is not None and solver.CLIP_GRAD_L2NORM is not None:
        raise _misfit(
            cfg,
            "SOLVER.CLIP_GRAD_VAL",
            "SOLVER.CLIP_GRAD_L2NORM",
            reason="clip by value or by norm, not both",
        )
    if solver.EMA_DECAY == 1:
        raise _misfit(cfg, "SOLVER.EMA_DECAY", reason="with 1 the averaged weights never change")
    if cfg.TRAIN.BATCH_SIZE % solver.GRAD_ACCUMULATION:
        raise _misfit(
            cfg,
            "SOLVER.GRAD_ACCUMULATION",
            "TRAIN.BATCH_SIZE",
            reason="the batch cannot be cut into equal parts",
        )
    if cfg.MODEL.HEAD_BIAS_INIT == "prior" and cfg.MODEL.PRIOR_PROB in (0, 1):
        raise _misfit(cfg, "MODEL.PRIOR_PROB", reason="a probability between 0 and 1, neither of them")


_CHECKS: Sequence[Callable[[Config], None]] = (
    _pathways,
    _frames,
    _channels,
    _lateral,
    _temporal_blocks,
    _strides,
    _non_local,
    _heads,
    _clips,
    _ava,
    _schedule,
    _optimiser,
)


def _share(channels: int, ratio: float) -> int:
    """Return a pathway's part of so many channels, rounded down; 1/3 as a float is still a third."""
    return floor(channels * ratio + 1e-6)


def _ascending(values: Sequence[float]) -> bool:
    return all(first < second for first, second in zip(values, values[1:], strict=False))


def _misfit(cfg: Config, *keys: str, reason: str) -> ConfigError:
    """Say the keys with their values and origins, then the reason."""
    parts = []
    for key in keys:
        section, _, name = key.partition(".")
        value = getattr(getattr(cfg, section), name)
        text = f" {_as_text(value)}" if key != "SLOWFAST.PATHWAYS" else ""
        parts.append(f"{key}{text} ({cfg.origin(key)})")
    return ConfigError(f"{', '.join(parts)}: {reason}.")


def _as_text(value: object) -> str:
    return str([_listed(each) for each in value]) if isinstance(value, tuple) else str(value)


def _listed(value: object) -> object:
    return [_listed(each) for each in value] if isinstance(value, tuple) else value
