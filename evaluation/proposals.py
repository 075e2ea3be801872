"""Person boxes in mmaction2's form: a pickle of ``"video,0902" -> [n, 5]``, x1, y1, x2, y2, score.

The boxes are normalised. Arrays of four columns have no scores; they count as 1. The pickle is read by
``data_pickle``, which builds data and runs nothing.

Reference: the files ``ava_dense_proposals_train.FAIR.recall_93.9.pkl`` and the like that mmaction2 publishes.
"""

import mmap
import re
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from evaluation.data_pickle import DataUnpickler
from evaluation.errors import DataError
from evaluation.pickle_names import ArrayRecord, RefusedPickle
from evaluation.row_table import NO_CLASS, RowTable

PROPOSAL_KEY = re.compile(r"(.+),(\d{1,9}(?:\.\d{1,9})?)", re.ASCII)
"""Video id and second."""

_PROTO = b"\x80"  # the first byte of every pickle since 2003; no text in UTF-8 begins with it
_MAX_INSTRUCTIONS = 20_000_000  # the published training boxes (203,626 keyframes) take about six million


def is_pickle(path: str | Path) -> bool:
    """Tell a pickle by its first byte; what cannot be read is none."""
    try:
        with Path(path).open("rb") as file:
            return file.read(1) == _PROTO
    except (OSError, ValueError):
        return False


def load_proposals(path: str | Path) -> dict[str, np.ndarray] | None:
    """Return the arrays of a pickle of proposals by key; ``None`` when it holds something else.

    Raises:
        DataError: it cannot be read, is damaged, or wants more than building data.
    """
    try:
        with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            content = DataUnpickler(cast(BinaryIO, data), max_instructions=_MAX_INSTRUCTIONS).read()
    except RefusedPickle as error:
        raise DataError(
            f"{path}: {error}", hint="Nothing in a pickle is ever executed; only numbers and text are read."
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not isinstance(content, dict) or not content:
        return None
    arrays = {key: value.array for key, value in content.items() if isinstance(value, ArrayRecord)}
    named = all(isinstance(key, str) and PROPOSAL_KEY.fullmatch(key) for key in content)
    if not named or len(arrays) < len(content) or any(array is None for array in arrays.values()):
        return None
    return cast(dict[str, np.ndarray], arrays)


def read_proposals(path: str | Path) -> RowTable:
    """Read a pickle of proposals as person boxes; the n-th entry counts as line n.

    Raises:
        DataError: it is no such pickle, or an entry holds no boxes.
    """
    arrays = load_proposals(path)
    if arrays is None:
        raise DataError(
            f"{path}: a pickle, but not of proposals; expected 'video,0902' -> an array of [n, 4] or [n, 5]"
        )
    names: dict[str, int] = {}
    videos, times = np.empty(len(arrays), np.int32), np.empty(len(arrays))
    for place, key in enumerate(arrays):
        match = PROPOSAL_KEY.fullmatch(key)
        assert match is not None
        videos[place], times[place] = names.setdefault(match[1], len(names)), float(match[2])
    boxes = [_boxes(array, f"{path}: {key!r}") for key, array in arrays.items()]
    counts = np.array([len(part) for part in boxes])
    rows = np.repeat(np.arange(len(boxes)), counts)
    bare = np.flatnonzero(counts == 0)
    joined = np.concatenate(boxes)
    return RowTable(
        source=str(path),
        video_names=tuple(names),
        videos=videos[rows],
        times=times[rows],
        boxes=np.ascontiguousarray(joined[:, :4]),
        action_ids=np.full(len(rows), NO_CLASS, np.int32),
        scores=joined[:, 4].copy(),
        lines=(rows + 1).astype(np.int32),
        bare_videos=videos[bare],
        bare_times=times[bare],
        bare_lines=(bare + 1).astype(np.int32),
        field_counts={8: len(rows)} if len(rows) else {},
    )


def _boxes(array: np.ndarray, where: str) -> np.ndarray:
    """Return [n, 5] float64.

    Raises:
        DataError: the array is no such array, or a box is not finite or inverted.
    """
    if array.ndim == 1 and array.size == 0:
        return np.zeros((0, 5))
    if array.ndim != 2 or array.shape[1] not in (4, 5) or array.dtype.kind not in "fiu":
        raise DataError(f"{where}: an array of {list(array.shape)}; expected [n, 4] or [n, 5] numbers")
    boxes = np.ones((len(array), 5))
    boxes[:, : array.shape[1]] = array
    x1, y1, x2, y2, _ = boxes.T
    bad = ~np.isfinite(boxes).all(axis=1) | (x1 > x2) | (y1 > y2)
    if bad.any():
        shown = ", ".join(f"{value:g}" for value in boxes[np.argmax(bad)])
        raise DataError(f"{where}: box {shown}; expected finite x1 <= x2, y1 <= y2 and score")
    return boxes
