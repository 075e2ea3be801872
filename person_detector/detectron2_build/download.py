"""Read files and index pages as pip would: with its certificates, proxy, trusted hosts and timeout."""

import base64
import http.client
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from person_detector.detectron2_build.pip_settings import PipSettings

_MAX_BYTES = 20_000_000  # a page that never ends shall not fill the memory
_TRIES = 3


@dataclass(frozen=True)
class Reply:
    """What an address gave: the content, and the address it came from after redirections."""

    content: bytes
    address: str


class Downloader:
    """Reads addresses with pip's settings."""

    def __init__(self, settings: PipSettings) -> None:
        self._settings = settings
        proxies = {"http": settings.proxy, "https": settings.proxy} if settings.proxy else None
        self._proxies = urllib.request.ProxyHandler(proxies)  # None: http_proxy, https_proxy, no_proxy

    def read(self, address: str) -> Reply:
        """Return what is at an address; tries again when the connection or the server fails.

        Raises:
            OSError: refused, not there, not reachable, or more than this program expects; in few words.
        """
        for attempt in range(1, _TRIES + 1):
            try:
                return self._read_once(address)
            except urllib.error.HTTPError as error:
                if error.code < 500 or attempt == _TRIES:
                    raise OSError(f"HTTP {error.code} {error.reason}") from None
            except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
                reason = getattr(error, "reason", error)
                hopeless = isinstance(reason, (ssl.SSLCertVerificationError, FileNotFoundError))
                if hopeless or attempt == _TRIES:
                    raise OSError(str(reason) or type(reason).__name__) from None
        raise AssertionError("the last attempt returns or raises")

    def _read_once(self, address: str) -> Reply:
        parts = urllib.parse.urlsplit(address)
        accept = "application/vnd.pypi.simple.v1+html, text/html;q=0.5, */*;q=0.1"
        request = urllib.request.Request(without_credentials(address), headers={"Accept": accept})
        if parts.username:
            pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
            encoded = base64.b64encode(pair.encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {encoded}")
        https = urllib.request.HTTPSHandler(context=self._tls(parts))
        opener = urllib.request.build_opener(https, self._proxies)
        with opener.open(request, timeout=self._settings.timeout_s) as reply:
            content: bytes = reply.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise OSError(f"more than {_MAX_BYTES:,} bytes")
        return Reply(content, with_credentials_of(address, reply.url))

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


def without_credentials(address: str) -> str:
    """Return the address without user name and password, for messages and request lines."""
    parts = urllib.parse.urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def with_credentials_of(page: str, link: str) -> str:
    """Return the link with the page's user name and password if both are on the same host."""
    here, there = urllib.parse.urlsplit(page), urllib.parse.urlsplit(link)
    same = (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
    return there._replace(netloc=here.netloc).geturl() if same and not there.username else link


def _pip_certificates() -> Path | None:
    """Return the certificate bundle that comes with pip: a bare system may have none of its own."""
    spec = find_spec("pip")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        bundle = Path(folder, "_vendor", "certifi", "cacert.pem")
        if bundle.is_file():
            return bundle
    return None
