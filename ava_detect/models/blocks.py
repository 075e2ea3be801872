"""Residual blocks: y = ReLU(shortcut(x) + branch(x)), the temporal kernel on the branch's first convolution.

A network takes bottleneck blocks (depth 50, 101) or basic blocks (depth 18, 34); see ``pathway.DEPTHS``.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from ava_detect.models.norm import BatchNorm, Norm


class BottleneckBlock(nn.Module):
    """The block of ResNet-50 and ResNet-101: 1x1 down, 3x3, 1x1 up.

    ::

        x [N, C_in, T, H, W]
        |  a  kt x 1 x 1, norm, ReLU   [N, C_inner, T, H, W]
        |  b   1 x 3 x 3, norm, ReLU   [N, C_inner, T, H/s, W/s]    stride, dilation and groups are here
        |  c   1 x 1 x 1, norm         [N, C_out,   T, H/s, W/s]
        + shortcut(x), ReLU            identity, or 1 x 1 x 1 with stride and norm where the shape changes

    Args:
        in_channels: C_in.
        out_channels: C_out.
        inner_channels: C_inner, a multiple of ``groups``.
        temporal_kernel: kt of convolution a.
        stride: s, in space only.
        dilation: of convolution b, in space only.
        groups: of convolution b (ResNeXt).
        stride_on_1x1: put the stride on a instead of b, as the very first ResNets did.
        norm: makes the normalisation layers.

    Reference: SlowFast Networks, Table 1, rows res2 to res5; He et al., Deep Residual Learning, figure 5.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        inner_channels: int,
        temporal_kernel: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        stride_on_1x1: bool = False,
        norm: Norm,
    ) -> None:
        super().__init__()
        stride_a, stride_b = (stride, 1) if stride_on_1x1 else (1, stride)
        self.conv_a = nn.Conv3d(
            in_channels,
            inner_channels,
            kernel_size=(temporal_kernel, 1, 1),
            stride=(1, stride_a, stride_a),
            padding=(temporal_kernel // 2, 0, 0),
            bias=False,
        )
        self.norm_a = norm(inner_channels)
        self.conv_b = nn.Conv3d(
            inner_channels,
            inner_channels,
            kernel_size=(1, 3, 3),
            stride=(1, stride_b, stride_b),
            padding=(0, dilation, dilation),
            dilation=(1, dilation, dilation),
            groups=groups,
            bias=False,
        )
        self.norm_b = norm(inner_channels)
        self.conv_c = nn.Conv3d(inner_channels, out_channels, kernel_size=1, bias=False)
        self.norm_c = norm(out_channels)
        self.conv_shortcut, self.norm_shortcut = _projection(in_channels, out_channels, stride, norm)

    @property
    def final_norm(self) -> BatchNorm:
        """The norm that ends the branch; started at zero, it makes the block start as identity."""
        return self.norm_c

    @property
    def final_conv(self) -> nn.Conv3d:
        """The convolution that ends the branch."""
        return self.conv_c

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C_in, T, H, W] to [N, C_out, T, H/s, W/s]."""
        branch = F.relu(self.norm_a(self.conv_a(x)), inplace=True)  # [N, C_inner, T, H, W]
        branch = F.relu(self.norm_b(self.conv_b(branch)), inplace=True)  # [N, C_inner, T, H/s, W/s]
        branch = self.norm_c(self.conv_c(branch))  # [N, C_out, T, H/s, W/s]
        shortcut = self.norm_shortcut(self.conv_shortcut(x))
        return F.relu(shortcut + branch, inplace=True)


class BasicBlock(nn.Module):
    """The block of ResNet-18 and ResNet-34: two 3x3 convolutions.

    The first one carries the temporal kernel, as convolution a of the bottleneck does; the widths are those
    of the image networks (64, 128, 256, 512), without the bottleneck's factor of four.

    ::

        x [N, C_in, T, H, W]
        |  a  kt x 3 x 3, norm, ReLU   [N, C_out, T, H/s, W/s]
        |  b   1 x 3 x 3, norm         [N, C_out, T, H/s, W/s]
        + shortcut(x), ReLU

    Reference: He et al., Deep Residual Learning, figure 5. SlowFast's paper has no basic blocks; what was
    decided here is in docs/models.md.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        temporal_kernel: int,
        stride: int = 1,
        dilation: int = 1,
        norm: Norm,
    ) -> None:
        super().__init__()
        self.conv_a = nn.Conv3d(
            in_channels,
            out_channels,
            kernel_size=(temporal_kernel, 3, 3),
            stride=(1, stride, stride),
            padding=(temporal_kernel // 2, dilation, dilation),
            dilation=(1, dilation, dilation),
            bias=False,
        )
        self.norm_a = norm(out_channels)
        self.conv_b = nn.Conv3d(
            out_channels,
            out_channels,
            kernel_size=(1, 3, 3),
            padding=(0, dilation, dilation),
            dilation=(1, dilation, dilation),
            bias=False,
        )
        self.norm_b = norm(out_channels)
        self.conv_shortcut, self.norm_shortcut = _projection(in_channels, out_channels, stride, norm)

    @property
    def final_norm(self) -> BatchNorm:
        """The norm that ends the branch; started at zero, it makes the block start as identity."""
        return self.norm_b

    @property
    def final_conv(self) -> nn.Conv3d:
        """The convolution that ends the branch."""
        return self.conv_b

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C_in, T, H, W] to [N, C_out, T, H/s, W/s]."""
        branch = F.relu(self.norm_a(self.conv_a(x)), inplace=True)  # [N, C_out, T, H/s, W/s]
        branch = self.norm_b(self.conv_b(branch))  # [N, C_out, T, H/s, W/s]
        shortcut = self.norm_shortcut(self.conv_shortcut(x))
        return F.relu(shortcut + branch, inplace=True)


def _projection(in_channels: int, out_channels: int, stride: int, norm: Norm) -> tuple[nn.Module, nn.Module]:
    """Return the shortcut's convolution and norm; identities where the block keeps its input's shape."""
    if in_channels == out_channels and stride == 1:
        return nn.Identity(), nn.Identity()
    conv = nn.Conv3d(in_channels, out_channels, kernel_size=1, stride=(1, stride, stride), bias=False)
    return conv, norm(out_channels)
