"""The flags that say which person detector finds the people, and how closely it looks."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ava_detect.cli.number_types import positive_count

if TYPE_CHECKING:
    from person_detector.build import DetectorChoices

_FLAGS = {
    "detector_weights": "--detector-weights",
    "detector_config": "--detector-config",
    "person_class": "--person-class",
    "detector_mode": "--detector-mode",
    "detector_proposals": "--detector-proposals",
    "detector_short_side": "--detector-short-side",
    "detector_backend": "--detector-backend",
}


def add_detector_arguments(
    group: argparse._ArgumentGroup, *, short_names: bool, weights_help: str, required: bool = False
) -> None:
    """Declare the flags of the person detector.

    Args:
        group: of the parser.
        short_names: the command runs no action model that they could be meant for, so ``--weights``,
            ``--mode``, ``--proposals``, ``--short-side`` and ``--backend`` do as well.
        weights_help: what ``--help`` says of the weights.
        required: the weights have to be given.
    """

    def names(short: str) -> tuple[str, ...]:
        return (f"--{short}", f"--detector-{short}") if short_names else (f"--detector-{short}",)

    group.add_argument(
        *names("weights"),
        dest="detector_weights",
        required=required,
        metavar="NAME|FILE",
        help=weights_help,
    )
    group.add_argument(
        "--detector-config", metavar="FILE", help="Detectron2 YAML of weights that do not bring their own"
    )
    group.add_argument(
        "--person-class", type=int, metavar="N", help="index of the person in a detector file of your own"
    )
    group.add_argument(
        *names("mode"),
        dest="detector_mode",
        choices=("exact", "fast"),
        help="fast: fewer proposals, and OpenVINO if it is there (default exact)",
    )
    group.add_argument(
        *names("proposals"),
        dest="detector_proposals",
        type=positive_count,
        metavar="N",
        help="regions that are looked at closely (default: as the mode says)",
    )
    group.add_argument(
        *names("short-side"),
        dest="detector_short_side",
        type=positive_count,
        metavar="PIXELS",
        help="pictures are resized to this (default: as the detector was tested)",
    )
    group.add_argument(
        *names("backend"),
        dest="detector_backend",
        choices=("torch", "openvino"),
        help="what runs its convolutions (default: as the mode says)",
    )


def given_detector_flag(args: argparse.Namespace) -> str | None:
    """Return the first of these flags that the user gave."""
    return next((flag for name, flag in _FLAGS.items() if getattr(args, name) is not None), None)


def detector_choices(args: argparse.Namespace) -> DetectorChoices:
    """Return what was chosen, as ``build_person_detector`` takes it."""
    return {
        "config": args.detector_config,
        "person_class": args.person_class,
        "mode": args.detector_mode or "exact",
        "proposals": args.detector_proposals,
        "short_side": args.detector_short_side,
        "backend": args.detector_backend,
    }
