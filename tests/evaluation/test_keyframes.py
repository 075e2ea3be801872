"""Keyframes under one numbering: two times are one when they print alike with 6 decimals."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.keyframes import number_keyframes, time_keys
from evaluation.rows import ActionRow, table_of_rows

HALVES = st.integers(-(10**7), 10**7).map(lambda n: (n + 0.5) / 1e6)
TIMES = (
    st.floats(-1e9, 1e9)
    | HALVES
    | st.integers(0, 2000).map(float)
    | st.sampled_from([0.0, -0.0, -1e-9, 1e-7])
)


@settings(deadline=None)
@given(st.lists(TIMES, max_size=30))
def test_time_keys_are_equal_when_the_printed_times_are(times):
    keys = time_keys(np.array(times, np.float64)).tolist()
    printed = [f"{time:.6f}" for time in times]
    assert [keys.index(key) for key in keys] == [printed.index(text) for text in printed]


def test_tables_share_one_numbering():
    def table(*keys):
        return table_of_rows(ActionRow(video, time, (0, 0, 1, 1), 1, 1) for video, time in keys)

    frames = number_keyframes(
        table(("v", 902), ("w", 902)), table(("w", 902.0000001), ("v", 903), ("w", 902))
    )
    assert frames.of_rows[0].tolist() == [0, 1]
    assert frames.of_rows[1].tolist() == [1, 2, 1]
    assert [frames.video_names[video] for video in frames.videos] == ["v", "w", "v"]
    assert frames.times.tolist() == [902, 902, 903]


def test_no_rows_have_no_keyframes():
    assert len(number_keyframes(table_of_rows([]), table_of_rows([]))) == 0
