"""The flags that say on what, how exactly and with what networks run."""

import argparse

from ava_detect.cli.number_types import positive_count


def add_device_arguments(group: argparse._ArgumentGroup, *, precision: str = "auto") -> None:
    """Declare --device and --precision, which is ``precision`` where nobody says."""
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N, mps (default auto)")
    explained = ": half on CUDA, else fp32" if precision == "auto" else ""
    group.add_argument(
        "--precision", default=precision, help=f"auto, fp32, bf16, fp16 (default {precision}{explained})"
    )


def add_batch_argument(group: argparse._ArgumentGroup, *, batch_help: str) -> None:
    """Declare --batch."""
    group.add_argument("--batch", type=positive_count, metavar="N", help=batch_help)


def add_speed_arguments(group: argparse._ArgumentGroup, *, batch_help: str) -> None:
    """Declare --device, --precision, --backend and --batch, for commands that run the action model."""
    add_device_arguments(group)
    group.add_argument(
        "--backend",
        choices=("auto", "torch", "openvino", "compile"),
        default="auto",
        help="what runs the action model (default auto: openvino on a CPU that has it, unless there are few "
        "keyframes, else torch; docs/speed.md)",
    )
    add_batch_argument(group, batch_help=batch_help)
