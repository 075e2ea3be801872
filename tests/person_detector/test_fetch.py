"""The source archive from package indexes of all kinds, with pip's settings; a local server is the index."""

import base64
import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from evaluation.errors import AvaDetectError
from person_detector.detectron2_build import pip_settings, repack
from person_detector.detectron2_build.fetch import fetch_sdist
from person_detector.detectron2_build.pip_settings import DEFAULT_INDEX, PipSettings, read_pip_settings

ARCHIVE = b"the archive"
NAME = "pb1-detectron2-0.6.tar.gz"
Answer = tuple[int, dict[str, str], bytes]


class Index:
    """An HTTP server whose answers are a dictionary from path to answers, given one after the other."""

    def __init__(self) -> None:
        self.pages: dict[str, list[Answer]] = {}
        self.authorizations: list[str | None] = []
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.authorizations.append(self.headers.get("Authorization"))
                answers = index.pages.get(self.path, [(404, {}, b"")])
                status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"

    def settings(self, path: str = "/simple") -> PipSettings:
        return PipSettings(index_urls=(f"http://{self.host}{path}",), timeout_s=10)

    def add(self, path: str, body: bytes | str, status: int = 200, **headers: str) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.pages.setdefault(path, []).append((status, headers, content))


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    monkeypatch.setenv("no_proxy", "*")
    server = Index()
    yield server
    server.server.shutdown()


@pytest.fixture(autouse=True)
def _pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pin the digest of the test's archive."""
    monkeypatch.setattr(repack, "SDIST_SHA256", hashlib.sha256(ARCHIVE).hexdigest())


def link(address: str, text: str = NAME) -> str:
    return f'<a href="{address}" data-requires-python="&gt;=3.6">{text}</a>'


def test_the_archive_is_found_on_the_index_page(index: Index):
    older, wanted = link("pb1-detectron2-0.5.tar.gz"), link(f"../../f/{NAME}#sha256=00")
    index.add("/simple/pb1-detectron2/", older + wanted)
    index.add(f"/f/{NAME}", ARCHIVE)
    assert fetch_sdist(index.settings()) == (ARCHIVE, f"http://{index.host}/f/{NAME}")


@pytest.mark.parametrize(
    "address", ["pb1_detectron2-0.6.tar.gz", "pb1-detectron2-0%2E6.tar.gz", "/simple/pb1-detectron2/" + NAME]
)
def test_names_are_recognised_in_all_their_spellings(index: Index, address: str):
    index.add("/simple/pb1-detectron2/", link(address))
    index.add("/simple/pb1-detectron2/" + address.rpartition("/")[2], ARCHIVE)
    assert fetch_sdist(index.settings("/simple/"))[0] == ARCHIVE


def test_links_are_relative_to_where_a_redirection_leads(index: Index):
    index.add("/simple/pb1-detectron2/", "", 302, Location="/mirror/deep/")
    index.add("/mirror/deep/", link(NAME))
    index.add(f"/mirror/deep/{NAME}", ARCHIVE)
    assert fetch_sdist(index.settings())[0] == ARCHIVE


def test_links_are_relative_to_the_pages_base(index: Index):
    index.add("/simple/pb1-detectron2/", f'<base href="/elsewhere/">{link(NAME)}')
    index.add(f"/elsewhere/{NAME}", ARCHIVE)
    assert fetch_sdist(index.settings())[0] == ARCHIVE


def test_a_server_that_stumbles_is_asked_again(index: Index):
    index.add("/simple/pb1-detectron2/", "", 503)
    index.add("/simple/pb1-detectron2/", link(NAME))
    index.add(f"/simple/pb1-detectron2/{NAME}", ARCHIVE)
    assert fetch_sdist(index.settings())[0] == ARCHIVE


def test_user_and_password_of_the_index_are_sent_to_it_and_not_shown(index: Index):
    index.add("/simple/pb1-detectron2/", link(NAME))
    index.add(f"/simple/pb1-detectron2/{NAME}", ARCHIVE)
    settings = PipSettings(index_urls=(f"http://me:se%40cret@{index.host}/simple",), timeout_s=10)
    _, source = fetch_sdist(settings)
    expected = "Basic " + base64.b64encode(b"me:se@cret").decode()
    assert index.authorizations == [expected, expected]
    assert "cret" not in source


def test_the_password_is_not_sent_to_another_host(index: Index, monkeypatch: pytest.MonkeyPatch):
    other = Index()
    index.add("/simple/pb1-detectron2/", link(f"http://{other.host}/{NAME}"))
    other.add(f"/{NAME}", ARCHIVE)
    settings = PipSettings(index_urls=(f"http://me:secret@{index.host}/simple",), timeout_s=10)
    assert fetch_sdist(settings)[0] == ARCHIVE
    assert other.authorizations == [None]
    other.server.shutdown()


def test_an_index_that_is_a_folder_of_pages_is_read(tmp_path: Path):
    page = tmp_path / "simple" / "pb1-detectron2"
    page.mkdir(parents=True)
    (page / "index.html").write_text(link(f"../../files/{NAME}"))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / NAME).write_bytes(ARCHIVE)
    assert fetch_sdist(PipSettings(index_urls=((tmp_path / "simple").as_uri(),)))[0] == ARCHIVE


@pytest.mark.parametrize("as_url", [False, True])
def test_folders_of_files_are_searched(tmp_path: Path, as_url: bool):
    folder = tmp_path / "wheels of mine"
    folder.mkdir()
    (folder / NAME).write_bytes(ARCHIVE)
    place = folder.as_uri() if as_url else str(folder)
    assert fetch_sdist(PipSettings(index_urls=(), find_links=(place,)))[0] == ARCHIVE


def test_the_next_place_is_tried_when_one_has_another_file(index: Index, tmp_path: Path):
    index.add("/simple/pb1-detectron2/", link(NAME))
    index.add(f"/simple/pb1-detectron2/{NAME}", b"another archive")
    (tmp_path / NAME).write_bytes(ARCHIVE)
    settings = PipSettings(index_urls=index.settings().index_urls, find_links=(str(tmp_path),), timeout_s=10)
    assert fetch_sdist(settings)[0] == ARCHIVE


def refusal(settings: PipSettings, match: str) -> AvaDetectError:
    with pytest.raises(AvaDetectError, match=match) as error:
        fetch_sdist(settings)
    assert "\n" not in str(error.value)
    assert "--sdist FILE" in error.value.hint
    return error.value


def test_an_archive_with_another_digest_is_refused(index: Index):
    index.add("/simple/pb1-detectron2/", link(NAME))
    index.add(f"/simple/pb1-detectron2/{NAME}", b"another archive")
    refusal(index.settings(), "not the pinned pb1-detectron2 0.6: SHA-256 is [0-9a-f]{64}, expected")


def test_every_place_that_was_tried_is_named(index: Index, tmp_path: Path):
    index.add("/simple/pb1-detectron2/", "<html>no links</html>")
    missing = tmp_path / "missing"
    settings = PipSettings(
        index_urls=(f"http://{index.host}/simple", f"http://{index.host}/nowhere"),
        find_links=(str(missing),),
        timeout_s=10,
    )
    message = str(refusal(settings, "does not list pb1-detectron2-0.6.tar.gz"))
    assert f"http://{index.host}/nowhere/pb1-detectron2/: HTTP 404" in message
    assert f"{missing.as_uri()}: " in message


def test_a_server_that_is_not_there_is_named():
    refusal(PipSettings(index_urls=("http://127.0.0.1:9/simple",), timeout_s=5), "127.0.0.1:9/.*refused")


def test_no_index_at_all_is_said():
    refusal(PipSettings(index_urls=()), "pip is set to use none")


def test_a_page_that_never_ends_is_not_read_to_the_end(index: Index, monkeypatch: pytest.MonkeyPatch):
    from person_detector.detectron2_build import download

    monkeypatch.setattr(download, "_MAX_BYTES", 1000)
    index.add("/simple/pb1-detectron2/", "x" * 2000)
    refusal(index.settings(), "more than 1,000 bytes")


def forget_pip_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("PIP_")]:
        monkeypatch.delenv(name)


def answer_of_pip(monkeypatch: pytest.MonkeyPatch, report: str) -> None:
    """Let pip report other configuration files than this machine's."""
    printed = subprocess.CompletedProcess([], 0, stdout=report, stderr="")
    monkeypatch.setattr(pip_settings, "run_pip", lambda *_, **__: printed)


def pip_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Forget this machine's pip variables; return a function that writes a configuration file."""
    forget_pip_variables(monkeypatch)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    return (tmp_path / "pip.conf").write_text


def test_pips_configuration_file_is_honoured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    pip_environment(monkeypatch, tmp_path)(
        "[global]\nindex-url = http://a/simple\nextra-index-url =\n    http://b/simple\n    http://c/simple\n"
        "cert = /certs/own.pem\ntimeout = 60\n[install]\ntrusted-host = a\nindex-url = http://d/simple\n"
    )
    settings = read_pip_settings()
    assert settings.index_urls == ("http://d/simple", "http://b/simple", "http://c/simple")
    assert settings.certificate == "/certs/own.pem"
    assert settings.trusted_hosts == ("a",)
    assert settings.timeout_s == 60


def test_the_environment_wins_over_the_configuration_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    pip_environment(monkeypatch, tmp_path)("[install]\nindex-url = http://file/simple\n")
    monkeypatch.setenv("PIP_INDEX_URL", "http://environment/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels http://links/")
    settings = read_pip_settings()
    assert settings.index_urls == ("http://environment/simple",)
    assert settings.find_links == ("/wheels", "http://links/")


def test_the_file_of_the_virtual_environment_wins_over_the_machines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name, index in (("machine", "http://machine/"), ("own folder", "http://venv/")):
        (tmp_path / f"{name}.conf").write_text(
            f"[global]\nindex-url = {index}\nproxy = http://{name[:3]}:1\n"
        )
    (tmp_path / "user.conf").write_text("[global]\nproxy = http://user:1\nindex_url = http://underscore/\n")
    report = (
        "env_var:\nenv:\nglobal:\n"
        f"  /etc/xdg/pip/pip.conf, exists: False\n  {tmp_path}/machine.conf, exists: True\n"
        f"    global.index-url: http://machine/\nsite:\n  {tmp_path}/own folder.conf, exists: True\n"
        f"user:\n  {tmp_path}/user.conf, exists: True\n"
    )
    forget_pip_variables(monkeypatch)
    answer_of_pip(monkeypatch, report)
    settings = read_pip_settings()
    assert settings.index_urls == ("http://venv/",)
    assert settings.proxy == "http://own:1"


def test_no_index_leaves_the_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    pip_environment(monkeypatch, tmp_path)("[global]\nno-index = true\nfind-links = /wheels\n")
    settings = read_pip_settings()
    assert settings.index_urls == ()
    assert settings.find_links == ("/wheels",)


def test_without_settings_pips_own_index_is_used(monkeypatch: pytest.MonkeyPatch):
    forget_pip_variables(monkeypatch)
    answer_of_pip(monkeypatch, "env_var:\nenv:\nglobal:\n")
    assert read_pip_settings() == PipSettings(index_urls=(DEFAULT_INDEX,))
