"""Settings that do not fit together, and why.

Each check yields the reason and the keys that it is about; ``check`` adds their values and origins. Called
when the values are converted and completed; nothing here touches a disk or a device.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import floor, prod

from ava_detect.config.origin import shown
from ava_detect.config.pathways import STAGES, PathwayShape, frames_after_res2, frames_of, pathways_of
from ava_detect.config.schema import Config, PathwaySettings
from evaluation.errors import ConfigError

Misfit = tuple[str, *tuple[str, ...]]  # the reason, then the keys

_STEM_STRIDE = 4  # convolution and max pool of the stem halve the picture each


def check(cfg: Config) -> None:
    """Raise for the first combination of settings that cannot be.

    Raises:
        ConfigError: with the keys, their values, where these came from, and why they do not fit.
    """
    for each in _CHECKS:
        for reason, *keys in each(cfg):
            raise ConfigError(f"{', '.join(_described(cfg, key) for key in keys)}: {reason}.")


def _described(cfg: Config, key: str) -> str:
    section, _, name = key.partition(".")
    value = getattr(getattr(cfg, section), name)
    if key == "SLOWFAST.PATHWAYS":  # long, and the reason says what is wrong in it
        return f"{key} ({cfg.origin(key)})"
    return f"{key} {value if isinstance(value, str) else shown(_listed(value))} ({cfg.origin(key)})"


def _listed(value: object) -> object:
    return [_listed(each) for each in value] if isinstance(value, tuple) else value


# ---- the network


def _pathways(cfg: Config) -> Iterator[Misfit]:
    entries = cfg.SLOWFAST.PATHWAYS
    if not entries:
        return
    if cfg.MODEL.ARCH != "slowfast":
        yield "explicit pathways need MODEL.ARCH slowfast", "SLOWFAST.PATHWAYS", "MODEL.ARCH"
    if entries[0].FRAME_RATIO != 1:
        yield "the first, slowest pathway has FRAME_RATIO 1", "SLOWFAST.PATHWAYS"
    for slower, faster in pairwise(entry.FRAME_RATIO for entry in entries):
        if faster % slower:
            yield f"FRAME_RATIO {faster} is no multiple of the slower pathway's {slower}", "SLOWFAST.PATHWAYS"
    for entry in entries:
        yield from _temporal_kernels(entry)


def _temporal_kernels(entry: PathwaySettings) -> Iterator[Misfit]:
    kernels = entry.TEMPORAL_KERNELS
    if len(kernels) != 1 + len(STAGES) or not all(kernels) or len(kernels[0]) != 1:
        yield (
            f"TEMPORAL_KERNELS has one kernel for the stem, then one or more for each of {', '.join(STAGES)}",
            "SLOWFAST.PATHWAYS",
        )
    if any(kernel % 2 == 0 for pattern in kernels for kernel in pattern):
        yield "temporal kernels are odd; even ones would lose frames", "SLOWFAST.PATHWAYS"


def _frames(cfg: Config) -> Iterator[Misfit]:
    pathways, frames = pathways_of(cfg), cfg.DATA.NUM_FRAMES
    fastest = pathways[-1].frame_ratio
    if frames % fastest:
        key = "SLOWFAST.PATHWAYS" if cfg.SLOWFAST.PATHWAYS else "SLOWFAST.ALPHA"
        reason = f"the Slow pathway takes one of {fastest} frames, and {frames} is no multiple of {fastest}"
        yield reason, "DATA.NUM_FRAMES", key
    elif frames_after_res2(cfg, pathways[0]) < 1:
        yield "the pool after res2 needs two frames or more", "DATA.NUM_FRAMES", "MODEL.ARCH"


def _channels(cfg: Config) -> Iterator[Misfit]:
    resnet = cfg.RESNET
    key = "SLOWFAST.PATHWAYS" if cfg.SLOWFAST.PATHWAYS else "SLOWFAST.BETA_INV"
    for pathway in pathways_of(cfg):
        groups = pathway.num_groups
        res2 = resnet.NUM_GROUPS * resnet.WIDTH_PER_GROUP
        inner = [_share(res2 * 2**i, pathway.channel_ratio) for i in range(len(STAGES))]
        stem = _share(resnet.STEM_WIDTH or resnet.WIDTH_PER_GROUP, pathway.channel_ratio)
        if min(stem, *inner) < 1:
            yield "a pathway would be left without a single channel", key, "RESNET.WIDTH_PER_GROUP"
        if pathway.is_basic and groups > 1:
            yield "basic blocks have no groups", "RESNET.NUM_GROUPS", "RESNET.DEPTH"
        if any(channels % groups for channels in inner):
            reason = f"{inner} inner channels of a pathway cannot be cut into {groups} groups"
            yield reason, "RESNET.NUM_GROUPS", key


def _share(channels: int, ratio: float) -> int:
    """Return a pathway's part of so many channels, rounded down; 1/3 as a float is still a third."""
    return floor(channels * ratio + 1e-6)


def _lateral(cfg: Config) -> Iterator[Misfit]:
    pathways = pathways_of(cfg)
    if len(pathways) > 1 and cfg.SLOWFAST.LATERAL == "conv" and cfg.SLOWFAST.FUSION_KERNEL_SZ % 2 == 0:
        yield "an even kernel gives another number of Slow frames", "SLOWFAST.FUSION_KERNEL_SZ"
    if cfg.SLOWFAST.LATERAL != "time_to_channel_sum":
        return
    for slower, faster in pairwise(pathways):
        packed = faster.channel_ratio * faster.frame_ratio / slower.frame_ratio
        if abs(packed - slower.channel_ratio) > 1e-6:
            reason = "a sum needs alpha Fast frames side by side to be as wide as one Slow frame"
            yield reason, "SLOWFAST.LATERAL", "SLOWFAST.ALPHA", "SLOWFAST.BETA_INV"


def _temporal_blocks(cfg: Config) -> Iterator[Misfit]:
    for p, pathway in enumerate(pathways_of(cfg)):
        for name, blocks, stage in zip(STAGES, pathway.blocks, cfg.RESNET.NUM_BLOCK_TEMP_KERNEL, strict=True):
            if stage[p] > blocks:
                reason = f"{name} has {blocks} blocks, not {stage[p]}"
                yield reason, "RESNET.NUM_BLOCK_TEMP_KERNEL", "RESNET.DEPTH"


def _strides(cfg: Config) -> Iterator[Misfit]:
    for name, stage in zip(STAGES, cfg.RESNET.SPATIAL_STRIDES, strict=True):
        if len(set(stage)) > 1:
            reason = f"the pathways' strides in {name} differ, so that their maps cannot be joined"
            yield reason, "RESNET.SPATIAL_STRIDES"


def _non_local(cfg: Config) -> Iterator[Misfit]:
    for p, pathway in enumerate(pathways_of(cfg)):
        for i, stage in enumerate(cfg.NONLOCAL.LOCATION):
            if stage[p]:
                yield from _non_local_blocks(cfg, i, p, pathway)


def _non_local_blocks(cfg: Config, i: int, p: int, pathway: PathwayShape) -> Iterator[Misfit]:
    """Check the non-local blocks of stage ``i`` of pathway ``p``."""
    location = cfg.NONLOCAL.LOCATION[i][p]
    group, pool = cfg.NONLOCAL.GROUP[i][p], cfg.NONLOCAL.POOL[i][p]
    if max(location) >= pathway.blocks[i] or len(set(location)) < len(location):
        reason = f"{STAGES[i]} has the blocks 0 to {pathway.blocks[i] - 1}, each to be named once at most"
        yield reason, "NONLOCAL.LOCATION", "RESNET.DEPTH"
    frames = frames_of(cfg, pathway) if i == 0 else frames_after_res2(cfg, pathway)
    if frames % group:
        yield f"{frames} frames cannot be cut into {group} groups", "NONLOCAL.GROUP", "DATA.NUM_FRAMES"
    if len(pool) != 3:
        yield "a pool has three sizes: frames, height, width", "NONLOCAL.POOL"
    elif pool[0] > frames // group:
        yield f"{frames // group} frames cannot be pooled by {pool[0]}", "NONLOCAL.POOL", "DATA.NUM_FRAMES"


def _heads(cfg: Config) -> Iterator[Misfit]:
    stride = _STEM_STRIDE * prod(stage[0] for stage in cfg.RESNET.SPATIAL_STRIDES)
    if cfg.DETECTION.ENABLE:
        if stride != cfg.DETECTION.SPATIAL_SCALE_FACTOR:
            reason = f"the strides make {stride} pixels per cell; boxes would be pooled in the wrong place"
            yield reason, "DETECTION.SPATIAL_SCALE_FACTOR", "RESNET.SPATIAL_STRIDES"
    elif cfg.MODEL.HEAD_POOL == "local":
        yield from _sliding_window(cfg, stride)


def _sliding_window(cfg: Config, stride: int) -> Iterator[Misfit]:
    """Check the classifier's window, as large as the training crop, that slides over the test crop."""
    window = cfg.DATA.TRAIN_CROP_SIZE // stride
    if window < 1:
        yield (
            f"the crop is smaller than one cell before the classifier, {stride} pixels",
            "DATA.TRAIN_CROP_SIZE",
        )
    if -(-cfg.DATA.TEST_CROP_SIZE // stride) < window:
        reason = "the classifier's window, as large as the training crop, does not fit into the test crop"
        yield reason, "DATA.TEST_CROP_SIZE", "DATA.TRAIN_CROP_SIZE"
    if any(pathway.input_form == "half" for pathway in pathways_of(cfg)):
        yield (
            "a pathway at half the resolution has other window positions; it needs global",
            "MODEL.HEAD_POOL",
        )


# ---- data and training


def _clips(cfg: Config) -> Iterator[Misfit]:
    data = cfg.DATA
    for key in ("MEAN", "STD"):
        if len(getattr(data, key)) != 3:
            yield "expected three numbers: red, green, blue", f"DATA.{key}"
    if not _is_range(data.TRAIN_JITTER_SCALES):
        yield "expected the least and the greatest short side", "DATA.TRAIN_JITTER_SCALES"
    for key in ("TRAIN_JITTER_SCALES_RELATIVE", "TRAIN_JITTER_ASPECT_RELATIVE"):
        if getattr(data, key) and not _is_range(getattr(data, key)):
            yield "expected the least and the greatest, or nothing", f"DATA.{key}"
    if not data.TRAIN_JITTER_SCALES_RELATIVE and data.TRAIN_JITTER_SCALES[0] < data.TRAIN_CROP_SIZE:
        reason = "a crop cannot be cut out of a smaller picture"
        yield reason, "DATA.TRAIN_JITTER_SCALES", "DATA.TRAIN_CROP_SIZE"
    if [len(row) for row in (data.TRAIN_PCA_EIGVAL, *data.TRAIN_PCA_EIGVEC)] != [3, 3, 3, 3]:
        yield "expected 3 numbers and 3 x 3 numbers", "DATA.TRAIN_PCA_EIGVAL", "DATA.TRAIN_PCA_EIGVEC"
    if cfg.AVA.TRAIN_BOX_JITTER >= 0.5:
        yield "from 0.5 on boxes turn inside out", "AVA.TRAIN_BOX_JITTER"


def _seconds(cfg: Config) -> Iterator[Misfit]:
    seconds = cfg.AVA.VALID_SECONDS
    if not isinstance(seconds, str) and not _is_range(seconds):
        yield "expected the first and the last second, or auto", "AVA.VALID_SECONDS"


def _is_range(numbers: Sequence[float]) -> bool:
    return len(numbers) == 2 and numbers[0] <= numbers[1]


def _schedule(cfg: Config) -> Iterator[Misfit]:
    solver = cfg.SOLVER
    if solver.LR_POLICY == "steps_with_relative_lrs":
        yield from _steps(cfg)
        return
    if len(solver.BETAS) != 2 or max(solver.BETAS) == 1:
        yield "expected two numbers below 1", "SOLVER.BETAS"
    if solver.COSINE_END_LR > solver.BASE_LR:
        yield "the cosine goes down, not up", "SOLVER.COSINE_END_LR", "SOLVER.BASE_LR"
    if solver.COSINE_AFTER_WARMUP and solver.WARMUP_EPOCHS >= solver.MAX_EPOCH:
        yield "nothing is left for the cosine after the warm-up", "SOLVER.WARMUP_EPOCHS", "SOLVER.MAX_EPOCH"


def _steps(cfg: Config) -> Iterator[Misfit]:
    solver = cfg.SOLVER
    if (
        not solver.STEPS
        or solver.STEPS[0] != 0
        or any(late <= early for early, late in pairwise(solver.STEPS))
    ):
        yield "expected ascending epochs that begin with 0", "SOLVER.STEPS"
    reached = sum(step < solver.MAX_EPOCH for step in solver.STEPS)
    if len(solver.LRS) < reached:
        reason = f"{reached} steps begin before epoch {solver.MAX_EPOCH}, each needs a rate"
        yield reason, "SOLVER.LRS", "SOLVER.STEPS"


def _optimiser(cfg: Config) -> Iterator[Misfit]:
    solver = cfg.SOLVER
    if solver.NESTEROV and solver.MOMENTUM == 0:
        yield "Nesterov's form needs momentum", "SOLVER.NESTEROV", "SOLVER.MOMENTUM"
    if solver.NESTEROV and solver.DAMPENING > 0:
        yield "Nesterov's form has no dampening", "SOLVER.NESTEROV", "SOLVER.DAMPENING"
    if solver.CLIP_GRAD_VAL is not None and solver.CLIP_GRAD_L2NORM is not None:
        yield "clip by value or by norm, not both", "SOLVER.CLIP_GRAD_VAL", "SOLVER.CLIP_GRAD_L2NORM"
    if solver.EMA_DECAY == 1:
        yield "with 1 the averaged weights never change", "SOLVER.EMA_DECAY"
    if cfg.TRAIN.BATCH_SIZE % solver.GRAD_ACCUMULATION:
        yield "the batch cannot be cut into equal parts", "SOLVER.GRAD_ACCUMULATION", "TRAIN.BATCH_SIZE"
    if cfg.MODEL.HEAD_BIAS_INIT == "prior" and cfg.MODEL.PRIOR_PROB in (0, 1):
        yield "a probability between 0 and 1, neither of them", "MODEL.PRIOR_PROB"


_CHECKS: Sequence[Callable[[Config], Iterator[Misfit]]] = (
    _pathways,
    _frames,
    _channels,
    _lateral,
    _temporal_blocks,
    _strides,
    _non_local,
    _heads,
    _clips,
    _seconds,
    _schedule,
    _optimiser,
)
