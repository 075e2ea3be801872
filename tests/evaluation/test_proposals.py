"""mmaction2's pickles of person boxes: read as they are, and never run."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evaluation.errors import DataError
from evaluation.proposals import is_pickle, load_proposals
from evaluation.rows import NO_CLASS, read_boxes

SURE = np.array([[0.1, 0.2, 0.3, 0.4, 0.99], [0.5, 0.5, 0.75, 1.0, 0.25]])


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def pickled(content: object, protocol: int = 2) -> Path:
        path = tmp_path / "proposals.pkl"
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        return path

    return pickled


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_proposals_are_read_as_person_boxes(write: Callable[..., Path], protocol: int, kind: str):
    boxes = SURE.astype(kind)
    path = write({"-5K,x,0902": boxes, "one,0903": boxes[:1, :4], "one,904.5": boxes[:0]}, protocol)
    table = read_boxes(path)
    assert table.video_names == ("-5K,x", "one")
    assert table.videos.tolist() == [0, 0, 1]
    assert table.times.tolist() == [902, 902, 903]
    np.testing.assert_array_equal(table.boxes, np.concatenate([boxes, boxes[:1]])[:, :4].astype(float))
    assert table.scores.tolist() == [*boxes[:, 4].astype(float).tolist(), 1.0]
    assert set(table.action_ids.tolist()) == {NO_CLASS}
    assert table.lines.tolist() == [1, 1, 2]
    assert (table.bare_videos.tolist(), table.bare_times.tolist(), table.bare_lines.tolist()) == (
        [1], [904.5], [3],
    )  # fmt: skip


def test_they_give_the_same_as_the_csv_of_the_same_boxes(write: Callable[..., Path], tmp_path: Path):
    csv = tmp_path / "boxes.csv"
    csv.write_text("a,0902,0.1,0.2,0.3,0.4,,0.99\na,0902,0.5,0.5,0.75,1.0,,0.25\nb,1000,0,0,1,1,,1\n")
    expected = read_boxes(csv)
    found = read_boxes(write({"a,0902": SURE, "b,1000": np.array([[0.0, 0, 1, 1]])}))
    for name in ("videos", "times", "boxes", "action_ids", "scores"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.video_names == expected.video_names


class Command:
    """What a hostile pickle holds: a call that the ordinary reader makes."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch ran",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"one,0902": Command()}, r"proposals\.pkl: the pickle wants '\w+\.system', which is not data"),
        ({}, "a pickle, but not of proposals"),
        ([SURE], "a pickle, but not of proposals"),
        ({"one": SURE}, "a pickle, but not of proposals"),
        ({3: SURE}, "a pickle, but not of proposals"),
        ({"one,0902": SURE, "two,0902": "none"}, "a pickle, but not of proposals"),
        ({"one,0902": SURE[:, :3]}, r"proposals\.pkl: 'one,0902': an array of \[2, 3\]"),
        ({"one,0902": SURE[0]}, r"'one,0902': an array of \[5\]"),
        ({"one,0902": SURE > 0}, r"an array of \[2, 5\]; expected \[n, 4\] or \[n, 5\] numbers"),
        ({"one,0902": SURE * np.nan}, "'one,0902': box nan"),
        ({"one,0902": SURE[:, [2, 1, 0, 3, 4]]}, r"box 0\.3, 0\.2, 0\.1, 0\.4, 0\.99; expected finite x1"),
    ],
)  # fmt: skip
def test_what_is_no_proposals_is_refused_and_not_run(
    write: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: object,
    message: str,
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=message):
        read_boxes(write(content))
    assert not (tmp_path / "ran").exists()


def test_a_damaged_pickle_is_refused(write: Callable[..., Path]):
    path = write({"one,0902": SURE})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"proposals\.pkl: the pickle is damaged"):
        read_boxes(path)


def test_many_keyframes_are_read(write: Callable[..., Path]):
    """More instructions than a checkpoint may have."""
    table = read_boxes(write({f"video,{second}": SURE for second in range(40_000)}))
    assert len(table) == 80_000


def test_a_csv_file_is_no_pickle(tmp_path: Path):
    (tmp_path / "boxes.csv").write_text("a,1,0,0,1,1,,1\n")
    assert not is_pickle(tmp_path / "boxes.csv")
    assert not is_pickle(tmp_path / "gone")
    assert not is_pickle(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        load_proposals(tmp_path / "gone")
