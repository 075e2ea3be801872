"""Clips out of the middle of videos: the frames of sequential reading and of prediction, or an error."""

import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ava_detect.data import video_clips, video_index
from ava_detect.data.clip_sources import VideoFolder
from ava_detect.data.video_clips import read_video_clip
from ava_detect.data.video_index import IndexStore, VideoIndex, build_index
from ava_detect.engine.keyframe_clips import keyframe_clips
from ava_detect.video.clip_sampler import ClipSampler
from ava_detect.video.reader import VideoReader
from evaluation.errors import VideoError
from tests.video.encoding import Encode, encode, read_number

B_FRAMES = {"preset": "medium", "g": "12", "bf": "3"}
OPEN_GOP = {
    "preset": "medium",
    "x264-params": "open-gop=1:keyint=10:min-keyint=10:bframes=3:b-pyramid=normal:scenecut=0",
}
INTRA_REFRESH = {"preset": "medium", "x264-params": "intra-refresh=1:keyint=12:bframes=0"}
NUMBERS = range(60)
UNEVEN = np.cumsum([0] + [(33, 17, 50, 133, 40)[place % 5] for place in range(59)]).tolist()

VIDEOS = {
    "25fps.mp4": Encode(numbers=NUMBERS),
    "23.976fps.mp4": Encode(fps=Fraction(24000, 1001), numbers=NUMBERS, options=B_FRAMES),
    "60fps.mkv": Encode(fps=Fraction(60), numbers=NUMBERS, options=B_FRAMES),
    "b_frames.mp4": Encode(numbers=NUMBERS, options=B_FRAMES),
    "b_frames.ts": Encode(numbers=NUMBERS, options=B_FRAMES),
    "open_gop.mp4": Encode(numbers=NUMBERS, options=OPEN_GOP),
    "open_gop.mkv": Encode(numbers=NUMBERS, options=OPEN_GOP),
    "variable.mp4": Encode(numbers=NUMBERS, ticks=UNEVEN, time_base=Fraction(1, 1000), options=B_FRAMES),
    "short_gop.mp4": Encode(numbers=NUMBERS, options={"g": "2", "bf": "0"}),
}
SLOW_VIDEOS = {  # right, but read from the beginning
    "b_frames.avi": Encode(numbers=NUMBERS, codec="mpeg4", options={"bf": "2"}),
    "interlaced.mp4": Encode(numbers=NUMBERS, options={"flags": "+ildct", "x264-params": "tff=1"}),
    "intra_refresh.mp4": Encode(numbers=NUMBERS, options=INTRA_REFRESH),
}


def _whole(image: np.ndarray) -> np.ndarray:
    return image


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all of them."""
    folder = tmp_path_factory.mktemp("videos")
    for name, job in (VIDEOS | SLOW_VIDEOS).items():
        encode(folder / name, job)
    return folder


@pytest.fixture
def no_sequential_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise AssertionError(f"{path.name} is read from its beginning")

    monkeypatch.setattr(video_clips, "_read_from_beginning", refuse)


def _in_order(path: Path) -> tuple[list[float], list[np.ndarray]]:
    with VideoReader(path) as video:
        frames = [(frame.time, frame.image()) for frame in video]
    return [time for time, _ in frames], [image for _, image in frames]


def _assert_same_frames(path: Path, index: VideoIndex) -> None:
    times, images = _in_order(path)
    assert index.times.tolist() == times
    for first in range(0, len(times), 3):
        wanted = [min(first + step, len(times) - 1) for step in (0, 1, 8, 30)]
        clip = read_video_clip(path, index, wanted, _whole)
        assert clip.full_shape == images[0].shape[:2]
        for place, frame in zip(wanted, clip.frames, strict=True):
            np.testing.assert_array_equal(frame, images[place])


@pytest.mark.usefixtures("no_sequential_reading")
@pytest.mark.parametrize("name", VIDEOS)
def test_sought_frames_are_those_of_sequential_reading(videos: Path, name: str):
    index = build_index(videos / name)
    assert index.why_sequential == ""
    _assert_same_frames(videos / name, index)


@pytest.mark.parametrize("name", SLOW_VIDEOS)
def test_videos_that_cannot_be_sought_give_the_same_frames_slowly(videos: Path, name: str):
    _assert_same_frames(videos / name, build_index(videos / name))


@pytest.mark.parametrize(("frames", "rate", "start_second"), [(8, 2, 0.0), (32, 2, 900.0), (5, 3, 0.0)])
@pytest.mark.parametrize("name", ["25fps.mp4", "23.976fps.mp4", "60fps.mkv", "variable.mp4", "open_gop.mp4"])
def test_clips_are_those_of_prediction(
    videos: Path, tmp_path: Path, name: str, frames: int, rate: int, start_second: float
):
    only = tmp_path / "videos"
    only.mkdir()
    shutil.copy(videos / name, only)
    source = VideoFolder(only, index_folder=tmp_path / "index", start_second=start_second)
    offsets = ClipSampler(frames, rate).offsets
    grid = [0.0, 0.25, 0.5, 0.75, 0.9]
    with VideoReader(videos / name) as video:
        expected = list(keyframe_clips(video, grid, offsets=offsets, resize=_whole))
    assert [clip.time for clip in expected] == grid
    for clip in expected:
        found = source.clip(Path(name).stem, start_second + clip.time, offsets, _whole)
        assert list(map(read_number, found.frames)) == list(map(read_number, clip.frames))
        np.testing.assert_array_equal(found.frames, clip.frames)


def test_short_groups_of_pictures_are_jumped_over(videos: Path):
    index = build_index(videos / "short_gop.mp4")
    assert video_clips._stretches(index, [0, 1, 20, 21, 23, 50]) == [[0, 1], [20, 21, 23], [50]]
    index = build_index(videos / "25fps.mp4")
    assert video_clips._stretches(index, [0, 20, 50]) == [[0, 20, 50]]


def test_an_index_is_kept_until_the_file_changes(
    tmp_path: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
):
    built: list[Path] = []

    def counted(path: Path) -> VideoIndex:
        built.append(path)
        return build_index(path)

    monkeypatch.setattr(video_index, "build_index", counted)
    path, folder = tmp_path / "video.mp4", tmp_path / "index"
    shutil.copy(videos / "25fps.mp4", path)
    first = IndexStore(folder).of(path)
    again = IndexStore(folder).of(path)
    assert len(built) == 1
    for name in ("times", "pts", "key_pts", "key_stamps"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
    assert (again.stored_size, again.why_sequential) == ((160, 96), "")
    store = IndexStore(folder)
    shutil.copy(videos / "23.976fps.mp4", path)
    assert store.of(path).times[1] == pytest.approx(1001 / 24000)
    assert len(built) == 2


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"nonsense"])
def test_a_damaged_index_is_made_anew(tmp_path: Path, videos: Path, content: bytes):
    expected = IndexStore(tmp_path).of(videos / "25fps.mp4")
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    found = IndexStore(tmp_path).of(videos / "25fps.mp4")
    np.testing.assert_array_equal(found.times, expected.times)


def test_an_index_that_cannot_be_kept_costs_nothing_else(
    tmp_path: Path, videos: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "file").write_text("in the way")
    assert len(IndexStore(tmp_path / "file").of(videos / "25fps.mp4").times) == 60
    assert "cannot be kept" in caplog.text


@pytest.fixture
def broken(tmp_path: Path, videos: Path) -> Path:
    """A video whose data are overwritten in the second half, with the index of the whole one."""
    path = tmp_path / "broken.mp4"
    data = bytearray((videos / "b_frames.mp4").read_bytes())
    begin, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[(begin + end) // 2 : (begin + 3 * end) // 4] = b"\xff" * (
        (begin + 3 * end) // 4 - (begin + end) // 2
    )
    path.write_bytes(data)
    return path


def test_a_broken_stretch_is_an_error_and_never_a_guessed_picture(broken: Path, videos: Path):
    index = build_index(videos / "b_frames.mp4")  # as it was: a damaged file has one of its own
    _, whole = _in_order(videos / "b_frames.mp4")
    errors: dict[int, str] = {}
    for place, image in enumerate(whole):
        try:
            clip = read_video_clip(broken, index, [place], _whole)
        except VideoError as error:
            errors[place] = str(error)
        else:
            np.testing.assert_array_equal(clip.frames[0], image)
    assert 10 < len(errors) < 45
    assert all("broken.mp4: damaged a" in message for message in errors.values())  # "at" or "after"


@pytest.mark.parametrize("second", [-0.04, 2.5, 900])
def test_a_keyframe_outside_the_video_is_an_error(tmp_path: Path, videos: Path, second: float):
    only = tmp_path / "videos"
    only.mkdir()
    shutil.copy(videos / "25fps.mp4", only)
    source = VideoFolder(only, index_folder=tmp_path)
    with pytest.raises(VideoError, match=r"25fps\.mp4: no second .* begins at 0000 and lasts 2\.36 s"):
        source.clip("25fps", second, np.zeros(1), _whole)


def test_a_video_that_is_gone_is_an_error(tmp_path: Path):
    with pytest.raises(VideoError, match=r"gone\.mp4: No such file"):
        IndexStore(tmp_path).of(tmp_path / "gone.mp4")


def test_pictures_are_resized_one_by_one(videos: Path):
    def half(image: np.ndarray) -> np.ndarray:
        return image[::2, ::2]

    index = build_index(videos / "25fps.mp4")
    clip = read_video_clip(videos / "25fps.mp4", index, [3, 3, 4], half)
    assert (clip.frames.shape, clip.full_shape) == ((3, 48, 80, 3), (96, 160))
    assert [read_number(frame) for frame in clip.frames] == [3, 3, 4]
