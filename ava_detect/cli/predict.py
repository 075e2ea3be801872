"""``ava-detect predict``: who does what, where and when in videos."""

import argparse
from pathlib import Path

from ava_detect.cli.number_types import positive_count, positive_number, seconds, share
from ava_detect.cli.overrides import add_set_flag

DESCRIPTION = "Find people in videos and say what each of them does."

EPILOG = """\
files
  --out *.csv    the official AVA rows, no header, ready for: ava-detect evaluate
                 video_id,timestamp,x1,y1,x2,y2,action_id,score
  --out *.json   one document with video, model, settings, people; --out *.jsonl: one keyframe a line
  --table *.csv  for spreadsheets, with a header: times, pixels, person ids, action names
  --video *.mp4  the video with boxes and actions drawn; plays in browsers

examples
  ava-detect predict video.mp4 --out actions.csv
  ava-detect predict clips/ --out actions.csv --table people.csv --video overlays/
  ava-detect predict video.mp4 --boxes boxes.csv --weights mymodel.pth --cfg ava/slowfast_8x8_r50 --out -

exit codes: 0 done, 1 not possible, 2 wrong use, 3 some inputs failed or were damaged, 130 interrupted
more: docs/predict.md
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    _input_arguments(parser.add_argument_group("input"))
    _output_arguments(
        parser.add_argument_group("output (several allowed; none: the strongest actions are printed)")
    )
    _model_arguments(parser.add_argument_group("model"))
    _speed_arguments(parser.add_argument_group("speed"))
    _drawing_arguments(parser.add_argument_group("drawing, with --video"))


def _input_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("inputs", nargs="+", metavar="INPUT", help="video file, folder or glob")
    group.add_argument(
        "--boxes", type=Path, metavar="FILE.csv", help="use these person boxes, not the detector"
    )
    group.add_argument(
        "--every",
        type=positive_number,
        default=1.0,
        metavar="SECONDS",
        help="between keyframes (default 1.0, as AVA)",
    )
    group.add_argument(
        "--start", type=seconds, default=0.0, metavar="SECONDS", help="first keyframe (default 0)"
    )
    group.add_argument(
        "--end", type=seconds, metavar="SECONDS", help="no keyframe after this (default: the end)"
    )
    group.add_argument(
        "--time-offset",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="added to the times in CSV files and looked up in --boxes; 900 for AVA's 15-minute cuts",
    )


def _output_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--out",
        action="append",
        default=[],
        metavar="FILE",
        help=".csv: AVA rows (- is standard output); .json, .jsonl",
    )
    group.add_argument(
        "--table", type=Path, metavar="FILE.csv", help="header, pixels, action names, person ids"
    )
    group.add_argument(
        "--video", type=Path, metavar="FILE.mp4", help="annotated video; a folder for several inputs"
    )
    group.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    group.add_argument("--resume", action="store_true", help="go on with the run that was interrupted")
    group.add_argument("--json", action="store_true", help="the summary on standard output as JSON")


def _model_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--weights",
        metavar="NAME|FILE",
        help="see: ava-detect models list (default slowfast-r101-nl-8x8-ava22)",
    )
    group.add_argument("--cfg", metavar="FILE", help="for weights that do not bring their config")
    add_set_flag(group)
    group.add_argument("--labels", metavar="FILE", help="label map the weights were trained with (.pbtxt)")
    group.add_argument(
        "--detector-weights",
        metavar="NAME|FILE",
        help="of the person detector (default faster-rcnn-r50-fpn-coco)",
    )
    group.add_argument(
        "--person-thresh",
        type=share,
        metavar="X",
        help="higher: fewer, surer people (default: the detector's)",
    )
    group.add_argument(
        "--min-score",
        type=share,
        default=0.05,
        metavar="X",
        help="actions below are not written (default 0.05)",
    )
    group.add_argument(
        "--track", action=argparse.BooleanOptionalAction, default=True, help="the same id for the same person"
    )
    group.add_argument("--offline", action="store_true", help="download nothing")


def _speed_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N, mps (default auto)")
    group.add_argument(
        "--precision", default="auto", help="auto, fp32, bf16, fp16 (default auto: half on CUDA, else fp32)"
    )
    group.add_argument("--batch", type=positive_count, metavar="N", help="keyframes at once (default auto)")


def _drawing_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--top-k", type=positive_count, default=5, metavar="N", help="actions per person (default 5)"
    )
    group.add_argument(
        "--label-thresh",
        type=share,
        default=0.3,
        metavar="X",
        help="actions below are not drawn (default 0.3)",
    )
    group.add_argument("--no-timestamp", action="store_true", help="no clock in the corner")
