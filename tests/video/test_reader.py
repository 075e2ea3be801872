"""The reader: frames, times, facts and pixels of whole files; frames up to the damage; refusals."""

import os
import re
import shutil
import threading
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ava_detect.video.reader import Damage, VideoInfo, VideoReader
from evaluation.errors import VideoError
from tests.video.encoding import Encode, encode, picture, read_number
from tests.video.odd_files import OddFile


def read(path: Path) -> tuple[list[float], list[int], Damage | None]:
    """Return times and numbers of all frames, and the damage."""
    with VideoReader(path) as video:
        found = [(frame.time, read_number(frame.image())) for frame in video]
        return [time for time, _ in found], [number for _, number in found], video.damage


def info_of(path: Path) -> VideoInfo:
    with VideoReader(path) as video:
        return video.info


def check(odd: OddFile) -> str | None:
    """Say what is wrong with the reader's result for a file, or ``None``."""
    try:
        times, numbers, damage = read(odd.path)
    except VideoError as error:
        expected = odd.error is not None and re.search(odd.error, str(error))
        return None if expected else f"refused: {error}"
    if odd.numbers is None:
        return "not refused"
    if odd.at_least is None and numbers != list(odd.numbers):
        return f"frames {numbers}"
    if odd.at_least is not None and not (odd.at_least <= len(numbers) < len(odd.numbers)):
        return f"{len(numbers)} frames"
    if numbers != list(odd.numbers)[: len(numbers)]:
        return f"frames {numbers}"
    if odd.times is not None and not np.allclose(
        times, odd.times[: len(times)], rtol=0, atol=odd.tolerance_s
    ):
        return f"times {times}"
    if (damage is None) != (odd.damage is None) or (odd.damage and not re.search(odd.damage, str(damage))):
        return f"damage: {damage}"
    if damage is not None and damage.time != times[-1]:
        return f"damage at {damage.time}, last frame at {times[-1]}"
    return None


def test_every_whole_file_gives_all_its_frames_at_their_times(odd_files: dict[str, OddFile]) -> None:
    whole = [odd for odd in odd_files.values() if odd.error is None and odd.damage is None]
    assert len(whole) >= 35
    assert {odd.name: wrong for odd in whole if (wrong := check(odd))} == {}


def test_every_damaged_file_gives_the_frames_before_the_damage_and_says_where_it_is(
    odd_files: dict[str, OddFile],
) -> None:
    damaged = [odd for odd in odd_files.values() if odd.damage is not None]
    assert len(damaged) >= 9
    assert {odd.name: wrong for odd in damaged if (wrong := check(odd))} == {}


def test_every_file_that_is_no_video_is_refused_by_name(odd_files: dict[str, OddFile]) -> None:
    refused = [odd for odd in odd_files.values() if odd.error is not None]
    assert len(refused) >= 18
    assert {odd.name: wrong for odd in refused if (wrong := check(odd))} == {}
    for odd in refused:
        with pytest.raises(VideoError) as error:
            VideoReader(odd.path)
        assert str(error.value).startswith(f"{odd.path}: ")


def test_the_table_in_the_docs_names_every_file(odd_files: dict[str, OddFile]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "video.md").read_text()
    assert [name for name in odd_files if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize(
    ("name", "fps"), [("23.976fps.mp4", Fraction(24000, 1001)), ("29.97fps.mp4", Fraction(30000, 1001))]
)
def test_times_are_the_written_timestamps_rounded_once(
    odd_files: dict[str, OddFile], name: str, fps: Fraction
) -> None:
    times, _, _ = read(odd_files[name].path)
    assert times == [float(Fraction(idx) / fps) for idx in range(50)]
    assert info_of(odd_files[name].path).fps == fps


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("25fps.mp4", {"codec": "h264", "pix_fmt": "yuv420p", "width": 160, "height": 96, "duration_s": 2.0}),
        ("25fps.mp4", {"variable_rate": False, "has_audio": False, "interlaced": False, "start_s": 0.0}),
        ("25fps.mp4", {"container": "mov,mp4,m4a,3gp,3g2,mj2", "fps": Fraction(25), "rotation": 0}),
        ("variable.mp4", {"variable_rate": True}),
        ("variable.mkv", {"variable_rate": None}),
        ("rotated90.mp4", {"rotation": 90, "width": 96, "height": 160}),
        ("rotated180.mp4", {"rotation": 180, "width": 160, "height": 96}),
        ("rotated270.mp4", {"rotation": 270, "width": 96, "height": 160}),
        ("hevc_10bit.mp4", {"codec": "hevc", "pix_fmt": "yuv420p10le"}),
        ("odd_size.webm", {"codec": "vp9", "width": 101, "height": 67}),
        ("anamorphic.mp4", {"sample_aspect_ratio": Fraction(2), "width": 160}),
        ("interlaced.mp4", {"interlaced": True}),
        ("offset.ts", {"start_s": 0.08}),
        ("sound_first.mkv", {"has_audio": True, "start_s": 1.0}),
        ("live.mkv", {"duration_s": None}),
        ("raw.h264", {"duration_s": None, "fps": Fraction(25), "start_s": 0.0}),
    ],
)
def test_facts_about_a_video_are_known_once_it_is_open(
    odd_files: dict[str, OddFile], name: str, expected: dict[str, object]
) -> None:
    info = info_of(odd_files[name].path)
    assert {field: getattr(info, field) for field in expected} == expected


@pytest.mark.parametrize(
    "name", ["25fps.mp4", "rotated90.mp4", "rotated180.mp4", "rotated270.mp4", "offset.ts"]
)
def test_pixels_are_those_that_opencv_reads(odd_files: dict[str, OddFile], name: str) -> None:
    capture = cv2.VideoCapture(str(odd_files[name].path))
    with VideoReader(odd_files[name].path) as video:
        for frame in video:
            found, expected = capture.read()
            assert found
            assert np.array_equal(frame.image(), expected)
    assert not capture.read()[0]


def test_an_image_is_a_new_writable_array_at_every_call(plain_video: Path) -> None:
    with VideoReader(plain_video) as video:
        frame = next(iter(video))
        first = frame.image()
        untouched = first.copy()
        first[:] = 0
        assert first.dtype == np.uint8
        assert first.flags.c_contiguous
        assert np.array_equal(frame.image(), untouched)


def test_frames_stay_valid_after_the_reader_is_closed(plain_video: Path) -> None:
    with VideoReader(plain_video) as video:
        frames = list(video)
    assert [read_number(frame.image()) for frame in frames] == list(range(50))
    assert [frame.idx for frame in frames] == list(range(50))


def test_images_can_be_converted_in_several_threads(plain_video: Path) -> None:
    with VideoReader(plain_video) as video:
        frames = list(video)
    numbers: dict[int, int] = {}

    def convert(part: int) -> None:
        numbers.update({frame.idx: read_number(frame.image()) for frame in frames[part::4]})

    threads = [threading.Thread(target=convert, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == {idx: idx for idx in range(50)}


def test_a_reader_is_read_once(plain_video: Path) -> None:
    with VideoReader(plain_video) as video:
        assert len(list(video)) == 50
        with pytest.raises(ValueError, match="read once"):
            iter(video)


@pytest.mark.parametrize(("tag", "name"), [(1, "bt709"), (6, "smpte170m")])
def test_colours_follow_the_matrix_that_the_stream_names(tmp_path: Path, tag: int, name: str) -> None:
    """Y, Cb, Cr of pure red by hand: Y = 16 + 219 Kr, Cr = 240, Cb = 128 - 112 Kr / (1 - Kb)."""
    kr, kb = {"bt709": (0.2126, 0.0722), "smpte170m": (0.299, 0.114)}[name]
    planes = round(16 + 219 * kr), round(128 - 112 * kr / (1 - kb)), 240
    with av.open(str(tmp_path / "red.mkv"), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = tag, 1
        frame = av.VideoFrame(64, 48, "yuv420p")
        frame.colorspace, frame.color_range = tag, 1
        for plane, value in zip(frame.planes, planes, strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts = 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with VideoReader(tmp_path / "red.mkv") as video:
        blue, green, red = next(iter(video)).image()[20, 30].astype(int)
    assert (abs(blue) <= 4, abs(green) <= 4, abs(red - 255) <= 4) == (True, True, True)


def test_high_dynamic_range_stays_neutral_and_ordered(odd_files: dict[str, OddFile]) -> None:
    with VideoReader(odd_files["hdr_pq.mp4"].path) as video:
        ramp = next(iter(video)).image()[-3, 20:].astype(int)
    assert np.ptp(ramp, axis=1).max() <= 6  # grey stays grey
    assert (np.diff(ramp.mean(axis=1)) >= -3).all()  # a brightening ramp
    assert ramp[-1].mean() - ramp[0].mean() > 60


def woven(number: int, size: tuple[int, int]) -> np.ndarray:
    """Draw a frame whose two fields are half a frame apart: a bar moves 8 pixels from one to the other."""
    fields = []
    for half in (0, 1):
        field = picture(number, size)
        left = (number * 16 + half * 8) % (size[0] - 30)
        field[size[1] // 2 :] = 60
        field[size[1] // 2 :, left : left + 24] = 200
        fields.append(field)
    fields[0][1::2] = fields[1][1::2]
    return fields[0]


def test_interlaced_frames_lose_their_combs(tmp_path: Path) -> None:
    def combs(image: np.ndarray) -> float:
        lower = image[60:90].astype(int).mean(axis=2)
        return float(np.abs(lower[1:-1] - (lower[:-2] + lower[2:]) / 2).mean())

    encode(tmp_path / "woven.mp4", Encode(options={"x264-params": "tff=1"}, drawn=woven, numbers=range(20)))
    with VideoReader(tmp_path / "woven.mp4") as video:
        frames = list(video)
        deinterlaced = [combs(frame.image()) for frame in frames]
    assert [read_number(frame.image()) for frame in frames] == list(range(20))
    assert np.mean(deinterlaced) < 0.2 * np.mean([combs(woven(number, (160, 96))) for number in range(20)])


def test_no_frame_that_depends_on_damaged_ones_comes_out(
    odd_files: dict[str, OddFile], tmp_path: Path
) -> None:
    """Bytes are flipped at sixty places in turn; the right frames come out, and damage is told."""
    content = (odd_files["flipped.mp4"].path.parent / "_broken.mp4").read_bytes()
    path = tmp_path / "flipped.mp4"
    lengths = set()
    for start in range(1500, len(content) - 2500, (len(content) - 4000) // 60):
        data = bytearray(content)
        data[start : start + 400 : 7] = bytes(byte ^ 0xFF for byte in data[start : start + 400 : 7])
        path.write_bytes(data)
        _, numbers, damage = read(path)
        assert numbers == list(range(len(numbers))), start
        assert damage is not None
        lengths.add(len(numbers))
    assert max(lengths) >= 30  # the later the damage, the more comes out


def test_a_playlist_is_refused_whatever_its_name(odd_files: dict[str, OddFile], tmp_path: Path) -> None:
    for name in ("list.m3u8", "list.ffconcat", "manifest.mpd", "session.sdp"):
        disguised = tmp_path / "holiday.mp4"
        shutil.copy(odd_files[name].path, disguised)
        shutil.copy(odd_files["offset.ts"].path, tmp_path / "offset.ts")
        with pytest.raises(VideoError, match="names other files"):
            VideoReader(disguised)


def test_the_hint_quotes_names_for_the_shell(tmp_path: Path) -> None:
    path = tmp_path / "my notes.txt"
    path.write_text("nothing\n" * 99)
    with pytest.raises(VideoError, match=r"not a video that FFmpeg can read \(text\)") as error:
        VideoReader(path)
    assert error.value.hint == f"ava-detect check '{path}' shows what is in the file."


@pytest.mark.parametrize("name", ["bad\0name.mp4", "x" * 300 + ".mp4"])
def test_impossible_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(VideoError):
        VideoReader(tmp_path / name)


def test_a_name_that_is_not_utf8_is_read(tmp_path: Path, plain_video: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    shutil.copy(plain_video, path)
    assert read(path)[1] == list(range(50))


def test_damage_is_told_in_minutes_and_hours() -> None:
    assert str(Damage(97.46, "invalid NAL unit")) == "damaged after 1:37.4 (invalid NAL unit)"
    assert str(Damage(3725.0, "x")) == "damaged after 1:02:05.0 (x)"


def test_an_mp4_cut_anywhere_gives_a_prefix_or_is_refused(
    tmp_path: Path, odd_files: dict[str, OddFile]
) -> None:
    data = odd_files["fragmented.mp4"].path.read_bytes()
    cut = tmp_path / "cut.mp4"
    for length in range(200, len(data) - 1, len(data) // 40):
        cut.write_bytes(data[:length])
        try:
            times, numbers, damage = read(cut)
        except VideoError:
            continue
        assert numbers == list(range(len(numbers)))
        assert times == [idx / 25 for idx in range(len(numbers))]
        assert damage is not None or len(numbers) % 10 == 0  # cut between two fragments: nothing shows it


@pytest.mark.parametrize(
    "name", ["25fps.mp4", "variable.mkv", "offset.ts", "b_frames.avi", "flash.flv", "animated.gif"]
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_never_crash_and_times_increase(
    odd_files: dict[str, OddFile], tmp_path: Path, name: str, data: st.DataObject
) -> None:
    content = bytearray(odd_files[name].path.read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=30)):
        content[position] ^= data.draw(st.integers(1, 255))
    path = tmp_path / name
    path.write_bytes(content)
    try:
        with VideoReader(path) as video:
            times = []
            for frame in video:
                times.append(frame.time)
                assert frame.image().shape == (video.info.height, video.info.width, 3)
    except VideoError:
        return
    assert (np.diff(times) > 0).all()
    assert np.isfinite(times).all()


def test_a_picture_that_grows_beyond_the_limit_is_damage(
    odd_files: dict[str, OddFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ava_detect.video.reader.MAX_PIXELS", 200 * 100)  # 160x96 fits, 320x192 does not
    times, numbers, damage = read(odd_files["new_size.ts"].path)
    assert numbers == list(range(25))
    assert damage is not None
    assert damage.time == times[-1] == 0.96
