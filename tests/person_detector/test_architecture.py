"""Configurations of detectors: by name, from files, recognised by the weights."""

from pathlib import Path

import numpy as np
import pytest

from evaluation.errors import ConfigError, WeightsError
from person_detector.architecture import SMALL, count_classes, load_detector_config, recognise

ZOO = {
    "COCO-Detection/faster_rcnn_R_50_FPN_3x": 80,
    "COCO-Detection/faster_rcnn_R_101_FPN_3x": 80,
    "COCO-Detection/faster_rcnn_X_101_32x8d_FPN_3x": 80,
    "COCO-Keypoints/keypoint_rcnn_R_50_FPN_3x": 1,
    "COCO-Keypoints/keypoint_rcnn_X_101_32x8d_FPN_3x": 1,
}


@pytest.mark.parametrize(("name", "classes"), ZOO.items())
def test_names_of_detectron2s_zoo_are_known_with_and_without_suffix(name: str, classes: int):
    for spelling in (name, f"{name}.yaml"):
        cfg = load_detector_config(spelling)
        assert classes == cfg.MODEL.ROI_HEADS.NUM_CLASSES


@pytest.mark.parametrize("name", ZOO)
def test_heads_that_boxes_do_not_need_are_left_out(name: str):
    cfg = load_detector_config(name)
    assert not cfg.MODEL.KEYPOINT_ON
    assert not cfg.MODEL.MASK_ON
    assert cfg.MODEL.WEIGHTS == ""


def test_the_projects_own_detector_is_known_by_name():
    cfg = load_detector_config(SMALL)
    assert cfg.MODEL.ROI_HEADS.NUM_CLASSES == 1
    assert cfg.MODEL.RESNETS.STEM_OUT_CHANNELS == 32


def test_a_file_of_the_users_is_read(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text("MODEL:\n  ROI_HEADS:\n    NUM_CLASSES: 7\nINPUT:\n  MIN_SIZE_TEST: 320\n")
    assert load_detector_config(path).MODEL.ROI_HEADS.NUM_CLASSES == 7


def test_an_unknown_name_is_refused_with_an_example():
    with pytest.raises(ConfigError, match="faster_rcnn_R_51: no such file") as error:
        load_detector_config("COCO-Detection/faster_rcnn_R_51")
    assert SMALL in error.value.hint


def test_a_tag_that_calls_a_function_is_refused_and_not_called(tmp_path: Path):
    path, trace = tmp_path / "hostile.yaml", tmp_path / "trace"
    path.write_text(f'VERSION: !!python/object/apply:os.mkdir ["{trace}"]\n')
    with pytest.raises(ConfigError, match=r"hostile.yaml: has a YAML tag that would run code"):
        load_detector_config(path)
    assert not trace.exists()


def test_a_hostile_base_of_a_harmless_file_is_refused_as_well(tmp_path: Path):
    trace = tmp_path / "trace"
    (tmp_path / "base.yaml").write_text(f'VERSION: !!python/object/apply:os.mkdir ["{trace}"]\n')
    (tmp_path / "mine.yaml").write_text('_BASE_: "base.yaml"\nVERSION: 2\n')
    with pytest.raises(ConfigError, match=r"mine.yaml: has a YAML tag that would run code"):
        load_detector_config(tmp_path / "mine.yaml")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("MODEL:\n  RESNETT: 50\n", "RESNETT", id="unknown key"),
        pytest.param("MODEL:\n  RESNETS:\n    DEPTH: deep\n", "DEPTH", id="wrong type"),
        pytest.param("MODEL: [1, 2\n", "expected", id="not YAML"),
        pytest.param('_BASE_: "nowhere.yaml"\n', "nowhere.yaml", id="base is missing"),
        pytest.param('_BASE_: "odd.yaml"\n', "recursion", id="its own base"),
        pytest.param('_BASE_: "https://127.0.0.1:1/base.yaml"\n', "No such file", id="base is an address"),
        pytest.param("- 1\n", "list", id="a list"),
        pytest.param("", "NoneType", id="empty"),
    ],
)
def test_files_that_are_no_configuration_are_refused_by_name(tmp_path: Path, text: str, found: str):
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"odd.yaml: not a Detectron2 configuration: .*{found}"):
        load_detector_config(path)


def tensors(*, stem: int, blocks: int, inner: int, classes: int = 80) -> dict[str, np.ndarray]:
    """The tensors that architectures are told apart by."""
    return {
        "backbone.bottom_up.stem.conv1.weight": np.zeros((stem, 3, 7, 7)),
        "backbone.bottom_up.res2.0.conv2.weight": np.zeros((stem, inner, 3, 3)),
        **{f"backbone.bottom_up.res4.{block}.conv1.weight": np.zeros(1) for block in range(blocks)},
        "roi_heads.box_predictor.cls_score.weight": np.zeros((classes + 1, 1024)),
    }


@pytest.mark.parametrize(
    ("stem", "blocks", "inner", "name"),
    [
        (64, 6, 64, "COCO-Detection/faster_rcnn_R_50_FPN_3x"),
        (64, 23, 64, "COCO-Detection/faster_rcnn_R_101_FPN_3x"),
        (64, 23, 8, "COCO-Detection/faster_rcnn_X_101_32x8d_FPN_3x"),
        (32, 2, 32, SMALL),
    ],
)
def test_weights_tell_their_architecture(stem: int, blocks: int, inner: int, name: str):
    assert recognise(tensors(stem=stem, blocks=blocks, inner=inner), "w.pkl") == name


def test_the_background_is_not_counted_as_a_class():
    assert count_classes(tensors(stem=64, blocks=6, inner=64, classes=20)) == 20


def test_an_unknown_backbone_is_described():
    with pytest.raises(
        WeightsError, match=r"w.pkl: an unknown backbone \(stem of 64 channels, 36 blocks in res4"
    ):
        recognise(tensors(stem=64, blocks=36, inner=64), "w.pkl")


def test_tensors_without_the_dimensions_of_a_detector_are_refused():
    weights = {name: np.zeros(()) for name in tensors(stem=64, blocks=6, inner=64)}
    assert count_classes(weights) == 0
    with pytest.raises(
        WeightsError, match=r"unknown backbone \(stem of 0 channels, 6 blocks in res4, 0 inner"
    ):
        recognise(weights, "w.pkl")


@pytest.mark.parametrize(
    "weights", [{}, {"s1.pathway0_stem.conv.weight": np.zeros(1)}], ids=["empty", "action model"]
)
def test_weights_of_something_else_are_refused(weights: dict[str, np.ndarray]):
    with pytest.raises(WeightsError, match=r"w.pkl: not a Detectron2 Faster R-CNN with a feature pyramid"):
        recognise(weights, "w.pkl")
