"""mmaction2's ``.pth`` files: ``layer1``..``layer4`` are res2..res5, ``conv1``..``conv3`` of a block a..c.

A SlowFast's pathways are ``slow_path`` (which owns the laterals) and ``fast_path``; a SlowOnly has its layers
directly under ``backbone``. AVA classifiers have 81 rows: row c is action id c, and row 0, background, was
never trained.
"""

import re
from collections.abc import Iterator

from torch import Tensor

from ava_detect.weights.name_map import NameMap
from ava_detect.weights.publisher import Adapted, Publisher, Tensors, keep


def _pathway(theirs: str, ours: str) -> Iterator[tuple[str, str]]:
    """The rows of one pathway; ``theirs`` ends in a dot or is empty."""
    block, our_block = f"{theirs}layer{{s-1}}.{{i}}", f"{ours}.res{{s}}.blocks.{{i}}"
    nonlocal_block, our_nonlocal = f"{block}.non_local_block", f"{ours}.res{{s}}.nonlocals.{{i}}"
    yield from _layer(f"{theirs}conv1", f"{ours}.stem.conv", f"{ours}.stem.norm")
    for number, letter in (("1", "a"), ("2", "b"), ("3", "c")):
        yield from _layer(f"{block}.conv{number}", f"{our_block}.conv_{letter}", f"{our_block}.norm_{letter}")
    yield from _layer(f"{block}.downsample", f"{our_block}.conv_shortcut", f"{our_block}.norm_shortcut")
    yield from _layer(f"{nonlocal_block}.conv_out", f"{our_nonlocal}.out", f"{our_nonlocal}.norm")
    for form in ("", ".0"):  # g and phi are followed by a pool, and so numbered, where there is sub-sampling
        yield f"{nonlocal_block}.{{n}}{form}.conv.{{t}}", f"{our_nonlocal}.{{n}}.{{t}}"


def _layer(theirs: str, convolution: str, norm: str) -> Iterator[tuple[str, str]]:
    yield f"{theirs}.conv.{{t}}", f"{convolution}.{{t}}"
    yield f"{theirs}.bn.{{t}}", f"{norm}.{{t}}"


def _laterals() -> Iterator[tuple[str, str]]:
    yield from _layer("slow_path.conv1_lateral", "laterals.stem.0.conv", "laterals.stem.0.norm")
    yield from _layer("slow_path.layer{s-1}_lateral", "laterals.res{s}.0.conv", "laterals.res{s}.0.norm")


NAMES = NameMap(
    [
        *_laterals(),
        *_pathway("slow_path.", "pathways.0"),
        *_pathway("fast_path.", "pathways.1"),
        *_pathway("", "pathways.0"),
        ("cls_head.fc_cls.{t}", "head.projection.{t}"),
        ("roi_head.bbox_head.fc_cls.{t}", "head.projection.{t}"),
        ("roi_head.bbox_head.fc_cls.{i}.{t}", "head.projection.{i}.{t}"),
    ]
)


def _recognises(tensors: Tensors) -> bool:
    """Whole models have the prefix ``backbone.``; files of a backbone alone do not."""
    return any(re.match(r"(backbone\.)?((slow|fast)_path\.)?conv1\.conv\.weight", name) for name in tensors)


def _adapt(name: str, tensor: Tensor, shape: tuple[int, ...]) -> Adapted | None:
    """Take row 0 of an 81-row classifier away for a model without a background column."""
    if name.startswith("head.projection.") and tuple(tensor.shape) == (81, *shape[1:]) and shape[0] == 80:
        return Adapted(tensor[1:], "row 0 left out: mmaction2's background class, never trained")
    return keep(name, tensor, shape)


MMACTION2 = Publisher(
    "mmaction2",
    _recognises,
    names=lambda _: NAMES,
    prefixes=("backbone.",),
    adapt=_adapt,
    not_weights={
        r"data_preprocessor\..*": "normalisation constants; ours are in the config",
        r"(roi_head\.bbox_head|cls_head)\.loss_cls\..*": "constants of the loss",
    },
)
