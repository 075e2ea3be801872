"""Matching packets in the order of decoding with frames in the order of presentation."""

from ava_detect.video.awaited import AwaitedFrames


def sent(*timestamps: int) -> AwaitedFrames:
    awaited = AwaitedFrames()
    for timestamp in timestamps:
        awaited.send(timestamp)
    return awaited


def test_nothing_is_awaited_at_first() -> None:
    awaited = AwaitedFrames()
    assert (awaited.oldest, awaited.latest_pts, awaited.furthest_pts) == (0, None, None)
    assert awaited.receive(7) == (-1, [])  # a frame that nobody sent


def test_reordered_frames_are_found_in_the_order_of_decoding() -> None:
    awaited = sent(0, 30, 10, 20)  # I P B B
    assert awaited.receive(0) == (0, [])
    assert awaited.receive(10) == (2, [])
    assert awaited.oldest == 1  # the P frame, which the B frame may depend on
    assert awaited.receive(20) == (3, [])
    assert awaited.receive(30) == (1, [])
    assert (awaited.oldest, awaited.furthest_pts) == (4, None)


def test_a_frame_that_never_comes_is_lost_when_a_later_one_is_shown() -> None:
    awaited = sent(0, 10, 20, 30)
    awaited.receive(0)
    assert awaited.receive(20) == (2, [1])
    assert awaited.oldest == 3
    assert (awaited.latest_pts, awaited.furthest_pts) == (20, 30)


def test_equal_timestamps_are_settled_one_by_one() -> None:
    awaited = sent(5, 5)
    assert awaited.receive(5) == (0, [])
    assert awaited.receive(5) == (1, [])
    assert awaited.oldest == 2
