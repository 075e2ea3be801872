"""Weights to begin a training with: of detectors and of ImageNet classifiers, every tensor accounted for."""

import numpy as np
import pytest
import torch
import torchvision
from detectron2.modeling import build_model

from ava_detect.weights.safe_read import read_detector_checkpoint
from evaluation.errors import WeightsError
from person_detector.architecture import SMALL, load_training_config
from person_detector.training.start import begin_with

R50 = "faster_rcnn_r50_fpn_ava"


@pytest.fixture
def small(cfg):
    torch.manual_seed(1)
    return build_model(cfg)


@pytest.fixture(scope="module")
def r50():
    cfg = load_training_config(R50)
    cfg.MODEL.DEVICE = "cpu"
    return build_model(cfg)


def everything(report) -> set[str]:
    return {*report.loaded, *report.new, *report.assumed}


def test_of_many_classes_the_persons_rows_are_taken(small, write_zoo_file):
    tensors = read_detector_checkpoint(write_zoo_file(SMALL, classes=80))
    report = begin_with(small, tensors, "coco.pkl")
    state = small.state_dict()
    np.testing.assert_array_equal(
        state["roi_heads.box_predictor.cls_score.weight"],
        tensors["roi_heads.box_predictor.cls_score.weight"][[0, 80]],  # person, background
    )
    np.testing.assert_array_equal(
        state["roi_heads.box_predictor.bbox_pred.bias"], tensors["roi_heads.box_predictor.bbox_pred.bias"][:4]
    )
    assert len(report.narrowed) == 4
    assert not report.new
    assert everything(report) == set(state)
    assert set(report.dropped) | set(report.loaded) == set(tensors)
    assert "of 4 only the person's rows" in report.summary()


def test_another_class_can_be_the_person(small, write_zoo_file):
    tensors = read_detector_checkpoint(write_zoo_file(SMALL, classes=5))
    begin_with(small, tensors, "five.pkl", person_class=3)
    np.testing.assert_array_equal(
        small.state_dict()["roi_heads.box_predictor.bbox_pred.weight"],
        tensors["roi_heads.box_predictor.bbox_pred.weight"][12:16],
    )
    with pytest.raises(WeightsError, match="has the classes 0 to 4; person class 5 is not one"):
        begin_with(small, tensors, "five.pkl", person_class=5)


def test_classes_that_nobody_knows_begin_anew(small, write_zoo_file):
    report = begin_with(small, read_detector_checkpoint(write_zoo_file(SMALL, classes=5)), "five.pkl")
    assert len(report.new) == 4
    assert all("box_predictor" in name for name in report.new)
    assert "rows of other classes" in report.dropped["roi_heads.box_predictor.cls_score.weight"]


def test_a_keypoint_detector_loses_its_keypoint_head_by_name(small, write_zoo_file):
    head = {
        f"roi_heads.keypoint_head.conv_fcn{layer}.weight": np.ones((2, 2), np.float32) for layer in (1, 2)
    }
    tensors = read_detector_checkpoint(write_zoo_file(SMALL, change=lambda weights: weights.update(head)))
    report = begin_with(small, tensors, "keypoints.pkl")
    assert {name: report.dropped[name] for name in head} == dict.fromkeys(head, "not needed to find boxes")
    assert not report.new
    assert set(report.dropped) | set(report.loaded) == set(tensors)


def test_torchvisions_classifier_fills_the_backbone(r50):
    torch.manual_seed(0)
    classifier = torchvision.models.resnet50(weights=None).state_dict()
    classifier = {name: tensor + 0.01 for name, tensor in classifier.items()}
    report = begin_with(r50, {name: t.numpy() for name, t in classifier.items()}, "resnet50.pth")
    state = r50.state_dict()
    pairs = {
        "conv1.weight": "stem.conv1.weight", "bn1.running_var": "stem.conv1.norm.running_var",
        "layer1.0.downsample.1.weight": "res2.0.shortcut.norm.weight",
        "layer4.2.conv3.weight": "res5.2.conv3.weight",
        "layer2.1.bn2.bias": "res3.1.conv2.norm.bias",
    }  # fmt: skip
    for theirs, ours in pairs.items():
        torch.testing.assert_close(state[f"backbone.bottom_up.{ours}"], classifier[theirs], rtol=0, atol=0)
    backbone = {name for name in state if name.startswith("backbone.bottom_up.")}
    assert set(report.loaded) == backbone
    assert set(report.new) == set(state) - backbone
    assert {"fc.weight", "fc.bias"} <= set(report.dropped)


def test_caffe2s_classifier_fills_the_backbone(r50):
    state = r50.state_dict()
    letters = {"weight": "s", "bias": "b", "running_mean": "rm", "running_var": "riv"}
    blobs = {"fc1000_w": np.zeros((1000, 2048), np.float32), "fc1000_b": np.zeros(1000, np.float32)}
    for name, tensor in state.items():
        if not name.startswith("backbone.bottom_up.") or "running" in name:
            continue  # the zoo's ImageNet files have norms folded into their affine part
        parts = name.removeprefix("backbone.bottom_up.").split(".")
        if parts[0] == "stem":
            blob = "conv1_w" if parts[-2] == "conv1" else f"res_conv1_bn_{letters[parts[-1]]}"
        else:
            branch = {"shortcut": "1", "conv1": "2a", "conv2": "2b", "conv3": "2c"}[parts[2]]
            ending = "w" if len(parts) == 4 else f"bn_{letters[parts[-1]]}"
            blob = f"{parts[0]}_{parts[1]}_branch{branch}_{ending}"
        blobs[blob] = tensor.numpy() + np.float32(0.5)
    before = state["backbone.bottom_up.res4.5.conv2.weight"].clone()
    report = begin_with(r50, blobs, "R-50.pkl")
    after = r50.state_dict()
    torch.testing.assert_close(after["backbone.bottom_up.res4.5.conv2.weight"], before + 0.5)
    assert len(report.loaded) == len(blobs) - 2
    assert {*report.loaded, *report.assumed} == {
        name for name in after if name.startswith("backbone.bottom_up.")
    }
    assert (after["backbone.bottom_up.res3.0.conv1.norm.running_var"] == 1).all()


def test_what_fits_nowhere_is_refused(small, r50, write_zoo_file):
    with pytest.raises(WeightsError, match="nothing in it fits the detector's backbone"):
        begin_with(small, {"weight": np.zeros(3, np.float32)}, "other.pth")
    tensors = read_detector_checkpoint(write_zoo_file(SMALL))
    with pytest.raises(
        WeightsError, match=r"has the shape \(64, 64, 1, 1\), the detector \(256, 512, 1, 1\)"
    ):
        begin_with(r50, tensors, "small.pkl")
    name = "backbone.bottom_up.res5.0.conv1.weight"
    with pytest.raises(WeightsError, match=r"res5\.0\.conv1\.weight has values that are not finite"):
        begin_with(small, {**tensors, name: np.full_like(tensors[name], np.nan)}, "small.pkl")
    with pytest.raises(WeightsError, match=r"has numbers of the type torch\.int64"):
        begin_with(small, {**tensors, name: tensors[name].astype(np.int64)}, "small.pkl")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (R50, "COCO-Detection/faster_rcnn_R_50_FPN_3x"),
        ("faster_rcnn_x101_fpn_ava", "COCO-Keypoints/keypoint_rcnn_X_101_32x8d_FPN_3x"),
    ],
)
def test_configurations_for_ava_make_the_zoos_networks(ours: str, theirs: str):
    mine, zoo = load_training_config(ours), load_training_config(theirs)
    for key in (
        "BACKBONE",
        "RESNETS",
        "FPN",
        "ANCHOR_GENERATOR",
        "PIXEL_MEAN",
        "PIXEL_STD",
        "PROPOSAL_GENERATOR",
    ):
        assert mine.MODEL[key] == zoo.MODEL[key]
    assert mine.MODEL.RPN.IN_FEATURES == zoo.MODEL.RPN.IN_FEATURES
    assert mine.MODEL.ROI_HEADS.IN_FEATURES == zoo.MODEL.ROI_HEADS.IN_FEATURES
    assert mine.MODEL.ROI_BOX_HEAD.NUM_FC == zoo.MODEL.ROI_BOX_HEAD.NUM_FC
    assert mine.INPUT.MIN_SIZE_TEST == zoo.INPUT.MIN_SIZE_TEST
