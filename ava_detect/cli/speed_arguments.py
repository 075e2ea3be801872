"""The flags that say on what, how exactly and with what the action model runs."""

import argparse

from ava_detect.cli.number_types import positive_count


def add_speed_arguments(group: argparse._ArgumentGroup, *, batch_help: str) -> None:
    """Declare --device, --precision, --backend and --batch."""
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N, mps (default auto)")
    group.add_argument(
        "--precision", default="auto", help="auto, fp32, bf16, fp16 (default auto: half on CUDA, else fp32)"
    )
    group.add_argument(
        "--backend",
        choices=("auto", "torch", "openvino", "compile"),
        default="auto",
        help="what runs the action model (default auto: openvino on a CPU that has it, unless there are few "
        "keyframes, else torch; docs/speed.md)",
    )
    group.add_argument("--batch", type=positive_count, metavar="N", help=batch_help)
