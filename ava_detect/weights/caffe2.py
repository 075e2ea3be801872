"""PySlowFast's zoo ``.pkl`` files, written by Caffe2 under Python 2.

Slow blobs have no prefix, Fast blobs ``t_``. The suffix ``_riv`` is the running variance itself, not its
reciprocal. Lateral connections are named after the last block of the stage they leave (``t_res4_22_...``).
"""

from collections.abc import Iterator

from torch import Tensor

from ava_detect.weights.name_map import NameMap
from ava_detect.weights.publisher import Adapted, Publisher, Tensors, keep

_SCALE_AND_STATISTICS = {"s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"}
_TRAINING_STATE = "Caffe2's training state"


def _layer(blob: str, convolution: str, norm: str, norm_blob: str = "") -> Iterator[tuple[str, str]]:
    """The rows of a convolution without bias and its norm."""
    yield f"{blob}_w", f"{convolution}.weight"
    for suffix, leaf in _SCALE_AND_STATISTICS.items():
        yield f"{norm_blob or f'{blob}_bn'}_{suffix}", f"{norm}.{leaf}"


def _rows() -> Iterator[tuple[str, str]]:
    # The laterals come before the blocks: t_res4_5_branch2c_bn_subsample_bn_s looks like block 5's c, too.
    yield from _layer("t_pool1_subsample", "laterals.stem.0.conv", "laterals.stem.0.norm")
    yield from _layer(
        "t_res{s}_{j}_branch2c_bn_subsample", "laterals.res{s}.0.conv", "laterals.res{s}.0.norm"
    )
    for prefix, pathway in (("", "pathways.0"), ("t_", "pathways.1")):
        stem, block = f"{pathway}.stem", f"{pathway}.res{{s}}.blocks.{{i}}"
        yield from _layer(f"{prefix}conv1", f"{stem}.conv", f"{stem}.norm", f"{prefix}res_conv1_bn")
        yield from _layer(
            f"{prefix}res{{s}}_{{i}}_branch1", f"{block}.conv_shortcut", f"{block}.norm_shortcut"
        )
        yield from _layer(
            f"{prefix}res{{s}}_{{i}}_branch2{{x}}", f"{block}.conv_{{x}}", f"{block}.norm_{{x}}"
        )
    for suffix, leaf in _SCALE_AND_STATISTICS.items():
        yield f"nonlocal_conv{{s}}_{{i}}_bn_{suffix}", f"pathways.0.res{{s}}.nonlocals.{{i}}.norm.{leaf}"
    for suffix, leaf in (("w", "weight"), ("b", "bias")):
        yield f"nonlocal_conv{{s}}_{{i}}_{{n}}_{suffix}", f"pathways.0.res{{s}}.nonlocals.{{i}}.{{n}}.{leaf}"
        yield f"pred_{suffix}", f"head.projection.{leaf}"


NAMES = NameMap(_rows())


def _recognises(tensors: Tensors) -> bool:
    return "conv1_w" in tensors and "res_conv1_bn_s" in tensors


def _adapt(name: str, tensor: Tensor, shape: tuple[int, ...]) -> Adapted | None:
    """A blob may lack trailing sizes of 1 (a 1x1x1 convolution stored as a matrix); a parameter may not."""
    if tensor.dim() < len(shape) and (*tensor.shape, *[1] * (len(shape) - tensor.dim())) == shape:
        return Adapted(tensor.reshape(shape), "trailing sizes of 1 added")
    return keep(name, tensor, shape)


CAFFE2 = Publisher(
    "Caffe2 (PySlowFast zoo)",
    _recognises,
    names=lambda _: NAMES,
    adapt=_adapt,
    not_weights={".*_momentum": _TRAINING_STATE, "lr": _TRAINING_STATE, "model_iter": _TRAINING_STATE},
)
