"""A stretch of rows as arrays, on its way from the text to the table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluation.row_parser import ParsedRow


@dataclass(frozen=True)
class RowRun:
    """Rows of a file as arrays; ``boxes`` is ``None`` for rows that only name a keyframe."""

    lines: np.ndarray  # [n] 1-based
    names: Sequence[str]
    videos: np.ndarray  # [n] index into names
    times: np.ndarray  # [n]
    boxes: np.ndarray | None = None  # [n, 4]
    action_ids: np.ndarray | None = None  # [n]
    scores: np.ndarray | None = None  # [n]


def run_of_rows(rows: list[tuple[int, ParsedRow]]) -> RowRun:
    """Turn single rows, either all with a box or all without, into arrays."""
    codes: dict[str, int] = {}
    videos = np.array([codes.setdefault(row.video_id, len(codes)) for _, row in rows], np.int32)
    numbers = np.array([number for number, _ in rows], np.int32)
    run = RowRun(numbers, tuple(codes), videos, np.array([row.time for _, row in rows]))
    if not rows[0][1].box:
        return run
    return replace(
        run,
        boxes=np.array([row.box for _, row in rows]),
        action_ids=np.array([row.action_id for _, row in rows], np.int32),
        scores=np.array([row.score for _, row in rows], np.float64),
    )


def in_file_order(runs: list[RowRun]) -> RowRun:
    """Join runs of one block, either all with boxes or all without, that lie between each other."""
    order = np.argsort(np.concatenate([run.lines for run in runs]))

    def joined(columns: list[np.ndarray | None]) -> np.ndarray | None:
        present = [column for column in columns if column is not None]
        return np.concatenate(present)[order] if present else None

    return RowRun(
        lines=np.concatenate([run.lines for run in runs])[order],
        names=(),
        videos=np.concatenate([run.videos for run in runs])[order],
        times=np.concatenate([run.times for run in runs])[order],
        boxes=joined([run.boxes for run in runs]),
        action_ids=joined([run.action_ids for run in runs]),
        scores=joined([run.scores for run in runs]),
    )
