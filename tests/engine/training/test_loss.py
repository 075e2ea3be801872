"""Losses of boxes, worked out by hand, and what they are divided by."""

import math

import numpy as np
import pytest
import torch

from ava_detect.engine.training.loss import BoxLoss, class_weights, frequency_bias

ZERO = torch.zeros(2, 4)  # probability 1/2 everywhere: each class costs log 2, whatever the label
LABELS = torch.tensor([[1.0, 0, 0, 0], [0, 1, 1, 0]])


def test_no_box_costs_nothing_and_has_a_gradient():
    logits = torch.zeros(0, 4, requires_grad=True)
    loss = BoxLoss()(logits, torch.zeros(0, 4))
    assert loss.item() == 0
    loss.backward()


def test_boxes_are_added_and_classes_averaged():
    assert BoxLoss()(ZERO, LABELS).item() == pytest.approx(2 * math.log(2))


def test_loss_of_known_logits():
    logits = torch.tensor([[2.0, -1.0]])
    labels = torch.tensor([[1.0, 1.0]])
    by_hand = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))) / 2
    assert BoxLoss()(logits, labels).item() == pytest.approx(by_hand, rel=1e-6)


def test_half_precision_is_summed_in_single():
    assert BoxLoss()(ZERO.bfloat16(), LABELS).dtype == torch.float32


def test_class_weights_multiply():
    weights = torch.tensor([1.0, 0.0, 3.0, 0.0])
    assert BoxLoss(weights)(ZERO, LABELS).item() == pytest.approx(2 * math.log(2))
    assert BoxLoss(2 * weights)(ZERO, LABELS).item() == pytest.approx(4 * math.log(2))


def test_focal_factor_is_of_what_was_missed():
    logits, labels = torch.tensor([[2.0, 2.0]]), torch.tensor([[1.0, 0.0]])
    p = 1 / (1 + math.exp(-2))
    by_hand = 0.25 * ((1 - p) ** 2 * -math.log(p) + p**2 * -math.log(1 - p)) / 2
    assert BoxLoss(gamma=2.0, alpha=0.25)(logits, labels).item() == pytest.approx(by_hand, rel=1e-5)


def test_equal_class_weights_are_none():
    assert class_weights(np.array([5, 1]), "none") is None


def test_weights_are_inverse_to_counts_with_mean_one():
    # 1/1, 1/2, 1/4: mean 7/12
    torch.testing.assert_close(
        class_weights(np.array([1, 2, 4]), "inverse"), torch.tensor([12 / 7, 6 / 7, 3 / 7])
    )


def test_roots_weigh_less():
    # 1, 1/2: mean 3/4
    torch.testing.assert_close(class_weights(np.array([1, 4]), "inverse_sqrt"), torch.tensor([4 / 3, 2 / 3]))


def test_rare_classes_weigh_ten_at_most_and_absent_ones_count_once():
    weights = class_weights(np.array([0, *[1000] * 99]), "inverse")
    assert weights is not None
    assert weights[0].item() == 10  # 1 / (mean of 1 and 99 times 0.001) would be 91


def test_bias_gives_every_class_its_share():
    bias = frequency_bias(np.array([0, 5, 10]), boxes=10)
    shares = torch.sigmoid(bias)
    torch.testing.assert_close(shares, torch.tensor([0.5 / 11, 5.5 / 11, 10.5 / 11]))
