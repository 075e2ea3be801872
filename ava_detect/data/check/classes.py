"""Class ids: counted from 1, in the label map, each with enough examples."""

from collections.abc import Iterator

import numpy as np

from ava_detect.data.check import remedies
from ava_detect.data.check.finding import Finding, about_rows, some
from ava_detect.data.check.kinds import Kind
from ava_detect.data.check.row_files import RowFile
from evaluation.label_map import LabelMap, load_label_map

FEW_EXAMPLES = 10
_SHOWN = 5


def look_at_classes(file: RowFile, label_map: LabelMap | None) -> Iterator[Finding]:
    """Look at the class ids of a file.

    Args:
        file: ground truth, predictions or person boxes; boxes may leave the class empty.
        label_map: the classes that there are, if it is known.
    """
    table = file.table
    ids = table.action_ids
    if file.kind is Kind.BOXES:
        ids = ids[ids != 0]
    if not len(ids):
        return
    found = np.unique(ids).tolist()
    if found[0] < 1:
        yield from _below_one(file, found, label_map)
    elif label_map is not None:
        yield from _outside_map(file, found, label_map)
    if file.kind is Kind.TRUTH:
        yield from _few_examples(file, label_map)


def allowed_ids(label_map: LabelMap) -> set[int]:
    """Return the ids that annotations may have: AVA's 60 evaluated classes come from files with all 80."""
    full = load_label_map("v2.2-80")
    is_ava = all(class_id in full and full.name_of(class_id) == name for class_id, name in _pairs(label_map))
    return set(full.ids) if is_ava and len(label_map) >= 60 else set(label_map.ids)


def _pairs(label_map: LabelMap) -> list[tuple[int, str]]:
    return list(zip(label_map.ids, label_map.names, strict=True))


def _below_one(file: RowFile, found: list[int], label_map: LabelMap | None) -> Iterator[Finding]:
    table = file.table
    below = table.action_ids < 1
    if file.kind is Kind.BOXES:
        below = table.action_ids < 0
    message = f"{{count}} have a class id below 1; the ids are {found[0]}-{found[-1]}, AVA counts from 1"
    hint = ""
    if found[0] == 0 and (label_map is None or found[-1] < max(label_map.ids)):
        message = f"class ids count from 0 ({found[0]}-{found[-1]}; {{count}} have 0), AVA counts from 1"
        hint = remedies.change_columns(table.source, "$7+=1")
        if file.kind is Kind.PREDICTIONS:
            hint += "\nFor an evaluation alone: ava-detect evaluate ... --pred-ids zero-based"
    yield from about_rows("zero-based", table, below, message, hint=hint)


def _outside_map(file: RowFile, found: list[int], label_map: LabelMap) -> Iterator[Finding]:
    table = file.table
    allowed = allowed_ids(label_map)
    outside = [class_id for class_id in found if class_id not in allowed]
    if not outside:
        return
    rows = ~np.isin(table.action_ids, sorted(allowed | ({0} if file.kind is Kind.BOXES else set())))
    known = f"{len(label_map)} classes, ids {min(label_map.ids)}-{max(label_map.ids)}"
    message = (
        f"{{count}} have a class that is not in the label map {label_map.source} ({known}): "
        f"{'ids' if len(outside) > 1 else 'id'} {some(outside, shown=_SHOWN)}"
    )
    hint = ""
    if set(found) <= {class_id + 1 for class_id in allowed} and found[0] > min(allowed):
        message += "; every id is one too high"
        hint = remedies.change_columns(table.source, "$7-=1")
    elif len(outside) == len(found):
        message += "; a file for other classes?"
        hint = "Give the label map that belongs to it: --labels FILE"
    yield from about_rows("class-outside-map", table, rows, message, hint=hint)


def _few_examples(file: RowFile, label_map: LabelMap | None) -> Iterator[Finding]:
    """Name classes that a network can hardly learn from this file; a test set may be small."""
    if file.split in ("val", "test"):
        return
    ids, counts = np.unique(file.table.action_ids, return_counts=True)
    few = [(i, n) for i, n in zip(ids.tolist(), counts.tolist(), strict=True) if n < FEW_EXAMPLES and i > 0]
    if few:
        listed = some([f"{name_of(i, label_map)} {n}" for i, n in few], shown=_SHOWN)
        message = f"{_classes(len(few))} fewer than {FEW_EXAMPLES} examples: {listed}"
        yield Finding("few-examples", file.source, message, len(few))
    absent = sorted(set(label_map.ids) - set(ids.tolist())) if label_map is not None else []
    if absent:
        listed = some([name_of(class_id, label_map) for class_id in absent], shown=_SHOWN)
        message = f"{_classes(len(absent))} no example: {listed}"
        yield Finding("no-examples", file.source, message, len(absent))


def _classes(count: int) -> str:
    return "1 class has" if count == 1 else f"{count} classes have"


def name_of(class_id: int, label_map: LabelMap | None) -> str:
    """Return a class's name in quotes, or its id where the name is not known."""
    known = label_map is not None and class_id in label_map
    return f"{class_id} '{label_map.name_of(class_id)}'" if label_map is not None and known else str(class_id)
