"""Ids and paths of people who are drawn where they are: what following gains, and what a cut must not do."""

import cv2
import numpy as np
import pytest

from ava_detect.engine.keyframe_clips import keyframe_clips
from ava_detect.engine.person_tracks import STEP_S, PersonTracks
from person_detector import PersonBoxes

H, W = 180, 320
RATE = 20


def texture(seed, size):
    random = np.random.default_rng(seed)
    layers = [
        cv2.resize(
            random.random((size[0] // cell, size[1] // cell, 3)), size[::-1], interpolation=cv2.INTER_CUBIC
        )
        for cell in (20, 8, 3)
    ]
    return (np.clip(sum(layers) / 3, 0, 1) * 255).astype(np.uint8)


LOOKS = {name: texture(seed, (90, 45)) for seed, name in enumerate(("anna", "ben", "carl"))}
GROUNDS = [texture(seed, (H, W)) for seed in (10, 11)]


class DrawnFrame:
    """A frame of a film: ``script(time)`` gives {name: (x, y)} in the order of drawing, and the scene."""

    def __init__(self, idx, script):
        self.idx, self.time = idx, idx / RATE
        self._script = script

    def image(self):
        people, scene = self._script(self.time)
        image = GROUNDS[scene].copy()
        for name, (x, y) in people.items():
            image[round(y) : round(y) + 90, round(x) : round(x) + 45] = LOOKS[name]
        return image


def film(script, *, seconds, step_s=STEP_S, before=None, first=0):
    frames = (DrawnFrame(idx, script) for idx in range(seconds * RATE + 1))
    yield from keyframe_clips(
        frames,
        map(float, range(first, seconds + 1)),
        offsets=np.zeros(1),
        resize=lambda image: image,
        step_s=step_s,
        before=before,
    )


def boxes_of(places):
    boxes = [[x, y, x + 45, y + 90] for x, y in places.values()]
    return PersonBoxes(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), 0.9, np.float32))


def ids_by_name(script, clips, tracks=None):
    """Track the film; return {name: id} per keyframe and all paths."""
    tracks = tracks or PersonTracks()
    found, paths = [], []
    for clip in clips:
        places, _ = script(clip.time)
        ids, since = tracks.update(clip, boxes_of(places))
        found.append(dict(zip(places, ids.tolist(), strict=True)))
        paths.append(since)
    return found, paths


def turning_back(time):
    """Ben walks to the right and back within a second, Carl below him to the left and back."""
    way = 60 - 120 * abs((time % 1.0) - 0.5)  # at whole seconds both are where they began
    return {"ben": (80 + way, 0), "carl": (200 - way, 90)}, 0


def passing(time):
    """Anna and Ben change places in one second, one before the other."""
    share = min(time, 1.0)
    return {"ben": (40 + 110 * share, 30), "anna": (150 - 110 * share, 75)}, 0


def test_people_who_change_places_between_keyframes_keep_their_ids_only_if_followed():
    followed, _ = ids_by_name(passing, film(passing, seconds=2))
    assert followed[0] == followed[1] == followed[2]
    alone, _ = ids_by_name(passing, film(passing, seconds=2, step_s=None))
    assert alone[0] != alone[1]


def test_between_keyframes_boxes_are_where_the_people_are():
    _, paths = ids_by_name(turning_back, film(turning_back, seconds=2))
    assert paths[0] == ()
    for since in paths[1:]:
        assert [path.person_id for path in since] == [1, 2]
        for path, name in zip(since, ("ben", "carl"), strict=True):
            assert len(path.times) == 9
            for time, box in zip(path.times, path.boxes, strict=True):
                x, y = turning_back(time)[0][name]
                np.testing.assert_allclose(box, [x, y, x + 45, y + 90], atol=4)


def cut_at(moment, then, after):
    def script(time):
        return ({then: (100, 40)}, 0) if time < moment else ({after: (102, 42)}, 1)

    return script


def test_a_cut_gives_nobodys_id_to_somebody_in_the_same_place():
    script = cut_at(1.4, "anna", "ben")
    found, paths = ids_by_name(script, film(script, seconds=3))
    assert found == [{"anna": 1}, {"anna": 1}, {"ben": 2}, {"ben": 2}]
    by_id = {path.person_id: path.times for path in paths[2]}
    assert by_id[1].max() < 1.4 <= by_id[2].min()  # each is followed on the own side of the cut
    alone, _ = ids_by_name(script, film(script, seconds=3, step_s=None))
    assert alone[2] == {"ben": 1}  # what happened before anybody looked at the pictures


def test_behind_a_cut_those_who_were_missed_before_are_forgotten_too():
    def script(time):
        if time < 0.5:
            return {"anna": (100, 40)}, 0
        return ({}, 0) if time < 1.5 else ({"ben": (100, 40)}, 1)

    found, _ = ids_by_name(script, film(script, seconds=2))
    assert found == [{"anna": 1}, {}, {"ben": 2}]


def test_who_leaves_is_followed_while_seen():
    def script(time):
        return {"anna": (100 + 40 * time, 40)}, 0

    tracks = PersonTracks()
    first, second = film(script, seconds=1)
    tracks.update(first, boxes_of(script(0.0)[0]))
    ids, (path,) = tracks.update(second, PersonBoxes.none())
    assert ids.tolist() == []
    assert path.person_id == 1
    np.testing.assert_allclose(path.boxes[-1][0], 100 + 40 * path.times[-1], atol=3)


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_resumed_run_gives_the_ids_and_paths_of_a_run_in_one_go(stop):
    whole, whole_paths = ids_by_name(passing, film(passing, seconds=3))
    tracks = PersonTracks()
    for time in range(stop):
        places = passing(time)[0]
        tracks.recall(float(time), boxes_of(places).boxes, np.array([whole[time][name] for name in places]))
    rest = film(passing, seconds=3, before=float(stop - 1), first=stop)
    found, paths = ids_by_name(passing, rest, tracks)
    assert found == whole[stop:]
    for since, expected in zip(paths, whole_paths[stop:], strict=True):
        assert [path.person_id for path in since] == [path.person_id for path in expected]
        for path, other in zip(since, expected, strict=True):
            np.testing.assert_array_equal(path.times, other.times)
            np.testing.assert_array_equal(path.boxes, other.boxes)


def test_keyframes_far_apart_have_no_steps_and_ids_as_before():
    frames = [DrawnFrame(idx, passing) for idx in range(10 * RATE + 1)]
    clips = list(
        keyframe_clips(
            frames, [0.0, 5.0, 10.0], offsets=np.zeros(1), resize=lambda image: image, step_s=STEP_S
        )
    )
    assert [clip.steps for clip in clips] == [None] * 3
    found, paths = ids_by_name(passing, clips)
    assert found[1] == found[2]
    assert paths == [(), (), ()]
