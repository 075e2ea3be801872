"""The non-local block: every position of a feature map looks at all others, in space and time.

Reference: Wang et al., Non-local Neural Networks (CVPR 2018), figure 2 and section 3.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ava_detect.models.norm import BatchNorm, Norm

Instantiation = Literal["dot_product", "softmax"]


class NonLocal(nn.Module):
    """Add to each position a weighted sum over all (pooled) positions.

    ::

        x [N, C, T, H, W] ------------------------------+-------------- x
        | theta 1x1x1          | pool                    |
        |                      +-- phi 1x1x1             |
        |                      +-- g   1x1x1             |
        [N, C', THW]           [N, C', P]  [N, C', P]    |
        +------ affinity ------+           |             |
                [N, THW, P]                |             |
                +------ weighted sum ------+             |
                        [N, C', T, H, W]                 |
                        | out 1x1x1, norm                |
                        +------------------- + ----------+

    Args:
        channels: C.
        inner_channels: C', half of C in the published networks.
        pool: kernel and stride (t, h, w) of the max pool before phi and g; it rounds down. (1, 1, 1) is none.
        instantiation: "dot_product" divides the affinities by the number of pooled positions P; "softmax"
            takes the softmax over them after division by sqrt(C').
        time_groups: cut the clip into so many runs of consecutive frames that do not see each other.
        pool_first: pool x before phi and g (PySlowFast); False pools their outputs (mmaction2).
        out_bias: the last convolution has a bias (PySlowFast); mmaction2's has none.
        norm: makes the normalisation layer.
    """

    def __init__(
        self,
        channels: int,
        inner_channels: int,
        *,
        pool: tuple[int, int, int] = (1, 2, 2),
        instantiation: Instantiation = "dot_product",
        time_groups: int = 1,
        pool_first: bool = True,
        out_bias: bool = True,
        norm: Norm,
    ) -> None:
        super().__init__()
        if instantiation not in ("dot_product", "softmax"):
            raise ValueError(f"instantiation is {instantiation!r}; expected 'dot_product' or 'softmax'")
        self.pool = pool
        self.instantiation = instantiation
        self.time_groups = time_groups
        self.pool_first = pool_first
        self.theta = nn.Conv3d(channels, inner_channels, kernel_size=1)
        self.phi = nn.Conv3d(channels, inner_channels, kernel_size=1)
        self.g = nn.Conv3d(channels, inner_channels, kernel_size=1)
        self.out = nn.Conv3d(inner_channels, channels, kernel_size=1, bias=out_bias)
        self.norm = norm(channels)

    @property
    def final_norm(self) -> BatchNorm:
        """The norm that ends the branch; started at zero, it makes the block start as identity."""
        return self.norm

    @property
    def final_conv(self) -> nn.Conv3d:
        """The convolution that ends the branch."""
        return self.out

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, T, H, W] to the same shape.

        Raises:
            ValueError: T is not a multiple of ``time_groups``, or the map is smaller than the pool.
        """
        if self.time_groups == 1:
            return x + self._attend(x)
        batch, channels, frames, height, width = x.shape
        if frames % self.time_groups:
            raise ValueError(f"{frames} frames cannot be cut into {self.time_groups} non-local groups")
        x = x.transpose(1, 2)  # [N, T, C, H, W]; frames beside the batch, so that runs of them become clips
        x = x.reshape(batch * self.time_groups, frames // self.time_groups, channels, height, width)
        x = x.transpose(1, 2)  # [N * groups, C, T / groups, H, W]
        x = x + self._attend(x)
        x = x.transpose(1, 2).reshape(batch, frames, channels, height, width)
        return x.transpose(1, 2)  # [N, C, T, H, W]

    def _attend(self, x: Tensor) -> Tensor:
        """Return the branch of the block for x: [N, C, T, H, W]; same shape."""
        theta = self.theta(x)  # [N, C', T, H, W]
        if self.pool_first:
            pooled = self._max_pool(x)
            phi, g = self.phi(pooled), self.g(pooled)
        else:
            phi, g = self._max_pool(self.phi(x)), self._max_pool(self.g(x))
        phi, g = phi.flatten(2), g.flatten(2)  # [N, C', P]
        theta_rows = theta.flatten(2).transpose(1, 2)  # [N, THW, C']
        # Scaled before the product, not after it: less work, and half precision does not overflow.
        if self.instantiation == "softmax":
            affinity = torch.softmax(theta_rows * phi.shape[1] ** -0.5 @ phi, dim=2)  # [N, THW, P]
        else:
            affinity = theta_rows / phi.shape[2] @ phi  # [N, THW, P]
        y = (affinity @ g.transpose(1, 2)).transpose(1, 2)  # [N, C', THW]
        return self.norm(self.out(y.reshape(theta.shape)))  # [N, C, T, H, W]

    def _max_pool(self, x: Tensor) -> Tensor:
        if max(self.pool) == 1:
            return x
        size = tuple(x.shape[2:])
        if any(have < need for have, need in zip(size, self.pool, strict=True)):
            raise ValueError(
                f"a map of {size} frames x height x width is too small for NONLOCAL.POOL {self.pool}"
            )
        return F.max_pool3d(x, kernel_size=self.pool, stride=self.pool)
