"""People on one picture: what every source of boxes gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class PersonBoxes:
    """The people on one picture, best first.

    Attributes:
        boxes: [R, 4] float32, x1, y1, x2, y2 in pixels of the picture, inside it.
        scores: [R] float32 in [0, 1], not increasing.
    """

    boxes: np.ndarray
    scores: np.ndarray

    @classmethod
    def none(cls) -> PersonBoxes:
        """Return the boxes of a picture without people."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.boxes)

    def above(self, threshold: float) -> PersonBoxes:
        """Return those with a score of ``threshold`` or more."""
        keep = self.scores >= threshold
        return PersonBoxes(self.boxes[keep], self.scores[keep])
