"""Frames and boxes to what the networks take; the same code for training, testing and prediction.

Frames are uint8, BGR, [H, W, 3] or stacked [T, H, W, 3]; boxes are float [R, 4], x1, y1, x2, y2 in pixels of
the frame. The definitions are PySlowFast's for AVA, because the published weights were trained with them and
scores move when they change: OpenCV's bilinear resize of uint8 frames without antialiasing, a long side that
is rounded down, one factor for all coordinates of a box, a flip that counts pixel centres.

Reference: Feichtenhofer et al., SlowFast Networks for Video Recognition (ICCV 2019), sections 4.1 and 5;
facebookresearch/SlowFast, the AVA data set.
"""

import math
from collections.abc import Sequence
from enum import Enum

import cv2
import numpy as np
import torch
from torch import Tensor


class ShortSideJitter(Enum):
    """How the random short side of a training clip is drawn between two bounds."""

    UNIFORM = "uniform"  # the side is uniform
    RECIPROCAL = "reciprocal"  # 1 / side is uniform, as in the papers on Kinetics and AVA


class ChannelOrder(Enum):
    """Order of the colour channels that the network was trained with."""

    RGB = "rgb"
    BGR = "bgr"


def short_side_shape(height: int, width: int, size: int) -> tuple[int, int]:
    """Return (height, width) after scaling the short side to ``size``; the long side is rounded down."""
    if min(height, width) == size:
        return height, width
    if width < height:
        return math.floor(height / width * size), size
    return size, math.floor(width / height * size)


def resize_short_side(frame: np.ndarray, size: int) -> np.ndarray:
    """Scale a frame so that its short side is ``size`` pixels.

    Args:
        frame: [H, W, 3] uint8.
        size: pixels.

    Returns:
        [H', W', 3] uint8; ``frame`` itself where nothing is to do.
    """
    height, width = short_side_shape(frame.shape[0], frame.shape[1], size)
    if (height, width) == frame.shape[:2]:
        return frame
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)


def scale_boxes(boxes: np.ndarray, old_shape: tuple[int, int], new_shape: tuple[int, int]) -> np.ndarray:
    """Scale boxes with their frame: all four coordinates by new long side / old long side.

    Args:
        boxes: [R, 4] pixels of a frame of ``old_shape``.
        old_shape: (height, width).
        new_shape: (height, width), as from :func:`short_side_shape`.

    Returns:
        [R, 4] in the boxes' own precision.
    """
    return boxes * (max(new_shape) / max(old_shape))


def jitter_short_side(
    rng: np.random.Generator, smallest: int, largest: int, rule: ShortSideJitter = ShortSideJitter.RECIPROCAL
) -> int:
    """Draw the short side of a training clip, pixels, between the bounds (both can occur)."""
    if rule is ShortSideJitter.UNIFORM:
        return round(rng.uniform(smallest, largest))
    return round(1.0 / rng.uniform(1.0 / largest, 1.0 / smallest))


def random_crop_offset(rng: np.random.Generator, height: int, width: int, size: int) -> tuple[int, int]:
    """Draw the top left corner (y, x) of a square crop of ``size`` pixels.

    The last possible offset never occurs (unless it is the only one), as in the published models' recipe.
    """
    _check_crop(height, width, size)
    y = int(rng.integers(0, height - size)) if height > size else 0
    x = int(rng.integers(0, width - size)) if width > size else 0
    return y, x


def centre_crop_offset(height: int, width: int, size: int) -> tuple[int, int]:
    """Return the top left corner (y, x) of the central square crop of ``size`` pixels, halves rounded up."""
    _check_crop(height, width, size)
    return math.ceil((height - size) / 2), math.ceil((width - size) / 2)


def crop(frames: np.ndarray, offset: tuple[int, int], size: int) -> np.ndarray:
    """Cut a square of ``size`` pixels at (y, x) out of [..., H, W, 3] frames; a view."""
    y, x = offset
    return frames[..., y : y + size, x : x + size, :]


def crop_boxes(boxes: np.ndarray, offset: tuple[int, int]) -> np.ndarray:
    """Move [R, 4] boxes into the coordinates of a crop at (y, x).

    What lies outside the crop stays outside: see :func:`clip_boxes`.
    """
    y, x = offset
    return boxes - np.array([x, y, x, y], dtype=boxes.dtype)


def clip_boxes(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Limit [R, 4] boxes to the pixels of a frame: x to 0..width-1, y to 0..height-1.

    A box outside the frame becomes a line or a point on its border; it keeps its place in the list.
    """
    limit = np.array([width - 1, height - 1, width - 1, height - 1], dtype=boxes.dtype)
    return np.minimum(np.maximum(boxes, 0), limit)


def flip_frames(frames: np.ndarray) -> np.ndarray:
    """Mirror [T, H, W, 3] uint8 frames left to right; a new array."""
    flipped = np.empty(frames.shape, np.uint8)
    for frame, mirrored in zip(frames, flipped, strict=True):
        cv2.flip(frame, 1, dst=mirrored)  # five times as fast as copying with steps of -1
    return flipped


def flip_boxes(boxes: np.ndarray, width: int) -> np.ndarray:
    """Mirror [R, 4] boxes left to right in a frame of ``width`` pixels: x1' = width - x2 - 1."""
    flipped = boxes.copy()
    flipped[:, 0] = width - boxes[:, 2] - 1
    flipped[:, 2] = width - boxes[:, 0] - 1
    return flipped


def clip_to_tensor(
    frames: np.ndarray | Sequence[np.ndarray], order: ChannelOrder = ChannelOrder.RGB
) -> Tensor:
    """Turn BGR frames into a float clip.

    Args:
        frames: [T, H, W, 3] uint8, BGR, or T frames [H, W, 3] of one size.
        order: of the channels in the result.

    Returns:
        [3, T, H, W] float32 in [0, 1], contiguous.
    """
    return _looked_up(frames, _grey_levels().expand(3, 256), order)


def normalise(clip: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return (clip - mean) / std; mean and std have one number per channel, in the clip's channel order.

    Args:
        clip: [C, ...] float.
        mean: C numbers, in units of the clip (0..1 for the clips of :func:`clip_to_tensor`).
        std: C numbers.
    """
    shape = (len(mean), *[1] * (clip.ndim - 1))
    return (clip - clip.new_tensor(mean).view(shape)) / clip.new_tensor(std).view(shape)


def normalise_clip(
    frames: np.ndarray | Sequence[np.ndarray],
    mean: Sequence[float],
    std: Sequence[float],
    *,
    order: ChannelOrder = ChannelOrder.RGB,
) -> Tensor:
    """Turn BGR uint8 frames into a network's input.

    Args:
        frames: [T, H, W, 3] uint8, BGR, or T frames [H, W, 3] of one size.
        mean: three numbers in [0, 1], in ``order``.
        std: three numbers, in ``order``.
        order: of the channels in the result.

    Returns:
        [3, T, H, W] float32, contiguous.
    """
    return _looked_up(frames, normalise(_grey_levels().repeat(3, 1), mean, std), order)


def _grey_levels() -> Tensor:
    """Return the values of clips that 8-bit pixels can take, [256]."""
    return torch.arange(256, dtype=torch.float32).div_(255.0)


def _looked_up(frames: np.ndarray | Sequence[np.ndarray], values: Tensor, order: ChannelOrder) -> Tensor:
    """Put into the place of every pixel its value, from a [3, 256] table in the order of the result.

    One pass over the pixels instead of one for each step of the arithmetic, with the same results.
    """
    clip = torch.empty((3, len(frames), *frames[0].shape[:2]), dtype=torch.float32)
    planes = (2, 1, 0) if order is ChannelOrder.RGB else (0, 1, 2)
    for position, frame in enumerate(frames):
        pixels = frame if min(frame.strides) > 0 else np.ascontiguousarray(frame)
        for channel, plane in enumerate(planes):
            target = clip[channel, position].numpy()
            cv2.LUT(cv2.extractChannel(pixels, plane), values[channel].numpy(), dst=target)
    return clip


def _check_crop(height: int, width: int, size: int) -> None:
    if min(height, width) < size:
        raise ValueError(f"a crop of {size} pixels does not fit into a frame of {width}x{height}")
