"""The contact sheet: rows of pictures that fill the width, with lines below them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ava_detect.output.contact_sheet import GROUND, Note, Tile, write_contact_sheet
from ava_detect.output.labels import Label
from ava_detect.output.overlay import DrawnPerson
from evaluation.errors import DataError

RED, BLUE = (0, 0, 255), (255, 0, 0)
GAP = 14  # around every picture, pixels


def plain(colour: tuple[int, int, int], *, height: int = 100, width: int = 200) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def written(path: Path, *tiles: Tile, **options: object) -> np.ndarray:
    write_contact_sheet(path / "sheet.png", tiles, **options)  # type: ignore[arg-type]
    return cv2.imread(str(path / "sheet.png"))


def test_a_sheet_of_nothing_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        write_contact_sheet(tmp_path / "sheet.png", [])


def test_pictures_of_one_row_have_one_height_and_fill_the_width(tmp_path: Path) -> None:
    tall = Tile(plain(BLUE, height=200, width=100))
    sheet = written(tmp_path, Tile(plain(RED)), tall, width=542, row_height=200)

    # 542 less three gaps leave 500 for the widths 2 h + h / 2: the height is 200.
    assert sheet.shape[1] == 542
    red, blue = (sheet == RED).all(axis=2), (sheet == BLUE).all(axis=2)
    assert red[GAP : GAP + 200, GAP : GAP + 400].all()
    assert red.sum() == 200 * 400
    assert blue[GAP : GAP + 200, 2 * GAP + 400 : 2 * GAP + 500].all()
    assert blue.sum() == 200 * 100


def test_pictures_are_divided_among_rows_of_equal_length(tmp_path: Path) -> None:
    sheet = written(tmp_path, *[Tile(plain(RED))] * 4, width=442, row_height=100)

    # Two pictures of 200 x 100 and three gaps fill a row.
    rows = (sheet == RED).all(axis=2).sum(axis=1)
    assert sorted(set(rows.tolist())) == [0, 400]
    assert (rows == 400).sum() == 200


def test_a_few_pictures_are_not_enlarged_beyond_measure(tmp_path: Path) -> None:
    sheet = written(tmp_path, Tile(plain(RED)), width=2000, row_height=100)

    assert (sheet == RED).all(axis=2).any(axis=1).sum() == 150


def test_people_are_drawn_where_they_are_in_the_enlarged_picture(tmp_path: Path) -> None:
    person = DrawnPerson((20.0, 20.0, 180.0, 80.0), 1, ())
    sheet = written(tmp_path, Tile(plain(BLUE), [person]), width=828, row_height=400)

    picture = sheet[GAP : GAP + 400, GAP : GAP + 800]
    drawn = (picture != BLUE).any(axis=2)
    ys, xs = np.nonzero(drawn)
    assert (xs.min(), xs.max() + 1) == pytest.approx((80, 720), abs=4)  # four times as large
    assert (ys.min(), ys.max() + 1) == pytest.approx((80, 320), abs=30)  # the head line stands above


def test_lines_stand_below_their_picture_in_their_colours(tmp_path: Path) -> None:
    notes = [[Note("walk", (0, 255, 0)), Note("sit (wrong)", RED)]]
    sheet = written(tmp_path, Tile(plain(BLUE), title="first", notes=notes), width=428, row_height=200)

    below = sheet[GAP + 200 :]
    assert (below == (0, 255, 0)).all(axis=2).any()
    assert (below == RED).all(axis=2).any()
    green, red = (np.nonzero((below == colour).all(axis=2)) for colour in ((0, 255, 0), RED))
    assert green[1].max() < red[1].min()
    assert (below[:, -GAP:] == GROUND).all()


def test_notes_without_room_go_on_in_the_next_line(tmp_path: Path) -> None:
    notes = [[Note("hand wave", (0, 255, 0)), Note("carry/hold", RED)]]
    narrow = Tile(plain(BLUE, width=100), notes=notes)
    sheet = written(tmp_path, narrow, Tile(plain(BLUE, width=100)), width=242, row_height=100)

    green, red = (np.nonzero((sheet == colour).all(axis=2)) for colour in ((0, 255, 0), RED))
    assert green[0].max() < red[0].min()
    assert red[1].max() < GAP + 100


def test_a_long_line_is_cut_at_its_picture(tmp_path: Path) -> None:
    tiles = [Tile(plain(BLUE, width=50), title="a" * 200), Tile(plain(BLUE, width=50))]
    sheet = written(tmp_path, *tiles, width=142, row_height=100)

    below = sheet[GAP + 100 :]
    assert (below[:, GAP + 50 :] == GROUND).all()


def test_a_headline_moves_everything_down(tmp_path: Path) -> None:
    bare = written(tmp_path, Tile(plain(RED)), width=428)
    headed = written(tmp_path, Tile(plain(RED)), width=428, head=[Note("What is this")])

    assert headed.shape[0] > bare.shape[0]
    moved = headed.shape[0] - bare.shape[0]
    np.testing.assert_array_equal(headed[moved:], bare)


def test_a_person_without_room_for_chips_is_no_error(tmp_path: Path) -> None:
    person = DrawnPerson((0.0, 0.0, 2.0, 2.0), 1, (Label("stand", "pose", 0.5),))
    assert written(tmp_path, Tile(plain(RED, height=4, width=4), [person]), width=100, row_height=20).any()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none/sheet\.png: cannot be written \(No such file or directory\)"):
        write_contact_sheet(tmp_path / "none" / "sheet.png", [Tile(plain(RED))])
