"""What a run found, counted from its journal in one pass, and the lines that say so."""

import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ava_detect.output.clock import clock
from ava_detect.output.records import ActionClass, DetectorFacts, End, Header, Keyframe, Record, Status
from ava_detect.output.targets import Kind, Target

OFFICIAL_ROWS = 50
"""Rows of a keyframe that the official evaluation keeps."""

SEEN_SCORE = 0.3
"""From this score on an action counts as seen; the annotated video shows it from the same score."""

_MOST_SEEN = 5


@dataclass(frozen=True)
class VideoEnd:
    """How one video ended, and at which keyframe (None: there is none)."""

    video_id: str
    status: Status
    reason: str
    keyframes: int
    last_time: float | None


@dataclass
class Summary:
    """The counts of a run over all its videos.

    Attributes:
        keyframes: how many were looked at.
        person_boxes: people on keyframes, summed over the keyframes.
        persons: people by their ids; None without tracking.
        rows: AVA rows.
        crowded_keyframes: keyframes with more rows than the official evaluation keeps.
        seen_s: seconds per action, most first: keyframes on which anybody does it, times their distance.
        best_person: (score, video id, time in s) of the surest detection below or above the threshold.
        best_path: the video that it is in, as the user gave it.
        videos: how each ended.
        detector, person_thresh: of the last video.
        caveats: what the results must not be taken for, each once.
    """

    keyframes: int = 0
    person_boxes: int = 0
    persons: int | None = 0
    rows: int = 0
    crowded_keyframes: int = 0
    seen_s: dict[ActionClass, float] = field(default_factory=dict)
    best_person: tuple[float, str, float] | None = None
    best_path: str = ""
    videos: list[VideoEnd] = field(default_factory=list)
    detector: DetectorFacts | None = None
    person_thresh: float | None = None
    caveats: list[str] = field(default_factory=list)

    @property
    def incomplete(self) -> list[VideoEnd]:
        """The videos whose results end before they do."""
        return [video for video in self.videos if video.status != "complete"]

    def as_json(self) -> dict[str, object]:
        """Return the counts for ``--json``."""
        return {
            "keyframes": self.keyframes,
            "person_boxes": self.person_boxes,
            "persons": self.persons,
            "rows": self.rows,
            "crowded_keyframes": self.crowded_keyframes,
            "seen_s": {action.name: seconds for action, seconds in self.seen_s.items()},
            "best_person_score": self.best_person[0] if self.best_person else None,
            "videos": [vars(video) for video in self.videos],
            "caveats": self.caveats,
        }


def summarise(records: Iterable[Record]) -> Summary:
    """Count what a document holds; memory does not grow with the number of keyframes."""
    summary = Summary()
    counter = _VideoCounter(summary)
    for record in records:
        match record:
            case Header():
                counter.begin(record)
            case Keyframe():
                counter.count(record)
            case End():
                counter.end(record)
    by_time = sorted(summary.seen_s.items(), key=lambda item: (-item[1], item[0].id))
    summary.seen_s = dict(by_time)
    return summary


class _VideoCounter:
    """Counts one video after the other into a summary."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        self._header: Header | None = None
        self._person_ids: set[int] = set()
        self._seen: Counter[int] = Counter()
        self._last_time: float | None = None

    def begin(self, header: Header) -> None:
        self._header = header
        self._person_ids, self._seen, self._last_time = set(), Counter(), None
        self.summary.detector = header.detector
        self.summary.person_thresh = header.settings.person_thresh
        for caveat in (header.model.caveat, header.detector.caveat):
            if caveat and caveat not in self.summary.caveats:
                self.summary.caveats.append(caveat)
        if not header.settings.track:
            self.summary.persons = None

    def count(self, keyframe: Keyframe) -> None:
        summary, rows = self.summary, keyframe.num_rows
        summary.keyframes += 1
        summary.person_boxes += len(keyframe.persons)
        summary.rows += rows
        summary.crowded_keyframes += rows > OFFICIAL_ROWS
        self._person_ids.update(person.person_id for person in keyframe.persons if person.person_id)
        self._seen.update(
            {action for person in keyframe.persons for action, score in person.actions if score >= SEEN_SCORE}
        )
        self._last_time = keyframe.time
        best = keyframe.best_person_score
        if best is not None and (summary.best_person is None or best > summary.best_person[0]):
            summary.best_person = best, self._video_id, keyframe.time
            summary.best_path = self._header.video.path if self._header else ""

    def end(self, end: End) -> None:
        summary, header = self.summary, self._header
        if header is None:
            return
        for action in header.model.classes:
            if self._seen[action.id]:
                seconds = self._seen[action.id] * header.settings.every_s
                summary.seen_s[action] = summary.seen_s.get(action, 0.0) + seconds
        if summary.persons is not None:
            summary.persons += len(self._person_ids)
        summary.videos.append(
            VideoEnd(self._video_id, end.status, end.reason, end.keyframes, self._last_time)
        )

    @property
    def _video_id(self) -> str:
        return self._header.video.video_id if self._header else ""


def summary_lines(summary: Summary) -> list[str]:
    """Return what a run found as lines for people."""
    if not summary.person_boxes:
        return [_nobody(summary)]
    persons = "" if summary.persons is None else f", {_count(summary.persons, 'person')}"
    boxes = _count(summary.person_boxes, "person box", "person boxes")
    rows = _count(summary.rows, "row")
    lines = [f"{_count(summary.keyframes, 'keyframe')}, {boxes}{persons}, {rows}"]
    most = [f"{action.name} {_seconds(seen)}" for action, seen in list(summary.seen_s.items())[:_MOST_SEEN]]
    lines.append(
        f"  most seen: {', '.join(most)}" if most else f"  no action scored {SEEN_SCORE:.2f} or more"
    )
    if summary.crowded_keyframes:
        lines.append(
            f"  {_count(summary.crowded_keyframes, 'keyframe')} with more than {OFFICIAL_ROWS} rows;"
            f" the official evaluation keeps the best {OFFICIAL_ROWS}"
        )
    return lines


def wrote_line(target: Target, summary: Summary) -> str:
    """Return the line that names a written file; of a file without rows it says that and what to try."""
    if summary.rows or target.kind in (Kind.JSON, Kind.JSON_LINES):
        return f"wrote {target} ({target.kind.value})"
    advice = ""
    if not summary.person_boxes and summary.best_person is not None:
        look = f"ava-detect boxes {shlex.quote(summary.best_path)} --video boxes.mp4"
        advice = f". Try --person-thresh {_floor_to_tenth(summary.best_person[0]):g}, or look at: {look}"
    return f"wrote {target} (0 rows){advice}"


def _nobody(summary: Summary) -> str:
    where = f"on any of {_count(summary.keyframes, 'keyframe')}"
    if summary.keyframes == 0:
        return "no keyframes"
    if summary.person_thresh is None:
        return f"no boxes of people {where}"
    if summary.best_person is None:
        return f"no person found {where}, at any threshold"
    score, video_id, time = summary.best_person
    place = f"{clock(time)} of {video_id}" if len(summary.videos) > 1 else clock(time)
    return f"no person scored {summary.person_thresh:.2f} or more {where} (best: {score:.2f} at {place})."


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:.1f} s"


def _floor_to_tenth(score: float) -> float:
    """Return a threshold that the score reaches: 0.41 gives 0.4, 0.04 gives 0.04."""
    return int(score * 10) / 10 or int(score * 100) / 100
