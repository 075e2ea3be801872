"""Random colours for training clips: one draw per clip, the same for all of its frames.

The definitions are PySlowFast's; clips are RGB, float, in [0, 1] before normalisation, and nothing is cut off
at 0 or 1.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)  # of R, G, B (ITU-R BT.601)


@dataclass(frozen=True)
class ColourJitter:
    """PCA noise ("lighting"), and if wanted brightness, contrast and saturation in random order before it.

    Attributes:
        strength: brightness, contrast and saturation are each multiplied by a factor from 1 - strength to
            1 + strength; 0 leaves them alone.
        pca_std: standard deviation of the noise per principal component of the colours.
        eigenvalues: [3]. eigenvectors: [3][3], a row per colour, R first; a column per component.
    """

    eigenvalues: tuple[float, ...]
    eigenvectors: tuple[tuple[float, ...], ...]
    strength: float = 0.4
    pca_std: float = 0.1

    def __call__(self, clip: Tensor, rng: np.random.Generator) -> Tensor:
        """Return [3, T, H, W] with other colours."""
        if self.strength:
            steps = (_brightness, _contrast, _saturation)
            for step in rng.permutation(len(steps)):
                factor = 1.0 + float(rng.uniform(-self.strength, self.strength))
                clip = steps[step](clip, factor)
        weights = rng.normal(0.0, self.pca_std, 3) * np.array(self.eigenvalues)
        shift = np.array(self.eigenvectors) @ weights
        return clip + clip.new_tensor(shift).view(3, 1, 1, 1)


def _brightness(clip: Tensor, factor: float) -> Tensor:
    return clip * factor


def _contrast(clip: Tensor, factor: float) -> Tensor:
    """Move away from each frame's mean grey."""
    return torch.lerp(_grey(clip).mean(dim=(2, 3), keepdim=True), clip, factor)


def _saturation(clip: Tensor, factor: float) -> Tensor:
    """Move away from each pixel's grey."""
    return torch.lerp(_grey(clip), clip, factor)


def _grey(clip: Tensor) -> Tensor:
    """Return [1, T, H, W]."""
    return (clip * clip.new_tensor(_LUMA).view(3, 1, 1, 1)).sum(dim=0, keepdim=True)
