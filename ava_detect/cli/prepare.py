"""``ava-detect prepare``: copies of a data set's videos that are quick to read in the middle."""

import argparse
import os
import shlex
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ava_detect.cli import console
from ava_detect.cli.number_types import number_between, positive_count
from ava_detect.cli.overrides import add_overrides, overrides_from
from evaluation.errors import ConfigError, DataError

if TYPE_CHECKING:
    from ava_detect.config import Config
    from ava_detect.data.prepared_folder import NotPrepared, Prepared

EXIT_SOME_FAILED = 3
_NAMED = 3  # missing videos that are named; the others are counted

_EPILOG = """\
A copy has the frames of its original at the same times, smaller pictures, a keyframe every few frames and no
sound. Clips are made of the same source frames as before; set AVA.VIDEO_DIR to the folder with the copies.
What is done is kept: an interrupted run goes on where it stopped; copies of changed videos are made anew.

examples
  ava-detect prepare --cfg mine.yaml
  ava-detect prepare --cfg mine.yaml --out videos_small --short-side 160 --workers 4
  ava-detect prepare --cfg ava/slowfast_8x8_r50 AVA.VIDEO_DIR videos AVA.ANNOTATION_DIR annotations

More: docs/training.md"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = "Make small copies of a data set's videos that are quick to read in the middle."
    parser.epilog = _EPILOG
    data = parser.add_argument_group("input")
    data.add_argument(
        "--cfg", required=True, metavar="FILE", help="YAML file, or a name of `ava-detect config list`"
    )
    add_overrides(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the copies (default: AVA.VIDEO_DIR and the short side)",
    )
    output.add_argument(
        "--short-side",
        type=positive_count,
        default=320,
        metavar="N",
        help="pixels of the copies' short side; smaller pictures keep their size (default 320)",
    )
    output.add_argument(
        "--gop",
        type=positive_count,
        default=24,
        metavar="N",
        help="frames from one keyframe to the next; fewer: larger, quicker where clips jump (default 24)",
    )
    output.add_argument(
        "--crf",
        type=number_between(0, 51),
        default=23.0,
        metavar="X",
        help="x264's quality, 0 (lossless) to 51; more: smaller, coarser (default 23)",
    )
    speed = parser.add_argument_group("speed")
    speed.add_argument(
        "--workers",
        type=positive_count,
        metavar="K",
        help="processes, one video each (default: the cores this process may use)",
    )


def run(args: argparse.Namespace) -> int:
    """Find the set's videos, make the copies, say what they take."""
    from ava_detect.config import load_config
    from ava_detect.data.preparation import CopySettings
    from ava_detect.data.prepared_folder import PreparedFolder

    cfg = load_config(args.cfg, overrides_from(args))
    videos = _videos(cfg)
    source = Path(cfg.AVA.VIDEO_DIR)
    out = args.out or source.with_name(f"{source.absolute().name}_{args.short_side}")
    if out.resolve() == source.resolve():
        raise DataError(
            f"--out {out}: the originals are there, and copies have their names",
            hint="Choose another --out folder.",
        )
    folder = PreparedFolder(out, CopySettings(args.short_side, args.gop, args.crf))
    workers = args.workers or _cores()
    console.say(
        f"{len(videos):,} videos of {source} -> {out}, short side {args.short_side}, {workers} processes"
    )
    with closing(folder.complete(videos, workers=workers)) as results:
        made, failed = _follow(results, len(videos))
    if not made:
        raise DataError(f"none of the {len(failed)} videos could be prepared")
    print(_sizes(made))
    print(f"to use the copies: AVA.VIDEO_DIR {shlex.quote(str(out))}")
    if failed:
        console.error(
            f"{len(failed)} of {len(videos):,} videos have no copy: "
            + ", ".join(result.video_id for result in failed),
            hint="Their keyframes would be left out of training.",
        )
    return EXIT_SOME_FAILED if failed else 0


def _videos(cfg: "Config") -> dict[str, Path]:
    """Return the set's videos that are there, by id; warn of those that are not."""
    from ava_detect.data.build import annotated_videos
    from ava_detect.data.clip_sources import videos_in

    if not cfg.AVA.VIDEO_DIR:
        raise ConfigError(
            "AVA.VIDEO_DIR is empty: where are the videos?",
            hint="Set it, for example: AVA.VIDEO_DIR data/videos",
        )
    names, missing_files = annotated_videos(cfg)
    for path in missing_files:
        console.say(f"{path}: not there; its videos are not looked for")
    there = videos_in(Path(cfg.AVA.VIDEO_DIR))
    absent = [name for name in names if name not in there]
    if len(absent) == len(names):
        raise DataError(
            f"{cfg.AVA.VIDEO_DIR}: none of the {len(names):,} annotated videos is there (annotated:"
            f" {_some(names)}; found: {_some(there)})",
            hint="A video's file is called like its id in the annotations: ID.mp4",
        )
    if absent:
        console.warn(f"{len(absent):,} annotated videos are not in {cfg.AVA.VIDEO_DIR}: {_some(absent)}")
    return {name: there[name] for name in names if name in there}


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_NAMED]) + (", ..." if len(listed) > _NAMED else "")


def _follow(
    results: "Iterator[Prepared | NotPrepared]", total: int
) -> "tuple[list[Prepared], list[NotPrepared]]":
    """Collect the results with a progress bar; name each video that fails at once."""
    from ava_detect.data.prepared_folder import NotPrepared

    made: list[Prepared] = []
    failed: list[NotPrepared] = []
    with console.Progress(total, label="prepare", unit="videos") as progress:
        for result in results:
            if isinstance(result, NotPrepared):
                failed.append(result)
                console.warn(f"no copy: {result.reason}")
            else:
                made.append(result)
            progress.update_to(len(made) + len(failed))
    return made, failed


def _sizes(made: "list[Prepared]") -> str:
    """Say what was done and what it takes on disk."""
    kept = sum(not result.is_new for result in made)
    before, after, jpeg = (
        sum(getattr(result.copy, name) for result in made)
        for name in ("bytes_before", "bytes_after", "jpeg_bytes")
    )
    hours = sum(result.copy.duration_s for result in made) / 3600
    return "\n".join(
        [
            f"{len(made):,} copies, {hours:.1f} hours"
            + (f", {kept:,} of them there already" if kept else ""),
            f"originals {_megabytes(before)}, copies {_megabytes(after)}",
            f"as JPEG frames (30 per second, full size, ffmpeg -q:v 1) about {_megabytes(jpeg)}:"
            f" {jpeg / after:.0f} times the copies",
        ]
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e10 else f"{size / 1e6:,.1f} MB"


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
