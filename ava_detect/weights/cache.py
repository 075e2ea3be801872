"""The folder with the downloaded weights, and the digests by which their files are known again.

A file lies there under the name that ``ava-detect models info`` shows, so it can also be put there by hand.
Beside it stands ``FILE.sha256`` with the digest that it had when it first arrived, in the form of the
``sha256sum`` program: ``sha256sum -c *.sha256`` checks the folder without this project.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluation.atomic import atomic_path

_CHUNK = 2**20
_DIGEST_SUFFIX = ".sha256"


def cache_dir() -> Path:
    """Return the folder of downloaded weights: ``AVA_DETECT_CACHE``, else ``~/.cache/ava-detect``."""
    chosen = os.environ.get("AVA_DETECT_CACHE", "")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "ava-detect"


@dataclass(frozen=True)
class CachedFile:
    """A downloaded file and its recorded SHA-256."""

    path: Path
    sha256: str

    def digest_matches(self) -> bool:
        """Read the file and compare; seconds for large files."""
        return file_digest(self.path, "sha256") == self.sha256


def cached_files() -> Iterator[CachedFile]:
    """Yield the files of the cache whose digest is recorded, by name."""
    folder = cache_dir()
    if not folder.is_dir():
        return
    for note in sorted(folder.glob(f"*{_DIGEST_SUFFIX}")):
        path = note.with_name(note.name.removesuffix(_DIGEST_SUFFIX))
        recorded = recorded_digest(path)
        if recorded and path.is_file():
            yield CachedFile(path, recorded)


def recorded_digest(path: Path) -> str:
    """Return the recorded SHA-256 of a file, "" if there is none."""
    try:
        text = _note(path).read_text(encoding="utf-8", errors="replace")[:4096]
    except OSError:
        return ""
    found = re.match(r"[0-9a-f]{64}(?= )", text)
    return found[0] if found else ""


def record_digest(path: Path, sha256: str) -> None:
    """Write down the SHA-256 of a file beside it."""
    with atomic_path(_note(path)) as temporary:
        temporary.write_text(f"{sha256}  {path.name}\n", encoding="utf-8")


def file_digest(path: Path, algorithm: str) -> str:
    """Return the hexadecimal digest of a file's content.

    Args:
        path: of the file.
        algorithm: "sha256", or "md5" where a publisher has nothing better.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _note(path: Path) -> Path:
    return path.with_name(path.name + _DIGEST_SUFFIX)
