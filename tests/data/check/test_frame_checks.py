"""Folders of extracted frames and the lists that name them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ava_detect.data.check import Options, Report, check_things
from tests.data.check.data_set import codes, only

QUICK = Options(decode=False)


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    def make(width: int = 340, height: int = 256, suffix: str = ".jpg") -> bytes:
        return cv2.imencode(suffix, np.full((height, width, 3), 99, np.uint8))[1].tobytes()

    return make


@pytest.fixture
def frames(tmp_path: Path, picture: Callable[..., bytes]) -> Path:
    """Sixty frames of one video, as mmaction2 names them."""
    folder = tmp_path / "frames" / "cam1"
    folder.mkdir(parents=True)
    for number in range(1, 61):
        (folder / f"img_{number:05d}.jpg").write_bytes(picture())
    return folder


def look(folder: Path, options: Options = Options()) -> Report:  # noqa: B008 - frozen
    return check_things([str(folder)], options)


def test_sound_frames_give_no_finding(frames):
    report = look(frames.parent)
    assert report.findings == []
    assert report.subjects[0].kind == "frames"
    assert report.subjects[0].summary == "60 frames of 1 videos"


def test_the_frames_of_one_video_are_told_too(frames):
    report = look(frames)
    assert report.findings == []
    assert report.subjects[0].kind == "frames"


def test_progress_is_told_by_the_folder(frames):
    seen: list[tuple[str, float, float]] = []
    check_things([str(frames.parent)], watch=lambda label, done, total: seen.append((label, done, total)))
    assert seen == [(str(frames.parent), 1, 1)]


def test_gaps_are_counted_and_the_first_is_named(frames):
    for number in (7, 8, 30):
        (frames / f"img_{number:05d}.jpg").unlink()
    finding = only(look(frames.parent), "frames-missing")
    assert finding.message == "cam1: frames missing: 3, first 7-8"


def test_a_late_first_number_is_missing_frames(frames):
    (frames / "img_00001.jpg").unlink()
    assert "the first frame has number 2, expected 1" in only(look(frames.parent), "frames-missing").message


def test_numbers_from_0_are_a_note(frames, picture):
    (frames / "img_00000.jpg").write_bytes(picture())
    report = look(frames.parent)
    assert only(report, "frames-from-zero")
    assert report.faults == []


def test_two_ways_of_naming_are_a_fault(frames, picture):
    (frames / "cam1_000061.jpg").write_bytes(picture())
    assert "img_NNN, cam1_NNN" in only(look(frames.parent), "frame-names").message


@pytest.mark.parametrize("content", [b"", b"no picture", None], ids=["empty", "text", "cut off"])
def test_broken_frames_are_named(content, frames, picture):
    path = frames / "img_00004.jpg"
    path.write_bytes(picture()[:-40] if content is None else content)
    finding = only(look(frames.parent), "frame-broken")
    assert finding.message == "cam1: frames that are empty, cut off, or no pictures: img_00004.jpg"
    assert finding.places[0].file == str(path)


def test_quick_sees_empty_frames_only(frames, picture):
    (frames / "img_00004.jpg").write_bytes(picture()[:-40])
    assert look(frames.parent, QUICK).findings == []
    (frames / "img_00004.jpg").write_bytes(b"")
    assert codes(look(frames.parent, QUICK)) == {"frame-broken"}


def test_other_sizes_within_a_video_are_a_fault(frames, picture):
    (frames / "img_00060.jpg").write_bytes(picture(300, 256))
    assert "340x256, 300x256" in only(look(frames.parent), "frame-sizes").message


def test_png_frames_are_whole_without_an_end_mark(frames, picture):
    for path in sorted(frames.iterdir()):
        path.unlink()
        path.with_suffix(".png").write_bytes(picture(suffix=".png"))
    assert look(frames.parent).findings == []


def test_a_folder_without_pictures_among_others(frames):
    (frames.parent / "cam2").mkdir()
    assert "cam2: no numbered pictures" in only(look(frames.parent), "no-frames").message


@pytest.fixture
def listed(frames: Path) -> Path:
    path = frames.parent.parent / "train_list.csv"
    lines = [f'cam1 0 {k} cam1/img_{k + 1:05d}.jpg ""' for k in range(60)]
    path.write_text("\n".join(["original_vido_id video_id frame_id path labels", *lines]) + "\n")
    return path


def test_a_sound_frame_list_gives_no_finding(listed, frames):
    report = check_things([str(listed), str(frames.parent)])
    assert report.findings == []
    assert [subject.kind for subject in report.subjects] == ["frame list", "frames"]
    assert report.subjects[0].summary == "60 frames of 1 videos"


def test_a_frame_list_without_header_is_told_too(listed):
    listed.write_text(listed.read_text().partition("\n")[2])
    report = look(listed)
    assert report.findings == []
    assert report.subjects[0].kind == "frame list"


def test_lines_of_another_form_are_shown(listed):
    listed.write_text(listed.read_text() + "cam1 0 60 cam1/img_00061.jpg\n")
    finding = only(look(listed), "frame-list-lines")
    assert finding.message.startswith("1 of 62 lines are not like: original_vido_id")
    assert (finding.places[0].line, finding.places[0].text) == (62, "cam1 0 60 cam1/img_00061.jpg")


def test_frame_ids_out_of_order_are_named(listed):
    listed.write_text(listed.read_text().replace("cam1 0 7 ", "cam1 0 8 "))
    finding = only(look(listed), "frame-list-order")
    assert finding.message == "cam1: frame_id 8 where 7 is expected; ids count from 0, in order"
    assert finding.places[0].line == 9


def test_listed_frames_that_are_not_there(listed, frames):
    (frames / "img_00060.jpg").unlink()
    finding = only(check_things([str(listed), str(frames.parent)]), "listed-frames-missing")
    assert finding.message.startswith("1 of its frames are not in")
    assert finding.places[0].text == 'cam1 0 59 cam1/img_00060.jpg ""'


def test_keyframes_behind_the_listed_frames(listed, data):
    rows = [["cam1", second, 0.1, 0.1 + second / 50, 0.4, 0.9, 1, 0] for second in range(4)]
    path = data.write(listed.parent / "annotations_train.csv", rows)
    report = check_things([str(path), str(listed)])
    assert "1 of 4 rows lie behind the end of their frames" in only(report, "behind-end").message


def test_a_frame_list_of_nothing_but_a_header_is_empty(listed):
    listed.write_text(listed.read_text().partition("\n")[0] + "\n")
    assert "no frame in it" in only(look(listed), "empty").message


def test_the_frame_folder_of_a_data_set_is_found(data, frames):
    shutil.rmtree(data.videos)
    for video in ("cam1", "cam2", "cam3", "cam4", "cam5", "cam6"):
        shutil.copytree(frames, data.folder / "frames" / video)
    report = data.check()
    assert codes(report) == {"behind-end"}  # two seconds of frames for six of annotations
    assert any(subject.kind == "frames" for subject in report.subjects)
