"""A residual stage: one row res2 .. res5 of the paper's Table 1, in one pathway."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from ava_detect.models.nonlocal_block import NonLocal


class Stage(nn.Module):
    """Residual blocks in a row, with non-local blocks after some of them.

    Args:
        blocks: the first one changes channels and, with its stride, the size; the others keep both.
        nonlocals: the index of a block -> the non-local block that follows it.
    """

    def __init__(self, blocks: Sequence[nn.Module], nonlocals: Mapping[int, NonLocal]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.nonlocals = nn.ModuleDict({str(idx): block for idx, block in nonlocals.items()})

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C_in, T, H, W] to [N, C_out, T, H/s, W/s]."""
        for idx, block in enumerate(self.blocks):
            x = block(x)
            if str(idx) in self.nonlocals:
                x = self.nonlocals[str(idx)](x)
        return x
