"""Boxes followed through pictures whose motion is known, and cuts."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ava_detect.engine.following import find_cuts, follow

H, W = 180, 240


def texture(seed, size=(H, W), low=0, high=256):
    """Blobs at several scales, as pictures have them."""
    random = np.random.default_rng(seed)
    layers = [
        cv2.resize(
            random.random((size[0] // cell, size[1] // cell)), size[::-1], interpolation=cv2.INTER_CUBIC
        )
        for cell in (24, 8, 3)
    ]
    return (low + np.clip(sum(layers) / 3, 0, 1) * (high - low - 1)).astype(np.uint8)


GROUND, PERSON = texture(1), texture(2, (90, 45))


def picture(*people, ground=GROUND):
    """A picture with people 45 x 90 at (x, y)."""
    image = ground.copy()
    for x, y, *looks in people:
        image[y : y + 90, x : x + 45] = looks[0] if looks else PERSON
    return image


def box(x, y):
    return [x, y, x + 45, y + 90]


def test_nobody_is_followed_nowhere():
    followed = follow([GROUND, GROUND], np.zeros((0, 4)))
    assert followed.boxes.shape == (2, 0, 4)
    assert followed.sure.shape == (2, 0)


def test_one_picture_gives_the_boxes_back():
    followed = follow([GROUND], np.array([box(10, 20)]))
    assert followed.boxes.tolist() == [[box(10, 20)]]
    assert followed.sure.all()


@settings(max_examples=15, deadline=None)
@given(st.integers(-9, 9), st.integers(-6, 6))
def test_a_moving_person_is_followed_to_the_pixel(dx, dy):
    places = [(100 + k * dx, 45 + k * dy) for k in range(5)]
    followed = follow([picture(place) for place in places], np.array([box(*places[0])]))
    assert followed.sure.all()
    for found, place in zip(followed.boxes[:, 0], places, strict=True):
        np.testing.assert_allclose(found, box(*place), atol=2.5)


def test_a_person_who_comes_closer_grows():
    pictures, size = [], 40
    for k in range(6):
        image = GROUND.copy()
        large = cv2.resize(PERSON, (size + 4 * k, 2 * (size + 4 * k)), interpolation=cv2.INTER_AREA)
        image[60 - 4 * k : 60 - 4 * k + large.shape[0], 100 - 2 * k : 100 - 2 * k + large.shape[1]] = large
        pictures.append(image)
    (found,) = follow(pictures, np.array([[100.0, 60, 140, 140]])).boxes[-1]
    assert found[2] - found[0] == pytest.approx(60, rel=0.12)


def test_who_is_hidden_is_lost_and_stays_lost():
    wall = texture(9, (H, 60))
    hidden = picture((100, 40))
    hidden[:, 90:150] = wall
    followed = follow([picture((100, 40)), hidden, picture((100, 40))], np.array([box(100, 40)]))
    assert followed.sure[:, 0].tolist() == [True, False, False]


def test_people_are_followed_each_by_themselves():
    other = texture(5, (90, 45))
    walk = [picture((20 + 6 * k, 50), (170 - 6 * k, 60, other)) for k in range(5)]
    followed = follow(walk, np.array([box(20, 50), box(170, 60)]))
    np.testing.assert_allclose(followed.boxes[-1], [box(44, 50), box(146, 60)], atol=2.5)


@pytest.mark.parametrize("given_box", [[0, 0, 0, 0], [-50, -50, -10, -10], [200, 100, 400, 300]])
def test_odd_boxes_and_grey_walls_do_no_harm(given_box):
    flat = np.full((H, W), 77, np.uint8)
    for pictures in ([flat, flat], [GROUND, flat], [GROUND, GROUND]):
        assert np.isfinite(follow(pictures, np.array([given_box], float)).boxes).all()


def test_a_cut_is_told_with_the_picture_that_begins_the_new_scene():
    assert find_cuts([GROUND, GROUND, texture(7), texture(7), texture(8)]) == [2, 4]


def test_nothing_and_one_picture_have_no_cut():
    assert find_cuts([]) == find_cuts([GROUND]) == []


def test_pans_lights_and_people_who_pass_are_no_cuts():
    wide = texture(3, (H, W + 60))
    pan = [np.ascontiguousarray(wide[:, 12 * k : 12 * k + W]) for k in range(5)]
    assert find_cuts(pan) == []
    assert find_cuts([cv2.convertScaleAbs(GROUND, alpha=1 - 0.15 * k) for k in range(5)]) == []
    assert find_cuts([picture((10 + 40 * k, 40)) for k in range(4)]) == []


def test_pictures_of_one_grey_are_no_scene():
    black, white = np.zeros((H, W), np.uint8), np.full((H, W), 255, np.uint8)
    assert isinstance(find_cuts([black, white, GROUND, black]), list)
