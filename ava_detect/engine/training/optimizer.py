"""SGD or AdamW with weight decay apart for batch norms, its state by name, and gradient clipping."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ava_detect.config import Config


@dataclass(frozen=True)
class Decays:
    """Weight decay of each kind of parameter.

    Attributes:
        norms: scales and shifts of batch norms.
        vectors: biases and other one-dimensional parameters.
        rest: weights of convolutions and linear layers.
    """

    norms: float
    vectors: float
    rest: float


def build_optimizer(model: nn.Module, cfg: Config) -> torch.optim.Optimizer:
    """Build SOLVER's optimiser over the parameters of ``model`` that train."""
    solver = cfg.SOLVER
    decays = Decays(
        norms=cfg.BN.WEIGHT_DECAY,
        vectors=0.0 if solver.ZERO_WD_1D_PARAM else solver.WEIGHT_DECAY,
        rest=solver.WEIGHT_DECAY,
    )
    groups = parameter_groups(model, decays)
    if solver.OPTIMIZING_METHOD == "adamw":
        return torch.optim.AdamW(groups, lr=solver.BASE_LR, betas=(solver.BETAS[0], solver.BETAS[1]))
    return torch.optim.SGD(
        groups,
        lr=solver.BASE_LR,
        momentum=solver.MOMENTUM,
        dampening=solver.DAMPENING,
        nesterov=solver.NESTEROV,
    )


def parameter_groups(model: nn.Module, decays: Decays) -> list[dict[str, object]]:
    """Sort the parameters that train by their weight decay; groups without parameters are left out."""
    norms = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, _BatchNorm)
        for parameter in module.parameters(recurse=False)
    }
    groups: dict[str, list[nn.Parameter]] = {"norms": [], "vectors": [], "rest": []}
    for parameter in model.parameters():
        if parameter.requires_grad:
            kind = "norms" if id(parameter) in norms else "vectors" if parameter.ndim <= 1 else "rest"
            groups[kind].append(parameter)
    return [
        {"params": parameters, "weight_decay": getattr(decays, kind)}
        for kind, parameters in groups.items()
        if parameters
    ]


def optimizer_state(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """Return what the optimiser keeps of each parameter, as "STATE/NAME" -> tensor."""
    return {
        f"{state}/{name}": value
        for name, parameter in model.named_parameters()
        for state, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def restore_optimizer_state(
    optimizer: torch.optim.Optimizer, model: nn.Module, tensors: Mapping[str, Tensor]
) -> None:
    """Give back what :func:`optimizer_state` returned.

    Raises:
        KeyError: a name that the model does not have.
        RuntimeError: a tensor of another shape.
    """
    parameters = dict(model.named_parameters())
    for key, value in tensors.items():
        state, _, name = key.partition("/")
        parameter = parameters[name]
        if value.ndim == 0:  # AdamW's count of steps, which stays on the CPU
            optimizer.state[parameter][state] = value.clone()
            continue
        kept = torch.empty_like(parameter, requires_grad=False)  # in the parameter's memory format
        optimizer.state[parameter][state] = kept.copy_(value)


@dataclass(frozen=True)
class Clipping:
    """What is done to gradients before a step: at most one of the two.

    Attributes:
        value: greatest absolute value of any element.
        norm: greatest Euclidean norm of all of them together.
    """

    value: float | None = None
    norm: float | None = None

    def __call__(self, parameters: Iterable[nn.Parameter]) -> Tensor | None:
        """Clip in place; return the common norm as it was, where clipping by norm needs it anyway."""
        if self.value is not None:
            nn.utils.clip_grad_value_(parameters, self.value)
        elif self.norm is not None:
            return nn.utils.clip_grad_norm_(parameters, self.norm)
        return None
