"""The pathways that a configuration asks for, as far as settings have to agree with them.

The models derive temporal kernels and widths themselves; here are the numbers that decide whether settings
fit: how many pathways, their frames, their blocks.
"""

from dataclasses import dataclass

from ava_detect.config.schema import Config, InputForm

STAGES = ("res2", "res3", "res4", "res5")
BLOCKS: dict[int, tuple[int, ...]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
}
BASIC_DEPTHS = (18, 34)

_POOLED_ARCHS = ("c2d", "i3d")  # a max pool after res2 halves the number of frames


@dataclass(frozen=True)
class PathwayShape:
    """What other settings must fit: one pathway's share of frames and channels, its depth, its input."""

    frame_ratio: int
    channel_ratio: float
    depth: int
    num_groups: int
    input_form: InputForm

    @property
    def blocks(self) -> tuple[int, ...]:
        """Blocks of res2..res5."""
        return BLOCKS[self.depth]

    @property
    def is_basic(self) -> bool:
        """Built of basic blocks, not of bottlenecks."""
        return self.depth in BASIC_DEPTHS

    @property
    def input_channels(self) -> int:
        """Channels of the clip that the stem sees."""
        return {"rgb": 3, "half": 3, "gray": 1, "difference": 1, "flow": 2}[self.input_form]


def pathways_of(cfg: Config) -> tuple[PathwayShape, ...]:
    """Return the pathways, slowest first: SLOWFAST.PATHWAYS, or what follows from MODEL.ARCH."""
    slowfast, depth, groups = cfg.SLOWFAST, cfg.RESNET.DEPTH, cfg.RESNET.NUM_GROUPS
    if slowfast.PATHWAYS:
        return tuple(
            PathwayShape(
                each.FRAME_RATIO,
                each.CHANNEL_RATIO,
                each.DEPTH or depth,
                each.NUM_GROUPS or groups,
                each.INPUT,
            )
            for each in slowfast.PATHWAYS
        )
    slow = PathwayShape(1, 1.0, depth, groups, "rgb")
    if cfg.MODEL.ARCH == "slowfast":
        fast = PathwayShape(slowfast.ALPHA, 1 / slowfast.BETA_INV, depth, groups, slowfast.FAST_INPUT)
        return slow, fast
    if cfg.MODEL.ARCH == "fast":
        return (PathwayShape(1, 1 / slowfast.BETA_INV, depth, groups, slowfast.FAST_INPUT),)
    return (slow,)


def frames_of(cfg: Config, pathway: PathwayShape) -> int:
    """Return the number of frames that one pathway sees."""
    return cfg.DATA.NUM_FRAMES // pathways_of(cfg)[-1].frame_ratio * pathway.frame_ratio


def frames_after_res2(cfg: Config, pathway: PathwayShape) -> int:
    """Return the number of frames of one pathway from res3 on."""
    frames = frames_of(cfg, pathway)
    return frames // 2 if cfg.MODEL.ARCH in _POOLED_ARCHS else frames
