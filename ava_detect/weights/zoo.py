"""From what a user types after ``--weights`` to the record of the weights, and from there to the file."""

import contextlib
import difflib
import hashlib
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ava_detect.weights.cache import cache_dir, file_digest, record_digest, recorded_digest
from ava_detect.weights.download import DownloadError, Progress, discard, download
from ava_detect.weights.zoo_detectors import DETECTORS
from ava_detect.weights.zoo_entry import DetectorForm, Kind, ZooEntry, form_of
from ava_detect.weights.zoo_mmaction2 import MMACTION2
from ava_detect.weights.zoo_pyslowfast import PYSLOWFAST
from ava_detect.weights.zoo_pytorchvideo import PYTORCHVIDEO
from evaluation.errors import WeightsError

if TYPE_CHECKING:
    from ava_detect.weights.detector_format import DetectorRecord

RECORDS = (*PYSLOWFAST, *PYTORCHVIDEO, *MMACTION2, *DETECTORS)
"""The published weights."""

DEFAULT_ACTIONS = "slowfast-r101-nl-8x8-ava22"
DEFAULT_PERSONS = "faster-rcnn-r50-fpn-coco"
EMBEDDED = "embedded"
"""The small models inside the package: for a try without a download."""

EMBEDDED_CAVEAT = (
    "The embedded models know drawn figures (docs/scenes.md) and nothing of the real world: "
    "what they say about real footage means nothing."
)

_EMBEDDED_FILES: dict[Kind, str] = {"actions": "actions.safetensors", "persons": "persons.safetensors"}
log = logging.getLogger(__name__)

_BY_NAME = {entry.name: entry for entry in RECORDS}
_BY_URL = {entry.url: entry for entry in RECORDS}


def find_weights(name: str | Path, *, kind: Kind | None = None) -> ZooEntry:
    """Find out what goes with weights.

    Args:
        name: a zoo name, a file, an http(s) address, or "embedded".
        kind: "actions" or "persons" where only one of them makes sense.

    Returns:
        The record. Of a file of ours what it carries inside; of another file or address only where it is, so
        that the user has to give the configuration.

    Raises:
        WeightsError: there is no such name or file, or it is of another kind.
    """
    text = str(name)
    if text == EMBEDDED:
        return _embedded(kind or "actions")
    if text in _BY_NAME:
        entry = _BY_NAME[text]
    elif text.startswith(("http://", "https://")):
        entry = _BY_URL.get(text) or _from_address(text)
    elif text and (_is_there(Path(text)) or _looks_like_file(text)):
        entry = _from_file(Path(text))
    else:
        raise WeightsError(
            f"{text or repr(text)}: no weights of this name, and no such file.{_nearest(text, kind)}",
            hint=_LIST,
        )
    _check_kind(entry, kind)
    return entry


def fetch_weights(
    entry: ZooEntry, *, offline: bool = False, progress: Progress | None = None, overwrite: bool = False
) -> Path:
    """Return the file of a record; download it into the cache if it is not there.

    Args:
        entry: from ``find_weights``.
        offline: never open a connection; the environment variable ``AVA_DETECT_OFFLINE=1`` says the same.
        progress: called with the bytes that are there and the bytes in all (None: unknown).
        overwrite: download it again even if it is there.

    Raises:
        WeightsError: it cannot be had; the message says from where, and where to put it by hand.
    """
    if entry.path is not None:
        return entry.path
    target = cache_path(entry)
    with _folder(target.parent), _lock(target):
        if target.is_file() and not overwrite:
            _check_present(entry, target)
            return target
        if offline or _is_offline():
            raise _cannot_be_had(entry, target, "downloads are forbidden (--offline or AVA_DETECT_OFFLINE)")
        log.info("%s: downloading %s", entry.name, entry.url)
        try:
            part = download(entry.url, target, progress=progress)
        except DownloadError as error:
            raise _cannot_be_had(entry, target, str(error)) from error
        wrong = _wrong_digest(entry, part)
        if wrong:
            discard(part)
            raise _cannot_be_had(entry, target, f"{wrong}; the download was thrown away")
        record_digest(target, file_digest(part, "sha256"))
        part.replace(target)
    return target


def cache_path(entry: ZooEntry) -> Path:
    """Return where the file of a record is, or will be, in the cache."""
    return entry.path or cache_dir() / entry.file_name


def is_cached(entry: ZooEntry) -> bool:
    """Tell whether the file of a record is there."""
    return cache_path(entry).is_file()


_LIST = "ava-detect models list shows the names; a file of yours needs its suffix or a folder."


def _embedded(kind: Kind) -> ZooEntry:
    file = resources.files("ava_detect.weights") / EMBEDDED / _EMBEDDED_FILES.get(kind, "")
    path = Path(str(file))
    if not path.is_file():
        raise WeightsError(
            f"{EMBEDDED}: this installation has no embedded weights ({path} is missing).",
            hint="Take published ones: ava-detect models list",
        )
    entry = _from_file(path, name=EMBEDDED)
    return replace(entry, kind=kind, publisher="ava-detect", caveat=EMBEDDED_CAVEAT)


def _from_file(path: Path, *, name: str = "") -> ZooEntry:
    """Describe a file: all that a file of ours carries, of another one its place only."""
    from ava_detect.weights.detector_format import read_detector_record
    from ava_detect.weights.own_format import read_enclosed  # needs torch; ``models list`` does not

    enclosed = read_enclosed(path)
    if enclosed is None:
        record = read_detector_record(path)
        if record is not None:
            return _detector(record, path, name or path.name)
        return ZooEntry(name or path.name, "unknown", path=path)
    return ZooEntry(
        name or path.name,
        "actions" if enclosed.config.DETECTION.ENABLE else "clips",
        publisher="ava-detect",
        path=path,
        note=enclosed.source,
        action=form_of(enclosed.config),
        enclosed_config=enclosed.config,
        enclosed_labels=enclosed.label_map,
    )


def _detector(record: "DetectorRecord", path: Path, name: str) -> ZooEntry:
    """Describe a file of a person detector that was trained here."""
    form = DetectorForm(
        f"{path} (configuration inside)",
        record.classes,
        record.person_class,
        record.score_threshold,
        enclosed_config=record.config,
    )
    return ZooEntry(
        name,
        "persons",
        publisher="ava-detect",
        path=path,
        result=record.result,
        note=record.source,
        persons=form,
    )


def _from_address(url: str) -> ZooEntry:
    """Name the file after the address, and apart from others of the same name."""
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", PurePosixPath(urlsplit(url).path).stem)[:60] or "weights"
    return ZooEntry(f"{stem}-{hashlib.sha256(url.encode()).hexdigest()[:8]}", "unknown", url=url)


def _is_there(path: Path) -> bool:
    try:
        return path.exists() or path.is_symlink()
    except OSError:  # a name that is too long for a file
        return False


def _looks_like_file(text: str) -> bool:
    return "/" in text or os.sep in text or Path(text).suffix.lower() in _SUFFIXES


_SUFFIXES = (".safetensors", ".pyth", ".pth", ".pt", ".pkl", ".ckpt", ".bin")


def _nearest(text: str, kind: Kind | None) -> str:
    names = [entry.name for entry in RECORDS if kind is None or entry.kind == kind]
    near = difflib.get_close_matches(text.lower().replace("_", "-"), names, n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _check_kind(entry: ZooEntry, kind: Kind | None) -> None:
    if kind is None or entry.kind in (kind, "unknown"):
        return
    does = {"actions": "scores actions", "clips": "classifies whole clips", "initial": "begins a training"}
    is_what = does.get(entry.kind, "finds people")
    wanted = "a person detector" if kind == "persons" else "an action model for people in boxes"
    names = [each.name for each in RECORDS if each.kind == kind]
    raise WeightsError(f"{entry.name} {is_what}; {wanted} is expected.", hint=f"For example: {names[0]}")


def _is_offline() -> bool:
    return os.environ.get("AVA_DETECT_OFFLINE", "").lower() not in ("", "0", "false", "no")


def _cannot_be_had(entry: ZooEntry, target: Path, reason: str) -> WeightsError:
    """Say what is missing, why, and the three ways out."""
    flag = "--detector-weights" if entry.persons else "--weights"
    return WeightsError(
        f"{entry.name}: the weights are not here and cannot be downloaded: {reason}.",
        hint=f"Get    {entry.url}\nand put it at {target}\nor try without: {flag} {EMBEDDED}",
    )


def _check_present(entry: ZooEntry, target: Path) -> None:
    """Check a file in the cache: against its recorded digest, or, put there by hand, the published one."""
    recorded, found = recorded_digest(target), file_digest(target, "sha256")
    wrong = _wrong_digest(entry, target) if not recorded else ""
    if recorded and recorded != found:
        wrong = f"its SHA-256 {found[:16]}... differs from the recorded digest {recorded[:16]}..."
    if wrong:
        raise WeightsError(
            f"{target}: {wrong}.",
            hint=f"Remove it, or fetch it again: ava-detect models fetch {entry.name} --overwrite",
        )
    if not recorded:
        record_digest(target, found)


def _wrong_digest(entry: ZooEntry, path: Path) -> str:
    """Compare a file with the published digest; return what is wrong, "" if nothing is."""
    if not entry.digest:
        return ""
    algorithm, _, published = entry.digest.partition(":")
    found = file_digest(path, algorithm)
    if found.startswith(published):
        return ""
    return (
        f"its {algorithm.upper()} begins with {found[: len(published)]}, the published one with {published}"
    )


@contextlib.contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Make the cache folder; turn what the system says about it into a message."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise WeightsError(
            f"{folder}: cannot be used as the cache of weights ({error.strerror or error}).",
            hint="Choose another folder: AVA_DETECT_CACHE=DIR",
        ) from error


@contextlib.contextmanager
def _lock(target: Path) -> Iterator[None]:
    """Let one process at a time fetch a file; the others wait and find it there."""
    try:
        import fcntl
    except ImportError:  # Windows: two processes that fetch the same file at once would each fetch it
        yield
        return
    with target.with_name(f".{target.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
