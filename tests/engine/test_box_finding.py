"""How videos are shared among processes, and what a journal of boxes belongs to."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ava_detect.engine.box_finding import BoxTask, shared_out
from ava_detect.engine.keyframe_images import VideoPictures
from ava_detect.video.keyframes import KeyframeGrid


def task(number, keyframes=None, times=()):
    return BoxTask(f"v{number}", VideoPictures(Path(f"v{number}.mp4")), times, keyframes)


def test_no_videos_are_nothing_for_anybody():
    assert shared_out([], 1, 3) == []


@settings(deadline=None)
@given(st.lists(st.none() | st.integers(0, 1000), max_size=20), st.integers(1, 5))
def test_every_video_goes_to_exactly_one_process(sizes, world):
    tasks = [task(number, size) for number, size in enumerate(sizes)]
    shares = [shared_out(tasks, rank, world) for rank in range(world)]
    assert sorted(each.video_id for share in shares for each in share) == sorted(
        each.video_id for each in tasks
    )


@settings(deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20), st.integers(1, 5))
def test_nobody_has_more_than_a_video_too_much(sizes, world):
    tasks = [task(number, size) for number, size in enumerate(sizes)]
    loads = [sum(each.keyframes for each in shared_out(tasks, rank, world)) for rank in range(world)]
    assert max(loads) - min(loads) <= max(sizes)


def test_another_list_of_keyframes_has_another_journal():
    assert task(1, times=(0.0, 1.0)).key != task(1, times=(0.0, 2.0)).key
    assert task(1, times=(0.0,)).key != task(2, times=(0.0,)).key
    assert task(1, times=KeyframeGrid(1.0)).key == task(1, times=KeyframeGrid(1.0)).key
