"""The moving average of weights, step by step by hand."""

import pytest
import torch
from torch import nn

from ava_detect.engine.training.averaging import WeightAverage


def test_average_follows_with_a_decay_that_grows_at_first():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    average = WeightAverage(model, decay=0.5)
    nn.init.constant_(model.weight, 3.0)
    average.update(model, 1)  # decay 2/11: 1 * 2/11 + 3 * 9/11
    assert average.model.weight.item() == pytest.approx(29 / 11)
    average.update(model, 100)  # decay 0.5: the middle of 29/11 and 3
    assert average.model.weight.item() == pytest.approx((29 / 11 + 3) / 2)


def test_average_has_no_gradients_and_is_for_testing():
    average = WeightAverage(nn.Linear(1, 1), decay=0.9)
    assert not average.model.training
    assert not any(parameter.requires_grad for parameter in average.model.parameters())


def test_statistics_are_averaged_and_counters_copied():
    norm = nn.BatchNorm3d(1)
    average = WeightAverage(norm, decay=0.9)
    norm(torch.full((2, 1, 1, 1, 1), 10.0) + torch.arange(2).reshape(2, 1, 1, 1, 1))
    average.update(norm, 1)
    assert average.model.running_mean.item() == pytest.approx(1.05 * 9 / 11)  # 0.1 * 10.5 of the original
    assert average.model.num_batches_tracked.item() == 1
