"""Stage one alone: the people on keyframes of many videos, kept video by video so that nothing is lost.

Every video has a journal of its own in a folder beside the output. Processes that share the work never write
to the same file, an interrupted video goes on behind its last keyframe, and the CSV is made from the journals
in the order of the videos, whoever wrote them.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np

from ava_detect.engine.interruption import Interruption
from ava_detect.engine.keyframe_clips import KeyframeClip, told_at_keyframes
from ava_detect.engine.keyframe_images import KeyframePictures
from ava_detect.engine.prediction import Outcome
from ava_detect.engine.predictor import FindPeople
from ava_detect.engine.prefetch import prefetch
from ava_detect.output.journal import Journal, read_journal
from ava_detect.output.records import DetectorFacts, Header, Keyframe, ModelFacts, Settings
from ava_detect.output.results import KeyframeResult
from ava_detect.output.writers import normalised_box
from ava_detect.video.keyframes import KeyframeGrid
from evaluation.atomic import atomic_path
from evaluation.errors import AvaDetectError, VideoError
from evaluation.rows import NO_CLASS, ActionRow, format_row
from person_detector import PersonBoxes

NO_ACTIONS = ModelFacts("none", "", "", "", ())
"""What a journal of boxes says of the action model."""

_SUFFIX = ".jsonl"
_TIME_DECIMALS = 6  # by which keyframes are told apart

Watch = Callable[["BoxTask", KeyframeResult], None]


@dataclass(frozen=True)
class BoxTask:
    """A video and the keyframes on which people are to be found.

    Attributes:
        video_id: first column of the rows.
        pictures: the video.
        times: seconds from the first frame, increasing.
        keyframes: how many there are, or will be by the length that the video states; None: unknown.
    """

    video_id: str
    pictures: KeyframePictures
    times: KeyframeGrid | tuple[float, ...]
    keyframes: int | None = None

    @property
    def key(self) -> str:
        """The name of the task's journal: another one for another list of keyframes."""
        times = "grid" if isinstance(self.times, KeyframeGrid) else repr(self.times)
        return hashlib.sha256(f"{self.video_id}\n{times}".encode("utf-8", "surrogateescape")).hexdigest()[:32]


def shared_out(tasks: Sequence[BoxTask], rank: int, world: int) -> list[BoxTask]:
    """Return the tasks of one of ``world`` processes; together they have every task once.

    The longest go first, each to the process that has least; all processes reckon the same.
    """
    usual = max(1, max((task.keyframes or 0 for task in tasks), default=1))
    sizes = [task.keyframes if task.keyframes is not None else usual for task in tasks]
    loads, mine = [0] * world, []
    for place in sorted(range(len(tasks)), key=lambda place: (-sizes[place], place)):
        least = loads.index(min(loads))
        loads[least] += max(1, sizes[place])
        if least == rank:
            mine.append(place)
    return [tasks[place] for place in sorted(mine)]


@dataclass(frozen=True)
class BoxFinder:
    """Finds people and keeps them in journals.

    Attributes:
        find: the person detector.
        detector, settings: what the journals say of it; a run with others does not go on with them. Boxes
            below ``settings.person_thresh`` are dropped.
        folder: of the journals.
        batch: keyframes at once.
    """

    find: FindPeople
    detector: DetectorFacts
    settings: Settings
    folder: Path
    tool_version: str
    batch: int = 1

    def run(self, tasks: Iterable[BoxTask], interruption: Interruption, watch: Watch) -> Iterator[Outcome]:
        """Do every task and yield how it ended; one that fails does not stop the others.

        Args:
            tasks: those that a journal holds completely are not done again.
            interruption: when it is requested, the keyframes in hand are finished and nothing more is begun.
            watch: called with every result, for progress.
        """
        for task in tasks:
            if interruption.requested:
                yield Outcome(task.pictures.path, "interrupted", "not begun")
                continue
            try:
                yield self._do(task, interruption, watch)
            except VideoError as error:
                yield Outcome(task.pictures.path, "failed", str(error), error.hint)

    def _do(self, task: BoxTask, interruption: Interruption, watch: Watch) -> Outcome:
        path, pictures = task.pictures.path, task.pictures
        facts = pictures.facts(task.video_id)
        header = Header(self.tool_version, facts, NO_ACTIONS, self.detector, self.settings)
        with Journal.resume(journal_of(self.folder, task)) as journal:
            progress = journal.begin(header)
            if progress.status is not None:
                return Outcome(path, progress.status, "done by an earlier run")
            to_do = itertools.dropwhile(lambda moment: moment <= progress.last_time, task.times)
            with closing(prefetch(pictures.keyframes(to_do), depth=2 * self.batch)) as ready:
                while clips := list(itertools.islice(ready, self.batch)):
                    for result in self._results(task, clips):
                        journal.append(result)
                        watch(task, result)
                    if interruption.requested:
                        return Outcome(path, "interrupted", f"stopped after {clips[-1].time:g} s")
            journal.finish("damaged" if pictures.damage else "complete", pictures.damage or "")
        return Outcome(path, "damaged" if pictures.damage else "complete", pictures.damage or "")

    def _results(self, task: BoxTask, clips: Sequence[KeyframeClip]) -> Iterator[KeyframeResult]:
        lowest = self.settings.person_thresh or 0.0
        with told_at_keyframes(task.pictures.path, clips):
            people = self.find(task.video_id, clips)
        for clip, found in zip(clips, people, strict=True):
            yield _result(clip, found.above(lowest), float(max(found.scores, default=nan)))


def _result(clip: KeyframeClip, people: PersonBoxes, best: float) -> KeyframeResult:
    return KeyframeResult(
        time=clip.time,
        frame_time=clip.frame_time,
        frame_idx=clip.frame_idx,
        boxes=people.boxes,
        person_scores=people.scores,
        person_ids=np.full(len(people), -1),
        action_scores=np.zeros((len(people), 0), np.float32),
        best_person_score=best,
    )


@dataclass
class BoxCounts:
    """What a CSV of boxes holds: keyframes looked at, those with nobody on them, boxes, the best score."""

    videos: int = 0
    keyframes: int = 0
    without_box: int = 0
    boxes: int = 0
    best_score: float | None = None


def box_rows(folder: Path, tasks: Iterable[BoxTask], counts: BoxCounts) -> Iterator[ActionRow]:
    """Yield the boxes of all journals, by task, time and score, and count them.

    Raises:
        DataError: a journal is damaged.
    """
    for task in tasks:
        path = journal_of(folder, task)
        if not path.exists():
            continue
        counts.videos += 1
        for record in read_journal(path):
            if isinstance(record, Header):
                header = record
            elif isinstance(record, Keyframe):
                yield from _rows_of(header, record, counts)


def _rows_of(header: Header, keyframe: Keyframe, counts: BoxCounts) -> Iterator[ActionRow]:
    counts.keyframes += 1
    counts.boxes += len(keyframe.persons)
    counts.without_box += not keyframe.persons
    best = keyframe.best_person_score
    if best is not None:
        counts.best_score = max(best, counts.best_score or 0.0)
    timestamp = round(keyframe.time + header.settings.time_offset_s, _TIME_DECIMALS)
    for person in keyframe.persons:
        box = normalised_box(person, header.video)
        yield ActionRow(header.video.video_id, timestamp, box, NO_CLASS, person.score)


def write_boxes(path: Path, rows: Iterable[ActionRow]) -> None:
    """Write the official CSV of person boxes; it appears under its name when it is complete.

    Raises:
        AvaDetectError: it cannot be written.
    """
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            for row in rows:
                file.write((format_row(row) + "\n").encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise AvaDetectError(f"{path}: cannot be written ({error.strerror})") from None


def parts_folder(output: Path) -> Path:
    """Return where the journals of a run lie: hidden, beside its first output."""
    return output.parent / f".{output.name}.parts"


def journal_of(folder: Path, task: BoxTask) -> Path:
    """Return the journal of a task."""
    return folder / f"{task.key}{_SUFFIX}"


def open_parts(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """Make the folder of the journals, or keep the one that an interrupted run left.

    Raises:
        AvaDetectError: there is one, and nobody said whether to go on with it; or it cannot be made.
    """
    if folder.exists() and overwrite and not resume:
        remove_parts(folder)
    if folder.exists() and not resume:
        raise AvaDetectError(
            f"{folder} holds what a run that was interrupted has found",
            hint="Go on with that run: --resume. Start anew: --overwrite",
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise AvaDetectError(f"{folder}: cannot be made ({error.strerror})") from None


def remove_parts(folder: Path) -> None:
    """Remove the journals, and their folder if nothing else is in it."""
    for part in folder.glob(f"*{_SUFFIX}"):
        part.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
