"""The classes of a network's outputs, with names, as they travel with its weights."""

from dataclasses import asdict

from ava_detect.config import Config
from ava_detect.data.annotations import label_columns
from ava_detect.data.build import build_label_map
from evaluation.label_map import BUILT_IN, LabelMap, load_label_map


def output_classes(cfg: Config) -> LabelMap:
    """Return a label map with one class per output.

    The map of the configuration may name fewer: AVA's of the 60 evaluated classes goes with 80 outputs. Then
    the names come from AVA's map of all 80 where it agrees, else the rest is called after its id.

    Raises:
        DataError: the configuration's map cannot be read or does not fit MODEL.NUM_CLASSES.
    """
    label_map = build_label_map(cfg)
    ids = label_columns(label_map.ids, cfg.MODEL.NUM_CLASSES)
    if ids == label_map.ids:
        return label_map
    for name in BUILT_IN:
        whole = load_label_map(name)
        if whole.ids == ids and _agree(whole, label_map):
            return whole
    return LabelMap(
        ids=ids,
        names=tuple(label_map.name_of(each) if each in label_map else f"class {each}" for each in ids),
        groups=tuple(label_map.group_of(each) if each in label_map else "other" for each in ids),
        source=label_map.source,
    )


def _agree(whole: LabelMap, part: LabelMap) -> bool:
    return all(whole.name_of(each) == part.name_of(each) for each in part.ids)


def as_document(label_map: LabelMap) -> dict[str, object]:
    """Return a label map as plain values."""
    fields = asdict(label_map)
    return {name: fields[name] for name in ("ids", "names", "groups", "source")}
