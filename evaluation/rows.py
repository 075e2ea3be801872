"""AVA rows in and out: the readers, the writer's line and the row types, under one name.

``read_groundtruth``, ``read_detections``, ``read_boxes``, ``read_keyframes`` and ``read_exclusions`` are the
only readers of such files in the project, and ``format_row`` is the only writer.
"""

import math
from importlib import resources
from pathlib import Path

from evaluation.proposals import is_pickle, read_proposals
from evaluation.row_parser import (
    DETECTIONS,
    EXCLUSIONS,
    GROUND_TRUTH,
    LABELLED_OR_FOUND,
    PERSON_BOXES,
    FaultLog,
    RowFault,
    RowRules,
)
from evaluation.row_reader import read_rows
from evaluation.row_table import NO_CLASS, ActionRow, RowTable, table_of_rows

__all__ = [
    "NO_CLASS", "ActionRow", "FaultLog", "RowFault", "RowRules", "RowTable",
    "format_row", "format_time", "read_boxes", "read_detections", "read_exclusions", "read_groundtruth",
    "read_keyframes", "table_of_rows",
]  # fmt: skip

EXCLUSION_LISTS = {
    "v2.1-train": "ava_train_excluded_timestamps_v2.1.csv",
    "v2.1-val": "ava_val_excluded_timestamps_v2.1.csv",
}
"""Names that stand for AVA's lists of disputed keyframes inside the package."""

_MAX_COORDINATE = 1e6  # far outside any frame; a larger number is a mistake of the program


def read_groundtruth(path: str | Path, *, lenient: bool = False) -> RowTable:
    """Read annotations: ``video_id,timestamp,x1,y1,x2,y2,action_id[,person_id]``, or the first two alone.

    Person ids come back as scores, because the official evaluator reads them so.

    Args:
        path: the CSV file.
        lenient: skip rows that cannot be read; ``faults`` of the table counts them.

    Raises:
        DataError: the file or (unless ``lenient``) a row cannot be used, for example a NaN or inverted box.
    """
    return read_rows(path, GROUND_TRUTH, lenient=lenient)


def read_detections(path: str | Path, *, lenient: bool = False) -> RowTable:
    """Read detections: ``video_id,timestamp,x1,y1,x2,y2,action_id[,score]``; score 1 where it is missing.

    Args:
        path: the CSV file.
        lenient: skip rows that cannot be read; ``faults`` of the table counts them.

    Raises:
        DataError: the file or (unless ``lenient``) a row cannot be used.
    """
    return read_rows(path, DETECTIONS, lenient=lenient)


def read_boxes(path: str | Path, *, lenient: bool = False) -> RowTable:
    """Read person boxes: ``video_id,timestamp,x1,y1,x2,y2,,score``; the class may be empty.

    mmaction2's pickles of proposals are read as well, without running anything in them.

    Args:
        path: the CSV file, or the pickle.
        lenient: skip rows of a CSV file that cannot be read; ``faults`` of the table counts them.

    Raises:
        DataError: the file or (unless ``lenient``) a row cannot be used.
    """
    return read_proposals(path) if is_pickle(path) else read_rows(path, PERSON_BOXES, lenient=lenient)


def read_keyframes(path: str | Path) -> RowTable:
    """Read ground truth, person boxes or rows ``video_id,timestamp`` for the keyframes that they name.

    Raises:
        DataError: the file or a row cannot be used.
    """
    return read_proposals(path) if is_pickle(path) else read_rows(path, LABELLED_OR_FOUND)


def read_exclusions(source: str | Path, *, lenient: bool = False) -> RowTable:
    """Read a list of keyframes to leave out: ``video_id,timestamp``.

    Args:
        source: "v2.1-val", "v2.1-train", or a CSV file.
        lenient: skip rows that cannot be read; ``faults`` of the table counts them.

    Returns:
        A table without rows; the keyframes are its ``bare_*`` columns.

    Raises:
        DataError: the file or (unless ``lenient``) a row cannot be used.
    """
    if str(source) not in EXCLUSION_LISTS:
        return read_rows(source, EXCLUSIONS, lenient=lenient)
    file = resources.files("evaluation.label_maps").joinpath(EXCLUSION_LISTS[str(source)])
    with resources.as_file(file) as path:
        return read_rows(path, EXCLUSIONS)


def format_time(seconds: float) -> str:
    """Write a timestamp as AVA does: four digits when whole ("0902"), else with milliseconds ("902.500").

    A time that milliseconds would move to another keyframe has the six decimals by which keyframes are told
    apart ("0.033333").
    """
    if float(seconds).is_integer():
        return f"{int(seconds):04d}"
    exact, short = f"{seconds:.6f}", f"{seconds:.3f}"
    return short if exact == f"{short}000" else exact


def format_row(row: ActionRow) -> str:
    """Write one official CSV line, without line feed: box and score with 6 decimals.

    The class of a person box (``NO_CLASS``) is written as an empty field, as in the published files.

    Raises:
        ValueError: a number is not finite or the video id cannot stand in a CSV row; the caller is wrong.
    """
    if not all(math.isfinite(value) for value in (row.timestamp, row.score)):
        raise ValueError(f"time {row.timestamp}, score {row.score}: not finite")
    if not all(abs(value) <= _MAX_COORDINATE for value in row.box):
        raise ValueError(f"box {row.box}: expected four finite normalised coordinates")
    box = ",".join(f"{value:.6f}" for value in row.box)
    action = "" if row.action_id == NO_CLASS else f"{row.action_id:d}"
    return f"{_quoted(row.video_id)},{format_time(row.timestamp)},{box},{action},{row.score:.6f}"


def _quoted(video_id: str) -> str:
    """Quote a video id as CSV when it needs it."""
    if not video_id or any(character in video_id for character in "\n\r\0"):
        raise ValueError(f"video id {video_id!r}: expected one line of text")
    if "," in video_id or '"' in video_id:
        return '"' + video_id.replace('"', '""') + '"'
    return video_id
