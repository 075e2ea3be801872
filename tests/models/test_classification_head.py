"""The classification head: one position for a clip of the training size, several for a larger one."""

import pytest
import torch
from torch import Tensor

from ava_detect.models.classification_head import ClassificationHead


def features(height: int, width: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, c, t, height, width, generator=generator) for c, t in ((3, 2), (2, 8))]


def head(**options) -> ClassificationHead:
    torch.manual_seed(0)
    options = {"windows": [(2, 2, 2), (8, 2, 2)], "dropout": 0.0} | options
    return ClassificationHead([3, 2], 4, **options)


@torch.no_grad()
def test_clip_of_the_training_size_gives_the_softmax_of_one_position():
    maps, one = features(2, 2), head().eval()
    pooled = torch.cat([x.mean(dim=(2, 3, 4)) for x in maps], dim=1)  # [2, 5]
    logits = pooled @ one.projection.weight.T + one.projection.bias
    torch.testing.assert_close(one(maps), torch.softmax(logits, dim=1))
    torch.testing.assert_close(one.train()(maps), logits)


@torch.no_grad()
@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "none"])
def test_larger_clip_is_scored_at_every_position_and_then_averaged(activation):
    maps, several = features(3, 4), head(activation=activation).eval()
    scores = []
    for i in range(2):
        for j in range(3):
            pooled = torch.cat([x[..., i : i + 2, j : j + 2].mean(dim=(2, 3, 4)) for x in maps], dim=1)
            logits = pooled @ several.projection.weight.T + several.projection.bias
            scores.append(
                {"softmax": logits.softmax(1), "sigmoid": logits.sigmoid(), "none": logits}[activation]
            )
    torch.testing.assert_close(several(maps), torch.stack(scores).mean(dim=0))


@torch.no_grad()
def test_global_pool_averages_the_whole_map_whatever_its_size():
    maps, whole = features(3, 4), head(windows=None).eval()
    pooled = torch.cat([x.mean(dim=(2, 3, 4)) for x in maps], dim=1)
    torch.testing.assert_close(whole(maps), whole.projection(pooled).softmax(dim=1))


@torch.no_grad()
def test_pathways_can_stand_in_the_other_order():
    maps = features(2, 2)
    slow_first, fast_first = head().pool(maps), head(concat="fast_slow").pool(maps)
    torch.testing.assert_close(fast_first, torch.cat([slow_first[..., 3:], slow_first[..., :3]], dim=-1))


def test_detached_head_lets_no_gradient_through():
    maps = [x.requires_grad_() for x in features(2, 2)]
    head(detach=True)(maps).sum().backward()
    assert maps[0].grad is None


def test_map_smaller_than_the_window_is_refused():
    with pytest.raises(ValueError, match=r"\(2, 1, 2\) frames x height x width, smaller than .* \(2, 2, 2\)"):
        head()(features(1, 2))


def test_boxes_are_refused():
    with pytest.raises(ValueError, match="takes no boxes"):
        head()(features(2, 2), torch.zeros(1, 5))


def test_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="activation 'tanh' is not one of softmax, sigmoid, none"):
        head(activation="tanh").eval()(features(2, 2))
