"""PySlowFast's ``.pyth`` files: names, and the layout in which they are written back.

``s1``..``s5`` are the stem and res2..res5, ``pathway0`` the slowest pathway. Files that PySlowFast trained
under its ``PTV*`` model names hold pytorchvideo's names and are read as those.
"""

from torch import Tensor

from ava_detect.weights.inflation import inflated
from ava_detect.weights.name_map import NameMap
from ava_detect.weights.publisher import Adapted, Publisher, Tensors, keep

NAMES = NameMap(
    [
        ("s1.pathway{p}_stem.conv.{t}", "pathways.{p}.stem.conv.{t}"),
        ("s1.pathway{p}_stem.bn.{t}", "pathways.{p}.stem.norm.{t}"),
        ("s1_fuse.conv_f2s.{t}", "laterals.stem.0.conv.{t}"),
        ("s1_fuse.bn.{t}", "laterals.stem.0.norm.{t}"),
        ("s{s}_fuse.conv_f2s.{t}", "laterals.res{s}.0.conv.{t}"),
        ("s{s}_fuse.bn.{t}", "laterals.res{s}.0.norm.{t}"),
        ("s{s}.pathway{p}_res{i}.branch1.{t}", "pathways.{p}.res{s}.blocks.{i}.conv_shortcut.{t}"),
        ("s{s}.pathway{p}_res{i}.branch1_bn.{t}", "pathways.{p}.res{s}.blocks.{i}.norm_shortcut.{t}"),
        ("s{s}.pathway{p}_res{i}.branch2.{x}.{t}", "pathways.{p}.res{s}.blocks.{i}.conv_{x}.{t}"),
        ("s{s}.pathway{p}_res{i}.branch2.{x}_bn.{t}", "pathways.{p}.res{s}.blocks.{i}.norm_{x}.{t}"),
        ("s{s}.pathway{p}_nonlocal{i}.conv_{n}.{t}", "pathways.{p}.res{s}.nonlocals.{i}.{n}.{t}"),
        ("s{s}.pathway{p}_nonlocal{i}.bn.{t}", "pathways.{p}.res{s}.nonlocals.{i}.norm.{t}"),
        ("head.projection.{t}", "head.projection.{t}"),
    ]
)


_STEM = "s1.pathway0_stem.conv.weight"
_IMAGENET_CLASSES = 1000


def _recognises(tensors: Tensors) -> bool:
    return any(name.startswith("s1.pathway0_stem.") for name in tensors)


def _is_image_model(tensors: Tensors) -> bool:
    """Tell the zoo's R50_IN1K: 2-D kernels, or kernels of one frame under ImageNet's classifier."""
    stem, classifier = tensors.get(_STEM), tensors.get("head.projection.weight")
    if stem is None:
        return False
    imagenet = classifier is not None and len(classifier) == _IMAGENET_CLASSES
    return stem.dim() == 4 or (imagenet and stem.shape[2] == 1)


def _adapt_image(name: str, tensor: Tensor, shape: tuple[int, ...]) -> Adapted | None:
    flat = tensor[:, :, 0] if tensor.dim() == 5 and tensor.shape[2] == 1 else tensor
    return inflated(flat, shape) or keep(name, tensor, shape)


PYSLOWFAST = Publisher("PySlowFast", _recognises, names=lambda _: NAMES)
PYSLOWFAST_IMAGE = Publisher(
    "PySlowFast image model", _is_image_model, names=lambda _: NAMES, adapt=_adapt_image
)
