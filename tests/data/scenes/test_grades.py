"""The two grades: frozen, different, and with every action often enough; the splits share no seed."""

import hashlib
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from ava_detect.data.scenes import (
    GRADES,
    SPLITS,
    LabelledPerson,
    Scene,
    generate_scene,
    groundtruth_lines,
    split_seeds,
)
from ava_detect.data.scenes.actions import Action

SCENES = 40


@pytest.fixture(scope="module")
def scenes() -> dict[str, list[Scene]]:
    return {grade: [generate_scene(seed, grade) for seed in range(SCENES)] for grade in GRADES}


@pytest.fixture(scope="module")
def people(scenes: dict[str, list[Scene]]) -> dict[str, list[LabelledPerson]]:
    return {
        grade: [person for scene in drawn for person in scene.groundtruth()]
        for grade, drawn in scenes.items()
    }


# What version 1 of the grades draws. A change of these digests is a change of the data that scores are
# compared on: it needs a new VERSION in grades.py, not new digests alone.
FROZEN_GROUND_TRUTH = {
    "standard": "a30b0f174d182d35f68616d302c079f4ea94b5a558b8d6207f3e080517a12599",
    "hard": "bb208a3bfd49e2735f3028bb3cfd0dc3522242bcd5942bfc9e1739ca02d35b7b",
}


@pytest.mark.parametrize("grade", GRADES)
def test_the_ground_truth_of_a_grade_is_frozen(grade: str) -> None:
    digest = hashlib.sha256()
    for split in SPLITS:
        for seed in split_seeds(split, 5):
            for line in groundtruth_lines(generate_scene(seed, grade)):
                digest.update(f"{line}\n".encode())

    assert digest.hexdigest() == FROZEN_GROUND_TRUTH[grade]


@pytest.mark.parametrize("grade", GRADES)
def test_every_action_is_frequent_in_forty_scenes(
    people: dict[str, list[LabelledPerson]], grade: str
) -> None:
    counts = Counter(action for person in people[grade] for action in person.actions)

    assert len(people[grade]) > 15 * SCENES
    for action in Action:
        assert counts[action] > 0.02 * len(people[grade]), action


def test_hard_scenes_have_more_and_smaller_people_that_hide_each_other_more(
    scenes: dict[str, list[Scene]], people: dict[str, list[LabelledPerson]]
) -> None:
    upright = (Action.STAND, Action.WALK, Action.RUN)
    number, smallest, visible = {}, {}, {}
    for grade, drawn in scenes.items():
        number[grade] = np.mean([len(scene.actors) for scene in drawn])
        heights = [person.box[3] - person.box[1] for person in people[grade] if person.actions[0] in upright]
        smallest[grade] = np.quantile(heights, 0.1)
        shares = [seen.share for scene in drawn for seen in scene.seen([4.0])[0]]
        visible[grade] = np.mean(shares)

    assert number["hard"] > 1.3 * number["standard"]
    assert smallest["hard"] < 0.9 * smallest["standard"]
    assert visible["hard"] < visible["standard"] - 0.03


def test_hard_cameras_are_worse(scenes: dict[str, list[Scene]]) -> None:
    """Noise and exposure: what the camera adds to the clean picture, in grey levels."""
    noise, shift, shake = {}, {}, {}
    for grade, drawn in scenes.items():
        added = []
        for scene in drawn[:8]:
            (clean,) = scene.clean_frames([1 / float(scene.fps)])
            (frame,) = scene.frames([1])
            difference = frame.astype(float) - clean
            fine = difference[1:, 1:] - difference[:-1, 1:] - difference[1:, :-1] + difference[:-1, :-1]
            added.append((fine.std() / 2, abs(difference.mean())))
        noise[grade], shift[grade] = np.mean(added, axis=0)
        moved = [scene.camera_motion.shake[:, 0].sum() / scene.size[1] for scene in drawn]
        shake[grade] = np.mean(moved)

    assert noise["hard"] > 1.5 * noise["standard"]
    assert shift["hard"] > 1.3 * shift["standard"]
    assert shake["hard"] > 1.5 * shake["standard"]


def test_all_rates_and_sizes_are_used(scenes: dict[str, list[Scene]]) -> None:
    drawn = scenes["standard"] + scenes["hard"]

    assert {scene.fps for scene in drawn} == set(GRADES["standard"].rates)
    assert {scene.size for scene in drawn} == set(GRADES["standard"].sizes)


def test_splits_share_no_seed_and_blocks_of_a_split_neither() -> None:
    blocks = [split_seeds(split, 10_000, seed) for split in SPLITS for seed in (0, 1, 99)]

    for one, other in combinations(blocks, 2):
        assert one[-1] < other[0] or other[-1] < one[0]
    assert split_seeds("val", 3, 2) == range(1_020_000, 1_020_003)
