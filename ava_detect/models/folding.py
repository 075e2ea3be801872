"""A network for inference: its batch norms folded into the convolutions before them."""

import copy

from torch import nn

from ava_detect.acceleration.folding import fold_norm
from ava_detect.models.norm import BatchNorm
from ava_detect.models.slowfast import SlowFast

NORM_OF = {
    "conv": "norm",  # stem, lateral connection
    "conv_a": "norm_a",
    "conv_b": "norm_b",
    "conv_c": "norm_c",
    "conv_shortcut": "norm_shortcut",
    "out": "norm",  # non-local block
}
"""A convolution's name in its block -> the name of the norm that follows it."""


def fold_batch_norms(model: SlowFast) -> SlowFast:
    """Return a copy of ``model`` for inference, in evaluation mode, without batch norms.

    The copy shares every tensor that folding does not change (the head, the inner convolutions of non-local
    blocks) with ``model``, and needs about as much memory again for the others. ``model`` is left as it is
    and may go on training; the copy does not follow.

    Raises:
        ValueError: a norm does not follow a convolution.
    """
    norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
    shared = [*model.parameters(), *model.buffers(), *norms]
    folded = copy.deepcopy(model, {id(each): each for each in shared})
    for block in folded.modules():
        for conv_name, norm_name in NORM_OF.items():
            conv, norm = getattr(block, conv_name, None), getattr(block, norm_name, None)
            if isinstance(conv, nn.Conv3d) and isinstance(norm, BatchNorm):
                weight, bias = fold_norm(conv.weight, conv.bias, norm)
                conv.weight = nn.Parameter(weight, requires_grad=False)
                conv.bias = nn.Parameter(bias, requires_grad=False)
                setattr(block, norm_name, nn.Identity())
    left = [name for name, module in folded.named_modules() if isinstance(module, BatchNorm)]
    if left:
        raise ValueError(f"norms that follow no convolution cannot be folded: {', '.join(left)}")
    return folded.eval()
