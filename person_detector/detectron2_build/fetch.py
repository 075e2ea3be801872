"""Download the Detectron2 source archive from wherever pip is set to look for packages.

``pip download`` cannot do it: pip always builds an archive's metadata, and this one's ``setup.py`` imports
torch and names a requirement by URL, which current pip refuses. So the index page is read here: HTTP(S) and
``file:`` indexes of the simple-repository kind (PEP 503), folders and pages given as ``find-links``.
"""

import base64
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

from evaluation.errors import AvaDetectError
from person_detector.detectron2_build.patches import RELEASE
from person_detector.detectron2_build.pip_settings import PipSettings
from person_detector.detectron2_build.repack import SDIST, check_digest

_FILE_NAME = re.compile(rf"pb1[-_.]detectron2-{re.escape(RELEASE)}\.tar\.gz")
_MAX_BYTES = 20_000_000  # the archive has half a megabyte; a page that never ends shall not fill the memory
_TRIES = 3


def fetch_sdist(settings: PipSettings) -> tuple[bytes, str]:
    """Return the source archive and the address it came from.

    Raises:
        AvaDetectError: no index has it, or what they serve is not the pinned release; all reasons are named.
    """
    opener = _Opener(settings)
    pages = [f"{index.rstrip('/')}/{SDIST}/" for index in settings.index_urls]
    failures = []
    for page in [*pages, *map(_as_url, settings.find_links)]:
        try:
            link = _find_link(opener, page)
            archive = opener.read(link)
            check_digest(archive, _without_password(link))
            return archive, _without_password(link)
        except (OSError, ValueError, AvaDetectError) as error:
            failures.append(f"{_without_password(page)}: {error}")
    raise AvaDetectError(
        f"{SDIST} {RELEASE} cannot be had from the package index: "
        + "; ".join(failures or ["no index is set"]),
        hint="Is the network there, and is pip's index right (pip config list)? Without a network, fetch\n"
        f"{SDIST}-{RELEASE}.tar.gz elsewhere: python -m person_detector.install --sdist FILE",
    )


def _find_link(opener: "_Opener", page: str) -> str:
    """Return the archive's address from an index page, a page of links or a folder."""
    local = _local_path(page)
    if local and local.is_dir() and not (local / "index.html").is_file():
        names = [entry.name for entry in local.iterdir()]
        links = [urllib.parse.urljoin(page.rstrip("/") + "/", urllib.parse.quote(name)) for name in names]
    else:
        if local and local.is_dir():
            page = page.rstrip("/") + "/index.html"
        parser = _Links()
        parser.feed(opener.read(page).decode("utf-8", "replace"))
        base = urllib.parse.urljoin(page, parser.base)
        links = [urllib.parse.urljoin(base, link) for link in parser.links]
    for link in links:
        if _FILE_NAME.fullmatch(urllib.parse.unquote(Path(urllib.parse.urlsplit(link).path).name)):
            return _with_credentials_of(page, urllib.parse.urldefrag(link).url)
    raise FileNotFoundError(f"does not list {SDIST}-{RELEASE}.tar.gz")


class _Links(HTMLParser):
    """Collects the addresses of a page's links."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get("href")
        if address and tag == "a":
            self.links.append(address)
        elif address and tag == "base":
            self.base = address


class _Opener:
    """Reads addresses with pip's certificates, proxy, timeout and trusted hosts."""

    def __init__(self, settings: PipSettings) -> None:
        self._settings = settings
        self._proxies = [urllib.request.ProxyHandler()]  # http_proxy, https_proxy, no_proxy
        if settings.proxy:
            self._proxies = [urllib.request.ProxyHandler({"http": settings.proxy, "https": settings.proxy})]

    def read(self, address: str) -> bytes:
        """Return the content at an address; tries again when the connection fails.

        Raises:
            OSError: the server refuses, cannot be reached, or sends more than this program expects.
        """
        for attempt in range(1, _TRIES + 1):
            try:
                return self._read_once(address)
            except urllib.error.HTTPError as error:
                if error.code < 500 or attempt == _TRIES:
                    raise OSError(f"HTTP {error.code} {error.reason}") from None
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                reason = getattr(error, "reason", error)
                permanent = isinstance(reason, (ssl.SSLCertVerificationError, FileNotFoundError))
                if permanent or attempt == _TRIES:
                    raise OSError(str(reason)) from None
        raise AssertionError("the last attempt returns or raises")

    def _read_once(self, address: str) -> bytes:
        parts = urllib.parse.urlsplit(address)
        accept = "application/vnd.pypi.simple.v1+html, text/html;q=0.5, */*;q=0.1"
        request = urllib.request.Request(_without_password(address), headers={"Accept": accept})
        if parts.username:
            pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
            request.add_unredirected_header(
                "Authorization", "Basic " + base64.b64encode(pair.encode()).decode()
            )
        https = urllib.request.HTTPSHandler(context=self._tls(parts))
        with urllib.request.build_opener(https, *self._proxies).open(
            request, timeout=self._settings.timeout_s
        ) as reply:
            content: bytes = reply.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise OSError(f"more than {_MAX_BYTES:,} bytes")
        return content

    def _tls(self, parts: urllib.parse.SplitResult) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if own := self._settings.certificate:
            context.load_verify_locations(**{"capath" if Path(own).is_dir() else "cafile": own})
        elif (bundle := _pip_certificates()) is not None:
            context.load_verify_locations(cafile=bundle)
        if self._settings.client_certificate:
            context.load_cert_chain(self._settings.client_certificate)
        if {parts.hostname, f"{parts.hostname}:{parts.port}"} & set(self._settings.trusted_hosts):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _pip_certificates() -> Path | None:
    """Return the certificate bundle that comes with pip: a bare system may have none of its own."""
    spec = find_spec("pip")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        bundle = Path(folder, "_vendor", "certifi", "cacert.pem")
        if bundle.is_file():
            return bundle
    return None


def _as_url(location: str) -> str:
    """Return a ``find-links`` entry, an address or a path, as an address."""
    return (
        location if re.match(r"(https?|file):", location) else Path(location).expanduser().absolute().as_uri()
    )


def _local_path(address: str) -> Path | None:
    parts = urllib.parse.urlsplit(address)
    return Path(urllib.request.url2pathname(parts.path)) if parts.scheme == "file" else None


def _without_password(address: str) -> str:
    """Return the address without user name and password, for messages and for the request line."""
    parts = urllib.parse.urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _with_credentials_of(page: str, link: str) -> str:
    """Return the link with the page's user name and password when both are on the same host."""
    there, here = urllib.parse.urlsplit(link), urllib.parse.urlsplit(page)
    same = (there.scheme, there.hostname, there.port) == (here.scheme, here.hostname, here.port)
    return there._replace(netloc=here.netloc).geturl() if same and not there.username else link
