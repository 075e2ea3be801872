"""The non-local block against a reference that visits every pair of positions."""

import pytest
import torch
from torch import Tensor, nn

from ava_detect.models.nonlocal_block import NonLocal
from ava_detect.models.norm import batch_norm


def make_block(channels: int = 4, **options) -> NonLocal:
    """Return a block in evaluation mode whose norm changes its input."""
    torch.manual_seed(0)
    block = NonLocal(channels, channels // 2, norm=batch_norm, **options).eval()
    nn.init.uniform_(block.norm.running_mean, -0.1, 0.1)
    nn.init.uniform_(block.norm.running_var, 0.5, 1.5)
    return block


def slow_max_pool(x: Tensor, pool: tuple[int, int, int]) -> Tensor:
    """Take the maximum of each whole window of [C, T, H, W]; what is left over at the ends is dropped."""
    t, h, w = pool
    frames, height, width = (size // step for size, step in zip(x.shape[1:], pool, strict=True))
    out = torch.empty(x.shape[0], frames, height, width)
    for i in range(frames):
        for j in range(height):
            for k in range(width):
                window = x[:, i * t : (i + 1) * t, j * h : (j + 1) * h, k * w : (k + 1) * w]
                out[:, i, j, k] = window.amax(dim=(1, 2, 3))
    return out


def slow_nonlocal(block: NonLocal, x: Tensor, *, pool, instantiation: str, pool_first: bool) -> Tensor:
    """Compute one clip [C, T, H, W] position by position."""

    def conv(layer: nn.Conv3d, y: Tensor) -> Tensor:
        z = torch.einsum("oc,cthw->othw", layer.weight[:, :, 0, 0, 0], y)
        return z if layer.bias is None else z + layer.bias[:, None, None, None]

    if pool_first:
        pooled = slow_max_pool(x, pool)
        phi, g = conv(block.phi, pooled), conv(block.g, pooled)
    else:
        phi, g = slow_max_pool(conv(block.phi, x), pool), slow_max_pool(conv(block.g, x), pool)
    theta = conv(block.theta, x)
    inner = theta.shape[0]
    keys, values = phi.reshape(inner, -1).T, g.reshape(inner, -1).T  # [P, C']
    y = torch.empty_like(theta)
    for position in torch.cartesian_prod(*(torch.arange(size) for size in x.shape[1:])).tolist():
        t, h, w = position
        scores = torch.stack([theta[:, t, h, w] @ key for key in keys])
        if instantiation == "softmax":
            weights = torch.exp(scores / inner**0.5)
            weights = weights / weights.sum()
        else:
            weights = scores / len(keys)
        y[:, t, h, w] = sum(weight * value for weight, value in zip(weights, values, strict=True))
    norm = block.norm
    z = conv(block.out, y)
    scale = norm.weight / (norm.running_var + 1e-5).sqrt()
    return x + (z - norm.running_mean[:, None, None, None]) * scale[:, None, None, None]


@torch.no_grad()
@pytest.mark.parametrize("pool_first", [True, False])
@pytest.mark.parametrize("instantiation", ["dot_product", "softmax"])
@pytest.mark.parametrize("pool", [(1, 1, 1), (1, 2, 2), (2, 2, 2), (3, 1, 2)])
def test_block_equals_the_sum_over_all_pairs(pool, instantiation, pool_first):
    block = make_block(pool=pool, instantiation=instantiation, pool_first=pool_first)
    x = torch.randn(2, 4, 3, 5, 4)  # 3 and 5 leave a rest when halved
    expected = torch.stack(
        [
            slow_nonlocal(block, clip, pool=pool, instantiation=instantiation, pool_first=pool_first)
            for clip in x
        ]
    )
    torch.testing.assert_close(block(x), expected, rtol=1e-5, atol=1e-5)  # sums in another order


@torch.no_grad()
def test_time_groups_see_only_their_own_frames():
    block = make_block(pool=(1, 1, 1), time_groups=2)
    x = torch.randn(2, 4, 6, 3, 2)
    whole = make_block(pool=(1, 1, 1))
    expected = torch.cat([whole(x[:, :, :3]), whole(x[:, :, 3:])], dim=2)
    torch.testing.assert_close(block(x), expected)


def test_mmaction2s_last_convolution_has_no_bias():
    assert make_block(out_bias=False).out.bias is None
    assert make_block().out.bias is not None


def test_frames_that_do_not_divide_into_groups_are_refused():
    with pytest.raises(ValueError, match="5 frames cannot be cut into 2 non-local groups"):
        make_block(time_groups=2)(torch.zeros(1, 4, 5, 2, 2))


def test_map_smaller_than_the_pool_is_refused():
    with pytest.raises(ValueError, match=r"\(1, 4, 4\) frames x height x width is too small"):
        make_block(pool=(2, 2, 2))(torch.zeros(1, 4, 1, 4, 4))


def test_unknown_instantiation_is_refused():
    with pytest.raises(ValueError, match="'gaussian'; expected 'dot_product' or 'softmax'"):
        make_block(instantiation="gaussian")


@torch.no_grad()
@pytest.mark.parametrize("instantiation", ["dot_product", "softmax"])
def test_half_precision_holds_sums_that_are_too_large_for_it(instantiation: str):
    block = make_block(8, instantiation=instantiation)
    for conv in (block.theta, block.phi):
        nn.init.ones_(conv.weight)
        nn.init.zeros_(conv.bias)
    block.g.weight.mul_(1e-3)
    x = torch.full((1, 8, 2, 4, 4), 20.0)  # 4 products of 160 * 160 are 102400; half precision ends at 65504
    expected = block(x)
    torch.testing.assert_close(block.half()(x.half()).float(), expected, rtol=0.02, atol=0.1)
