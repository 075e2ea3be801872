"""Which frames each pathway takes from a clip, and the forms in which the Fast pathway can see it."""

import pytest
import torch

from ava_detect.models import split_pathways
from ava_detect.models.inputs import (
    frame_difference,
    frame_indices,
    grayscale,
    half_resolution,
    in_form,
    optical_flow,
)


@pytest.mark.parametrize(
    ("frames", "count", "expected"),
    [
        (32, 8, [0, 4, 8, 13, 17, 22, 26, 31]),
        (32, 4, [0, 10, 20, 31]),
        (64, 16, [0, 4, 8, 12, 16, 21, 25, 29, 33, 37, 42, 46, 50, 54, 58, 63]),
        (64, 8, [0, 9, 18, 27, 36, 45, 54, 63]),
        (16, 4, [0, 5, 10, 15]),
        (4, 1, [0]),
    ],
)
def test_linspace_frames_include_the_last_and_are_floored(frames, count, expected):
    assert frame_indices(frames, count, "linspace").tolist() == expected


@pytest.mark.parametrize(
    ("frames", "count", "expected"),
    [(32, 8, [0, 4, 8, 12, 16, 20, 24, 28]), (32, 4, [0, 8, 16, 24]), (4, 1, [0])],
)
def test_stride_frames_begin_with_the_first_and_leave_out_the_last(frames, count, expected):
    assert frame_indices(frames, count, "stride").tolist() == expected


def test_one_pathway_gets_the_clip_itself(small_config, random_clip):
    clip = random_clip((2, 3, 8, 6, 6))
    (only,) = split_pathways(clip, small_config("MODEL.ARCH", "slow"))
    assert torch.equal(only, clip)


def test_two_pathways_get_the_slow_frames_and_all_frames(small_config, random_clip):
    clip = random_clip((2, 3, 8, 6, 6))
    slow, fast = split_pathways(clip, small_config())
    assert torch.equal(slow, clip[:, :, [0, 7]])
    assert torch.equal(fast, clip)
    slow, _ = split_pathways(clip, small_config("SLOWFAST.SLOW_FRAMES", "stride"))
    assert torch.equal(slow, clip[:, :, [0, 4]])


def test_three_pathways_get_three_frame_rates(small_config, random_clip):
    clip = random_clip((1, 3, 8, 6, 6))
    pathways = [
        {"FRAME_RATIO": 1},
        {"FRAME_RATIO": 2, "CHANNEL_RATIO": 0.5},
        {"FRAME_RATIO": 8, "CHANNEL_RATIO": 0.25},
    ]
    slow, middle, fast = split_pathways(clip, small_config("SLOWFAST.PATHWAYS", pathways))
    assert [x.shape[2] for x in (slow, middle, fast)] == [1, 2, 8]
    assert torch.equal(middle, clip[:, :, [0, 7]])


@pytest.mark.parametrize(
    ("form", "channels", "size"),
    [
        ("rgb", 3, (7, 6)),
        ("gray", 1, (7, 6)),
        ("difference", 1, (7, 6)),
        ("flow", 2, (7, 6)),
        ("half", 3, (4, 3)),
    ],
)
def test_fast_input_changes_what_the_fast_pathway_sees_only(form, channels, size, small_config, random_clip):
    clip = random_clip((2, 3, 8, 7, 6))
    cfg = small_config("SLOWFAST.FAST_INPUT", form, "MODEL.HEAD_POOL", "global")
    slow, fast = split_pathways(clip, cfg)
    assert torch.equal(slow, clip[:, :, [0, 7]])
    assert fast.shape == (2, channels, 8, *size)


def test_gray_value_weighs_green_most():
    rgb = torch.zeros(1, 3, 1, 1, 3)
    for channel in range(3):
        rgb[0, channel, 0, 0, channel] = 1.0
    torch.testing.assert_close(grayscale(rgb).flatten(), torch.tensor([0.299, 0.587, 0.114]))


def test_gray_of_a_gray_picture_is_itself(random_clip):
    gray = random_clip((2, 1, 3, 4, 5))
    torch.testing.assert_close(grayscale(gray.expand(-1, 3, -1, -1, -1)), gray)


def test_difference_is_to_the_frame_before_and_zero_at_the_start():
    values = torch.tensor([1.0, 4.0, 2.0]).view(1, 1, 3, 1, 1).expand(1, 3, 3, 2, 2)
    expected = torch.tensor([0.0, 3.0, -2.0]).view(1, 1, 3, 1, 1).expand(1, 1, 3, 2, 2)
    torch.testing.assert_close(frame_difference(values), expected)


def test_half_resolution_averages_four_pixels_and_what_is_left_at_the_border():
    rgb = torch.arange(9.0).view(1, 1, 1, 3, 3).expand(1, 3, 1, 3, 3)
    expected = torch.tensor([[2.0, 3.5], [6.5, 8.0]])  # (0+1+3+4)/4, (2+5)/2; (6+7)/2, 8
    for channel in range(3):
        torch.testing.assert_close(half_resolution(rgb)[0, channel, 0], expected)


def test_optical_flow_of_a_moving_picture_is_its_displacement():
    # a smooth pattern that moves 2 pixels to the right and 1 down from frame to frame
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    frames = [torch.sin((x - 2 * t) / 5) + torch.cos((y - t) / 6) for t in range(3)]
    rgb = torch.stack(frames).expand(1, 3, 3, 64, 64)
    flow = optical_flow(rgb)
    assert not flow[:, :, 0].any()
    inside = flow[0, :, 1:, 16:48, 16:48].mean(dim=(1, 2, 3)) * 20  # pixels per frame
    torch.testing.assert_close(inside, torch.tensor([2.0, 1.0]), atol=0.2, rtol=0)


def test_optical_flow_of_a_still_or_black_clip_is_zero():
    assert not optical_flow(torch.zeros(2, 3, 3, 16, 16)).any()


def test_supplied_flow_is_used_as_it_is(small_config, random_clip):
    clip = random_clip((1, 5, 8, 4, 4))
    slow, fast = split_pathways(clip, small_config("SLOWFAST.FAST_INPUT", "flow"))
    assert torch.equal(slow, clip[:, :3, [0, 7]])
    assert torch.equal(fast, clip[:, 3:])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 10, 4, 4), "10 frames cannot be divided by the frame ratio 4"),
        ((1, 4, 8, 4, 4), "found 4"),
    ],
)
def test_clip_that_cannot_be_divided_is_refused(shape, message, small_config):
    with pytest.raises(ValueError, match=message):
        split_pathways(torch.zeros(shape), small_config())


def test_unknown_form_is_refused(random_clip):
    with pytest.raises(ValueError, match="input form 'depth' is not known"):
        in_form(random_clip((1, 3, 2, 4, 4)), "depth")
