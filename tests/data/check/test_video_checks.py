"""Videos: what a healthy, an odd, a damaged and a refused file give, decoded and by packets alone."""

import shutil
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from ava_detect.data.check import Options, Severity, check_things
from ava_detect.data.check.video_facts import clock
from ava_detect.data.check.videos import look_at_video
from tests.data.check.data_set import codes, only
from tests.video.encoding import Encode, encode
from tests.video.odd_files import OddFile, make_all

WRONG_LENGTH = {"wrong_duration.mkv", "jump.mkv"}  # found as video-length, and nothing is lost
SEEN_BY_DECODING_ONLY = {"flipped.mp4", "flipped.mkv", "zeros.mp4"}  # damage inside sound packets


@pytest.fixture(scope="module")
def odd_files(tmp_path_factory: pytest.TempPathFactory) -> list[OddFile]:
    return make_all(tmp_path_factory.mktemp("odd"))


def fault_codes(path: Path, *, decode: bool) -> set[str]:
    _, findings = look_at_video(path, decode=decode)
    return {finding.code for finding in findings if finding.severity is Severity.FAULT}


def expected_faults(odd: OddFile) -> set[str]:
    if odd.error:
        return {"video-unreadable"}
    if odd.damage:
        return {"video-damaged"}
    return {"video-length"} if odd.name in WRONG_LENGTH else set()


def test_every_odd_file_is_judged_as_the_reader_judges_it(odd_files):
    found = {odd.name: fault_codes(odd.path, decode=True) for odd in odd_files}
    assert found == {odd.name: expected_faults(odd) for odd in odd_files}


def test_packets_alone_show_all_but_damage_inside_of_them(odd_files):
    expected = {odd.name: expected_faults(odd) for odd in odd_files}
    expected |= {name: set() for name in SEEN_BY_DECODING_ONLY} | {"jump.mkv": set()}
    assert {odd.name: fault_codes(odd.path, decode=False) for odd in odd_files} == expected


def test_a_plain_video_gives_its_facts(make_video):
    facts, findings = look_at_video(make_video(frames=60, fps=20, size=(256, 320)))
    assert findings == []
    assert facts is not None
    assert facts.summary() == "0:03.0, 320x256, 20 fps, h264"
    assert len(facts.times) == 60
    assert facts.last_s == pytest.approx(2.95)


def test_packets_give_the_times_that_decoding_gives(make_video):
    path = make_video(frames=40, fps=25)
    decoded, _ = look_at_video(path)
    read, _ = look_at_video(path, decode=False)
    assert decoded is not None
    assert read is not None
    assert read.times == pytest.approx(decoded.times)


@pytest.mark.parametrize("decode", [True, False])
def test_a_truncated_video_says_what_is_missing(decode, tmp_path):
    whole = tmp_path / "whole.mp4"
    encode(whole, Encode(numbers=range(100), container_options={"movflags": "+faststart"}))
    path = tmp_path / "cam1.mp4"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    report = check_things([str(path)], Options(decode=decode))
    finding = only(report, "video-damaged")
    assert finding.message.startswith("cam1.mp4: damaged after 0:0")
    assert "s of 0:04.0 are missing" in finding.message
    assert finding.hint


def test_a_variable_rate_is_a_note_with_the_range(tmp_path):
    ticks = [0]
    for k in range(59):
        ticks.append(ticks[-1] + (30 if k % 2 else 80))
    path = tmp_path / "phone.mp4"
    encode(path, Encode(numbers=range(60), ticks=ticks, time_base=Fraction(1, 1000), size=(320, 256)))
    report = check_things([str(path)])
    assert "variable frame rate (12.5-33.3 fps): fine" in only(report, "variable-rate").message
    assert codes(report) == set()


def test_a_turned_video_says_the_upright_size(tmp_path):
    path = tmp_path / "phone.mp4"
    encode(path, Encode(size=(320, 256), rotation=90))
    assert "turned by 90 degrees" in only(check_things([str(path)]), "rotated").message


def test_keyframes_in_a_pause_are_noted(tmp_path, data):
    ticks = [40 * k + (8000 if k >= 25 else 0) for k in range(50)]
    encode(tmp_path / "cam1.mkv", Encode(ticks=ticks, time_base=Fraction(1, 1000), size=(320, 256)))
    rows = [["cam1", second, 0.1, 0.1 + second / 50, 0.4, 0.9, 1, 0] for second in range(10)]
    path = data.write(tmp_path / "labels.csv", rows)
    report = check_things([str(path), str(tmp_path / "cam1.mkv")])
    assert "no frame between 0:01.0 and 0:09.0" in only(report, "video-pause").message
    assert "7 rows lie where their video has no frame within 0.5 s" in only(report, "in-pause").message


def test_what_is_wrong_with_many_videos_is_said_once(data):
    for name in ("cam1", "cam2", "cam3"):
        path = data.videos / f"{name}.mp4"
        path.write_bytes(path.read_bytes()[:3000])
    report = data.check()
    finding = only(report, "video-unreadable")
    assert finding.message.startswith("not a video that FFmpeg can read")
    assert finding.message.endswith("(and 2 more)")
    assert finding.count == 3
    assert [Path(place.file).name for place in finding.places] == ["cam1.mp4", "cam2.mp4", "cam3.mp4"]
    assert codes(report) == {"video-unreadable"}


def test_two_files_of_one_name_would_be_one_video(data):
    shutil.copy(data.videos / "cam1.mp4", data.videos / "cam1.mkv")
    assert "both be video_id 'cam1'" in only(data.check(), "same-video-id").message


def test_a_video_nobody_annotated_is_a_note(data):
    shutil.copy(data.videos / "cam1.mp4", data.videos / "cam9.mp4")
    report = data.check()
    assert only(report, "without-rows").message == "1 of 7 have no rows: 'cam9'"
    assert codes(report) == set()


def test_a_single_video_need_not_be_all_videos(data):
    report = check_things([str(data.train), str(data.videos / "cam1.mp4")], Options(decode=False))
    assert codes(report) == set()


def test_a_single_video_of_another_name_is_a_fault(data, tmp_path):
    path = Path(shutil.copy(data.videos / "cam1.mp4", tmp_path / "elsewhere.mp4"))
    report = check_things([str(data.train), str(path)], Options(decode=False))
    assert "4 of 4 videos are not in" in only(report, "video-missing").message


def test_progress_reaches_the_number_of_videos(data):
    seen: list[tuple[str, float, float]] = []
    check_things([str(data.videos)], watch=lambda label, done, total: seen.append((label, done, total)))
    assert seen[-1] == (str(data.videos), 6, 6)
    assert all(before[1] <= after[1] for before, after in pairwise(seen))


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00.0"), (59.96, "1:00.0"), (3725.5, "1:02:05.5")])
def test_times_are_shown_as_on_a_clock(seconds, text):
    assert clock(seconds) == text
