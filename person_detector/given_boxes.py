"""Person boxes that somebody else made: a lookup by video and time, in place of the detector.

Needs neither torch nor Detectron2.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from evaluation.errors import DataError
from evaluation.rows import RowTable, read_boxes
from person_detector.boxes import PersonBoxes

_TICKS_PER_S = 1000  # files write whole seconds or three decimals; times are compared in milliseconds


class GivenBoxes:
    """The boxes of an AVA-style file, by video and time.

    A box that has a row per action (ground truth, and predicted boxes that carry labels) counts once, with
    its best score; a row without a score counts as certain.

    Args:
        table: rows with normalised boxes.

    Raises:
        DataError: a score is not in [0, 1].
    """

    def __init__(self, table: RowTable) -> None:
        _check_scores(table)
        ticks = np.rint(table.times * _TICKS_PER_S).astype(np.int64)
        order = np.lexsort((table.lines, -table.scores, ticks, table.videos))
        self._boxes, self._scores = table.boxes[order], table.scores[order].astype(np.float32)
        videos, ticks = table.videos[order], ticks[order]
        changes = np.flatnonzero((np.diff(videos) != 0) | (np.diff(ticks) != 0)) + 1
        bounds = [0, *changes.tolist(), len(order)] if len(order) else [0]
        self._rows = {  # (video, tick) -> its rows, best first
            (table.video_names[videos[first]], int(ticks[first])): slice(first, last)
            for first, last in pairwise(bounds)
        }

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
        return {video_id for video_id, _ in self._rows}

    def times(self, video_id: str) -> list[float]:
        """Return the times of a video that have boxes, in seconds, in order."""
        return sorted(tick / _TICKS_PER_S for video, tick in self._rows if video == video_id)

    def at(self, video_id: str, time: float, width: int, height: int) -> PersonBoxes:
        """Return the people of one keyframe in pixels of a picture of the given size.

        Args:
            video_id: as in the file.
            time: seconds, as in the file: with the offset of an AVA clip, if the file has it.
            width, height: of the displayed picture, pixels.
        """
        rows = self._rows.get((video_id, round(time * _TICKS_PER_S)))
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
