"""``ava-detect convert``: somebody's own labels to an AVA-style data set."""

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ava_detect.cli import console
from ava_detect.cli.number_types import positive_number, share
from evaluation.errors import DataError, UsageError

if TYPE_CHECKING:
    from ava_detect.data.convert.actions import ActionRules
    from ava_detect.data.convert.image_names import ImageNames
    from ava_detect.data.convert.keyframes import Converted, ConvertedVideo
    from evaluation.label_map import LabelMap

_FILES = ("train.csv", "val.csv", "label_map.pbtxt", "data.yaml")

_EPILOG = """\
What a file is, its contents say:
  CVAT for video 1.1, CVAT for images 1.1     XML
  VGG Image Annotator 3 (videos), 2 (pictures) CSV or JSON
  COCO                                        JSON
  a table with a header                       CSV: video, time or frame, x1, y1, x2, y2 (or x, y, width,
                                              height), action (several: "sit; eat"), person if known

Actions are the labels of boxes, unless they are "person" or the like, and the values of attributes; ticked
attributes count by their name. Frames become seconds by the timestamps of the videos.

writes into --out
  train.csv, val.csv   video_id,timestamp,x1,y1,x2,y2,action_id,person_id; boxes in [0, 1]
  label_map.pbtxt      the classes
  data.yaml            the settings that name all this on top of a model's: for check, show, train, test

examples
  ava-detect convert labels.xml --videos videos --out mine
  ava-detect convert cam1.csv cam2.csv --videos videos --out mine --val-share 0.3 --seed 1
  ava-detect convert labels.json --videos videos --out mine --attribute action --every 0.5

More: docs/training.md"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = "Turn labels of CVAT, VIA, COCO or a table into an AVA-style data set."
    parser.epilog = _EPILOG
    source = parser.add_argument_group("input")
    source.add_argument(
        "labels", nargs="+", type=Path, metavar="FILE", help="labels, in one or several files"
    )
    source.add_argument(
        "--videos", type=Path, metavar="DIR", help="folder of the videos; not needed for seconds and shares"
    )
    source.add_argument(
        "--labels",
        dest="label_map",
        metavar="FILE",
        help="label map with the classes (default: what is found, by alphabet); v2.2-80 is AVA's",
    )
    source.add_argument(
        "--attribute",
        action="append",
        default=[],
        metavar="NAME",
        help="only this attribute tells actions; may be given again",
    )
    source.add_argument(
        "--person",
        action="append",
        default=[],
        metavar="LABEL",
        help='a label that only says that somebody is there, besides "person" and the like',
    )
    source.add_argument(
        "--unit", choices=("auto", "pixels", "normalised"), default="auto", help="of the boxes in tables"
    )
    source.add_argument(
        "--image-rate",
        type=positive_number,
        default=0.0,
        metavar="FPS",
        help="labels of pictures: so many were extracted per second (default: every frame)",
    )
    source.add_argument(
        "--first-image", type=int, default=0, metavar="N", help="number of the first picture (default 0)"
    )
    output = parser.add_argument_group("output")
    output.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the data set")
    output.add_argument(
        "--model",
        default="scenes/slowfast_r18",
        metavar="CFG",
        help="configuration that data.yaml builds on (default scenes/slowfast_r18, small enough for a CPU)",
    )
    output.add_argument("--overwrite", action="store_true", help="replace files that exist")
    output.add_argument(
        "--every",
        type=positive_number,
        metavar="SECONDS",
        help="between keyframes (default: 1 for tracks; else wherever boxes are)",
    )
    output.add_argument(
        "--val-share",
        type=share,
        default=0.2,
        metavar="X",
        help="of the videos, for validation (default 0.2)",
    )
    output.add_argument(
        "--val-video",
        action="append",
        default=[],
        metavar="ID",
        help="this video is for validation; may be given again; instead of drawing",
    )
    output.add_argument("--seed", type=int, default=0, metavar="N", help="of the draw (default 0)")


def run(args: argparse.Namespace) -> int:
    """Read all files, make keyframes, divide, write."""
    from ava_detect.config import load_config
    from ava_detect.data.convert.classes import name_classes
    from ava_detect.data.convert.keyframes import count_actions
    from ava_detect.data.convert.split import split_videos
    from evaluation.label_map import load_label_map

    _refuse_existing(args.out, overwrite=args.overwrite)
    load_config(args.model)  # says at once if there is none
    label_map = load_label_map(args.label_map) if args.label_map else None
    converted = _read(args)
    for what, count in converted.left_out.items():
        if count:
            console.warn(f"left out: {count:,} {what}")
    ids, label_map = name_classes(count_actions(converted.videos), label_map)
    val_ids = split_videos(converted.videos, args.val_share, args.seed, args.val_video)
    parts = {
        name: {video: found for video, found in converted.videos.items() if (video in val_ids) == is_val}
        for name, is_val in (("train", False), ("val", True))
    }
    if not parts["train"]:
        raise DataError("every video is for validation; nothing is left to train on")
    _write(args, parts, ids, label_map)
    _print_classes(parts, ids, label_map)
    _print_next_steps(args.out, has_val=bool(parts["val"]), has_videos=args.videos is not None)
    return 0


def _refuse_existing(out: Path, *, overwrite: bool) -> None:
    existing = [str(out / name) for name in _FILES if (out / name).exists()]
    if existing and not overwrite:
        raise UsageError(f"{', '.join(existing)} exist. Use --overwrite, or another --out folder.")


def _read(args: argparse.Namespace) -> "Converted":
    """Read the files into keyframes, and say what is in them."""
    from ava_detect.data.build import index_folder
    from ava_detect.data.convert.keyframes import KeyframeMaker
    from ava_detect.data.convert.read import read_labels
    from ava_detect.data.convert.spreadsheet import BoxUnit
    from ava_detect.data.convert.videos import LabelledVideos

    maker = KeyframeMaker(LabelledVideos(args.videos, index_folder()), args.every)
    for path in args.labels:
        rules, images = _rules(args)
        labels = read_labels(path, rules, images, BoxUnit(args.unit))
        tracks = f", {len(labels.tracks):,} tracks" if labels.tracks else ""
        boxes = f", {len(labels.boxes):,} boxes" if labels.boxes else ""
        console.say(f"{path}: {labels.form}{tracks}{boxes}")
        for note in labels.notes:
            console.say(f"  {note}")
        maker.add_boxes(labels.boxes)
        maker.add_tracks(labels.tracks)
    if not maker.result.videos:
        raise DataError(
            "nothing is left of the labels: "
            + ", ".join(f"{count:,} {what}" for what, count in maker.result.left_out.items())
        )
    return maker.result


def _rules(args: argparse.Namespace) -> "tuple[ActionRules, ImageNames]":
    from ava_detect.data.convert.actions import ActionRules
    from ava_detect.data.convert.image_names import ImageNames

    rules = ActionRules(frozenset(args.attribute))
    rules.people |= {label.lower() for label in args.person}
    return rules, ImageNames(args.image_rate, args.first_image)


def _write(
    args: argparse.Namespace,
    parts: "Mapping[str, Mapping[str, ConvertedVideo]]",
    ids: Mapping[str, int],
    label_map: "LabelMap",
) -> None:
    from ava_detect.data.convert.write import (
        CONFIG,
        LABEL_MAP,
        config_text,
        label_map_text,
        write_annotations,
        write_text,
    )

    for name, videos in parts.items():
        if not videos:
            console.warn(
                "one video only, or --val-share 0: there is no val.csv; data.yaml tests on train.csv"
            )
            continue
        rows = write_annotations(args.out / f"{name}.csv", videos, ids)
        keyframes = sum(len(video.people) for video in videos.values())
        print(f"wrote {args.out / name}.csv: {len(videos):,} videos, {keyframes:,} keyframes, {rows:,} rows")
    write_text(args.out / LABEL_MAP, label_map_text(label_map))
    config = config_text(args.out, args.videos, len(label_map), model=args.model, has_val=bool(parts["val"]))
    write_text(args.out / CONFIG, config)
    print(f"wrote {args.out / LABEL_MAP}: {len(label_map)} classes")
    print(f"wrote {args.out / CONFIG}: the settings that name these files")


def _print_classes(
    parts: "Mapping[str, Mapping[str, ConvertedVideo]]", ids: Mapping[str, int], label_map: "LabelMap"
) -> None:
    """Print how many people do what, in each part."""
    from ava_detect.data.convert.keyframes import count_actions

    counts = {}
    for name, videos in parts.items():
        found = count_actions(videos)
        counts[name] = {i: sum(found[a] for a in found if ids[a] == i) for i in label_map.ids}
    print(f"\n{'id':>4}  {'train':>7}  {'val':>7}  class")
    for class_id, name in zip(label_map.ids, label_map.names, strict=True):
        train, val = counts["train"][class_id], counts["val"][class_id]
        if train or val:
            print(f"{class_id:>4}  {train:>7,}  {val:>7,}  {name}")
    used = [i for i in label_map.ids if counts["train"][i] or counts["val"][i]]
    for part in (name for name in parts if parts[name]):
        without = [label_map.name_of(i) for i in used if not counts[part][i]]
        if without:
            console.warn(
                f"no example in {part}: {', '.join(without)}", hint="Another --seed, or more videos."
            )


def _print_next_steps(out: Path, *, has_val: bool, has_videos: bool) -> None:
    config = shlex.quote(str(out / "data.yaml"))
    files = " ".join(shlex.quote(str(out / f"{name}.csv")) for name in ("train", "val")[: 1 + has_val])
    labels = shlex.quote(str(out / "label_map.pbtxt"))
    print("\nnext")
    print(f"  ava-detect check {files} {labels}" + (f" --cfg {config}" if has_videos else ""))
    if has_videos:
        print(f"  ava-detect show --cfg {config} --out samples.png")
        print(f"  ava-detect train --cfg {config}")
