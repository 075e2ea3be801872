"""Rows of an AVA file as aligned columns, and the row as a value."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from evaluation.row_parser import FaultLog

NO_CLASS = 0
"""The action id of a row whose class is empty, as in files of person boxes; real ids start at 1."""


@dataclass(frozen=True)
class ActionRow:
    """One person doing one action on one keyframe.

    Attributes:
        video_id: the video's name, as in the file.
        timestamp: seconds.
        box: x1, y1, x2, y2, divided by the frame's width and height.
        action_id: class id of the label map, from 1.
        score: confidence of a detection; 1 in ground truth without person ids, else the person id.
    """

    video_id: str
    timestamp: float
    box: tuple[float, float, float, float]
    action_id: int
    score: float


@dataclass(frozen=True, eq=False)
class RowTable:
    """R rows in file order, column by column.

    Attributes:
        source: the file's name, for messages.
        video_names: V distinct video ids; ``videos`` points into it.
        videos: [R] int32, index into ``video_names``.
        times: [R] float64 seconds.
        boxes: [R, 4] float64 x1, y1, x2, y2, as in the file.
        action_ids: [R] int32; ``NO_CLASS`` where the file leaves the class empty.
        scores: [R] float64; 1 where the row has no 8th field.
        lines: [R] int32, 1-based row of the file.
        bare_videos, bare_times, bare_lines: [M] the rows that only name a keyframe.
        field_counts: number of rows by their number of fields.
        blank_lines: how many blank lines were passed over.
        faults: what was skipped when the file was read leniently.
    """

    source: str
    video_names: tuple[str, ...]
    videos: np.ndarray
    times: np.ndarray
    boxes: np.ndarray
    action_ids: np.ndarray
    scores: np.ndarray
    lines: np.ndarray
    bare_videos: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    bare_times: np.ndarray = field(default_factory=lambda: np.zeros(0))
    bare_lines: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    field_counts: dict[int, int] = field(default_factory=dict)
    blank_lines: int = 0
    faults: FaultLog = field(default_factory=FaultLog)

    def __len__(self) -> int:
        return len(self.videos)

    def select(self, chosen: np.ndarray) -> "RowTable":
        """Return the rows of a mask or index array; keyframes without boxes stay."""
        columns = ("videos", "times", "boxes", "action_ids", "scores", "lines")
        return replace(self, **{name: getattr(self, name)[chosen] for name in columns})

    def of_video(self, video_id: str) -> "RowTable":
        """Return the rows of one video; none when the file does not name it."""
        if video_id not in self.video_names:
            return self.select(np.zeros(0, np.intp))
        return self.select(np.flatnonzero(self.videos == self.video_names.index(video_id)))

    def rows(self) -> Iterator[ActionRow]:
        """Yield the rows one by one, in file order; for small tables."""
        names = self.video_names
        columns = (self.videos, self.times, self.boxes, self.action_ids, self.scores)
        for video, time, box, action_id, score in zip(*(column.tolist() for column in columns), strict=True):
            yield ActionRow(names[video], time, tuple(box), action_id, score)


def table_of_rows(rows: Iterable[ActionRow], *, source: str = "rows") -> RowTable:
    """Gather single rows into a table; the n-th row counts as line n."""
    listed = list(rows)
    codes: dict[str, int] = {}
    videos = [codes.setdefault(row.video_id, len(codes)) for row in listed]
    return RowTable(
        source=source,
        video_names=tuple(codes),
        videos=np.array(videos, np.int32),
        times=np.array([row.timestamp for row in listed], np.float64),
        boxes=np.array([row.box for row in listed], np.float64).reshape(-1, 4),
        action_ids=np.array([row.action_id for row in listed], np.int32),
        scores=np.array([row.score for row in listed], np.float64),
        lines=np.arange(1, len(listed) + 1, dtype=np.int32),
        field_counts={8: len(listed)} if listed else {},
    )
