"""What is particular to a publisher's checkpoints: how to tell them, their names, what their tensors need."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor


class Names(Protocol):
    """Translates a publisher's names; ``name_map.NameMap`` is the usual one."""

    def to_ours(self, name: str) -> str | None:
        """Return our name for the publisher's, None if there is none."""
        ...


@dataclass(frozen=True)
class Adapted:
    """A tensor in the form that a parameter of ours takes, and what was done to it ("" for nothing)."""

    tensor: Tensor
    note: str = ""


Tensors = Mapping[str, Tensor]
"""Published name, without the prefix of DistributedDataParallel -> tensor."""

Adapt = Callable[[str, Tensor, tuple[int, ...]], Adapted | None]
"""(our name, published tensor, shape of our parameter) -> the tensor in that shape, None if it cannot be."""


def keep(name: str, tensor: Tensor, shape: tuple[int, ...]) -> Adapted | None:
    """Take a tensor as it is, or not at all."""
    del name
    return Adapted(tensor) if tuple(tensor.shape) == shape else None


@dataclass(frozen=True)
class Publisher:
    """A family of checkpoint files.

    Attributes:
        name: for messages and reports.
        recognises: tells from the published tensors whether a file is of this family.
        names: the name map for a file with these published tensors.
        prefixes: stripped from the front of a name where they stand.
        adapt: brings a tensor into the form of our parameter.
        not_weights: patterns of whole names that are no weights -> the reason why they are left out.
    """

    name: str
    recognises: Callable[[Tensors], bool]
    names: Callable[[Tensors], Names]
    prefixes: tuple[str, ...] = ()
    adapt: Adapt = keep
    not_weights: Mapping[str, str] = field(default_factory=dict)

    def bare(self, name: str) -> str:
        """Return a published name without the publisher's own prefixes."""
        for prefix in self.prefixes:
            name = name.removeprefix(prefix)
        return name

    def reason_to_drop(self, name: str) -> str | None:
        """Say why a published tensor is no weight, None if it may be one."""
        return next((why for pattern, why in self.not_weights.items() if re.fullmatch(pattern, name)), None)
