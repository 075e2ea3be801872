"""One clip per keyframe out of a stream of frames, against choosing the nearest frame by hand."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ava_detect.engine.keyframe_clips import KeyframeClip, keyframe_clips


@dataclass
class _Frame:
    """A frame whose picture is its own index."""

    time: float
    idx: int
    converted: list[int] = field(default_factory=list)

    def image(self) -> np.ndarray:
        self.converted.append(self.idx)
        return np.full((2, 2, 3), self.idx, np.uint8)


def _clips(times: list[float], grid: list[float], offsets: list[float]) -> list[KeyframeClip]:
    frames = [_Frame(time, idx) for idx, time in enumerate(times)]
    return list(keyframe_clips(frames, grid, offsets=np.array(offsets), resize=lambda image: image[:1, :1]))


def _indices(clip: KeyframeClip) -> list[int]:
    return clip.frames[:, 0, 0, 0].tolist()


def test_no_frames_give_no_clips():
    assert _clips([], [0.0, 1.0], [-1, 0]) == []


def test_one_frame_is_repeated():
    (clip,) = _clips([0.0], [0.0, 1.0], [-1, 0, 1])
    assert _indices(clip) == [0, 0, 0]
    assert (clip.time, clip.frame_time, clip.frame_idx) == (0.0, 0.0, 0)


def test_frames_repeat_at_both_ends():
    clips = _clips([0.0, 1.0, 2.0, 3.0], [0.0, 3.0], [-2, -1, 0, 1])
    assert [_indices(clip) for clip in clips] == [[0, 0, 0, 1], [1, 2, 3, 3]]


def test_a_keyframe_after_the_last_frame_does_not_exist():
    assert [clip.time for clip in _clips([0.0, 0.9], [0.0, 0.9, 1.0], [0])] == [0.0, 0.9]


def test_of_two_equally_near_frames_the_earlier_is_taken():
    (clip,) = _clips([0.0, 1.0], [0.5], [0])
    assert _indices(clip) == [0]


def test_a_gap_in_the_stream_gives_the_nearest_side():
    clips = _clips([0.0, 10.0], [0.0, 4.0, 6.0], [0])
    assert [clip.frame_idx for clip in clips] == [0, 0, 1]


def test_a_frame_is_converted_once_and_only_when_wanted():
    frames = [_Frame(idx / 10, idx) for idx in range(31)]
    resized = []
    clips = keyframe_clips(
        frames,
        [1.0, 1.5, 2.0],
        offsets=np.array([-0.5, 0.0]),
        resize=lambda image: resized.append(1) or image,
    )
    assert [_indices(clip) for clip in clips] == [[5, 10], [10, 15], [15, 20]]
    assert [frame.idx for frame in frames if frame.converted] == [5, 10, 15, 20]
    assert all(len(frame.converted) <= 1 for frame in frames)
    assert len(resized) == 4


def test_an_endless_grid_ends_with_the_frames():
    def endless():
        k = 0
        while True:
            yield float(k)
            k += 1

    frames = [_Frame(idx / 2, idx) for idx in range(5)]
    clips = keyframe_clips(frames, endless(), offsets=np.array([0.0]), resize=lambda image: image)
    assert [clip.time for clip in clips] == [0.0, 1.0, 2.0]


@given(
    gaps=st.lists(st.floats(0.001, 3.0), min_size=1, max_size=30),
    every=st.floats(0.05, 4.0),
    offsets=st.lists(st.floats(-3.0, 3.0), min_size=1, max_size=9).map(sorted),
)
def test_every_sample_is_the_nearest_frame(gaps: list[float], every: float, offsets: list[float]):
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    grid = [k * every for k in range(100)]
    clips = _clips(times.tolist(), grid, offsets)
    assert [clip.time for clip in clips] == [time for time in grid if time <= times[-1]]
    for clip in clips:
        for sample, idx in zip(clip.time + np.array(offsets), _indices(clip), strict=True):
            assert abs(times[idx] - sample) == pytest.approx(np.abs(times - sample).min(), abs=1e-9)
        assert clip.frame_time == times[clip.frame_idx]
