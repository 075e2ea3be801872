"""Whether a file holds the bytes that its container promises."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ava_detect.video.completeness import missing_bytes
from tests.video.encoding import Encode, encode

FORMATS = {
    "mp4": "mov,mp4,m4a,3gp,3g2,mj2",
    "mkv": "matroska,webm",
    "avi": "avi",
    "flv": "flv",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    for suffix in FORMATS:
        encode(folder / f"a.{suffix}", Encode(numbers=range(10)))
    return {suffix: (folder / f"a.{suffix}").read_bytes() for suffix in FORMATS}


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_whole_file_lacks_nothing(tmp_path: Path, whole: dict[str, bytes], suffix: str) -> None:
    (tmp_path / "a").write_bytes(whole[suffix])
    assert missing_bytes(tmp_path / "a", FORMATS[suffix]) == 0


@pytest.mark.parametrize("suffix", ["mkv", "avi"])
def test_the_missing_bytes_are_counted(tmp_path: Path, whole: dict[str, bytes], suffix: str) -> None:
    for cut in (2, 10, 500, len(whole[suffix]) // 2):
        (tmp_path / "a").write_bytes(whole[suffix][:-cut])
        assert missing_bytes(tmp_path / "a", FORMATS[suffix]) == cut


def test_a_cut_mp4_lacks_the_rest_of_the_box_that_it_is_cut_in(
    tmp_path: Path, whole: dict[str, bytes]
) -> None:
    """The boxes of this file begin at 0 (ftyp), 32 (free), 40 (mdat) and ``index`` (moov)."""
    data = whole["mp4"]
    index = data.index(b"moov") - 4
    assert (data[4:8], data[36:40], data[44:48]) == (b"ftyp", b"free", b"mdat")
    for begin, end in ((0, 32), (40, index), (index, len(data))):
        for length in (begin + 8, (begin + end) // 2, end - 1):
            (tmp_path / "a").write_bytes(data[:length])
            assert missing_bytes(tmp_path / "a", FORMATS["mp4"]) == end - length
        (tmp_path / "a").write_bytes(data[: begin + 7])  # less than the head of a box: taken for padding
        assert missing_bytes(tmp_path / "a", FORMATS["mp4"]) == 0


def test_a_cut_flv_does_not_end_with_a_tag(tmp_path: Path, whole: dict[str, bytes]) -> None:
    for cut in (1, 3, 5, 100, 200):
        (tmp_path / "a").write_bytes(whole["flv"][:-cut])
        assert missing_bytes(tmp_path / "a", "flv") == 1


def test_a_live_matroska_file_and_other_formats_promise_nothing(
    tmp_path: Path, whole: dict[str, bytes]
) -> None:
    data = bytearray(whole["mkv"])
    at = data.index(b"\x18\x53\x80\x67") + 4
    data[at : at + 8] = b"\x01" + b"\xff" * 7  # unknown size
    (tmp_path / "a").write_bytes(data[:500])
    assert missing_bytes(tmp_path / "a", FORMATS["mkv"]) is None
    assert missing_bytes(tmp_path / "a", "mpegts") is None


@pytest.mark.parametrize("container", [*FORMATS.values()])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_any_bytes_get_an_answer(tmp_path: Path, container: str, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    missing = missing_bytes(tmp_path / "a", container)
    assert missing is None or missing >= 0
