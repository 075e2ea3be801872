"""One pathway: a column of the paper's Table 1, from conv1 to res5.

A ``PathwaySpec`` says in plain numbers what the column holds; ``Pathway`` is the network built from it. What
a pathway *is* in the paper's sense stands first in the spec: how many frames it sees, how wide it is, where
its temporal kernels are, and in what form it sees the clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Literal

from torch import nn

from ava_detect.models.blocks import BasicBlock, BottleneckBlock
from ava_detect.models.nonlocal_block import Instantiation, NonLocal
from ava_detect.models.norm import Norm
from ava_detect.models.stage import Stage
from ava_detect.models.stem import Stem

InputForm = Literal["rgb", "gray", "difference", "flow", "half"]

INPUT_CHANNELS = {"rgb": 3, "gray": 1, "difference": 1, "flow": 2, "half": 3}

STAGES = ("res2", "res3", "res4", "res5")

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Depth -> blocks of res2 .. res5."""

BASIC_DEPTHS = (18, 34)
"""Depths of basic blocks; the others are of bottlenecks."""

TemporalKernels = tuple[tuple[int, ...], ...]
"""For conv1, res2 .. res5: the temporal kernels of the blocks, repeated from the first block on."""

SLOW_KERNELS: TemporalKernels = ((1,), (1,), (1,), (3,), (3,))
FAST_KERNELS: TemporalKernels = ((5,), (3,), (3,), (3,), (3,))
C2D_KERNELS: TemporalKernels = ((1,), (1,), (1,), (1,), (1,))
I3D_KERNELS: TemporalKernels = ((5,), (3,), (3, 1), (3, 1), (1, 3))


@dataclass(frozen=True)
class NonLocalSpec:
    """Where the non-local blocks of a pathway stand, and of which kind they are (see ``NonLocal``).

    Attributes:
        after: for res2 .. res5, the indices of the blocks that one follows.
        pool: for res2 .. res5, the (t, h, w) of the max pool.
        time_groups: for res2 .. res5, runs of frames that do not see each other.
    """

    after: tuple[tuple[int, ...], ...] = ((), (), (), ())
    pool: tuple[tuple[int, int, int], ...] = ((1, 2, 2),) * 4
    time_groups: tuple[int, ...] = (1, 1, 1, 1)
    instantiation: Instantiation = "dot_product"
    pool_first: bool = True
    out_bias: bool = True


@dataclass(frozen=True)
class PathwaySpec:
    """What one pathway is made of.

    The paper's numbers:

    Attributes:
        frame_ratio: frames per frame of the slowest pathway; 1 for Slow, α for Fast.
        channel_ratio: channels per channel of the Slow pathway, rounded down; 1 for Slow, β = 1/8 for Fast.
        temporal_kernels: of conv1 and the blocks of res2 .. res5.
        input_form: what the pathway sees: RGB, gray values, differences, optical flow, half the resolution.

    The residual network's:

    Attributes:
        depth: 18, 34 (basic blocks), 50, 101 (bottlenecks).
        width: channels of conv1 before ``channel_ratio``; res2 .. res5 give 4, 8, 16, 32 times as
            many (bottlenecks) or 1, 2, 4, 8 times (basic blocks).
        inner_width: channels inside res2's bottlenecks before ``channel_ratio``; doubled in each next stage.
        groups: of the 3x3 convolutions of the bottlenecks (ResNeXt).
        temporal_blocks: for res2 .. res5, how many blocks follow ``temporal_kernels``; later ones have kernel
            1. None is all. It is 6 of res4's 23 in the networks called R101_50_50.
        strides: spatial, of the first block of res2 .. res5.
        dilations: spatial, of all blocks of res2 .. res5.
        stride_on_1x1: the stride is on the first 1x1 of a bottleneck, not on the 3x3.
        temporal_pool: max pool over so many frames after res2; 2 in C2D and I3D, else 1.
        nonlocals: where the non-local blocks are.
    """

    frame_ratio: int = 1
    channel_ratio: Fraction = Fraction(1)
    temporal_kernels: TemporalKernels = SLOW_KERNELS
    input_form: InputForm = "rgb"

    depth: int = 50
    width: int = 64
    inner_width: int = 64
    groups: int = 1
    temporal_blocks: tuple[int, ...] | None = None
    strides: tuple[int, ...] = (1, 2, 2, 2)
    dilations: tuple[int, ...] = (1, 1, 1, 1)
    stride_on_1x1: bool = False
    temporal_pool: int = 1
    nonlocals: NonLocalSpec = NonLocalSpec()

    def __post_init__(self) -> None:
        if self.depth not in DEPTHS:
            raise ValueError(f"depth {self.depth} is not one of {', '.join(map(str, DEPTHS))}")
        if self.input_form not in INPUT_CHANNELS:
            raise ValueError(f"input form {self.input_form!r} is not one of {', '.join(INPUT_CHANNELS)}")
        if any(kernel % 2 == 0 for pattern in self.temporal_kernels for kernel in pattern):
            raise ValueError(
                f"temporal kernels {self.temporal_kernels} are not all odd; even ones lose frames"
            )
        if self.is_basic and self.groups > 1:
            raise ValueError(
                f"depth {self.depth} has basic blocks, which have no groups; found {self.groups}"
            )
        if self.stem_channels == 0:
            raise ValueError(
                f"channel ratio {self.channel_ratio} leaves none of the stem's {self.width} channels"
            )
        if any(channels % self.groups for channels in self.inner_channels):
            raise ValueError(f"{self.inner_channels} inner channels do not divide into {self.groups} groups")

    @property
    def is_basic(self) -> bool:
        """Basic blocks, not bottlenecks."""
        return self.depth in BASIC_DEPTHS

    @property
    def blocks(self) -> tuple[int, ...]:
        """Blocks of res2 .. res5."""
        return DEPTHS[self.depth]

    @property
    def stem_channels(self) -> int:
        """Channels after conv1; 64 in Slow, 8 in Fast."""
        return floor(self.width * self.channel_ratio)

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """Channels after res2 .. res5; 256, 512, 1024, 2048 in Slow, an eighth in Fast."""
        expansion = 1 if self.is_basic else 4
        return tuple(floor(self.width * expansion * 2**k * self.channel_ratio) for k in range(4))

    @property
    def inner_channels(self) -> tuple[int, ...]:
        """Channels inside the bottlenecks of res2 .. res5; 64, 128, 256, 512 in Slow, an eighth in Fast."""
        return tuple(floor(self.inner_width * 2**k * self.channel_ratio) for k in range(4))

    @property
    def stride(self) -> int:
        """Pixels of the clip per cell of the last map: 32, or 16 for AVA; twice that at half resolution."""
        stride = 4 * (2 if self.input_form == "half" else 1)
        for stage_stride in self.strides:
            stride *= stage_stride
        return stride

    def block_kernels(self, stage: int) -> list[int]:
        """Return the temporal kernel of each block of stage 0 .. 3 (res2 .. res5)."""
        pattern = self.temporal_kernels[stage + 1]
        count = self.blocks[stage]
        temporal = count if self.temporal_blocks is None else self.temporal_blocks[stage]
        return [pattern[idx % len(pattern)] if idx < temporal else 1 for idx in range(count)]


class Pathway(nn.Module):
    """The stem and the four residual stages of one pathway.

    It has no ``forward``: ``SlowFast`` calls the parts one by one, as lateral connections join between them.

    Args:
        spec: what the pathway is made of.
        added_channels: channels that lateral connections add before res2 .. res5; 0 in the fastest pathway.
        norm: makes the normalisation layers.
    """

    def __init__(
        self, spec: PathwaySpec, *, added_channels: Sequence[int] = (0, 0, 0, 0), norm: Norm
    ) -> None:
        super().__init__()
        stages = []
        channels = spec.stem_channels
        for stage, added in enumerate(added_channels):
            stages.append(_build_stage(spec, stage, channels + added, norm))
            channels = spec.stage_channels[stage]
        self.stem = Stem(
            INPUT_CHANNELS[spec.input_form],
            spec.stem_channels,
            temporal_kernel=spec.temporal_kernels[0][0],
            norm=norm,
        )
        self.res2, self.res3, self.res4, self.res5 = stages
        self.temporal_pool = (
            nn.MaxPool3d((spec.temporal_pool, 1, 1)) if spec.temporal_pool > 1 else nn.Identity()
        )


def _build_stage(spec: PathwaySpec, stage: int, in_channels: int, norm: Norm) -> Stage:
    """Build stage 0 .. 3 (res2 .. res5) for an input of ``in_channels``."""
    blocks: list[nn.Module] = []
    for idx, kernel in enumerate(spec.block_kernels(stage)):
        first = idx == 0
        blocks.append(
            _build_block(
                spec,
                stage,
                in_channels if first else spec.stage_channels[stage],
                temporal_kernel=kernel,
                stride=spec.strides[stage] if first else 1,
                norm=norm,
            )
        )
    channels = spec.stage_channels[stage]
    nonlocals = {
        idx: NonLocal(
            channels,
            channels // 2,
            pool=spec.nonlocals.pool[stage],
            instantiation=spec.nonlocals.instantiation,
            time_groups=spec.nonlocals.time_groups[stage],
            pool_first=spec.nonlocals.pool_first,
            out_bias=spec.nonlocals.out_bias,
            norm=norm,
        )
        for idx in spec.nonlocals.after[stage]
    }
    return Stage(blocks, nonlocals)


def _build_block(
    spec: PathwaySpec, stage: int, in_channels: int, *, temporal_kernel: int, stride: int, norm: Norm
) -> nn.Module:
    if spec.is_basic:
        return BasicBlock(
            in_channels,
            spec.stage_channels[stage],
            temporal_kernel=temporal_kernel,
            stride=stride,
            dilation=spec.dilations[stage],
            norm=norm,
        )
    return BottleneckBlock(
        in_channels,
        spec.stage_channels[stage],
        inner_channels=spec.inner_channels[stage],
        temporal_kernel=temporal_kernel,
        stride=stride,
        dilation=spec.dilations[stage],
        groups=spec.groups,
        stride_on_1x1=spec.stride_on_1x1,
        norm=norm,
    )
