"""Keyframes as a torch data set, and clips as batches.

What an item holds depends on (seed, epoch, index) alone: not on the number of workers, on the order in which
they work, or on what was read before. So the sampler hands out pairs of epoch and index.

A clip that cannot be read becomes a ``SkippedClip`` with its name and the reason, and the batch carries it
along; the caller counts and says it. Nothing is put in its place.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ava_detect.data.annotations import Annotations, LabelledKeyframe
from ava_detect.data.clip_sources import ClipSource
from ava_detect.data.clip_views import ClipView
from ava_detect.video.clip_sampler import ClipSampler
from ava_detect.video.transforms import resize_short_side
from evaluation.errors import VideoError


class ClipKey(NamedTuple):
    """Which item: a place in the annotations, and the epoch, which decides what chance does to it."""

    epoch: int
    place: int


@dataclass(frozen=True, eq=False)
class ClipItem:
    """One keyframe as the network sees it.

    Attributes:
        index: of the keyframe in the annotations.
        keyframe: as it stands in the files, with the people who are shown; its boxes are what is scored.
        clip: [3, T, H, W] float32, normalised; T frames of the fastest pathway.
        boxes: [R, 4] float32, pixels of the clip.
        labels: [R, K] float32, 0 or 1.
    """

    index: int
    keyframe: LabelledKeyframe
    clip: Tensor
    boxes: Tensor
    labels: Tensor


@dataclass(frozen=True)
class SkippedClip:
    """A keyframe whose clip cannot be read, and why."""

    index: int
    video_id: str
    second: float
    reason: str


class ClipDataset(Dataset[ClipItem | SkippedClip]):
    """Keyframes with the clips around them.

    Args:
        annotations: the keyframes.
        source: of the clips.
        sampler: which frames make up a clip.
        view: what is done to them.
        seed: of everything that is left to chance.
    """

    def __init__(
        self,
        annotations: Annotations,
        source: ClipSource,
        sampler: ClipSampler,
        view: ClipView,
        *,
        seed: int = 0,
    ) -> None:
        self.annotations, self.source, self.view = annotations, source, view
        self._offsets, self._seed = sampler.offsets, seed

    def __len__(self) -> int:
        return len(self.annotations)

    def seen_through(self, view: ClipView) -> "ClipDataset":
        """Return the same clips in another view."""
        other = copy(self)
        other.view = view
        return other

    def restricted_to(self, chosen: np.ndarray) -> "ClipDataset":
        """Return some of the keyframes, by a mask or by ascending places."""
        other = copy(self)
        other.annotations = self.annotations.select(chosen)
        return other

    def __getitem__(self, key: ClipKey) -> ClipItem | SkippedClip:
        """Read one clip; an unreadable one comes back as a :class:`SkippedClip`."""
        epoch, index = key
        keyframe = self.annotations[index]
        rng = np.random.default_rng((self._seed, epoch, index))
        resize = partial(resize_short_side, size=self.view.short_side(rng))
        try:
            clip = self.source.clip(keyframe.video_id, keyframe.second, self._offsets, resize)
        except VideoError as error:
            return SkippedClip(index, keyframe.video_id, keyframe.second, str(error))
        view = self.view.apply(clip, keyframe.boxes, rng)
        seen = keyframe.people(view.shown)
        labels = torch.from_numpy(seen.labels).float()
        return ClipItem(index, seen, view.clip, view.boxes[torch.from_numpy(view.shown)], labels)


@dataclass(frozen=True, eq=False)
class Batch:
    """N clips of one size with all their people.

    Attributes:
        clips: [N, 3, T, H, W] float32; N may be 0 when every clip was skipped.
        boxes: [R, 5] float32 (clip 0..N-1, x1, y1, x2, y2) in pixels of the clips.
        labels: [R, K] float32.
        indices: N places in the annotations.
        keyframes: N, with the original boxes in the order of ``boxes``.
        skipped: what was asked for and could not be read.
    """

    clips: Tensor
    boxes: Tensor
    labels: Tensor
    indices: tuple[int, ...]
    keyframes: tuple[LabelledKeyframe, ...]
    skipped: tuple[SkippedClip, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def to(self, device: torch.device) -> "Batch":
        """Copy the tensors to a device; from pinned memory without waiting."""
        clips, boxes, labels = (
            tensor.to(device, non_blocking=True) for tensor in (self.clips, self.boxes, self.labels)
        )
        return replace(self, clips=clips, boxes=boxes, labels=labels)

    def pin_memory(self) -> "Batch":
        """Copy the tensors to page-locked memory; called by torch's ``DataLoader``."""
        return replace(
            self,
            clips=self.clips.pin_memory(),
            boxes=self.boxes.pin_memory(),
            labels=self.labels.pin_memory(),
        )


def collate(items: Sequence[ClipItem | SkippedClip]) -> Batch:
    """Put items of one size into a batch.

    Raises:
        ValueError: the clips differ in size; clips of one video never do, and training crops never do.
    """
    read = [item for item in items if isinstance(item, ClipItem)]
    if len({item.clip.shape for item in read}) > 1:
        raise ValueError(f"clips of different sizes: {sorted({tuple(item.clip.shape) for item in read})}")
    return Batch(
        clips=torch.stack([item.clip for item in read]) if read else torch.zeros(0, 3, 0, 0, 0),
        boxes=torch.cat([_rois(row, item.boxes) for row, item in enumerate(read)] or [torch.zeros(0, 5)]),
        labels=torch.cat([item.labels for item in read] or [torch.zeros(0, 0)]),
        indices=tuple(item.index for item in read),
        keyframes=tuple(item.keyframe for item in read),
        skipped=tuple(item for item in items if isinstance(item, SkippedClip)),
    )


def _rois(row: int, boxes: Tensor) -> Tensor:
    return torch.cat([boxes.new_full((len(boxes), 1), row), boxes], dim=1)
