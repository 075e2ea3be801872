"""Lateral connections: the arrows of the paper's Figure 1, from a faster pathway to the next slower one.

A connection takes both pathways' maps and returns what the slower pathway goes on with; the faster pathway's
map goes on unchanged. With r = the faster pathway's frames per frame of the slower one (α where there are two
pathways), the joined map has ``added_channels`` more channels than the slower one had.

========================  ========================================================  ==============
kind                      the faster map {rT, S², C} becomes                        added channels
========================  ========================================================  ==============
``conv`` (default)        convolution k x 1², stride r in time: {T, S², ratio · C}  ratio · C
``time_to_channel_sum``   r frames in the channels of one: {T, S², rC}, added       0
``time_to_channel_concat``  the same, concatenated                                  rC
``sample``                every r-th frame: {T, S², C}                              C
``none``                  nothing                                                   0
========================  ========================================================  ==============

What the paper leaves open, and what is done here (docs/models.md has the reasons):

- time-to-channel packs frame by frame: first all channels of the first of the r frames;
- time-to-channel and sample have no norm and no ReLU: the paper's cost has no room for another layer;
- sample takes the first frame of each r, the one at the centre of the convolution's window;
- a faster map of half the height and width is enlarged with nearest neighbours after the connection's layers.

Reference: SlowFast Networks, section 3.3 and Table 5a.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ava_detect.models.norm import Norm

LateralKind = Literal["conv", "time_to_channel_sum", "time_to_channel_concat", "sample", "none"]


class TimeStridedConvolution(nn.Module):
    """T-conv: a convolution over time with stride r brings the faster map to the slower one's frames.

    Args:
        channels: C of the faster map.
        frame_ratio: r.
        kernel: k, odd; 5 or 7 in the published networks.
        channel_ratio: output channels per channel of the faster map; 2 in the published networks.
        norm: makes the normalisation layer; None for a bare convolution without norm and ReLU (mmaction2).
    """

    def __init__(
        self, channels: int, *, frame_ratio: int, kernel: int, channel_ratio: int, norm: Norm | None
    ) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"fusion kernel {kernel} is even; an odd one keeps T / alpha frames")
        self.added_channels = channels * channel_ratio
        self.conv = nn.Conv3d(
            channels,
            self.added_channels,
            kernel_size=(kernel, 1, 1),
            stride=(frame_ratio, 1, 1),
            padding=(kernel // 2, 0, 0),
            bias=False,
        )
        self.norm = None if norm is None else norm(self.added_channels)

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:
        """Join [N, C_slow, T, H, W] and [N, C, rT, H, W] to [N, C_slow + ratio * C, T, H, W]."""
        lateral = self.conv(fast)  # [N, ratio * C, T, H, W]
        if self.norm is not None:
            lateral = F.relu(self.norm(lateral), inplace=True)
        return torch.cat([slow, _enlarged_to(slow, lateral)], dim=1)


class TimeToChannelSum(nn.Module):
    """TtoC, sum: the faster map's r frames, packed into channels, are added; needs rC = C_slow (αβ = 1)."""

    def __init__(self, channels: int, slow_channels: int, *, frame_ratio: int) -> None:
        super().__init__()
        if channels * frame_ratio != slow_channels:
            raise ValueError(
                f"time-to-channel sum adds {frame_ratio} frames x {channels} channels to {slow_channels} "
                "channels; they must be equal (alpha * beta = 1)"
            )
        self.added_channels = 0
        self.frame_ratio = frame_ratio

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:
        """Add [N, C, rT, H, W] to [N, rC, T, H, W]."""
        return slow + _enlarged_to(slow, time_to_channel(fast, self.frame_ratio))


class TimeToChannelConcat(nn.Module):
    """TtoC, concat: the faster map's r frames, packed into channels, are concatenated."""

    def __init__(self, channels: int, *, frame_ratio: int) -> None:
        super().__init__()
        self.added_channels = channels * frame_ratio
        self.frame_ratio = frame_ratio

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:
        """Join [N, C_slow, T, H, W] and [N, C, rT, H, W] to [N, C_slow + rC, T, H, W]."""
        lateral = time_to_channel(fast, self.frame_ratio)  # [N, rC, T, H, W]
        return torch.cat([slow, _enlarged_to(slow, lateral)], dim=1)


class TimeStridedSampling(nn.Module):
    """T-sample: every r-th frame of the faster map, from its first, is concatenated."""

    def __init__(self, channels: int, *, frame_ratio: int) -> None:
        super().__init__()
        self.added_channels = channels
        self.frame_ratio = frame_ratio

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:
        """Join [N, C_slow, T, H, W] and [N, C, rT, H, W] to [N, C_slow + C, T, H, W]."""
        lateral = fast[:, :, :: self.frame_ratio]  # [N, C, T, H, W]
        return torch.cat([slow, _enlarged_to(slow, lateral)], dim=1)


class NoConnection(nn.Module):
    """The pathways meet in the head only."""

    added_channels = 0

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:
        """Return ``slow`` as it is; ``fast`` is for the signature of the others."""
        del fast
        return slow


Lateral = TimeStridedConvolution | TimeToChannelSum | TimeToChannelConcat | TimeStridedSampling | NoConnection


@dataclass(frozen=True)
class LateralSpec:
    """How pathways are connected.

    Attributes:
        kind: see the table above.
        kernel: temporal kernel of the time-strided convolution.
        channel_ratio: its output channels per input channel.
        with_norm: it is followed by norm and ReLU (PySlowFast); False leaves it bare (mmaction2).
    """

    kind: LateralKind = "conv"
    kernel: int = 7
    channel_ratio: int = 2
    with_norm: bool = True


def make_lateral(
    spec: LateralSpec, channels: int, slow_channels: int, *, frame_ratio: int, norm: Norm
) -> Lateral:
    """Make the connection from a map of ``channels`` to the slower pathway's map of ``slow_channels``.

    Raises:
        ValueError: the kind is unknown, the kernel is even, or a sum is asked of unequal channels.
    """
    match spec.kind:
        case "conv":
            return TimeStridedConvolution(
                channels,
                frame_ratio=frame_ratio,
                kernel=spec.kernel,
                channel_ratio=spec.channel_ratio,
                norm=norm if spec.with_norm else None,
            )
        case "time_to_channel_sum":
            return TimeToChannelSum(channels, slow_channels, frame_ratio=frame_ratio)
        case "time_to_channel_concat":
            return TimeToChannelConcat(channels, frame_ratio=frame_ratio)
        case "sample":
            return TimeStridedSampling(channels, frame_ratio=frame_ratio)
        case "none":
            return NoConnection()
    raise ValueError(f"lateral connection {spec.kind!r} is not one of {', '.join(get_args(LateralKind))}")


def time_to_channel(x: Tensor, frame_ratio: int) -> Tensor:
    """Pack each r = ``frame_ratio`` frames into the channels of one, frame after frame.

    Args:
        x: [N, C, rT, H, W].
        frame_ratio: r.

    Returns:
        [N, rC, T, H, W]; channel f * C + c of frame t is channel c of frame r * t + f.
    """
    batch, channels, frames, height, width = x.shape
    x = x.reshape(batch, channels, frames // frame_ratio, frame_ratio, height, width)  # [N, C, T, r, H, W]
    x = x.permute(0, 3, 1, 2, 4, 5)  # [N, r, C, T, H, W]
    return x.reshape(batch, frame_ratio * channels, frames // frame_ratio, height, width)


def _enlarged_to(slow: Tensor, lateral: Tensor) -> Tensor:
    """Give ``lateral`` the height and width of ``slow``; they differ where Fast sees half of them."""
    if lateral.shape[3:] == slow.shape[3:]:
        return lateral
    return F.interpolate(lateral, size=(lateral.shape[2], slow.shape[3], slow.shape[4]), mode="nearest")
