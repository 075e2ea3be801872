"""What is done to clips and boxes, pixel by pixel against the plain form of the same definitions."""

import dataclasses

import cv2
import numpy as np
import pytest
import torch

from ava_detect.data.clip_views import EvaluationView, Pixels, TrainingView
from ava_detect.data.colour_jitter import ColourJitter
from ava_detect.data.video_clips import Clip
from ava_detect.video.transforms import ChannelOrder, ShortSideJitter, random_crop_offset

PIXELS = Pixels((0.4, 0.45, 0.5), (0.2, 0.225, 0.25))
EIGENVALUES = (0.225, 0.224, 0.229)
EIGENVECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))
BOXES = np.array([[0.1, 0.2, 0.5, 0.9], [0.0, 0.0, 1.0, 1.0], [0.9, 0.9, 1.0, 1.0]])


def _clip(short: int, long: int, frames: int = 3) -> tuple[Clip, np.ndarray]:
    """Return a clip of noise resized as a source would, and the full pictures."""
    full = np.random.default_rng(0).integers(0, 256, (frames, 60, 100, 3), np.uint8)
    return Clip(np.stack([cv2.resize(frame, (long, short)) for frame in full]), (60, 100)), full


def _training_reference(view: TrainingView, boxes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Do the same in the published order, number by number: scale, crop, mirror, limit."""
    rng = np.random.default_rng(seed)
    short = round(rng.uniform(*view.short_sides))
    long = int(100 / 60 * short)
    top, left = int(rng.integers(0, short - view.crop)), int(rng.integers(0, long - view.crop))
    mirrored = rng.random() < 0.5
    clip, _ = _clip(short, long)
    out = np.zeros((3, 3, view.crop, view.crop))
    for t, y, x, c in np.ndindex(3, view.crop, view.crop, 3):
        source_x = view.crop - 1 - x if mirrored else x
        value = clip.frames[t, top + y, left + source_x, 2 - c] / 255  # BGR in, RGB out
        out[c, t, y, x] = (value - PIXELS.mean[c]) / PIXELS.std[c]
    expected = []
    for x1, y1, x2, y2 in boxes * [100, 60, 100, 60]:
        x1, y1, x2, y2 = (v * long / 100 for v in (min(x1, 99), min(y1, 59), min(x2, 99), min(y2, 59)))
        x1, y1, x2, y2 = x1 - left, y1 - top, x2 - left, y2 - top
        if mirrored:
            x1, x2 = view.crop - x2 - 1, view.crop - x1 - 1
        expected.append([min(max(v, 0), view.crop - 1) for v in (x1, y1, x2, y2)])
    return out, np.array(expected)


@pytest.mark.parametrize("seed", range(4))
def test_a_training_clip_is_the_published_steps(seed: int):
    view = TrainingView(PIXELS, short_sides=(30, 50), crop=24)
    rng = np.random.default_rng(seed)
    short = view.short_side(rng)
    clip, _ = _clip(short, int(100 / 60 * short))
    pixels, boxes, shown = view.apply(clip, BOXES, rng)
    expected_pixels, expected_boxes = _training_reference(view, BOXES, seed)
    np.testing.assert_allclose(pixels, expected_pixels, atol=1e-5)  # float32 against float64
    np.testing.assert_allclose(boxes, expected_boxes, atol=1e-4)
    assert (pixels.dtype, boxes.dtype) == (torch.float32, torch.float32)
    assert shown.all()


def test_half_of_the_clips_are_mirrored_unless_none_is_to_be():
    clip, _ = _clip(30, 50, frames=1)
    view = TrainingView(PIXELS, short_sides=(30, 30), crop=30)
    plain = TrainingView(PIXELS, short_sides=(30, 30), crop=30, flip=False)
    left = np.array([[0.0, 0.0, 0.01, 1.0]])
    mirrored = 0
    for seed in range(40):
        _, boxes, _ = view.apply(clip, left, np.random.default_rng(seed))
        mirrored += bool(boxes[0, 2] > 15)
        _, boxes, _ = plain.apply(clip, left, np.random.default_rng(seed))
        assert boxes[0, 2] < 15
    assert 10 <= mirrored <= 30


def test_reciprocal_short_sides_are_drawn_more_often_small():
    view = TrainingView(PIXELS, short_sides=(256, 320), jitter=ShortSideJitter.RECIPROCAL)
    drawn = [view.short_side(np.random.default_rng(seed)) for seed in range(400)]
    assert 256 <= min(drawn)
    assert max(drawn) <= 320
    assert np.mean(drawn) == pytest.approx(285.6, abs=3)  # (ln 320 - ln 256) / (1/256 - 1/320)


def test_an_evaluation_clip_is_the_whole_picture():
    clip, _ = _clip(30, 50)
    view = EvaluationView(PIXELS, size=30)
    assert view.short_side(np.random.default_rng(0)) == 30
    pixels, boxes, _ = view.apply(clip, BOXES, np.random.default_rng(0))
    expected = (clip.frames[..., ::-1] / 255 - PIXELS.mean) / PIXELS.std
    np.testing.assert_allclose(pixels, expected.transpose(3, 0, 1, 2), atol=1e-5)
    np.testing.assert_allclose(boxes, [[5, 6, 25, 27], [0, 0, 49, 29], [45, 27, 49, 29]], atol=0.51)


def test_nobody_is_nobody():
    clip, _ = _clip(30, 50)
    for view in (EvaluationView(PIXELS, size=30), TrainingView(PIXELS, short_sides=(30, 30), crop=24)):
        _, boxes, _ = view.apply(clip, np.zeros((0, 4)), np.random.default_rng(0))
        assert boxes.shape == (0, 4)


@pytest.mark.parametrize(("least", "shown"), [(0.0, [1, 1, 1]), (0.3, [1, 1, 0]), (0.8, [1, 0, 0])])
def test_people_who_are_hardly_in_the_crop_can_be_left_out(least: float, shown: list[int]):
    clip, _ = _clip(30, 60)
    view = TrainingView(PIXELS, short_sides=(30, 30), crop=30, flip=False, min_visible=least)
    rng = np.random.default_rng(0)
    left = random_crop_offset(np.random.default_rng(0), 30, 60, 30)[1]
    starts = np.array([left + 5, left + 24, left + 28])  # 10 pixels wide: all, 6 and 2 of them in the crop
    people = np.stack([starts / 60, [0.1] * 3, (starts + 10) / 60, [0.9] * 3], axis=1)
    assert view.apply(clip, people, rng).shown.tolist() == [bool(each) for each in shown]


def test_the_sides_of_boxes_move_by_a_share_of_width_and_height():
    clip, _ = _clip(30, 50)
    left = random_crop_offset(np.random.default_rng(0), 30, 50, 30)[1]
    people = np.array([[(left + 10) / 50, 0.4, (left + 20) / 50, 0.8]] * 200)  # 10 wide and 12 high
    plain = TrainingView(PIXELS, short_sides=(30, 30), crop=30, flip=False)
    moved = dataclasses.replace(plain, box_jitter=0.2)
    (pixels, still, _), (same, boxes, _) = (
        view.apply(clip, people, np.random.default_rng(0)) for view in (plain, moved)
    )
    torch.testing.assert_close(pixels, same)
    by = ((boxes - still) / torch.tensor([10, 12, 10, 12])).numpy()
    assert abs(by).max() <= 0.2 + 1e-6
    assert (by.min(axis=0) < -0.19).all()
    assert (by.max(axis=0) > 0.19).all()
    assert np.abs(np.corrcoef(by.T) - np.eye(4)).max() < 0.25  # each by itself


def test_bgr_networks_get_the_same_colours_in_the_other_order():
    clip, _ = _clip(30, 50)
    colours = ColourJitter(EIGENVALUES, EIGENVECTORS)
    found = []
    for order, mean in ((ChannelOrder.RGB, PIXELS.mean), (ChannelOrder.BGR, PIXELS.mean[::-1])):
        std = PIXELS.std if order is ChannelOrder.RGB else PIXELS.std[::-1]
        view = TrainingView(Pixels(mean, std, order), short_sides=(30, 30), crop=24, colours=colours)
        found.append(view.apply(clip, BOXES, np.random.default_rng(1))[0])
    torch.testing.assert_close(found[0], found[1].flip(0))


def test_pca_noise_is_one_shift_of_the_colour_for_the_whole_clip():
    clip = torch.rand(3, 4, 5, 6)
    shift = ColourJitter(EIGENVALUES, EIGENVECTORS, strength=0)(clip, np.random.default_rng(5)) - clip
    alpha = np.random.default_rng(5).normal(0, 0.1, 3)
    expected = [
        sum(EIGENVECTORS[colour][k] * EIGENVALUES[k] * alpha[k] for k in range(3)) for colour in range(3)
    ]
    torch.testing.assert_close(
        shift,
        torch.tensor(expected, dtype=torch.float32).view(3, 1, 1, 1).expand_as(shift),
        atol=1e-6,
        rtol=0,
    )


def test_brightness_contrast_and_saturation_are_the_published_blends():
    clip = torch.rand(3, 2, 4, 5, dtype=torch.float64)
    found = ColourJitter(EIGENVALUES, EIGENVECTORS, pca_std=0)(clip, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    frames = [frame.numpy().copy() for frame in clip.permute(1, 0, 2, 3)]
    for step in rng.permutation(3):
        factor = 1 + rng.uniform(-0.4, 0.4)
        for frame in frames:
            grey = 0.299 * frame[0] + 0.587 * frame[1] + 0.114 * frame[2]
            other = (np.zeros_like(grey), np.full_like(grey, grey.mean()), grey)[step]
            frame[:] = frame * factor + other * (1 - factor)
    np.testing.assert_allclose(found.permute(1, 0, 2, 3), frames)
