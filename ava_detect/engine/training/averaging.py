"""An exponential moving average of the weights, tested and saved beside the plain ones.

Reference: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging (1992).
"""

import copy

import torch

from ava_detect.models import SlowFast


class WeightAverage:
    """A copy of a network whose weights follow the original's slowly.

    In step t (from 1) the decay is the smaller of ``decay`` and (1 + t) / (10 + t), so that the initial
    weights do not linger in a short run.

    Args:
        model: the original.
        decay: share of the average that stays in each step.

    Attributes:
        model: the average, in evaluation mode, without gradients. Batch-norm statistics are averaged too;
            counters are copied.
    """

    def __init__(self, model: SlowFast, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, model: SlowFast, step: int) -> None:
        """Follow ``model`` after optimiser step number ``step``, counted from 1."""
        decay = min(self._decay, (1 + step) / (10 + step))
        mine, theirs = list(self.model.state_dict().values()), list(model.state_dict().values())
        floats = [(a, b) for a, b in zip(mine, theirs, strict=True) if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], 1 - decay)
        for a, b in zip(mine, theirs, strict=True):
            if not a.is_floating_point():
                a.copy_(b)
