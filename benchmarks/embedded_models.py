"""Scores of the embedded models on scenes that they have not seen, by class: the tables of docs/embedded.md.

    python -m ava_detect.data.scenes --out scenes/standard --grade standard --split test --count 80
    python -m ava_detect.data.scenes --out scenes/hard --grade hard --split test --count 80
    python -m benchmarks.embedded_models --data scenes/standard --data scenes/hard --scenes 40

``--record`` draws three scenes, measures them, and writes ``ava_detect/weights/embedded/record.json``,
with which ``tests/whole_road`` compares what is shipped.

Every keyframe goes through the networks once, with the boxes of the detector (all of them, down to a score of
0.05) and the labelled ones. Scores are read from one run in the three ways that matter: people found at the
detector's threshold and scored, labelled people scored, and the boxes alone.
"""

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ava_detect.data.scenes import write_dataset
from ava_detect.engine.assembly import ActionModel, load_action_model, people_from_detector
from ava_detect.engine.keyframe_clips import KeyframeClip
from ava_detect.engine.predictor import FindPeople, Predictor
from ava_detect.video.reader import VideoReader
from evaluation import EvaluationResult, evaluate_ava
from evaluation.atomic import atomic_path
from evaluation.person_boxes import PersonBoxAP, person_box_ap
from evaluation.rows import NO_CLASS, ActionRow, RowTable, read_groundtruth, table_of_rows
from person_detector import GivenBoxes, PersonBoxes

SPLIT = "test"
LOWEST_SCORE = 0.05
RECORD = Path(__file__).parents[1] / "ava_detect" / "weights" / "embedded" / "record.json"
RECORD_SEED, RECORD_SCENES = 5, 3


@dataclass(frozen=True)
class Measurement:
    """What was measured on one data set.

    Attributes:
        found, labelled: frame-mAP with detected and with labelled boxes.
        persons: AP of all boxes down to ``LOWEST_SCORE``. kept: of those at the threshold or above.
        seconds: of the whole run; ``keyframes`` in it.
    """

    name: str
    found: EvaluationResult
    labelled: EvaluationResult
    persons: PersonBoxAP
    kept: PersonBoxAP
    keyframes: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--data", action="append", default=[], type=Path, metavar="DIR", help="set of scenes")
    parser.add_argument("--scenes", type=int, metavar="N", help="only the first N (default: all)")
    parser.add_argument("--weights", default="embedded", metavar="NAME|FILE")
    parser.add_argument("--detector-weights", default="embedded", metavar="NAME|FILE")
    parser.add_argument("--record", action="store_true", help="measure the small set and write the record")
    parser.add_argument("--threads", type=int, metavar="N")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    model = load_action_model(args.weights)
    people = people_from_detector(args.detector_weights)
    threshold = people.threshold or 0.0
    if args.record:
        write_record(model, people.facts.sha256, measure_small_set(model, people.find, threshold))
    results = [measure(folder, args.scenes, model, people.find, threshold) for folder in args.data]
    if results:
        print_tables(results, threshold)


def measure(
    folder: Path, scenes: int | None, model: ActionModel, find_people: FindPeople, threshold: float
) -> Measurement:
    """Run the models over the test scenes of a folder and score them."""
    truth = read_groundtruth(folder / "annotations" / f"{SPLIT}.csv")
    names = sorted({*truth.video_names})[:scenes]
    chosen = np.isin(truth.videos, [truth.video_names.index(name) for name in names])
    bare = np.isin(truth.bare_videos, [truth.video_names.index(name) for name in names])
    truth = dataclasses.replace(
        truth.select(chosen), bare_videos=truth.bare_videos[bare],
        bare_times=truth.bare_times[bare], bare_lines=truth.bare_lines[bare],
    )  # fmt: skip
    run = _Run(truth, model, find_people, threshold)
    started = time.perf_counter()
    for name in names:
        run.predict(folder / "videos" / f"{name}.mp4")
    seconds = time.perf_counter() - started
    boxes = table_of_rows(run.boxes)
    return Measurement(
        name=str(folder),
        found=evaluate_ava(truth, run.found, model.label_map),
        labelled=evaluate_ava(truth, run.labelled, model.label_map),
        persons=person_box_ap(truth, boxes),
        kept=person_box_ap(truth, boxes.select(np.flatnonzero(boxes.scores >= threshold))),
        keyframes=run.keyframes,
        seconds=seconds,
    )


class _Run:
    """One pass over videos; collects rows with detected boxes, with labelled boxes, and the boxes alone."""

    def __init__(
        self, truth: RowTable, model: ActionModel, find_people: FindPeople, threshold: float
    ) -> None:
        self.found: list[ActionRow] = []
        self.labelled: list[ActionRow] = []
        self.boxes: list[ActionRow] = []
        self.keyframes = 0
        self._given = GivenBoxes(dataclasses.replace(truth, scores=np.ones(len(truth))))
        self._detect, self._threshold, self._class_ids = find_people, threshold, model.label_map.ids
        self._num_labelled: list[int] = []
        self._predictor = Predictor(
            model.cfg, model.network, self._both, person_thresh=0.0, track=False, precision="fp32"
        )

    def _both(self, video_id: str, clips: Sequence[KeyframeClip]) -> list[PersonBoxes]:
        """Return the labelled boxes of each keyframe, then the detected ones."""
        people = []
        for clip, detected in zip(clips, self._detect(video_id, clips), strict=True):
            height, width = clip.image.shape[:2]
            labelled = self._given.at(video_id, clip.time, width, height)
            detected = detected.above(LOWEST_SCORE)
            self._num_labelled.append(len(labelled))
            people.append(
                PersonBoxes(
                    np.concatenate([labelled.boxes, detected.boxes]),
                    np.concatenate([labelled.scores, detected.scores]),
                )
            )
        return people

    def predict(self, video: Path) -> None:
        """Predict one video and keep its rows."""
        with VideoReader(video) as reader:
            size = np.array([reader.info.width, reader.info.height] * 2)
        for result in self._predictor.predict(video):
            count = self._num_labelled.pop(0)
            self.keyframes += 1
            for number, (box, score) in enumerate(
                zip(result.boxes / size, result.person_scores, strict=True)
            ):
                place = (video.stem, result.time, tuple(np.clip(box, 0, 1).tolist()))
                if number >= count:
                    self.boxes.append(ActionRow(*place, NO_CLASS, float(score)))
                rows = self._rows(place, result.action_scores[number])
                if number < count:
                    self.labelled += rows
                elif score >= self._threshold:
                    self.found += rows

    def _rows(self, place: tuple, scores: np.ndarray) -> Iterator[ActionRow]:
        for class_id, score in zip(self._class_ids, scores.tolist(), strict=True):
            yield ActionRow(*place, class_id, round(score, 6))


def measure_small_set(model: ActionModel, find_people: FindPeople, threshold: float) -> Measurement:
    """Draw the scenes of the record and measure them."""
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(folder, SPLIT, RECORD_SCENES, seed=RECORD_SEED)
        return measure(Path(folder), None, model, find_people, threshold)


def write_record(model: ActionModel, detector_sha256: str, measured: Measurement) -> None:
    """Write what the shipped files are and what they reach."""
    record = {
        "actions": {"sha256": model.facts.weights_sha256, "classes": len(model.label_map)},
        "persons": {"sha256": detector_sha256},
        "scenes": {"split": SPLIT, "seed": RECORD_SEED, "count": RECORD_SCENES},
        "frame_map": {
            "detected_boxes": round(measured.found.mean, 4),
            "labelled_boxes": round(measured.labelled.mean, 4),
        },
        "person_ap50": {
            "kept_boxes": round(measured.kept.ap50, 4),
            "all_boxes": round(measured.persons.ap50, 4),
        },
    }
    with atomic_path(RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {RECORD}")


def print_tables(results: Sequence[Measurement], threshold: float) -> None:
    """Print the tables in Markdown."""
    columns = [column for result in results for column in (f"{result.name}: truth", "detected", "labelled")]
    print(f"| id | action | {' | '.join(columns)} |\n|{' --- |' * (2 + len(columns))}")
    for entry in results[0].found.classes:
        cells = [cell for result in results for cell in _cells(result, entry.class_id)]
        print(f"| {entry.class_id} | {entry.name} | {' | '.join(cells)} |")
    means = [cell for r in results for cell in ("", _percent(r.found.mean), _percent(r.labelled.mean))]
    print(f"| | **frame-mAP** | {' | '.join(means)} |\n")
    print(f"| people | AP50 | AP | AP50 at {threshold:g} | boxes at {threshold:g} | people | keyframes/s |")
    print("|" + " --- |" * 7)
    for r in results:
        figures = [_percent(value) for value in (r.persons.ap50, r.persons.ap, r.kept.ap50)]
        counts = f"{r.kept.num_boxes:,} | {r.kept.num_truth:,} | {r.keyframes / r.seconds:.1f}"
        print(f"| {r.name} | {' | '.join(figures)} | {counts} |")


def _cells(result: Measurement, class_id: int) -> Iterator[str]:
    by_id = [{entry.class_id: entry for entry in way.classes} for way in (result.found, result.labelled)]
    yield f"{by_id[0][class_id].num_truth:,}"
    for way in by_id:
        yield _percent(way[class_id].ap)


def _percent(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.1f}"


if __name__ == "__main__":
    main()
