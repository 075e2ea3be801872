"""Which Detectron2 configuration a detector has: by name, from a file or text, or by its weights."""

from __future__ import annotations

import contextlib
import importlib.resources
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TextIO

import numpy as np
import yaml
from detectron2 import model_zoo
from detectron2.config import CfgNode

from evaluation.errors import ConfigError, WeightsError
from person_detector import small_backbone  # noqa: F401 - makes its backbone known to Detectron2
from person_detector.settings import default_settings, dotted

SMALL = "faster_rcnn_r18_half_fpn"

# What tells the architectures apart: channels of the stem, blocks of res4, input channels of the 3x3
# convolutions of res2 (fewer than they put out when the convolutions are grouped, as in ResNeXt).
_SIGNATURES = {
    (64, 6, 64): "COCO-Detection/faster_rcnn_R_50_FPN_3x",
    (64, 23, 64): "COCO-Detection/faster_rcnn_R_101_FPN_3x",
    (64, 23, 8): "COCO-Detection/faster_rcnn_X_101_32x8d_FPN_3x",
    (32, 2, 32): SMALL,
}

# What YAML and yacs raise on a file that is something else; RecursionError for a file that is its own base.
_UNUSABLE = (
    yaml.YAMLError, KeyError, ValueError, TypeError, AttributeError, AssertionError, OSError, RecursionError
)  # fmt: skip

_MAX_TEXT = 100_000
# Largest whole numbers of configurations from files that others wrote; what layers they make is compared with
# the weights before any memory is taken.
_MOST = {
    "INPUT.MIN_SIZE_TEST": 4096, "INPUT.MAX_SIZE_TEST": 8192, "MODEL.RPN.PRE_NMS_TOPK_TEST": 100_000,
    "MODEL.RPN.POST_NMS_TOPK_TEST": 100_000, "TEST.DETECTIONS_PER_IMAGE": 10_000,
    "MODEL.ROI_HEADS.NUM_CLASSES": 10_000, "MODEL.ROI_BOX_HEAD.NUM_FC": 16,
    "MODEL.ROI_BOX_HEAD.NUM_CONV": 16, "MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION": 64,
    "MODEL.ROI_BOX_HEAD.POOLER_SAMPLING_RATIO": 64,
}  # fmt: skip
_MAX_LEVELS = 16

_STEM = "backbone.bottom_up.stem.conv1.weight"
_CLASSIFIER = "roi_heads.box_predictor.cls_score.weight"


def load_detector_config(name_or_path: str | Path) -> CfgNode:
    """Return the Detectron2 configuration of a detector, without the heads that boxes do not need.

    Args:
        name_or_path: a YAML file, a name of ``configs/person_detector`` or a name of Detectron2's model zoo
            such as ``COCO-Detection/faster_rcnn_R_50_FPN_3x``. A file wins over a name.

    Raises:
        ConfigError: there is no such thing, or it cannot be used. Files never get to run code.
    """
    cfg = load_training_config(name_or_path)
    cfg.MODEL.WEIGHTS = ""  # those of the config are a start for training
    return cfg


def load_training_config(name_or_path: str | Path) -> CfgNode:
    """Return the same with ``MODEL.WEIGHTS``, the weights to begin a training with.

    Raises:
        ConfigError: as for ``load_detector_config``.
    """
    cfg = _defaults()
    name = str(name_or_path).removesuffix(".yaml").removeprefix("person_detector/")
    if Path(name_or_path).is_file():
        _merge(cfg, Path(name_or_path))
    elif (packaged := _packaged() / f"{name}.yaml").is_file():
        with importlib.resources.as_file(packaged) as path:
            _merge(cfg, path)
    else:
        _merge(cfg, _zoo_file(name))
    cfg.MODEL.MASK_ON = cfg.MODEL.KEYPOINT_ON = False
    return cfg


def parse_detector_config(text: str, source: str) -> CfgNode:
    """Read a configuration from YAML text, for example the one inside a weights file.

    Raises:
        ConfigError: it cannot be used, or asks for more than any detector has. A base is not looked for, a
            tag runs nothing.
    """
    cfg = _defaults()
    if len(text) > _MAX_TEXT:
        raise ConfigError(f"{source}: {len(text):,} characters; expected a configuration")
    with _explained(source):
        cfg.merge_from_other_cfg(CfgNode(yaml.safe_load(text)))
    _check_extent(cfg, source)
    cfg.MODEL.MASK_ON = cfg.MODEL.KEYPOINT_ON = False
    return cfg


def recognise(tensors: Mapping[str, np.ndarray], source: str) -> str:
    """Return the name of the configuration that fits a detector's weights.

    Raises:
        WeightsError: no known architecture has such weights.
    """
    if _STEM not in tensors or _CLASSIFIER not in tensors:
        raise WeightsError(
            f"{source}: not a Detectron2 Faster R-CNN with a feature pyramid: {_missing(tensors)}",
            hint="Zoo names of person detectors: ava-detect models list",
        )
    blocks = {name.split(".")[3] for name in tensors if name.startswith("backbone.bottom_up.res4.")}
    inner = tensors.get("backbone.bottom_up.res2.0.conv2.weight", np.zeros(0))
    signature = (_extent(tensors[_STEM], 0), len(blocks), _extent(inner, 1))
    if signature not in _SIGNATURES:
        stem, count, width = signature
        raise WeightsError(
            f"{source}: an unknown backbone (stem of {stem} channels, {count} blocks in res4, {width} inner"
            f" channels in res2); known are {', '.join(_SIGNATURES.values())}"
        )
    return _SIGNATURES[signature]


def count_classes(tensors: Mapping[str, np.ndarray]) -> int:
    """Return the number of classes of a detector, background not counted."""
    return max(0, _extent(tensors[_CLASSIFIER], 0) - 1)


def _extent(array: np.ndarray, axis: int) -> int:
    """Return the size along an axis; 0 for an axis that a damaged file does not have."""
    return array.shape[axis] if axis < array.ndim else 0


def _missing(tensors: Mapping[str, np.ndarray]) -> str:
    wanted = _STEM if _STEM not in tensors else _CLASSIFIER
    return f"{wanted} is not in it, but {', '.join(sorted(tensors)[:3]) or 'nothing'}"


class _LocalConfig(CfgNode):
    """A configuration whose bases are files; Detectron2 would download a base that is an address."""

    @classmethod
    def _open_cfg(cls, filename: str) -> TextIO:
        return Path(filename).open(encoding="utf-8")


def _check_extent(cfg: CfgNode, source: str) -> None:
    """Refuse numbers with which building or running a detector would never end."""
    named = dotted(cfg)
    for key, most in _MOST.items():
        value = named[key]
        if not (isinstance(value, int) and 0 <= value <= most):
            raise ConfigError(f"{source}: {key} is {named[key]}; expected 0 to {most}")
    for key, value in named.items():
        if isinstance(value, list | tuple) and len(value) > _MAX_LEVELS and key.startswith("MODEL."):
            raise ConfigError(f"{source}: {key} has {len(value)} entries; expected {_MAX_LEVELS} at most")


def _defaults() -> CfgNode:
    """Return the defaults in a configuration that opens no address."""
    cfg = _LocalConfig(default_settings())
    cfg.AVA.set_new_allowed(True)  # which a copy loses
    return cfg


def _merge(cfg: CfgNode, path: Path) -> None:
    """Merge a YAML file and its ``_BASE_``.

    ``allow_unsafe=False``: with Detectron2's default, a tag in the file can call any function.
    """
    with _explained(str(path)):
        cfg.merge_from_file(str(path), allow_unsafe=False)


@contextlib.contextmanager
def _explained(source: str) -> Iterator[None]:
    """Turn what YAML and yacs raise into one kind of error."""
    try:
        yield
    except yaml.constructor.ConstructorError as error:
        raise ConfigError(f"{source}: has a YAML tag that would run code: {error.problem}") from error
    except _UNUSABLE as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{source}: not a Detectron2 configuration: {reason}") from error


def _zoo_file(name: str) -> Path:
    try:
        return Path(model_zoo.get_config_file(f"{name}.yaml"))
    except RuntimeError as error:
        raise ConfigError(
            f"{name}: no such file, no configuration of the project and none of Detectron2's model zoo",
            hint=f"Names look like {_SIGNATURES[64, 6, 64]} or {SMALL}.",
        ) from error


def _packaged() -> Traversable:
    """Return the folder of the project's own detector configurations: installed, or in a checkout."""
    try:
        return importlib.resources.files("ava_detect.configs") / "person_detector"
    except ModuleNotFoundError:
        return Path(__file__).parents[1] / "configs" / "person_detector"
