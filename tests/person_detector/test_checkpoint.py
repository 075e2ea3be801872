"""Weights into the model, with every tensor accounted for."""

import numpy as np
import pytest
import torch
from detectron2.modeling import build_model

from evaluation.errors import WeightsError
from person_detector.architecture import SMALL, load_detector_config
from person_detector.checkpoint import load_detector_weights
from person_detector.recipe import fill_detector

ANCHORS = "proposal_generator.anchor_generator.cell_anchors.0"
FC = "roi_heads.box_head.fc1.weight"


def build(norm: str = "BN") -> torch.nn.Module:
    cfg = load_detector_config(SMALL)
    cfg.MODEL.DEVICE, cfg.MODEL.RESNETS.NORM = "cpu", norm
    return build_model(cfg)


def weights(norm: str = "BN") -> dict[str, np.ndarray]:
    model = build(norm)
    fill_detector(model, seed=4)
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def test_all_tensors_of_a_fitting_file_are_loaded():
    model, given = build(), weights()
    report = load_detector_weights(model, given, "w.pkl")
    assert set(report.loaded) == set(given)
    assert report.dropped == {}
    assert report.assumed == ()
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), given[name])


def test_half_precision_files_are_widened():
    model, given = build(), weights()
    load_detector_weights(model, {name: array.astype(np.float16) for name, array in given.items()}, "w.pkl")
    assert model.state_dict()[FC].dtype == torch.float32
    np.testing.assert_allclose(model.state_dict()[FC].numpy(), given[FC], atol=1e-3)


def test_anchors_and_pixel_statistics_of_old_files_are_compared_and_dropped():
    model, given = build(), weights()
    given[ANCHORS] = next(iter(model.proposal_generator.anchor_generator.cell_anchors)).numpy()
    given["pixel_mean"] = np.array([[[103.53]], [[116.28]], [[123.675]]], np.float32)
    report = load_detector_weights(model, given, "w.pkl")
    assert set(report.dropped) == {ANCHORS, "pixel_mean"}


@pytest.mark.parametrize("name", [ANCHORS, "pixel_mean"])
def test_files_made_with_other_anchors_or_pixel_statistics_are_refused(name: str):
    model, given = build(), weights()
    buffer = dict(model.named_buffers())[name].numpy()
    with pytest.raises(WeightsError, match=rf"w.pkl: {name} is .*the configuration says"):
        load_detector_weights(model, given | {name: buffer + 1}, "w.pkl")


def test_heads_that_boxes_do_not_need_are_dropped_by_name():
    name = "roi_heads.keypoint_head.conv_fcn1.weight"
    report = load_detector_weights(build(), weights() | {name: np.zeros(3)}, "w.pkl")
    assert report.dropped == {name: "not needed to find boxes"}


def test_counters_may_be_missing():
    given = {name: array for name, array in weights().items() if "num_batches" not in name}
    report = load_detector_weights(build(), given, "w.pkl")
    assert set(report.loaded) == set(given)
    assert all(name.endswith("num_batches_tracked") for name in report.assumed)


def test_frozen_norms_may_be_stored_folded_into_their_affine_part():
    model = build("FrozenBN")
    given = {name: array for name, array in weights("FrozenBN").items() if "running" not in name}
    report = load_detector_weights(model, given, "w.pkl")
    state = model.state_dict()
    means = [name for name in report.assumed if name.endswith("running_mean")]
    assert len(means) * 2 == len(report.assumed) > 0
    assert all(not state[name].any() for name in means)
    assert all(bool((state[name] == 1).all()) for name in report.assumed if name.endswith("running_var"))


@pytest.mark.parametrize("norm", ["BN", "FrozenBN"])
def test_statistics_that_some_norms_have_may_not_be_missing_for_others(norm: str):
    given = weights(norm)
    del given["backbone.bottom_up.stem.conv1.norm.running_mean"]
    with pytest.raises(WeightsError, match=r"missing backbone.bottom_up.stem.conv1.norm.running_mean"):
        load_detector_weights(build(norm), given, "w.pkl")


def test_trained_norms_need_their_statistics():
    given = {name: array for name, array in weights().items() if "running" not in name}
    with pytest.raises(WeightsError, match=r"does not fit the detector: missing .*running_mean"):
        load_detector_weights(build(), given, "w.pkl")


def test_a_missing_and_an_unknown_tensor_are_named():
    given = weights()
    given["roi_heads.box_head.fc9.weight"] = given.pop(FC)
    with pytest.raises(WeightsError, match=f"missing {FC}; unknown roi_heads.box_head.fc9.weight"):
        load_detector_weights(build(), given, "w.pkl")


def test_a_tensor_of_another_shape_is_refused_with_both_shapes():
    given = weights() | {FC: np.zeros((3, 4), np.float32)}
    with pytest.raises(WeightsError, match=r"fc1.weight has the shape \(3, 4\), the detector \(256, 3136\)"):
        load_detector_weights(build(), given, "w.pkl")


@pytest.mark.parametrize("dtype", [np.complex64, np.int8, np.bool_])
def test_numbers_of_another_kind_are_refused(dtype: type):
    given = weights()
    given[FC] = given[FC].astype(dtype)
    with pytest.raises(
        WeightsError, match=rf"{FC} has numbers of the type {np.dtype(dtype)}, expected floating"
    ):
        load_detector_weights(build(), given, "w.pkl")


def test_values_that_are_not_finite_are_refused():
    given = weights()
    given[FC] = np.full_like(given[FC], np.nan)
    with pytest.raises(WeightsError, match=f"w.pkl: {FC} has values that are not finite"):
        load_detector_weights(build(), given, "w.pkl")
