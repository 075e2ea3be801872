"""A configuration as a description of a data set: which files it names, and settings that data decide."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ava_detect.config import Config, load_config
from ava_detect.data.check.finding import Finding
from ava_detect.data.check.kinds import Kind
from ava_detect.data.check.video_facts import MIN_SHORT_SIDE
from evaluation.errors import ConfigError
from evaluation.label_map import BUILT_IN, LabelMap

_FRAMES_NEEDED = "Set one of them, for example: --set AVA.VIDEO_DIR data/videos"


@dataclass(frozen=True)
class Named:
    """A file that a configuration names.

    Attributes:
        key: of the configuration.
        path: the file, or the built-in name of a label map.
        kind: what it must be.
        split: "train", "val" or "".
        needed: whether its absence is a fault; defaults that were never written are not.
    """

    key: str
    path: str
    kind: Kind
    split: str = ""
    needed: bool = True


def read_config(source: str, overrides: Sequence[object]) -> tuple[Config | None, list[Finding]]:
    """Load a configuration; what is wrong with it is a finding."""
    try:
        return load_config(source, overrides), []
    except ConfigError as error:
        return None, [Finding("config", source, str(error).removeprefix(f"{source}: "), hint=error.hint)]


def describes_data(cfg: Config) -> bool:
    """Tell whether a configuration says where data are; a model's alone does not."""
    ava = cfg.AVA
    return any((ava.ANNOTATION_DIR, ava.VIDEO_DIR, ava.FRAME_DIR, ava.FRAME_LIST_DIR))


def named_files(cfg: Config) -> list[Named]:
    """Return the files that a configuration names, whether they exist or not."""
    ava = cfg.AVA
    files = [
        *_listed(cfg, "TRAIN_GT_BOX_LISTS", Kind.TRUTH, "train"),
        *_listed(cfg, "TRAIN_PREDICT_BOX_LISTS", Kind.BOXES, "train"),
        Named("AVA.LABEL_MAP_FILE", label_map_source(cfg), Kind.LABEL_MAP),
    ]
    if ava.GROUNDTRUTH_FILE:  # empty: nothing to score against, as for a training without evaluations
        truth = Named("AVA.GROUNDTRUTH_FILE", _annotation(cfg, ava.GROUNDTRUTH_FILE), Kind.TRUTH, "val")
        files.insert(len(ava.TRAIN_GT_BOX_LISTS), truth)
    if not ava.TEST_GT_BOXES:
        files += _listed(cfg, "TEST_PREDICT_BOX_LISTS", Kind.BOXES, "val")
    if "AVA.EXCLUSION_FILE" in cfg.written and ava.EXCLUSION_FILE:
        path = _annotation(cfg, ava.EXCLUSION_FILE)
        files.append(Named("AVA.EXCLUSION_FILE", path, Kind.EXCLUSIONS, "val"))
    if ava.FRAME_LIST_DIR:
        for key, split in (("TRAIN_LISTS", "train"), ("TEST_LISTS", "val")):
            names = getattr(ava, key)
            files += [
                Named(f"AVA.{key}", str(Path(ava.FRAME_LIST_DIR) / name), Kind.FRAME_LIST, split)
                for name in names
            ]
    return files


def _listed(cfg: Config, key: str, kind: Kind, split: str) -> Iterator[Named]:
    needed = kind is Kind.TRUTH or f"AVA.{key}" in cfg.written
    for name in getattr(cfg.AVA, key):
        yield Named(f"AVA.{key}", _annotation(cfg, name), kind, split, needed)


def _annotation(cfg: Config, name: str) -> str:
    return str(Path(cfg.AVA.ANNOTATION_DIR) / name)


def label_map_source(cfg: Config) -> str:
    """Return the label map's file, or the built-in map of that name when there is no such file."""
    name = cfg.AVA.LABEL_MAP_FILE
    path = Path(_annotation(cfg, name))
    built_in = {file: key for key, file in BUILT_IN.items()}
    if not path.exists() and (name in BUILT_IN or name in built_in):
        return built_in.get(name, name)
    return str(path)


def look_at_settings(cfg: Config, source: str) -> Iterator[Finding]:
    """Look for settings that are known to cost users their results."""
    ava = cfg.AVA
    if not ava.VIDEO_DIR and not ava.FRAME_DIR:
        message = "AVA.FRAME_DIR is empty and AVA.VIDEO_DIR is too: where are the videos?"
        yield Finding("no-media", source, message, hint=_FRAMES_NEEDED)
    if cfg.DETECTION.ENABLE and cfg.DATA.TEST_CROP_SIZE != MIN_SHORT_SIDE:
        message = (
            f"DATA.TEST_CROP_SIZE is {cfg.DATA.TEST_CROP_SIZE} ({cfg.origin('DATA.TEST_CROP_SIZE')}); "
            f"published results are at {MIN_SHORT_SIDE}"
        )
        yield Finding("test-crop", source, message, hint=f"DATA.TEST_CROP_SIZE {MIN_SHORT_SIDE}")
    if ava.TEST_GT_BOXES:
        message = "AVA.TEST_GT_BOXES is on: the mAP cannot be compared with results on detected boxes"
        yield Finding("boxes-of-truth", source, message)


def compare_num_classes(cfg: Config, source: str, label_map: LabelMap) -> Iterator[Finding]:
    """Compare the network's outputs with the label map; with gaps in the map they go up to the highest id."""
    outputs, highest = cfg.MODEL.NUM_CLASSES, max(label_map.ids)
    if outputs in (highest, len(label_map)):
        return
    message = (
        f"MODEL.NUM_CLASSES is {outputs} ({cfg.origin('MODEL.NUM_CLASSES')}); {label_map.source} has "
        f"{len(label_map)} classes, ids up to {highest}"
    )
    yield Finding("num-classes", source, message, hint=f"MODEL.NUM_CLASSES {highest}")
