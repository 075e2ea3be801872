"""The network as training runs it: dropout by sample, empty batches, precision."""

from collections.abc import Callable

import pytest
import torch

from ava_detect.config import Config
from ava_detect.data.build import build_training_set
from ava_detect.data.clip_dataset import Batch, ClipKey, collate
from ava_detect.engine.training.dropout import SampleDropout
from ava_detect.engine.training.network import TrainingNetwork
from ava_detect.models import build_model
from ava_detect.weights.recipe import fill


@pytest.fixture
def network(small_cfg: Callable[..., Config], alone) -> Callable[..., TrainingNetwork]:
    def make(precision: str = "fp32", **settings: object) -> TrainingNetwork:
        cfg = small_cfg({key.replace("__", "."): value for key, value in settings.items()})
        model = build_model(cfg)
        fill(model)
        network = TrainingNetwork(model, cfg, alone, precision)
        network.train()
        return network

    return make


@pytest.fixture
def batch(small_cfg: Callable[..., Config]) -> Callable[..., Batch]:
    dataset = build_training_set(small_cfg())

    def read(*places: int) -> Batch:
        return collate([dataset[ClipKey(0, place)] for place in places])

    return read


def test_dropout_follows_the_sample_and_not_its_place(batch):
    dropout = SampleDropout(0.5, seed=0)
    both, second = batch(2, 3), batch(3)
    rows = len(second.boxes)
    dropout.expect(0, both)
    of_both = dropout(torch.ones(len(both.boxes), 64))
    dropout.expect(0, second)
    of_second = dropout(torch.ones(rows, 64))
    assert torch.equal(of_both[-rows:], of_second)
    assert set(of_second.unique().tolist()) == {0.0, 2.0}


def test_dropout_changes_with_epoch_and_seed(batch):
    masks = []
    for seed, epoch in ((0, 0), (0, 1), (1, 0)):
        dropout = SampleDropout(0.5, seed=seed)
        dropout.expect(epoch, batch(3))
        masks.append(dropout(torch.ones(len(batch(3).boxes), 64)))
    assert not torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


def test_dropout_keeps_about_its_share_and_the_mean(batch):
    dropout = SampleDropout(0.25, seed=0)
    dropout.expect(0, batch(3))
    x = dropout(torch.ones(len(batch(3).boxes), 20_000))
    assert x.mean().item() == pytest.approx(1, abs=0.02)
    assert (x == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_dropout_of_other_boxes_than_expected_is_an_error(batch):
    dropout = SampleDropout(0.5, seed=0)
    dropout.expect(0, batch(3))
    with pytest.raises(ValueError, match="7 boxes where the samples have"):
        dropout(torch.ones(7, 4))


def test_dropout_does_nothing_in_testing():
    x = torch.ones(3, 4)
    assert SampleDropout(0.5, seed=0).eval()(x) is x


def test_empty_batch_gives_no_logits_and_leaves_statistics_alone(network, batch):
    trained = network()
    before = {name: buffer.clone() for name, buffer in trained._model.named_buffers()}
    empty = collate([])
    logits = trained.logits(empty, 0)
    assert logits.shape == (0, 3)
    logits.sum().backward()
    for name, buffer in trained._model.named_buffers():
        assert torch.equal(buffer, before[name])
    assert all(parameter.grad is not None for parameter in trained._model.parameters())


def test_norms_learn_again_after_an_empty_batch(network, batch):
    trained = network()
    trained.logits(collate([]), 0)
    before = trained._model.pathways[0].stem.norm.running_mean.clone()
    trained.logits(batch(0, 1), 0)
    assert not torch.equal(trained._model.pathways[0].stem.norm.running_mean, before)


def test_bf16_is_near_fp32_and_not_equal(network, batch):
    exact = network(MODEL__DROPOUT_RATE=0.0).logits(batch(0, 1), 0).float()
    half = network("bf16", MODEL__DROPOUT_RATE=0.0).logits(batch(0, 1), 0).float()
    assert not torch.equal(exact, half)
    # bf16 has 8 bits: some per cent of the spread after 18 layers
    assert (exact - half).abs().max() < 0.15 * exact.std() + 0.1


def test_laterals_run_as_before_after_a_pass_in_bf16(network, batch):
    trained = network("bf16")
    trained.logits(batch(0), 0)
    convolutions = [
        module for module in trained._model.laterals.modules() if isinstance(module, torch.nn.Conv3d)
    ]
    assert convolutions
    assert not any("forward" in vars(module) for module in convolutions)
