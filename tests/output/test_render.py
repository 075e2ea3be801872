"""The annotated video: every frame of the input with people drawn at their time; read back frame by frame."""

from fractions import Fraction

import numpy as np
import pytest

from ava_detect.output.records import Keyframe, Person
from ava_detect.output.render import OverlayOptions, render_video
from ava_detect.output.style import person_colour
from ava_detect.video.reader import VideoReader
from ava_detect.video.writer import VideoWriter
from evaluation.errors import VideoError

FPS = 10
NO_STAMP = OverlayOptions(timestamp=False)


@pytest.fixture(scope="module")
def grey_video(tmp_path_factory):
    """Three seconds of grey, 360 x 240 at 10 fps."""
    path = tmp_path_factory.mktemp("render") / "grey.mp4"
    with VideoWriter(path, fps=Fraction(FPS)) as writer:
        for idx in range(3 * FPS):
            writer.write(np.full((240, 360, 3), 90, np.uint8), idx / FPS)
    return path


def keyframe(time, *boxes, score=0.9):
    persons = tuple(Person(k, 0.9, box, ((12, score),)) for k, box in enumerate(boxes, start=1))
    return Keyframe(time, time, round(time * FPS), persons)


def render(source, keyframes, classes, target, options=NO_STAMP):
    render_video(source, iter(keyframes), classes, target, options)
    with VideoReader(target) as video:
        return [(frame.time, frame.image()) for frame in video]


def left_edge(image):
    """Return the column of the left side of person 1's box in the lower half; None when it is not there."""
    near = np.abs(image[150:190].astype(int) - person_colour(1)).max(axis=2) < 60
    columns = np.flatnonzero(near.mean(axis=0) > 0.9)
    return int(columns[0]) if len(columns) else None


def test_without_keyframes_the_video_stays_as_it_is(grey_video, classes, tmp_path):
    frames = render(grey_video, [], classes, tmp_path / "out.mp4")
    assert [time for time, _ in frames] == pytest.approx([idx / FPS for idx in range(30)])
    assert all(np.abs(image.astype(int) - 90).max() < 6 for _, image in frames)


def test_a_tracked_box_moves_from_keyframe_to_keyframe(grey_video, classes, tmp_path):
    boxes = [(100.0, 100.0, 160.0, 220.0), (200.0, 100.0, 260.0, 220.0), (140.0, 100.0, 200.0, 220.0)]
    frames = render(
        grey_video, [keyframe(float(k), box) for k, box in enumerate(boxes)], classes, tmp_path / "out.mp4"
    )
    assert [left_edge(frames[idx][1]) for idx in (0, 5, 10, 15, 20)] == pytest.approx(
        [100, 150, 200, 170, 140], abs=2
    )


def test_a_person_who_left_is_not_drawn_any_more(grey_video, classes, tmp_path):
    frames = render(
        grey_video,
        [keyframe(0.0, (100.0, 100.0, 160.0, 220.0)), keyframe(1.0)],
        classes,
        tmp_path / "out.mp4",
    )
    assert left_edge(frames[2][1]) == pytest.approx(100, abs=2)
    assert all(np.abs(image.astype(int) - 90).max() < 6 for _, image in frames[6:])


def test_only_actions_at_or_above_the_threshold_get_a_chip(grey_video, classes, tmp_path):
    def drawn_pixels(score):
        first = keyframe(0.0, (100.0, 100.0, 160.0, 220.0), score=score)
        frames = render(grey_video, [first], classes, tmp_path / "out.mp4")
        return int((np.abs(frames[0][1].astype(int) - 90).max(axis=2) > 20).sum())

    assert drawn_pixels(0.31) > drawn_pixels(0.29) + 500


def test_the_time_stamp_can_be_left_out(grey_video, classes, tmp_path):
    with_stamp = render(grey_video, [], classes, tmp_path / "a.mp4", OverlayOptions())
    without = render(grey_video, [], classes, tmp_path / "b.mp4", OverlayOptions(timestamp=False))
    corner = (slice(225, 240), slice(0, 60))
    assert with_stamp[0][1][corner].std() > 20
    assert without[0][1][corner].std() < 5


def test_the_video_can_end_where_an_interrupted_run_stopped(grey_video, classes, tmp_path):
    options = OverlayOptions(end_s=1.0, timestamp=False)
    assert len(render(grey_video, [], classes, tmp_path / "out.mp4", options)) == 11


def test_progress_is_told_frame_by_frame(grey_video, classes, tmp_path):
    times = []
    count = render_video(grey_video, [], classes, tmp_path / "out.mp4", NO_STAMP, progress=times.append)
    assert count == 30
    assert times == pytest.approx([idx / FPS for idx in range(30)])


def test_keyframes_are_read_one_ahead(grey_video, classes, tmp_path):
    """A frame is drawn when its keyframe and the next one are known; more are not asked for."""
    taken, lead = [], []

    def keyframes():
        for k in range(3):
            taken.append(k)
            yield keyframe(float(k))

    render_video(
        grey_video, keyframes(), classes, tmp_path / "out.mp4", NO_STAMP,
        progress=lambda time: lead.append(len(taken) - (int(time + 1e-6) + 1)),
    )  # fmt: skip
    assert max(lead) == 1


def test_a_failure_leaves_no_video(grey_video, classes, tmp_path):
    def keyframes():
        yield keyframe(0.0)
        raise VideoError("lost")

    with pytest.raises(VideoError, match="lost"):
        render_video(grey_video, keyframes(), classes, tmp_path / "out.mp4", NO_STAMP)
    assert list(tmp_path.iterdir()) == []


def test_odd_sizes_and_uneven_times_are_kept(classes, tmp_path):
    times = [0.0, 0.1, 0.25, 0.5, 0.55]
    with VideoWriter(tmp_path / "odd.mp4") as writer:
        for time in times:
            writer.write(np.full((120, 160, 3), 90, np.uint8), time)
    frames = render(
        tmp_path / "odd.mp4", [keyframe(0.0, (10.0, 50.0, 60.0, 110.0))], classes, tmp_path / "out.mp4"
    )
    assert [time for time, _ in frames] == pytest.approx(times, abs=1e-4)
    assert frames[0][1].shape == (120, 160, 3)
