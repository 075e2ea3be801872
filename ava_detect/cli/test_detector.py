"""``ava-detect test-detector``: how well a person detector finds the people of a data set."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ava_detect.cli import console
from ava_detect.cli.detector_arguments import add_detector_arguments, detector_choices
from ava_detect.cli.overrides import add_overrides, overrides_from
from ava_detect.cli.speed_arguments import add_device_arguments
from evaluation.errors import UsageError

if TYPE_CHECKING:
    from evaluation.person_boxes import PersonBoxAP

_EPILOG = """\
The pictures and people are those that train-detector scores on: AVA.GROUNDTRUTH_FILE with AVA.VIDEO_DIR, or
COCO.TEST_JSON with COCO.TEST_IMAGES. The numbers are COCO's, by pycocotools; sizes are those of the people in
pixels of the pictures as stored: below 32 x 32, below 96 x 96, above. The detector's own file says how it is
built; settings of it in the file of --cfg are not used.

examples
  ava-detect test-detector --cfg person_detector/faster_rcnn_r18_half_fpn --detector-weights embedded \\
      AVA.VIDEO_DIR scenes/videos AVA.ANNOTATION_DIR scenes/annotations AVA.GROUNDTRUTH_FILE test.csv
  ava-detect test-detector --cfg mine.yaml --detector-weights runs/mine/best.safetensors --json

More: docs/person_detector.md"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = "Score a person detector: COCO's AP, AP50, AR, by size."
    parser.epilog = _EPILOG
    data = parser.add_argument_group("input")
    data.add_argument(
        "--cfg", required=True, metavar="FILE", help="as for train-detector: where the data are"
    )
    add_overrides(parser)
    add_detector_arguments(
        parser.add_argument_group("model"),
        short_names=True,
        weights_help="zoo name, file, or embedded",
        required=True,
    )
    add_device_arguments(parser.add_argument_group("speed"), precision="fp32")
    output = parser.add_argument_group("output")
    output.add_argument("--out", type=Path, metavar="FILE.json", help="write the numbers there")
    output.add_argument("--overwrite", action="store_true", help="replace the file if it is there")
    output.add_argument("--json", action="store_true", help="print the numbers as JSON")


def run(args: argparse.Namespace) -> int:
    """Detect on every picture, score, and print."""
    if args.out is not None and args.out.exists() and not args.overwrite:
        raise UsageError(f"{args.out} exists. Use --overwrite, or another name.")
    from ava_detect.engine.detector_training import load_detector_settings, score_as_json, score_detector
    from ava_detect.engine.device import describe_device, pick_precision
    from ava_detect.engine.distributed import joined_processes
    from evaluation.atomic import atomic_path
    from person_detector import build_person_detector

    cfg = load_detector_settings(args.cfg, overrides_from(args))
    with joined_processes(args.device) as process:
        precision = pick_precision(args.precision, process.device)
        detector = build_person_detector(
            args.detector_weights, device=process.device, precision=precision, **detector_choices(args)
        )
        if process.is_first:
            console.say(f"persons  {detector.name}, {detector.form.mode}")
            console.say(f"device   {describe_device(process.device, precision)}; {process.world} process(es)")
        score = score_detector(detector, cfg, process, progress=_Bar() if process.is_first else None)
    if score is None:
        return 0
    text = json.dumps(score_as_json(score), indent=2)
    if args.out is not None:
        with atomic_path(args.out) as temporary:
            temporary.write_text(text + "\n")
    print(text if args.json else _table(score))
    return 0


class _Bar:
    """Progress over the pictures of the first process."""

    def __init__(self) -> None:
        self._bar: console.Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        self._bar = self._bar or console.Progress(total, label="pictures", unit="pictures")
        self._bar.update_to(done)
        if done == total:
            self._bar.close()


def _table(score: "PersonBoxAP") -> str:
    """Lay the numbers out for people."""
    rows: list[tuple[str | float, ...]] = [
        ("", "all", "small", "medium", "large"),
        ("AP", score.ap, score.ap_small, score.ap_medium, score.ap_large),
        ("AR", score.recall, score.recall_small, score.recall_medium, score.recall_large),
    ]
    lines = [
        f"{score.num_images:,} pictures, {score.num_truth:,} people, {score.num_boxes:,} boxes",
        f"AP50 {_percent(score.ap50)}   AP75 {_percent(score.ap75)}",
        *("".join(f"{cell if isinstance(cell, str) else _percent(cell):>8}" for cell in row) for row in rows),
        f"best threshold, recall weighed double (F2): {score.best_threshold:.2f} (--person-thresh)",
    ]
    return "\n".join(lines)


def _percent(share: float) -> str:
    return "-" if share != share else f"{100 * share:.1f}"
