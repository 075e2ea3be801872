"""From names of actions in labels to class ids."""

import difflib
from collections import Counter
from collections.abc import Mapping

from ava_detect.data.convert.write import numbered_classes
from evaluation.errors import DataError
from evaluation.label_map import LabelMap


def name_classes(
    found: Mapping[str, int], label_map: LabelMap | None = None
) -> tuple[dict[str, int], LabelMap]:
    """Give every action a class.

    Names that differ in upper and lower case alone are one class, spelt as most often.

    Args:
        found: how often each action occurs.
        label_map: the classes there are; ``None``: those found, in the order of the alphabet. Actions may be
            given by their id in it, too.

    Returns:
        The class id of every action, and the label map.

    Raises:
        DataError: an action is not in the label map, or there is none at all.
    """
    if not found:
        raise DataError("no action in the labels: nobody does anything")
    if label_map is None:
        spellings: dict[str, Counter[str]] = {}
        for name, count in found.items():
            spellings.setdefault(name.casefold(), Counter())[name] += count
        label_map = numbered_classes([names.most_common(1)[0][0] for names in spellings.values()])
    ids = {name.casefold(): class_id for class_id, name in zip(label_map.ids, label_map.names, strict=True)}
    ids |= {str(class_id): class_id for class_id in label_map.ids if str(class_id) not in ids}
    unknown = [name for name in found if name.casefold() not in ids]
    if unknown:
        near = difflib.get_close_matches(unknown[0].casefold(), ids, n=1)
        raise DataError(
            f"{len(unknown)} actions are not in the label map {label_map.source}: {', '.join(unknown[:5])}",
            hint=f"Did you mean {near[0]!r}?"
            if near
            else "Without --labels the map is made of what is found.",
        )
    return {name: ids[name.casefold()] for name in found}, label_map
