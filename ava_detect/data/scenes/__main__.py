"""Make procedural scenes: ``python -m ava_detect.data.scenes --out DIR --split train --count 40``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ava_detect.cli import console
from ava_detect.data.scenes.grades import GRADES, SPLITS
from evaluation.errors import AvaDetectError, UsageError

_EXAMPLES = """examples
  python -m ava_detect.data.scenes --out scenes --split train --count 240 --workers 2
  python -m ava_detect.data.scenes --out scenes --split val --count 60 --workers 2
  python -m ava_detect.data.scenes --grade hard --contact-sheet hard.png
  python -m ava_detect.data.scenes --action-sheet actions.png
  python -m ava_detect.data.scenes --count 200 --statistics

DIR/videos/*.mp4, DIR/annotations/SPLIT.csv (video_id, timestamp, x1, y1, x2, y2, action_id, person_id),
DIR/label_map.pbtxt and DIR/scenes.json are written. Run the same line again to go on after an interruption.
More in docs/scenes.md."""

_SHEET_SCENES = 6
_ACTION_SCENES = 50  # enough for a clear example of every action


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ava_detect.data.scenes",
        description="Draw videos of people with known actions, as an AVA-style data set.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    what = parser.add_argument_group("what is drawn")
    what.add_argument("--grade", choices=GRADES, default="standard", help="difficulty (default standard)")
    what.add_argument("--split", choices=SPLITS, default="train", help="range of seeds (default train)")
    what.add_argument("--count", type=int, default=40, metavar="N", help="scenes of 10 s each (default 40)")
    what.add_argument(
        "--seed", type=int, default=0, metavar="N", help="another set of the split, 0 to 99 (default 0)"
    )
    what.add_argument(
        "--first-second",
        type=int,
        default=0,
        metavar="S",
        help="timestamp of the first frames; AVA: 902 (default 0)",
    )
    output = parser.add_argument_group("output (at least one)")
    output.add_argument("--out", metavar="DIR", help="folder of the data set")
    output.add_argument(
        "--contact-sheet", metavar="FILE.png", help="keyframes of the first scenes, with labels"
    )
    output.add_argument(
        "--action-sheet", metavar="FILE.png", help="each action as a strip of one person over time"
    )
    output.add_argument(
        "--statistics", action="store_true", help="count actions in the scenes; draws nothing"
    )
    speed = parser.add_argument_group("speed")
    speed.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="processes; the files are the same for any (default 1)",
    )
    console.add_common_flags(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = _parser().parse_args(argv)
    console.set_up(args)
    try:
        _run(args)
    except AvaDetectError as error:
        if args.debug:
            raise
        console.error(str(error), hint=error.hint)
        return error.exit_code
    except OSError as error:
        if args.debug:
            raise
        console.error(f"{error.filename or 'file'}: {error.strerror or error}")
        return 1
    except KeyboardInterrupt:
        console.error(
            "interrupted", hint="The finished videos are kept; the same command goes on from there."
        )
        return 130
    return 0


def _run(args: argparse.Namespace) -> None:
    from ava_detect.data.scenes import contact_sheet
    from ava_detect.data.scenes.dataset import split_seeds
    from ava_detect.data.scenes.scene import generate_scene
    from ava_detect.data.scenes.statistics import count_actions

    if not (args.out or args.contact_sheet or args.action_sheet or args.statistics):
        raise UsageError(
            "nothing to do",
            hint="Give --out DIR, --contact-sheet FILE.png, --action-sheet FILE.png or --statistics.",
        )
    for sheet in (args.contact_sheet, args.action_sheet):
        if sheet and not Path(sheet).parent.is_dir():
            raise UsageError(f"{sheet}: there is no folder {Path(sheet).parent}")
    if args.out:
        _write_dataset(args)
    if args.contact_sheet:
        scenes = [
            generate_scene(seed, args.grade) for seed in split_seeds(args.split, _SHEET_SCENES, args.seed)
        ]
        contact_sheet.write_scene_sheet(args.contact_sheet, scenes)
        print(f"contact sheet  {args.contact_sheet}")
    if args.action_sheet:
        scenes = [
            generate_scene(seed, args.grade) for seed in split_seeds(args.split, _ACTION_SCENES, args.seed)
        ]
        contact_sheet.write_action_sheet(args.action_sheet, scenes)
        print(f"action sheet   {args.action_sheet}")
    if args.statistics:
        seeds = split_seeds(args.split, args.count, args.seed)
        print(count_actions(generate_scene(seed, args.grade) for seed in seeds).table())


def _write_dataset(args: argparse.Namespace) -> None:
    from ava_detect.data.scenes.dataset import WrittenScene, write_dataset

    done = rows = 0
    with console.Progress(args.count, label=f"{args.grade} {args.split}", unit="scenes") as progress:

        def report(scene: WrittenScene) -> None:
            nonlocal done, rows
            done, rows = done + 1, rows + len(scene.lines)
            progress.update_to(done, note=scene.video.name)

        annotations = write_dataset(
            args.out,
            args.split,
            args.count,
            args.grade,
            args.seed,
            first_second=args.first_second,
            workers=args.workers,
            on_scene=report,
        )
    print(f"videos         {done} in {annotations.parent.parent / 'videos'}")
    print(f"annotations    {rows:,} rows in {annotations}")


if __name__ == "__main__":
    sys.exit(main())
