"""The demo's contact sheet: keyframes with what was found drawn on them, and what is true written below."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ava_detect.output.contact_sheet import INK, Note, Tile
from ava_detect.output.document import read_document
from ava_detect.output.labels import choose_labels, short_name
from ava_detect.output.overlay import DrawnPerson
from ava_detect.output.records import ActionClass, End, Header, Keyframe
from ava_detect.output.summary import SEEN_SCORE, clock
from ava_detect.video.reader import VideoReader
from evaluation.boxes import pairwise_iou
from evaluation.rows import RowTable, read_groundtruth

_TOP_K = 5
_SAME_PERSON = 0.5  # IoU, as in the evaluation
_RIGHT, _MISSED, _WRONG = (150, 220, 130), (90, 175, 255), (120, 120, 255)  # BGR: green, orange, red


@dataclass(frozen=True)
class _TruePerson:
    """A person of the ground truth: box in pixels, ids of the actions."""

    box: np.ndarray
    actions: frozenset[int]


HEAD = (
    Note("Drawn: what the models say. Below:"),
    Note("right", _RIGHT),
    Note("missed", _MISSED),
    Note("wrong", _WRONG),
)


def demo_tiles(document: Path, groundtruth: Path, *, seconds: Sequence[int]) -> Iterator[Tile]:
    """Yield the keyframes at the given seconds of every video of a predictions document.

    Args:
        document: from ``predict --out *.json``.
        groundtruth: AVA rows of the same videos.
        seconds: of each video.

    Raises:
        DataError: a file cannot be read. VideoError: a video cannot.
    """
    truth = read_groundtruth(groundtruth)
    for header, keyframes in videos_of(document):
        chosen = {keyframe.frame_idx: keyframe for keyframe in keyframes if keyframe.time in seconds}
        with VideoReader(header.video.path) as video:
            for frame in video:
                if (keyframe := chosen.pop(frame.idx, None)) is not None:
                    yield _tile(frame.image(), header, keyframe, truth)
                if not chosen:
                    break


def videos_of(document: Path) -> Iterator[tuple[Header, list[Keyframe]]]:
    """Yield the facts and the keyframes of every video of a predictions document.

    Raises:
        DataError: the document cannot be read.
    """
    header: Header | None = None
    keyframes: list[Keyframe] = []
    for record in read_document(document):
        match record:
            case Header():
                header, keyframes = record, []
            case Keyframe():
                keyframes.append(record)
            case End() if header is not None:
                yield header, keyframes


def _tile(image: np.ndarray, header: Header, keyframe: Keyframe, truth: RowTable) -> Tile:
    classes = {action.id: action for action in header.model.classes}
    people = [
        DrawnPerson(
            person.box_px,
            person.person_id,
            choose_labels(person.actions, classes, top_k=_TOP_K, threshold=SEEN_SCORE),
        )
        for person in keyframe.persons
    ]
    true_people = list(_true_people(truth.of_video(header.video.video_id), keyframe.time, image.shape))
    return Tile(
        np.ascontiguousarray(image),
        people,
        title=f"{header.video.video_id}  {clock(keyframe.time)}",
        notes=list(_verdicts(keyframe, true_people, classes)),
    )


def _true_people(truth: RowTable, time: float, shape: tuple[int, ...]) -> Iterator[_TruePerson]:
    """Yield the people of a keyframe; rows of one person have one box."""
    size = np.array([shape[1], shape[0], shape[1], shape[0]])
    rows = np.flatnonzero(truth.times == time)
    boxes, members = np.unique(truth.boxes[rows], axis=0, return_inverse=True)
    for number, box in enumerate(boxes):
        actions = truth.action_ids[rows[members.reshape(-1) == number]]
        yield _TruePerson(box * size, frozenset(actions.tolist()))


def _verdicts(
    keyframe: Keyframe, truth: Sequence[_TruePerson], classes: dict[int, ActionClass]
) -> Iterator[list[Note]]:
    """Yield a line per person: what was found rightly, what was missed, what was made up."""
    found = np.array([person.box_px for person in keyframe.persons], float).reshape(-1, 4)
    free = set(range(len(truth)))
    for box, person in zip(found, keyframe.persons, strict=True):
        overlaps = {number: _iou(box, truth[number].box) for number in free}
        best = max(overlaps, key=lambda number: overlaps[number], default=-1)
        said = {action for action, score in person.actions if score >= SEEN_SCORE}
        name = Note(f"#{person.person_id}")
        if best < 0 or overlaps[best] < _SAME_PERSON:
            yield [name, Note("nobody is labelled there", _WRONG)]
            continue
        free.remove(best)
        true = truth[best].actions
        yield [
            name,
            *_named(true & said, classes, _RIGHT, ""),
            *_named(true - said, classes, _MISSED, " (missed)"),
            *_named(said - true, classes, _WRONG, " (wrong)"),
        ]
    for number in sorted(free):
        yield [Note("not found:", _MISSED), *_named(truth[number].actions, classes, INK, "")]


def _iou(box: np.ndarray, other: np.ndarray) -> float:
    return float(pairwise_iou(box[None], other[None])[0])


def _named(
    actions: Iterable[int], classes: dict[int, ActionClass], colour: tuple[int, int, int], verdict: str
) -> list[Note]:
    return [Note(short_name(classes[action].name) + verdict, colour) for action in sorted(actions)]
