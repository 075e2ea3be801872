"""A sound data set, one thing broken at a time: the finding names it, and no other fault is reported."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ava_detect.data.check import Options
from tests.data.check.data_set import Change, DataSet, Row, codes, columns, label_map_text, only, scaled


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with data.

    Attributes:
        code: of the finding that names it.
        words: a pattern that its message holds.
        spoil: does it.
        also: faults that follow from it and are reported too.
    """

    code: str
    words: str
    spoil: Callable[[DataSet], object]
    also: frozenset[str] = frozenset()


def in_train(change: Change, *, every: int = 1) -> Callable[[DataSet], None]:
    return lambda data: data.edit(data.train, change, every=every)


def in_boxes(change: Change, *, every: int = 1) -> Callable[[DataSet], None]:
    return lambda data: data.edit(data.boxes, change, every=every)


def in_predictions(change: Change, *, every: int = 1) -> Callable[[DataSet], None]:
    return lambda data: data.edit(data.predictions, change, every=every)


def with_commas_as(separator: str) -> Callable[[DataSet], object]:
    return lambda data: data.train.write_text(data.train.read_text().replace(",", separator))


def with_label_map(text: str) -> Callable[[DataSet], object]:
    return lambda data: data.label_map.write_text(text)


def corners(row: Row) -> tuple[float, ...]:
    return tuple(map(float, row[2:6]))


def with_box(row: Row, *box: float) -> Row:
    return [*row[:2], *(f"{value:.4f}" for value in box), *row[6:]]


def to_width_and_height(row: Row) -> Row:
    x1, y1, x2, y2 = corners(row)
    return with_box(row, x1, y1, x2 - x1, y2 - y1)


def to_centre(row: Row) -> Row:
    x1, y1, x2, y2 = corners(row)
    return with_box(row, (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)


def y_first(row: Row) -> Row:
    x1, y1, x2, y2 = corners(row)
    return with_box(row, y1, x1, y2, x2)


def right_before_left(row: Row) -> Row:
    x1, y1, x2, y2 = corners(row)
    return with_box(row, x2, y1, x1, y2)


def without_width(row: Row) -> Row:
    x1, y1, _, y2 = corners(row)
    return with_box(row, x1, y1, x1, y2)


def put_header(data: DataSet) -> None:
    data.train.write_text("video_id,timestamp,x1,y1,x2,y2,action_id,person_id\n" + data.train.read_text())


def repeat_seven_rows(data: DataSet) -> None:
    rows = data.rows(data.train)
    data.write(data.train, rows + rows[:7])


def repeat_five_predictions(data: DataSet) -> None:
    rows = data.rows(data.predictions)
    data.write(data.predictions, rows + rows[:5])


def annotate_beyond_the_end(data: DataSet) -> None:
    late = [[row[0], "0009", *row[2:]] for row in data.rows(data.train)[-6:]]
    data.write(data.train, data.rows(data.train)[:-6] + late)


def put_milliseconds_without_videos(data: DataSet) -> None:
    shutil.rmtree(data.videos)
    data.edit(data.train, columns(time=lambda time: 1000 * int(time)))


def spreadsheet(data: DataSet) -> None:
    (data.videos / "cam1.mp4").rename(data.videos / "#NAME?.mp4")
    data.edit(data.train, columns(video=lambda video: "#NAME?" if video == "cam1" else video))


def put_training_video_into_val(data: DataSet) -> None:
    data.write(data.val, data.rows(data.train)[:18] + data.rows(data.val))
    for file in (data.boxes, data.predictions):
        file.unlink()


def add_junk_bytes(data: DataSet) -> None:
    data.train.write_bytes(data.train.read_bytes() + b"cam1,3,\xff\xfe\n")


ALL_FOUR = ("x1", "y1", "x2", "y2")
TO_PIXELS = columns(x1=scaled(1920), x2=scaled(1920), y1=scaled(1080), y2=scaled(1080))
NO_MEDIA = frozenset({"no-media"})

TEXT = [
    Fault("row-header", "this is a header: video_id,", put_header),
    Fault("row-columns", "6 columns, expected 8.* 3 more rows", in_train(lambda row: row[:6], every=20)),
    Fault("row-columns", "separated by semicolons, expected commas", with_commas_as(";")),
    Fault("row-columns", "separated by tabs, expected commas", with_commas_as("\t")),
    Fault("row-number", "x1 = 'left', expected a number", in_train(columns(x1=lambda _: "left"), every=30)),
    Fault("row-nan", "y2 is NaN", in_train(columns(y2=lambda _: "nan"), every=30)),
    Fault("row-class", "action_id is empty", in_train(columns(action=lambda _: ""), every=30)),
    Fault("row-class", "action_id = '1.0', expected", in_train(columns(action=lambda _: "1.0"), every=30)),
    Fault("row-time", "timestamp = 'noon'", in_train(columns(time=lambda _: "noon"), every=30)),
    Fault("row-video-id", "video_id is empty", in_train(columns(video=lambda _: ""), every=30)),
    Fault("row-text", "not UTF-8 text", add_junk_bytes),
    Fault("unknown", "the file is empty", lambda data: data.train.write_text("")),
]
BOXES = [
    Fault("pixels", r"72 of 72 rows .* look like pixels \(largest value 1\d{3}", in_train(TO_PIXELS)),
    Fault("pixels", r"8 of 72 rows have a box that is not in \[0, 1\]", in_train(TO_PIXELS, every=9)),
    Fault("pixels", "pixels or per cent", in_train(columns(**dict.fromkeys(ALL_FOUR, scaled(100))))),
    Fault("inverted", "look like x, y, width, height", in_train(to_width_and_height)),
    Fault("inverted", "look like centre x, centre y, width, height", in_train(to_centre)),
    Fault("inverted", "1 of 72 rows have x1 > x2 or y1 > y2$", in_train(right_before_left, every=100)),
    Fault("y-before-x", "wider than high, .* look like y1, x1, y2, x2", in_train(y_first)),
    Fault("outside", "by up to 0.2", in_train(columns(x2=lambda _: "1.2"), every=20)),
    Fault("not-finite", "not finite", in_train(columns(x2=lambda _: "inf"), every=30)),
    Fault("corner", "normalised twice", in_train(columns(**dict.fromkeys(ALL_FOUR, scaled(0.001, 7))))),
    Fault("identical-boxes", "0.1, 0.1, 0.4, 0.9", in_train(lambda row: with_box(row, 0.1, 0.1, 0.4, 0.9))),
    Fault("flat-truth", "4 of 72 rows have a box without area", in_train(without_width, every=20)),
    Fault("repeated-rows", "7 of 79 rows repeat .* every copy counts", repeat_seven_rows),
]
TIMES = [
    Fault(
        "time-unit",
        "beyond a day .* look like milliseconds",
        in_train(columns(time=lambda time: 1000 * (100 + int(time)))),
        also=frozenset({"behind-end"}),
    ),
    Fault("time-unit", "look like milliseconds", put_milliseconds_without_videos, also=NO_MEDIA),
    Fault(
        "behind-end",
        "cam1 has times 0-150, its last frame is at 0:05.9; the times look like frames at 30 fps",
        in_train(columns(time=lambda time: 30 * int(time))),
    ),
    Fault(
        "behind-end",
        "the times look like milliseconds",
        in_train(columns(time=lambda time: 999 * int(time))),
    ),
    Fault("behind-end", "6 of 72 rows lie behind the end of their video: cam4", annotate_beyond_the_end),
    Fault(
        "negative-times",
        "3 of 72 rows have a time before 0",
        in_train(columns(time=lambda _: "-4"), every=30),
        also=frozenset({"before-start"}),
    ),
]
CLASSES = [
    Fault(
        "zero-based",
        r"class ids count from 0 \(0-4; \d+ of 72 rows have 0\)",
        in_train(columns(action=lambda action: int(action) - 1)),
    ),
    Fault(
        "class-outside-map",
        "id 6; every id is one too high",
        in_train(columns(action=lambda action: int(action) + 1)),
    ),
    Fault(
        "class-outside-map",
        r"ids 11, 12, 13, 14, 15; a file for other classes\?",
        in_train(columns(action=lambda action: int(action) + 10)),
    ),
    Fault(
        "class-outside-map",
        r"8 of 72 rows .* \(5 classes, ids 1-5\): id 81",
        in_train(columns(action=lambda _: "81"), every=9),
    ),
    Fault("label-map", "id 2 is taken by line", with_label_map(label_map_text().replace("id: 3", "id: 2"))),
    Fault("label-map", "ids start at 1", with_label_map(label_map_text().replace("id: 1", "id: 0"))),
    Fault("label-map", "expected entries like", with_label_map('{"1": "fall", "2": "sit"}')),
    Fault("label-map", "no class in it", with_label_map("")),
]
NAMES = [
    Fault(
        "names-differ",
        r"4 of 4 .* by folder or suffix \('videos/cam1.mp4', there 'cam1'\)",
        in_train(columns(video=lambda video: f"videos/{video}.mp4")),
    ),
    Fault("names-differ", "by capitals", in_train(columns(video=str.upper))),
    Fault("names-differ", "by spaces", in_train(columns(video=lambda video: f" {video}"))),
    Fault(
        "video-missing",
        "1 of 4 videos are not in .*videos: 'cam2'",
        lambda data: (data.videos / "cam2.mp4").unlink(),
    ),
    Fault("destroyed-ids", r"'#NAME\?': a spreadsheet", spreadsheet),
    Fault("split-overlap", "1 of its 3 videos are also in .*train.csv: 'cam1'", put_training_video_into_val),
    Fault("no-annotations", "no CSV file", lambda data: [
        file.unlink() for file in (data.train, data.val, data.boxes, data.predictions)
    ]),
    Fault("no-media", r"where are the videos\?", lambda data: shutil.rmtree(data.videos)),
]  # fmt: skip
PERSON_BOXES = [
    Fault("no-scores", "36 of 36 rows have no score", in_boxes(lambda row: row[:7])),
    Fault("whole-scores", "all scores are whole numbers", in_boxes(
        lambda row: [*row[:7], str(len(row[2]) + int(row[1]))]
    )),
    Fault("score-range", r"score = .* is not in \[0, 1\]", in_boxes(columns(score=scaled(12)))),
    Fault("faint-scores", "is the sigmoid missing, or applied twice", in_boxes(
        columns(score=scaled(1e-4, 9))
    )),
    Fault("recall", "67% of the 36 persons .*expected 90% or more.*no model can score above", in_boxes(
        lambda _: None, every=3
    )),
    Fault("box-layout", "x, y, width, height, 100%", in_boxes(
        to_width_and_height
    ), also=frozenset({"inverted"})),
    Fault("video-sets-differ", "1 of 2 videos .*val.csv are not in it: 'cam6'", in_boxes(
        lambda row: None if row[0] == "cam6" else row
    ), also=frozenset({"recall", "keyframes-without-boxes"})),
    Fault("keyframes-without-boxes", "6 of 12 keyframes of .* have no box", in_boxes(
        lambda row: None if int(row[1]) % 2 else row
    ), also=frozenset({"recall"})),
    Fault("not-comparable", "no keyframe of", in_boxes(columns(time=lambda time: int(time) + 0.5))),
]  # fmt: skip
PREDICTIONS = [
    Fault("equal-scores", "all 180 scores are 0.5", in_predictions(columns(score=lambda _: "0.5"))),
    Fault("score-range", r"score = .* is not in \[0, 1\]", in_predictions(columns(score=scaled(-9)))),
    Fault("faint-scores", "below 0.001", in_predictions(columns(score=scaled(1e-4, 9)))),
    Fault("no-scores", "4 of 180 rows have no score", in_predictions(lambda row: row[:7], every=45)),
    Fault("zero-based", "class ids count from 0", in_predictions(
        columns(action=lambda action: int(action) - 1)
    )),
    Fault("class-outside-map", r"other classes\?", in_predictions(
        columns(action=lambda action: int(action) + 300)
    ), also=frozenset({"most-never-predicted"})),
    Fault("most-never-predicted", "4 of 5 annotated classes are never predicted and have AP 0: 1 'fall'",
        in_predictions(lambda row: row if row[6] == "5" else None)),
    Fault("keyframes-without-predictions", "6 of 12 annotated .* have no prediction", in_predictions(
        lambda row: None if int(row[1]) % 2 else row
    )),
    Fault("box-layout", "y1, x1, y2, x2, 100%", in_predictions(
        y_first
    ), also=frozenset({"y-before-x"})),
    Fault("repeated-rows", "5 of 185 rows repeat .* copies are false positives", repeat_five_predictions),
]  # fmt: skip


@pytest.mark.parametrize(
    "fault",
    [*TEXT, *BOXES, *TIMES, *CLASSES, *NAMES, *PERSON_BOXES, *PREDICTIONS],
    ids=lambda fault: f"{fault.code}: {fault.words[:40]}",
)
def test_a_seeded_fault_is_named_and_nothing_else_is_a_fault(fault: Fault, data: DataSet):
    fault.spoil(data)
    report = data.check()
    assert re.search(fault.words, only(report, fault.code).message), only(report, fault.code).message
    assert codes(report) == {fault.code} | fault.also


def test_a_sound_data_set_gives_no_finding_at_all(data):
    assert data.check(options=Options()).findings == []
