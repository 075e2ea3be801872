"""Scores of videos that are tested clip by clip and crop by crop.

Test item i is view ``i % V`` of video ``i // V``; with c crops per clip, view v is crop ``v % c`` of clip
``v // c``. Samplers that share items out among processes repeat some to make the shares equal; a repeated
item counts once.
"""

from collections.abc import Callable

import numpy as np

from evaluation.errors import DataError


class ViewScores:
    """Gathers the scores of all views and combines them per video.

    Args:
        num_videos: N.
        num_views: V, views per video: clips times crops.
        num_classes: K.
    """

    def __init__(self, num_videos: int, num_views: int, num_classes: int) -> None:
        self._views = np.full((num_videos * num_views, num_classes), np.nan)
        self._shape = (num_videos, num_views, num_classes)
        self._seen = np.zeros(num_videos * num_views, bool)
        self.repeated = 0
        """How many items came more than once."""

    def add(self, items: np.ndarray, scores: np.ndarray) -> None:
        """Take the scores of some test items; of a repeated item the first ones stay.

        Args:
            items: [n] item numbers.
            scores: [n, K] probabilities: softmax for one label per video, sigmoid for several.

        Raises:
            ValueError: an item number or a shape is impossible, or a score is not finite.
        """
        items, scores = np.asarray(items), np.asarray(scores, np.float64)
        if scores.shape != (len(items), self._shape[2]):
            raise ValueError(
                f"scores of shape {scores.shape} for {len(items)} items of {self._shape[2]} classes"
            )
        if len(items) and not (0 <= items.min() and items.max() < len(self._seen)):
            raise ValueError(f"item numbers {items.min()}-{items.max()}, expected 0-{len(self._seen) - 1}")
        if not np.isfinite(scores).all():
            raise ValueError("a score is not finite")
        for item, row in zip(items.tolist(), scores, strict=True):
            self.repeated += bool(self._seen[item])
            if not self._seen[item]:
                self._views[item] = row
                self._seen[item] = True

    def mean(self) -> np.ndarray:
        """Return [N, K] the mean over the views, as for Kinetics.

        Raises:
            DataError: a view of a video is missing.
        """
        return self._combined(np.mean)

    def maximum(self) -> np.ndarray:
        """Return [N, K] the largest score of any view, as for Charades.

        Raises:
            DataError: a view of a video is missing.
        """
        return self._combined(np.max)

    def _combined(self, combine: Callable[..., np.ndarray]) -> np.ndarray:
        missing = np.flatnonzero(~self._seen)
        if len(missing):
            num_views = self._shape[1]
            video = int(missing[0]) // num_views
            views = int(self._seen.reshape(-1, num_views)[video].sum())
            videos = len(np.unique(missing // num_views))
            raise DataError(
                f"video {video} has {views} of {num_views} views;"
                f" {videos} of {self._shape[0]} videos are incomplete",
                hint="Every view has to be scored once before videos are compared with their labels.",
            )
        return combine(self._views.reshape(self._shape), axis=1)
