"""Dropout that depends on the sample, not on the process or the place in the batch.

So two processes with half a batch each drop what one process drops, and a run that is resumed in the middle
of an epoch drops what an undisturbed one does.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ava_detect.data.clip_dataset import Batch

# Apart from the draws of the transforms, which use (seed, epoch, index).
_STREAM = 1


class SampleDropout(nn.Module):
    """Takes the place of the head's ``nn.Dropout``; no parameters, no buffers.

    Args:
        rate: chance that a feature is dropped.
        seed: of the run.
    """

    def __init__(self, rate: float, *, seed: int) -> None:
        super().__init__()
        self.rate, self._seed = rate, seed
        self._samples: Sequence[tuple[int, int, int]] = ()

    def expect(self, epoch: int, batch: Batch) -> None:
        """Say which samples the next call brings."""
        self._samples = [
            (epoch, index, len(keyframe.boxes))
            for index, keyframe in zip(batch.indices, batch.keyframes, strict=True)
        ]

    def forward(self, x: Tensor) -> Tensor:
        """Drop features of [R, C], the boxes of the expected samples one after the other.

        Raises:
            ValueError: the boxes are not those of the expected samples.
        """
        if not self.training or self.rate == 0:
            return x
        masks = [self._mask(epoch, index, boxes, x.shape[1]) for epoch, index, boxes in self._samples]
        kept = torch.from_numpy(np.concatenate(masks or [np.zeros((0, x.shape[1]), bool)]))
        if len(kept) != len(x):
            raise ValueError(f"{len(x)} boxes where the samples have {len(kept)}")
        if self.rate == 1:
            return x * 0
        return x * kept.to(x.device, non_blocking=True) / (1 - self.rate)

    def _mask(self, epoch: int, index: int, boxes: int, channels: int) -> np.ndarray:
        """Return [boxes, channels], true where a feature stays."""
        rng = np.random.default_rng((self._seed, epoch, index, _STREAM))
        return rng.random((boxes, channels), dtype=np.float32) >= self.rate


def use_sample_dropout(model: nn.Module, *, rate: float, seed: int) -> SampleDropout:
    """Put a ``SampleDropout`` into the head of ``model`` and return it."""
    dropout = SampleDropout(rate, seed=seed)
    model.get_submodule("head").dropout = dropout
    return dropout
