"""The limit per keyframe, against the heap that it stands for."""

import heapq

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.capacity import within_capacity
from evaluation.rows import ActionRow, table_of_rows

ROW = st.tuples(
    st.sampled_from([0.1, 0.2, 0.3, -1.0]),  # few scores: many ties
    st.integers(1, 2),
    st.tuples(*[st.sampled_from([0.0, 0.5])] * 4),
)


@settings(deadline=None)
@given(frames=st.lists(st.lists(ROW, min_size=1, max_size=12), max_size=4), capacity=st.integers(1, 6))
def test_kept_rows_are_those_that_stay_in_the_heap(frames, capacity):
    rows = [
        ActionRow("v", float(time), box, class_id, score)
        for time, frame in enumerate(frames)
        for score, class_id, box in frame
    ]
    table = table_of_rows(rows)
    starts = np.cumsum([0, *map(len, frames)])
    keep = within_capacity(table, np.arange(len(rows)), starts, capacity)
    for time, frame in enumerate(frames):
        heap: list = []
        for score, class_id, (x1, y1, x2, y2) in frame:
            entry = (score, class_id, y1, x1, y2, x2)
            if len(heap) < capacity:
                heapq.heappush(heap, entry)
            elif score > heap[0][0]:
                heapq.heapreplace(heap, entry)
        kept = [rows[place] for place in np.flatnonzero(keep) if rows[place].timestamp == time]
        entries = [(r.score, r.action_id, r.box[1], r.box[0], r.box[3], r.box[2]) for r in kept]
        assert sorted(entries) == sorted(heap)
