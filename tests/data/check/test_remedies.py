"""The lines that findings tell users to type: each is typed, and then the finding is gone."""

import shutil
import subprocess
from collections.abc import Callable

import pytest

from tests.data.check.data_set import Change, DataSet, Row, columns, only, scaled

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("sh", "awk", "sed", "tr", "tail"))), reason="the lines are for a Unix shell"
)


def in_pixels(row: Row) -> Row:
    """The row in pixels of the videos, whose pictures are 320 x 256."""
    return columns(x1=scaled(320), x2=scaled(320), y1=scaled(256), y2=scaled(256))(row) or row


def to_width_and_height(row: Row) -> Row:
    x1, y1, x2, y2 = map(float, row[2:6])
    return [*row[:4], f"{x2 - x1:.4f}", f"{y2 - y1:.4f}", *row[6:]]


def to_centre(row: Row) -> Row:
    x1, y1, x2, y2 = map(float, row[2:6])
    return [*row[:2], *(f"{v:.4f}" for v in ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)), *row[6:]]


def y_first(row: Row) -> Row:
    return [*row[:2], row[3], row[2], row[5], row[4], *row[6:]]


ROWS: list[tuple[str, Change]] = [
    ("pixels", in_pixels),
    ("pixels", columns(x1=scaled(100), x2=scaled(100), y1=scaled(100), y2=scaled(100))),
    ("inverted", to_width_and_height),
    ("inverted", to_centre),
    ("y-before-x", y_first),
    ("zero-based", columns(action=lambda action: int(action) - 1)),
    ("class-outside-map", columns(action=lambda action: int(action) + 1)),
    ("behind-end", columns(time=lambda time: 30 * int(time))),
    ("behind-end", columns(time=lambda time: 1000 * int(time))),
    ("names-differ", columns(video=lambda video: f"my videos/{video}.mp4")),
    ("names-differ", columns(video=lambda video: f"  {video} ")),
]
ADDED: list[tuple[str, Row]] = [
    ("flat-truth", ["cam1", "0003", "0.2", "0.2", "0.2", "0.9", "1", "0"]),
    ("negative-times", ["cam1", "-3", "0.2", "0.2", "0.4", "0.9", "1", "0"]),
    ("split-overlap", ["cam1", "0003", "0.2", "0.2", "0.4", "0.9", "1", "0"]),
    ("video-missing", ["cam9", "0003", "0.2", "0.2", "0.4", "0.9", "1", "0"]),
]
FILES: list[tuple[str, Callable[[str], str]]] = [
    ("row-header", lambda text: "video,time,a,b,c,d,e,f\n" + text),
    ("row-columns", lambda text: text.replace(",", ";")),
    ("row-columns", lambda text: text.replace(",", "\t")),
    ("blank-lines", lambda text: text.replace("\n", "\n\n", 7)),
    ("repeated-rows", lambda text: text + "".join(text.splitlines(keepends=True)[:5])),
]


def type_the_hint(data: DataSet, code: str) -> None:
    """Run the last line of the finding's hint and put the new file in the place of the old one."""
    line = only(data.check(), code).hint.splitlines()[-1]
    subprocess.run(["sh", "-c", line], check=True, timeout=30)
    data.train.with_name("train_fixed.csv").replace(data.train)


def numbers(rows: list[Row]) -> list[list[object]]:
    return [[row[0], float(row[1]), *(round(float(v), 3) for v in row[2:])] for row in rows]


@pytest.mark.parametrize(("code", "spoil"), ROWS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_line_for_rows_brings_back_what_was_there(code, spoil, data):
    before = numbers(data.rows(data.train))
    data.edit(data.train, spoil)
    type_the_hint(data, code)
    assert numbers(data.rows(data.train)) == [
        [*row[:2], *(pytest.approx(value, abs=0.002) for value in row[2:])] for row in before
    ]
    assert data.check().faults == []


@pytest.mark.parametrize(("code", "row"), ADDED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_line_drops_rows_that_are_of_no_use(code, row, data):
    file = data.val if code == "split-overlap" else data.train
    before = data.rows(file)
    data.write(file, [*before, row])
    line = only(data.check(), code).hint.splitlines()[-1]
    subprocess.run(["sh", "-c", line], check=True, timeout=30)
    assert data.rows(file.with_name(f"{file.stem}_fixed.csv")) == before


@pytest.mark.parametrize(("code", "spoil"), FILES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_line_for_a_file_brings_back_what_was_there(code, spoil, data):
    before = data.train.read_text()
    data.train.write_text(spoil(before))
    type_the_hint(data, code)
    assert data.train.read_text() == before


def test_rows_that_only_name_a_keyframe_stay_as_they_are(data):
    rows = data.rows(data.train)
    data.write(data.train, [["cam1", "0005"], *map(in_pixels, rows)])
    type_the_hint(data, "pixels")
    assert data.rows(data.train)[0] == ["cam1", "0005"]


def test_file_names_with_spaces_and_quotes_are_quoted(data, tmp_path):
    from ava_detect.data.check import check_things

    path = tmp_path / "it's mine.csv"
    data.write(path, [in_pixels(row) for row in data.rows(data.train)])
    line = only(check_things([str(path)]), "pixels").hint.splitlines()[-1]
    subprocess.run(["sh", "-c", line], check=True, timeout=30)
    assert check_things([str(tmp_path / "it's mine_fixed.csv")]).faults == []
