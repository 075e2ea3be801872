"""Make a person detector: find the weights, the configuration that goes with them, and the fastest road.

========  ==========================================================================================
mode      what it does
========  ==========================================================================================
"exact"   the boxes of Detectron2's own predictor, up to rounding; batch norms folded, channels last,
          RoIAlign for CPUs
"fast"    300 proposals instead of the configuration's 1000, and OpenVINO for the trunk on a CPU where it
          is installed; loses people only where there are very many
========  ==========================================================================================

Lower precision is a choice of its own: ``precision="bf16"`` (GPUs, CPUs that have it) or "fp16" (GPUs).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

import numpy as np
import torch

from ava_detect.acceleration.openvino_network import has_openvino
from ava_detect.weights import ZooEntry, fetch_weights, find_weights
from ava_detect.weights.safe_read import read_detector_checkpoint
from evaluation.errors import ConfigError, UsageError, WeightsError
from person_detector.detector import DetectorForm, PersonDetector
from person_detector.detectron2_import import require_detectron2

if TYPE_CHECKING:
    from detectron2.config import CfgNode

Mode = Literal["exact", "fast"]
Backend = Literal["torch", "openvino"]

DEFAULT_THRESHOLD = 0.7  # for files without a record
FAST_PROPOSALS = 300
_COCO_CLASSES = 80
_COCO_PERSON = 0

_log = logging.getLogger(__name__)


class DetectorChoices(TypedDict, total=False):
    """Those arguments of ``build_person_detector`` by which it finds other boxes, or in another time."""

    config: str | Path | None
    person_class: int | None
    mode: Mode
    proposals: int | None
    short_side: int | None
    backend: Backend | None


def build_person_detector(
    weights: str | Path | ZooEntry,
    *,
    config: str | Path | None = None,
    device: str | torch.device = "auto",
    threshold: float | None = None,
    person_class: int | None = None,
    mode: Mode = "exact",
    precision: str = "fp32",
    proposals: int | None = None,
    short_side: int | None = None,
    backend: Backend | None = None,
) -> PersonDetector:
    """Build a detector with its weights.

    Args:
        weights: a zoo name, a file, an address or "embedded"; or the record that ``find_weights`` gives.
        config: a Detectron2 YAML file, a name of ``configs/person_detector`` or of Detectron2's model zoo;
            None: what the record says, or what fits the tensors.
        device: "auto" is the first CUDA GPU if there is one, else the CPU.
        threshold: lowest score of a person; None: the record's.
        person_class: index of the person among the detector's classes; None: the record's.
        mode: see the module.
        precision: "fp32", "bf16" or "fp16".
        proposals: regions per picture that are looked at closely; None: as the mode says.
        short_side: pixels that pictures are resized to; None: as the detector was tested.
        backend: what runs the trunk; None: as the mode says.

    Raises:
        MissingDependencyError: Detectron2, or a backend that was asked for, is not installed.
        WeightsError: no such weights, unsafe, damaged, or not those of the configuration.
        ConfigError: the configuration cannot be used, or nobody says which class is the person.
        UsageError: precision, backend and device do not go together.
    """
    require_detectron2()
    from person_detector.network import FasterRCNN

    place = _device(device)
    _check_choices(place, mode, precision, backend)
    entry = weights if isinstance(weights, ZooEntry) else find_weights(weights, kind="persons")
    tensors = read_detector_checkpoint(fetch_weights(entry))
    cfg = _configure(entry, tensors, config)
    if mode == "fast" and proposals is None:
        proposals = min(FAST_PROPOSALS, cfg.MODEL.RPN.POST_NMS_TOPK_TEST)
    form = DetectorForm.of(
        cfg,
        person_class=_person_class(entry, cfg.MODEL.ROI_HEADS.NUM_CLASSES, person_class),
        mode=mode,
        backend=backend or _backend(mode, place),
        proposals=proposals,
        short_side=short_side,
    )
    lowest = _threshold(entry) if threshold is None else threshold
    cfg.MODEL.DEVICE = str(place)
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = min(cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST, lowest)
    cfg.MODEL.RPN.POST_NMS_TOPK_TEST = form.proposals
    if entry.persons is not None and entry.persons.enclosed_config:
        _check_extent(cfg, tensors, entry.name)
    return PersonDetector(
        FasterRCNN(_load(cfg, tensors, entry.name), precision=precision, backend=form.backend),
        form,
        name=entry.name,
        threshold=lowest,
        max_side=cfg.INPUT.MAX_SIZE_TEST,
        rgb=cfg.INPUT.FORMAT == "RGB",
    )


def _device(device: str | torch.device) -> torch.device:
    if device == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def _check_choices(device: torch.device, mode: str, precision: str, backend: str | None) -> None:
    if mode not in ("exact", "fast"):
        raise UsageError(f"detector mode {mode!r}: expected exact or fast")
    if precision not in ("fp32", "bf16", "fp16"):
        raise UsageError(f"precision {precision!r}: expected fp32, bf16 or fp16")
    if precision == "fp16" and device.type == "cpu":
        raise UsageError(
            "precision fp16 needs a GPU", hint="On a CPU use fp32, or bf16 if it has such instructions."
        )
    if backend not in (None, "torch", "openvino"):
        raise UsageError(f"backend {backend!r}: expected torch or openvino")
    if backend == "openvino" and device.type != "cpu":
        raise UsageError(f"backend openvino runs on the CPU, the device is {device}")


def _backend(mode: str, device: torch.device) -> Backend:
    if mode == "exact" or device.type != "cpu":
        return "torch"
    if not has_openvino():
        _log.info("openvino is not installed: the detector's trunk runs in torch")
        return "torch"
    return "openvino"


def _threshold(entry: ZooEntry) -> float:
    return DEFAULT_THRESHOLD if entry.persons is None else entry.persons.score_threshold


def _configure(entry: ZooEntry, tensors: Mapping[str, np.ndarray], config: str | Path | None) -> CfgNode:
    """Return the configuration: the user's, the record's, or the one that the tensors have."""
    from person_detector.architecture import (
        count_classes,
        load_detector_config,
        parse_detector_config,
        recognise,
    )

    if config is not None:
        return load_detector_config(config)
    if entry.persons is not None and entry.persons.enclosed_config:
        return parse_detector_config(entry.persons.enclosed_config, entry.persons.detectron2_config)
    if entry.persons is not None:
        return load_detector_config(entry.persons.detectron2_config)
    cfg = load_detector_config(recognise(tensors, entry.name))
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = count_classes(tensors)
    return cfg


def _person_class(entry: ZooEntry, classes: int, asked: int | None) -> int:
    """Return the index of the person.

    Raises:
        ConfigError: it is not among the classes, or there are several and nobody says which it is.
    """
    if asked is not None:
        if not 0 <= asked < classes:
            raise ConfigError(f"--person-class {asked}: {entry.name} has the classes 0 to {classes - 1}")
        return asked
    if entry.persons is not None:
        return entry.persons.person_class
    if classes == 1:
        return 0
    if classes == _COCO_CLASSES:
        _log.info(
            "%s: %d classes, taken for COCO's: class %d is the person", entry.name, classes, _COCO_PERSON
        )
        return _COCO_PERSON
    raise ConfigError(
        f"{entry.name}: has {classes} classes, and nothing says which of them is the person",
        hint=f"--person-class N, with N from 0 to {classes - 1}",
    )


def _check_extent(cfg: CfgNode, tensors: Mapping[str, np.ndarray], source: str) -> None:
    """Compare the layers of a file's own configuration with its weights, before they take memory.

    Raises:
        WeightsError: the configuration makes a network of another size.
    """
    from detectron2.modeling import build_model

    unplaced = cfg.clone()
    unplaced.MODEL.DEVICE = "meta"
    with torch.device("meta"):
        asked = sum(parameter.numel() for parameter in build_model(unplaced).parameters())
    held = sum(array.size for array in tensors.values())
    if asked > held:
        raise WeightsError(
            f"{source}: the configuration inside makes a network of {asked:,} weights, the file has {held:,}"
        )


def _load(cfg: CfgNode, tensors: Mapping[str, np.ndarray], source: str) -> torch.nn.Module:
    from detectron2.modeling import build_model

    from person_detector.checkpoint import load_detector_weights

    model: torch.nn.Module = build_model(cfg)
    report = load_detector_weights(model, tensors, source)
    _log.debug(
        "%s: loaded %d tensors, dropped %d, assumed %d",
        source, len(report.loaded), len(report.dropped), len(report.assumed),
    )  # fmt: skip
    return model
