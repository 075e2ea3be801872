"""The predictions document: what is written comes back; what is not such a document is refused by place."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ava_detect.output import document
from ava_detect.output.document import read_document, to_line
from ava_detect.output.records import BoxPath, End, Header, Keyframe, Person
from ava_detect.output.targets import out_target
from ava_detect.output.writers import write_outputs
from evaluation.errors import DataError


def lines_of(header: Header, keyframes: list[Keyframe], end: End | None = None) -> list[dict]:
    records = [header, *keyframes, end or End("complete", len(keyframes))]
    return [json.loads(to_line(record, header.video.video_id)) for record in records]


def write(path: Path, lines: list[dict]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


scores = st.floats(0, 1).map(lambda score: round(score, 6))
edges = st.tuples(*[st.floats(-1e5, 1e5, width=32)] * 4)
boxes = edges.map(
    lambda box: (min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3]))
)
persons = st.builds(
    Person,
    person_id=st.none() | st.integers(1, 10**6),
    score=scores,
    box_px=boxes,
    actions=st.lists(st.tuples(st.sampled_from([12, 14, 17, 80]), scores), max_size=4).map(tuple),
)


@st.composite
def keyframe_lists(draw):
    times = draw(st.lists(st.floats(0, 1e6), unique=True, max_size=5).map(sorted))
    return [
        Keyframe(time, time, idx, tuple(draw(st.lists(persons, max_size=3))), draw(st.none() | scores))
        for idx, time in enumerate(times)
    ]


@settings(max_examples=50, deadline=None)
@given(keyframes=keyframe_lists())
def test_lines_come_back_as_the_same_records(keyframes, make_header, tmp_path_factory):
    path = tmp_path_factory.mktemp("doc") / "a.jsonl"
    records = [make_header(), *keyframes, End("damaged", len(keyframes), "at 0:07")]
    path.write_bytes(b"".join(to_line(record, "gym") for record in records))
    assert list(read_document(path)) == records


def test_an_empty_file_has_no_videos(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"")
    assert list(read_document(tmp_path / "a.jsonl")) == []


def test_one_json_document_says_the_same_as_the_lines(tmp_path, journal_of, make_result):
    person = (1, 0.9, [1, 2, 30.25, 40], [0.5, 0, 0.25, 0])
    journal = journal_of([make_result(0.0, [person]), make_result(1.0), make_result(2.0, [person])])
    targets = [out_target(str(tmp_path / name)) for name in ("a.json", "a.jsonl")]
    write_outputs(journal, targets)
    records = list(read_document(tmp_path / "a.jsonl"))
    assert list(read_document(tmp_path / "a.json")) == records
    assert [type(record) for record in records] == [Header, Keyframe, Keyframe, Keyframe, End]


def test_names_that_are_not_ascii_stay_readable_and_come_back(tmp_path, make_header):
    header = make_header("Žižkov 体操")
    line = to_line(header, header.video.video_id)
    assert "Žižkov 体操".encode() in line
    (tmp_path / "a.jsonl").write_bytes(line + to_line(End("complete", 0), header.video.video_id))
    assert next(read_document(tmp_path / "a.jsonl")) == header


def test_a_name_that_is_not_utf8_comes_back(tmp_path, make_header):
    header = make_header("caf\udce9")  # how Python reads the Latin-1 file name b"caf\xe9"
    line = to_line(header, header.video.video_id)
    line.decode("utf-8")
    (tmp_path / "a.jsonl").write_bytes(line + to_line(End("complete", 0), header.video.video_id))
    assert next(read_document(tmp_path / "a.jsonl")) == header


def test_caveats_come_back_and_need_not_be_there(tmp_path, make_header):
    header = make_header()
    doubtful = replace(
        header,
        model=replace(header.model, caveat="knows drawings"),
        detector=replace(header.detector, caveat="knows drawings too"),
    )
    assert next(read_document(write(tmp_path / "a.jsonl", lines_of(doubtful, [])))) == doubtful
    lines = lines_of(doubtful, [])
    for part in ("model", "detector"):
        del lines[0][part]["caveat"]
    assert next(read_document(write(tmp_path / "b.jsonl", lines))) == header


def test_keys_from_a_later_release_are_ignored(tmp_path, make_header):
    lines = lines_of(make_header(), [Keyframe(0.0, 0.0, 0, ())])
    for line in lines:
        line["something_new"] = {"a": 1}
    assert len(list(read_document(write(tmp_path / "a.jsonl", lines)))) == 3


PERSON = Person(1, 0.9, (1.0, 2.0, 3.0, 4.0), ((12, 0.5),))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((0, "schema"), "coco", r"a.jsonl:1: schema: found 'coco', expected 'ava-detect/predictions'"),
        ((0, "version"), 2, r"a.jsonl:1: version 2 of the schema, expected 1"),
        ((0, "video", "width"), 0, r"a.jsonl:1: video: width: found 0, expected a whole number from 1"),
        ((0, "video", "width"), 10**6, r"expected at most 65536 a side"),
        ((0, "video", "rotation"), 45, r"rotation: found 45, expected 0, 90, 180 or 270"),
        ((0, "video", "duration_s"), -1, r"duration_s: found -1, expected a number from 0$"),
        ((0, "video", "path"), 3, r"path: found 3, expected a text"),
        ((0, "model", "classes"), {}, r"classes: found {}, expected a list"),
        ((0, "model", "classes", 1, "id"), 12, r"an id is there twice"),
        ((0, "model", "classes", 1), 7, r"classes\[1\]: found 7, expected an object"),
        ((0, "detector", "source"), "dream", r"source: found 'dream', expected 'detector' or 'file'"),
        ((0, "settings", "track"), 1, r"track: found 1, expected true or false"),
        ((0, "settings", "every_s"), 0, r"every_s: found 0, expected a number from 1e-06"),
        ((1, "record"), "frame", r"a.jsonl:2: record: found 'frame', expected one of: video, keyframe, end"),
        ((1, "video_id"), "pool", r"a.jsonl:2: video_id: found 'pool', expected 'gym'"),
        ((1, "time"), "1", r"a.jsonl:2: time: found \"1\", expected a number"),
        ((1, "time"), True, r"time: found true, expected a number"),
        ((1, "frame_idx"), 1.5, r"frame_idx: found 1.5, expected a whole number from 0"),
        ((1, "persons", 0, "person_id"), 0, r"person_id: found 0, expected a whole number from 1"),
        ((1, "persons", 0, "score"), 1.5, r"persons\[0\]: score: found 1.5, expected a number from 0 to 1"),
        ((1, "persons", 0, "box_px"), [1, 2, 3], r"box_px: found \[1, 2, 3\], expected \[x1, y1, x2, y2\]"),
        ((1, "persons", 0, "box_px"), [5, 2, 3, 4], r"expected x1 <= x2 and y1 <= y2"),
        ((1, "persons", 0, "box_px"), [1, 2, 3, 10**400], r"box_px: .*expected a number"),
        ((1, "persons", 0, "actions"), [[12]], r"actions: found \[12\], expected \[action id, score\]"),
        (
            (1, "persons", 0, "actions"),
            [[99, 0.5]],
            r"a.jsonl:2: action id 99 is not among the model's classes",
        ),
        ((1, "persons", 0, "actions"), [["12", 0.5]], r"actions: found '12', expected a whole number"),
        (
            (2, "status"),
            "fine",
            r"a.jsonl:3: status: found 'fine', expected one of: complete, damaged, interrupted",
        ),
        ((2, "keyframes"), 5, r"a.jsonl:3: 5 keyframes announced, 1 found"),
    ],
)
def test_a_wrong_value_is_refused_by_line_with_what_was_expected(
    tmp_path, make_header, place, value, message
):
    lines = lines_of(make_header(), [Keyframe(0.0, 0.0, 0, (PERSON,))])
    target = lines
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    with pytest.raises(DataError, match=message):
        list(read_document(write(tmp_path / "a.jsonl", lines)))


POINTS = ((0.1, 0.0, 0.0, 5.0, 5.0), (0.2, 1.0, 1.5, 6.0, 7.0))


def test_paths_come_back_and_documents_without_them_are_read(tmp_path, make_header):
    keyframe = Keyframe(1.0, 1.0, 30, (PERSON,), paths=(BoxPath(2, POINTS),))
    lines = lines_of(make_header(), [keyframe])
    assert lines[1]["paths"] == [{"person_id": 2, "points": [list(point) for point in POINTS]}]
    assert list(read_document(write(tmp_path / "a.jsonl", lines)))[1] == keyframe
    del lines[1]["paths"]
    assert list(read_document(write(tmp_path / "b.jsonl", lines)))[1].paths == ()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ({"points": []}, r"paths\[0\]: no 'person_id'"),
        ({"person_id": 0, "points": []}, r"person_id: found 0, expected a whole number from 1"),
        ({"person_id": 1, "points": [[0, 1, 2, 3]]}, r"points\[0\]: .*expected \[time, x1, y1, x2, y2\]"),
        ({"person_id": 1, "points": [[0, 1, 2, 0, 3]]}, r"expected x1 <= x2 and y1 <= y2"),
        ({"person_id": 1, "points": [[1, 0, 0, 1, 1]] * 2}, r"points\[1\]: time 1 does not come after 1"),
    ],
)
def test_a_wrong_path_is_refused_by_place(tmp_path, make_header, path, message):
    lines = lines_of(make_header(), [Keyframe(0.0, 0.0, 0, (PERSON,))])
    lines[1]["paths"] = [path]
    with pytest.raises(DataError, match=message):
        list(read_document(write(tmp_path / "a.jsonl", lines)))


def test_a_missing_key_is_named(tmp_path, make_header):
    lines = lines_of(make_header(), [])
    del lines[0]["video"]["width"]
    with pytest.raises(DataError, match=r"a.jsonl:1: video: no 'width', expected a whole number from 1"):
        list(read_document(write(tmp_path / "a.jsonl", lines)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"video,0902\n", r"a.jsonl:1: not valid JSON"),
        (b"\xff\xfe\n", r"a.jsonl:1: not valid JSON"),
        (b"[1, 2]\n", r"a.jsonl:1: found \[1, 2\], expected an object"),
        (b'{"record": "end"', r"a.jsonl:1: the line is cut off"),
        (b'{"time": NaN}\n', r"NaN is not a JSON number"),
        (b"[" * 100_000 + b"\n", r"nested too deeply"),
        (b'{"record": ' + b"9" * 5000 + b"}\n", r"a.jsonl:1: not valid JSON"),
    ],
)
def test_what_is_not_json_lines_is_refused_by_line(tmp_path, text, message):
    (tmp_path / "a.jsonl").write_bytes(text)
    with pytest.raises(DataError, match=message):
        list(read_document(tmp_path / "a.jsonl"))


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ("k", r"a.jsonl:1: a keyframe outside a video"),
        ("e", r"a.jsonl:1: the end of a video that has not begun"),
        ("hh", r"a.jsonl:2: a video begins before the end of 'gym'"),
        ("hkeh", r"a.jsonl:4: video 'gym' is in the document twice"),
        ("hkk", r"a.jsonl:3: time 0 does not come after 0"),
        ("hk", r"the end of video 'gym' is missing"),
    ],
)
def test_records_in_the_wrong_order_are_refused(tmp_path, make_header, order, message):
    header, keyframe, end = lines_of(make_header(), [Keyframe(0.0, 0.0, 0, ())])
    lines = [{"h": header, "k": keyframe, "e": end}[letter] for letter in order]
    with pytest.raises(DataError, match=message):
        list(read_document(write(tmp_path / "a.jsonl", lines)))


def test_an_endless_line_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "MAX_LINE_BYTES", 1000)
    (tmp_path / "a.jsonl").write_bytes(b" " * 5000)
    with pytest.raises(DataError, match="longer than 1,000 bytes"):
        list(read_document(tmp_path / "a.jsonl"))


def test_a_huge_document_is_refused_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "MAX_DOCUMENT_BYTES", 1000)
    (tmp_path / "a.json").write_bytes(b" " * 5000)
    with pytest.raises(DataError, match="larger than 1,000 bytes") as caught:
        list(read_document(tmp_path / "a.json"))
    assert "jsonl" in caught.value.hint


def test_a_place_in_a_json_document_is_named(tmp_path, journal_of, make_result):
    journal = journal_of([make_result(0.0, [(1, 0.9, [1, 2, 3, 4], [0.5, 0, 0, 0])])])
    write_outputs(journal, [out_target(str(tmp_path / "a.json"))])
    text = (tmp_path / "a.json").read_text(encoding="utf-8").replace('"score":0.9', '"score":9')
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"a.json: videos\[0\]: keyframes\[0\]: persons\[0\]: score: found 9"):
        list(read_document(tmp_path / "a.json"))


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"no.jsonl: cannot be read"):
        list(read_document(tmp_path / "no.jsonl"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_damage_is_a_data_error_or_still_a_document(tmp_path_factory, make_header, data):
    path = tmp_path_factory.mktemp("doc") / "a.jsonl"
    records = make_header(), Keyframe(0.0, 0.0, 0, (PERSON,)), End("complete", 1)
    text = bytearray(b"".join(to_line(record, "gym") for record in records))
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(text)
    with suppress(DataError):  # any other exception fails the test
        assert {type(record) for record in read_document(path)} <= {Header, Keyframe, End}
