"""What ``ava-detect predict`` says: what it will do, how far it is, what it found, what went wrong."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ava_detect.cli import console

if TYPE_CHECKING:
    from ava_detect.engine.assembly import ActionModel, People
    from ava_detect.engine.prediction import Outcome
    from ava_detect.engine.predictor import Predictor
    from ava_detect.output.journal import Journal
    from ava_detect.output.results import KeyframeResult
    from ava_detect.output.summary import Summary
    from ava_detect.output.targets import Target
    from ava_detect.video.reader import VideoInfo

EXIT_FAILED, EXIT_INCOMPLETE, EXIT_INTERRUPTED = 1, 3, 130


def introduce(model: ActionModel, people: People, predictor: Predictor, infos: dict[Path, VideoInfo]) -> None:
    """Say which model, person boxes, device and videos will be used."""
    from ava_detect.engine.device import describe_device

    threshold = f", threshold {predictor.person_thresh:.2f}" if predictor.person_thresh else ""
    console.say(f"model    {model.description}")
    console.say(f"persons  {people.description}{threshold}")
    console.say(f"device   {describe_device(predictor.device, predictor.precision)}, {predictor.backend}")
    for path, info in infos.items():
        length = console.clock(info.duration_s) if info.duration_s else "length unknown"
        rate = f", {float(info.fps):.5g} fps" if info.fps else ""
        console.say(f"video    {path}  {length}, {info.width}x{info.height}{rate}, {info.codec}")
    say_caveats(model.facts.caveat, people.facts.caveat)


def say_caveats(*caveats: str) -> None:
    """Say what results must not be taken for: each sentence once, also with ``--quiet``."""
    for caveat in dict.fromkeys(caveats):
        if caveat:
            console.warn(caveat)


class Bars:
    """One progress bar per video, in seconds of video."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._bar: console.Progress | None = None
        self._path: Path | None = None
        self._persons = 0

    def watch(self, info: VideoInfo, result: KeyframeResult) -> None:
        """Draw the bar of ``info`` up to ``result``."""
        if self._bar is None or self._path != info.path:
            self.close()
            self._bar = console.Progress(info.duration_s, label=info.path.name, unit="s")
            self._path, self._persons = info.path, 0
        self._persons = max(self._persons, int(result.person_ids.max(initial=0)))
        note = f"{self._persons} {'person' if self._persons == 1 else 'persons'}" if self._persons else ""
        done = result.time + self._every
        self._bar.update_to(min(done, info.duration_s or done), note)

    def close(self) -> None:
        """End the line of the last bar."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def report(
    args: argparse.Namespace,
    targets: Sequence[Target],
    drawings: dict[Path, Path],
    summary: Summary,
    journal: Journal,
) -> None:
    """Say what was found and what was written."""
    from ava_detect.output.journal import read_journal
    from ava_detect.output.strongest import strongest, table_lines
    from ava_detect.output.summary import summary_lines, wrote_line

    for line in summary_lines(summary):
        console.say(line)
    for target in targets:
        console.say(wrote_line(target, summary))
    for drawing in drawings.values():
        if drawing.exists():
            console.say(f"wrote {drawing}")
    if args.json:
        print(json.dumps(summary.as_json(), indent=2))
    elif not targets and not drawings:
        for line in table_lines(strongest(read_journal(journal.path))):
            print(line)
        console.say("To keep everything: --out actions.csv --table people.csv --video annotated.mp4")


def say_times(outcomes: Sequence[Outcome], drawing_s: float, wall_s: float) -> None:
    """Print the seconds per stage and the peak memory of this process."""
    import resource

    stages: dict[str, float] = {}
    for outcome in outcomes:
        for stage, spent in outcome.seconds.items():
            stages[stage] = stages.get(stage, 0.0) + spent
    if drawing_s > 0.05:
        stages["draw"] = drawing_s
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # kilobytes on Linux
    parts = ", ".join(f"{stage} {spent:.1f} s" for stage, spent in stages.items())
    console.say(f"time: {parts} (overlapped), {wall_s:.1f} s in all; peak memory {peak_gb:.1f} GB")


def conclude(outcomes: Sequence[Outcome]) -> int:
    """Print what went wrong, last of all, and return the exit code."""
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    damaged = [outcome for outcome in outcomes if outcome.status == "damaged"]
    for outcome in damaged:
        console.warn(f"{outcome.path}: {outcome.reason}; results end there")
    for outcome in failed:
        console.error(outcome.reason, hint=outcome.hint)
    if any(outcome.status == "interrupted" for outcome in outcomes):
        console.error("interrupted; what is complete has been kept. To go on: the same command with --resume")
        return EXIT_INTERRUPTED
    if len(failed) == len(outcomes):
        return EXIT_FAILED
    if failed or damaged:
        console.error(f"{len(failed) + len(damaged)} of {len(outcomes)} inputs incomplete")
        return EXIT_INCOMPLETE
    return 0
