"""Person boxes that somebody else made: a lookup by video and time, in place of the detector.

Needs neither torch nor Detectron2. ``evaluation.rows.read_boxes`` reads the file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

import numpy as np

from person_detector.boxes import PersonBoxes

_TICKS_PER_S = 1000  # files write whole seconds or three decimals; times are compared in milliseconds


class BoxRow(Protocol):
    """One row of an AVA-style box file; ``evaluation.rows`` reads such rows.

    Attributes:
        video_id: first column.
        timestamp: seconds.
        box: x1, y1, x2, y2 in [0, 1].
        score: of the person; None or NaN when the row has none.
    """

    @property
    def video_id(self) -> str: ...  # noqa: D102 - see the class
    @property
    def timestamp(self) -> float: ...  # noqa: D102
    @property
    def box(self) -> tuple[float, float, float, float]: ...  # noqa: D102
    @property
    def score(self) -> float | None: ...  # noqa: D102


class GivenBoxes:
    """The boxes of a file, by video and time.

    A box that has a row per action (ground truth, and predicted boxes that carry labels) counts once. A row
    without a score counts as certain.
    """

    def __init__(self, rows: Iterable[BoxRow]) -> None:
        found: defaultdict[tuple[str, int], dict[tuple[float, ...], float]] = defaultdict(dict)
        for row in rows:
            score = 1.0 if row.score is None or np.isnan(row.score) else float(row.score)
            scores = found[row.video_id, _tick(row.timestamp)]
            box = tuple(map(float, row.box))
            scores[box] = max(score, scores.get(box, 0.0))
        self._people = {key: _sorted(scores) for key, scores in found.items()}
        self._videos = {video_id for video_id, _ in self._people}

    def __len__(self) -> int:
        """Return the number of boxes."""
        return sum(map(len, self._people.values()))

    @property
    def video_ids(self) -> set[str]:
        """The videos that have boxes."""
        return set(self._videos)

    def times(self, video_id: str) -> list[float]:
        """Return the times of a video that have boxes, in seconds, in order."""
        return sorted(tick / _TICKS_PER_S for video, tick in self._people if video == video_id)

    def at(self, video_id: str, time: float, width: int, height: int) -> PersonBoxes:
        """Return the people of one keyframe, best first, in pixels of a picture of the given size.

        Args:
            video_id: as in the file.
            time: seconds, as in the file (with the offset of an AVA clip, if the file has it).
            width, height: of the displayed picture, pixels.
        """
        people = self._people.get((video_id, _tick(time)))
        if people is None:
            return PersonBoxes.none()
        size = np.array([width, height, width, height], np.float32)
        return PersonBoxes(np.clip(people.boxes, 0, 1) * size, people.scores)


def _tick(time: float) -> int:
    return round(time * _TICKS_PER_S)


def _sorted(scores: dict[tuple[float, ...], float]) -> PersonBoxes:
    """Return normalised boxes, best first; equal scores keep the order of the file."""
    order = sorted(scores, key=scores.__getitem__, reverse=True)
    boxes = np.array(order, np.float32).reshape(-1, 4)
    return PersonBoxes(boxes, np.array([scores[box] for box in order], np.float32))
