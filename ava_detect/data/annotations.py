"""Labelled keyframes: who is where on which second of which video, doing what.

Nothing here knows AVA's seconds or classes: any label map and any keyframe times will do. The files are read
by ``annotation_reader``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np

from evaluation.errors import DataError
from evaluation.rows import format_time


@dataclass(frozen=True, eq=False)
class LabelledKeyframe:
    """One keyframe of one video.

    Attributes:
        video_id: as in the file.
        second: time on the clock of the annotations, in AVA of the original film.
        boxes: [R, 4] float64, x1, y1, x2, y2, normalised, exactly as in the file.
        labels: [R, K] uint8, 1 where the person does the action of that column.
        scores: [R] float64, the detector's confidence; 1 for labelled people.
    """

    video_id: str
    second: float
    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray

    def __str__(self) -> str:
        return f"{self.video_id} at {format_time(self.second)}"

    def people(self, chosen: np.ndarray) -> "LabelledKeyframe":
        """Return the keyframe with some of its people: [R] bool."""
        return replace(self, boxes=self.boxes[chosen], labels=self.labels[chosen], scores=self.scores[chosen])


@dataclass(frozen=True, eq=False)
class Annotations(Sequence[LabelledKeyframe]):
    """F keyframes with at least one box each, by video id and time.

    Held as flat arrays, so that a quarter of a million keyframes are cheap to keep and to hand to worker
    processes.

    Attributes:
        class_ids: K ids of the label map, one per column of the labels.
        video_names: distinct video ids.
        videos: [F] index into ``video_names``.
        seconds: [F].
        starts: [F + 1] the boxes of keyframe f are ``starts[f]`` to ``starts[f + 1]``.
        boxes: [B, 4]. labels: [B, K]. scores: [B].
        notes: what was left out and why, for people; a line each.
    """

    class_ids: tuple[int, ...]
    video_names: tuple[str, ...]
    videos: np.ndarray
    seconds: np.ndarray
    starts: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.videos)

    @overload
    def __getitem__(self, index: int) -> LabelledKeyframe: ...
    @overload
    def __getitem__(self, index: slice) -> list[LabelledKeyframe]: ...
    def __getitem__(self, index: int | slice) -> LabelledKeyframe | list[LabelledKeyframe]:
        """Return a keyframe, or a list of them."""
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        people = slice(self.starts[place], self.starts[place + 1])
        return LabelledKeyframe(
            video_id=self.video_names[self.videos[place]],
            second=float(self.seconds[place]),
            boxes=self.boxes[people],
            labels=self.labels[people],
            scores=self.scores[people],
        )

    def select(self, chosen: np.ndarray) -> "Annotations":
        """Return some of the keyframes, by a mask or by ascending indices."""
        places = np.arange(len(self))[chosen]
        counts = np.diff(self.starts)[places]
        ends = np.cumsum(counts)
        people = np.arange(ends[-1] if len(ends) else 0) + np.repeat(
            self.starts[places] - ends + counts, counts
        )
        return Annotations(
            self.class_ids,
            self.video_names,
            self.videos[places],
            self.seconds[places],
            np.concatenate([[0], ends]),
            self.boxes[people],
            self.labels[people],
            self.scores[people],
            self.notes,
        )

    def label_counts(self) -> np.ndarray:
        """Return [K] how many boxes carry each class."""
        return self.labels.sum(axis=0, dtype=np.int64)


def label_columns(map_ids: Sequence[int], num_classes: int) -> tuple[int, ...]:
    """Return the class id of each of the network's outputs.

    With as many outputs as the map has classes, they are the map's, in its order. With more, the outputs are
    the ids 1 to ``num_classes``: AVA's networks have 80 outputs and are often given the map of the 60 classes
    that are evaluated.

    Raises:
        DataError: the map has more classes, or higher ids, than the network has outputs.
    """
    if num_classes == len(map_ids):
        return tuple(map_ids)
    if num_classes < max(map_ids):
        raise DataError(
            f"MODEL.NUM_CLASSES is {num_classes}; the label map has {len(map_ids)} classes, ids up to"
            f" {max(map_ids)}",
            hint=f"Set MODEL.NUM_CLASSES {len(map_ids)}",
        )
    return tuple(range(1, num_classes + 1))
