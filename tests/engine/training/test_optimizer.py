"""Which parameter decays how, and clipping."""

import pytest
import torch
from torch import nn

from ava_detect.engine.training.optimizer import (
    Clipping,
    Decays,
    build_optimizer,
    optimizer_state,
    parameter_groups,
    restore_optimizer_state,
)
from ava_detect.models import build_model


def small_network() -> nn.Module:
    return nn.Sequential(nn.Conv3d(1, 2, 1, bias=False), nn.BatchNorm3d(2), nn.Flatten(), nn.Linear(2, 3))


def by_decay(network: nn.Module, groups: list[dict]) -> dict[float, set[str]]:
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {group["weight_decay"]: {names[id(each)] for each in group["params"]} for group in groups}


def test_norms_vectors_and_the_rest_decay_apart():
    network = small_network()
    assert by_decay(network, parameter_groups(network, Decays(norms=0.1, vectors=0.2, rest=0.3))) == {
        0.1: {"1.weight", "1.bias"},
        0.2: {"3.bias"},
        0.3: {"0.weight", "3.weight"},
    }


def test_frozen_parameters_are_in_no_group():
    network = small_network().requires_grad_(False)
    assert parameter_groups(network, Decays(0, 0, 0)) == []


def test_settings_reach_the_optimizer(small_cfg):
    cfg = small_cfg({"SOLVER.WEIGHT_DECAY": 0.3, "BN.WEIGHT_DECAY": 0.1, "SOLVER.ZERO_WD_1D_PARAM": True})
    model = build_model(cfg)
    optimizer = build_optimizer(model, cfg)
    decays = by_decay(model, optimizer.param_groups)
    assert set(decays) == {0.0, 0.1, 0.3}
    assert decays[0.0] == {"head.projection.bias"}
    assert all(".norm" in name for name in decays[0.1])
    assert optimizer.defaults["nesterov"]
    assert optimizer.defaults["momentum"] == 0.9


def test_frozen_norms_do_not_train(small_cfg):
    cfg = small_cfg({"MODEL.FROZEN_BN": True})
    model = build_model(cfg)
    decays = by_decay(model, build_optimizer(model, cfg).param_groups)
    assert not [name for names in decays.values() for name in names if ".norm" in name]


def test_state_of_adamw_comes_back(small_cfg):
    cfg = small_cfg({"SOLVER.OPTIMIZING_METHOD": "adamw"})
    ours, theirs = small_network(), small_network()
    optimizers = [build_optimizer(network, cfg) for network in (ours, theirs)]
    ours(torch.randn(4, 1, 1, 1, 1)).sum().backward()
    optimizers[0].step()
    restore_optimizer_state(optimizers[1], theirs, optimizer_state(optimizers[0], ours))
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        kept, restored = optimizers[0].state[mine], optimizers[1].state[other]
        assert kept.keys() == restored.keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(kept[name], restored[name]) for name in kept)


def gradients(*values: float) -> list[nn.Parameter]:
    parameters = [nn.Parameter(torch.zeros(1)) for _ in values]
    for parameter, value in zip(parameters, values, strict=True):
        parameter.grad = torch.tensor([value])
    return parameters


def test_clipping_by_norm_keeps_directions_and_tells_the_norm():
    parameters = gradients(3.0, 4.0)
    norm = Clipping(norm=1.0)(parameters)
    assert norm is not None
    assert norm.item() == pytest.approx(5)
    assert [parameter.grad.item() for parameter in parameters] == pytest.approx([0.6, 0.8], rel=1e-4)


def test_clipping_by_value_cuts():
    parameters = gradients(3.0, -0.5)
    assert Clipping(value=1.0)(parameters) is None
    assert [parameter.grad.item() for parameter in parameters] == [1.0, -0.5]


def test_no_clipping_changes_nothing():
    parameters = gradients(3.0)
    assert Clipping()(parameters) is None
    assert parameters[0].grad.item() == 3.0
