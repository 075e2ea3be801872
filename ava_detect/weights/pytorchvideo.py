"""pytorchvideo's ``.pyth`` files: ``blocks.0`` is the stem, ``blocks.1``..``blocks.4`` are res2..res5.

Detection models, and classification models trained by PySlowFast, put ``model.`` in front. C2D and I3D count
pool1 as ``blocks.2``, which moves the stages behind it up by one.
"""

import re
from collections.abc import Iterator

from ava_detect.weights.name_map import NameMap
from ava_detect.weights.publisher import Publisher, Tensors


def _layers(stem: str, block: str, pathway: str, *, stage: str = "{s}") -> Iterator[tuple[str, str]]:
    """The rows of one pathway; ``block`` is the published template of a residual block of ``stage``."""
    ours = f"{pathway}.res{stage}.blocks.{{i}}"
    yield f"{stem}.conv.{{t}}", f"{pathway}.stem.conv.{{t}}"
    yield f"{stem}.norm.{{t}}", f"{pathway}.stem.norm.{{t}}"
    yield f"{block}.branch1_conv.{{t}}", f"{ours}.conv_shortcut.{{t}}"
    yield f"{block}.branch1_norm.{{t}}", f"{ours}.norm_shortcut.{{t}}"
    yield f"{block}.branch2.conv_{{x}}.{{t}}", f"{ours}.conv_{{x}}.{{t}}"
    yield f"{block}.branch2.norm_{{x}}.{{t}}", f"{ours}.norm_{{x}}.{{t}}"


_HEADS = [
    ("blocks.{j}.proj.{t}", "head.projection.{t}"),
    ("detection_head.proj.{t}", "head.projection.{t}"),
]

SLOWFAST_NAMES = NameMap(
    [
        ("blocks.0.multipathway_fusion.conv_fast_to_slow.{t}", "laterals.stem.0.conv.{t}"),
        ("blocks.0.multipathway_fusion.norm.{t}", "laterals.stem.0.norm.{t}"),
        ("blocks.{s-1}.multipathway_fusion.conv_fast_to_slow.{t}", "laterals.res{s}.0.conv.{t}"),
        ("blocks.{s-1}.multipathway_fusion.norm.{t}", "laterals.res{s}.0.norm.{t}"),
        *_layers(
            "blocks.0.multipathway_blocks.{p}",
            "blocks.{s-1}.multipathway_blocks.{p}.res_blocks.{i}",
            "pathways.{p}",
        ),
        *_HEADS,
    ]
)
SLOW_NAMES = NameMap([*_layers("blocks.0", "blocks.{s-1}.res_blocks.{i}", "pathways.0"), *_HEADS])
POOL1_NAMES = NameMap(
    [
        *_layers("blocks.0", "blocks.1.res_blocks.{i}", "pathways.0", stage="2"),
        *_layers("blocks.0", "blocks.{s}.res_blocks.{i}", "pathways.0"),
        *_HEADS,
    ]
)


def _recognises(tensors: Tensors) -> bool:
    return any(re.match(r"(model\.)?blocks\.0\.(multipathway_blocks\.0\.)?conv\.", name) for name in tensors)


def _names(tensors: Tensors) -> NameMap:
    """Tell SlowFast, Slow, and the nets with a pool as their third block, by the names that are there."""
    if any("multipathway_blocks" in name for name in tensors):
        return SLOWFAST_NAMES
    third = any(re.match(r"(model\.)?blocks\.2\.", name) for name in tensors)
    return SLOW_NAMES if third else POOL1_NAMES


PYTORCHVIDEO = Publisher("pytorchvideo", _recognises, names=_names, prefixes=("model.",))
