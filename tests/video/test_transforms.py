"""Transforms of frames and boxes against plain code that does the same pixel by pixel."""

import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ava_detect.video.transforms import (
    ChannelOrder,
    ShortSideJitter,
    centre_crop_offset,
    clip_boxes,
    clip_to_tensor,
    crop,
    crop_boxes,
    flip_boxes,
    flip_frames,
    jitter_short_side,
    normalise,
    normalise_clip,
    random_crop_offset,
    resize_short_side,
    scale_boxes,
    short_side_shape,
)

MEAN, STD = (0.45, 0.40, 0.35), (0.225, 0.25, 0.275)
boxes_in_pixels = st.lists(st.tuples(*[st.floats(-50, 500, width=32)] * 4), max_size=6).map(
    lambda rows: np.array(rows, np.float32).reshape(-1, 4)
)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "size", "expected"),
    [
        (256, 340, 256, (256, 340)),  # nothing to do
        (240, 426, 256, (256, 454)),  # 454.4
        (1080, 1920, 256, (256, 455)),  # 455.1
        (1920, 1080, 256, (455, 256)),
        (720, 1280, 224, (224, 398)),  # 398.2
        (100, 100, 256, (256, 256)),
        (3, 1000, 2, (2, 666)),  # 666.7: down, not to nearest
        (1, 1, 1, (1, 1)),
    ],
)
def test_the_long_side_is_rounded_down(height: int, width: int, size: int, expected: tuple[int, int]) -> None:
    assert short_side_shape(height, width, size) == expected


def test_resizing_is_opencvs_bilinear_on_uint8() -> None:
    frame = noise(90, 121, 3)
    resized = resize_short_side(frame, 64)
    assert resized.dtype == np.uint8
    assert np.array_equal(resized, cv2.resize(frame, (86, 64), interpolation=cv2.INTER_LINEAR))


def test_resizing_samples_pixel_centres_without_smoothing() -> None:
    """Bilinear by hand: the value at ((i + 0.5) * scale - 0.5), between its two neighbours."""
    frame = np.repeat(noise(1, 200, 1), 3, axis=2).repeat(100, axis=0)
    resized = resize_short_side(frame, 40)
    row = frame[0, :, 0].astype(float)
    for column in range(80):
        at = (column + 0.5) * 2.5 - 0.5
        left = math.floor(at)
        expected = row[left] * (left + 1 - at) + row[min(left + 1, 199)] * (at - left)
        assert abs(resized[20, column, 0] - expected) <= 1


def test_a_frame_of_the_right_size_is_returned_as_it_is() -> None:
    frame = noise(64, 90, 3)
    assert resize_short_side(frame, 64) is frame


def test_boxes_are_scaled_by_one_factor_for_both_directions() -> None:
    """240x426 to 256x454: 454 / 426, although heights are scaled by 256 / 240."""
    boxes = np.array([[10, 20, 426, 240]], np.float32)
    assert scale_boxes(boxes, (240, 426), (256, 454)) == pytest.approx(boxes * (454 / 426))
    assert scale_boxes(boxes, (426, 240), (454, 256)) == pytest.approx(boxes * (454 / 426))
    assert scale_boxes(np.zeros((0, 4), np.float32), (240, 426), (256, 454)).shape == (0, 4)
    assert scale_boxes(boxes, (240, 426), (256, 454)).dtype == np.float32


@pytest.mark.parametrize("rule", ShortSideJitter)
def test_the_jittered_side_covers_its_range(rule: ShortSideJitter) -> None:
    rng = np.random.default_rng(0)
    sides = np.array([jitter_short_side(rng, 256, 320, rule) for _ in range(20_000)])
    assert (sides.min(), sides.max()) == (256, 320)
    # The mean of s uniform is 288; with 1 / s uniform it is (1 / a - 1 / b)^-1 * ln(b / a) = 285.6.
    expected = 288 if rule is ShortSideJitter.UNIFORM else math.log(320 / 256) / (1 / 256 - 1 / 320)
    assert sides.mean() == pytest.approx(expected, abs=0.5)


def test_random_crops_never_take_the_last_offset() -> None:
    rng = np.random.default_rng(0)
    offsets = {random_crop_offset(rng, 227, 226, 224) for _ in range(200)}
    assert offsets == {(y, x) for y in (0, 1, 2) for x in (0, 1)}
    assert random_crop_offset(rng, 224, 224, 224) == (0, 0)


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(224, 224, (0, 0)), (225, 227, (1, 2)), (256, 455, (16, 116))]
)
def test_the_central_crop_rounds_up(height: int, width: int, expected: tuple[int, int]) -> None:
    assert centre_crop_offset(height, width, 224) == expected


def test_a_crop_larger_than_the_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="a crop of 224 pixels does not fit into a frame of 300x200"):
        centre_crop_offset(200, 300, 224)
    with pytest.raises(ValueError, match="does not fit"):
        random_crop_offset(np.random.default_rng(0), 200, 300, 224)


def test_pixels_and_boxes_are_cropped_alike() -> None:
    frames = np.zeros((2, 40, 60, 3), np.uint8)
    frames[:, 15:25, 30:42] = 255
    cropped = crop(frames, (10, 20), 30)
    assert cropped.shape == (2, 30, 30, 3)
    x1, y1, x2, y2 = crop_boxes(np.array([[30.0, 15.0, 42.0, 25.0]]), (10, 20))[0].astype(int)
    assert (cropped[:, y1:y2, x1:x2] == 255).all()
    assert cropped.sum() == frames.sum()


def test_flipping_moves_pixels_and_boxes_alike() -> None:
    """A box that names its first and last pixel column names them again after the flip."""
    frames = np.zeros((1, 10, 50, 3), np.uint8)
    frames[0, :, 7] = 1
    frames[0, :, 20] = 2
    flipped = flip_frames(frames)
    x1, _, x2, _ = flip_boxes(np.array([[7.0, 0.0, 20.0, 9.0]]), 50)[0].astype(int)
    assert (x1, x2) == (29, 42)
    assert (flipped[0, 0, x1, 0], flipped[0, 0, x2, 0]) == (2, 1)


@given(boxes=boxes_in_pixels, width=st.integers(1, 500))
def test_flipping_twice_changes_nothing(boxes: np.ndarray, width: int) -> None:
    assert flip_boxes(flip_boxes(boxes, width), width) == pytest.approx(boxes, abs=1e-4)


@given(boxes=boxes_in_pixels, height=st.integers(1, 400), width=st.integers(1, 400))
def test_clipped_boxes_stay_inside_and_in_order(boxes: np.ndarray, height: int, width: int) -> None:
    clipped = clip_boxes(boxes, height, width)
    assert clipped.shape == boxes.shape
    for box, result in zip(boxes.tolist(), clipped.tolist(), strict=True):
        expected = [
            min(max(value, 0), (width if axis % 2 == 0 else height) - 1) for axis, value in enumerate(box)
        ]
        assert result == expected


def test_a_box_outside_the_crop_becomes_a_line_on_its_border() -> None:
    boxes = np.array([[-40.0, 10.0, -5.0, 30.0], [300.0, 300.0, 400.0, 400.0]])
    assert clip_boxes(boxes, 224, 224).tolist() == [[0, 10, 0, 30], [223, 223, 223, 223]]


@pytest.mark.parametrize("order", ChannelOrder)
def test_normalising_agrees_with_plain_code(order: ChannelOrder) -> None:
    frames = noise(3, 4, 5, 3)
    clip = normalise_clip(list(frames), MEAN, STD, order=order)
    assert clip.shape == (3, 3, 4, 5)
    assert clip.dtype == torch.float32
    assert clip.is_contiguous()
    for channel in range(3):
        plane = 2 - channel if order is ChannelOrder.RGB else channel
        for t, y, x in np.ndindex(3, 4, 5):
            expected = (frames[t, y, x, plane] / 255 - MEAN[channel]) / STD[channel]
            assert clip[channel, t, y, x].item() == pytest.approx(expected, abs=1e-6)


@given(
    count=st.integers(1, 3),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    order=st.sampled_from(ChannelOrder),
)
def test_pixels_of_any_size_are_looked_up_exactly(
    count: int, height: int, width: int, order: ChannelOrder
) -> None:
    """The table gives what the arithmetic gives, to the last bit, for whole frames and for crops of them."""
    frames = noise(count, height + 2, width + 3, 3)[:, 1:-1, 1:-2]
    planes = torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2).float()
    expected = normalise((planes.flip(0) if order is ChannelOrder.RGB else planes) / 255.0, MEAN, STD)
    assert torch.equal(normalise_clip(frames, MEAN, STD, order=order), expected)
    np.testing.assert_array_equal(flip_frames(frames), frames[:, :, ::-1])


def test_stacked_and_listed_frames_give_the_same_clip() -> None:
    frames = noise(3, 4, 5, 3)
    assert torch.equal(clip_to_tensor(frames), clip_to_tensor(list(frames)))
    assert torch.equal(
        clip_to_tensor(frames[..., ::-1, :]), clip_to_tensor(frames.copy()[..., ::-1, :].copy())
    )
    assert torch.equal(normalise(clip_to_tensor(frames), MEAN, STD), normalise_clip(frames, MEAN, STD))
