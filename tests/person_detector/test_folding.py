"""Folding batch norms into convolutions, and the weights of the recipe."""

import pytest
import torch
from detectron2.layers import Conv2d, FrozenBatchNorm2d
from detectron2.modeling import build_model

from person_detector.architecture import SMALL, load_detector_config
from person_detector.folding import fold_batch_norm
from person_detector.recipe import fill_detector


def random_norm(kind: type[torch.nn.Module], channels: int) -> torch.nn.Module:
    norm = kind(channels)
    for name in ("weight", "bias", "running_mean"):
        getattr(norm, name).data.normal_()
    norm.running_var.data.uniform_(0.1, 3)
    return norm


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", [FrozenBatchNorm2d, torch.nn.BatchNorm2d])
def test_a_folded_convolution_gives_the_same_numbers(kind: type[torch.nn.Module], bias: bool):
    torch.manual_seed(0)
    layer = Conv2d(3, 8, 3, bias=bias, norm=random_norm(kind, 8), activation=torch.relu).eval()
    pictures = torch.randn(2, 3, 9, 9)
    expected = layer(pictures)
    assert fold_batch_norm(layer) == 1
    assert layer.norm is None
    torch.testing.assert_close(layer(pictures), expected)


def test_convolutions_without_a_norm_are_left_alone():
    layer = Conv2d(3, 8, 3)
    weight = layer.weight.clone()
    assert fold_batch_norm(layer) == 0
    assert torch.equal(layer.weight, weight)


def small_model() -> torch.nn.Module:
    cfg = load_detector_config(SMALL)
    cfg.MODEL.DEVICE = "cpu"
    return build_model(cfg)


def test_the_small_detector_has_the_size_that_is_documented():
    assert sum(parameter.numel() for parameter in small_model().parameters()) == pytest.approx(
        2.99e6, rel=0.01
    )


def test_the_recipe_depends_on_the_seed_alone():
    models = []
    for torch_seed, seed in ((1, 0), (2, 0), (1, 5)):
        torch.manual_seed(torch_seed)
        model = small_model()
        fill_detector(model, seed=seed)
        models.append(model.state_dict())
    first, second, other = models
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["roi_heads.box_head.fc1.weight"], other["roi_heads.box_head.fc1.weight"])


def test_the_recipe_keeps_activations_of_order_one(picture):
    model = small_model().eval()
    fill_detector(model)
    pixels = torch.from_numpy(picture).permute(2, 0, 1).float()
    with torch.no_grad():
        features = model.backbone(model.preprocess_image([{"image": pixels}]).tensor)
    assert all(0.1 < float(feature.std()) < 10 for feature in features.values())
