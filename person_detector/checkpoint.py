"""Put a detector's weights into its model, with every tensor of the file and of the model accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from detectron2.layers import FrozenBatchNorm2d
from torch import Tensor, nn

from evaluation.errors import WeightsError

# Parts of a checkpoint that finding boxes does not need.
_OTHER_HEADS = ("roi_heads.keypoint_head.", "roi_heads.mask_head.", "sem_seg_head.")
_ANCHORS = "proposal_generator.anchor_generator.cell_anchors."
_FOLDED_STATISTICS = {"running_mean": 0.0, "running_var": 1.0}
_SHOWN = 3


@dataclass(frozen=True)
class DetectorLoad:
    """What became of each tensor.

    Attributes:
        loaded: names that went into the model.
        dropped: names that did not, with the reason.
        assumed: names of the model that the file does not have and that have a fixed value.
    """

    loaded: tuple[str, ...]
    dropped: dict[str, str]
    assumed: tuple[str, ...]


def load_detector_weights(model: nn.Module, tensors: Mapping[str, np.ndarray], source: str) -> DetectorLoad:
    """Load Detectron2 weights into a Detectron2 model.

    Args:
        model: a detector without keypoint or mask head.
        tensors: Detectron2's names -> arrays.
        source: where they come from, for messages.

    Raises:
        WeightsError: a tensor is missing, unknown, of another shape or not finite, or the file was made with
            other anchors or pixel statistics than the model's.
    """
    expected = model.state_dict()
    fixed = {**dict(model.named_buffers()), **expected}  # anchors and pixel statistics are not in the state
    state: dict[str, Tensor] = {}
    dropped: dict[str, str] = {}
    unknown = []
    for name, array in tensors.items():
        if name in expected:
            state[name] = _checked(name, array, expected[name], source)
        elif name.startswith(_OTHER_HEADS):
            dropped[name] = "not needed to find boxes"
        elif name.startswith(_ANCHORS) or name in ("pixel_mean", "pixel_std"):
            _compare(name, array, fixed.get(name), source)
            dropped[name] = "equal to the configuration's"
        else:
            unknown.append(name)
    assumed = constant_tensors(model, tensors)
    missing = [name for name in expected if name not in state and name not in assumed]
    if missing or unknown:
        raise WeightsError(
            f"{source}: does not fit the detector: missing {_listed(missing)}; unknown {_listed(unknown)}"
        )
    model.load_state_dict(state | assumed)
    return DetectorLoad(tuple(state), dropped, tuple(assumed))


def _checked(name: str, array: np.ndarray, place: Tensor, source: str) -> Tensor:
    """Return the array as a tensor of the place's shape."""
    if array.shape != tuple(place.shape):
        raise WeightsError(
            f"{source}: {name} has the shape {array.shape}, the detector {tuple(place.shape)}",
            hint="The weights belong to another configuration or another number of classes.",
        )
    if place.is_floating_point() and array.dtype.kind != "f":
        raise WeightsError(f"{source}: {name} has numbers of the type {array.dtype}, expected floating point")
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
        raise WeightsError(f"{source}: {name} has values that are not finite; the training has diverged")
    return tensor


def _compare(name: str, array: np.ndarray, value: Tensor | None, source: str) -> None:
    """Refuse a file whose constants differ from the model's: its boxes would be wrong without a word."""
    if value is None or not np.allclose(np.asarray(array).ravel(), value.cpu().numpy().ravel(), atol=1e-3):
        found = np.asarray(array).ravel()[:4].tolist()
        raise WeightsError(
            f"{source}: {name} is {found}..., the configuration says "
            f"{'nothing' if value is None else value.ravel()[:4].tolist()}",
            hint="The weights belong to another configuration.",
        )


def constant_tensors(model: nn.Module, tensors: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Return what a file may leave out, with its value: counters, and the statistics of frozen batch norms.

    Caffe2's models, and what was fine-tuned from them, store frozen norms already folded into their affine
    part. A file that has the statistics of some norms has to have those of all.
    """
    values: dict[str, Tensor] = {}
    folded = not any(name.endswith((".running_mean", ".running_var")) for name in tensors)
    for prefix, module in model.named_modules():
        for name, buffer in module.named_buffers(prefix, recurse=False):
            leaf = name.rpartition(".")[2]
            if leaf == "num_batches_tracked":
                values[name] = torch.zeros_like(buffer)
            elif folded and isinstance(module, FrozenBatchNorm2d) and leaf in _FOLDED_STATISTICS:
                values[name] = torch.full_like(buffer, _FOLDED_STATISTICS[leaf])
    return {name: value for name, value in values.items() if name not in tensors}


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "nothing") + more
