"""Which actions are drawn, and their short names."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ava_detect.output.labels import Label, choose_labels, short_name
from ava_detect.output.records import classes_of
from evaluation.label_map import load_label_map

AVA = {action.id: action for action in classes_of(load_label_map("v2.2-80"))}


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("stand", "stand"),
        ("talk to (e.g., self, a person, a group)", "talk to"),
        ("watch (a person)", "watch"),
        ("give/serve (an object) to (a person)", "give/serve to"),
        ("bend/bow (at the waist)", "bend/bow"),
        ("(unknown)", "(unknown)"),
        ("", ""),
    ],
)
def test_names_lose_their_brackets_and_nothing_else(name, short):
    assert short_name(name) == short


def test_no_ava_class_becomes_nameless_or_keeps_a_bracket():
    for action in AVA.values():
        assert short_name(action.name)
        assert "(" not in short_name(action.name)


def test_nothing_above_the_threshold_gives_no_labels():
    assert choose_labels([], AVA, top_k=5, threshold=0.3) == ()
    assert choose_labels([(12, 0.29)], AVA, top_k=5, threshold=0.3) == ()


def test_labels_stand_best_first_whatever_order_they_come_in():
    labels = choose_labels([(12, 0.3), (80, 0.9), (17, 0.5)], AVA, top_k=5, threshold=0.3)
    assert labels == (
        Label("watch", "person", 0.9),
        Label("carry/hold", "object", 0.5),
        Label("stand", "pose", 0.3),
    )


def test_the_best_pose_stays_when_others_score_higher():
    actions = [(12, 0.4), (14, 0.35), (17, 0.9), (80, 0.8), (79, 0.7)]
    labels = choose_labels(actions, AVA, top_k=3, threshold=0.3)
    assert [label.text for label in labels] == ["carry/hold", "watch", "stand"]


def test_top_k_of_zero_shows_nothing():
    assert choose_labels([(12, 0.9)], AVA, top_k=0, threshold=0.3) == ()


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(AVA)), st.floats(0, 1), max_size=12),
    st.integers(0, 6),
    st.floats(0, 1),
)
def test_labels_are_few_enough_sure_enough_and_sorted(scores, top_k, threshold):
    labels = choose_labels(list(scores.items()), AVA, top_k=top_k, threshold=threshold)
    sure = [score for score in scores.values() if score >= threshold]
    assert len(labels) == min(top_k, len(sure))
    assert [label.score for label in labels] == sorted((label.score for label in labels), reverse=True)
    poses = [score for action, score in scores.items() if score >= threshold and AVA[action].group == "pose"]
    if poses and top_k:
        assert max(poses) in [label.score for label in labels if label.group == "pose"]
