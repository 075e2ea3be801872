"""A folder of prepared copies: what is done is kept, what is missing is made, by several processes.

::

    FOLDER/ID.mp4 ...
    FOLDER/prepared.json    settings of the copies; of each: its original's stamp, what it takes

A copy is made anew when its original has changed. A copy that the record does not know (the run was killed in
between) is made again, too.
"""

import json
import multiprocessing
import signal
import sys
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path

from ava_detect.data.preparation import CopySettings, VideoCopy, copy_video
from evaluation.atomic import atomic_path
from evaluation.errors import AvaDetectError, DataError, VideoError

RECORD_NAME = "prepared.json"
_VERSION = 1  # of the record and of how copies are made


@dataclass(frozen=True)
class Prepared:
    """A copy that is there: ``copy`` says what it takes, ``is_new`` whether this run made it."""

    video_id: str
    copy: VideoCopy
    is_new: bool


@dataclass(frozen=True)
class NotPrepared:
    """A video of which no copy can be made, and why."""

    video_id: str
    reason: str


class PreparedFolder:
    """Makes and completes a folder of copies.

    Args:
        folder: made when it does not exist.
        settings: of all its copies.

    Raises:
        DataError: the folder cannot be used, or holds copies with other settings.
    """

    def __init__(self, folder: Path, settings: CopySettings) -> None:
        self.folder, self._settings = folder, settings
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{folder}: cannot be made ({error.strerror or error})") from error
        self._stamps, self._copies = _read_record(folder / RECORD_NAME, settings)

    def complete(self, videos: Mapping[str, Path], *, workers: int = 1) -> Generator[Prepared | NotPrepared]:
        """Make the copies that are missing; yields one result per video, those that are there first.

        When the caller stops early, processes end and unfinished copies are removed.

        Args:
            videos: originals by id.
            workers: processes; the copies do not depend on it.

        Raises:
            DataError: the record cannot be written, or a process died.
        """
        missing = {}
        for video_id, source in videos.items():
            if self._is_there(video_id, source):
                yield Prepared(video_id, self._copies[video_id], is_new=False)
            else:
                missing[video_id] = source
        for video_id, made in self._make(missing, workers):
            if isinstance(made, VideoCopy):
                self._stamps[video_id], self._copies[video_id] = _stamp(videos[video_id]), made
                self._write_record()
                yield Prepared(video_id, made, is_new=True)
            else:
                yield NotPrepared(video_id, made)

    def _is_there(self, video_id: str, source: Path) -> bool:
        copy = self._copies.get(video_id)
        target = self._target(video_id)
        return (
            copy is not None
            and target.is_file()
            and target.stat().st_size == copy.bytes_after
            and source.is_file()
            and self._stamps[video_id] == _stamp(source)
        )

    def _target(self, video_id: str) -> Path:
        return self.folder / f"{video_id}.mp4"

    def _make(self, videos: Mapping[str, Path], workers: int) -> Iterator[tuple[str, VideoCopy | str]]:
        """Yield (id, copy or the reason why there is none) in the order in which they are finished."""
        jobs = iter(videos.items())
        running: dict[Future[VideoCopy | str], str] = {}
        context = multiprocessing.get_context("spawn")  # inherits no threads of OpenCV or torch
        executor = ProcessPoolExecutor(
            max(1, min(workers, len(videos))), mp_context=context, initializer=_prepare_worker
        )
        try:
            while True:
                # Only as many as can run: what waits in the executor's queue could not be called back.
                while len(running) < workers and (job := next(jobs, None)) is not None:
                    running[executor.submit(_copy, job[1], self._target(job[0]), self._settings)] = job[0]
                if not running:
                    return
                for finished in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(finished), finished.result()
        except BrokenProcessPool as error:
            raise DataError(
                f"a process that prepares videos died; it was at one of: {', '.join(running.values())}",
                hint="Out of memory? Try fewer --workers. What is done is kept.",
            ) from error
        finally:
            if running:
                for process in multiprocessing.active_children():
                    process.terminate()
            executor.shutdown(cancel_futures=True)

    def _write_record(self) -> None:
        record = {
            "version": _VERSION,
            **asdict(self._settings),
            "videos": {
                video_id: {"original": self._stamps[video_id], **asdict(self._copies[video_id])}
                for video_id in sorted(self._copies)
            },
        }
        path = self.folder / RECORD_NAME
        try:
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise DataError(f"{path}: cannot be written ({error.strerror or error})") from error


def _read_record(path: Path, settings: CopySettings) -> tuple[dict[str, str], dict[str, VideoCopy]]:
    """Return originals' stamps and copies by id; nothing where there is no record.

    Raises:
        DataError: it is no such record, or of copies with other settings.
    """
    if not path.exists():
        return {}, {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        found = {name: record[name] for name in ("version", *asdict(settings))}
        stamps = {video_id: str(entry.pop("original")) for video_id, entry in record["videos"].items()}
        copies = {video_id: VideoCopy(**entry) for video_id, entry in record["videos"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: not the record of prepared videos ({type(error).__name__}: {error})",
            hint="Choose another --out folder.",
        ) from error
    for name, value in {"version": _VERSION, **asdict(settings)}.items():
        if found[name] != value:
            raise DataError(
                f"{path.parent}: holds copies with {name} {found[name]!r}; {value!r} was asked for",
                hint="Choose another --out folder.",
            )
    return stamps, copies


def _copy(source: Path, target: Path, settings: CopySettings) -> VideoCopy | str:
    """Make a copy in a worker process, or say why there is none."""
    try:
        return copy_video(source, target, settings)
    except AvaDetectError as error:
        return str(error)
    except OSError as error:
        return str(VideoError(f"{target}: cannot be written ({error.strerror or error})"))


def _stamp(path: Path) -> str:
    """Return what changes when a file does."""
    status = path.stat()
    return f"{status.st_size} bytes, {status.st_mtime_ns}"


def _prepare_worker() -> None:
    """Set up a worker process.

    OpenCV keeps to one thread, because the processes share the cores already. Ctrl-C is left to the parent,
    which then ends its workers; they leave by an exception, so that half-written files are removed.
    """
    import cv2

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
