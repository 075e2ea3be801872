"""The order in which the official reader hands a keyframe's boxes on, found by running its heap.

It pushes ``(score, class, y1, x1, y2, x2)`` into a binary heap in file order and sorts the heap's array by
descending score with a stable sort. Equal scores therefore come out in heap order, which no formula gives;
but it matters only where equal scores of one class are right and wrong detections, so only those keyframes
are replayed.
"""

import heapq
from collections import defaultdict

import numpy as np

from evaluation.row_table import RowTable

_Entry = tuple[float, int, float, float, float, float]


def heap_order(
    table: RowTable, pool: np.ndarray, kept: np.ndarray, *, capacity: int | None = None
) -> np.ndarray:
    """Replay one keyframe.

    Args:
        table: the file's rows. pool: rows of the keyframe that go into the heap, in file order. kept: [n]
        those of them that are still there when boxes are matched; identical rows stand for each other.
        capacity: rows that the heap holds at most; ``None``: all.

    Returns:
        [n] indices into ``kept``, in matching order.
    """
    heap: list[_Entry] = []
    for entry in _entries(table, pool):
        if capacity is None or len(heap) < capacity:
            heapq.heappush(heap, entry)
        elif entry[0] > heap[0][0]:
            heapq.heapreplace(heap, entry)
    heap.sort(key=lambda entry: -entry[0])
    places: dict[_Entry, list[int]] = defaultdict(list)
    for place, entry in reversed(list(enumerate(_entries(table, kept)))):
        places[entry].append(place)
    order = [places[entry].pop() for entry in heap if places[entry]]
    if len(order) != len(kept):
        raise ValueError(f"{len(kept)} rows are kept, {len(order)} of them are in the heap")
    return np.array(order, np.intp)


def _entries(table: RowTable, rows: np.ndarray) -> list[_Entry]:
    x1, y1, x2, y2 = table.boxes[rows].T.tolist()
    return list(
        zip(table.scores[rows].tolist(), table.action_ids[rows].tolist(), y1, x1, y2, x2, strict=True)
    )
