"""What is to be tested: weights, the configuration that they bring, the data set on top of it."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ava_detect import __version__
from ava_detect.config import Config, load_config, on_top
from ava_detect.config.dump import format_value
from ava_detect.config.keys import values_of
from ava_detect.data.annotations import Annotations, label_columns
from ava_detect.data.build import build_label_map
from ava_detect.engine.testing.journal import Facts
from ava_detect.weights import fetch_weights, find_weights
from ava_detect.weights.cache import file_digest
from ava_detect.weights.download import Progress
from ava_detect.weights.zoo_entry import ZooEntry
from evaluation.errors import ConfigError, DataError, UsageError, WeightsError
from evaluation.label_map import LabelMap

_log = logging.getLogger(__name__)

_TELLING_SECTIONS = ("MODEL", "RESNET", "NONLOCAL", "SLOWFAST", "DETECTION", "DATA")
_TELLING_KEYS = (
    "AVA.BGR", "AVA.DETECTION_SCORE_POWER", "AVA.START_SECOND", "AVA.TEST_FORCE_FLIP", "AVA.TEST_GT_BOXES",
    "TEST.SCALES", "TEST.FLIP",
)  # fmt: skip
"""Settings that scores depend on. Files are told apart by what is in them, not by their names."""

_NAMED = 3


@dataclass(frozen=True)
class TestPlan:
    """What is to be tested.

    Attributes:
        cfg: the weights' configuration with the data set on top.
        label_map: the classes that count.
        weights: the file.
        name: of the weights, for people.
        result: what was published of them, or "".
        caveat: what results of them must not be taken for, or "".
    """

    __test__ = False  # not a test of pytest's

    cfg: Config
    label_map: LabelMap
    weights: Path
    name: str
    result: str = ""
    caveat: str = ""


def plan_test(
    weights: str,
    *,
    cfg: str | None = None,
    overrides: Sequence[object] = (),
    offline: bool = False,
    progress: Progress | None = None,
) -> TestPlan:
    """Find weights and the configuration that they are tested with, and fetch them.

    Args:
        weights: a name of the zoo or a file; "" for ``TEST.CHECKPOINT_FILE_PATH`` of ``cfg``.
        cfg: settings on top of those that the weights bring, or all of them where they bring none.
        overrides: KEY, value, ... on top of that.
        offline: fail rather than download.
        progress: called with (bytes done, bytes in all) during a download.

    Raises:
        UsageError: no weights are named.
        ConfigError: a setting is not possible, or whole clips are classified.
        WeightsError: no such weights, or their classes are not those of the data set.
    """
    if cfg:
        _refuse_classification(load_config(cfg, list(overrides)), cfg)
    if not weights and cfg:
        weights = load_config(cfg, list(overrides)).TEST.CHECKPOINT_FILE_PATH
    if not weights:
        raise UsageError("which weights are to be tested?", hint="--weights NAME or --weights FILE")
    entry = find_weights(weights, kind="actions")
    config = _config(entry, cfg, overrides)
    if not config.DETECTION.ENABLE:
        raise ConfigError(f"{weights}: DETECTION.ENABLE is off; what is tested here scores people in boxes")
    label_map = _label_map(config, entry)
    _check_classes(config, label_map, entry)
    path = fetch_weights(entry, offline=offline, progress=progress)
    return TestPlan(config, label_map, path, entry.name, entry.result, entry.caveat)


def facts_of(plan: TestPlan, annotations: Annotations, **how: str | int) -> Facts:
    """Return what must stay the same while a test is gone on with.

    Args:
        plan: the test.
        annotations: its keyframes and boxes.
        how: what else scores depend on, such as the precision.
    """
    told = {
        key: format_value(value)
        for key, value in values_of(plan.cfg).items()
        if key.split(".")[0] in _TELLING_SECTIONS or key in _TELLING_KEYS
    }
    return {
        "ava-detect": __version__,
        "weights": file_digest(plan.weights, "sha256"),
        "boxes": f"{len(annotations.boxes)} with digest {_digest(annotations)}",
        **how,
        **told,
    }


def _digest(annotations: Annotations) -> str:
    """Return a digest of everything that is tested: names, times, boxes with their scores, classes."""
    names = [annotations.video_names[video] for video in annotations.videos.tolist()]
    digest = hashlib.sha256(repr((annotations.class_ids, names)).encode())
    starts = annotations.starts.astype(np.int64)
    for array in (annotations.seconds, starts, annotations.boxes, annotations.scores):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _config(entry: ZooEntry, cfg: str | None, overrides: Sequence[object]) -> Config:
    """Put ``cfg`` on top of what the weights bring; alone where they bring nothing."""
    if cfg is None:
        return entry.load_config(list(overrides))
    try:
        brought = entry.load_config()
    except WeightsError:
        return load_config(cfg, list(overrides))
    return on_top(brought, load_config(cfg), overrides)


def _refuse_classification(cfg: Config, name: str) -> None:
    """Refuse configurations of Kinetics, Charades and the like; one that tells no network is none of them."""
    told = "TEST.DATASET" in cfg.written
    describes_network = any(key == "MODEL.ARCH" or key.startswith("RESNET.") for key in cfg.written)
    if cfg.TEST.DATASET != "ava" and (told or (describes_network and not cfg.DETECTION.ENABLE)):
        raise ConfigError(
            f"{name} (TEST.DATASET {cfg.TEST.DATASET}): classification is not tested here, AVA is"
        )


def _label_map(cfg: Config, entry: ZooEntry) -> LabelMap:
    """Read the data set's label map; the weights' own where it has none."""
    try:
        return build_label_map(cfg)
    except DataError:
        brought = entry.load_labels()
        if brought is None or Path(cfg.AVA.ANNOTATION_DIR, cfg.AVA.LABEL_MAP_FILE).exists():
            raise
        _log.info(
            "no label map %s in %s: that of the weights", cfg.AVA.LABEL_MAP_FILE, cfg.AVA.ANNOTATION_DIR
        )
        return brought


def _check_classes(cfg: Config, label_map: LabelMap, entry: ZooEntry) -> None:
    """Make sure that the network's outputs are the data set's classes."""
    brought, columns = entry.load_labels(), label_columns(label_map.ids, cfg.MODEL.NUM_CLASSES)
    if brought is None:
        return
    if tuple(brought.ids) != columns:
        raise WeightsError(
            f"{entry.name}: was trained on {len(brought)} classes ({_some_classes(brought)});"
            f" {label_map.source} has {len(label_map)} ({_some_classes(label_map)})",
            hint="Give the label map that it was trained with: AVA.LABEL_MAP_FILE FILE",
        )
    for class_id, name in zip(label_map.ids, label_map.names, strict=True):
        if brought.name_of(class_id) != name:
            _log.warning(
                "class %d is called %r by %s and %r by %s",
                class_id, brought.name_of(class_id), entry.name, name, label_map.source,
            )  # fmt: skip


def _some_classes(label_map: LabelMap) -> str:
    named = [f"{class_id} {name}" for class_id, name in zip(label_map.ids, label_map.names, strict=True)]
    return ", ".join(named[:_NAMED]) + (", ..." if len(named) > _NAMED else "")
