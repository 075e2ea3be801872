"""Do two files speak of the same keyframes? If not, the usual reason."""

from pathlib import PurePath

import numpy as np

from evaluation.errors import DataError
from evaluation.keyframes import Keyframes
from evaluation.row_table import RowTable

_UNITS = ((1000.0, "milliseconds"), (30.0, "frames of a 30 fps video"), (25.0, "frames of a 25 fps video"))


def check_common_keyframes(annotated: RowTable, found: RowTable, keyframes: Keyframes) -> None:
    """Refuse files that have no keyframe in common, with the reason where it can be seen.

    Args:
        annotated: the ground truth.
        found: the detections.
        keyframes: of (annotated, found, ...).

    Raises:
        DataError: there are detections, and all of them are on keyframes that the ground truth does not
        name.
    """
    if not len(found) or not (len(annotated) or len(annotated.bare_times)):  # both have their own answer
        return
    named = keyframes.flags(keyframes.of_rows[0], keyframes.of_bare[0])
    if named[keyframes.of_rows[1]].any():
        return
    width = max(len(annotated.source), len(found.source)) + 1
    raise DataError(
        f"no keyframe of {found.source} is in {annotated.source}.\n"
        f"{annotated.source + ':':<{width}} {_describe_keyframes(annotated)}\n"
        f"{found.source + ':':<{width}} {_describe_keyframes(found)}",
        hint=_why_not_common(annotated, found),
    )


def _describe_keyframes(table: RowTable) -> str:
    times = np.concatenate([table.times, table.bare_times])
    name = table.video_names[np.concatenate([table.videos, table.bare_videos])[0]]
    return f"video ids like {name!r}, times {times.min():g}-{times.max():g}"


def _why_not_common(annotated: RowTable, found: RowTable) -> str:
    names, wanted = set(found.video_names), set(annotated.video_names)
    if not names & wanted:
        bare = {PurePath(name).name.rsplit(".", 1)[0] for name in names}
        if bare & {PurePath(name).name.rsplit(".", 1)[0] for name in wanted}:
            return "The ids must be equal: remove folders and suffixes from them."
        return "The ids must be equal, letter by letter. Are these files of the same videos?"
    times, truth = found.times, np.concatenate([annotated.times, annotated.bare_times])
    low, high = truth.min(), truth.max()
    for divisor, unit in _UNITS:
        if low <= np.median(times) / divisor <= high:
            return f"The ids agree, the times do not. Times are in seconds; these could be {unit}."
    if low <= np.median(times) + 900 <= high:
        return "The ids agree, the times do not. AVA's count from the start of the film: add 900."
    return "The ids agree, the times do not: both must be in seconds and name the same instants."
