"""How a clip and its boxes are shown to the network: in training at random, in testing always alike.

A view first says to which short side pictures are resized, so that full pictures need not be kept, and then
makes the network's input of the resized frames. The steps are those of ``ava_detect.video.transforms``.

Reference: SlowFast Networks, sections 4.1 and 5; facebookresearch/SlowFast, the AVA data set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from ava_detect.data.colour_jitter import ColourJitter
from ava_detect.data.video_clips import Clip
from ava_detect.video import transforms
from ava_detect.video.transforms import ChannelOrder, ShortSideJitter


@dataclass(frozen=True)
class Pixels:
    """What becomes of pixel values.

    Attributes:
        mean, std: three numbers each, in units of [0, 1], in the order of the channels.
        order: of the channels.
    """

    mean: Sequence[float]
    std: Sequence[float]
    order: ChannelOrder = ChannelOrder.RGB


class View(NamedTuple):
    """The network's input of one clip.

    Attributes:
        clip: [3, T, H, W] float32, normalised.
        boxes: [R, 4] float32, pixels of the clip.
        shown: [R] bool; a person who is not is left out, label and all.
    """

    clip: Tensor
    boxes: Tensor
    shown: np.ndarray


class ClipView(Protocol):
    """Makes the network's input of a clip."""

    def short_side(self, rng: np.random.Generator) -> int:
        """Return the short side, pixels, to which the frames are to be resized."""

    def apply(self, clip: Clip, boxes_norm: np.ndarray, rng: np.random.Generator) -> View:
        """Make the input.

        Args:
            clip: frames of the short side that was asked for.
            boxes_norm: [R, 4] normalised boxes on the keyframe.
            rng: where chance comes from; the one that ``short_side`` was given.
        """


@dataclass(frozen=True)
class TrainingView:
    """A random short side, a random square, left or right, and random colours if wanted.

    Boxes outside the square stay, as lines on its border, with their labels, so the published models were
    trained; unless ``min_visible`` is above 0.

    Attributes:
        pixels: normalisation.
        short_sides: the least and the greatest, pixels.
        jitter: how the short side is drawn.
        crop: side of the square, pixels.
        flip: whether half of the clips are mirrored.
        colours: colour jitter, or none.
        min_visible: the share of a person's box, in [0, 1], that must lie in the square.
        box_jitter: each side of a box moves by up to this share of the box's width or height, as detected
            boxes lie beside labelled ones; below 0.5, so that none turns inside out.
    """

    pixels: Pixels
    short_sides: tuple[int, int] = (256, 320)
    jitter: ShortSideJitter = ShortSideJitter.UNIFORM
    crop: int = 224
    flip: bool = True
    colours: ColourJitter | None = None
    min_visible: float = 0.0
    box_jitter: float = 0.0

    def short_side(self, rng: np.random.Generator) -> int:
        """Draw the short side; see :class:`ClipView`."""
        return transforms.jitter_short_side(rng, *self.short_sides, self.jitter)

    def apply(self, clip: Clip, boxes_norm: np.ndarray, rng: np.random.Generator) -> View:
        """Draw the rest and make the input; see :class:`ClipView`."""
        height, width = clip.frames.shape[1:3]
        offset = transforms.random_crop_offset(rng, height, width, self.crop)
        frames = transforms.crop(clip.frames, offset, self.crop)
        boxes = transforms.crop_boxes(_boxes_in_frames(clip, boxes_norm), offset)
        shown = _visible_shares(boxes, self.crop) >= self.min_visible
        if self.box_jitter:
            boxes = _moved_sides(boxes, self.box_jitter, rng)
        if self.flip and rng.random() < 0.5:
            frames, boxes = transforms.flip_frames(frames), transforms.flip_boxes(boxes, self.crop)
        return View(self._input(frames, rng), _inside(frames, boxes), shown)

    def _input(self, frames: np.ndarray, rng: np.random.Generator) -> Tensor:
        """Make the tensor, with other colours if wanted."""
        if self.colours is None:
            return _normalised(frames, self.pixels)
        clip = transforms.clip_to_tensor(frames, self.pixels.order)
        jittered = _jittered(clip, self.colours, self.pixels.order, rng)
        return transforms.normalise(jittered, self.pixels.mean, self.pixels.std)


@dataclass(frozen=True)
class EvaluationView:
    """The whole picture at one short side, mirrored or not.

    Attributes:
        pixels: normalisation.
        size: the short side, pixels.
        mirrored: left and right exchanged.
    """

    pixels: Pixels
    size: int = 256
    mirrored: bool = False

    def short_side(self, rng: np.random.Generator) -> int:  # noqa: ARG002 - nothing is left to chance
        """Return the short side; see :class:`ClipView`."""
        return self.size

    def apply(
        self,
        clip: Clip,
        boxes_norm: np.ndarray,
        rng: np.random.Generator,  # noqa: ARG002 - nothing is left to chance
    ) -> View:
        """Make the input; see :class:`ClipView`."""
        frames, boxes = clip.frames, _boxes_in_frames(clip, boxes_norm)
        if self.mirrored:
            frames, boxes = transforms.flip_frames(frames), transforms.flip_boxes(boxes, frames.shape[2])
        return View(_normalised(frames, self.pixels), _inside(frames, boxes), np.ones(len(boxes), bool))


def _boxes_in_frames(clip: Clip, boxes_norm: np.ndarray) -> np.ndarray:
    """Turn normalised boxes into pixels of the resized frames."""
    height, width = clip.full_shape
    boxes = transforms.clip_boxes(boxes_norm * np.array([width, height, width, height]), height, width)
    resized = (clip.frames.shape[1], clip.frames.shape[2])
    return transforms.scale_boxes(boxes, clip.full_shape, resized)


def _visible_shares(boxes: np.ndarray, crop: int) -> np.ndarray:
    """Return [R]: how much of each box's area lies in a square at the origin; all of an empty box in it."""
    sides = boxes[:, 2:] - boxes[:, :2]
    inside = np.clip(boxes, 0, crop)
    shares = np.divide(inside[:, 2:] - inside[:, :2], sides, out=np.ones_like(sides), where=sides > 0)
    return shares.prod(axis=1)


def _moved_sides(boxes: np.ndarray, most: float, rng: np.random.Generator) -> np.ndarray:
    """Move every side of [R, 4] boxes by a random share of the box's width or height."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes + rng.uniform(-most, most, boxes.shape) * np.tile(sides, 2)


def _jittered(clip: Tensor, colours: ColourJitter, order: ChannelOrder, rng: np.random.Generator) -> Tensor:
    """Apply colour jitter, which knows RGB only."""
    if order is ChannelOrder.RGB:
        return colours(clip, rng)
    return colours(clip.flip(0), rng).flip(0)


def _normalised(frames: np.ndarray, pixels: Pixels) -> Tensor:
    return transforms.normalise_clip(frames, pixels.mean, pixels.std, order=pixels.order)


def _inside(frames: np.ndarray, boxes: np.ndarray) -> Tensor:
    """Limit boxes to the picture: [R, 4] float32."""
    height, width = frames.shape[1:3]
    return torch.from_numpy(transforms.clip_boxes(boxes, height, width).astype(np.float32))
