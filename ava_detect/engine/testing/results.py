"""What a test gives: the scores of every person, the keyframes that could not be read, and their files."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ava_detect.data.annotations import Annotations
from ava_detect.engine.testing.network_scores import BatchScores
from evaluation.atomic import atomic_path
from evaluation.row_table import RowTable
from evaluation.rows import ActionRow, format_row, format_time

DETECTIONS, UNREAD = "detections.csv", "unread.csv"
"""File names inside the folder of a test."""


@dataclass(frozen=True)
class UnreadKeyframe:
    """A keyframe whose clip could not be read, and why."""

    video_id: str
    second: float
    reason: str

    def __str__(self) -> str:
        return f"{self.video_id} at {format_time(self.second)}: {self.reason}"


@dataclass(frozen=True, eq=False)
class TestResults:
    """The scores of a whole test set.

    Attributes:
        annotations: F keyframes with their boxes.
        scores: place of a keyframe -> [R, K] scores in the order of its boxes and of the class ids.
        unread: the other keyframes.
    """

    __test__ = False  # not a test of pytest's

    annotations: Annotations
    scores: Mapping[int, np.ndarray]
    unread: tuple[UnreadKeyframe, ...]

    def rows(self) -> Iterator[ActionRow]:
        """Yield a row for every box and every class, in the order of the annotations."""
        class_ids = self.annotations.class_ids
        for place in range(len(self.annotations)):
            if place not in self.scores:
                continue
            keyframe = self.annotations[place]
            for box, scores in zip(keyframe.boxes.tolist(), self.scores[place].tolist(), strict=True):
                for class_id, score in zip(class_ids, scores, strict=True):
                    yield ActionRow(keyframe.video_id, keyframe.second, tuple(box), class_id, score)

    def write(self, folder: Path) -> None:
        """Write ``detections.csv`` and, if there are any, the unread keyframes with their reasons.

        Raises:
            OSError: a file cannot be written.
        """
        with atomic_path(folder / DETECTIONS) as path, path.open("w", encoding="utf-8") as file:
            file.writelines(f"{format_row(row)}\n" for row in self.rows())
        if self.unread:
            _write_unread(self.unread, folder / UNREAD)


def joined_results(annotations: Annotations, batches: Iterable[BatchScores]) -> TestResults:
    """Put the batches of all processes and of an interrupted run together.

    Raises:
        ValueError: a keyframe is in none of the batches.
    """
    scores: dict[int, np.ndarray] = {}
    reasons: dict[int, str] = {}
    for batch in batches:
        scores |= batch.scores
        reasons |= batch.unread
    missing = set(range(len(annotations))) - scores.keys() - reasons.keys()
    if missing:
        raise ValueError(
            f"{len(missing)} keyframes were not scored, the first is {annotations[min(missing)]}"
        )
    unread = []
    for place in sorted(reasons):
        keyframe = annotations[place]
        unread.append(UnreadKeyframe(keyframe.video_id, keyframe.second, reasons[place]))
    return TestResults(annotations, scores, tuple(unread))


def box_table(annotations: Annotations, source: str) -> RowTable:
    """Return the boxes of a test set with the detector's scores, as a file of boxes would be read."""
    frames = np.repeat(np.arange(len(annotations)), np.diff(annotations.starts))
    count = len(frames)
    return RowTable(
        source=source,
        video_names=annotations.video_names,
        videos=annotations.videos[frames].astype(np.int32),
        times=annotations.seconds[frames],
        boxes=annotations.boxes,
        action_ids=np.zeros(count, np.int32),
        scores=annotations.scores,
        lines=np.arange(1, count + 1, dtype=np.int32),
    )


def _write_unread(unread: Iterable[UnreadKeyframe], path: Path) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["video_id", "timestamp", "reason"])
        writer.writerows([each.video_id, format_time(each.second), each.reason] for each in unread)
