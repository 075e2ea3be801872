"""The writer: exact times, sizes, colours, sound, and files that are complete or absent."""

import logging
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ava_detect.video import writer as writer_module
from ava_detect.video.reader import VideoReader
from ava_detect.video.writer import VideoWriter
from evaluation.errors import VideoError
from tests.video.encoding import Encode, Sound, encode, picture, read_number


def write(path: Path, times: list[float], size: tuple[int, int] = (160, 96), **options: Any) -> None:
    with VideoWriter(path, preset="ultrafast", **options) as video:
        for number, time in enumerate(times):
            video.write(picture(number, size), time)


def read(path: Path) -> tuple[list[float], list[int]]:
    with VideoReader(path) as video:
        found = [(frame.time, read_number(frame.image())) for frame in video]
        assert video.damage is None
    return [time for time, _ in found], [number for _, number in found]


def sound_of(path: Path) -> tuple[str, float, float]:
    """Return codec, first and last time of what sounds, seconds."""
    with av.open(str(path)) as container:
        loud = []
        for frame in container.decode(audio=0):
            samples = np.abs(frame.to_ndarray().astype(float)).max(axis=0)
            scale = {"s16": 32768, "s16p": 32768, "s32p": 2**31}.get(frame.format.name, 1)
            hits = np.flatnonzero(samples > 0.05 * scale)
            loud += (
                [frame.time + hit / frame.sample_rate for hit in hits[[0, -1]] if hits.size]
                if hits.size
                else []
            )
        return container.streams.audio[0].codec_context.name, loud[0], loud[-1]


@pytest.mark.parametrize(
    "fps", [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(50), Fraction(60)]
)
def test_a_constant_rate_comes_back_exactly(tmp_path: Path, fps: Fraction) -> None:
    times = [float(Fraction(idx) / fps) for idx in range(30)]
    write(tmp_path / "out.mp4", times, fps=fps)
    assert read(tmp_path / "out.mp4") == (times, list(range(30)))
    with VideoReader(tmp_path / "out.mp4") as video:
        assert video.info.fps == fps
        assert video.info.duration_s == pytest.approx(30 / fps, abs=1e-3)


def test_a_variable_rate_comes_back_to_a_tick(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.2, 40))
    write(tmp_path / "out.mp4", list(times))
    found, numbers = read(tmp_path / "out.mp4")
    assert np.allclose(found, times - times[0], rtol=0, atol=0.51 / 90000)
    assert numbers == list(range(40))


def test_the_time_base_of_a_source_is_kept(tmp_path: Path) -> None:
    times = [idx * 37 / 1000 for idx in range(20)]
    write(tmp_path / "out.mp4", times, time_base=Fraction(1, 1000))
    assert read(tmp_path / "out.mp4")[0] == times


def test_frames_closer_than_a_tick_are_all_kept(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", [0.0, 1e-9, 2e-9, 1.0])
    assert read(tmp_path / "out.mp4") == ([0.0, 1 / 90000, 2 / 90000, 1.0], [0, 1, 2, 3])


def test_an_odd_size_is_padded_by_repeating_the_border(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", [0.0, 0.04], size=(161, 97), crf=1)
    with VideoReader(tmp_path / "out.mp4") as video:
        image = next(iter(video)).image()
    assert image.shape == (98, 162, 3)
    assert np.abs(image[:97, :161].astype(int) - picture(0, (161, 97))).mean() < 3
    assert np.abs(image[-1].astype(int) - image[-2]).mean() < 3


def test_browsers_can_play_it(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", [0.0, 0.04, 0.08], fps=25)
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # the index is in front
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.codec_context.colorspace, stream.codec_context.color_range) == (
            1,
            1,
        )  # BT.709, limited


@pytest.mark.parametrize(
    "colour", [(0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255), (0, 0, 0), (200, 100, 50)]
)
def test_colours_come_back(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    with VideoWriter(tmp_path / "out.mp4", crf=1) as video:
        video.write(np.full((64, 64, 3), colour, np.uint8), 0.0)
    with VideoReader(tmp_path / "out.mp4") as video:
        image = next(iter(video)).image()
    assert np.abs(image[32, 32].astype(int) - colour).max() <= 4


def test_anamorphic_pixels_stay_anamorphic(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", [0.0, 0.04], sample_aspect_ratio=Fraction(4, 3))
    with VideoReader(tmp_path / "out.mp4") as video:
        assert video.info.sample_aspect_ratio == Fraction(4, 3)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "becomes"),
    [
        ("in.mp4", "aac", 48000, "aac"),
        ("in.ts", "aac", 44100, "aac"),
        ("in.mkv", "libopus", 48000, "opus"),
        ("in.avi", "libmp3lame", 44100, "mp3float"),  # AVI has no times: the tone begins with the picture
        ("in.flv", "libmp3lame", 11025, "aac"),  # MP4 does not take MP3 at this rate
        ("in.mov", "pcm_s16le", 48000, "aac"),
        ("in.mkv", "ac3", 48000, "aac"),
        ("in.mkv", "pcm_s16le", 37000, "aac"),
    ],
)
def test_sound_is_copied_or_made_aac_and_stays_in_step(
    tmp_path: Path, name: str, codec: str, rate: int, becomes: str
) -> None:
    """A tone sounds for a second, from 1.0 s on; the video is written from 0.48 s on."""
    begin_s = 0.0 if name == "in.avi" else 1.0
    tone = Sound(codec, begin_s, 1.0, rate=rate)
    encode(tmp_path / name, Encode(numbers=range(75), sound=tone, options={"bf": "0"}))
    with (
        VideoReader(tmp_path / name) as video,
        VideoWriter(tmp_path / "out.mp4", fps=25, audio_from=video.info) as out,
    ):
        for frame in video:
            if frame.idx >= 12:
                out.write(frame.image(), frame.time)
    assert read(tmp_path / "out.mp4") == ([idx / 25 for idx in range(63)], list(range(12, 75)))
    found, begin, end = sound_of(tmp_path / "out.mp4")
    assert found == becomes
    # Where the cut falls into the tone, MP3 needs a few packets until it sounds.
    assert begin == pytest.approx(max(0.0, begin_s - 0.48), abs=0.06 if begin_s else 0.1)
    assert end == pytest.approx(begin_s + 0.52, abs=0.06)


def test_sound_ends_with_the_picture(tmp_path: Path) -> None:
    encode(tmp_path / "in.mp4", Encode(sound=Sound(length_s=10.0)))
    with VideoReader(tmp_path / "in.mp4") as video:
        write(tmp_path / "out.mp4", [idx / 25 for idx in range(50)], fps=25, audio_from=video.info)
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.audio[0]
        assert 1.9 < stream.duration * stream.time_base < 2.1


def test_sound_that_has_vanished_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encode(tmp_path / "in.mp4", Encode(sound=Sound()))
    with VideoReader(tmp_path / "in.mp4") as video:
        info = video.info
    (tmp_path / "in.mp4").unlink()
    with caplog.at_level(logging.WARNING):
        write(tmp_path / "out.mp4", [0.0, 0.04], audio_from=info)
    assert "the sound is left out" in caplog.text
    assert read(tmp_path / "out.mp4")[1] == [0, 1]


def test_a_video_without_sound_gets_none(tmp_path: Path, plain_video: Path) -> None:
    with VideoReader(plain_video) as video:
        write(tmp_path / "out.mp4", [0.0, 0.04], audio_from=video.info)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio


def test_the_name_appears_only_when_the_file_is_complete(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4") as video:
        video.write(picture(0), 0.0)
        assert not (tmp_path / "out.mp4").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_an_exception_leaves_nothing_behind_and_the_old_file_alone(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_bytes(b"old")

    def interrupted() -> None:
        with VideoWriter(tmp_path / "out.mp4") as video:
            video.write(picture(0), 0.0)
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("out.mp4", b"old")]


def test_finish_keeps_what_is_written_and_discard_does_not(tmp_path: Path) -> None:
    kept, dropped = VideoWriter(tmp_path / "kept.mp4"), VideoWriter(tmp_path / "dropped.mp4")
    for video in (kept, dropped):
        video.write(picture(5), 0.0)
    kept.finish()
    kept.finish()
    dropped.discard()
    dropped.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["kept.mp4"]
    assert read(tmp_path / "kept.mp4") == ([0.0], [5])


def test_no_frame_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"out\.mp4: no frame to write"), VideoWriter(tmp_path / "out.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_other_formats_are_refused_with_a_better_name(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"videos are written as \.mp4") as error:
        VideoWriter(tmp_path / "out.avi")
    assert error.value.hint == f"Try: {tmp_path / 'out.mp4'}"


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        VideoError, match=r"nowhere/out\.mp4: cannot be written \(No such file or directory\)"
    ):
        VideoWriter(tmp_path / "nowhere" / "out.mp4")


def test_frames_of_another_size_are_a_programming_error(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4") as video:
        video.write(picture(0), 0.0)
        with pytest.raises(ValueError, match=r"expected \(96, 160, 3\) uint8 like the first one"):
            video.write(picture(0, (80, 96)), 1.0)


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/dev/full takes no byte; the temporary file is pointed there."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")

    class Redirected:
        def __init__(self, target: Path) -> None:
            pass

        def __enter__(self) -> Path:
            return full

        def __exit__(self, *exception: object) -> None:
            pass

    monkeypatch.setattr(writer_module, "atomic_path", Redirected)
    noise = np.random.default_rng(0).integers(0, 256, (60, 256, 256, 3), dtype=np.uint8)
    with pytest.raises(VideoError, match="No space left on device"):
        write_all(tmp_path / "out.mp4", noise)


def write_all(path: Path, frames: np.ndarray) -> None:
    with VideoWriter(path) as video:
        for idx, frame in enumerate(frames):
            video.write(frame, idx / 25)
