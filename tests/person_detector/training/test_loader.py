"""Batches to train on: what is in them, and that the seed alone decides it."""

import itertools

import numpy as np
import pytest
import torch

from evaluation.errors import DataError
from person_detector.training.loader import AugmentedPictures, OrientedBatches, build_loader


def take(batches, count: int) -> list[list[str]]:
    return [[item["file_name"] for item in batch] for batch in itertools.islice(batches, count)]


def test_a_picture_stays_bgr_and_its_boxes_stay_pixels(cfg, make_pictures):
    pictures = make_pictures()
    item = AugmentedPictures(pictures, cfg)[0, 3]
    expected = pictures.read(pictures.records[3])
    np.testing.assert_array_equal(item["image"].numpy(), expected.transpose(2, 0, 1))
    boxes = item["instances"].gt_boxes.tensor.tolist()
    assert boxes == [pictures.records[3]["annotations"][0]["bbox"]]
    assert item["instances"].gt_classes.tolist() == [0]


def test_a_detector_of_rgb_pictures_gets_them_so(cfg, make_pictures):
    cfg.INPUT.FORMAT = "RGB"
    pictures = make_pictures()
    expected = pictures.read(pictures.records[0])[:, :, ::-1].transpose(2, 0, 1)
    np.testing.assert_array_equal(AugmentedPictures(pictures, cfg)[0, 0]["image"].numpy(), expected)


def test_resized_and_mirrored_boxes_lie_on_their_people(cfg, make_pictures):
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MAX_SIZE_TRAIN = (128,), 192
    cfg.INPUT.RANDOM_FLIP, cfg.INPUT.COLOR_JITTER = "horizontal", 0.2
    dataset = AugmentedPictures(make_pictures(), cfg)
    mirrored = 0
    for place in range(8):
        item = dataset[place, 3]
        assert item["image"].shape == (3, 128, 192)
        x1, y1, x2, y2 = item["instances"].gt_boxes.tensor[0].int().tolist()
        blue = item["image"][0].float()  # 200 on the square, below 60 elsewhere
        outside = blue.clone()
        outside[max(0, y1 - 2) : y2 + 2, max(0, x1 - 2) : x2 + 2] = 0
        assert blue[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3].min() > outside.max()
        mirrored += x1 != 2 * int(dataset._pictures.records[3]["annotations"][0]["bbox"][0])
    assert 0 < mirrored < 8


def test_the_seed_decides_the_batches_and_one_can_begin_in_the_middle(cfg, make_pictures):
    cfg.INPUT.MIN_SIZE_TRAIN = (48, 56, 64)
    pictures = make_pictures(upright=True)
    whole = list(itertools.islice(build_loader(pictures, cfg), 8))
    rest = list(itertools.islice(build_loader(pictures, cfg, first_batch=5), 3))
    for before, after in zip(whole[5:], rest, strict=True):
        assert [item["file_name"] for item in before] == [item["file_name"] for item in after]
        for one, other in zip(before, after, strict=True):
            torch.testing.assert_close(one["image"], other["image"], rtol=0, atol=0)
    cfg.SEED = 1
    assert take(build_loader(pictures, cfg), 8) != [[item["file_name"] for item in batch] for batch in whole]


def test_drawing_leaves_numpys_own_generator_alone(cfg, make_pictures):
    np.random.seed(5)
    expected = np.random.rand()
    np.random.seed(5)
    next(build_loader(make_pictures(), cfg))
    assert np.random.rand() == expected


def test_every_picture_is_drawn_once_before_any_is_drawn_again(cfg, make_pictures):
    batches = take(build_loader(make_pictures(), cfg), 6)
    assert sorted(itertools.chain(*batches)) == sorted(f"picture {number}" for number in range(12))


def test_upright_pictures_come_in_batches_of_their_own(cfg, make_pictures):
    records = list(make_pictures(upright=True).records)
    for batch in itertools.islice(OrientedBatches(records, cfg), 12):
        assert len({records[index]["height"] for _, index in batch}) == 1
    cfg.DATALOADER.ASPECT_RATIO_GROUPING = False
    mixed = [{records[index]["height"] for _, index in batch}
             for batch in itertools.islice(OrientedBatches(records, cfg), 12)]  # fmt: skip
    assert any(len(heights) == 2 for heights in mixed)


def test_pictures_that_cannot_be_read_are_left_out_and_named(cfg, make_pictures, caplog):
    batches = build_loader(make_pictures(4, broken=[1]), cfg)
    drawn = list(itertools.chain(*take(batches, 8)))
    assert "picture 1" not in drawn
    assert "left out: picture 1 is damaged" in caplog.text


def test_a_set_of_which_nothing_can_be_read_ends_the_training(cfg, make_pictures):
    with pytest.raises(DataError, match="no picture of 20 batches can be read"):
        next(build_loader(make_pictures(3, broken=range(3)), cfg))


def test_pictures_without_people_are_trained_on_when_asked_for(cfg, make_pictures):
    pictures = make_pictures(4, empty=[2])
    assert "picture 2" not in itertools.chain(*take(build_loader(pictures, cfg), 4))
    cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS = False
    batch = next(
        batch for batch in build_loader(pictures, cfg) if any(not len(i["instances"]) for i in batch)
    )
    assert any(item["file_name"] == "picture 2" for item in batch)


def test_a_set_without_people_is_refused(cfg, make_pictures):
    with pytest.raises(DataError, match="none of 2 pictures has a person on it"):
        build_loader(make_pictures(2, empty=[0, 1]), cfg)


@pytest.mark.slow
def test_loading_processes_change_nothing(cfg, make_pictures):
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.RANDOM_FLIP = (48, 64), "horizontal"
    pictures = make_pictures(upright=True)
    alone = list(itertools.islice(build_loader(pictures, cfg), 5))
    cfg.DATALOADER.NUM_WORKERS = 2
    helped = list(itertools.islice(build_loader(pictures, cfg), 5))
    for one, other in zip(itertools.chain(*alone), itertools.chain(*helped), strict=True):
        assert one["file_name"] == other["file_name"]
        torch.testing.assert_close(one["image"], other["image"], rtol=0, atol=0)
