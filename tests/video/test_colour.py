"""Changes of colour against plain code, pixel by pixel."""

import numpy as np
import pytest
import torch

from ava_detect.video.colour import EIGENVALUES, EIGENVECTORS, colour_jitter, pca_noise


def clip() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).random((3, 2, 4, 5), dtype=np.float32))


class Draws:
    """Stands in for a generator whose draws are known."""

    def __init__(
        self, normal: list[float] | None = None, order: list[int] | None = None, uniform: float = 0.0
    ) -> None:
        self._normal, self._order, self._uniform = normal, order, uniform
        self.bounds: list[tuple[float, float]] = []

    def normal(self, mean: float, sigma: float, size: int) -> np.ndarray:
        assert (mean, size) == (0.0, 3)
        return np.array(self._normal) * sigma

    def permutation(self, count: int) -> list[int]:
        assert self._order is not None
        return self._order

    def uniform(self, low: float, high: float) -> float:
        self.bounds.append((low, high))
        return self._uniform


def test_pca_noise_adds_one_colour_to_every_pixel() -> None:
    original = clip()
    draws = [0.5, -1.0, 2.0]
    changed = pca_noise(original, Draws(normal=draws), sigma=0.1)  # type: ignore[arg-type]
    for channel in range(3):
        shift = sum(EIGENVECTORS[channel][k] * draws[k] * 0.1 * EIGENVALUES[k] for k in range(3))
        torch.testing.assert_close(changed[channel], original[channel] + shift)


def luma(pixel: np.ndarray) -> float:
    return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]


def reference(original: np.ndarray, order: list[int], factor: float) -> np.ndarray:
    """Brightness (0), contrast (1), saturation (2) in the given order, one pixel at a time."""
    result = original.astype(float)
    for change in order:
        before = result.copy()
        for t in range(before.shape[1]):
            pixels = [before[:, t, y, x] for y, x in np.ndindex(*before.shape[2:])]
            mean = sum(map(luma, pixels)) / len(pixels)
            for y, x in np.ndindex(*before.shape[2:]):
                pixel = before[:, t, y, x]
                other = (0.0, mean, luma(pixel))[change]
                result[:, t, y, x] = factor * pixel + (1 - factor) * other
    return result


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2]])
def test_jitter_mixes_with_black_mean_grey_and_grey_in_the_drawn_order(order: list[int]) -> None:
    original = clip()
    draws = Draws(order=order, uniform=0.3)
    changed = colour_jitter(original, draws)  # type: ignore[arg-type]
    expected = torch.from_numpy(reference(original.numpy(), order, 1.3)).float()
    torch.testing.assert_close(changed, expected, atol=1e-5, rtol=1e-5)
    assert draws.bounds == [(-0.4, 0.4)] * 3


def test_a_strength_of_zero_leaves_a_change_out() -> None:
    original = clip()
    draws = Draws(order=[0, 1, 2], uniform=0.3)
    changed = colour_jitter(original, draws, contrast=0.0, saturation=0.0)  # type: ignore[arg-type]
    torch.testing.assert_close(changed, original * 1.3)
    assert len(draws.bounds) == 1


def test_the_same_seed_gives_the_same_colours_and_the_clip_is_left_alone() -> None:
    original = clip()
    untouched = original.clone()
    results = [colour_jitter(original, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    assert torch.equal(original, untouched)
