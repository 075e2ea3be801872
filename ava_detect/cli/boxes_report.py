"""What ``ava-detect boxes`` says: what it will do, how far it is, how many boxes, how good they are."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ava_detect.cli import console
from ava_detect.cli.prediction_report import say_caveats

if TYPE_CHECKING:
    from ava_detect.engine.assembly import People
    from ava_detect.engine.box_finding import BoxCounts, BoxFinder, BoxTask
    from ava_detect.engine.box_tasks import BoxPlan
    from ava_detect.engine.distributed import Process
    from ava_detect.output.records import DetectorFacts
    from ava_detect.output.results import KeyframeResult
    from evaluation.box_recall import ScoreRecall

_THRESHOLDS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)


def introduce(plan: BoxPlan, people: People, finder: BoxFinder, process: Process) -> None:
    """Say what will be done, with what, and what is left out."""
    from ava_detect.engine.device import describe_device

    known = [task.keyframes for task in plan.tasks if task.keyframes is not None]
    about = f"{sum(known):,} keyframes" if len(known) == len(plan.tasks) else "keyframes until they end"
    shared = f", shared by {process.world} processes" if process.world > 1 else ""
    console.say(
        f"persons  {people.description}, boxes with a score of {finder.settings.person_thresh:g} or more"
    )
    console.say(f"device   {describe_device(process.device, finder.settings.precision)}{shared}")
    console.say(f"videos   {len(plan.tasks):,}, {about}")
    for note in plan.notes:
        console.say(f"note     {note}")
    if process.is_first:
        say_caveats(people.facts.caveat)


class BoxProgress:
    """One bar for all videos of this process, in keyframes.

    Args:
        tasks: of this process.
        world: how many processes share the work; the others are about as far.
    """

    def __init__(self, tasks: Sequence[BoxTask], world: int) -> None:
        known = [task.keyframes for task in tasks]
        total = None if None in known else sum(count for count in known if count is not None)
        label = "keyframes" if world == 1 else f"keyframes of process 1 of {world}"
        self._bar = console.Progress(total, label=label, unit="")
        self._done = 0
        self._order = {id(task): number for number, task in enumerate(tasks, start=1)}
        self._boxes = 0

    def watch(self, task: BoxTask, result: KeyframeResult) -> None:
        """Count a keyframe."""
        self._done += 1
        self._boxes += len(result.boxes)
        place = f"video {self._order[id(task)]} of {len(self._order)}" if len(self._order) > 1 else ""
        self._bar.update_to(self._done, f"{place} {self._boxes:,} boxes".strip())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()


@dataclass(frozen=True)
class Findings:
    """What a run found.

    Attributes:
        detector: what found the boxes.
        counts: of keyframes and boxes.
        out: the CSV; None when none was asked for.
        recall: per annotation file its name and what the boxes are worth from several scores on.
    """

    detector: DetectorFacts
    counts: BoxCounts
    out: Path | None
    recall: dict[str, list[ScoreRecall]]

    @classmethod
    def collect(cls, finder: BoxFinder, plan: BoxPlan, out: Path | None) -> Self:
        """Write the CSV from the journals, count what is in it and compare it with the annotations."""
        from ava_detect.engine.box_finding import BoxCounts, box_rows, write_boxes
        from evaluation.box_recall import recall_by_score
        from evaluation.rows import read_boxes, table_of_rows

        counts = BoxCounts()
        rows = box_rows(finder.folder, plan.tasks, counts)
        if out is not None:
            write_boxes(out, rows)
            boxes = read_boxes(out)
        else:
            boxes = table_of_rows(rows)
        min_score = finder.settings.person_thresh or 0.0
        thresholds = [min_score, *(threshold for threshold in _THRESHOLDS if threshold > min_score)]
        recall = {
            table.source: recall_by_score(table, boxes, thresholds=thresholds, class_ids=plan.class_ids)
            for table in plan.truth
            if len(table)
        }
        return cls(finder.detector, counts, out, recall)

    def as_json(self) -> dict[str, object]:
        """Return everything for ``--json``."""
        recall = {source: [_without_nan(asdict(row)) for row in rows] for source, rows in self.recall.items()}
        return {
            **asdict(self.counts),
            "out": self.out and str(self.out),
            "recall": recall,
            "detector": asdict(self.detector),
        }


def _without_nan(values: dict[str, float]) -> dict[str, float | None]:
    return {key: None if math.isnan(value) else value for key, value in values.items()}


def report(args: argparse.Namespace, findings: Findings, drawings: Sequence[Path]) -> None:
    """Say what was found, how good it is, and what was written."""
    counts = findings.counts
    nobody = f"; nobody on {_count(counts.without_box, 'keyframe')}" if counts.without_box else ""
    where = f"{_count(counts.keyframes, 'keyframe')} of {_count(counts.videos, 'video')}"
    console.say(f"{where}, {_count(counts.boxes, 'box', 'boxes')}{nobody}")
    if not counts.boxes and counts.best_score is not None:
        console.say(
            f"  the surest box scored {counts.best_score:.3f}; try --min-score {counts.best_score / 2:.2g}"
        )
    for source, rows in findings.recall.items():
        for line in recall_lines(source, rows):
            console.say(line)
    if findings.out is not None:
        console.say(f"wrote {findings.out} (person boxes: video_id, timestamp, x1, y1, x2, y2, , score)")
        if args.cfg:
            console.say(f"  to use them: AVA.TEST_PREDICT_BOX_LISTS [{findings.out.resolve()}]")
    for drawing in drawings:
        console.say(f"wrote {drawing}")
    if args.json:
        print(json.dumps(findings.as_json(), indent=2))


def recall_lines(source: str, rows: Sequence[ScoreRecall]) -> list[str]:
    """Return a table of what the boxes are worth from several scores on."""
    lines = [
        f"against {source}: {rows[0].num_persons:,} persons, IoU 0.5",
        "  score >=   boxes per keyframe   on a person   recall   mAP at most",
    ]
    for row in rows:
        precision = "-" if math.isnan(row.precision) else f"{row.precision:.1%}"
        ceiling = "-" if math.isnan(row.ceiling) else f"{100 * row.ceiling:.2f}"
        lines.append(
            f"  {row.threshold:>8.2f}   {row.boxes_per_keyframe:>18.2f}   {precision:>11}"
            f"   {row.recall:>6.1%}   {ceiling:>11}"
        )
    return lines


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
