"""Random changes of colour for training; one draw per clip, the same for all its frames.

Clips are [3, T, H, W] float, RGB, in [0, 1], before normalisation; as in the recipes, nothing is clamped.

Reference: Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks (NIPS 2012),
section 4.1, for the noise along the principal components; PySlowFast's defaults for the constants.
"""

import numpy as np
import torch
from torch import Tensor

# Principal components of ImageNet's pixels, RGB: columns belong to the eigenvalues.
EIGENVALUES = (0.225, 0.224, 0.229)
EIGENVECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)
_LUMA = (0.299, 0.587, 0.114)


def pca_noise(clip: Tensor, rng: np.random.Generator, *, sigma: float = 0.1) -> Tensor:
    """Add one colour to all pixels: noise along the principal components of natural colours.

    Args:
        clip: [3, T, H, W].
        rng: three normal numbers are drawn.
        sigma: standard deviation of the coefficients.
    """
    strengths = rng.normal(0.0, sigma, size=3) * np.array(EIGENVALUES)
    shift = np.array(EIGENVECTORS) @ strengths
    return clip + clip.new_tensor(shift).view(3, 1, 1, 1)


def colour_jitter(
    clip: Tensor,
    rng: np.random.Generator,
    *,
    brightness: float = 0.4,
    contrast: float = 0.4,
    saturation: float = 0.4,
) -> Tensor:
    """Change brightness, contrast and saturation in random order.

    Each mixes the clip with another picture, ``factor * clip + (1 - factor) * other``, the factor uniform in
    [1 - strength, 1 + strength]: with black, with each frame's mean grey, and with the grey picture. A
    strength of 0 leaves that change out.

    Args:
        clip: [3, T, H, W].
        rng: the order is drawn first, then one factor for each change.
        brightness: strength, >= 0.
        contrast: strength, >= 0.
        saturation: strength, >= 0.
    """
    changes = [
        (brightness, torch.zeros_like),
        (contrast, _mean_grey),
        (saturation, _grey),
    ]
    for position in rng.permutation(len(changes)):
        strength, other = changes[position]
        if strength > 0:
            factor = 1.0 + rng.uniform(-strength, strength)
            clip = clip * factor + other(clip) * (1.0 - factor)
    return clip


def _grey(clip: Tensor) -> Tensor:
    """Return the [1, T, H, W] luma of a clip."""
    return (clip * clip.new_tensor(_LUMA).view(3, 1, 1, 1)).sum(dim=0, keepdim=True)


def _mean_grey(clip: Tensor) -> Tensor:
    """Return the [1, T, 1, 1] mean luma of each frame."""
    return _grey(clip).mean(dim=(2, 3), keepdim=True)
