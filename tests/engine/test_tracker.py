"""The person tracker on hand-made paths: who keeps an id, who gets a new one, what does not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ava_detect.engine.tracker import Tracker

W, H = 40.0, 100.0  # a standing person


def at(x, y=100.0, scale=1.0):
    return [x, y, x + W * scale, y + H * scale]


def track(frames, *, every=1.0, tracker=None, scores=None):
    """Feed lists of boxes, one per keyframe; return lists of ids."""
    tracker = tracker or Tracker()
    return [
        tracker.update(k * every, np.array(boxes, np.float32).reshape(-1, 4), np.ones(len(boxes))).tolist()
        for k, boxes in enumerate(frames)
    ]


def test_nobody_has_no_ids():
    ids = Tracker().update(0.0, np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    assert ids.tolist() == []
    assert ids.dtype == np.int64


def test_a_person_who_stands_still_keeps_the_id():
    assert track([[at(100)]] * 4) == [[1]] * 4


def test_new_people_get_ids_from_the_surest_on():
    ids = Tracker().update(0.0, np.array([at(0), at(300), at(600)]), np.array([0.8, 0.99, 0.9]))
    assert ids.tolist() == [3, 1, 2]


def test_a_walking_person_keeps_the_id_although_the_boxes_do_not_overlap():
    assert track([[at(100 + 80 * k)] for k in range(6)]) == [[1]] * 6  # 0.8 heights a second, twice the width


def test_a_person_far_away_is_somebody_else():
    assert track([[at(100)], [at(500)]]) == [[1], [2]]


def test_a_person_of_another_size_in_the_same_place_is_somebody_else():
    assert track([[at(100)], [at(100, scale=0.4)]]) == [[1], [2]]


def test_two_people_who_walk_past_each_other_keep_their_ids():
    """At 3 s they stand in one place; afterwards each is where its motion carried it."""
    frames = [[at(100 + 60 * k), at(460 - 60 * k, y=110)] for k in range(7)]
    assert track(frames) == [[1, 2]] * 7


def test_two_people_side_by_side_keep_their_ids_when_both_move():
    assert track([[at(100 + 30 * k), at(150 + 30 * k)] for k in range(6)]) == [[1, 2]] * 6


def test_the_nearer_of_two_people_continues_a_track_and_the_other_is_new():
    assert track([[at(100)], [at(180), at(105)]]) == [[1], [2, 1]]


def test_an_id_survives_missed_keyframes():
    assert track([[at(100)], [], [], [at(110)]]) == [[1], [], [], [1]]


def test_a_walking_person_is_found_again_behind_a_pillar():
    frames = [[at(100)], [at(150)], [], [at(240)]]
    assert track(frames) == [[1], [1], [], [1]]


def test_a_person_who_comes_back_late_is_new():
    assert track([[at(100)], [], [], [], [at(100)]]) == [[1], [], [], [], [2]]


def test_at_long_distances_of_keyframes_neighbours_are_still_linked():
    assert track([[at(100)], [at(110)], [], [at(100)]], every=10.0) == [[1], [1], [], [2]]


def test_ids_are_never_given_twice():
    frames = [[at(0)], [at(500)], [at(0)], [at(500)]]
    ids = track(frames, tracker=Tracker(max_gap_s=0.5))
    assert ids == [[1], [2], [3], [4]]


@pytest.mark.parametrize("time", [0.0, -1.0, float("nan")])
def test_times_must_go_forwards(time):
    tracker = Tracker()
    tracker.update(0.0, np.zeros((0, 4)), np.zeros(0))
    with pytest.raises(ValueError, match="does not come after"):
        tracker.update(time, np.zeros((0, 4)), np.zeros(0))
    with pytest.raises(ValueError, match="does not come after"):
        tracker.recall(time, np.zeros((0, 4)), np.zeros(0, int))


def test_recalled_people_without_ids_leave_no_trace():
    tracker = Tracker()
    tracker.recall(0.0, np.array([at(100)]), np.array([-1]))
    assert tracker.update(1.0, np.array([at(100)]), np.ones(1)).tolist() == [1]


person = st.tuples(
    st.integers(0, 600), st.integers(0, 300), st.integers(5, 120), st.integers(5, 200), st.integers(0, 9)
)


@st.composite
def keyframes(draw):
    """Keyframes of people who jitter, come and go."""
    frames = []
    for _ in range(draw(st.integers(1, 6))):
        people = draw(st.lists(person, max_size=6))
        if frames and draw(st.booleans()):
            people = [(x + draw(st.integers(-20, 20)), y, w, h, s) for x, y, w, h, s in frames[-1]]
        frames.append(people)
    return [
        (np.array([[x, y, x + w, y + h] for x, y, w, h, _ in people], np.float32).reshape(-1, 4),
         np.array([score / 10 for *_, score in people], np.float32))
        for people in frames
    ]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(keyframes())
def test_nobody_shares_an_id_and_ids_count_upwards(frames):
    tracker, seen = Tracker(), 0
    for k, (boxes, scores) in enumerate(frames):
        ids = tracker.update(float(k), boxes, scores).tolist()
        assert len(set(ids)) == len(ids) == len(boxes)
        new = sorted(number for number in ids if number > seen)
        assert new == list(range(seen + 1, seen + 1 + len(new)))
        seen += len(new)


@settings(max_examples=100, deadline=None)
@given(keyframes(), st.randoms(use_true_random=False))
def test_the_order_of_the_boxes_does_not_matter(frames, random):
    straight, shuffled = Tracker(), Tracker()
    for k, (boxes, scores) in enumerate(frames):
        order = list(range(len(boxes)))
        random.shuffle(order)
        ids = straight.update(float(k), boxes, scores)
        mixed = shuffled.update(float(k), boxes[order], scores[order])
        key = np.column_stack([boxes, scores, ids])
        # Two people with equal boxes and scores cannot be told apart: compare what belongs to each place.
        assert sorted(map(tuple, key)) == sorted(
            map(tuple, np.column_stack([boxes[order], scores[order], mixed]))
        )


@settings(max_examples=100, deadline=None)
@given(keyframes(), st.integers(0, 6))
def test_a_resumed_run_gives_the_ids_of_a_run_in_one_go(frames, stop):
    whole = Tracker()
    expected = [whole.update(float(k), *frame).tolist() for k, frame in enumerate(frames)]
    resumed = Tracker()
    for k, (boxes, _) in enumerate(frames[:stop]):
        by_id = np.argsort(expected[k])  # the journal holds people in the order of their ids
        resumed.recall(float(k), boxes[by_id], np.array(expected[k], int)[by_id])
    rest = [resumed.update(float(k), *frame).tolist() for k, frame in enumerate(frames) if k >= stop]
    assert rest == expected[stop:]
