"""The action head: from the last maps and person boxes to one score per person and action.

Reference: SlowFast Networks, section 5 (AVA action detection).
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import roi_align

from ava_detect.models.head import Activation, ConcatOrder, activate, concat_pathways


class RoIHead(nn.Module):
    """Pool one feature vector per person and classify it.

    ::

        Slow [N, 2048, T, H/16, W/16]         Fast [N, 256, αT, H/16, W/16]
          | mean (or max) over time              | mean (or max) over time
          | RoIAlign of the box, S x S           | RoIAlign of the box, S x S
          | maximum over the grid                | maximum over the grid
        [R, 2048]                             [R, 256]
          +------------- concatenate ------------+
                        [R, 2304]  (+ context: the same of the whole frame)
                          | dropout, linear
                        [R, K] logits -> sigmoid

    Args:
        channels: of each pathway's map, slowest first.
        strides: input pixels per cell of each pathway's map; 16 in AVA models.
        num_classes: K, without a background class.
        resolution: side S of the RoIAlign grid.
        aligned: shift the sampling grid by half a cell, as RoIAlign's corrected form does. False for models
            trained before it.
        temporal_pool: how time is pooled, "avg" or "max".
        context: also pool the whole map on an S x S grid and concatenate it after the RoI's features.
        concat: order of the pathways in the feature vector.
        mlp_dim: width of a hidden layer before the classifier; 0 is none.
        background_column: the classifier has K + 1 rows; row 0 is background and is left out of the output.
        dropout: rate before the classifier.
        detach: let no gradient pass from the classifier to the trunk (linear probing).
        activation: of the scores in evaluation mode.
    """

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        num_classes: int,
        *,
        resolution: int = 7,
        aligned: bool = True,
        temporal_pool: Literal["avg", "max"] = "avg",
        context: bool = False,
        concat: ConcatOrder = "slow_fast",
        mlp_dim: int = 0,
        background_column: bool = False,
        dropout: float = 0.5,
        detach: bool = False,
        activation: Activation = "sigmoid",
    ) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.resolution = resolution
        self.aligned = aligned
        self.temporal_pool = temporal_pool
        self.context = context
        self.concat = concat
        self.background_column = background_column
        self.activation = activation
        self.dropout = nn.Dropout(dropout)
        self.detach = detach
        features = sum(channels) * (2 if context else 1)
        self.projection = _classifier(features, mlp_dim, num_classes + int(background_column))

    @property
    def classifier(self) -> nn.Linear:
        """The layer whose rows are the classes."""
        last = self.projection[-1] if isinstance(self.projection, nn.Sequential) else self.projection
        assert isinstance(last, nn.Linear)
        return last

    def forward(self, features: Sequence[Tensor], boxes: Tensor | None) -> Tensor:
        """Score every person.

        Args:
            features: one map per pathway, slowest first: [N, C, T, H / stride, W / stride].
            boxes: [R, 5] (clip index, x1, y1, x2, y2) in pixels of the input clip, in any order; R may be 0.

        Returns:
            [R, K]: scores in evaluation mode; logits in training mode, for a loss that takes logits.

        Raises:
            ValueError: boxes are missing, not [R, 5], or name a clip outside 0 .. N - 1.
        """
        pooled = self.pool(features, boxes)  # [R, C]
        logits = self.projection(self.dropout(pooled.detach() if self.detach else pooled))
        if self.background_column:
            logits = logits[:, 1:]
        return logits if self.training else activate(logits, self.activation)

    def pool(self, features: Sequence[Tensor], boxes: Tensor | None) -> Tensor:
        """Return the feature vector of each box: [R, C], C over all pathways (twice that with context)."""
        clips = features[0].shape[0]
        boxes = _checked(boxes, clips)
        maps = [self._pool_time(x) for x in features]  # each [N, C, H', W']
        people = concat_pathways(
            [
                self._pool_boxes(x, boxes, stride)  # [R, C]
                for x, stride in zip(maps, self.strides, strict=True)
            ],
            self.concat,
        )
        if not self.context:
            return people
        frames = [F.adaptive_avg_pool2d(x, self.resolution).amax(dim=(2, 3)) for x in maps]  # each [N, C]
        context = concat_pathways(frames, self.concat)[boxes[:, 0].long()]
        return torch.cat([people, context], dim=1)

    def _pool_time(self, x: Tensor) -> Tensor:
        """Map [N, C, T, H', W'] to [N, C, H', W']."""
        return x.mean(dim=2) if self.temporal_pool == "avg" else x.amax(dim=2)

    def _pool_boxes(self, x: Tensor, boxes: Tensor, stride: int) -> Tensor:
        """Map [N, C, H', W'] to the [R, C] of the boxes."""
        grid = roi_align(
            x.to(boxes.dtype),
            boxes,
            output_size=self.resolution,
            spatial_scale=1 / stride,
            sampling_ratio=0,  # adaptive: about one sample per cell that the box covers
            aligned=self.aligned,
        )  # [R, C, S, S]
        return grid.amax(dim=(2, 3)).to(x.dtype)


def _classifier(features: int, mlp_dim: int, outputs: int) -> nn.Module:
    if mlp_dim == 0:
        return nn.Linear(features, outputs)
    return nn.Sequential(nn.Linear(features, mlp_dim), nn.ReLU(inplace=True), nn.Linear(mlp_dim, outputs))


def _checked(boxes: Tensor | None, clips: int) -> Tensor:
    """Return ``boxes`` if each names one of so many clips; RoIAlign would read outside its input."""
    if boxes is None:
        raise ValueError("an action head needs person boxes: [R, 5] (clip index, x1, y1, x2, y2)")
    if boxes.ndim != 2 or boxes.shape[1] != 5:
        raise ValueError(f"boxes are {list(boxes.shape)}; expected [R, 5] (clip index, x1, y1, x2, y2)")
    idx = boxes[:, 0]
    if not bool(((idx >= 0) & (idx < clips)).all()):
        raise ValueError(f"boxes name clips {idx.unique().tolist()}; there are {clips}, counted from 0")
    return boxes
