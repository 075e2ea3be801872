"""Reading and writing AVA rows: what is accepted, with which value, and how a bad row is named."""

import csv
import gzip
import math
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluation import csv_blocks
from evaluation.errors import DataError
from evaluation.keyframes import time_keys
from evaluation.row_parser import DETECTIONS, GROUND_TRUTH, PERSON_BOXES, ParsedRow, parse_row
from evaluation.rows import (
    NO_CLASS,
    ActionRow,
    format_row,
    format_time,
    read_boxes,
    read_detections,
    read_exclusions,
    read_groundtruth,
    table_of_rows,
)

GOOD = "v1,0902,0.1,0.2,0.5,0.9,12,0.75"


def test_empty_file_has_no_rows(write_rows):
    table = read_detections(write_rows("d.csv", []))
    assert len(table) == 0
    assert table.boxes.shape == (0, 4)
    assert list(table.rows()) == []


def test_every_column_arrives(write_rows):
    table = read_detections(write_rows("d.csv", [GOOD, "v2,903.5,0,0,1,1,80,1e-3"]))
    assert list(table.rows()) == [
        ActionRow("v1", 902.0, (0.1, 0.2, 0.5, 0.9), 12, 0.75),
        ActionRow("v2", 903.5, (0.0, 0.0, 1.0, 1.0), 80, 0.001),
    ]
    assert table.lines.tolist() == [1, 2]
    assert table.field_counts == {8: 2}


@pytest.mark.parametrize(
    "video", ["-5KQ66BBWC4", "NA", "null", "True", "0123", "1e3", "1.0", "nan", " lead", "a b", "ü", '"x,y"']
)
def test_video_ids_are_text_and_nothing_else(write_rows, video):
    table = read_detections(write_rows("d.csv", [f"{video},0902,0,0,1,1,12,.5"]))
    assert table.video_names == (next(csv.reader([video]))[0],)


def test_video_ids_that_look_like_one_number_stay_apart(write_rows):
    table = read_detections(write_rows("d.csv", [f"{v},0902,0,0,1,1,12,.5" for v in ("1", "01", "1.0", "1")]))
    assert [table.video_names[code] for code in table.videos] == ["1", "01", "1.0", "1"]


def test_seven_columns_have_score_one_and_two_name_a_keyframe(write_rows):
    table = read_groundtruth(write_rows("g.csv", ["v,902,0,0,1,1,5", "w,903", "v,902,0,0,1,1,6,3"]))
    assert table.scores.tolist() == [1.0, 3.0]
    assert table.lines.tolist() == [1, 3]
    assert (table.bare_times.tolist(), table.bare_lines.tolist()) == ([903.0], [2])
    assert table.video_names[table.bare_videos[0]] == "w"
    assert table.field_counts == {2: 1, 7: 1, 8: 1}


def test_an_empty_person_id_counts_as_none(write_rows):
    assert read_groundtruth(write_rows("g.csv", ["v,902,0,0,1,1,5,", GOOD])).scores.tolist() == [1.0, 0.75]
    assert read_groundtruth(write_rows("g.csv", ["v,902,0,0,1,1,5,"])).scores.tolist() == [1.0]


def test_person_boxes_have_no_class(write_rows):
    table = read_boxes(write_rows("b.csv", ["v,902,0,0,1,1,,0.9", "v,902,0,0,1,1", "v,902,0,0,1,1,12,0.5"]))
    assert table.action_ids.tolist() == [0, 0, 12]
    assert table.scores.tolist() == [0.9, 1.0, 0.5]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.encode() + b"\r\n",
        b"\n\n" + GOOD.encode() + b"\n   \n",
        b'"v1","0902","0.1","0.2","0.5","0.9","12","0.75"\n',
        b"v1, 902 ,0.1, 0.2,5e-1,.9, +12 ,7.5E-1\n",
    ],
    ids=["byte order mark", "CRLF", "blank lines", "quotes", "spaces and exponents"],
)
def test_harmless_variants_give_the_same_row(tmp_path, content):
    path = tmp_path / "d.csv"
    path.write_bytes(content)
    assert list(read_detections(path).rows()) == [ActionRow("v1", 902.0, (0.1, 0.2, 0.5, 0.9), 12, 0.75)]


BAD_DETECTIONS = [
    (
        "v1,0902,0.1,0.2,0.5,0.9",
        r"6 columns, expected 8: video_id, timestamp, x1, y1, x2, y2, action_id, score",
    ),
    (GOOD + ",1", r"9 columns, expected 8"),
    ("hello", r"1 column, expected 8"),
    ("v1,0902,0.1,0.2,0.5,0.9,12.0,0.5", r"action_id = '12\.0', expected a whole number"),
    ("v1,0902,0.1,0.2,0.5,0.9,,0.5", r"action_id is empty"),
    ("v1,0902,0.1,0.2,0.5,0.9,12,", r"score = empty, expected a number"),
    ("v1,0902,0.1,0.2,0.5,0.9,12,nan", r"score is NaN, expected a number"),
    ("v1,0902,0.1,0.2,0.5,0.9,12,True", r"score = 'True', expected a number"),
    ("v1,0902,0.1,x,0.5,0.9,12,0.5", r"y1 = 'x', expected a number"),
    ("v1,0902,0.1,0.2,nan,0.9,12,0.5", r"x2 is NaN"),
    ("v1,later,0.1,0.2,0.5,0.9,12,0.5", r"timestamp = 'later', expected a number"),
    ("v1,1e300,0.1,0.2,0.5,0.9,12,0.5", r"timestamp = '1e300', expected seconds"),
    ("v1,inf,0.1,0.2,0.5,0.9,12,0.5", r"timestamp = 'inf', expected seconds"),
    (",0902,0.1,0.2,0.5,0.9,12,0.5", r"video_id is empty"),
    ('"v1,0902,0.1,0.2,0.5,0.9,12,0.5', r"a quotation mark is not closed"),
    ("v\r1,0902,0.1,0.2,0.5,0.9,12,0.5", r"not a CSV row"),
    ("v" * 140_000 + ",0902", r"not a CSV row \(field larger than field limit"),
]


@pytest.mark.parametrize(
    ("row", "message"), BAD_DETECTIONS, ids=[message[:30] for _, message in BAD_DETECTIONS]
)
@pytest.mark.parametrize("place", ["alone", "among good rows"])
def test_a_bad_row_is_named_with_what_was_found(tmp_path, row, message, place):
    before = 300 if place == "among good rows" else 0
    path = tmp_path / "d.csv"
    path.write_text(f"{GOOD}\n" * before + row + "\n" + f"{GOOD}\n" * before, newline="")
    with pytest.raises(DataError, match=rf"d\.csv:{before + 1}: {message}"):
        read_detections(path)
    table = read_detections(path, lenient=True)
    assert len(table) == 2 * before
    assert table.faults.total == 1
    assert table.faults.examples[0].line == before + 1
    assert before + 1 not in table.lines


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("v,902,.5,0,.4,1,5,0", r"g\.csv:1: x1, x2 = 0\.5, 0\.4; expected x1 <= x2 and y1 <= y2"),
        ("v,902,0,.5,1,.4,5,0", r"g\.csv:1: y1, y2 = 0\.5, 0\.4"),
        ("v,902,0,0,inf,1,5,0", r"g\.csv:1: box 0, 0, inf, 1 is not finite"),
    ],
)
def test_impossible_ground_truth_boxes_are_refused(write_rows, row, message):
    with pytest.raises(DataError, match=message):
        read_groundtruth(write_rows("g.csv", [row]))
    assert len(read_detections(write_rows("d.csv", [row]))) == 1  # the official tool drops such detections


def test_a_header_is_called_a_header(write_rows):
    header = "video_id,timestamp,x1,y1,x2,y2,action_id,score"
    with pytest.raises(
        DataError, match=r"d\.csv:1: this is a header: video_id,.*; AVA files have none"
    ) as info:
        read_detections(write_rows("d.csv", [header, GOOD]))
    assert info.value.hint == "Remove the first row."
    assert len(read_detections(write_rows("d.csv", [header, GOOD]), lenient=True)) == 1


def test_the_first_of_several_bad_rows_is_named(write_rows):
    rows = [GOOD] * 200 + ["v,902,x,0,1,1,5,0"] + [GOOD] * 200 + ["six,columns,1,1,1,1"]
    with pytest.raises(DataError, match=r"d\.csv:201: x1 = 'x'"):
        read_detections(write_rows("d.csv", rows))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a".encode("utf-16"), r"UTF-16 text, expected UTF-8"),
        (gzip.compress(b"a", mtime=0), r"compressed with gzip"),
        (b"\0\0\0\x18ftypmp42", r"a binary file, expected CSV text"),
        (f"{GOOD}\n".encode() * 100 + b"v\0,0902,0,0,1,1,5,0\n", r"d\.csv:101: a NUL byte"),
        (b"v\xff,0902,0,0,1,1,5,0\n", r"d\.csv:1: not UTF-8 text"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, content, message):
    path = tmp_path / "d.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_detections(path)


def test_a_missing_file_is_said_with_its_neighbour(write_rows, tmp_path):
    write_rows("detections.csv", [GOOD])
    with pytest.raises(DataError, match=r"detection\.csv: no such file\. Nearby: detections\.csv"):
        read_detections(tmp_path / "detection.csv")
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        read_detections(tmp_path)


def test_a_row_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_blocks, "_BLOCK_BYTES", 1000)
    path = tmp_path / "d.csv"
    path.write_text("x" * 5000)
    with pytest.raises(DataError, match=r"a row of more than 1,000 bytes"):
        read_detections(path)


@pytest.mark.parametrize("block", [10, 64, 1000])
def test_blocks_of_any_size_give_the_same_rows(write_rows, monkeypatch, block):
    rows = [f"v{i % 3},{900 + i / 4},0,0,1,.{i % 10},{i % 80},.{i}" for i in range(50)] + ["w,905"]
    path = write_rows("g.csv", rows)
    want = read_groundtruth(path)
    monkeypatch.setattr(csv_blocks, "_BLOCK_BYTES", max(block, 40))
    got = read_groundtruth(path)
    assert list(got.rows()) == list(want.rows())
    assert got.lines.tolist() == want.lines.tolist()
    assert got.bare_lines.tolist() == [51]


def test_one_bad_row_among_many_is_reported_as_fast_as_good_ones(tmp_path):
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text(f"{GOOD}\n" * 400_000)
    bad.write_text(f"{GOOD}\n" * 399_999 + "v,902,x,0,1,1,5,0\n")
    read_detections(tmp_path / "good.csv")  # pandas is imported
    start = time.perf_counter()
    read_detections(good)
    middle = time.perf_counter()
    with pytest.raises(DataError, match=r"bad\.csv:400000: x1 = 'x'"):
        read_detections(bad)
    assert time.perf_counter() - middle < 3 * (middle - start) + 0.5


NUMERIC = "0|1|0.5|-1|1e5|nan|inf|-inf|| 1|1 |01|1_0|+1|0x1|1.0|1e999|\t2|0902|902.5|--1|1\r|١|½"
FIELDS = st.sampled_from([*NUMERIC.split("|"), "True", "x", '"1"', '"1', "1,1", "NA", "\0"])
LINES = st.lists(FIELDS, max_size=9).map(",".join) | st.text(max_size=30)
MANY_LINES = st.lists(LINES | st.just(GOOD), max_size=30)
FUZZED = settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FUZZED
@given(lines=MANY_LINES)
def test_no_file_gives_a_traceback_and_lenient_reading_keeps_what_is_good(tmp_path, lines):
    path = tmp_path / "fuzz.csv"
    path.write_bytes("\n".join(lines).encode("utf-8", errors="surrogatepass"))
    for read in (read_detections, read_groundtruth, read_boxes, read_exclusions):
        try:
            strict = read(path)
        except DataError:
            strict = None
        try:
            lenient = read(path, lenient=True)
        except DataError:
            continue  # no text at all
        if strict is not None:
            assert list(strict.rows()) == list(lenient.rows())
        else:
            assert lenient.faults.total > 0
        assert np.isfinite(lenient.times).all()
        assert not np.isnan(lenient.boxes).any()
        assert not np.isnan(lenient.scores).any()


def one_by_one(path, rules) -> list[ActionRow]:
    """Read a file row by row with the plain parser."""
    parsed = [parse_row(line, n, rules) for n, line in enumerate(path.read_bytes().split(b"\n"), start=1)]
    rows = [row for row in parsed if isinstance(row, ParsedRow) and row.box]
    return [ActionRow(row.video_id, row.time, row.box, row.action_id, row.score) for row in rows]


COLUMN = st.lists(FIELDS, min_size=1, max_size=2)
NUMBER = st.sampled_from(["0", "0.5", "1", "1e-3", "inf", " 1", "1.", "-0"])
NUMBERS = st.lists(NUMBER, min_size=1, max_size=3) | COLUMN


@FUZZED
@given(
    columns=st.tuples(COLUMN, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, COLUMN, NUMBERS),
    width=st.sampled_from([7, 8]),
    picks=st.lists(st.integers(0, 5), min_size=1, max_size=5),
)
def test_what_pandas_reads_is_what_single_rows_mean(tmp_path, columns, width, picks):
    lines = [",".join(column[pick % len(column)] for column in columns[:width]) for pick in picks]
    path = tmp_path / "columns.csv"
    path.write_text("\n".join(lines), newline="")
    for read, rules in (
        (read_detections, DETECTIONS),
        (read_groundtruth, GROUND_TRUTH),
        (read_boxes, PERSON_BOXES),
    ):
        try:
            table = read(path, lenient=True)
        except DataError:
            continue  # no text at all
        assert list(table.rows()) == one_by_one(path, rules)


@FUZZED
@given(
    data=st.lists(
        st.tuples(
            st.sampled_from(["v", "w", "NA", "x y", "1", "01"]),
            st.floats(-1e6, 1e6).map(repr) | st.integers(0, 2000).map("{:04d}".format),
            st.lists(st.floats(allow_nan=False).map(repr), min_size=4, max_size=4),
            st.integers(-(10**12), 10**12).map(str),
            st.floats(allow_nan=False).map(repr) | st.decimals(0, 1, places=20).map(str),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_numbers_are_pythons_own(tmp_path, data):
    path = tmp_path / "d.csv"
    path.write_text("".join(f"{v},{t},{','.join(box)},{c},{s}\n" for v, t, box, c, s in data))
    table = read_detections(path)
    assert [table.video_names[code] for code in table.videos] == [v for v, *_ in data]
    assert table.times.tolist() == [float(row[1]) for row in data]
    assert table.boxes.tolist() == [list(map(float, row[2])) for row in data]
    assert table.scores.tolist() == [float(row[4]) for row in data]
    limit = 2**31 - 1
    assert table.action_ids.tolist() == [max(-limit, min(int(row[3]), limit)) for row in data]


def test_whole_times_have_four_digits_and_others_milliseconds():
    row = ActionRow("v1", 902.0, (0.1, 0.2, 1 / 3, 1.0), 12, 0.5)
    assert format_row(row) == "v1,0902,0.100000,0.200000,0.333333,1.000000,12,0.500000"
    assert format_row(ActionRow("v1", 902.5, (0, 0, 1, 1), 1, 1)).startswith("v1,902.500,0.000000,")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1 / 30, "0.033333"),
        (0.1 + 0.2, "0.300"),
        (902.1234, "902.123400"),
        (0.0005, "0.000500"),
        (7.125, "7.125"),
    ],
)
def test_a_time_is_written_so_that_it_names_the_same_keyframe(seconds, text):
    assert format_time(seconds) == text
    assert time_keys(np.array([float(text)])) == time_keys(np.array([seconds]))


@pytest.mark.parametrize(
    "change",
    [
        {"score": math.nan},
        {"timestamp": math.inf},
        {"box": (0, 0, math.nan, 1)},
        {"video_id": "a\nb"},
        {"video_id": ""},
    ],
)
def test_a_row_that_cannot_be_read_back_is_not_written(change):
    values = {"video_id": "v", "timestamp": 1.0, "box": (0, 0, 1, 1), "action_id": 1, "score": 0.5}
    with pytest.raises(ValueError):
        format_row(ActionRow(**{**values, **change}))


@given(
    st.builds(
        ActionRow,
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12),
        st.integers(0, 10**7).map(lambda ms: ms / 1000),
        st.tuples(*[st.integers(0, 10**6).map(lambda u: u / 1e6)] * 4),
        st.integers(1, 80),
        st.integers(0, 10**6).map(lambda u: u / 1e6),
    )
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back(write_rows, row):
    assert list(read_detections(write_rows("d.csv", [format_row(row)])).rows()) == [row]


def test_a_table_gives_one_videos_rows(write_rows):
    table = read_detections(write_rows("d.csv", [GOOD, "v2,903,0,0,1,1,3,.5", GOOD]))
    assert table.of_video("v1").lines.tolist() == [1, 3]
    assert len(table.of_video("elsewhere")) == 0
    assert list(table_of_rows(table.rows()).rows()) == list(table.rows())


@pytest.mark.parametrize(("name", "count"), [("v2.1-val", 37), ("v2.1-train", 161)])
def test_avas_exclusion_lists_are_built_in(name, count):
    table = read_exclusions(name)
    assert len(table.bare_times) == count
    assert len(table) == 0


def test_exclusions_have_two_columns(write_rows):
    with pytest.raises(DataError, match=r"x\.csv:1: 8 columns, expected 2: video_id, timestamp"):
        read_exclusions(write_rows("x.csv", [GOOD]))


def test_a_person_box_has_an_empty_class():
    row = ActionRow("v", 902.0, (0.1, 0.2, 0.3, 0.4), NO_CLASS, 0.95)
    assert format_row(row) == "v,0902,0.100000,0.200000,0.300000,0.400000,,0.950000"
