"""Annotation files to labelled keyframes.

The rows of a file hold one (box, action) each; rows of one keyframe with equal boxes are one person. Boxes
are compared as numbers, so that ``0.99`` and ``0.990`` are the same person and two people 0.001 apart are
not. Training may add detected boxes to the labelled ones, which was worth 0.9 mAP in the paper's best run.

Reference: Feichtenhofer et al., SlowFast Networks (ICCV 2019), section 5; facebookresearch/SlowFast, the AVA
data set.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import numpy as np

from ava_detect.data.annotations import Annotations
from evaluation.errors import DataError
from evaluation.keyframes import number_keyframes
from evaluation.overlaps import best_overlaps, distinct_boxes
from evaluation.rows import NO_CLASS, RowTable, read_boxes, read_groundtruth

_PIXELS_ABOVE = 2.0  # labelled boxes may leave the picture a little; twice its width is another unit


class Unmatched(Enum):
    """What becomes of a detected training box that overlaps no labelled person enough."""

    NEGATIVE = "negative"  # kept, doing none of the actions, as in PySlowFast's "include negative" lists
    LEFT_OUT = "left out"  # as in the paper


@dataclass(frozen=True)
class PredictedBoxRules:
    """How detected boxes take part in training.

    Attributes:
        min_score: boxes below it are left out.
        min_iou: a box without labels of its own takes those of the labelled person whom it overlaps most, if
            by at least this much.
        unmatched: what becomes of the others.
    """

    min_score: float = 0.9
    min_iou: float = 0.9
    unmatched: Unmatched = Unmatched.NEGATIVE


def read_training_annotations(
    truth: Sequence[str | Path],
    class_ids: Sequence[int],
    *,
    predicted: Sequence[str | Path] = (),
    rules: PredictedBoxRules | None = None,
    exclusions: RowTable | None = None,
    valid_seconds: tuple[float, float] | None = None,
) -> Annotations:
    """Read what to train on: labelled people and, if wanted, detected boxes on the same keyframes.

    A detected box that carries labels in its own file keeps them (PySlowFast's ``boxes_and_labels`` files);
    others are labelled by overlap. Detected boxes on keyframes that the ground truth does not name are left
    out: nobody has looked whether the people there do something. A row of the ground truth that only names a
    keyframe says that somebody has, and found nobody.

    Args:
        truth: ground-truth CSV files.
        class_ids: ids of the label columns, from :func:`label_columns`.
        predicted: CSV files of detected boxes, with or without labels.
        rules: for the detected boxes; ``None`` for the defaults.
        exclusions: keyframes to leave out, from ``read_exclusions``.
        valid_seconds: first and last keyframe to take; ``None`` for all.

    Raises:
        DataError: a file cannot be read, a class is not in the label map, boxes are not normalised, or
            nothing is left to train on.
    """
    rules = rules or PredictedBoxRules()
    tables = [*map(read_groundtruth, truth), *map(read_boxes, predicted)]
    choice = _Choice(tables, len(truth), exclusions, valid_seconds)
    columns = _Columns(class_ids)
    people = _People.joined(_labelled_people(table, frames, columns) for table, frames in choice.rows())
    if predicted:
        sure = choice.predicted_rows(min_score=rules.min_score)
        detected = _People.joined(_detected_people(table, frames, columns) for table, frames in sure)
        detected = _labelled_by_overlap(detected, people, min_iou=rules.min_iou)
        if rules.unmatched is Unmatched.LEFT_OUT:
            detected = choice.without_unlabelled(detected)
        people = _People.joined([people, detected])
    return choice.annotations(people, class_ids)


def read_test_annotations(
    boxes: Sequence[str | Path],
    class_ids: Sequence[int],
    *,
    min_score: float = 0.9,
    exclusions: RowTable | None = None,
    valid_seconds: tuple[float, float] | None = None,
) -> Annotations:
    """Read the detected boxes to be scored; a keyframe without a sure box is not there.

    Labels come along where the file has them. For a test on the labelled boxes themselves read the ground
    truth with :func:`read_training_annotations`.

    Args:
        boxes: CSV files of detected boxes.
        class_ids: ids of the label columns.
        min_score: boxes below it are left out.
        exclusions: keyframes to leave out.
        valid_seconds: first and last keyframe to take; ``None`` for all.

    Raises:
        DataError: a file cannot be read, boxes are not normalised, or no box is left.
    """
    tables = [read_boxes(path) for path in boxes]
    choice = _Choice(tables, len(tables), exclusions, valid_seconds)
    columns = _Columns(class_ids)
    sure = choice.rows(min_score=min_score)
    people = _People.joined(_detected_people(table, frames, columns) for table, frames in sure)
    return choice.annotations(people, class_ids)


class _Columns:
    """From class ids to label columns."""

    def __init__(self, class_ids: Sequence[int]) -> None:
        self.count = len(class_ids)
        self._highest = max(class_ids)
        self._column_of = np.full(self._highest + 1, -1)
        self._column_of[list(class_ids)] = np.arange(self.count)

    def of(self, table: RowTable) -> np.ndarray:
        """Return the [R] columns of a table's classes.

        Raises:
            DataError: a class is not in the label map.
        """
        known = (table.action_ids >= 0) & (table.action_ids <= self._highest)
        columns = np.where(known, self._column_of[np.where(known, table.action_ids, 0)], -1)
        if (columns < 0).any():
            row = int(np.flatnonzero(columns < 0)[0])
            found = int(table.action_ids[row])
            hint = "Class ids start at 1; add 1 to every id of the file." if found == 0 else ""
            raise DataError(
                f"{table.source}:{table.lines[row]}: class {found} is not in the label map, which has"
                f" {self.count} classes, ids up to {self._highest}",
                hint=hint,
            )
        return columns


@dataclass(frozen=True, eq=False)
class _People:
    """B distinct boxes: keyframe number, box, labels and score of each."""

    frames: np.ndarray  # [B]
    boxes: np.ndarray  # [B, 4]
    labels: np.ndarray  # [B, K]
    scores: np.ndarray  # [B]

    def select(self, chosen: np.ndarray) -> "_People":
        return _People(self.frames[chosen], self.boxes[chosen], self.labels[chosen], self.scores[chosen])

    @classmethod
    def joined(cls, parts: Iterable["_People"]) -> "_People":
        """Put people together; a box that several parts have gets all their labels and the best score."""
        listed = list(parts)
        if len(listed) == 1:
            return listed[0]
        frames, boxes, labels, scores = (
            np.concatenate([getattr(part, name) for part in listed])
            for name in ("frames", "boxes", "labels", "scores")
        )
        first, person = distinct_boxes(frames, boxes)
        united, best = labels[first], scores[first]
        again = np.setdiff1d(np.arange(len(frames)), first)
        np.maximum.at(united, person[again], labels[again])
        np.maximum.at(best, person[again], scores[again])
        return cls(frames[first], boxes[first], united, best)


def _labelled_people(table: RowTable, frames: np.ndarray, columns: _Columns) -> _People:
    """Join the rows of ground truth to people; their 8th field is the person's number, not a score."""
    _check_normalised(table)
    first, person = distinct_boxes(frames, table.boxes)
    labels = np.zeros((len(first), columns.count), np.uint8)
    labels[person, columns.of(table)] = 1
    return _People(frames[first], table.boxes[first], labels, np.ones(len(first)))


def _detected_people(table: RowTable, frames: np.ndarray, columns: _Columns) -> _People:
    """Join the rows of detected boxes to people; rows may have no class.

    PySlowFast's configurations list the ground truth among the detected boxes; its person numbers count as
    a score of 1 at most.
    """
    _check_normalised(table)
    first, person = distinct_boxes(frames, table.boxes)
    labels = np.zeros((len(first), columns.count), np.uint8)
    labelled = table.action_ids != NO_CLASS
    labels[person[labelled], columns.of(table.select(labelled))] = 1
    scores = np.zeros(len(first))
    np.maximum.at(scores, person, np.minimum(table.scores, 1.0))
    return _People(frames[first], table.boxes[first], labels, scores)


def _check_normalised(table: RowTable) -> None:
    far = np.abs(table.boxes) > _PIXELS_ABOVE
    if far.any():
        row, column = (int(place[0]) for place in np.nonzero(far))
        raise DataError(
            f"{table.source}:{table.lines[row]}: {('x1', 'y1', 'x2', 'y2')[column]} ="
            f" {table.boxes[row, column]:g} is not in [0, 1], in {far.any(axis=1).sum():,} rows; AVA boxes"
            " are normalised",
            hint="Divide x by the width and y by the height of the picture.",
        )


def _labelled_by_overlap(detected: _People, truth: _People, *, min_iou: float) -> _People:
    """Give detected boxes without labels those of the labelled person they overlap most."""
    overlaps, which = best_overlaps(detected.frames, detected.boxes, truth.frames, truth.boxes)
    matched = ~detected.labels.any(axis=1) & (which >= 0) & (overlaps >= min_iou)
    labels = detected.labels.copy()
    labels[matched] = truth.labels[which[matched]]
    return replace(detected, labels=labels)


class _Choice:
    """The keyframes that are used, under one numbering over all files, and notes on what is left out.

    The first ``num_naming`` files say which keyframes there are; the others only add boxes to them.
    """

    def __init__(
        self,
        tables: Sequence[RowTable],
        num_naming: int,
        exclusions: RowTable | None,
        valid_seconds: tuple[float, float] | None,
    ) -> None:
        self._tables, self._num_naming = tables, num_naming
        self._valid_seconds = valid_seconds
        self._notes: list[str] = []
        self._keyframes = number_keyframes(*tables, *([] if exclusions is None else [exclusions]))
        rows, bare = self._keyframes.of_rows[:num_naming], self._keyframes.of_bare[:num_naming]
        self._used = self._keyframes.flags(*rows, *bare)
        self._leave_out(self._outside(self._keyframes.times), "outside AVA.VALID_SECONDS")
        if exclusions is not None:
            self._leave_out(self._keyframes.flags(self._keyframes.of_bare[-1]), "in the list of exclusions")

    def rows(self, *, min_score: float = -np.inf) -> list[tuple[RowTable, np.ndarray]]:
        """Return the rows of the files that name the keyframes, where used, with their keyframe numbers."""
        return [self._rows(place, min_score) for place in range(self._num_naming)]

    def predicted_rows(self, *, min_score: float) -> list[tuple[RowTable, np.ndarray]]:
        """Return the same of the other files."""
        return [self._rows(place, min_score) for place in range(self._num_naming, len(self._tables))]

    def without_unlabelled(self, detected: _People) -> _People:
        """Leave out detected boxes that do nothing."""
        labelled = np.any(detected.labels, axis=1)
        self._note(int((~labelled).sum()), "detected boxes that match no labelled person")
        return detected.select(labelled)

    def annotations(self, people: _People, class_ids: Sequence[int]) -> Annotations:
        """Sort people by keyframe and keyframes by video id and time: the order of the rows means nothing.

        Raises:
            DataError: there is nobody.
        """
        keyframes = self._keyframes
        if not len(people.frames):
            raise self._nothing()
        name_rank = np.argsort(np.argsort(np.array(keyframes.video_names)))
        rank = np.empty(len(keyframes), np.int64)
        rank[np.lexsort((keyframes.times, name_rank[keyframes.videos]))] = np.arange(len(keyframes))
        order = np.lexsort((*people.boxes.T[::-1], rank[people.frames]))
        people = people.select(order)
        starts = np.flatnonzero(np.concatenate([[True], people.frames[1:] != people.frames[:-1]]))
        frames = people.frames[starts]
        return Annotations(
            class_ids=tuple(class_ids),
            video_names=keyframes.video_names,
            videos=keyframes.videos[frames],
            seconds=keyframes.times[frames],
            starts=np.append(starts, len(people.frames)),
            boxes=people.boxes,
            labels=people.labels,
            scores=people.scores,
            notes=tuple(self._notes),
        )

    def _outside(self, seconds: np.ndarray) -> np.ndarray:
        if self._valid_seconds is None:
            return np.zeros(len(seconds), bool)
        return (seconds < self._valid_seconds[0]) | (seconds > self._valid_seconds[1])

    def _leave_out(self, frames: np.ndarray, why: str) -> None:
        self._note(int((self._used & frames).sum()), f"keyframes {why}")
        self._used &= ~frames

    def _rows(self, place: int, min_score: float) -> tuple[RowTable, np.ndarray]:
        table, frames = self._tables[place], self._keyframes.of_rows[place]
        sure = table.scores >= min_score
        self._note(int((~sure).sum()), f"rows of {table.source} with a score below {min_score:g}")
        chosen = sure & self._used[frames]
        return table.select(chosen), frames[chosen]

    def _note(self, count: int, what: str) -> None:
        if count:
            self._notes.append(f"left out {count:,} {what}")

    def _nothing(self) -> DataError:
        tables = self._tables[: self._num_naming]
        sources = ", ".join(table.source for table in tables)
        times = np.concatenate([table.times for table in tables])
        message = f"{sources}: no annotation can be used (0 of {len(times):,} rows)."
        outside = self._outside(times)
        if self._valid_seconds is not None and outside.any():
            first, last = self._valid_seconds
            message += (
                f" {outside.sum():,} rows have timestamps {times.min():g}-{times.max():g}, outside"
                f" AVA.VALID_SECONDS [{first:g}, {last:g}]."
            )
            return DataError(message, hint="For videos of your own: AVA.VALID_SECONDS auto")
        return DataError(" ".join([message, *(f"{note[0].upper()}{note[1:]}." for note in self._notes)]))
