"""Binary cross-entropy of every person and class, and what it is divided by.

A loss of several processes and of several parts of a step adds up to that of one process with one part: each
gives a sum, and the sums are divided by the boxes of the whole step. PySlowFast divides each process's sum by
its own boxes instead, which weighs a person more where fewer people are; ``LOSS_NORM per_process`` does so.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ava_detect.config import Config

MAX_CLASS_WEIGHT = 10.0


@dataclass(frozen=True)
class BoxLoss:
    """Sigmoid cross-entropy on logits, summed over boxes and averaged over classes.

    Attributes:
        class_weights: [K] or None for equal ones.
        gamma: of the focal factor (1 - p_t)^gamma, p_t the probability given to the truth; 0 is none.
        alpha: constant factor of the focal form.

    Reference: Lin et al., Focal Loss for Dense Object Detection (ICCV 2017), equation 4.
    """

    class_weights: Tensor | None = None
    gamma: float = 0.0
    alpha: float = 1.0

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the sum over boxes of the mean over classes, float32.

        Args:
            logits: [R, K]; R may be 0.
            labels: [R, K], 0 or 1.
        """
        logits = logits.float()
        losses = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")  # [R, K]
        if self.gamma or self.alpha != 1.0:
            missed = torch.where(labels > 0, torch.sigmoid(-logits), torch.sigmoid(logits))  # 1 - p_t
            losses = self.alpha * missed**self.gamma * losses
        if self.class_weights is not None:
            losses = losses * self.class_weights.to(losses)
        return losses.sum() / losses.shape[1]


def build_loss(cfg: Config, label_counts: np.ndarray) -> BoxLoss:
    """Build MODEL's loss.

    Args:
        cfg: the configuration.
        label_counts: [K] how many training boxes carry each class.
    """
    weights = class_weights(label_counts, cfg.MODEL.LOSS_CLASS_WEIGHTS)
    return BoxLoss(weights, cfg.MODEL.FOCAL_GAMMA, cfg.MODEL.FOCAL_ALPHA)


def class_weights(
    label_counts: np.ndarray, kind: Literal["none", "inverse", "inverse_sqrt"]
) -> Tensor | None:
    """Return [K] weights from the number of labels n of each class: 1/n or 1/sqrt(n), None for equal ones.

    They are scaled to a mean of 1, then cut at ``MAX_CLASS_WEIGHT``; a class without a label counts as one
    with a single label.
    """
    if kind == "none":
        return None
    rarity = 1.0 / np.maximum(label_counts, 1).astype(np.float64)
    if kind == "inverse_sqrt":
        rarity = np.sqrt(rarity)
    return torch.from_numpy(np.minimum(rarity / rarity.mean(), MAX_CLASS_WEIGHT)).float()


def frequency_bias(label_counts: np.ndarray, boxes: int) -> Tensor:
    """Return [K] logits at which every class begins with its share of the training boxes.

    Half a label more and half a label fewer keep classes that every box has, or none, finite.
    """
    share = (label_counts + 0.5) / (boxes + 1.0)
    return torch.from_numpy(np.log(share / (1.0 - share))).float()
