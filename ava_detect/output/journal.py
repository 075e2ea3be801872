"""The journal of a run: what was found so far, on disk, one keyframe a line.

It is a predictions document in JSON lines that grows while the engine works. Every output is written from it,
so memory does not grow with the video, and a run that was interrupted, even by kill -9, goes on where it
stopped. A video without its end line was interrupted; a last line without line feed was just being written.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Self

from ava_detect.output.document import VideoOrder, parse_line, split_lines, to_line
from ava_detect.output.records import End, Header, Keyframe, Record, Status, to_record, to_result
from ava_detect.output.results import KeyframeResult
from evaluation.errors import AvaDetectError, DataError, UsageError

_NOT_COMPARED = (
    "video.path",  # the same file may be named from another folder
    "settings.backend",  # changes results by rounding only, and a run that OpenVINO stopped goes on in torch
    "detector.backend",
)
_INTERRUPTED = "the run was interrupted"


def journal_path(output: Path) -> Path:
    """Return the journal's place: hidden, beside the first output of the run."""
    return output.parent / f".{output.name}.journal"


@dataclass
class VideoProgress:
    """How far a video is.

    Attributes:
        header: its facts and settings.
        keyframes: how many are in the journal.
        last_time: nominal time of the last of them, seconds; -inf before the first.
        status: "complete" or "damaged"; None while it goes on.
    """

    header: Header
    keyframes: int = 0
    last_time: float = -inf
    status: Status | None = None


class Journal:
    """The results of one run, appended keyframe by keyframe. Make one with ``create`` or ``resume``.

    Attributes:
        path: of the file; its folder must exist.
        videos: progress by video id, in the order in which they were begun.
    """

    def __init__(self, path: Path, file: BinaryIO, videos: dict[str, VideoProgress]) -> None:
        self.path = path
        self.videos = videos
        self._file = file
        self._current: VideoProgress | None = None

    @classmethod
    def create(cls, path: Path) -> Self:
        """Begin an empty journal.

        Raises:
            AvaDetectError: there is one already, which an interrupted run needs; or it cannot be written.
        """
        try:
            return cls(path, path.open("xb"), {})
        except FileExistsError:
            raise AvaDetectError(
                f"{path} is the journal of a run that was interrupted",
                hint="Go on with that run: --resume. Start anew: --overwrite",
            ) from None
        except OSError as error:
            raise AvaDetectError(f"{path}: cannot be written ({error.strerror})") from None

    @classmethod
    def resume(cls, path: Path) -> Self:
        """Open the journal of an interrupted run to go on; where there is none, begin an empty one.

        Raises:
            DataError: the file is not a journal, or is damaged before its last line.
            AvaDetectError: it cannot be read or written.
        """
        if not path.exists():
            return cls.create(path)
        try:
            file = path.open("r+b")
        except OSError as error:
            raise AvaDetectError(f"{path}: cannot be opened ({error.strerror})") from None
        try:
            videos, size = _scan(file, path)
            file.truncate(size)
            file.seek(size)
        except BaseException:
            file.close()
            raise
        return cls(path, file, videos)

    def begin(self, header: Header) -> VideoProgress:
        """Begin a video, or find how far an earlier run came with it.

        Returns:
            Its progress; with a status, the video is done and nothing may be appended.

        Raises:
            UsageError: the earlier run had other settings, another model or another video under this name, or
                stopped inside another video.
        """
        video_id = header.video.video_id
        progress = self.videos.get(video_id)
        if progress is not None:
            _check_same(progress.header, header)
        elif unfinished := [name for name, video in self.videos.items() if video.status is None]:
            raise UsageError(
                f"{self.path}: the interrupted run stopped inside {unfinished[0]!r};"
                f" {video_id!r} cannot come before its end",
                hint="Give the videos in the same order as then, or start anew: --overwrite",
            )
        else:
            progress = self.videos[video_id] = VideoProgress(header)
            self._write(header, video_id)
        if progress.status is None:
            self._current = progress
        return progress

    def append(self, result: KeyframeResult) -> None:
        """Write one keyframe of the video begun last; it is on disk for a killed process when this returns.

        Raises:
            ValueError: no video was begun, or the keyframe does not come after the one before.
            DataError: the result holds NaN.
        """
        video = self._going_on()
        if result.time <= video.last_time:
            raise ValueError(f"keyframe at {result.time} s after the one at {video.last_time} s")
        model, settings = video.header.model, video.header.settings
        keyframe = to_record(result, model.class_ids, min_score=settings.min_score)
        self._write(keyframe, video.header.video.video_id)
        video.keyframes, video.last_time = video.keyframes + 1, keyframe.time

    def finish(self, status: Literal["complete", "damaged"], reason: str = "") -> None:
        """Say that nothing more comes for the video begun last; an interrupted one is left as it is.

        Args:
            status: "damaged" when the results end before the video does.
            reason: for "damaged": what was wrong, and where.
        """
        video = self._going_on()
        self._write(End(status, video.keyframes, reason), video.header.video.video_id)
        video.status, self._current = status, None

    def results(self, video_id: str) -> Iterator[KeyframeResult]:
        """Read a video's results back, from the file; actions below ``min_score`` have score 0."""
        progress = self.videos.get(video_id)
        if progress is None:
            return
        class_ids = progress.header.model.class_ids
        for keyframe in read_keyframes(self.path, video_id):
            yield to_result(keyframe, class_ids)

    def close(self) -> None:
        """Close the file and keep it, for a later run with ``resume``."""
        self._file.close()

    def discard(self) -> None:
        """Close the file and remove it: all outputs are written."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _going_on(self) -> VideoProgress:
        if self._current is None:
            raise ValueError("no video was begun, or it is finished")
        return self._current

    def _write(self, record: Record, video_id: str) -> None:
        try:
            self._file.write(to_line(record, video_id))
            self._file.flush()
        except OSError as error:
            raise AvaDetectError(f"{self.path}: cannot be written ({error.strerror})") from None


def read_journal(path: Path) -> Iterator[Record]:
    """Read a journal, finished or not; an interrupted video gets an End that says so.

    Raises:
        DataError: the file cannot be read, is not a journal, or is damaged before its last line.
    """
    order = VideoOrder()
    try:
        with path.open("rb") as file:
            for record, _ in _complete_records(file, path, order):
                yield record
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if order.header is not None:
        yield End("interrupted", order.keyframes, _INTERRUPTED)


def read_keyframes(path: Path, video_id: str) -> Iterator[Keyframe]:
    """Read one video's keyframes from a journal.

    Raises:
        DataError: as ``read_journal``.
    """
    wanted = False
    for record in read_journal(path):
        match record:
            case Header():
                wanted = record.video.video_id == video_id
            case Keyframe() if wanted:
                yield record
            case End() if wanted:
                return


def _complete_records(file: BinaryIO, path: Path, order: VideoOrder) -> Iterator[tuple[Record, int]]:
    """Yield the records of all complete lines and the length of each line in bytes."""
    for where, line in split_lines(file, path):
        if not line.endswith(b"\n"):
            return
        video_id = order.header.video.video_id if order.header else None
        record = parse_line(line, where, video_id=video_id)
        order.take(record, where)
        yield record, len(line)


def _scan(file: BinaryIO, path: Path) -> tuple[dict[str, VideoProgress], int]:
    """Return the progress of all videos and the size of the complete lines in bytes."""
    videos: dict[str, VideoProgress] = {}
    size = 0
    order = VideoOrder()
    for record, length in _complete_records(file, path, order):
        size += length
        match record:
            case Header():
                current = videos[record.video.video_id] = VideoProgress(record)
            case Keyframe():
                current.keyframes, current.last_time = order.keyframes, order.last_time
            case End():
                current.status = record.status
    return videos, size


def _check_same(old: Header, new: Header) -> None:
    then, now = _flat(asdict(old)), _flat(asdict(new))
    differences = [
        f"{key} was {_shown(then[key])}, is now {_shown(now[key])}"
        for key in then
        if key not in _NOT_COMPARED and then[key] != now[key]
    ]
    if differences:
        raise UsageError(
            f"cannot go on with {new.video.video_id!r}: {'; '.join(differences)}",
            hint="Give the same flags and files as the interrupted run, or start anew: --overwrite",
        )


def _flat(values: dict[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"a list of {len(value)}"
    return "not set" if value is None else repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."
