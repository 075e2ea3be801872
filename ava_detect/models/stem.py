"""The first two rows of the paper's Table 1: conv1 and pool1 of one pathway."""

import torch.nn.functional as F
from torch import Tensor, nn

from ava_detect.models.norm import Norm


class Stem(nn.Module):
    """Bring a pathway's frames to its first feature maps, at a quarter of the height and width.

    ::

        [N, C_in, T, H, W]
          conv  kt x 7 x 7, stride 1 x 2 x 2     kt = 1 in the Slow pathway, 5 in the Fast
          norm, ReLU                             [N, C, T, H/2, W/2]
          max pool 1 x 3 x 3, stride 1 x 2 x 2   [N, C, T, H/4, W/4]

    Both halvings round up; there is no stride in time.

    Reference: SlowFast Networks, Table 1, rows conv1 and pool1.
    """

    def __init__(self, in_channels: int, out_channels: int, *, temporal_kernel: int, norm: Norm) -> None:
        super().__init__()
        self.conv = nn.Conv3d(
            in_channels,
            out_channels,
            kernel_size=(temporal_kernel, 7, 7),
            stride=(1, 2, 2),
            padding=(temporal_kernel // 2, 3, 3),
            bias=False,
        )
        self.norm = norm(out_channels)
        self.pool = nn.MaxPool3d(kernel_size=(1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map frames [N, C_in, T, H, W] to features [N, C, T, H/4, W/4]."""
        x = self.conv(x)  # [N, C, T, H/2, W/2]
        x = F.relu(self.norm(x), inplace=True)
        return self.pool(x)  # [N, C, T, H/4, W/4]
