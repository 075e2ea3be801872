"""Find and download the Detectron2 source archive wherever pip is set to look for packages.

``pip download`` cannot do it: pip always builds an archive's metadata, and this one's ``setup.py`` imports
torch and names a requirement by URL, which current pip refuses. So the index page is read here: HTTP(S) and
``file:`` indexes of the simple-repository kind (PEP 503), folders and pages given as ``find-links``.
"""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit
from urllib.request import url2pathname

from evaluation.errors import AvaDetectError
from person_detector.detectron2_build.download import Downloader, with_credentials_of, without_credentials
from person_detector.detectron2_build.patches import RELEASE
from person_detector.detectron2_build.pip_settings import PipSettings
from person_detector.detectron2_build.repack import SDIST, check_digest

_FILE_NAME = re.compile(rf"pb1[-_.]detectron2-{re.escape(RELEASE)}\.tar\.gz")


def fetch_sdist(settings: PipSettings) -> tuple[bytes, str]:
    """Return the source archive and the address it came from.

    Raises:
        AvaDetectError: no index has it, or what they serve is not the pinned release; all reasons are named.
    """
    downloader = Downloader(settings)
    indexes = [f"{index.rstrip('/')}/{SDIST}/" for index in settings.index_urls]
    reasons = []
    for page in [*indexes, *map(_as_url, settings.find_links)]:
        try:
            link = _find_archive(downloader, page)
            archive = downloader.read(link).content
            check_digest(archive, without_credentials(link))
            return archive, without_credentials(link)
        except (OSError, ValueError, AvaDetectError) as error:
            reasons.append(f"{without_credentials(page)}: {error}")
    found = "; ".join(reasons) or "pip is set to use none"
    raise AvaDetectError(
        f"{SDIST} {RELEASE} cannot be had from the package index: {found}",
        hint="Is the network there, and is pip's index right (pip config list)? Without a network, fetch\n"
        f"{SDIST}-{RELEASE}.tar.gz elsewhere, then: python -m person_detector.install --sdist FILE",
    )


def _find_archive(downloader: Downloader, page: str) -> str:
    """Return the archive's address from an index page, a page of links or a folder of files.

    Raises:
        OSError: the page cannot be read, or does not list it.
    """
    folder = Path(url2pathname(urlsplit(page).path)) if page.startswith("file:") else None
    if folder and folder.is_dir():
        page = page.rstrip("/") + "/"
        if (folder / "index.html").is_file():
            page += "index.html"
        else:
            return _pick(page, [urljoin(page, quote(entry.name)) for entry in folder.iterdir()])
    reply = downloader.read(page)
    parser = _LinkParser()
    parser.feed(reply.content.decode("utf-8", "replace"))
    base = urljoin(reply.address, parser.base)
    return _pick(reply.address, [urljoin(base, link) for link in parser.links])


def _pick(page: str, links: Sequence[str]) -> str:
    for link in links:
        if _FILE_NAME.fullmatch(unquote(urlsplit(link).path).rpartition("/")[2]):
            return with_credentials_of(page, urldefrag(link).url)
    raise FileNotFoundError(f"does not list {SDIST}-{RELEASE}.tar.gz")


class _LinkParser(HTMLParser):
    """Collects the addresses of a page's links."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the address of a link, or the page's base address."""
        address = dict(attrs).get("href")
        if address and tag == "a":
            self.links.append(address)
        elif address and tag == "base":
            self.base = address


def _as_url(location: str) -> str:
    """Return a ``find-links`` entry, an address or a path, as an address."""
    if re.match(r"(https?|file):", location):
        return location
    return Path(location).expanduser().absolute().as_uri()
