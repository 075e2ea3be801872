"""People on a picture, and boxes from a file in place of the detector."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ava_detect.video.keyframes import KeyframeGrid
from evaluation.errors import DataError
from evaluation.rows import ActionRow, format_time, table_of_rows
from person_detector import GivenBoxes, PersonBoxes

WHOLE = (0.0, 0.0, 1.0, 1.0)
LEFT = (0.1, 0.2, 0.5, 0.9)


def given(*rows: tuple[str, float, tuple[float, float, float, float], float]) -> GivenBoxes:
    return GivenBoxes(
        table_of_rows(ActionRow(video, time, box, 0, score) for video, time, box, score in rows)
    )


def test_no_people_are_an_empty_array_of_boxes():
    people = PersonBoxes.none()
    assert people.boxes.shape == (0, 4)
    assert len(people) == 0
    assert len(people.above(0.0)) == 0


def test_above_keeps_scores_that_equal_the_threshold():
    people = PersonBoxes(np.arange(12, dtype=np.float32).reshape(3, 4), np.array([0.9, 0.5, 0.1], np.float32))
    kept = people.above(0.5)
    assert kept.scores.tolist() == pytest.approx([0.9, 0.5])
    assert kept.boxes[:, 0].tolist() == [0, 4]


def test_a_file_without_rows_gives_no_people_anywhere():
    boxes = given()
    assert boxes.video_ids == set()
    assert len(boxes.at("gym", 1.0, 320, 240)) == 0


def test_boxes_come_in_pixels_of_the_picture_best_first():
    people = given(("gym", 2.0, LEFT, 0.3), ("gym", 2.0, WHOLE, 0.8)).at("gym", 2.0, 200, 100)
    np.testing.assert_allclose(people.boxes, [[0, 0, 200, 100], [20, 20, 100, 90]], rtol=1e-6)
    assert people.scores.tolist() == pytest.approx([0.8, 0.3])
    assert people.boxes.dtype == people.scores.dtype == np.float32


def test_only_the_rows_of_that_video_and_time_count():
    boxes = given(("gym", 2.0, LEFT, 0.3), ("gym", 3.0, WHOLE, 0.8), ("park", 2.0, WHOLE, 0.5))
    assert boxes.at("gym", 2.0, 10, 10).scores.tolist() == pytest.approx([0.3])
    assert boxes.at("park", 2.0, 10, 10).scores.tolist() == pytest.approx([0.5])
    assert len(boxes.at("park", 3.0, 10, 10)) == 0
    assert boxes.times("gym") == [2.0, 3.0]
    assert boxes.video_ids == {"gym", "park"}


def test_times_may_differ_by_what_three_decimals_leave_out():
    boxes = given(("gym", 0.333, LEFT, 0.3))
    assert len(boxes.at("gym", 1 / 3, 10, 10)) == 1
    assert len(boxes.at("gym", 0.335, 10, 10)) == 0


@pytest.mark.parametrize("offset", [0, 900])
def test_times_that_a_file_rounds_find_their_keyframe_again(offset: int):
    """Every frame of 29.97 fps: the 16th lies half way between two milliseconds."""
    times = [offset + time for time in KeyframeGrid(0.033366667, end=2.0)]
    rows = [
        ActionRow("gym", time, (0.0, 0.0, number / 100, 1.0), 0, 0.5) for number, time in enumerate(times)
    ]
    boxes = GivenBoxes(
        table_of_rows(replace(row, timestamp=float(format_time(row.timestamp))) for row in rows)
    )
    found = [boxes.at("gym", time, 100, 100).boxes[:, 2].tolist() for time in times]
    assert found == [[pytest.approx(number)] for number in range(len(times))]


def test_of_two_times_within_a_millisecond_the_nearer_counts():
    boxes = given(("gym", 0.3331, LEFT, 0.3), ("gym", 0.3334, WHOLE, 0.8))
    assert boxes.at("gym", 1 / 3, 10, 10).scores.tolist() == pytest.approx([0.8])
    assert boxes.at("gym", 0.3331, 10, 10).scores.tolist() == pytest.approx([0.3])
    assert len(boxes.at("gym", 0.334, 10, 10)) == 0


def test_a_box_with_a_row_per_action_counts_once_with_its_best_score():
    people = given(("gym", 2.0, LEFT, 0.3), ("gym", 2.0, LEFT, 0.7)).at("gym", 2.0, 10, 10)
    assert people.scores.tolist() == pytest.approx([0.7])


def test_boxes_that_reach_over_the_edge_end_there():
    people = given(("gym", 2.0, (-0.1, 0.5, 1.2, 0.9), 0.3)).at("gym", 2.0, 100, 100)
    np.testing.assert_allclose(people.boxes, [[0, 50, 100, 90]], rtol=1e-6)


def test_a_file_is_read_with_and_without_scores(tmp_path: Path):
    path = tmp_path / "boxes.csv"
    path.write_text("gym,0902,0.1,0.2,0.5,0.9,,0.75\ngym,0903,0.1,0.2,0.5,0.9\n")
    boxes = GivenBoxes.read(path)
    assert boxes.at("gym", 902, 10, 10).scores.tolist() == [0.75]
    assert boxes.at("gym", 903, 10, 10).scores.tolist() == [1.0]


def test_person_ids_in_the_place_of_scores_are_refused_with_the_way_out(tmp_path: Path):
    path = tmp_path / "truth.csv"
    path.write_text("gym,0902,0.1,0.2,0.5,0.9,12,1\ngym,0902,0.1,0.2,0.6,0.9,12,7\n")
    with pytest.raises(DataError, match=r"truth.csv:2: score 7 is not in \[0, 1\]") as error:
        GivenBoxes.read(path)
    assert "cut -d, -f1-7" in error.value.hint


def test_given_boxes_need_neither_torch_nor_detectron2():
    program = (
        "import sys; from person_detector import GivenBoxes, PersonBoxes; PersonBoxes.none();"
        "sys.exit(any(name in sys.modules for name in ('torch', 'detectron2')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
