"""``ava-detect show``: a picture of training or test samples, exactly as the network sees them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ava_detect.cli import console
from ava_detect.cli.overrides import add_overrides, overrides_from
from evaluation.errors import DataError, UsageError

if TYPE_CHECKING:
    from ava_detect.data.clip_dataset import ClipDataset

_SUFFIXES = (".png", ".jpg", ".jpeg")

_EPILOG = """\
Each sample is a row: the keyframe with people and labels, then the frames of every pathway, slowest first.
Training samples are jittered, cropped and mirrored; another --epoch draws anew.

examples
  ava-detect show --cfg mine.yaml --out sheet.png
  ava-detect show --cfg mine.yaml --split test --count 12 --out test.png
  ava-detect show --cfg ava/slowfast_8x8_r50 AVA.VIDEO_DIR videos AVA.ANNOTATION_DIR csv --out sheet.png

More: docs/training.md"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = "Draw samples of a data set exactly as the network sees them, with boxes and labels."
    parser.epilog = _EPILOG
    data = parser.add_argument_group("input")
    data.add_argument(
        "--cfg", required=True, metavar="FILE", help="YAML file, or a name of `ava-detect config list`"
    )
    data.add_argument("--split", choices=("train", "test"), default="train", help="which set (default train)")
    data.add_argument(
        "--count", type=int, default=6, metavar="N", help="samples, evenly spaced over the set (default 6)"
    )
    data.add_argument(
        "--epoch", type=int, default=0, metavar="N", help="decides the draws of training samples (default 0)"
    )
    add_overrides(parser)
    output = parser.add_argument_group("output")
    output.add_argument("--out", type=Path, required=True, metavar="FILE", help="picture, .png or .jpg")


def run(args: argparse.Namespace) -> int:
    """Build the set, draw some of its samples and say what was drawn."""
    if args.out.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"--out {args.out}: a picture is written; expected a name that ends in .png or .jpg")
    if args.count < 1 or args.epoch < 0:
        raise UsageError(f"--count {args.count} --epoch {args.epoch}: expected at least 1 and at least 0")

    from ava_detect.cli.sample_sheet import SampleSheet, write_sheet
    from ava_detect.config import load_config
    from ava_detect.data.build import build_label_map, build_test_set, build_training_set
    from ava_detect.data.clip_dataset import ClipKey, SkippedClip

    cfg = load_config(args.cfg, overrides_from(args))
    dataset = build_training_set(cfg) if args.split == "train" else build_test_set(cfg)
    _say_what_is_there(dataset, args.split)
    sheet = SampleSheet(cfg, dataset.annotations.class_ids, build_label_map(cfg))
    drawn, skipped = [], 0
    for place in _evenly(len(dataset), args.count):
        item = dataset[ClipKey(args.epoch, place)]
        if isinstance(item, SkippedClip):
            skipped += 1
            console.warn(f"left out: {item.reason}")
        else:
            drawn.append(sheet.draw(item))
    if not drawn:
        raise DataError(f"none of the {skipped} chosen samples can be read")
    write_sheet(args.out, drawn)
    print(f"wrote {args.out}: {len(drawn)} of {len(dataset):,} samples")
    return 0


def _say_what_is_there(dataset: "ClipDataset", split: str) -> None:
    annotations = dataset.annotations
    videos = len(set(annotations.videos.tolist()))
    console.say(
        f"{split}  {len(annotations):,} keyframes, {videos:,} videos, {len(annotations.boxes):,} boxes,"
        f" {len(annotations.class_ids)} classes"
    )
    for note in annotations.notes:
        console.say(f"       {note}")


def _evenly(total: int, count: int) -> list[int]:
    """Return ``count`` places out of ``total``, from the middle of equal parts; all if there are fewer."""
    if count >= total:
        return list(range(total))
    return [(2 * part + 1) * total // (2 * count) for part in range(count)]
