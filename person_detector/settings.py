"""The settings of a detector: Detectron2's defaults and the few keys that they lack; overrides and checks."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import yaml
from detectron2.config import CfgNode, get_cfg

from evaluation.errors import ConfigError


def default_settings() -> CfgNode:
    """Return Detectron2's defaults and ours.

    ``AVA`` and ``COCO`` say where pictures and boxes are. They mean nothing to a detector and are read by
    whoever hands it the pictures; ``AVA`` takes the keys of the action models' configurations.
    """
    cfg = get_cfg()
    # Channels of the stages of build_narrow_resnet18_fpn_backbone.
    cfg.MODEL.RESNETS.STAGE_CHANNELS = [32, 64, 128, 256]
    # SGD or AdamW. Detectron2 has SGD only.
    cfg.SOLVER.OPTIMIZER = "SGD"
    # Arithmetic of the network while it is trained: fp32, bf16, or fp16 (CUDA only).
    cfg.SOLVER.PRECISION = "fp32"
    # Steps between two lines of the log.
    cfg.SOLVER.LOG_PERIOD = 20
    # How many of the latest checkpoints stay on disk.
    cfg.SOLVER.KEEP_CHECKPOINTS = 3
    # Brightness, contrast and saturation are multiplied by 1 - x to 1 + x.
    cfg.INPUT.COLOR_JITTER = 0.0
    # Decoded keyframes that each loading process keeps in memory, GB; 0 decodes each whenever it is due.
    cfg.DATALOADER.CACHE_GB = 0.0
    cfg.AVA = CfgNode(new_allowed=True)
    cfg.COCO = CfgNode({"TRAIN_JSON": "", "TRAIN_IMAGES": "", "TEST_JSON": "", "TEST_IMAGES": "",
                        "CATEGORY": "person"})  # fmt: skip
    cfg.OUTPUT_DIR = "runs"
    cfg.SEED = 0
    return cfg


def override(cfg: CfgNode, pairs: Sequence[str]) -> None:
    """Change settings by a flat list of keys and values, as typed.

    Raises:
        ConfigError: an unknown key, or a value of another type.
    """
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        section, _, name = key.rpartition(".")
        if section == "AVA":  # checked by whoever reads it
            cfg.AVA[name] = yaml.safe_load(value) if isinstance(value, str) else value
            continue
        known = dotted(cfg)
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            meant = f" Did you mean {near[0]} ({known[near[0]]!r} in this config)?" if near else ""
            raise ConfigError(f"{key} is not a setting.{meant}")
        try:
            cfg.merge_from_list([key, _typed(value, known[key])])
        except (ValueError, AssertionError, KeyError, SyntaxError) as error:
            expected = type(known[key]).__name__
            raise ConfigError(f"{key} (command line): expected {expected}, got {value!r}") from error


def _typed(value: str, present: object) -> str:
    """Write a value so that yacs reads it as what is there: "1" as a number, or as text."""
    if isinstance(present, float):
        return repr(float(value))
    return repr(value) if isinstance(present, str) else value


def check_settings(cfg: CfgNode) -> None:
    """Refuse values with which no training is possible.

    Raises:
        ConfigError: it names the key.
    """
    solver, wrong = cfg.SOLVER, []
    for key in ("MAX_ITER", "IMS_PER_BATCH", "CHECKPOINT_PERIOD", "LOG_PERIOD", "KEEP_CHECKPOINTS"):
        if solver[key] < 1:
            wrong.append(f"SOLVER.{key}: expected at least 1, got {solver[key]}")
    if not solver.BASE_LR > 0:
        wrong.append(f"SOLVER.BASE_LR: expected a number above 0, got {solver.BASE_LR}")
    if not 0 <= cfg.INPUT.COLOR_JITTER < 1:
        wrong.append(f"INPUT.COLOR_JITTER: expected a number from 0 to below 1, got {cfg.INPUT.COLOR_JITTER}")
    if cfg.SEED < 0:
        wrong.append(f"SEED: expected at least 0, got {cfg.SEED}")
    if solver.LR_SCHEDULER_NAME not in _SCHEDULES:
        wrong.append(
            f"SOLVER.LR_SCHEDULER_NAME: expected {' or '.join(_SCHEDULES)}, got {solver.LR_SCHEDULER_NAME}"
        )
    kind = (cfg.MODEL.META_ARCHITECTURE, cfg.MODEL.PROPOSAL_GENERATOR.NAME)
    if kind != _KIND:
        wrong.append(
            f"MODEL: expected a {_KIND[0]} with {_KIND[1]} for proposals, got {kind[0]} with {kind[1]}"
        )
    if wrong:
        raise ConfigError(wrong[0])


def changed_settings(cfg: CfgNode) -> str:
    """Return what differs from the defaults as YAML text, without what only a training needs."""
    described = cfg.clone()
    defaults = default_settings()
    for section in ("AVA", "COCO", "DATALOADER", "DATASETS", "SOLVER", "TEST"):
        described[section] = defaults[section]
    described.OUTPUT_DIR, described.MODEL.WEIGHTS = defaults.OUTPUT_DIR, ""
    described.MODEL.DEVICE = defaults.MODEL.DEVICE
    return str(yaml.safe_dump(_difference(described, defaults), sort_keys=True))


_KIND = ("GeneralizedRCNN", "RPN")
_SCHEDULES = ("WarmupMultiStepLR", "WarmupCosineLR")


def _difference(cfg: CfgNode, defaults: CfgNode) -> dict[str, object]:
    changed: dict[str, object] = {}
    for key, value in cfg.items():
        if isinstance(value, CfgNode):
            inner = _difference(value, defaults[key])
            if inner:
                changed[key] = inner
        elif value != defaults[key]:
            changed[key] = _plain(value)
    return changed


def _plain(value: object) -> object:
    """Turn tuples into lists, which YAML has."""
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value


def dotted(cfg: CfgNode, prefix: str = "") -> dict[str, object]:
    """Return all settings by their dotted names."""
    named: dict[str, object] = {}
    for key, value in cfg.items():
        if isinstance(value, CfgNode):
            named |= dotted(value, f"{prefix}{key}.")
        else:
            named[f"{prefix}{key}"] = value
    return named
