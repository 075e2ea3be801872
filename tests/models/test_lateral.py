"""Lateral connections against references that go frame by frame."""

import pytest
import torch
from torch import nn

from ava_detect.models.lateral import LateralSpec, make_lateral, time_to_channel
from ava_detect.models.norm import batch_norm


def connection(kind: str, *, channels: int = 3, slow_channels: int = 12, frame_ratio: int = 4, **options):
    torch.manual_seed(0)
    spec = LateralSpec(kind=kind, **options)
    return make_lateral(spec, channels, slow_channels, frame_ratio=frame_ratio, norm=batch_norm).eval()


SLOW = torch.randn(2, 12, 2, 5, 4, generator=torch.Generator().manual_seed(1))
FAST = torch.randn(2, 3, 8, 5, 4, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
@pytest.mark.parametrize("with_norm", [True, False])
@pytest.mark.parametrize("kernel", [1, 5, 7])
def test_time_strided_convolution_sums_the_frames_around_every_fourth(kernel, with_norm):
    lateral = connection("conv", kernel=kernel, channel_ratio=2, with_norm=with_norm)
    weight = lateral.conv.weight[..., 0, 0]  # [6, 3, kernel]
    expected = torch.zeros(2, 6, 2, 5, 4)
    for t in range(2):
        for k in range(kernel):
            frame = 4 * t + k - kernel // 2
            if 0 <= frame < 8:
                expected[:, :, t] += torch.einsum("oc,nchw->nohw", weight[:, :, k], FAST[:, :, frame])
    if with_norm:
        nn.init.constant_(lateral.norm.running_mean, 0.1)
        expected = ((expected - 0.1) / (1 + 1e-5) ** 0.5).clamp(min=0)
    joined = lateral(SLOW, FAST)
    assert torch.equal(joined[:, :12], SLOW)  # Slow first
    torch.testing.assert_close(joined[:, 12:], expected, rtol=1e-5, atol=1e-5)


def test_time_to_channel_packs_frame_after_frame():
    packed = time_to_channel(FAST, 4)
    assert packed.shape == (2, 12, 2, 5, 4)
    for t in range(2):
        for f in range(4):
            for c in range(3):
                assert torch.equal(packed[:, f * 3 + c, t], FAST[:, c, 4 * t + f])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("none", SLOW),
        ("sample", torch.cat([SLOW, FAST[:, :, [0, 4]]], dim=1)),
        ("time_to_channel_sum", SLOW + time_to_channel(FAST, 4)),
        ("time_to_channel_concat", torch.cat([SLOW, time_to_channel(FAST, 4)], dim=1)),
    ],
)
def test_connections_without_weights_join_as_table_5a_says(kind, expected):
    lateral = connection(kind)
    torch.testing.assert_close(lateral(SLOW, FAST), expected)
    assert lateral.added_channels == expected.shape[1] - SLOW.shape[1]
    assert not list(lateral.parameters())


def test_bare_convolution_has_no_norm_and_may_be_negative():
    lateral = connection("conv", with_norm=False)
    assert set(lateral.state_dict()) == {"conv.weight"}
    assert lateral(SLOW, FAST)[:, 12:].min() < 0


@pytest.mark.parametrize("kind", ["conv", "sample", "time_to_channel_sum", "time_to_channel_concat"])
def test_fast_map_of_half_the_size_is_enlarged_with_nearest_neighbours(kind):
    small = FAST[..., :3, :2]  # ceil(5 / 2) x 4 / 2
    enlarged = small[..., [0, 0, 1, 1, 2], :][..., [0, 0, 1, 1]]
    lateral = connection(kind)
    torch.testing.assert_close(lateral(SLOW, small), lateral(SLOW, enlarged))


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("conv", {"kernel": 4}, "fusion kernel 4 is even"),
        ("time_to_channel_sum", {"slow_channels": 10}, "4 frames x 3 channels to 10"),
        ("magic", {}, "'magic' is not one of conv, time_to_channel_sum"),
    ],
)
def test_impossible_connections_are_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        connection(kind, **options)
