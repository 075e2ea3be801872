"""Predict videos one after the other into a journal, so that nothing that was computed is lost."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ava_detect.engine.interruption import Interruption
from ava_detect.engine.predictor import Predictor, VideoRun
from ava_detect.output.journal import Journal
from ava_detect.output.records import Header, Status
from ava_detect.output.results import KeyframeResult
from ava_detect.video.keyframes import KeyframeGrid
from ava_detect.video.reader import VideoInfo, VideoReader
from evaluation.errors import VideoError

MakeHeader = Callable[[VideoInfo], Header]
Watch = Callable[[VideoInfo, KeyframeResult], None]


@dataclass(frozen=True)
class Outcome:
    """How one video ended.

    Attributes:
        path: the input.
        status: as in the journal, or "failed": it could not be opened and is not in the journal.
        reason: for all but "complete", one line.
        seconds: time spent per stage; the stages overlap.
    """

    path: Path
    status: Status | Literal["failed"]
    reason: str = ""
    hint: str = ""
    seconds: dict[str, float] = field(default_factory=dict)


def probe_videos(paths: Iterable[Path]) -> tuple[dict[Path, VideoInfo], list[Outcome]]:
    """Open every video for a moment, before any network is loaded.

    Returns:
        The facts of those that can be read, and how the others failed.
    """
    infos: dict[Path, VideoInfo] = {}
    failed = []
    for path in paths:
        try:
            with VideoReader(path) as video:
                infos[path] = video.info
        except VideoError as error:
            failed.append(Outcome(path, "failed", str(error), error.hint))
    return infos, failed


def count_keyframes(infos: Iterable[VideoInfo], grid: KeyframeGrid) -> int | None:
    """Return how many keyframes videos have by the durations they state; None if one states none."""
    durations = [info.duration_s for info in infos]
    if None in durations:
        return None
    return sum(len(grid.up_to(duration)) for duration in durations if duration is not None)


def predict_videos(
    predictor: Predictor,
    paths: Iterable[Path],
    journal: Journal,
    *,
    make_header: MakeHeader,
    interruption: Interruption,
    watch: Watch,
) -> Iterator[Outcome]:
    """Predict every video and yield how it ended; one that fails does not stop the others.

    Args:
        predictor: does the work.
        paths: the videos.
        journal: takes the results; videos that are complete in it are not done again, and one that was
            interrupted goes on where it stopped.
        make_header: the facts of a video for the journal.
        interruption: when it is requested, the keyframe in hand is finished and nothing more is begun.
        watch: called with every result, for progress.
    """
    for path in paths:
        if interruption.requested:
            yield Outcome(path, "interrupted", "not begun")
            continue
        try:
            yield _predict_video(predictor, path, journal, make_header, interruption, watch)
        except VideoError as error:
            yield Outcome(path, "failed", str(error), error.hint)


def _predict_video(
    predictor: Predictor,
    path: Path,
    journal: Journal,
    make_header: MakeHeader,
    interruption: Interruption,
    watch: Watch,
) -> Outcome:
    with VideoReader(path) as video:
        header = make_header(video.info)
        progress = journal.begin(header)
        if progress.status is not None:
            return Outcome(path, progress.status, "done by an earlier run")
        video_id = header.video.video_id
        run = VideoRun(predictor, video, video_id, done=journal.results(video_id))
        with closing(iter(run)) as results:
            for result in results:
                journal.append(result)
                watch(video.info, result)
                if interruption.requested:
                    return Outcome(
                        path, "interrupted", f"stopped after {result.time:g} s", seconds=run.seconds
                    )
        if video.damage:
            journal.finish("damaged", str(video.damage))
            return Outcome(path, "damaged", str(video.damage), seconds=run.seconds)
        journal.finish("complete")
        return Outcome(path, "complete", seconds=run.seconds)
