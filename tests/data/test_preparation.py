"""Prepared copies: the same frames at the same times, small, quick to read; the folder that keeps them."""

import json
import os
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ava_detect.data import prepared_folder
from ava_detect.data.clip_sources import VideoFolder
from ava_detect.data.preparation import CopySettings, FrameKinds, copy_video
from ava_detect.data.prepared_folder import NotPrepared, Prepared, PreparedFolder
from ava_detect.data.video_index import build_index
from ava_detect.video.clip_sampler import ClipSampler
from ava_detect.video.reader import VideoReader
from ava_detect.video.writer import FrameKind
from evaluation.errors import DataError, VideoError
from tests.video.encoding import Encode, encode, read_number

NUMBERS = range(75)
UNEVEN = np.cumsum([0] + [(33, 17, 50, 133, 40)[place % 5] for place in range(74)]).tolist()
B_FRAMES = {"preset": "medium", "bf": "3"}
FINE = Fraction(1, 10_000_000)  # a clock finer than copies keep

ORIGINALS = {
    "24fps.mp4": Encode(fps=Fraction(24), numbers=NUMBERS),
    "25fps.mkv": Encode(numbers=NUMBERS, options=B_FRAMES),
    "29.97fps.mp4": Encode(fps=Fraction(30000, 1001), numbers=NUMBERS, options=B_FRAMES),
    "60fps.mp4": Encode(fps=Fraction(60), numbers=range(150)),
    "variable.mp4": Encode(numbers=NUMBERS, ticks=UNEVEN, time_base=Fraction(1, 1000)),
    "turned.mp4": Encode(numbers=NUMBERS, rotation=90),
    "fine.mp4": Encode(numbers=NUMBERS, ticks=[400_003 * place for place in NUMBERS], time_base=FINE),
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    for name, job in ORIGINALS.items():
        encode(folder / name, job)
    return folder


@pytest.fixture(scope="module")
def copies(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copies")
    for name in ORIGINALS:
        copy_video(originals / name, folder / f"{Path(name).stem}.mp4", CopySettings(short_side=64, gop=8))
    return folder


def _clip_numbers(folder: Path, video_id: str, second: float, offsets: np.ndarray, index: Path) -> list[int]:
    clip = VideoFolder(folder, index_folder=index).clip(video_id, second, offsets, lambda image: image)
    return [read_number(frame) for frame in clip.frames]


@pytest.mark.parametrize("name", ORIGINALS)
def test_clips_of_a_copy_are_made_of_the_same_frames(
    originals: Path, copies: Path, name: str, tmp_path: Path
):
    video_id = Path(name).stem
    for frames, rate in ((8, 2), (4, 5), (16, 1)):
        offsets = ClipSampler(frames, rate).offsets
        for second in (0, 1, 1.3):
            expected = _clip_numbers(originals, video_id, second, offsets, tmp_path)
            assert _clip_numbers(copies, video_id, second, offsets, tmp_path) == expected


@pytest.mark.parametrize("name", ORIGINALS)
def test_a_copy_has_the_frames_of_its_original_at_the_same_times(originals: Path, copies: Path, name: str):
    with VideoReader(originals / name) as video:
        expected = [(frame.time, read_number(frame.image())) for frame in video]
    with VideoReader(copies / f"{Path(name).stem}.mp4") as video:
        found = [(frame.time, read_number(frame.image())) for frame in video]
    tolerance = 0.6e-6 if name == "fine.mp4" else 0
    assert [number for _, number in found] == [number for _, number in expected]
    assert [time for time, _ in found] == pytest.approx([time for time, _ in expected], abs=tolerance, rel=0)


def test_copies_are_small_and_have_keyframes_often(copies: Path):
    index = build_index(copies / "24fps.mp4")
    assert index.stored_size == (106, 64)
    assert index.why_sequential == ""
    keys = np.searchsorted(index.pts, index.key_pts)
    assert keys[0] == 0
    assert 8 <= np.diff(keys).min() <= np.diff(keys).max() <= 9  # the next frame that clips are made of
    assert build_index(copies / "turned.mp4").stored_size == (64, 106)


def test_small_pictures_are_not_enlarged_and_odd_sizes_become_even(tmp_path: Path):
    encode(tmp_path / "odd.mkv", Encode(size=(161, 97), codec="ffv1"))
    copy_video(tmp_path / "odd.mkv", tmp_path / "copy.mp4", CopySettings(short_side=320))
    assert build_index(tmp_path / "copy.mp4").stored_size == (160, 96)


def _kinds(times: list[float], gop: int = 100) -> str:
    kinds = FrameKinds(gop)
    letters = {FrameKind.KEY: "K", FrameKind.REFERENCE: "R", FrameKind.DISPOSABLE: "d"}
    return "".join(
        letters[kinds.of(time, following)] for time, following in zip(times, [*times[1:], None], strict=True)
    )


@pytest.mark.parametrize("fps", [10, 15, 23.976, 24, 25, 29.97, 30, 50, 59.94, 60, 120])
def test_frames_of_the_published_clips_are_never_disposable(fps: float):
    times = (np.arange(round(4 * fps)) / fps).tolist()
    kinds = _kinds(times)
    nearest = {int(np.abs(np.array(times) - look / 15).argmin()) for look in range(15 * 4 - 1)}
    assert all(kinds[place] != "d" for place in nearest)
    assert kinds.count("d") >= len(times) - len(nearest) - 2  # the last frame has no other behind it


def test_a_key_frame_is_one_that_clips_are_made_of():
    times = (np.arange(30) / 30).tolist()
    assert _kinds(times, gop=5) == "KdRdRdKdRdRdKdRdRdKdRdRdKdRdRd"[:30]


def test_many_disposable_frames_are_divided():
    kinds = _kinds((np.arange(600) / 600).tolist())
    assert max(map(len, kinds.replace("K", "R").split("R"))) == 15


def _results(folder: PreparedFolder, videos: dict[str, Path], **options: int) -> list[Prepared | NotPrepared]:
    return sorted(folder.complete(videos, **options), key=lambda result: result.video_id)


@pytest.fixture
def two(originals: Path) -> dict[str, Path]:
    return {name: originals / f"{name}.mp4" for name in ("24fps", "variable")}


SMALL = CopySettings(short_side=32)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Spawn no processes; the list names what was copied."""
    copied: list[Path] = []

    def make(self: PreparedFolder, videos: dict[str, Path], workers: int):
        for video_id, source in videos.items():
            copied.append(source)
            yield video_id, prepared_folder._copy(source, self._target(video_id), self._settings)

    monkeypatch.setattr(PreparedFolder, "_make", make)
    return copied


def test_copies_that_are_there_are_kept(tmp_path: Path, two: dict[str, Path], in_this_process: list[Path]):
    first = _results(PreparedFolder(tmp_path, SMALL), two)
    assert [result.is_new for result in first] == [True, True]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["24fps.mp4", "prepared.json", "variable.mp4"]
    second = _results(PreparedFolder(tmp_path, SMALL), two)
    assert [result.is_new for result in second] == [False, False]
    assert [result.copy for result in second] == [result.copy for result in first]
    assert len(in_this_process) == 2


def test_a_copy_is_made_anew_when_it_or_its_original_has_changed(
    tmp_path: Path, two: dict[str, Path], in_this_process: list[Path]
):
    original = tmp_path / "video.mp4"
    original.write_bytes(two["24fps"].read_bytes())
    out = tmp_path / "out"

    def again() -> bool:
        (result,) = PreparedFolder(out, SMALL).complete({"video": original})
        return isinstance(result, Prepared) and result.is_new

    assert again()
    assert not again()
    later = time.time_ns() + 10**9
    os.utime(original, ns=(later, later))
    assert again()
    (out / "video.mp4").write_bytes(b"cut off")
    assert again()
    (out / "video.mp4").unlink()
    assert again()
    assert not again()


def test_a_copy_that_the_record_does_not_know_is_made_again(
    tmp_path: Path, two: dict[str, Path], in_this_process: list[Path]
):
    _results(PreparedFolder(tmp_path, SMALL), two)
    record = json.loads((tmp_path / "prepared.json").read_text())
    del record["videos"]["24fps"]
    (tmp_path / "prepared.json").write_text(json.dumps(record))
    results = _results(PreparedFolder(tmp_path, SMALL), two)
    assert [result.is_new for result in results] == [True, False]


def test_a_broken_video_has_no_copy_and_the_others_do(
    tmp_path: Path, two: dict[str, Path], in_this_process: list[Path]
):
    broken = tmp_path / "broken.mp4"
    data = two["24fps"].read_bytes()
    middle = len(data) // 2
    broken.write_bytes(data[:middle] + bytes(2000) + data[middle + 2000 :])
    out = tmp_path / "out"
    results = _results(PreparedFolder(out, SMALL), {**two, "broken": broken, "gone": tmp_path / "gone.mp4"})
    failed = [result for result in results if isinstance(result, NotPrepared)]
    assert [result.video_id for result in failed] == ["broken", "gone"]
    assert "broken.mp4: damaged after" in failed[0].reason
    assert "gone.mp4: no such file" in failed[1].reason
    assert sorted(path.name for path in out.iterdir()) == ["24fps.mp4", "prepared.json", "variable.mp4"]


def test_copies_with_other_settings_are_refused(
    tmp_path: Path, two: dict[str, Path], in_this_process: list[Path]
):
    _results(PreparedFolder(tmp_path, SMALL), two)
    with pytest.raises(DataError, match=r"holds copies with short_side 32; 64 was asked for"):
        PreparedFolder(tmp_path, CopySettings(short_side=64))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', '{"version": 1, "videos": 3}'])
def test_a_record_that_is_none_is_refused(tmp_path: Path, text: str):
    (tmp_path / "prepared.json").write_text(text)
    with pytest.raises(DataError, match=r"prepared\.json: not the record of prepared videos"):
        PreparedFolder(tmp_path, SMALL)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be made"):
        PreparedFolder(tmp_path / "file" / "out", SMALL)


def test_several_processes_make_the_copies(tmp_path: Path, two: dict[str, Path]):
    results = _results(PreparedFolder(tmp_path, SMALL), two, workers=2)
    assert [result.video_id for result in results] == ["24fps", "variable"]
    assert all(isinstance(result, Prepared) and result.is_new for result in results)
    for name, source in two.items():
        index, original = build_index(tmp_path / f"{name}.mp4"), build_index(source)
        np.testing.assert_array_equal(index.times, original.times)


def test_stopping_early_ends_the_processes_and_leaves_no_half_copies(tmp_path: Path, two: dict[str, Path]):
    results = PreparedFolder(tmp_path, SMALL).complete(two, workers=1)
    next(results)
    results.close()
    assert not [path for path in tmp_path.iterdir() if ".tmp" in path.name]


def test_a_clip_of_a_damaged_copy_is_an_error(tmp_path: Path, copies: Path):
    path = tmp_path / "video.mp4"
    path.write_bytes((copies / "60fps.mp4").read_bytes())
    source = VideoFolder(tmp_path, index_folder=tmp_path / "index")
    source.clip("video", 1.0, np.zeros(1), lambda image: image)  # the index of the whole video is kept
    data = bytearray(path.read_bytes())
    begin = data.index(b"mdat") + 4
    third = (len(data) - begin) // 3
    data[begin + third : begin + third + third // 2] = bytes(third // 2)
    path.write_bytes(data)
    refused = []
    for place in range(0, 150, 6):
        try:
            clip = source.clip("video", place / 60, np.zeros(1), lambda image: image)
        except VideoError as error:
            refused.append(str(error))
        else:
            assert read_number(clip.frames[0]) == place
    assert 2 < len(refused) < 15
    assert all("video.mp4: damaged a" in reason for reason in refused)
