"""Weights to begin a training with: of a detector, or of an ImageNet classifier for the backbone.

Unlike weights to detect with, they need not fit: another number of classes, another head. Every tensor of the
file and of the model is accounted for all the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from detectron2.checkpoint.c2_model_loading import convert_basic_c2_names
from torch import Tensor, nn

from evaluation.errors import WeightsError
from person_detector.checkpoint import constant_tensors

_BACKBONE = "backbone.bottom_up."
_CLASSES = "roi_heads.box_predictor.cls_score."
_BOXES = "roi_heads.box_predictor.bbox_pred."
_OTHER_HEADS = ("roi_heads.keypoint_head.", "roi_heads.mask_head.", "sem_seg_head.")
_CONSTANTS = ("proposal_generator.anchor_generator.cell_anchors.", "pixel_mean", "pixel_std")
_CLASSIFIER = re.compile(r"^(linear|fc|fc1000|pred|linear1000)[._](w|b|weight|bias)(_momentum)?$")


@dataclass(frozen=True)
class StartReport:
    """What became of each tensor.

    Attributes:
        loaded: names of the model that were filled from the file.
        narrowed: those of them that took the person's rows out of many classes.
        dropped: names of the file that are not used, with the reason.
        new: names of the model that begin with random numbers.
        assumed: names of the model with a fixed value, which files may leave out.
    """

    loaded: tuple[str, ...]
    narrowed: tuple[str, ...]
    dropped: dict[str, str] = field(default_factory=dict)
    new: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    def summary(self) -> str:
        """Say it in a line or two."""
        parts = [f"loaded {len(self.loaded)} of {len(self.loaded) + len(self.new)} tensors"]
        if self.narrowed:
            parts.append(f"of {len(self.narrowed)} only the person's rows")
        if self.new:
            parts.append(f"new: {_groups(self.new)}")
        if self.dropped:
            parts.append(f"not used: {_groups(self.dropped)}")
        return "; ".join(parts)


def begin_with(
    model: nn.Module, tensors: Mapping[str, np.ndarray], source: str, *, person_class: int | None = None
) -> StartReport:
    """Fill a model with the weights that fit.

    Args:
        model: a Detectron2 R-CNN, weights as initialised.
        tensors: names and arrays of a Detectron2 detector, or of a ResNet in the names of Detectron2,
            Caffe2 or torchvision.
        source: where they come from, for messages.
        person_class: which of the file's classes is the person; None: 0 of one class, or of COCO's 80.

    Raises:
        WeightsError: nothing fits, a tensor that should fit has another shape, or values are not finite.
    """
    named = _detectron2_names(tensors)
    expected = model.state_dict()
    state: dict[str, Tensor] = {}
    narrowed, dropped = [], {}
    for name, array in named.items():
        reason = _unused(name, expected)
        if reason:
            dropped[name] = reason
            continue
        tensor = torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))  # it makes numbers 1-d
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise WeightsError(f"{source}: {name} has values that are not finite; its training has diverged")
        if name.startswith((_CLASSES, _BOXES)) and tensor.shape != expected[name].shape:
            person = _person_rows(name, tensor, expected[name], person_class, source)
            if person is None:
                dropped[name] = f"{len(tensor)} rows of other classes"
                continue
            narrowed.append(name)
            tensor = person
        state[name] = _fitting(name, tensor, expected[name], source)
    if not any(name.startswith("backbone.") for name in state):
        shown = ", ".join(sorted(tensors)[:3]) or "nothing"
        raise WeightsError(
            f"{source}: nothing in it fits the detector's backbone (it has {shown}, ...)",
            hint="Detectron2's detectors and ImageNet ResNets of the same depth can begin a training.",
        )
    assumed = {name: value for name, value in constant_tensors(model, named).items() if name not in state}
    new = tuple(name for name in expected if name not in state and name not in assumed)
    model.load_state_dict({**expected, **assumed, **state})
    return StartReport(tuple(state), tuple(narrowed), dropped, new, tuple(assumed))


def _detectron2_names(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Give ImageNet classifiers the names that their layers have in a detector's backbone."""
    if any(name.startswith(_BACKBONE) for name in tensors):
        return dict(tensors)
    if "conv1_w" in tensors:
        tensors = dict(zip(convert_basic_c2_names(list(tensors)), tensors.values(), strict=True))
    elif "layer1.0.conv1.weight" in tensors:
        tensors = {_from_torchvision(name): array for name, array in tensors.items()}
    return {
        name if _CLASSIFIER.match(name) else f"{_BACKBONE}{name}": array for name, array in tensors.items()
    }


def _from_torchvision(name: str) -> str:
    """``layer1.0.bn1.weight`` -> ``res2.0.conv1.norm.weight``."""
    name = re.sub(r"^layer(\d)", lambda stage: f"res{int(stage[1]) + 1}", name)
    name = name if name.startswith(("res", "fc")) else f"stem.{name}"
    name = name.replace("downsample.0", "shortcut").replace("downsample.1", "shortcut.norm")
    return re.sub(r"\bbn(\d)", r"conv\1.norm", name)


def _unused(name: str, expected: Mapping[str, Tensor]) -> str:
    """Say why a tensor of the file is not used; "" for one that is."""
    if name.startswith(_OTHER_HEADS):
        return "not needed to find boxes"
    if name.startswith(_CONSTANTS):
        return "the configuration's are used"
    if _CLASSIFIER.match(name):
        return "classifies whole pictures"
    return "" if name in expected else "the detector has no such tensor"


def _person_rows(
    name: str, tensor: Tensor, place: Tensor, person_class: int | None, source: str
) -> Tensor | None:
    """Take the rows of the person, and of the background if there is one, out of those of many classes.

    Returns:
        None where they cannot be had: the model itself has several classes, or nobody says which is it.
    """
    with_background = name.startswith(_CLASSES)
    rows = 1 if with_background else 4
    classes = len(tensor) // rows - (1 if with_background else 0)
    if len(place) != (2 if with_background else 4) or len(tensor) % rows or classes < 1:
        return None
    if person_class is None and classes not in (1, 80):
        return None
    person = person_class or 0
    if person >= classes:
        raise WeightsError(f"{source}: has the classes 0 to {classes - 1}; person class {person} is not one")
    chosen = [person, classes] if with_background else list(range(4 * person, 4 * person + 4))
    return tensor[chosen]


def _fitting(name: str, tensor: Tensor, place: Tensor, source: str) -> Tensor:
    if tensor.shape != place.shape:
        raise WeightsError(
            f"{source}: {name} has the shape {tuple(tensor.shape)}, the detector {tuple(place.shape)}",
            hint="The weights belong to another configuration.",
        )
    if place.is_floating_point() != tensor.is_floating_point():
        raise WeightsError(f"{source}: {name} has numbers of the type {tensor.dtype}, expected {place.dtype}")
    return tensor


def _groups(names: Mapping[str, str] | tuple[str, ...]) -> str:
    """Shorten names to the layers that they belong to: ``roi_heads.box_head (4)``."""
    counts: dict[str, int] = {}
    for name in names:
        parts = name.split(".")
        layer = ".".join(parts[:3] if parts[0] == "backbone" else parts[:2])
        counts[layer] = counts.get(layer, 0) + 1
    return ", ".join(f"{layer} ({count})" for layer, count in counts.items())
