"""What the faster ways to run a person detector cost in accuracy: AP and time per keyframe, side by side.

    python -m ava_detect.data.scenes --out scenes --grade standard --split test --count 80 --workers 2
    python -m benchmarks.person_detector_accuracy --videos scenes/videos --truth scenes/annotations/test.csv

Runs every variant at every short side over the keyframes of an AVA-style set (videos whose times begin at 0)
and prints COCO's AP, AP50 and AR, the boxes found, and the median time per keyframe without decoding.
Keyframes are decoded once.
"""

import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ava_detect.config import parse_config
from ava_detect.data.build import index_folder
from ava_detect.data.clip_sources import VideoFolder
from ava_detect.engine.detector_pictures import keyframe_pictures
from ava_detect.weights import ZooEntry, find_weights
from evaluation.person_boxes import PersonBoxAP
from person_detector import build_person_detector
from person_detector.training.pictures import PictureSet
from person_detector.training.scoring import score_boxes

VARIANTS: dict[str, dict[str, object]] = {
    "exact": {},
    "fast": {"mode": "fast"},
    "100 proposals": {"mode": "fast", "proposals": 100},
    "50 proposals": {"mode": "fast", "proposals": 50},
    "exact, bf16": {"precision": "bf16"},
    "fast, bf16": {"mode": "fast", "precision": "bf16"},
}


@dataclass(frozen=True)
class Measurement:
    """AP, and median milliseconds per keyframe."""

    score: PersonBoxAP
    milliseconds: float


def main() -> None:
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    entry = find_weights(args.weights, kind="persons")
    pictures = decoded(args)
    print(
        f"{len(pictures)} keyframes, {pictures.num_people} people, {args.weights}, {args.threads} thread(s)"
    )
    print(f"{'short side':>10}  {'':14} {'AP':>6} {'AP50':>6} {'AR':>6} {'boxes':>6} {'ms':>6}")
    for short_side in args.short_side:
        for name in args.only:
            measured = measure(entry, pictures, name, short_side, args.cpu_time)
            score = measured.score
            numbers = " ".join(f"{100 * value:6.1f}" for value in (score.ap, score.ap50, score.recall))
            size = short_side or "its own"
            print(
                f"{size:>10}  {name:14} {numbers} {score.num_boxes:6} {measured.milliseconds:6.1f}",
                flush=True,
            )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True, help="CSV of AVA rows")
    parser.add_argument("--weights", default="embedded")
    parser.add_argument("--keyframes", type=int, default=400, help="how many, evenly spaced (default 400)")
    parser.add_argument("--short-side", type=int, nargs="+", default=[0], help="0: the detector's own")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cpu-time", action="store_true", help="processor milliseconds instead")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    return parser.parse_args()


def decoded(args: argparse.Namespace) -> PictureSet:
    """Decode the chosen keyframes and keep them."""
    ava = parse_config(
        f"AVA: {{ANNOTATION_DIR: '{args.truth.parent}', START_SECOND: 0, VALID_SECONDS: auto}}"
    )
    source = VideoFolder(args.videos, index_folder=index_folder())
    pictures = keyframe_pictures(ava, [args.truth.name], source)
    places = np.unique(np.linspace(0, len(pictures) - 1, args.keyframes).round().astype(int)).tolist()
    records = [pictures.records[place] for place in places]
    images = {record["image_id"]: pictures.read(record) for record in records}
    return PictureSet(records, lambda record: images[record["image_id"]])


def measure(
    entry: ZooEntry, pictures: PictureSet, variant: str, short_side: int, cpu_time: bool
) -> Measurement:
    detector = build_person_detector(entry, device="cpu", short_side=short_side or None, **VARIANTS[variant])  # type: ignore[arg-type]  # a table of keywords
    clock = time.process_time if cpu_time else time.perf_counter
    seconds, found = [], {}
    for place, record in enumerate(pictures.records):
        image = pictures.read(record)
        started = clock()
        found[place] = detector.detect(image, threshold=0.0)
        seconds.append(clock() - started)
    return Measurement(score_boxes(found, pictures), 1e3 * statistics.median(seconds))


if __name__ == "__main__":
    main()
