"""The classification head: from the last maps to one score per clip and class, fully convolutional.

Reference: SlowFast Networks, Table 1 (last rows) and section 4 (Kinetics inference).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ava_detect.models.head import Activation, ConcatOrder, activate, concat_pathways

Window = tuple[int, int, int]


class ClassificationHead(nn.Module):
    """Average the maps over windows as large as the training crop's map and classify each window.

    A clip of the training size has one window. A larger one, in testing, has several: the activation is
    applied at every position and the scores are averaged, which is not the activation of the average.

    ::

        Slow [N, 2048, T, H/32, W/32]         Fast [N, 256, αT, H/32, W/32]
          | average over T x 7 x 7               | average over αT x 7 x 7
          +------------- concatenate ------------+
                 [N, t, h, w, 2304]   channels last; t = h = w = 1 for the training size
                   | dropout, linear
                 [N, t, h, w, K] logits -> softmax -> mean over t, h, w

    Args:
        channels: of each pathway's map, slowest first.
        num_classes: K.
        windows: (t, h, w) of each pathway's average; None averages over the whole map ("global").
        concat: order of the pathways in the feature vector.
        dropout: rate before the classifier.
        detach: let no gradient pass from the classifier to the trunk (linear probing).
        activation: of the scores in evaluation mode; "none" gives logits, averaged over the positions.
    """

    def __init__(
        self,
        channels: Sequence[int],
        num_classes: int,
        *,
        windows: Sequence[Window] | None,
        concat: ConcatOrder = "slow_fast",
        dropout: float = 0.5,
        detach: bool = False,
        activation: Activation = "softmax",
    ) -> None:
        super().__init__()
        self.windows = None if windows is None else tuple(windows)
        self.concat = concat
        self.activation = activation
        self.dropout = nn.Dropout(dropout)
        self.detach = detach
        self.projection = nn.Linear(sum(channels), num_classes)

    @property
    def classifier(self) -> nn.Linear:
        """The layer whose rows are the classes."""
        return self.projection

    def forward(self, features: Sequence[Tensor], boxes: Tensor | None = None) -> Tensor:
        """Score every clip.

        Args:
            features: one map per pathway, slowest first: [N, C, T, H / stride, W / stride].
            boxes: None; the parameter is there because the other head has it.

        Returns:
            [N, K]: scores in evaluation mode; in training mode logits, averaged over the positions.

        Raises:
            ValueError: boxes were given, or a map is smaller than its window.
        """
        if boxes is not None:
            raise ValueError("a classification head scores whole clips; it takes no boxes")
        pooled = self.pool(features)  # [N, t, h, w, C]
        logits = self.projection(self.dropout(pooled.detach() if self.detach else pooled))  # [N, t, h, w, K]
        scores = logits if self.training else activate(logits, self.activation)
        return scores.mean(dim=(1, 2, 3))

    def pool(self, features: Sequence[Tensor]) -> Tensor:
        """Return the feature vector of each position: [N, t, h, w, C], C over all pathways."""
        if self.windows is None:
            pooled = [x.mean(dim=(2, 3, 4), keepdim=True) for x in features]
        else:
            pooled = [_average(x, window) for x, window in zip(features, self.windows, strict=True)]
        return torch.movedim(concat_pathways(pooled, self.concat), 1, -1)


def _average(x: Tensor, window: Window) -> Tensor:
    """Average [N, C, T, H', W'] over every position of ``window``, stride 1."""
    size = tuple(x.shape[2:])
    if any(have < need for have, need in zip(size, window, strict=True)):
        raise ValueError(
            f"the last map is {size} frames x height x width, smaller than the head's window {window}; "
            "the clip must be at least as long and as large as in training"
        )
    return F.avg_pool3d(x, kernel_size=window, stride=1)
