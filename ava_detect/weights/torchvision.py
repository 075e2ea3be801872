"""torchvision's image ResNets (and timm's: the same names), inflated into a one-pathway network."""

from collections.abc import Iterator

from torch import Tensor

from ava_detect.weights.inflation import inflated
from ava_detect.weights.name_map import NameMap
from ava_detect.weights.publisher import Adapted, Publisher, Tensors, keep


def _rows() -> Iterator[tuple[str, str]]:
    block = "pathways.0.res{s}.blocks.{i}"
    yield "conv1.{t}", "pathways.0.stem.conv.{t}"
    yield "bn1.{t}", "pathways.0.stem.norm.{t}"
    for number, letter in (("1", "a"), ("2", "b"), ("3", "c")):
        yield f"layer{{s-1}}.{{i}}.conv{number}.{{t}}", f"{block}.conv_{letter}.{{t}}"
        yield f"layer{{s-1}}.{{i}}.bn{number}.{{t}}", f"{block}.norm_{letter}.{{t}}"
    yield "layer{s-1}.{i}.downsample.0.{t}", f"{block}.conv_shortcut.{{t}}"
    yield "layer{s-1}.{i}.downsample.1.{t}", f"{block}.norm_shortcut.{{t}}"
    yield "fc.{t}", "head.projection.{t}"


NAMES = NameMap(_rows())


def _recognises(tensors: Tensors) -> bool:
    return "conv1.weight" in tensors and "layer1.0.conv1.weight" in tensors


def _adapt(name: str, tensor: Tensor, shape: tuple[int, ...]) -> Adapted | None:
    return inflated(tensor, shape) or keep(name, tensor, shape)


TORCHVISION = Publisher("torchvision ResNet", _recognises, names=lambda _: NAMES, adapt=_adapt)
