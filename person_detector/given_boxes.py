"""Person boxes that somebody else made: a lookup by video and time, in place of the detector.

Needs neither torch nor Detectron2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.errors import DataError
from evaluation.keyframes import time_keys
from evaluation.rows import RowTable, read_boxes
from person_detector.boxes import PersonBoxes

_US_PER_S = 1_000_000  # keyframes are told apart by microseconds, as in the evaluation
_ROUNDED_BY_US = 500  # at most: other people's files write three decimals


@dataclass(frozen=True, eq=False)
class _Keyframes:
    """The keyframes of one video in a file.

    Attributes:
        keys: [F] int64 microseconds, increasing.
        bounds: [F + 1] first row of each keyframe, and behind the last.
    """

    keys: np.ndarray
    bounds: list[int]

    def nearest(self, time: float) -> slice | None:
        """Return the rows of the keyframe at ``time``, seconds; None where there is none."""
        wanted = round(time * _US_PER_S)
        place = int(np.abs(self.keys - wanted).argmin())
        if abs(int(self.keys[place]) - wanted) > _ROUNDED_BY_US:
            return None
        return slice(self.bounds[place], self.bounds[place + 1])


class GivenBoxes:
    """The boxes of an AVA-style file, by video and time.

    A box that has a row per action (ground truth, and predicted boxes that carry labels) counts once, with
    its best score; a row without a score counts as certain. A keyframe has the boxes of the file's nearest
    time, if rounding to three decimals can have moved it there.

    Args:
        table: rows with normalised boxes.

    Raises:
        DataError: a score is not in [0, 1].
    """

    def __init__(self, table: RowTable) -> None:
        _check_scores(table)
        keys = time_keys(table.times + 0.0)  # "-0" is 0
        order = np.lexsort((table.lines, -table.scores, keys, table.videos))
        self._boxes, self._scores = table.boxes[order], table.scores[order].astype(np.float32)
        videos, keys = table.videos[order], keys[order]
        self._keyframes: dict[str, _Keyframes] = {}
        for video in np.unique(videos).tolist():
            first, last = np.searchsorted(videos, [video, video + 1]).tolist()
            distinct, starts = np.unique(keys[first:last], return_index=True)
            bounds = [*(first + starts).tolist(), last]
            self._keyframes[table.video_names[video]] = _Keyframes(distinct, bounds)

    @classmethod
    def read(cls, path: str | Path) -> GivenBoxes:
        """Read a file of rows ``video_id,timestamp,x1,y1,x2,y2,,score``; class and score may be missing.

        Raises:
            DataError: the file or a row cannot be used.
        """
        return cls(read_boxes(path))

    @property
    def video_ids(self) -> set[str]:
        """The videos that have boxes."""
        return set(self._keyframes)

    def times(self, video_id: str) -> list[float]:
        """Return the times of a video that have boxes, in seconds, in order."""
        keyframes = self._keyframes.get(video_id)
        return [] if keyframes is None else (keyframes.keys / _US_PER_S).tolist()

    def at(self, video_id: str, time: float, width: int, height: int) -> PersonBoxes:
        """Return the people of one keyframe in pixels of a picture of the given size.

        Args:
            video_id: as in the file.
            time: seconds, as in the file: with the offset of an AVA clip, if the file has it.
            width, height: of the displayed picture, pixels.
        """
        keyframes = self._keyframes.get(video_id)
        rows = None if keyframes is None else keyframes.nearest(time)
        if rows is None:
            return PersonBoxes.none()
        _, first = np.unique(self._boxes[rows], axis=0, return_index=True)
        keep = np.sort(first)  # best first again
        size = np.array([width, height, width, height], np.float64)
        boxes = np.clip(self._boxes[rows][keep], 0, 1) * size
        return PersonBoxes(boxes.astype(np.float32), self._scores[rows][keep])


def _check_scores(table: RowTable) -> None:
    wrong = np.flatnonzero(~((table.scores >= 0) & (table.scores <= 1)))
    if len(wrong):
        line, score = table.lines[wrong[0]], table.scores[wrong[0]]
        raise DataError(
            f"{table.source}:{line}: score {score:g} is not in [0, 1] ({len(wrong):,} such rows)",
            hint="In ground truth the 8th field is a person's id. To use such a file, leave it out:\n"
            f"cut -d, -f1-7 {table.source} > boxes.csv",
        )
