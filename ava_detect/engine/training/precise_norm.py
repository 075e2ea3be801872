"""Batch-norm statistics from many training batches instead of the running averages.

Reference: Wu and Johnson, Rethinking "Batch" in BatchNorm (2021), section 3.2.
"""

from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ava_detect.data.clip_dataset import Batch
from ava_detect.engine.distributed import Process
from ava_detect.models.norm import FrozenBatchNorm3d


@torch.no_grad()
def set_precise_statistics(
    model: nn.Module, batches: Iterable[Batch], run: Callable[[Batch], object], process: Process
) -> None:
    """Set mean and variance of every batch norm of ``model`` to those of all batches of all processes.

    A batch counts by its clips. The variance is that of the whole population: the mean of the batches'
    variances plus the variance of their means. Weights do not change.

    Args:
        model: in training mode.
        batches: of this process; empty ones do not count.
        run: runs ``model`` forwards on a batch.
        process: which of how many this is; all must call this with equally many batches.
    """
    norms = [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and not isinstance(module, FrozenBatchNorm3d)
    ]
    if not norms:
        return
    sums = [torch.zeros(2, norm.num_features, dtype=torch.float64) for norm in norms]
    clips = 0
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0  # after a batch, the running statistics are those of the batch
    for batch in batches:
        run(batch)
        clips += len(batch)
        for norm, total in zip(norms, sums, strict=True):
            mean, variance = _statistics(norm)
            if len(batch):
                total += len(batch) * torch.stack([mean, variance + mean**2])
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    count = process.sum(torch.tensor(float(clips), dtype=torch.float64)).item()
    for norm, total in zip(norms, sums, strict=True):
        mean, square = process.sum(total) / max(count, 1.0)
        if count:
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.copy_(mean)
            norm.running_var.copy_((square - mean**2).clamp_min(0))


def _statistics(norm: _BatchNorm) -> tuple[torch.Tensor, torch.Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean.double().cpu(), norm.running_var.double().cpu()
