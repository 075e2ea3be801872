"""Writes a run's outputs from its journal: AVA rows, the table, JSON; each in one pass, a line at a time."""

import csv
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ava_detect.output.document import end_json, header_json, keyframe_json, to_json, to_line
from ava_detect.output.journal import read_journal
from ava_detect.output.records import SCHEMA, VERSION, End, Header, Keyframe, Person, Record, VideoFacts
from ava_detect.output.targets import Kind, Target
from evaluation.atomic import atomic_path
from evaluation.errors import AvaDetectError
from evaluation.rows import NO_CLASS, ActionRow, format_row

TABLE_COLUMNS = (
    "video", "time_s", "frame", "person_id", "x1_px", "y1_px", "x2_px", "y2_px",
    "person_score", "action_id", "action", "group", "score",
)  # fmt: skip

_TIME_DECIMALS = 3


def write_outputs(journal: Path, targets: Sequence[Target]) -> None:
    """Write all outputs of a run, finished or interrupted; each appears under its name when it is complete.

    Args:
        journal: path of the run's journal.
        targets: from ``out_target`` and ``table_target``.

    Raises:
        AvaDetectError: an output cannot be written.
        DataError: the journal is damaged.
    """
    for target in targets:
        lines = _FORMATS[target.kind](read_journal(journal))
        if target.path is None:
            sys.stdout.buffer.writelines(lines)
            sys.stdout.buffer.flush()
        else:
            _write_file(target.path, lines)


def _write_file(path: Path, lines: Iterable[bytes]) -> None:
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            file.writelines(lines)
    except OSError as error:
        raise AvaDetectError(f"{path}: cannot be written ({error.strerror})") from None


def ava_rows(records: Iterable[Record]) -> Iterator[ActionRow]:
    """Return the AVA rows of a document, by time, then person, then score.

    Boxes are normalised by the size of the displayed frame and cut at its edges; times carry the offset.
    """
    for header, keyframe in _with_header(records):
        timestamp = written_time(header, keyframe)
        for person in keyframe.persons:
            box = normalised_box(person, header.video)
            for action_id, score in person.actions:
                yield ActionRow(header.video.video_id, timestamp, box, action_id, score)


def person_rows(records: Iterable[Record]) -> Iterator[ActionRow]:
    """Return the person boxes of a document with the detector's scores; places as in ``ava_rows``."""
    for header, keyframe in _with_header(records):
        timestamp = written_time(header, keyframe)
        for person in keyframe.persons:
            box = normalised_box(person, header.video)
            yield ActionRow(header.video.video_id, timestamp, box, NO_CLASS, person.score)


def normalised_box(person: Person, video: VideoFacts) -> tuple[float, float, float, float]:
    """Return a person's box as fractions of the picture, cut at its edges."""
    x1, y1, x2, y2 = person.box_px
    return (
        min(max(x1 / video.width, 0.0), 1.0),
        min(max(y1 / video.height, 0.0), 1.0),
        min(max(x2 / video.width, 0.0), 1.0),
        min(max(y2 / video.height, 0.0), 1.0),
    )


def _rows_csv(records: Iterable[Record]) -> Iterator[bytes]:
    for row in ava_rows(records):
        yield _encode(format_row(row) + "\n")


def _table_csv(records: Iterable[Record]) -> Iterator[bytes]:
    yield _csv_line(TABLE_COLUMNS)
    for header, keyframe in _with_header(records):
        classes = {action.id: action for action in header.model.classes}
        time = f"{written_time(header, keyframe):.{_TIME_DECIMALS}f}"
        for person in keyframe.persons:
            who = (
                header.video.video_id, time, keyframe.frame_idx, person.person_id,
                *(f"{edge:.1f}" for edge in person.box_px), f"{person.score:.4f}",
            )  # fmt: skip
            for action_id, score in person.actions:
                action = classes[action_id]
                yield _csv_line((*who, action_id, action.name, action.group, f"{score:.4f}"))


def _json_lines(records: Iterable[Record]) -> Iterator[bytes]:
    video_id = ""
    for record in records:
        if isinstance(record, Header):
            video_id = record.video.video_id
        yield to_line(record, video_id)


def _json_document(records: Iterable[Record]) -> Iterator[bytes]:
    """Yield the document of ``_json_lines`` as one JSON value, one keyframe a line."""
    yield b'{"schema":' + to_json(SCHEMA) + b',"version":' + to_json(VERSION) + b',"videos":['
    after_video, after_keyframe = b"\n", b"\n"
    for record in records:
        match record:
            case Header():
                yield after_video + to_json(header_json(record))[:-1] + b',"keyframes":['
                after_video, after_keyframe = b",\n", b"\n"
            case Keyframe():
                yield after_keyframe + to_json(keyframe_json(record))
                after_keyframe = b",\n"
            case End():
                yield b'\n],"end":' + to_json(end_json(record)) + b"}"
    yield b"\n]}\n"


def _with_header(records: Iterable[Record]) -> Iterator[tuple[Header, Keyframe]]:
    header: Header | None = None
    for record in records:
        if isinstance(record, Header):
            header = record
        elif isinstance(record, Keyframe) and header is not None:
            yield header, record


def written_time(header: Header, keyframe: Keyframe) -> float:
    """Return the nominal time with the offset, to the decimals of the files: 3.0000000000000004 is whole."""
    return round(keyframe.time + header.settings.time_offset_s, _TIME_DECIMALS)


def _csv_line(values: Sequence[object]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)  # None becomes an empty cell
    return _encode(buffer.getvalue())


def _encode(text: str) -> bytes:
    """Encode as UTF-8; a file name that is not UTF-8 keeps its bytes."""
    return text.encode("utf-8", "surrogateescape")


_FORMATS: dict[Kind, Callable[[Iterable[Record]], Iterator[bytes]]] = {
    Kind.ROWS: _rows_csv,
    Kind.TABLE: _table_csv,
    Kind.JSON: _json_document,
    Kind.JSON_LINES: _json_lines,
}
