"""The records of a predictions document: the facts of a video, its keyframes, how it ended.

They are what the journal holds and what every output is derived from. ``ava_detect.output.document`` turns
them into JSON and back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import TYPE_CHECKING, Literal

import numpy as np

from ava_detect.output.results import KeyframeResult, PersonPath
from evaluation.errors import DataError
from evaluation.label_map import LabelMap

if TYPE_CHECKING:
    from ava_detect.video.reader import VideoInfo

SCHEMA = "ava-detect/predictions"
VERSION = 1

SCORE_DECIMALS = 6  # four make ties, and ties move mAP
_ROUNDING = 10.0**-SCORE_DECIMALS
_TIME_DECIMALS = 6
_PATH_DECIMALS = 1  # of a pixel; following is not more exact

Status = Literal["complete", "damaged", "interrupted"]
STATUSES: tuple[Status, ...] = ("complete", "damaged", "interrupted")


@dataclass(frozen=True)
class VideoFacts:
    """The video that the results are about.

    Attributes:
        video_id: first column of the AVA rows.
        path: as the user gave it.
        width, height: pixels of the displayed frame, rotation applied.
        duration_s: length of the video stream; None when the file does not say.
        fps: average frame rate as a fraction, "30000/1001"; None when the file does not say.
        rotation: degrees clockwise that the file asks the player to turn the picture by; 0, 90, 180 or 270.
        codec: FFmpeg's short name, "h264".
        size_bytes: size of the file, which tells another cut under the same name; None when unknown.
    """

    video_id: str
    path: str
    width: int
    height: int
    duration_s: float | None = None
    fps: str | None = None
    rotation: int = 0
    codec: str = ""
    size_bytes: int | None = None

    @classmethod
    def of(cls, info: VideoInfo, video_id: str) -> VideoFacts:
        """Return the facts of a video that was opened."""
        return cls(
            video_id=video_id,
            path=str(info.path),
            width=info.width,
            height=info.height,
            duration_s=info.duration_s,
            fps=str(info.fps) if info.fps else None,
            rotation=info.rotation,
            codec=info.codec,
            size_bytes=info.path.stat().st_size,
        )


@dataclass(frozen=True)
class ActionClass:
    """One class of the label map: id (1-based), name, group ("pose", "object", "person" or "other")."""

    id: int
    name: str
    group: str


@dataclass(frozen=True)
class ModelFacts:
    """The action model: name, SHA-256 of weights and of the effective config, and its label map.

    Attributes:
        caveat: what its scores must not be taken for; "" where nothing is known against them.
    """

    name: str
    weights_sha256: str
    config_sha256: str
    label_map: str
    classes: tuple[ActionClass, ...]
    caveat: str = ""

    @property
    def class_ids(self) -> tuple[int, ...]:
        """The ids of the classes in the order of the columns of ``KeyframeResult.action_scores``."""
        return tuple(action.id for action in self.classes)


@dataclass(frozen=True)
class DetectorFacts:
    """Where the boxes come from.

    Attributes:
        source: "detector" or "file".
        name: of the detector, or the path of the file.
        sha256: of the detector's weights, or of the file.
        caveat: as of ``ModelFacts``.
        config_sha256, person_class, mode, backend, proposals, short_side: as of the detector's
            ``DetectorForm``; "" and None for a file.
    """

    source: Literal["detector", "file"]
    name: str
    sha256: str = ""
    caveat: str = ""
    config_sha256: str = ""
    person_class: int | None = None
    mode: str = ""
    backend: str = ""
    proposals: int | None = None
    short_side: int | None = None


@dataclass(frozen=True)
class Settings:
    """What the user chose, and what was chosen for the user.

    Attributes:
        every_s: seconds between keyframes.
        start_s, end_s: keyframes lie at start_s + k * every_s, up to end_s (None: the video's end).
        time_offset_s: added to the times in CSV files; times in this document start at the first frame.
        person_thresh: people below it were dropped; None with boxes from a file.
        min_score: actions below it were dropped.
        track: whether people have ids.
        precision: "fp32", "bf16" or "fp16".
        device: "cpu", "cuda:0", "mps".
        backend: what ran the action model: "torch", "openvino", "compile".
    """

    every_s: float = 1.0
    start_s: float = 0.0
    end_s: float | None = None
    time_offset_s: float = 0.0
    person_thresh: float | None = None
    min_score: float = 0.05
    track: bool = True
    precision: str = "fp32"
    device: str = "cpu"
    backend: str = "torch"


@dataclass(frozen=True)
class Header:
    """Everything that is said once per video."""

    tool_version: str
    video: VideoFacts
    model: ModelFacts
    detector: DetectorFacts
    settings: Settings


@dataclass(frozen=True)
class Person:
    """One person on one keyframe.

    Attributes:
        person_id: the same person through the video, from 1; None without tracking.
        score: the person detector's, in [0, 1].
        box_px: x1, y1, x2, y2 in pixels of the displayed frame; may reach over the picture's edge.
        actions: (action id, score) of the actions at or above ``Settings.min_score``, best first.
    """

    person_id: int | None
    score: float
    box_px: tuple[float, float, float, float]
    actions: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class BoxPath:
    """Where a person was between two keyframes.

    Attributes:
        person_id: as on the keyframes.
        points: (seconds from the first frame, x1, y1, x2, y2 in pixels), increasing in time.
    """

    person_id: int
    points: tuple[tuple[float, float, float, float, float], ...]


@dataclass(frozen=True)
class Keyframe:
    """The people on one keyframe, in the order of their ids.

    Attributes:
        time: nominal time on the keyframe grid, seconds from the first frame of the video stream.
        frame_time: presentation time of the frame whose pixels were used, same origin.
        frame_idx: position of that frame in presentation order, from 0.
        best_person_score: of the surest box, below the threshold or not; None: there was none.
        paths: where the people of this keyframe and of the one before were between the two.
    """

    time: float
    frame_time: float
    frame_idx: int
    persons: tuple[Person, ...]
    best_person_score: float | None = None
    paths: tuple[BoxPath, ...] = ()

    @property
    def num_rows(self) -> int:
        """How many AVA rows the keyframe makes."""
        return sum(len(person.actions) for person in self.persons)


@dataclass(frozen=True)
class End:
    """How a video ended: "complete", "damaged" or "interrupted", with the reason for the last two."""

    status: Status
    keyframes: int
    reason: str = ""


Record = Header | Keyframe | End


def classes_of(label_map: LabelMap) -> tuple[ActionClass, ...]:
    """Return the classes of a label map as records."""
    columns = zip(label_map.ids, label_map.names, label_map.groups, strict=True)
    return tuple(ActionClass(*column) for column in columns)


def to_record(result: KeyframeResult, class_ids: Sequence[int], *, min_score: float) -> Keyframe:
    """Turn the engine's result into a record.

    Scores are rounded to 6 decimals; boxes keep the digits that bring the same float32 back.

    Args:
        result: with action scores [R, K].
        class_ids: [K] ids of the columns.
        min_score: actions below it are left out.

    Raises:
        DataError: a box or a score is not a number, which half precision on an odd device can cause.
        ValueError: the shapes do not fit together, a box is inverted, or a score lies outside [0, 1].
    """
    _check(result, len(class_ids))
    order = np.argsort(result.person_ids, kind="stable")
    persons = tuple(_person(result, row, class_ids, min_score) for row in order)
    best = float(result.best_person_score)
    return Keyframe(
        time=float(result.time),
        frame_time=float(result.frame_time),
        frame_idx=int(result.frame_idx),
        persons=persons,
        best_person_score=None if isnan(best) else round(best, SCORE_DECIMALS),
        paths=tuple(_recorded_path(path) for path in result.paths),
    )


def to_result(keyframe: Keyframe, class_ids: Sequence[int]) -> KeyframeResult:
    """Turn a record back into a result; actions that were left out have score 0.

    Raises:
        KeyError: the record has an action that is not among ``class_ids``.
    """
    column_of = {class_id: column for column, class_id in enumerate(class_ids)}
    scores = np.zeros((len(keyframe.persons), len(class_ids)), np.float32)
    for row, person in enumerate(keyframe.persons):
        for action_id, score in person.actions:
            scores[row, column_of[action_id]] = score
    best = keyframe.best_person_score
    return KeyframeResult(
        time=keyframe.time,
        frame_time=keyframe.frame_time,
        frame_idx=keyframe.frame_idx,
        boxes=np.array([person.box_px for person in keyframe.persons], np.float32).reshape(-1, 4),
        person_scores=np.array([person.score for person in keyframe.persons], np.float32),
        person_ids=np.array([person.person_id or -1 for person in keyframe.persons], np.int64),
        action_scores=scores,
        best_person_score=nan if best is None else best,
        paths=tuple(_path_of_record(path) for path in keyframe.paths),
    )


def _recorded_path(path: PersonPath) -> BoxPath:
    times, boxes = path.times.round(_TIME_DECIMALS), path.boxes.round(_PATH_DECIMALS)
    points = np.column_stack([times, boxes]).tolist()
    return BoxPath(path.person_id, tuple((time, x1, y1, x2, y2) for time, x1, y1, x2, y2 in points))


def _path_of_record(path: BoxPath) -> PersonPath:
    points = np.array(path.points, np.float64).reshape(-1, 5)
    return PersonPath(path.person_id, points[:, 0], points[:, 1:])


def _person(result: KeyframeResult, row: int, class_ids: Sequence[int], min_score: float) -> Person:
    scores = np.clip(result.action_scores[row].astype(np.float64), 0, 1).round(SCORE_DECIMALS)
    kept = np.flatnonzero(scores >= min_score)
    best_first = kept[np.argsort(-scores[kept], kind="stable")]
    person_id = int(result.person_ids[row])
    x1, y1, x2, y2 = (_shortest(edge) for edge in result.boxes[row])
    return Person(
        person_id=person_id if person_id > 0 else None,
        score=round(min(1.0, max(0.0, float(result.person_scores[row]))), SCORE_DECIMALS),
        box_px=(x1, y1, x2, y2),
        actions=tuple((class_ids[column], float(scores[column])) for column in best_first),
    )


def _shortest(value: np.floating) -> float:
    """Return the float with the fewest digits that rounds to the same float32."""
    return float(str(np.float32(value)))


def _check(result: KeyframeResult, num_classes: int) -> None:
    people = len(result.boxes)
    shapes = (
        result.boxes.shape,
        result.person_scores.shape,
        result.person_ids.shape,
        result.action_scores.shape,
    )
    if shapes != ((people, 4), (people,), (people,), (people, num_classes)):
        raise ValueError(f"boxes, scores, ids and action scores of {people} people have shapes {shapes}")
    for array, name in (
        (result.boxes, "boxes"),
        (result.person_scores, "person scores"),
        (result.action_scores, "action scores"),
    ):
        if not np.isfinite(array).all():
            raise DataError(
                f"keyframe at {result.time:g} s: {name} are not numbers (NaN or infinite)",
                hint="If this ran in half precision, try: --precision fp32",
            )
    if (result.boxes[:, :2] > result.boxes[:, 2:]).any():
        raise ValueError(f"keyframe at {result.time:g} s: a box has x1 > x2 or y1 > y2")
    for scores in (result.person_scores, result.action_scores):
        if ((scores < -_ROUNDING) | (scores > 1 + _ROUNDING)).any():
            raise ValueError(f"keyframe at {result.time:g} s: a score lies outside [0, 1]")
