"""Scenes: the same for the same seed, and a ground truth that agrees with the pixels."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ava_detect.data.scenes import GRADES, Scene, generate_scene, groundtruth_lines
from ava_detect.data.scenes.casting import Actor
from ava_detect.data.scenes.looks import Limb
from ava_detect.data.scenes.props import Block, block_prop
from ava_detect.data.scenes.script import Evidence
from ava_detect.data.scenes.stage import Seen
from evaluation.errors import DataError


def test_the_same_seed_gives_the_same_frames_and_rows(short_scene: Callable[..., Scene]) -> None:
    first, again = short_scene(5), short_scene(5)

    for one, other in zip(first.frames(range(0, 40, 13)), again.frames(range(0, 40, 13)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert groundtruth_lines(first) == groundtruth_lines(again)


def test_frames_do_not_depend_on_which_others_are_drawn(short_scene: Callable[..., Scene]) -> None:
    scene = short_scene(6)
    every = list(scene.frames())

    chosen = list(scene.frames([17, 3]))

    np.testing.assert_array_equal(chosen[0], every[17])
    np.testing.assert_array_equal(chosen[1], every[3])
    assert len(every) == scene.num_frames == round(2 * scene.fps)


def test_different_seeds_and_grades_give_different_scenes() -> None:
    lines = [groundtruth_lines(generate_scene(seed, grade)) for seed in (0, 1, 2) for grade in GRADES]
    boxes = [{line.split(",", 1)[1] for line in each} for each in lines]

    for index, one in enumerate(boxes):
        for other in boxes[index + 1 :]:
            assert len(one & other) <= 0.1 * len(one)


def test_frames_have_the_stated_size_and_every_size_is_even() -> None:
    for seed in range(8):
        scene = generate_scene(seed)
        (frame,) = scene.frames([0])
        width, height = scene.size
        assert frame.shape == (height, width, 3)
        assert frame.dtype == np.uint8
        assert width % 2 == height % 2 == 0


def recoloured(actor: Actor) -> Actor:
    """The same person in other colours."""
    parts = tuple(
        dataclasses.replace(
            part, colour=tuple(255 - value if abs(value - 128) > 40 else 20 for value in part.colour)
        )
        for part in actor.look.parts
    )
    return dataclasses.replace(actor, look=dataclasses.replace(actor.look, parts=parts, pattern=None))


def changed_box(scene: Scene, person: int, time: float) -> np.ndarray:
    """x1, y1, x2, y2 in pixels around everything that changes when one person changes clothes."""
    other = generate_scene(scene.seed, scene.grade.name)
    other.__dict__["actors"] = [
        recoloured(actor) if actor.person_id == person else actor for actor in scene.actors
    ]
    (before,), (after,) = scene.clean_frames([time]), other.clean_frames([time])
    rows, columns = np.nonzero((before != after).any(axis=2))
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


@pytest.mark.parametrize(("seed", "grade"), [(0, "standard"), (7, "standard"), (4, "hard"), (11, "hard")])
def test_boxes_are_tight_around_the_visible_pixels(seed: int, grade: str) -> None:
    """The reference is the picture: what changes with a person's colours is what is visible of the person."""
    scene = generate_scene(seed, grade)
    checked = 0
    for person in scene.groundtruth():
        if person.second not in (2, 7) or checked == 3:
            continue
        time = scene.frame_of(person.second) / float(scene.fps)
        seen = changed_box(scene, person.person_id, time)
        box = np.array(person.box) * np.tile(scene.size, 2)
        # A changed pixel may be half covered, since boxes come from the supersampled mask; and a cover may be
        # too thin to change a rounded colour.
        assert np.abs(box - seen).max() <= 1.0
        checked += 1
    assert checked >= 2


def test_keyframe_pixels_are_those_of_the_nearest_frame() -> None:
    scene = next(s for s in map(generate_scene, range(50)) if s.fps.denominator == 1001 and s.fps < 25)

    assert scene.frame_of(1) == 24  # 24 / 23.976 = 1.001 s, 23 / 23.976 = 0.959 s
    assert scene.frame_of(9) == 216
    assert scene.num_frames == 240
    np.testing.assert_allclose(scene.frame_times()[24], 1.001)


def test_a_person_behind_something_is_not_labelled_and_the_keyframe_is_named_all_the_same() -> None:
    scene = generate_scene(0)
    wall = block_prop(scene.view, [Block((0.0, 2.0, 1.2), (0.1, 8.0, 9.0), (9.0, 9.0, 9.0))], 1.2)
    assert scene.groundtruth()

    scene.__dict__["_props"] = [wall]

    assert scene.groundtruth() == []
    assert groundtruth_lines(scene) == [f"standard-0000000,{second:04d}" for second in range(10)]


def test_labels_are_true_and_only_actions_of_hidden_hands_are_missing() -> None:
    missing = 0
    for seed in range(12):
        scene = generate_scene(seed, "hard")
        for person in scene.groundtruth():
            true = scene.actors[person.person_id - 1].script.actions_at(person.second)
            assert person.actions[0] == true[0]  # the pose
            assert set(person.actions) <= set(true)
            missing += len(true) - len(person.actions)
    assert missing > 0


def test_the_object_in_the_hands_counts_as_its_action_says() -> None:
    limbs = {Limb.LEFT: (10, 100), Limb.RIGHT: (90, 100)}
    box = (0.0, 0.0, 9.0, 9.0)
    shown, hidden = Seen(1, box, 1.0, limbs, (300, 300)), Seen(1, box, 1.0, limbs, (5, 50))
    both = (Limb.LEFT, Limb.RIGHT)

    assert shown.share_of([Limb.LEFT], Evidence.NONE) == pytest.approx(0.1)
    assert shown.share_of(both, Evidence.NONE) == pytest.approx(0.5)
    assert shown.share_of(both, Evidence.HELPS) == pytest.approx(400 / 500)
    assert shown.share_of(both, Evidence.NEEDED) == pytest.approx(400 / 500)
    assert hidden.share_of([Limb.RIGHT], Evidence.HELPS) == pytest.approx(95 / 150)
    assert hidden.share_of([Limb.RIGHT], Evidence.NEEDED) == pytest.approx(0.1)


def test_boxes_lie_in_the_frame_and_ids_are_unique_in_a_keyframe() -> None:
    for seed in range(12, 20):
        people = generate_scene(seed, "hard").groundtruth()
        for person in people:
            x1, y1, x2, y2 = person.box
            assert 0 <= x1 < x2 <= 1
            assert 0 <= y1 < y2 <= 1
        keys = [(person.second, person.person_id) for person in people]
        assert len(keys) == len(set(keys))


def test_rows_have_the_official_form() -> None:
    scene = generate_scene(1)

    for first_second in (0, 902):
        lines = groundtruth_lines(scene, first_second=first_second)
        seconds = [int(line.split(",")[1]) for line in lines]
        assert sorted(set(seconds)) == list(range(first_second, first_second + 10))
        assert seconds == sorted(seconds)
        for line in lines:
            fields = line.split(",")
            assert len(fields) in (2, 8)
            assert len(fields[1]) == 4


def test_the_official_reader_accepts_the_ground_truth(tmp_path: Path) -> None:
    from ava_detect.data.scenes.actions import write_label_map
    from evaluation import evaluate_ava
    from evaluation.label_map import load_label_map
    from evaluation.rows import read_groundtruth

    write_label_map(tmp_path / "label_map.pbtxt")
    labels = load_label_map(tmp_path / "label_map.pbtxt")
    scenes = [generate_scene(seed) for seed in range(4)]
    path = tmp_path / "train.csv"
    path.write_text("".join(f"{line}\n" for scene in scenes for line in groundtruth_lines(scene)))

    table = read_groundtruth(path)

    expected = sum(len(person.actions) for scene in scenes for person in scene.groundtruth())
    assert len(table) == expected
    assert set(table.action_ids.tolist()) <= set(labels.ids)
    assert evaluate_ava(path, path, labels).mean == pytest.approx(1.0)


def test_the_label_map_is_a_part_of_avas(tmp_path: Path) -> None:
    from ava_detect.data.scenes.actions import write_label_map
    from evaluation.label_map import load_label_map

    write_label_map(tmp_path / "label_map.pbtxt")
    ours, avas = load_label_map(tmp_path / "label_map.pbtxt"), load_label_map("v2.2-80")

    known = {
        number: (name, group) for number, name, group in zip(avas.ids, avas.names, avas.groups, strict=True)
    }
    assert len(ours.ids) == 14
    for number, name, group in zip(ours.ids, ours.names, ours.groups, strict=True):
        assert known[number] == (name, group)


@pytest.mark.parametrize(
    ("seed", "grade", "message"),
    [
        (0, "easy", r"grade 'easy': expected one of standard, hard"),
        (-1, "hard", r"seed -1: expected 0 to 2999999"),
        (3_000_000, "standard", r"seed 3000000: expected 0 to 2999999"),
    ],
)
def test_unknown_grades_and_seeds_are_refused(seed: int, grade: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        generate_scene(seed, grade)
