"""Finding people: the same boxes as Detectron2's own predictor, and what happens around them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from person_detector import PersonBoxes, PersonDetector, build_person_detector
from person_detector.architecture import SMALL, load_detector_config

LOWEST = 0.05  # Detectron2's own bar
NMS_IOU = 0.5
BOX_TOLERANCE_PX = 0.05
SCORE_TOLERANCE = 1e-4
R50 = "COCO-Detection/faster_rcnn_R_50_FPN_3x"


def default_predictor(weights: Path, config: str, *, person_class: int = 0, **settings):
    """Detectron2's own road from a picture to the boxes of one class."""
    from detectron2.engine import DefaultPredictor

    cfg = load_detector_config(config)
    cfg.MODEL.DEVICE, cfg.MODEL.WEIGHTS = "cpu", str(weights)
    cfg.merge_from_list([word for key, value in settings.items() for word in (key.replace("__", "."), value)])
    predictor = DefaultPredictor(cfg)

    def detect(image: np.ndarray) -> PersonBoxes:
        found = predictor(image)["instances"]
        people = found[found.pred_classes == person_class]
        return PersonBoxes(people.pred_boxes.tensor.numpy(), people.scores.numpy())

    return detect


def assert_same_people(found: PersonBoxes, expected: PersonBoxes) -> None:
    """Equal to 0.05 px and 1e-4; a box without a partner has to be a near-tie that rounding may decide."""
    box_distance = np.abs(found.boxes[:, None] - expected.boxes[None]).max(2, initial=0)
    score_distance = np.abs(found.scores[:, None] - expected.scores[None])
    same = (box_distance <= BOX_TOLERANCE_PX) & (score_distance <= SCORE_TOLERANCE)
    for people, others, paired in ((found, expected, same.any(1)), (expected, found, same.any(0))):
        overlaps = box_iou(torch.from_numpy(people.boxes), torch.from_numpy(others.boxes)).numpy()
        for index in np.flatnonzero(~paired):
            undecided = np.abs(overlaps[index] - NMS_IOU).min(initial=1) < 1e-3
            at_the_bar = people.scores[index] - LOWEST < SCORE_TOLERANCE
            assert undecided or at_the_bar, (people.boxes[index], people.scores[index])


@pytest.fixture(scope="module")
def detector(small_weights: Path) -> PersonDetector:
    return build_person_detector(small_weights, device="cpu", threshold=LOWEST)


def test_the_exact_mode_finds_what_detectron2_finds(detector, small_weights: Path, picture: np.ndarray):
    expected = default_predictor(small_weights, SMALL)(picture)
    assert len(expected) > 20
    assert np.ptp(expected.scores) > 0.5
    assert_same_people(detector.detect(picture), expected)


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 1), (7, 300), (300, 7), (97, 131), (192, 256), (600, 340)],
    ids=lambda size: str(size),
)
def test_pictures_of_any_shape_are_resized_as_detectron2_does(
    detector, small_weights: Path, picture: np.ndarray, height: int, width: int
):
    image = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    assert_same_people(detector.detect(image), default_predictor(small_weights, SMALL)(image))


def test_openvino_finds_what_detectron2_finds(small_weights: Path, picture: np.ndarray):
    pytest.importorskip("openvino", reason="an extra of the package")
    detector = build_person_detector(small_weights, device="cpu", threshold=LOWEST, backend="openvino")
    for image in (picture, picture[:90, :80]):  # another size after the first
        assert_same_people(detector.detect(image), default_predictor(small_weights, SMALL)(image))


def test_a_detector_of_many_classes_gives_its_person_class(write_zoo_file, picture: np.ndarray):
    weights = write_zoo_file(SMALL, classes=3)
    people = [
        build_person_detector(weights, device="cpu", threshold=LOWEST, person_class=index).detect(picture)
        for index in range(3)
    ]
    assert sum(map(len, people)) > 20
    for index, found in enumerate(people):
        expected = default_predictor(weights, SMALL, person_class=index, MODEL__ROI_HEADS__NUM_CLASSES=3)
        assert_same_people(found, expected(picture))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_r50_fpn_finds_what_detectron2_finds(write_zoo_file, picture: np.ndarray, backend: str):
    weights = write_zoo_file(R50, classes=1)
    image = cv2.resize(picture, (640, 384), interpolation=cv2.INTER_CUBIC)
    expected = default_predictor(weights, R50, MODEL__ROI_HEADS__NUM_CLASSES=1)(image)
    assert len(expected) > 50
    detector = build_person_detector(weights, device="cpu", threshold=LOWEST, backend=backend)
    assert_same_people(detector.detect(image), expected)


def test_people_come_best_first_inside_the_picture(detector, picture: np.ndarray):
    people = detector.detect(picture)
    assert (np.diff(people.scores) <= 0).all()
    assert people.boxes.min() >= 0
    assert (people.boxes <= [200, 120, 200, 120]).all()
    assert (people.boxes[:, 2:] > people.boxes[:, :2]).all()
    assert people.boxes.dtype == people.scores.dtype == np.float32


def test_the_threshold_of_the_detector_can_be_changed_for_one_picture(
    small_weights: Path, picture: np.ndarray
):
    detector = build_person_detector(small_weights, device="cpu", threshold=0.5)
    assert detector.threshold == 0.5
    sure, all_people = detector.detect(picture), detector.detect(picture, threshold=LOWEST)
    assert 0 < len(sure) < len(all_people)
    np.testing.assert_array_equal(sure.scores, all_people.above(0.5).scores)


def test_a_threshold_below_detectron2s_bar_is_honoured(small_weights: Path, picture: np.ndarray):
    people = build_person_detector(small_weights, device="cpu", threshold=0.001).detect(picture)
    assert people.scores.min() < LOWEST


def test_a_threshold_that_nobody_reaches_gives_no_people(detector, picture: np.ndarray):
    people = detector.detect(picture, threshold=1.0)
    assert people.boxes.shape == (0, 4)


def test_a_batch_gives_what_single_pictures_give(detector, picture: np.ndarray):
    images = [picture, picture[:60], picture[::-1].copy(), picture[:, :100]]
    together = detector.detect_batch(images)
    for image, people in zip(images, together, strict=True):
        alone = detector.detect(image)
        np.testing.assert_array_equal(people.boxes, alone.boxes)
    assert detector.detect_batch([]) == []


def test_a_detector_trained_on_rgb_sees_rgb(small_weights: Path, picture: np.ndarray, tmp_path: Path):
    config = tmp_path / "rgb.yaml"
    own = Path(__file__).parents[2] / "configs" / "person_detector" / f"{SMALL}.yaml"
    config.write_text(own.read_text().replace("FORMAT: BGR", "FORMAT: RGB"))
    rgb = build_person_detector(small_weights, config=config, device="cpu", threshold=LOWEST)
    bgr = build_person_detector(small_weights, device="cpu", threshold=LOWEST)
    np.testing.assert_array_equal(rgb.detect(picture).boxes, bgr.detect(picture[:, :, ::-1]).boxes)
    assert len(rgb.detect(picture)) > 0


def test_fewer_proposals_give_no_more_people(small_weights: Path, picture: np.ndarray):
    few = build_person_detector(small_weights, device="cpu", threshold=LOWEST, proposals=10).detect(picture)
    many = build_person_detector(small_weights, device="cpu", threshold=LOWEST).detect(picture)
    assert len(few) <= 10 < len(many)


def test_bfloat16_stays_near_full_precision(small_weights: Path, picture: np.ndarray):
    full = build_person_detector(small_weights, device="cpu", threshold=LOWEST).detect(picture)
    low = build_person_detector(small_weights, device="cpu", threshold=LOWEST, precision="bf16").detect(
        picture
    )
    overlaps = box_iou(torch.from_numpy(full.boxes[:20]), torch.from_numpy(low.boxes)).amax(1)
    assert not np.array_equal(full.boxes[:10], low.boxes[:10])
    assert (
        float(overlaps.median()) > 0.9
    )  # three digits of precision move boxes that mean nothing by a little


def test_detecting_leaves_numpys_random_numbers_alone(detector, picture: np.ndarray):
    np.random.seed(0)
    expected = np.random.RandomState(0).random_sample()
    detector.detect(picture)
    assert np.random.random_sample() == expected


def test_a_view_that_is_not_contiguous_is_as_good_as_a_copy(detector, picture: np.ndarray):
    view = picture[::2, ::-1]
    np.testing.assert_array_equal(detector.detect(view).boxes, detector.detect(view.copy()).boxes)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((20, 20), np.uint8),
        np.zeros((20, 20, 4), np.uint8),
        np.zeros((20, 20, 3), np.float32),
        np.zeros((0, 20, 3), np.uint8),
    ],
    ids=["grey", "alpha", "float", "empty"],
)
def test_what_is_no_picture_is_refused(detector, image: np.ndarray):
    with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 3\)"):
        detector.detect(image)
