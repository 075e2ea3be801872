"""One video: does it decode to its end, how long is it really, at what rate, and what is odd about it?"""

import logging
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ava_detect.data.check.finding import Finding, Place
from ava_detect.data.check.video_facts import MIN_SHORT_SIDE, VideoFacts, clock
from ava_detect.video.completeness import missing_bytes
from ava_detect.video.packets import PacketReader
from ava_detect.video.reader import VideoReader
from ava_detect.video.source import find_video_stream, open_container
from evaluation.errors import VideoError

_PAUSE_S = 1.0
_UNEVEN, _OFTEN = 0.2, 0.05  # a rate varies if more than 5 % of the steps are 20 % off the usual one
_RATE_ERROR = 0.01
_LENGTH_ERROR = 0.02
_LENGTH_ERROR_S = 1.0

OnTime = Callable[[float, float | None], None]
"""Called with seconds read and the video's stated length, for progress."""


def look_at_video(
    path: Path, *, decode: bool = True, on_time: OnTime = lambda _done, _total: None
) -> tuple[VideoFacts | None, list[Finding]]:
    """Read a video to its end.

    Args:
        path: the file.
        decode: decode every frame; otherwise read the packets only, which is faster and sees less damage.
        on_time: for progress.

    Returns:
        What is known of it, ``None`` if it is no video or holds no frame; and what is wrong with it.
    """
    try:
        with _warnings_of_reader() as said:
            facts = _decoded(path, on_time) if decode else _demuxed(path)
    except VideoError as error:
        message = str(error).removeprefix(f"{path}: ")
        return None, [Finding("video-unreadable", str(path), message, 1, (Place(str(path)),))]
    findings = [*_damage(facts), *_length(facts), *_pauses(facts), *_rate(facts), *_picture(facts)]
    for message in said:
        text = message.removeprefix(f"{path}: ")
        findings.append(Finding("odd-timestamps", str(path), f"{path.name}: {text}", 1, (Place(str(path)),)))
    return facts, findings


@contextmanager
def _warnings_of_reader() -> Iterator[list[str]]:
    """Collect what the video reader would log."""
    said: list[str] = []

    def take(record: logging.LogRecord) -> bool:
        said.append(record.getMessage())
        return False

    logger = logging.getLogger("ava_detect.video.reader")
    logger.addFilter(take)
    try:
        yield said
    finally:
        logger.removeFilter(take)


def _decoded(path: Path, on_time: OnTime) -> VideoFacts:
    times = []
    with VideoReader(path) as video:
        for frame in video:
            times.append(frame.time)
            if not frame.idx % 100:
                on_time(frame.time, video.info.duration_s)
        damage = None if video.damage is None else str(video.damage)
        return VideoFacts(path, path.stem, video.info, np.array(times), damage)


def _demuxed(path: Path) -> VideoFacts:
    """Take the times from the packets; only the first frame is decoded."""
    with VideoReader(path, threads=1) as video:
        info = video.info
    container = open_container(path)
    try:
        stream = find_video_stream(container, path)
        packets = PacketReader(container, stream)
        stamps = [packet.pts for packet in packets if packet.pts is not None and not packet.is_discard]
    finally:
        container.close()
    times = np.unique(np.array(stamps or [0], np.float64)) * float(info.time_base)
    times -= times[0]
    damage = packets.damage or ("the file is cut off" if missing_bytes(path, info.container) else None)
    if damage is not None:
        damage = f"damaged after {clock(float(times[-1]))} ({damage})"
    return VideoFacts(path, path.stem, info, times, damage)


def _about(facts: VideoFacts, code: str, message: str, hint: str = "") -> Finding:
    path = str(facts.path)
    return Finding(code, path, f"{facts.path.name}: {message}", 1, (Place(path),), hint)


def _damage(facts: VideoFacts) -> Iterator[Finding]:
    if facts.damage is None:
        return
    stated, message = facts.info.duration_s, facts.damage
    if stated is not None and stated - facts.length_s >= 0.05:
        message += f"; {stated - facts.length_s:.1f} s of {clock(stated)} are missing"
    hint = "Get the file again; until then annotations after that time cannot be used."
    yield _about(facts, "video-damaged", message, hint)


def _length(facts: VideoFacts) -> Iterator[Finding]:
    stated = facts.info.duration_s
    if stated is None or facts.damage is not None:
        return
    if abs(stated - facts.length_s) > max(_LENGTH_ERROR_S, _LENGTH_ERROR * stated):
        message = f"it says to be {clock(stated)} long, its frames are {clock(facts.length_s)}"
        path = facts.path
        fixed = path.with_name(f"{path.stem}_fixed{path.suffix}")
        hint = f"ffmpeg -i {shlex.quote(str(path))} -c copy {shlex.quote(str(fixed))}"
        yield _about(facts, "video-length", message, hint)


def _pauses(facts: VideoFacts) -> Iterator[Finding]:
    steps = np.diff(facts.times)
    pauses = _are_pauses(steps)
    if pauses.any():
        where = int(pauses.argmax())
        start, end = float(facts.times[where]), float(facts.times[where + 1])
        more = f" and {int(pauses.sum()) - 1} more such pauses" if pauses.sum() > 1 else ""
        message = f"no frame between {clock(start)} and {clock(end)}{more}"
        yield _about(facts, "video-pause", message)


def _are_pauses(steps: np.ndarray) -> np.ndarray:
    """Tell which steps from frame to frame are no matter of the frame rate."""
    return steps > max(_PAUSE_S, 10 * float(np.median(steps)) if len(steps) else 0.0)


def _rate(facts: VideoFacts) -> Iterator[Finding]:
    steps = np.diff(facts.times)
    steps = steps[~_are_pauses(steps)]
    if len(steps) < 10:
        return
    usual = facts.step_s
    if (np.abs(steps - usual) > _UNEVEN * usual).mean() > _OFTEN:
        slow, fast = np.percentile(steps, [99, 1])
        message = f"variable frame rate ({1 / slow:.3g}-{1 / fast:.3g} fps): fine, sampling is by time"
        yield _about(facts, "variable-rate", message)
        return
    real, stated = len(steps) / float(steps.sum()), facts.info.fps
    if stated is not None and abs(real - float(stated)) > _RATE_ERROR * real:
        message = f"it says {float(stated):.4g} fps, it has {real:.4g}: fine here, sampling is by time"
        yield _about(facts, "video-rate", message)


def _picture(facts: VideoFacts) -> Iterator[Finding]:
    info = facts.info
    if info.rotation:
        message = f"recorded turned by {info.rotation} degrees; boxes must refer to the upright picture, "
        yield _about(facts, "rotated", f"{message}{info.width}x{info.height}")
    if min(info.width, info.height) < MIN_SHORT_SIDE:
        message = (
            f"the picture is {info.width}x{info.height}; "
            f"the published models were trained with a short side of {MIN_SHORT_SIDE}"
        )
        yield _about(facts, "small-picture", message)
