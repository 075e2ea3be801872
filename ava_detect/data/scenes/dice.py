"""Seeded draws that are the same with every NumPy version, so that a scene's seed means the same everywhere.

Only the raw doubles of PCG64 are used, whose stream NumPy guarantees; the distributions are made here.
"""

import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


class Dice:
    """A stream of random draws, named by a key such as ``(grade stream, seed, "person", 2)``.

    Streams of different keys are independent: a new draw in one part of a scene changes no other part.
    """

    def __init__(self, *key: int | str) -> None:
        words = [zlib.crc32(word.encode()) if isinstance(word, str) else word for word in key]
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))

    def uniforms(self, *shape: int) -> np.ndarray:
        """Draw an array of uniform numbers in [0, 1)."""
        return self._generator.random(shape)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Draw one uniform number in [low, high)."""
        return low + (high - low) * float(self._generator.random())

    def within(self, bounds: tuple[float, float]) -> float:
        """Draw one uniform number between the two bounds."""
        return self.uniform(*bounds)

    def integer(self, low: int, high: int) -> int:
        """Draw one of low, low + 1, ..., high."""
        return low + int(self.uniform() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """Say yes with this probability."""
        return self.uniform() < probability

    def sign(self) -> float:
        """Draw -1.0 or 1.0."""
        return -1.0 if self.chance(0.5) else 1.0

    def pick(self, items: Sequence[Item]) -> Item:
        """Draw one of the items, all equally likely."""
        return items[self.integer(0, len(items) - 1)]

    def pick_weighted(self, weights: dict[Item, float]) -> Item:
        """Draw one key of a mapping from item to weight."""
        left = self.uniform(0.0, sum(weights.values()))
        for item, weight in weights.items():
            left -= weight
            if left < 0:
                return item
        return next(reversed(weights))

    def gaussians(self, *shape: int) -> np.ndarray:
        """Draw an array of nearly normal numbers (sums of twelve uniforms): mean 0, deviation 1."""
        return self._generator.random((12, *shape)).sum(axis=0) - 6.0

    def colour(self, low: float = 20.0, high: float = 235.0) -> tuple[float, float, float]:
        """Draw a BGR colour, every channel between the bounds."""
        return (self.uniform(low, high), self.uniform(low, high), self.uniform(low, high))
