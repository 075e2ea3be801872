"""``ava-detect train-detector``: train or fine-tune the person detector."""

import argparse
import datetime
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from ava_detect.cli import console
from ava_detect.cli.overrides import add_overrides, overrides_from
from evaluation.errors import UsageError

if TYPE_CHECKING:
    from ava_detect.engine.detector_training import DetectorRun
    from ava_detect.engine.distributed import Process

_EPILOG = """\
Detectron2 trains: its loop, schedule, checkpoints and augmentation. The pictures are every keyframe of the
ground truth of an AVA-style set, decoded from the videos (AVA.VIDEO_DIR, AVA.ANNOTATION_DIR,
AVA.TRAIN_GT_BOX_LISTS; scored on AVA.GROUNDTRUTH_FILE), or a COCO-style set (COCO.TRAIN_JSON,
COCO.TRAIN_IMAGES; scored on COCO.TEST_JSON, COCO.TEST_IMAGES). Classes do not matter: a box is a person.

writes into RUN
  last.safetensors      the last weights; best.safetensors: the best scored ones (predict --detector-weights)
  checkpoints/          what --resume goes on from
  config.yaml, command.txt, log.txt, metrics.jsonl, score.json

examples
  ava-detect train-detector --cfg person_detector/faster_rcnn_r18_half_fpn AVA.VIDEO_DIR scenes/videos \\
      AVA.ANNOTATION_DIR scenes/annotations
  ava-detect train-detector --cfg person_detector/faster_rcnn_x101_fpn_ava AVA.VIDEO_DIR videos \\
      AVA.ANNOTATION_DIR csv
  torchrun --nproc-per-node 8 -m ava_detect train-detector --cfg person_detector/faster_rcnn_r50_fpn_ava ...

More: docs/person_detector.md"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = "Train or fine-tune the person detector on boxes of people."
    parser.epilog = _EPILOG
    run = parser.add_argument_group("input")
    run.add_argument(
        "--cfg", required=True, metavar="FILE",
        help="YAML with Detectron2's keys, a name like person_detector/faster_rcnn_r18_half_fpn, or a name of"
        " Detectron2's model zoo",
    )  # fmt: skip
    add_overrides(parser)
    run.add_argument(
        "--weights", metavar="NAME|FILE", help="begin with a detector, or an ImageNet ResNet (MODEL.WEIGHTS)"
    )  # fmt: skip
    output = parser.add_argument_group("output")
    output.add_argument("--output-dir", metavar="DIR", help="where the run's folder is made (default runs)")
    output.add_argument("--run-name", metavar="NAME", help="of the run's folder (default: date and config)")
    output.add_argument("--resume", action="store_true", help="go on with the run of --run-name")
    output.add_argument(
        "--half", action="store_true", help="write last and best.safetensors in half precision: half the size"
    )
    output.add_argument("--json", action="store_true", help="print the last score as JSON")
    speed = parser.add_argument_group("device")
    speed.add_argument(
        "--device", default="auto", metavar="D", help="auto, cpu, cuda or cuda:N (default auto)"
    )
    speed.add_argument(
        "--precision", choices=("fp32", "bf16", "fp16"), help="arithmetic while training (SOLVER.PRECISION)"
    )
    speed.add_argument("--seed", type=int, metavar="N", help="of all random draws (SEED, default 0)")


def run(args: argparse.Namespace) -> int:
    """Train; say what it trains on, how it goes, and what it wrote."""
    from ava_detect.engine.detector_training import load_detector_settings, prepare_run, run_training
    from ava_detect.engine.distributed import joined_processes
    from ava_detect.engine.interruption import graceful_interruption

    cfg = load_detector_settings(args.cfg, _overrides(args))
    if args.resume and not args.run_name:
        raise UsageError("--resume: which run? Give its --run-name.")
    with joined_processes(args.device) as process, graceful_interruption() as interruption:
        folder = process.from_first(Path(cfg.OUTPUT_DIR) / (args.run_name or _run_name(args.cfg)))
        prepared = prepare_run(cfg, process, folder, resume=args.resume)
        _log_to_file(process, folder)
        _say_what_it_is(prepared, process)
        try:
            score = run_training(prepared, stopped=lambda: interruption.requested, half=args.half)
        except KeyboardInterrupt:
            if process.is_first:
                console.error(
                    "interrupted; the checkpoint is written",
                    hint=f"Go on with --resume --run-name {folder.name} and the rest of the command",
                )
            return 130
        if process.is_first:
            _say_result(args, prepared, score)
    return 0


def _overrides(args: argparse.Namespace) -> list[str]:
    """Return the settings of the command line, flags last."""
    flags = {
        "OUTPUT_DIR": args.output_dir, "MODEL.WEIGHTS": args.weights,
        "SOLVER.PRECISION": args.precision, "SEED": args.seed,
    }  # fmt: skip
    return [
        *overrides_from(args),
        *(word for key, value in flags.items() if value is not None for word in (key, str(value))),
    ]


def _run_name(cfg: str) -> str:
    return f"{datetime.date.today():%Y-%m-%d}_{Path(cfg).stem}"


def _log_to_file(process: "Process", folder: Path) -> None:
    """Write what goes to stderr into the run folder too; other processes warn into files of their own."""
    name = "log.txt" if process.is_first else f"log.rank{process.rank}.txt"
    handler = logging.FileHandler(folder / name, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for package in ("ava_detect", "person_detector", "evaluation"):
        logger = logging.getLogger(package)
        if not process.is_first:
            logger.setLevel(logging.WARNING)
        logger.addHandler(handler)


def _say_what_it_is(prepared: "DetectorRun", process: "Process") -> None:
    if not process.is_first:
        return
    from ava_detect.engine.device import describe_device

    cfg, sets = prepared.cfg, {"train": prepared.training, "val": prepared.validation}
    for name, pictures in sets.items():
        if pictures is None:
            console.say(f"{name:<8} no pictures to score on")
            continue
        console.say(f"{name:<8} {len(pictures):,} pictures, {pictures.num_people:,} people")
        for note in pictures.notes:
            console.warn(note)
    parameters = sum(each.numel() for each in prepared.model.parameters())
    console.say(f"model    {parameters / 1e6:.2f} M parameters; {prepared.start}")
    console.say(
        f"device   {describe_device(process.device, cfg.SOLVER.PRECISION)}; {process.world} process(es)"
    )
    epochs = cfg.SOLVER.MAX_ITER * cfg.SOLVER.IMS_PER_BATCH / max(1, len(prepared.training))
    console.say(
        f"plan     {cfg.SOLVER.MAX_ITER:,} steps of {cfg.SOLVER.IMS_PER_BATCH} pictures, {epochs:.1f} epochs,"
        f" seed {cfg.SEED}"
    )
    console.say(f"run      {prepared.folder}")


def _say_result(args: argparse.Namespace, prepared: "DetectorRun", score: object) -> None:
    from ava_detect.engine.detector_training import BEST, LAST, score_as_json
    from evaluation.atomic import atomic_path
    from evaluation.person_boxes import PersonBoxAP

    if isinstance(score, PersonBoxAP):
        text = json.dumps(score_as_json(score), indent=2)
        with atomic_path(prepared.folder / "score.json") as temporary:
            temporary.write_text(text + "\n")
        if args.json:
            print(text)
        console.say(f"wrote {prepared.folder / BEST} (best score)")
    console.say(f"wrote {prepared.folder / LAST}")
    console.say(f"use it: ava-detect predict VIDEO --detector-weights {prepared.folder / LAST}")
