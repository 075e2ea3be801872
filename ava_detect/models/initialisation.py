"""Initial values of a network that is trained from nothing, as the published ones were."""

from torch import nn

from ava_detect.models.blocks import BasicBlock, BottleneckBlock
from ava_detect.models.nonlocal_block import NonLocal


def initialise(
    network: nn.Module, *, zero_final_norm: bool, zero_final_conv: bool = False, linear_std: float = 0.01
) -> None:
    """Set every parameter of ``network`` to its initial value.

    Convolutions: normal with standard deviation sqrt(2 / (C_out · kt · kh · kw)) (Kaiming, fan out). Linear
    layers: normal with ``linear_std``. Norms: scale 1, shift 0. Biases: 0.

    Args:
        network: any part of the package, changed in place.
        zero_final_norm: start the scale of the last norm of each residual branch and non-local block at 0, so
            that the blocks start as identities (Goyal et al., Accurate, Large Minibatch SGD, section 5.1).
        zero_final_conv: start the last convolution of these branches at 0 instead.
        linear_std: standard deviation for linear layers.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            _zero_bias(module)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=linear_std)
            _zero_bias(module)
    for module in network.modules():
        if isinstance(module, BottleneckBlock | BasicBlock | NonLocal):
            if zero_final_norm:
                nn.init.zeros_(module.final_norm.weight)
            if zero_final_conv:
                nn.init.zeros_(module.final_conv.weight)


def _zero_bias(layer: nn.Conv3d | nn.Linear) -> None:
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
