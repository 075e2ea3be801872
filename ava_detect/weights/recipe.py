"""Weights without training: every value follows from a seed and the tensor's name.

They make the whole road usable where no trained weights can be had: the demo, the doctor's small run,
benchmarks and tests. The scores mean nothing. What they have in common with trained weights is their scale:
through 101 layers the activations stay of order one, so rounding errors and speed are those of a real
network, and different inputs give different scores.

    python -m ava_detect.weights.recipe --cfg ava/slowfast_8x8_r50 --seed 0 --out demo.safetensors
"""

import argparse
import math
import sys
import zlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

# A convolution with this gain over variance-1 inputs gives variance-1 outputs before its norm. That of the
# classifier is larger, and its rows have mean 0: what all people share cancels, what sets them apart counts.
_CONVOLUTION_GAIN = 1.0
_CLASSIFIER_GAIN = 4.0
# The output of a non-local block is a product of three convolutions' outputs, summed over C/2 channels; all
# see nearly the same positive mean, so that the sum grows with the channels and not with their square root.
_NONLOCAL_GAIN = 0.3
# The branch of a residual or non-local block is weak against its shortcut, as after training: without that,
# the variance would double with every block.
_BRANCH_SCALE = (0.2, 0.5)
_NORM_SCALE = (0.8, 1.2)
_SHIFT = (-0.1, 0.1)
_RUNNING_MEAN = (-0.1, 0.1)
_RUNNING_VARIANCE = (0.6, 1.4)


def fill(model: nn.Module, *, seed: int = 0) -> None:
    """Set all parameters and buffers of a model.

    Args:
        model: from ``build_model``; equal names and shapes get equal values on any machine.
        seed: another seed gives other values.
    """
    ends = {id(end) for module in model.modules() if (end := getattr(module, "final_norm", None)) is not None}
    branch_scales = {
        f"{name}.weight" for name, module in model.named_modules(remove_duplicate=False) if id(module) in ends
    }
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(_value(seed, name, tensor, end_of_branch=name in branch_scales))


def _value(seed: int, name: str, tensor: Tensor, *, end_of_branch: bool) -> Tensor:
    """Return the value of one parameter or buffer."""
    leaf = name.rpartition(".")[2]
    if not tensor.is_floating_point():
        return torch.zeros_like(tensor)  # batch norm's counter
    if leaf == "running_mean":
        bounds = _RUNNING_MEAN
    elif leaf == "running_var":
        bounds = _RUNNING_VARIANCE
    elif leaf == "bias":
        bounds = _SHIFT
    elif tensor.dim() == 1:
        bounds = _BRANCH_SCALE if end_of_branch else _NORM_SCALE
    else:  # a uniform variable in [-b, b) has variance b^2 / 3
        gain = _NONLOCAL_GAIN if ".nonlocals." in name else _CONVOLUTION_GAIN
        gain = _CLASSIFIER_GAIN if tensor.dim() == 2 else gain
        bound = gain * math.sqrt(3 / math.prod(tensor.shape[1:]))
        bounds = (-bound, bound)
    value = _uniform(seed, name, tuple(tensor.shape), *bounds)
    if tensor.dim() == 2:
        value -= value.mean(axis=1, keepdims=True)
    return torch.from_numpy(value).to(tensor.dtype)


def _uniform(seed: int, name: str, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    """Return float64 numbers in [low, high) that depend on seed, name and shape alone."""
    generator = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))
    return low + (high - low) * generator.random(shape)


def main(argv: Sequence[str] | None = None) -> int:
    """Write a weights file from the recipe."""
    from ava_detect.config import load_config
    from ava_detect.models import build_model
    from ava_detect.weights.own_format import save_weights
    from evaluation.errors import AvaDetectError
    from evaluation.label_map import load_label_map

    parser = argparse.ArgumentParser(prog="python -m ava_detect.weights.recipe", description=__doc__)
    parser.add_argument("--cfg", required=True, help="configuration: a name or a file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--labels", default="", help="label map to put inside: a name such as v2.2-80, or a file"
    )
    parser.add_argument("--out", required=True, help="the weights file to write (.safetensors)")
    args = parser.parse_args(argv)
    try:
        config = load_config(args.cfg)
        labels = args.labels or ("v2.2-80" if config.MODEL.NUM_CLASSES == 80 else "")
        label_map = load_label_map(labels) if labels else None
        model = build_model(config)
        fill(model, seed=args.seed)
        source = f"deterministic recipe, seed {args.seed}; untrained, the scores mean nothing"
        save_weights(model, args.out, config=config, label_map=label_map, source=source)
    except AvaDetectError as error:
        print(f"error: {error}\n{error.hint}".rstrip(), file=sys.stderr)
        return error.exit_code
    print(f"wrote {args.out} ({source})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
