"""Annotation files as labelled keyframes: joining of rows, detected boxes, what is left out and refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ava_detect.data.annotation_reader import (
    PredictedBoxRules,
    Unmatched,
    read_test_annotations,
    read_training_annotations,
)
from ava_detect.data.annotations import Annotations, label_columns
from evaluation.errors import DataError
from evaluation.rows import read_exclusions

Write = Callable[..., Path]
IDS = (2, 5, 9)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes lines into a file."""

    def write_lines(name: str, *lines: str) -> Path:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write_lines


def _as_dict(annotations: Annotations) -> dict[tuple[str, float], dict[tuple[float, ...], list[int]]]:
    """Return {(video, second): {box: columns}}."""
    return {
        (frame.video_id, frame.second): {
            tuple(box): np.flatnonzero(labels).tolist()
            for box, labels in zip(frame.boxes.tolist(), frame.labels, strict=True)
        }
        for frame in annotations
    }


def test_rows_of_equal_boxes_are_one_person_however_they_are_written(write: Write):
    truth = write(
        "truth.csv",
        "-a,0902,0.1,0.2,0.99,0.9,5,1",
        "-a,902,0.100,0.20,0.990,0.9,9,1",
        "-a,902.0,0.1,0.2,0.991,0.9,2,1",
    )
    assert _as_dict(read_training_annotations([truth], IDS)) == {
        ("-a", 902.0): {(0.1, 0.2, 0.99, 0.9): [1, 2], (0.1, 0.2, 0.991, 0.9): [0]}
    }


def test_keyframes_are_in_order_of_video_and_time_whatever_the_order_of_the_rows(write: Write):
    truth = write("t.csv", "b,3,0,0,1,1,5", "a,7,0,0,1,1,5", "b,1.5,0,0,1,1,5", "b,3,0,0,1,1,2")
    annotations = read_training_annotations([truth], IDS)
    assert [(frame.video_id, frame.second) for frame in annotations] == [("a", 7.0), ("b", 1.5), ("b", 3.0)]
    assert annotations[-1].video_id == "b"
    assert annotations.label_counts().tolist() == [1, 3, 0]


def test_person_ids_are_not_scores(write: Write):
    truth = write("t.csv", "a,1,0,0,1,1,5,0", "a,1,0,0,1,0.5,5,17")
    assert read_training_annotations([truth], IDS)[0].scores.tolist() == [1, 1]


def test_detected_boxes_take_the_labels_of_whom_they_overlap(write: Write):
    truth = write("t.csv", "a,1,0,0,0.5,1,5", "a,1,0,0,0.5,1,9", "a,1,0.5,0,1,1,2")
    boxes = write(
        "b.csv",
        "a,1,0,0,0.48,1,,0.95",  # IoU 0.96 with the first person
        "a,1,0.6,0,1,1,,0.95",  # 0.8 with the second
        "a,1,0,0,0.49,1,,0.7",  # not sure enough
        "a,2,0,0,1,1,,0.99",  # nobody labelled this keyframe
    )
    rules = PredictedBoxRules(min_score=0.8, min_iou=0.9)
    found = _as_dict(read_training_annotations([truth], IDS, predicted=[boxes], rules=rules))
    assert found == {
        ("a", 1.0): {(0, 0, 0.5, 1): [1, 2], (0.5, 0, 1, 1): [0], (0, 0, 0.48, 1): [1, 2], (0.6, 0, 1, 1): []}
    }
    only_matched = PredictedBoxRules(min_score=0.8, min_iou=0.9, unmatched=Unmatched.LEFT_OUT)
    annotations = read_training_annotations([truth], IDS, predicted=[boxes], rules=only_matched)
    assert (0.6, 0, 1, 1) not in _as_dict(annotations)["a", 1.0]
    assert "left out 1 detected boxes that match no labelled person" in annotations.notes
    assert any("1 rows of" in note and "below 0.8" in note for note in annotations.notes)


def test_labels_that_come_with_detected_boxes_are_kept_and_unlabelled_ones_are_negatives(write: Write):
    truth = write("t.csv", "a,1,0,0,0.5,1,5,3")
    labelled = write("l.csv", "a,1,0,0,0.47,1,9,0.9", "a,1,0,0,0.47,1,2,0.9", "a,1,0.9,0,1,1,,0.9")
    found = _as_dict(read_training_annotations([truth], IDS, predicted=[labelled, truth]))
    assert found["a", 1.0] == {(0, 0, 0.5, 1): [1], (0, 0, 0.47, 1): [0, 2], (0.9, 0, 1, 1): []}


def test_a_keyframe_known_to_be_empty_is_used_for_its_detected_boxes_only(write: Write):
    truth = write("t.csv", "a,1,0,0,1,1,5", "a,2")
    assert len(read_training_annotations([truth], IDS)) == 1
    boxes = write("b.csv", "a,2,0,0,1,1,,0.95")
    assert _as_dict(read_training_annotations([truth], IDS, predicted=[boxes]))["a", 2.0] == {
        (0, 0, 1, 1): []
    }


def test_excluded_keyframes_and_seconds_outside_the_range_are_left_out_and_counted(write: Write):
    truth = write("t.csv", *(f"a,{second},0,0,1,1,5" for second in (900, 902, 903, 1799)))
    exclusions = read_exclusions(write("x.csv", "a,0903", "other,902"))
    annotations = read_training_annotations([truth], IDS, exclusions=exclusions, valid_seconds=(902, 1798))
    assert [frame.second for frame in annotations] == [902]
    assert annotations.notes == (
        "left out 2 keyframes outside AVA.VALID_SECONDS",
        "left out 1 keyframes in the list of exclusions",
    )


def test_test_boxes_are_the_sure_ones_and_a_keyframe_without_one_is_not_there(write: Write):
    boxes = write(
        "b.csv", "a,1,0,0,1,1,,0.9", "a,1,0,0,0.5,1,5,0.95", "a,1,0,0,0.5,1,2,0.95", "a,2,0,0,1,1,,0.89"
    )
    annotations = read_test_annotations([boxes], IDS, min_score=0.9)
    assert len(annotations) == 1
    assert annotations[0].scores.tolist() == [0.95, 0.9]
    assert annotations[0].labels.tolist() == [[1, 1, 0], [0, 0, 0]]


def test_selected_keyframes_keep_their_people(write: Write):
    truth = write("t.csv", *(f"a,{s},0,0,1,{1 / (k + 1)},5" for s in range(5) for k in range(s + 1)))
    annotations = read_training_annotations([truth], IDS)
    chosen = annotations.select(np.array([True, False, False, True, True]))
    assert [len(frame.boxes) for frame in chosen] == [1, 4, 5]
    assert _as_dict(chosen) == {
        key: value for key, value in _as_dict(annotations).items() if key[1] in (0, 3, 4)
    }
    assert len(annotations.select(np.zeros(5, bool))) == 0


def test_outputs_are_the_maps_classes_or_all_ids_up_to_their_number():
    assert label_columns((2, 5, 9), 3) == (2, 5, 9)
    assert label_columns((2, 5, 9), 10) == tuple(range(1, 11))
    with pytest.raises(DataError, match="NUM_CLASSES is 4; the label map has 3 classes, ids up to 9"):
        label_columns((2, 5, 9), 4)


def test_classes_outside_the_map_are_refused_with_their_row(write: Write):
    truth = write("t.csv", "a,1,0,0,1,1,5", "a,1,0,0,1,1,4")
    with pytest.raises(DataError, match=r"t\.csv:2: class 4 is not in the label map, which has 3 classes"):
        read_training_annotations([truth], IDS)
    with pytest.raises(DataError, match="class 10 is not"):
        read_training_annotations([write("u.csv", "a,1,0,0,1,1,10")], IDS)


def test_boxes_in_pixels_are_refused_with_their_row(write: Write):
    truth = write("t.csv", "a,1,0,0,1,1,5", "a,1,0,0,341,0.5,5")
    with pytest.raises(DataError, match=r"t\.csv:2: x2 = 341 is not in \[0, 1\], in 1 rows"):
        read_training_annotations([truth], IDS)


def test_nothing_left_says_why(write: Write):
    truth = write("t.csv", "a,0,0,0,1,1,5", "a,61,0,0,1,1,5")
    with pytest.raises(DataError, match=r"0 of 2 rows.*timestamps 0-61, outside AVA.VALID_SECONDS") as caught:
        read_training_annotations([truth], IDS, valid_seconds=(902, 1798))
    assert "AVA.VALID_SECONDS auto" in caught.value.hint
    with pytest.raises(DataError, match=r"no annotation can be used .*score below 0\.9"):
        read_test_annotations([write("b.csv", "a,1,0,0,1,1,,0.5")], IDS)


_rows = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from([1, 2.5]),
        st.sampled_from([(0.0, 0.0, 0.5, 1.0), (0.0, 0.0, 0.25, 1.0), (0.5, 0.5, 0.5, 0.5)]),
        st.sampled_from(IDS),
    ),
    min_size=1,
)


@given(rows=_rows)
def test_any_rows_give_what_a_dictionary_gives(rows: list, tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("rows") / "t.csv"
    path.write_text("".join(f"{v},{t},{','.join(map(str, box))},{c}\n" for v, t, box, c in rows))
    expected: dict = {}
    for video, time, box, class_id in rows:
        people = expected.setdefault((video, float(time)), {})
        people.setdefault(box, set()).add(IDS.index(class_id))
    found = _as_dict(read_training_annotations([path], IDS))
    assert found == {key: {box: sorted(ids) for box, ids in val.items()} for key, val in expected.items()}
