"""Downloads from a real HTTP server: progress, resuming, digests, and never a file in part under its name."""

import dataclasses
import hashlib
import http.server
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ava_detect.weights import fetch_weights
from ava_detect.weights.cache import cache_dir, cached_files, recorded_digest
from ava_detect.weights.download import DownloadError, download
from ava_detect.weights.zoo import cache_path, is_cached
from ava_detect.weights.zoo_entry import ZooEntry
from evaluation.errors import WeightsError

CONTENT = bytes(range(256)) * 4000  # about a megabyte: four pieces
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@dataclasses.dataclass
class Behaviour:
    """What the server does, and what it was asked."""

    content: bytes = CONTENT
    version: str = '"v1"'
    ranges: bool = True
    says_length: bool = True
    break_after: list[int] = dataclasses.field(default_factory=list)  # bytes per answer, then whole ones
    statuses: list[int] = dataclasses.field(default_factory=list)  # answers before it works
    asked: list[str] = dataclasses.field(
        default_factory=list
    )  # the Range header of each request, "" for none


class Handler(http.server.BaseHTTPRequestHandler):
    behaviour: Behaviour

    def do_GET(self) -> None:
        server = self.behaviour
        server.asked.append(self.headers.get("Range", ""))
        if server.statuses:
            self.send_error(server.statuses.pop(0))
            return
        if self.path != "/weights.pth":
            self.send_error(404)
            return
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if server.ranges and asked and self.headers.get("If-Range") == server.version:
            start = int(asked[1])
            if start >= len(server.content):
                self.send_error(416)
                return
            self.send_response(206)
            last = len(server.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(server.content)}")
        else:
            self.send_response(200)
        body = server.content[start:]
        if server.says_length:
            self.send_header("Content-Length", str(len(body)))
        if server.version:
            self.send_header("ETag", server.version)
        self.end_headers()
        self.wfile.write(body[: server.break_after.pop(0)] if server.break_after else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[Behaviour, str]]:
    """Serve on the loopback; gives the behaviour, to be changed, and the address of the file."""
    behaviour = Behaviour()
    handler = type("ThisHandler", (Handler,), {"behaviour": behaviour})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield behaviour, f"http://127.0.0.1:{httpd.server_port}/weights.pth"
        httpd.shutdown()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ava_detect.weights.download.time.sleep", lambda _: None)


def entry(url: str, digest: str = "") -> ZooEntry:
    return ZooEntry("some-weights", "actions", url=url, digest=digest)


def files_in_cache() -> set[str]:
    return {path.name for path in cache_dir().iterdir()}


DONE = {"some-weights.pth", "some-weights.pth.sha256", ".some-weights.pth.lock"}


def test_a_file_arrives_with_progress_and_its_digest_is_recorded(server: tuple[Behaviour, str]) -> None:
    _, url = server
    seen: list[tuple[int, int | None]] = []
    path = fetch_weights(entry(url), progress=lambda done, total: seen.append((done, total)))
    assert path == cache_dir() / "some-weights.pth"
    assert path.read_bytes() == CONTENT
    assert recorded_digest(path) == SHA256
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len(seen) > 1
    assert files_in_cache() == DONE


def test_the_recorded_digest_can_be_checked_with_sha256sum(server: tuple[Behaviour, str]) -> None:
    fetch_weights(entry(server[1]))
    done = subprocess.run(
        ["sha256sum", "-c", "some-weights.pth.sha256"],
        cwd=cache_dir(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "some-weights.pth: OK\n"


def test_a_second_call_asks_nobody(server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    for _ in range(2):
        fetch_weights(entry(url), offline=bool(behaviour.asked))
    assert behaviour.asked == [""]


def test_overwrite_downloads_again(server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    path = fetch_weights(entry(url))
    behaviour.content = b"newer"
    assert fetch_weights(entry(url)).read_bytes() == CONTENT
    assert fetch_weights(entry(url), overwrite=True).read_bytes() == b"newer"
    assert recorded_digest(path) == hashlib.sha256(b"newer").hexdigest()


# --- broken transfers


def test_a_broken_transfer_goes_on_where_it_stopped(server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    behaviour.break_after = [300_000, 400_000]
    assert fetch_weights(entry(url)).read_bytes() == CONTENT
    assert behaviour.asked == ["", "bytes=300000-", "bytes=700000-"]


def test_a_transfer_goes_on_in_a_later_call(server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    behaviour.break_after = [300_000, 0, 0, 0, 0, 0]
    with pytest.raises(WeightsError, match="the connection broke off after 300,000 bytes"):
        fetch_weights(entry(url))
    assert not is_cached(entry(url))
    assert (cache_dir() / "some-weights.pth.part").stat().st_size == 300_000
    behaviour.break_after, behaviour.asked = [], []
    assert fetch_weights(entry(url)).read_bytes() == CONTENT
    assert behaviour.asked == ["bytes=300000-"]
    assert files_in_cache() == DONE


def test_another_version_on_the_server_begins_again(server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    behaviour.break_after = [300_000, 0, 0, 0, 0, 0]
    with pytest.raises(WeightsError):
        fetch_weights(entry(url))
    behaviour.break_after, behaviour.version, behaviour.content = [], '"v2"', CONTENT[::-1]
    assert fetch_weights(entry(url)).read_bytes() == CONTENT[::-1]


def test_a_shorter_file_on_the_server_begins_again(server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    behaviour.break_after = [300_000, 0, 0, 0, 0, 0]
    with pytest.raises(WeightsError):
        fetch_weights(entry(url))
    behaviour.break_after, behaviour.content, behaviour.asked = [], b"short", []
    assert fetch_weights(entry(url)).read_bytes() == b"short"
    assert behaviour.asked == ["bytes=300000-", ""]


@pytest.mark.parametrize("version", ["", 'W/"weak"'], ids=["no version", "weak version"])
def test_without_a_reliable_version_a_broken_transfer_begins_again(
    server: tuple[Behaviour, str], version: str
) -> None:
    behaviour, url = server
    behaviour.version, behaviour.break_after = version, [300_000]
    assert fetch_weights(entry(url)).read_bytes() == CONTENT
    assert behaviour.asked == ["", ""]


def test_a_server_without_ranges_begins_again(server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    behaviour.ranges, behaviour.break_after = False, [300_000]
    assert fetch_weights(entry(url)).read_bytes() == CONTENT
    assert behaviour.asked == ["", "bytes=300000-"]


def test_a_server_that_does_not_say_the_length_is_read_to_the_end(server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    behaviour.says_length = False
    seen: list[int | None] = []
    assert fetch_weights(entry(url), progress=lambda _, total: seen.append(total)).read_bytes() == CONTENT
    assert set(seen) == {None}


def test_a_server_in_trouble_is_asked_again(server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    behaviour.statuses = [503, 500]
    assert fetch_weights(entry(url)).read_bytes() == CONTENT


# --- what cannot be had


def check_advice(error: WeightsError, url: str) -> None:
    """The message's hint has the address, the place for the file, and the way without."""
    place = cache_dir() / "some-weights.pth"
    assert error.hint == f"Get    {url}\nand put it at {place}\nor try without: --weights embedded"


@pytest.mark.parametrize(
    ("digest", "message"),
    [
        (f"sha256:{'0' * 8}", f"its SHA256 begins with {SHA256[:8]}, the published one with 00000000"),
        ("md5:000000", f"its MD5 begins with {MD5[:6]}, the published one with 000000"),
    ],
    ids=["SHA-256", "MD5"],
)
def test_a_wrong_digest_is_refused_and_nothing_stays(
    server: tuple[Behaviour, str], digest: str, message: str
) -> None:
    with pytest.raises(WeightsError, match=f"{message}; the download was thrown away") as caught:
        fetch_weights(entry(server[1], digest))
    check_advice(caught.value, server[1])
    assert files_in_cache() == {".some-weights.pth.lock"}


@pytest.mark.parametrize("digest", [f"sha256:{SHA256[:8]}", f"md5:{MD5[:6]}"], ids=["SHA-256", "MD5"])
def test_the_published_digest_lets_a_file_pass(server: tuple[Behaviour, str], digest: str) -> None:
    assert fetch_weights(entry(server[1], digest)).read_bytes() == CONTENT


def test_a_file_that_is_not_on_the_server_is_not_asked_for_twice(server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    missing = url.replace("weights.pth", "none.pth")
    with pytest.raises(
        WeightsError, match="cannot be downloaded: the server answers 404 Not Found"
    ) as caught:
        fetch_weights(entry(missing))
    check_advice(caught.value, missing)
    assert behaviour.asked == [""]


def test_a_server_that_is_always_in_trouble_is_given_up(server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    behaviour.statuses = [503] * 10
    with pytest.raises(WeightsError, match="the server answers 503 Service Unavailable"):
        fetch_weights(entry(url))
    assert len(behaviour.asked) == 4


def test_a_server_that_is_not_there_is_reported() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        port = httpd.server_port  # free again after this block
    with pytest.raises(WeightsError, match="Connection refused"):
        fetch_weights(entry(f"http://127.0.0.1:{port}/weights.pth"))


@pytest.mark.parametrize("variable", ["1", "true"])
def test_offline_no_connection_is_opened(
    server: tuple[Behaviour, str], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    behaviour, url = server
    with pytest.raises(WeightsError, match="downloads are forbidden") as caught:
        fetch_weights(entry(url), offline=True)
    check_advice(caught.value, url)
    monkeypatch.setenv("AVA_DETECT_OFFLINE", variable)
    with pytest.raises(WeightsError, match="downloads are forbidden"):
        fetch_weights(entry(url))
    assert behaviour.asked == []
    monkeypatch.setenv("AVA_DETECT_OFFLINE", "0")
    assert fetch_weights(entry(url)).is_file()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/x"])
def test_other_schemes_are_not_fetched(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError, match="only http and https"):
        download(url, tmp_path / "x")


def test_a_full_disk_is_noticed_before_the_transfer(
    server: tuple[Behaviour, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("ava_detect.weights.download.shutil.disk_usage", lambda _: usage)
    with pytest.raises(WeightsError, match=r"1,024,000 bytes are to come, and 1,000 are free"):
        fetch_weights(entry(server[1]))


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AVA_DETECT_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match=r"file: cannot be used as the cache of weights") as caught:
        fetch_weights(entry("http://127.0.0.1:9/x.pth"))
    assert "AVA_DETECT_CACHE=DIR" in caught.value.hint


# --- files put there by hand, and files that changed


def test_a_file_put_there_by_hand_is_checked_once_and_remembered(own_cache: Path) -> None:
    known = entry("https://example.org/weights.pth", f"sha256:{SHA256[:8]}")
    own_cache.mkdir()
    cache_path(known).write_bytes(CONTENT)
    assert fetch_weights(known, offline=True) == cache_path(known)
    assert recorded_digest(cache_path(known)) == SHA256


def test_a_wrong_file_put_there_by_hand_is_refused(own_cache: Path) -> None:
    known = entry("https://example.org/weights.pth", f"sha256:{SHA256[:8]}")
    own_cache.mkdir()
    cache_path(known).write_bytes(b"something else")
    with pytest.raises(WeightsError, match=r"some-weights\.pth: its SHA256 begins with") as caught:
        fetch_weights(known, offline=True)
    assert "ava-detect models fetch some-weights --overwrite" in caught.value.hint


def test_a_file_that_changed_after_it_came_is_refused(server: tuple[Behaviour, str]) -> None:
    path = fetch_weights(entry(server[1]))
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(WeightsError, match=r"differs from the recorded digest"):
        fetch_weights(entry(server[1]), offline=True)


def test_the_cache_tells_which_files_are_as_they_came(server: tuple[Behaviour, str], own_cache: Path) -> None:
    assert list(cached_files()) == []
    path = fetch_weights(entry(server[1]))
    (file,) = cached_files()
    assert (file.path, file.sha256, file.digest_matches()) == (path, SHA256, True)
    path.write_bytes(b"changed")
    assert not file.digest_matches()
    path.unlink()
    assert list(cached_files()) == []


def test_a_damaged_note_of_a_digest_counts_as_none(own_cache: Path) -> None:
    own_cache.mkdir()
    (own_cache / "x.pth").write_bytes(b"x")
    (own_cache / "x.pth.sha256").write_bytes(b"\xff\xfe nonsense")
    assert recorded_digest(own_cache / "x.pth") == ""
    assert list(cached_files()) == []


def test_the_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_dir() == tmp_path / "cache"
    monkeypatch.delenv("AVA_DETECT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "ava-detect"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "ava-detect"


def test_two_at_once_download_once(server: tuple[Behaviour, str]) -> None:
    behaviour, url = server
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(fetch_weights(entry(url)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [cache_path(entry(url))] * 4
    assert behaviour.asked == [""]
