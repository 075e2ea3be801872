"""Training and test annotations against each other: no video in both, the same classes in both."""

from collections.abc import Iterator

import numpy as np

from ava_detect.data.check import remedies
from ava_detect.data.check.classes import name_of
from ava_detect.data.check.finding import Finding, Place, some
from ava_detect.data.check.row_files import RowFile, named
from evaluation.label_map import LabelMap

_SHOWN = 5


def compare_splits(first: RowFile, second: RowFile, label_map: LabelMap | None) -> Iterator[Finding]:
    """Compare the annotations of two splits.

    Args:
        first: annotations of one split, "train" if one of them is.
        second: of another split.
        label_map: for the names of classes.
    """
    shared = set(first.table.video_names) & set(second.table.video_names)
    if shared:
        message = (
            f"{len(shared):,} of its {len(second.table.video_names):,} videos are also in {first.source}: "
            f"{named(shared)}; results on them say nothing"
        )
        hint = remedies.without_videos_of(second.source, first.source)
        place = _first_place(second, shared)
        yield Finding("split-overlap", second.source, message, len(shared), place, hint)
    ids, others = (set(np.unique(file.table.action_ids).tolist()) for file in (first, second))
    if not ids or not others:
        return
    for have, lack, only in ((second, first, others - ids), (first, second, ids - others)):
        if only:
            listed = some([name_of(class_id, label_map) for class_id in sorted(only)], shown=_SHOWN)
            message = f"{len(only)} of its classes are not in {lack.source}: {listed}"
            if len(only) == 1:
                message = f"class {listed} is not in {lack.source}"
            code = "untrained-classes" if have is second else "untested-classes"
            yield Finding(code, have.source, message, len(only))


def _first_place(file: RowFile, names: set[str]) -> tuple[Place, ...]:
    codes = [code for code, name in enumerate(file.table.video_names) if name in names]
    rows = np.flatnonzero(np.isin(file.table.videos, codes))[:1]
    return tuple(Place(file.source, line) for line in file.table.lines[rows].tolist())
