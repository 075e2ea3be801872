"""Statistics of batch norms over many batches are those of all clips together."""

from types import SimpleNamespace

import torch
from torch import nn

from ava_detect.engine.training.precise_norm import set_precise_statistics
from ava_detect.models.norm import frozen_batch_norm


class OfSize(SimpleNamespace):
    """A batch as far as the statistics look at it."""

    def __len__(self) -> int:
        return len(self.x)


def test_statistics_are_of_all_batches_together(alone):
    torch.manual_seed(0)
    norm = nn.BatchNorm3d(3)
    data = torch.randn(12, 3, 4, 8, 8) * 5 + torch.arange(12).reshape(12, 1, 1, 1, 1)
    batches = [OfSize(x=part) for part in data.split(4)]
    set_precise_statistics(norm, batches, lambda batch: norm(batch.x), alone)
    values = data.transpose(0, 1).reshape(3, -1)
    torch.testing.assert_close(norm.running_mean, values.mean(dim=1))
    # the batches' own variances are unbiased ones: 256 values each, so off by 1/1024 at most
    torch.testing.assert_close(norm.running_var, values.var(dim=1), rtol=2e-3, atol=0)
    assert norm.momentum == 0.1


def test_empty_batches_do_not_count(alone):
    torch.manual_seed(0)
    norm = nn.BatchNorm3d(3)
    data = torch.randn(4, 3, 4, 8, 8)
    empty = OfSize(x=data[:0])
    batches = [OfSize(x=data), empty]
    set_precise_statistics(norm, batches, lambda batch: norm(batch.x) if len(batch) else None, alone)
    torch.testing.assert_close(norm.running_mean, data.mean(dim=(0, 2, 3, 4)))


def test_without_any_clip_statistics_stay(alone):
    norm = nn.BatchNorm3d(3)
    set_precise_statistics(norm, [OfSize(x=torch.zeros(0, 3, 1, 1, 1))], lambda _: None, alone)
    assert norm.running_mean.tolist() == [0, 0, 0]
    assert norm.running_var.tolist() == [1, 1, 1]


def test_frozen_norms_stay(alone):
    norm = frozen_batch_norm(3)
    set_precise_statistics(norm, [OfSize(x=torch.ones(2, 3, 1, 1, 1))], lambda batch: norm(batch.x), alone)
    assert norm.running_mean.tolist() == [0, 0, 0]
