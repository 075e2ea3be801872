"""Download one file: with progress, resumed when broken, checked, and under its name only when complete.

The bytes that have arrived are kept in ``NAME.part`` with a note of the server's version of the file
(``NAME.part.version``: its ETag or date), so that the next attempt, now or tomorrow, goes on where this one
stopped. A server that cannot resume, or that has another version by then, makes it start again.

Reference: RFC 9110, sections 13.1.5 (If-Range) and 14 (range requests).
"""

import http.client
import logging
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from ava_detect import __version__
from evaluation.errors import WeightsError

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes in all (None: the server does not say)."""

_CHUNK = 2**18
_TIMEOUT_S = 30.0
_ATTEMPTS = 4  # in a row that bring nothing
_MAX_BYTES = 16 * 2**30  # no weights file comes near it; a server that never ends must not fill the disk

log = logging.getLogger(__name__)


class DownloadError(WeightsError):
    """A file could not be had from its address; the message says why, and callers add the address."""


def download(url: str, target: Path, *, progress: Progress | None = None, wait_s: float = 1.0) -> Path:
    """Fetch ``url`` into ``target``.part; the caller checks it and gives it its name.

    Args:
        url: http or https.
        target: where the file will be; its folder exists.
        progress: called after every piece.
        wait_s: pause before another attempt, doubled each time that nothing has come.

    Returns:
        The complete, unchecked ``target``.part.

    Raises:
        DownloadError: the server cannot be reached, has no such file, or breaks off again and again.
    """
    if not url.startswith(("https://", "http://")):
        raise DownloadError("only http and https addresses are fetched")
    part = target.with_name(target.name + ".part")
    failures, reason = 0, ""
    while failures < _ATTEMPTS:
        if failures:
            log.info("%s: %s; trying again", url, reason)
            time.sleep(wait_s * 2 ** (failures - 1))
        before = _size(part)
        try:
            if _transfer(url, part, progress):
                _version_note(part).unlink(missing_ok=True)
                return part
            reason = f"the connection broke off after {_size(part):,} bytes"
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and before:
                discard(part)  # the file on the server is shorter than what we have: another one
            elif error.code < 500:
                raise DownloadError(f"the server answers {error.code} {error.reason}") from error
            reason = f"the server answers {error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:  # URLError and timeouts are OSErrors
            cause = getattr(error, "reason", error)
            reason = str(cause) or type(cause).__name__
            if isinstance(cause, socket.gaierror):
                raise DownloadError(f"{urlsplit(url).hostname} is not known ({cause.strerror})") from error
        failures = 1 if _size(part) > before else failures + 1
    raise DownloadError(reason)


def discard(part: Path) -> None:
    """Throw away what has arrived."""
    part.unlink(missing_ok=True)
    _version_note(part).unlink(missing_ok=True)


def _transfer(url: str, part: Path, progress: Progress | None) -> bool:
    """Take the file, or the rest of it; return whether it is complete."""
    start, version = _size(part), _noted_version(part)
    headers = {"User-Agent": f"ava-detect/{__version__}", "Accept-Encoding": "identity"}
    if start and version:
        headers |= {"Range": f"bytes={start}-", "If-Range": version}
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            discard(part)
            raise DownloadError("the server sent another part of the file than asked for")
        start = start if resumed else 0
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else None
        _check_room(part, (total or 0) - start, total)
        _note_version(part, response.headers.get("ETag", "") or response.headers.get("Last-Modified", ""))
        with part.open("ab" if resumed else "wb") as file:
            done = _copy(response, file, start, total, progress)
    return total is None or done == total


def _copy(source: BinaryIO, file: BinaryIO, done: int, total: int | None, progress: Progress | None) -> int:
    """Copy up to the announced end; what a broken connection has brought stays."""
    while chunk := source.read(_CHUNK):
        file.write(chunk)
        done += len(chunk)
        if done > _MAX_BYTES:
            raise DownloadError(f"more than {_MAX_BYTES:,} bytes came; that is no weights file")
        if progress is not None:
            progress(done, total)
    return done


def _check_room(part: Path, needed: int, total: int | None) -> None:
    free = shutil.disk_usage(part.parent).free
    if total is not None and (total > _MAX_BYTES or needed > free):
        raise DownloadError(f"{needed:,} bytes are to come, and {free:,} are free in {part.parent}")


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _version_note(part: Path) -> Path:
    return part.with_name(part.name + ".version")


def _noted_version(part: Path) -> str:
    note = _version_note(part)
    return note.read_text(encoding="utf-8", errors="replace").strip() if note.is_file() else ""


def _note_version(part: Path, version: str) -> None:
    """Weak ETags do not promise equal bytes, so that they cannot be resumed by (RFC 9110, 13.1.5)."""
    if version and not version.startswith("W/"):
        _version_note(part).write_text(version, encoding="utf-8")
    else:
        _version_note(part).unlink(missing_ok=True)
