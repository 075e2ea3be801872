"""The predictions document, schema ``ava-detect/predictions`` version 1: records as JSON and back.

As JSON lines: per video one line ``"record": "video"`` with all facts, one line ``"record": "keyframe"`` per
keyframe, one line ``"record": "end"``. As one JSON document: the same objects, the keyframes and the end
inside their video. docs/output.md describes every key.

A document may come from anywhere: reading checks every value and never holds more than one line of a
JSON-lines file. Keys that this version does not know are ignored.
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from ava_detect.output.fields import Fields, items, number, parse_json
from ava_detect.output.records import (
    SCHEMA,
    STATUSES,
    VERSION,
    ActionClass,
    BoxPath,
    DetectorFacts,
    End,
    Header,
    Keyframe,
    ModelFacts,
    Person,
    Record,
    Settings,
    VideoFacts,
)
from evaluation.errors import DataError

MAX_LINE_BYTES = 8_000_000  # a keyframe with 100 people and all 80 actions has 200,000
MAX_DOCUMENT_BYTES = 500_000_000

_MAX_SIDE_PX = 65_536


def to_json(value: object) -> bytes:
    """Write a JSON value on one line, as UTF-8.

    Lone surrogates, Python's reading of file names that are not UTF-8, become JSON escapes.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "backslashreplace")


def header_json(header: Header) -> dict[str, object]:
    """Return the facts of a video as a JSON object, without schema and version."""
    return dataclasses.asdict(header)


def keyframe_json(keyframe: Keyframe) -> dict[str, object]:
    """Return a keyframe as a JSON object."""
    return dataclasses.asdict(keyframe)


def end_json(end: End) -> dict[str, object]:
    """Return a video's end as a JSON object."""
    return dataclasses.asdict(end)


def to_line(record: Record, video_id: str) -> bytes:
    """Return a record as one line of a JSON-lines document, with its line feed."""
    match record:
        case Header():
            value = {"record": "video", "schema": SCHEMA, "version": VERSION, **header_json(record)}
        case Keyframe():
            value = {"record": "keyframe", "video_id": video_id, **keyframe_json(record)}
        case End():
            value = {"record": "end", "video_id": video_id, **end_json(record)}
    return to_json(value) + b"\n"


def read_document(path: Path) -> Iterator[Record]:
    """Read a finished document, ``.json`` or JSON lines.

    Yields:
        Per video a Header, its Keyframes in the order of time, an End.

    Raises:
        DataError: the file cannot be read or is not such a document; the message names the line or the place.
    """
    try:
        with path.open("rb") as file:
            read = _read_whole if path.suffix.lower() == ".json" else _read_lines
            yield from _in_order(read(file, path), path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def split_lines(file: BinaryIO, path: Path) -> Iterator[tuple[str, bytes]]:
    """Split a JSON-lines document.

    Yields:
        Place for messages, and the line; only the last one can lack its line feed.

    Raises:
        DataError: a line is too long.
    """
    line_number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        line_number += 1
        where = f"{path}:{line_number}"
        if len(line) > MAX_LINE_BYTES:
            raise DataError(f"{where}: longer than {MAX_LINE_BYTES:,} bytes, expected one record a line")
        yield where, line


def parse_line(line: bytes, where: str, *, video_id: str | None) -> Record:
    """Read one line of a JSON-lines document.

    Args:
        line: with its line feed.
        where: file and line, for messages.
        video_id: of the video that has begun; None outside a video.

    Raises:
        DataError: the line is cut off, not a record, or a record of another video.
    """
    if not line.endswith(b"\n"):
        raise DataError(f"{where}: the line is cut off, expected a line feed at its end")
    fields = Fields(parse_json(line, where), where)
    kind = fields.text("record")
    if kind not in _PARSERS:
        raise DataError(f"{where}: record: found {kind[:40]!r}, expected one of: {', '.join(_PARSERS)}")
    record = _PARSERS[kind](fields)
    if not isinstance(record, Header) and video_id is not None and fields.text("video_id") != video_id:
        raise DataError(f"{where}: video_id: found {fields.text('video_id')[:60]!r}, expected {video_id!r}")
    return record


def _read_lines(file: BinaryIO, path: Path) -> Iterator[tuple[str, Record]]:
    video_id = None
    for where, line in split_lines(file, path):
        record = parse_line(line, where, video_id=video_id)
        if isinstance(record, Header):
            video_id = record.video.video_id
        yield where, record


def _read_whole(file: BinaryIO, path: Path) -> Iterator[tuple[str, Record]]:
    content = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(content) > MAX_DOCUMENT_BYTES:
        raise DataError(
            f"{path}: larger than {MAX_DOCUMENT_BYTES:,} bytes, too much to read at once",
            hint="Documents of that size are written as JSON lines: --out actions.jsonl",
        )
    document = Fields(parse_json(content, str(path)), str(path))
    _check_schema(document)
    for video_idx, video in enumerate(document.sequence("videos")):
        where = f"{path}: videos[{video_idx}]"
        fields = Fields(video, where)
        yield where, _parse_header(fields)
        for idx, keyframe in enumerate(fields.sequence("keyframes")):
            place = f"{where}: keyframes[{idx}]"
            yield place, _parse_keyframe(Fields(keyframe, place))
        yield f"{where}: end", _parse_end(fields.child("end"))


def _in_order(records: Iterable[tuple[str, Record]], path: Path) -> Iterator[Record]:
    """Pass finished videos on.

    Raises:
        DataError: the last video has no end, or see ``VideoOrder``.
    """
    order = VideoOrder()
    for where, record in records:
        order.take(record, where)
        yield record
    if order.header is not None:
        raise DataError(
            f"{path}: the end of video {order.header.video.video_id!r} is missing; the file was cut off"
        )


class VideoOrder:
    """Checks that records follow each other as they must: header, keyframes in the order of time, end.

    Attributes:
        header: of the video that has not ended yet; None between videos.
        keyframes: how many of that video's keyframes were seen.
        last_time: nominal time of the last of them, seconds; -inf before the first.
    """

    def __init__(self) -> None:
        self.header: Header | None = None
        self.keyframes = 0
        self.last_time = -float("inf")
        self._seen: set[str] = set()
        self._action_ids: frozenset[int] = frozenset()

    def take(self, record: Record, where: str) -> None:
        """Look at the next record.

        Raises:
            DataError: it cannot stand here.
        """
        match record:
            case Header():
                self._begin(record, where)
            case Keyframe():
                self._next(record, where)
            case End():
                self._end(record, where)

    def _begin(self, header: Header, where: str) -> None:
        if self.header is not None:
            raise DataError(f"{where}: a video begins before the end of {self.header.video.video_id!r}")
        if header.video.video_id in self._seen:
            raise DataError(f"{where}: video {header.video.video_id!r} is in the document twice")
        self._seen.add(header.video.video_id)
        self._action_ids = frozenset(header.model.class_ids)
        self.header, self.keyframes, self.last_time = header, 0, -float("inf")

    def _next(self, keyframe: Keyframe, where: str) -> None:
        if self.header is None:
            raise DataError(
                f"{where}: a keyframe outside a video; expected a line with the video's facts first"
            )
        if keyframe.time <= self.last_time:
            raise DataError(f"{where}: time {keyframe.time:g} does not come after {self.last_time:g}")
        for person in keyframe.persons:
            for action_id, _ in person.actions:
                if action_id not in self._action_ids:
                    raise DataError(f"{where}: action id {action_id} is not among the model's classes")
        self.keyframes, self.last_time = self.keyframes + 1, keyframe.time

    def _end(self, end: End, where: str) -> None:
        if self.header is None:
            raise DataError(f"{where}: the end of a video that has not begun")
        if end.keyframes != self.keyframes:
            raise DataError(f"{where}: {end.keyframes} keyframes announced, {self.keyframes} found")
        self.header = None


def _check_schema(fields: Fields) -> None:
    schema, version = fields.text("schema"), fields.whole("version")
    if schema != SCHEMA:
        raise DataError(f"{fields.where}: schema: found {schema[:60]!r}, expected {SCHEMA!r}")
    if version != VERSION:
        raise DataError(
            f"{fields.where}: version {version} of the schema, expected {VERSION}",
            hint="It was written by another release of ava-detect.",
        )


def _parse_video_line(fields: Fields) -> Header:
    _check_schema(fields)
    return _parse_header(fields)


def _parse_header(fields: Fields) -> Header:
    return Header(
        tool_version=fields.text("tool_version"),
        video=_parse_video(fields.child("video")),
        model=_parse_model(fields.child("model")),
        detector=_parse_detector(fields.child("detector")),
        settings=_parse_settings(fields.child("settings")),
    )


def _parse_video(fields: Fields) -> VideoFacts:
    facts = VideoFacts(
        video_id=fields.text("video_id"),
        path=fields.text("path"),
        width=fields.whole("width", minimum=1),
        height=fields.whole("height", minimum=1),
        duration_s=fields.optional_number("duration_s", minimum=0),
        fps=fields.text("fps") if "fps" in fields else None,
        rotation=fields.whole("rotation"),
        codec=fields.text("codec"),
        size_bytes=fields.optional_whole("size_bytes"),
    )
    if max(facts.width, facts.height) > _MAX_SIDE_PX:
        raise DataError(
            f"{fields.where}: {facts.width}x{facts.height} pixels, expected at most {_MAX_SIDE_PX} a side"
        )
    if facts.rotation not in (0, 90, 180, 270):
        raise DataError(f"{fields.where}: rotation: found {facts.rotation}, expected 0, 90, 180 or 270")
    return facts


def _parse_model(fields: Fields) -> ModelFacts:
    classes = []
    for idx, value in enumerate(fields.sequence("classes")):
        action = Fields(value, f"{fields.where}: classes[{idx}]")
        classes.append(ActionClass(action.whole("id", minimum=1), action.text("name"), action.text("group")))
    if len({action.id for action in classes}) < len(classes):
        raise DataError(f"{fields.where}: classes: an id is there twice")
    return ModelFacts(
        name=fields.text("name"),
        weights_sha256=fields.text("weights_sha256"),
        config_sha256=fields.text("config_sha256"),
        label_map=fields.text("label_map"),
        classes=tuple(classes),
        caveat=fields.optional_text("caveat"),
    )


def _parse_detector(fields: Fields) -> DetectorFacts:
    source: Literal["detector", "file"]
    match fields.text("source"):
        case "detector":
            source = "detector"
        case "file":
            source = "file"
        case other:
            raise DataError(f"{fields.where}: source: found {other[:40]!r}, expected 'detector' or 'file'")
    return DetectorFacts(
        source=source,
        name=fields.text("name"),
        sha256=fields.text("sha256"),
        caveat=fields.optional_text("caveat"),
        config_sha256=fields.optional_text("config_sha256"),
        person_class=fields.optional_whole("person_class"),
        mode=fields.optional_text("mode"),
        backend=fields.optional_text("backend"),
        proposals=fields.optional_whole("proposals", minimum=1),
        short_side=fields.optional_whole("short_side", minimum=1),
    )


def _parse_settings(fields: Fields) -> Settings:
    return Settings(
        every_s=fields.number("every_s", minimum=1e-6),
        start_s=fields.number("start_s", minimum=0),
        end_s=fields.optional_number("end_s", minimum=0),
        time_offset_s=fields.number("time_offset_s"),
        person_thresh=fields.optional_number("person_thresh", minimum=0, maximum=1),
        min_score=fields.number("min_score", minimum=0, maximum=1),
        track=fields.flag("track"),
        precision=fields.text("precision"),
        device=fields.text("device"),
        backend=fields.text("backend"),
    )


def _parse_keyframe(fields: Fields) -> Keyframe:
    persons = fields.sequence("persons")
    return Keyframe(
        time=fields.number("time"),
        frame_time=fields.number("frame_time"),
        frame_idx=fields.whole("frame_idx"),
        persons=tuple(
            _parse_person(Fields(person, f"{fields.where}: persons[{idx}]"))
            for idx, person in enumerate(persons)
        ),
        best_person_score=fields.optional_number("best_person_score", minimum=0, maximum=1),
        paths=tuple(
            _parse_path(Fields(path, f"{fields.where}: paths[{idx}]"))
            for idx, path in enumerate(fields.sequence("paths") if "paths" in fields else [])
        ),
    )


def _parse_path(fields: Fields) -> BoxPath:
    points: list[tuple[float, float, float, float, float]] = []
    for idx, value in enumerate(fields.sequence("points")):
        where = f"{fields.where}: points[{idx}]"
        time, *edges = (
            number(each, where) for each in items(value, where, length=5, expected="[time, x1, y1, x2, y2]")
        )
        x1, y1, x2, y2 = edges
        if points and time <= points[-1][0]:
            raise DataError(f"{where}: time {time:g} does not come after {points[-1][0]:g}")
        if x1 > x2 or y1 > y2:
            raise DataError(f"{where}: found {edges}, expected x1 <= x2 and y1 <= y2")
        points.append((time, x1, y1, x2, y2))
    return BoxPath(fields.whole("person_id", minimum=1), tuple(points))


def _parse_person(fields: Fields) -> Person:
    edges = items(fields.sequence("box_px"), f"{fields.where}: box_px", length=4, expected="[x1, y1, x2, y2]")
    x1, y1, x2, y2 = (number(edge, f"{fields.where}: box_px") for edge in edges)
    if x1 > x2 or y1 > y2:
        raise DataError(f"{fields.where}: box_px: found {edges}, expected x1 <= x2 and y1 <= y2")
    return Person(
        person_id=fields.optional_whole("person_id", minimum=1),
        score=fields.number("score", minimum=0, maximum=1),
        box_px=(x1, y1, x2, y2),
        actions=tuple(
            _parse_action(value, f"{fields.where}: actions") for value in fields.sequence("actions")
        ),
    )


def _parse_action(value: object, where: str) -> tuple[int, float]:
    action_id, score = items(value, where, length=2, expected="[action id, score]")
    if isinstance(action_id, bool) or not isinstance(action_id, int):
        raise DataError(f"{where}: found {action_id!r:.40}, expected a whole number as the action's id")
    return action_id, number(score, where, minimum=0, maximum=1)


def _parse_end(fields: Fields) -> End:
    status = fields.text("status")
    for known in STATUSES:
        if status == known:
            return End(known, fields.whole("keyframes"), fields.text("reason"))
    raise DataError(f"{fields.where}: status: found {status[:40]!r}, expected one of: {', '.join(STATUSES)}")


_PARSERS: dict[str, Callable[[Fields], Record]] = {
    "video": _parse_video_line,
    "keyframe": _parse_keyframe,
    "end": _parse_end,
}
