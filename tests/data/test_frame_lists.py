"""Extracted frames: lists that name them, and the clips that PySlowFast would take of them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ava_detect.data.clip_sources import FrameFolder
from ava_detect.data.frame_lists import FrameNames, read_frame_list
from ava_detect.video.clip_sampler import ClipSampler
from evaluation.errors import DataError, VideoError
from tests.video.encoding import picture, read_number

HEADER = "original_vido_id video_id frame_id path labels"
COUNT = 90


def _whole(image: np.ndarray) -> np.ndarray:
    return image


def _line(video: str, place: int, path: str) -> str:
    return f'{video} 0 {place} {path} ""'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three seconds of frames of one video, with its list; file k + 1 carries number k."""
    (tmp_path / "-a").mkdir()
    lines = [HEADER]
    for place in range(COUNT):
        name = f"-a/-a_{place + 1:06d}.jpg"
        cv2.imwrite(str(tmp_path / name), picture(place), [cv2.IMWRITE_JPEG_QUALITY, 95])
        lines.append(_line("-a", place, name))
    (tmp_path / "val.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.mark.parametrize("second", [900, 901, 902, 902.5])
@pytest.mark.parametrize(("frames", "rate"), [(32, 2), (8, 8), (4, 16)])
def test_clips_are_those_of_pyslowfast(folder: Path, second: float, frames: int, rate: int):
    source = FrameFolder(folder, [folder / "val.csv"], start_second=900)
    clip = source.clip("-a", second, ClipSampler(frames, rate).offsets, _whole)
    centre, half = int((second - 900) * 30), frames * rate // 2
    expected = [min(max(place, 0), COUNT - 1) for place in range(centre - half, centre + half, rate)]
    assert [read_number(frame) for frame in clip.frames] == expected
    assert clip.full_shape == (96, 160)


def test_a_second_behind_the_last_frame_is_an_error(folder: Path):
    source = FrameFolder(folder, [folder / "val.csv"], start_second=900)
    with pytest.raises(VideoError, match=r"-a \(frames\): no second 0903: it begins at 0900 and lasts 2\.97"):
        source.clip("-a", 903, np.zeros(1), _whole)


def test_missing_and_unreadable_frames_are_named(folder: Path):
    source = FrameFolder(folder, [folder / "val.csv"])
    (folder / "-a" / "-a_000031.jpg").write_bytes(b"not a picture")
    with pytest.raises(VideoError, match=r"-a_000031\.jpg: cannot be read as a picture"):
        source.clip("-a", 1, np.zeros(1), _whole)
    (folder / "-a" / "-a_000031.jpg").unlink()
    with pytest.raises(VideoError, match=r"-a_000031\.jpg: no such file"):
        source.clip("-a", 1, np.zeros(1), _whole)
    cv2.imwrite(str(folder / "-a" / "-a_000031.jpg"), picture(1, (80, 48)))
    with pytest.raises(VideoError, match="its frames differ in size"):
        source.clip("-a", 1, np.array([0, 1 / 30]), _whole)


def test_numbered_paths_are_kept_as_a_rule_and_others_as_they_are(tmp_path: Path):
    path = tmp_path / "list.csv"
    regular = [f"v/v_{number:03d}.jpg" for number in range(998, 1003)]
    odd = ["w/a.jpg", "w/b.jpg"]
    lines = [_line("v", k, name) for k, name in enumerate(regular)]
    path.write_text("\n".join([HEADER, *lines, *(_line("w", k, name) for k, name in enumerate(odd))]))
    found = read_frame_list(path)
    assert isinstance(found["v"], FrameNames)
    assert list(found["v"]) == regular
    assert found["v"][4] == "v/v_1002.jpg"
    assert found["w"] == odd


def test_videos_may_be_interleaved(tmp_path: Path):
    path = tmp_path / "list.csv"
    lines = [_line(video, place, f"{video}_{place}.jpg") for place in range(3) for video in "ab"]
    path.write_text("\n".join(lines))
    found = read_frame_list(path)
    assert {video: list(names) for video, names in found.items()} == {
        video: [f"{video}_{place}.jpg" for place in range(3)] for video in "ab"
    }


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], r"list\.csv: no frame in it"),
        ([HEADER], r"no frame in it"),
        ([HEADER, "v 0 0 v.jpg"], r"list\.csv:2: found 'v 0 0 v\.jpg', expected: original_vido_id"),
        ([_line("v", 1, "v1.jpg")], r"list\.csv:1: frame_id 1 of v, expected 0"),
        ([_line("v", 0, "v0.jpg"), _line("v", 2, "v2.jpg")], r"list\.csv:2: frame_id 2 of v, expected 1"),
        ([_line("v", 0, "/etc/v0.jpg")], r"list\.csv:1: '/etc/v0\.jpg' leads out of AVA\.FRAME_DIR"),
        ([_line("v", 0, "a/../../v0.jpg")], r"leads out of AVA\.FRAME_DIR"),
    ],
)
def test_lists_that_are_none_are_refused_with_their_line(tmp_path: Path, lines: list[str], message: str):
    path = tmp_path / "list.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=message):
        read_frame_list(path)
