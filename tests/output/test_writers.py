"""The files of a run: AVA rows, the table, JSON; all from one journal, complete or absent."""

import csv
import json
import tracemalloc

import numpy as np
import pytest

from ava_detect.output.document import read_document
from ava_detect.output.journal import Journal, read_journal
from ava_detect.output.summary import summarise
from ava_detect.output.targets import out_target, table_target
from ava_detect.output.writers import TABLE_COLUMNS, ava_rows, write_outputs
from evaluation.errors import AvaDetectError
from evaluation.rows import format_row, read_detections

# 200 x 100 pixels: a box of 20, 10, 120, 60 is 0.1, 0.1, 0.6, 0.6.
ANN = (1, 0.95, [20, 10, 120, 60], [0.1, 0.75, 0.0, 0.5])
BEN = (2, 0.90, [0, 0, 50, 100], [0.625, 0, 0, 0])


def written(path, journal):
    write_outputs(journal, [out_target(str(path))])
    return path.read_text(encoding="utf-8")


def test_no_people_give_an_empty_file_of_rows(tmp_path, journal_of, make_result):
    assert written(tmp_path / "a.csv", journal_of([make_result(0.0)])) == ""


def test_rows_stand_by_time_then_person_then_score(tmp_path, journal_of, make_result):
    journal = journal_of([make_result(0.0, [BEN, ANN]), make_result(1.0, [BEN])])
    assert written(tmp_path / "a.csv", journal).splitlines() == [
        "gym,0000,0.100000,0.100000,0.600000,0.600000,14,0.750000",
        "gym,0000,0.100000,0.100000,0.600000,0.600000,80,0.500000",
        "gym,0000,0.100000,0.100000,0.600000,0.600000,12,0.100000",
        "gym,0000,0.000000,0.000000,0.250000,1.000000,12,0.625000",
        "gym,0001,0.000000,0.000000,0.250000,1.000000,12,0.625000",
    ]


@pytest.mark.parametrize(
    ("time", "offset", "written_as"),
    [
        (2.0, 900.0, "0902"),
        (0.5, 0.0, "0.500"),
        (0.1 + 0.2, 0.0, "0.300"),
        (3 * 0.1 * 10, 0.0, "0003"),
        (1 / 3, 900.0, "900.333"),
    ],
)
def test_times_carry_the_offset_and_are_whole_when_they_look_whole(
    tmp_path, journal_of, make_result, time, offset, written_as
):
    journal = journal_of([make_result(time, [BEN])], time_offset_s=offset)
    assert written(tmp_path / "a.csv", journal).split(",")[1] == written_as


def test_boxes_are_cut_at_the_edges_of_the_picture(tmp_path, journal_of, make_result):
    journal = journal_of([make_result(0.0, [(1, 0.9, [-20, -1, 220, 50], [0.5, 0, 0, 0])])])
    assert written(tmp_path / "a.csv", journal).split(",")[2:6] == [
        "0.000000",
        "0.000000",
        "1.000000",
        "0.500000",
    ]


def test_the_rows_are_read_by_the_evaluation(tmp_path, journal_of, make_result):
    journal = journal_of([make_result(0.0, [ANN]), make_result(0.5, [BEN])])
    written(tmp_path / "a.csv", journal)
    table = read_detections(tmp_path / "a.csv")
    assert len(table) == 4


def test_a_video_id_with_a_comma_is_quoted(tmp_path, make_header, make_result):
    with Journal.create(tmp_path / "j") as journal:
        journal.begin(make_header("one, two"))
        journal.append(make_result(0.0, [BEN]))
        journal.finish("complete")
    assert written(tmp_path / "a.csv", tmp_path / "j").startswith('"one, two",0000,')


def test_the_rows_of_a_json_file_are_those_of_the_csv(tmp_path, journal_of, make_result):
    rng = np.random.default_rng(3)
    people = [
        (k, rng.random(), [*rng.uniform(0, 50, 2), *rng.uniform(50, 100, 2)], list(rng.random(4)))
        for k in range(1, 8)
    ]
    journal = journal_of([make_result(float(time), people) for time in range(3)])
    rows = written(tmp_path / "a.csv", journal).splitlines()
    for name in ("a.json", "a.jsonl"):
        written(tmp_path / name, journal)
        assert [format_row(row) for row in ava_rows(read_document(tmp_path / name))] == rows
    assert len(rows) > 70


def test_the_table_has_names_pixels_and_person_ids(tmp_path, journal_of, make_result):
    journal = journal_of([make_result(2.0, [ANN])], time_offset_s=900.0)
    write_outputs(journal, [table_target(str(tmp_path / "people.csv"))])
    with (tmp_path / "people.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert ",".join(header) == (
        "video,time_s,frame,person_id,x1_px,y1_px,x2_px,y2_px,person_score,action_id,action,group,score"
    )
    assert rows[0] == [
        "gym", "902.000", "60", "1", "20.0", "10.0", "120.0", "60.0", "0.9500", "14", "walk", "pose", "0.7500"
    ]  # fmt: skip
    assert [row[10] for row in rows] == ["walk", "watch (a person)", "stand"]


def test_without_tracking_the_person_id_is_empty(tmp_path, journal_of, make_result):
    journal = journal_of([make_result(0.0, [(-1, *BEN[1:])])], track=False)
    write_outputs(journal, [table_target(str(tmp_path / "people.csv"))])
    with (tmp_path / "people.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["person_id"] == ""
    assert tuple(row) == TABLE_COLUMNS


def test_the_json_document_holds_all_facts(tmp_path, journal_of, make_result):
    journal = journal_of([make_result(0.0, [BEN], best_person_score=0.9), make_result(1.0)], status="damaged")
    document = json.loads(written(tmp_path / "a.json", journal))
    assert (document["schema"], document["version"]) == ("ava-detect/predictions", 1)
    (video,) = document["videos"]
    assert video["video"] == {
        "video_id": "gym", "path": "gym.mp4", "width": 200, "height": 100, "duration_s": 10.0,
        "fps": "30000/1001", "rotation": 0, "codec": "h264", "size_bytes": 1234,
    }  # fmt: skip
    assert video["model"]["classes"][0] == {"id": 12, "name": "stand", "group": "pose"}
    assert video["settings"]["person_thresh"] == 0.8
    assert video["keyframes"][0] == {
        "time": 0.0, "frame_time": 0.01, "frame_idx": 0,
        "persons": [
            {"person_id": 2, "score": 0.9, "box_px": [0.0, 0.0, 50.0, 100.0], "actions": [[12, 0.625]]}
        ],
        "best_person_score": 0.9,
        "paths": [],
    }  # fmt: skip
    assert video["end"] == {"status": "damaged", "keyframes": 2, "reason": "invalid data at 1:37.4"}


def test_a_run_without_videos_is_a_valid_empty_document(tmp_path):
    Journal.create(tmp_path / "j").close()
    assert json.loads(written(tmp_path / "a.json", tmp_path / "j"))["videos"] == []


def test_an_interrupted_run_says_so_in_its_files(tmp_path, journal_of, make_result):
    journal = journal_of([make_result(0.0)], status=None)
    for name in ("a.json", "a.jsonl"):
        written(tmp_path / name, journal)
        assert list(read_document(tmp_path / name))[-1].status == "interrupted"


def test_several_outputs_are_written_from_one_journal(tmp_path, journal_of, make_result):
    journal = journal_of([make_result(0.0, [ANN])])
    names = ["a.csv", "b.json", "c.jsonl"]
    write_outputs(journal, [out_target(str(tmp_path / name)) for name in names])
    assert sorted(path.name for path in tmp_path.iterdir()) == [".actions.csv.journal", *names]


def test_rows_go_to_standard_output(capfdbinary, journal_of, make_result):
    write_outputs(journal_of([make_result(0.0, [BEN])]), [out_target("-")])
    assert capfdbinary.readouterr().out == b"gym,0000,0.000000,0.000000,0.250000,1.000000,12,0.625000\n"


def test_a_failing_output_leaves_nothing_half_written(tmp_path, journal_of, make_result):
    journal = journal_of([make_result(0.0, [BEN]), make_result(1.0, [BEN])])
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], b"damage\n", *lines[3:]]))
    (tmp_path / "a.csv").write_text("the old one\n")
    with pytest.raises(AvaDetectError, match="not valid JSON"):
        write_outputs(journal, [out_target(str(tmp_path / "a.csv"))])
    assert (tmp_path / "a.csv").read_text() == "the old one\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".actions.csv.journal", "a.csv"]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path, journal_of, make_result):
    with pytest.raises(AvaDetectError, match=r"a.csv: cannot be written \(No such file or directory\)"):
        write_outputs(journal_of([make_result(0.0)]), [out_target(str(tmp_path / "no" / "a.csv"))])


def test_writing_needs_a_fraction_of_the_journal_s_size_in_memory(tmp_path, journal_of, make_result):
    """The peak is a few caches and one keyframe; a list of all of them would be larger than the file."""
    journal = journal_of([make_result(float(time), [ANN, BEN]) for time in range(1200)])
    tracemalloc.start()
    write_outputs(journal, [out_target(str(tmp_path / f"a.{suffix}")) for suffix in ("csv", "json")])
    summarise(read_journal(journal))
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert highest < 0.75 * journal.stat().st_size
