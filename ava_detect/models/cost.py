"""What a network costs: parameters and multiply-adds, counted as the paper counts them.

The paper's "GFLOPs" are multiply-adds of the convolutions, the linear layers and the two matrix products of
the non-local blocks, for one clip. Norms, activations, pools and additions are not in it. For an action head
the count stops at the last maps: the rest depends on the number of people and is small.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from ava_detect.models.classification_head import ClassificationHead
from ava_detect.models.nonlocal_block import NonLocal
from ava_detect.models.slowfast import SlowFast


@dataclass(frozen=True)
class Cost:
    """The size of a network and the work for one batch of clips.

    Attributes:
        parameters: trained numbers; the running statistics of the norms are not among them.
        parts: part of the network ("pathways.0.res2", "laterals.stem", "head") -> multiply-adds.
    """

    parameters: int
    parts: dict[str, int]

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of all parts."""
        return sum(self.parts.values())

    def multiply_adds_of(self, prefix: str) -> int:
        """Return the multiply-adds of the parts under ``prefix``, for example "pathways.1" or "laterals"."""
        return sum(count for part, count in self.parts.items() if f"{part}.".startswith(f"{prefix}."))


def count_cost(model: SlowFast, clips: Sequence[Tensor]) -> Cost:
    """Count what one forward pass costs.

    Args:
        model: on any device; on "meta" nothing is computed and no memory is taken.
        clips: one per pathway, slowest first, on the same device: [N, C_in, T, H, W]. Only shapes matter.

    Returns:
        The cost for all N clips.
    """
    parts: Counter[str] = Counter()
    hooks = [
        module.register_forward_hook(_adder(parts, _part(name)))
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv3d | nn.Linear | NonLocal)
    ]
    try:
        with torch.no_grad():
            features = model.trunk(clips)
            if isinstance(model.head, ClassificationHead):
                model.head(features)
    finally:
        for hook in hooks:
            hook.remove()
    return Cost(sum(parameter.numel() for parameter in model.parameters()), dict(parts))


def _adder(parts: Counter[str], part: str) -> Callable[[nn.Module, tuple[Tensor], Tensor], None]:
    def add(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        parts[part] += _multiply_adds(module, inputs[0], output)

    return add


def _multiply_adds(module: nn.Module, x: Tensor, y: Tensor) -> int:
    """Count the multiply-adds that ``module`` itself does to make y of x; its children are counted apart."""
    match module:
        case nn.Conv3d():  # each output is a sum over the kernel and the input channels of its group
            return y.numel() * module.in_channels // module.groups * prod(module.kernel_size)
        case nn.Linear():
            return y.numel() * module.in_features
        case NonLocal():  # two products [THW, C'] x [C', P]: the affinities and the sum weighted with them
            frames = x.shape[2] // module.time_groups
            sizes = zip((frames, *x.shape[3:]), module.pool, strict=True)
            pooled = prod(size // pool for size, pool in sizes)
            return 2 * module.theta.out_channels * (x.numel() // x.shape[1]) * pooled
    raise TypeError(f"{type(module).__name__} has no count")


def _part(name: str) -> str:
    """Shorten a module's name to the part it belongs to: a stage of a pathway, a connection, the head."""
    words = name.split(".")
    return ".".join(words[: {"pathways": 3, "laterals": 2}.get(words[0], 1)])
