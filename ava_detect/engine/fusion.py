"""A folded SlowFast network with each convolution, addition and ReLU in one step."""

from torch import Tensor, nn

from ava_detect.acceleration.onednn import FusedConvolution
from ava_detect.models import SlowFast
from ava_detect.models.blocks import BasicBlock, BottleneckBlock
from ava_detect.models.stem import Stem


def fuse_convolutions(model: SlowFast) -> None:
    """Put fused convolutions in the place of all others, in place.

    Args:
        model: folded (``models.folding``), on the CPU.
    """
    for parent in list(model.modules()):
        for name, part in parent.named_children():
            match part:
                case BottleneckBlock() | BasicBlock():
                    setattr(parent, name, FusedBlock(part))
                case Stem():
                    setattr(parent, name, FusedStem(part))
    for parent in list(model.modules()):  # lateral connections, non-local blocks
        for name, part in parent.named_children():
            if isinstance(part, nn.Conv3d):
                setattr(parent, name, FusedConvolution(part))


class FusedBlock(nn.Module):
    """A residual block of either kind: its last convolution adds the shortcut."""

    def __init__(self, block: BottleneckBlock | BasicBlock) -> None:
        super().__init__()
        convs = [block.conv_a, block.conv_b]
        if isinstance(block, BottleneckBlock):
            convs.append(block.conv_c)
        self.convs = nn.Sequential(*(FusedConvolution(conv, relu=True) for conv in convs[:-1]))
        self.last = FusedConvolution(convs[-1], relu=True)
        shortcut = block.conv_shortcut
        self.shortcut = FusedConvolution(shortcut) if isinstance(shortcut, nn.Conv3d) else shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C_in, T, H, W] to [N, C_out, T, H/s, W/s]."""
        return self.last(self.convs(x), self.shortcut(x))


class FusedStem(nn.Module):
    """conv1 with its ReLU, and pool1."""

    def __init__(self, stem: Stem) -> None:
        super().__init__()
        self.conv = FusedConvolution(stem.conv, relu=True)
        self.pool = stem.pool

    def forward(self, x: Tensor) -> Tensor:
        """Map frames [N, C_in, T, H, W] to features [N, C, T, H/4, W/4]."""
        return self.pool(self.conv(x))
