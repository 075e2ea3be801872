"""Notes: what one should know and what is no fault; and the faults that need more than one broken row."""

import pickle
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ava_detect.data.check import Options, Severity, check_things
from tests.data.check.data_set import DataSet, Row, codes, columns, label_map_text, only
from tests.video.encoding import Encode, encode, remux


@dataclass(frozen=True)
class Note:
    """Something unusual: the code of its note, a pattern of the message, and how it comes about."""

    code: str
    words: str
    change: Callable[[DataSet], object]


def some_rows(file: str, change: Callable[[Row], Row | None], *, every: int = 1) -> Callable[[DataSet], None]:
    return lambda data: data.edit(getattr(data, file), change, every=every)


def lying(row: Row) -> Row:
    return [*row[:2], f"0.{10 + len(row[0])}", row[3], "0.9", str(float(row[3]) + 0.2), *row[6:]]


def rename_a_class(data: DataSet) -> None:
    data.label_map.write_text(label_map_text(("fall", "sit", "stand", "walk", "sit")))


def add_a_class(data: DataSet) -> None:
    data.label_map.write_text(label_map_text(("fall", "sit", "stand", "walk", "wave", "jump")))


def one_class_in_train_only(data: DataSet) -> None:
    for file in (data.val, data.predictions):
        data.edit(file, columns(action=lambda action: "4" if action == "5" else action))
    rows = {tuple(row[:7]): row for row in data.rows(data.predictions)}
    data.write(data.predictions, list(rows.values()))
    data.write(data.val, list({tuple(row[:7]): row for row in data.rows(data.val)}.values()))


def one_class_in_val_only(data: DataSet) -> None:
    data.edit(data.train, columns(action=lambda action: "4" if action == "5" else action))


def one_rare_class(data: DataSet) -> None:
    fives = [row for row in data.rows(data.train) if row[6] == "5"]
    others = [row for row in data.rows(data.train) if row[6] != "5"]
    data.write(data.train, others + fives[:4])


def same_person_twice(data: DataSet) -> None:
    data.edit(data.train, columns(score=lambda person: "0" if person == "1" else person), every=5)


def steps_of_thirty(data: DataSet) -> None:
    shutil.rmtree(data.videos)
    data.edit(data.train, columns(time=lambda time: 30 * int(time)))


def boxes_of_a_further_video(data: DataSet) -> None:
    shutil.copy(data.videos / "cam6.mp4", data.videos / "cam7.mp4")
    rows = data.rows(data.boxes)
    data.write(data.boxes, rows + [["cam7", *row[1:]] for row in rows if row[0] == "cam6"])


NOTES = [
    Note("few-examples", r"1 class has fewer than 10 examples: 5 'wave' 4", one_rare_class),
    Note("no-examples", r"1 class has no example: 6 'jump'", add_a_class),
    Note("untrained-classes", r"class 5 'wave' is not in .*train.csv", one_class_in_val_only),
    Note("untested-classes", r"class 5 'wave' is not in .*val.csv", one_class_in_train_only),
    Note("same-class-name", "several classes have the same name: 'sit'", rename_a_class),
    Note("no-label-map", "no label map", lambda data: data.label_map.unlink()),
    Note("wide-boxes", r"48 of 72 rows \(67%\) have a box that is wider than high", lambda data: data.write(
        data.train, [lying(row) if k % 3 else row for k, row in enumerate(data.rows(data.train))]
    )),
    Note("flat-boxes", "2 of 36 rows have a box without area", some_rows(
        "boxes", lambda row: [*row[:4], row[2], *row[5:]], every=18
    )),
    Note("specks", "2 of 36 rows have a box narrower or lower than 0.5%", some_rows(
        "boxes", lambda row: [*row[:4], f"{float(row[2]) + 0.003:.4f}", *row[5:]], every=18
    )),
    Note("person-twice", "have the person id of another box in the same keyframe", same_person_twice),
    Note("regular-steps", "all times are 30 or a multiple apart; if they are frames", steps_of_thirty),
    Note("equal-box-scores", "all 36 boxes have score 1; no threshold can choose", some_rows(
        "boxes", columns(score=lambda _: "1")
    )),
    Note("low-recall", r"83% of the 36 persons of .* \(expected 90% or more\)", some_rows(
        "boxes", lambda row: None, every=6
    )),
    Note("some-without-boxes", "1 of 12 keyframes of .*val.csv have no box", some_rows(
        "boxes", lambda row: None if (row[0], row[1]) == ("cam5", "0003") else row
    )),
    Note("some-without-predictions", "1 of 12 annotated keyframes .* have no prediction", some_rows(
        "predictions", lambda row: None if (row[0], row[1]) == ("cam5", "0003") else row
    )),
    Note("never-predicted", "1 of 5 annotated classes are never predicted and have AP 0: 2 'sit'", some_rows(
        "predictions", lambda row: None if row[6] == "2" else row
    )),
    Note("videos-without-truth", "1 of its 3 videos are not in .*val.csv: 'cam7'", boxes_of_a_further_video),
]  # fmt: skip


@pytest.mark.parametrize("note", NOTES, ids=lambda note: note.code)
def test_what_is_unusual_is_noted(note: Note, data: DataSet):
    note.change(data)
    report = data.check()
    finding = only(report, note.code)
    assert finding.severity is Severity.NOTE
    assert re.search(note.words, finding.message), finding.message
    assert codes(report) - {"no-media"} == set()  # no videos: two of them say so on purpose


def test_a_list_of_excluded_keyframes_for_other_videos(data, tmp_path):
    (tmp_path / "excluded.csv").write_text("cam9,0003\n")
    report = check_things([str(data.val), str(tmp_path / "excluded.csv")])
    assert "none of its videos is in" in only(report, "exclusions-elsewhere").message
    assert report.faults == []


def test_boxes_that_fit_nobody_in_any_layout(data):
    data.edit(data.boxes, lambda row: [*row[:2], "0.01", "0.01", "0.05", "0.09", *row[6:]], every=1)
    data.edit(data.boxes, lambda row: [*row[:2], "0.90", "0.01", "0.95", "0.09", *row[6:]], every=2)
    assert "IoU >= 0.5" in only(check_things([str(data.val), str(data.boxes)]), "few-boxes").message


def test_proposals_that_are_no_boxes(tmp_path):
    path = tmp_path / "proposals.pkl"
    path.write_bytes(
        pickle.dumps({"cam1,0902": np.zeros((2, 3)), "cam1,0903": np.array([[0.1, 0.1, 0.3, 0.9, 0.8]])})
    )
    report = check_things([str(path)])
    assert (
        "1 entries are no boxes ([n, 4] or [n, 5] finite numbers): cam1,0902"
        in only(report, "proposal-shape").message
    )


def test_a_rate_that_is_not_the_stated_one(tmp_path: Path):
    path = tmp_path / "cam1.mp4"
    encode(path, Encode(options={"g": "25", "bf": "0"}, size=(320, 256)))
    with_edits = tmp_path / "cam2.mp4"
    remux(path, with_edits, lambda idx: ((idx - 10) * 40, (idx - 10) * 40))  # ten frames before the start
    finding = only(check_things([str(with_edits)]), "video-rate")
    assert re.search(r"it says [\d.]+ fps, it has 25: fine here", finding.message)


def test_timestamps_that_are_missing(tmp_path: Path):
    path = tmp_path / "cam1.h264"
    encode(path, Encode(size=(320, 256), format="h264"))
    report = check_things([str(path.rename(tmp_path / "cam1.mpg"))], Options())
    assert "timestamps are missing or out of order" in only(report, "odd-timestamps").message
    assert report.faults == []
