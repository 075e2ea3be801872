"""Files, folders and globs as inputs."""

import pytest

from ava_detect.cli.inputs import find_videos
from evaluation.errors import UsageError, VideoError


@pytest.fixture
def folder(tmp_path):
    for name in ("b.mp4", "a.MKV", "notes.txt", ".hidden.mp4", "clip[1].mp4"):
        (tmp_path / name).touch()
    (tmp_path / "sub.mp4").mkdir()
    return tmp_path


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(VideoError, match="no video in this folder"):
        find_videos([str(tmp_path)])


def test_a_glob_without_match_is_refused(tmp_path):
    with pytest.raises(VideoError, match="no video matches"):
        find_videos([f"{tmp_path}/*.mp4"])


def test_a_folder_gives_its_videos_by_name(folder):
    assert [video.name for video in find_videos([str(folder)])] == ["a.MKV", "b.mp4", "clip[1].mp4"]


def test_a_glob_gives_its_videos_only(folder):
    assert [video.name for video in find_videos([f"{folder}/[ab]*"])] == ["a.MKV", "b.mp4"]


def test_a_named_file_may_be_called_anything(folder):
    assert [v.name for v in find_videos([str(folder / "notes.txt"), "missing"])] == ["notes.txt", "missing"]


def test_a_file_with_brackets_in_its_name_is_a_file(folder):
    assert find_videos([str(folder / "clip[1].mp4")]) == [folder / "clip[1].mp4"]


def test_one_stem_twice_is_refused(folder):
    (folder / "other").mkdir()
    (folder / "other" / "b.avi").touch()
    with pytest.raises(UsageError, match="would both be video_id 'b'"):
        find_videos([str(folder / "b.mp4"), str(folder / "other" / "b.avi")])


def test_the_same_file_twice_is_refused(folder):
    with pytest.raises(UsageError, match="would both be video_id 'b'"):
        find_videos([str(folder / "b.mp4"), str(folder / "b.mp4")])


def test_a_name_that_would_break_a_row_is_refused():
    with pytest.raises(UsageError, match="cannot hold control characters"):
        find_videos(["two\nlines.mp4"])
