"""What has to change in Detectron2's v0.6 sources to run on today's libraries, without compiled code.

Every patch states how often its text must occur, so that a source that is not the expected one is noticed and
not half-patched. Another patch means another ``LOCAL_VERSION``: the wheel's version says which ones it has.
"""

from collections.abc import Mapping
from dataclasses import dataclass

RELEASE = "0.6"
LOCAL_VERSION = f"{RELEASE}+purepy1"


@dataclass(frozen=True)
class Patch:
    """Replace ``old`` by ``new`` in the file at ``path``, where ``old`` occurs exactly ``count`` times."""

    path: str
    old: str
    new: str
    count: int = 1


class PatchError(ValueError):
    """A text to be patched does not occur as often as expected."""


# NumPy 1.24 took the aliases of the builtin types away.
_NUMPY = (
    Patch("detectron2/data/build.py", "np.int)", "int)"),
    Patch("detectron2/data/build.py", "np.int\n", "int\n"),
    Patch("detectron2/data/datasets/pascal_voc.py", "np.str)", "str)"),
    Patch("detectron2/evaluation/pascal_voc_evaluation.py", "np.bool)", "bool)", 2),
    Patch("detectron2/evaluation/sem_seg_evaluation.py", "np.int)", "int)", 2),
    Patch("detectron2/evaluation/sem_seg_evaluation.py", "np.float)", "float)", 5),
    Patch("detectron2/structures/masks.py", "np.bool)", "bool)", 3),
    Patch("detectron2/utils/video_visualizer.py", "np.bool)", "bool)"),
    Patch("detectron2/utils/visualizer.py", "np.bool)", "bool)", 3),
)

# The compiled extension is absent: pycocotools evaluates, and rotated NMS says what is missing (see STUB).
_EXTENSION = (
    Patch(
        "detectron2/evaluation/coco_evaluation.py",
        "from detectron2.evaluation.fast_eval_api import COCOeval_opt\n",
        "COCOeval_opt = COCOeval\n",
    ),
    Patch(
        "detectron2/layers/nms.py",
        "    return torch.ops.detectron2.nms_rotated(",
        "    from detectron2 import _C\n\n    return _C.nms_rotated(",
    ),
)

_TRAIN_LOOP = "detectron2/engine/train_loop.py"  # torch 2.4 warns of the old places of AMP

_LIBRARIES = (
    Patch("detectron2/__init__.py", f'__version__ = "{RELEASE}"', f'__version__ = "{LOCAL_VERSION}"'),
    Patch("detectron2/data/transforms/transform.py", "Image.LINEAR", "Image.BILINEAR"),  # Pillow 10
    Patch("detectron2/model_zoo/model_zoo.py", "import pkg_resources\n", ""),  # setuptools 81
    Patch(
        "detectron2/model_zoo/model_zoo.py",
        "pkg_resources.resource_filename(\n"
        '        "detectron2.model_zoo", os.path.join("configs", config_path)\n'
        "    )",
        'os.path.join(os.path.dirname(os.path.abspath(__file__)), "configs", config_path)',
    ),
    Patch(  # torch 1.10 warns
        "detectron2/modeling/anchor_generator.py",
        "torch.meshgrid(shifts_y, shifts_x)",
        'torch.meshgrid(shifts_y, shifts_x, indexing="ij")',
    ),
    Patch(_TRAIN_LOOP, "from torch.cuda.amp import GradScaler\n", "from torch.amp import GradScaler\n"),
    Patch(_TRAIN_LOOP, "from torch.cuda.amp import autocast\n", "from torch import autocast\n"),
    Patch(_TRAIN_LOOP, "with autocast():", 'with autocast("cuda"):'),
    Patch(  # torch 2 warns whenever processes gather their results
        "detectron2/utils/comm.py",
        "    storage = torch.ByteStorage.from_buffer(buffer)\n"
        "    tensor = torch.ByteTensor(storage).to(device=device)\n",
        "    tensor = torch.frombuffer(bytearray(buffer), dtype=torch.uint8).to(device=device)\n",
    ),
)

PATCHES = (*_LIBRARIES, *_NUMPY, *_EXTENSION)

STUB_PATH = "detectron2/_C.py"
STUB = '''"""Stands in for Detectron2's compiled extension, which this pure-Python build does not contain."""


def get_compiler_version():
    return "none (pure-Python build)"


def get_cuda_version():
    return "none (pure-Python build)"


def has_cuda():
    return False


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)

    def missing(*args, **kwargs):
        raise NotImplementedError(
            f"detectron2._C.{name} needs a compiled Detectron2; this is a pure-Python build "
            "(no rotated boxes, no modulated deformable convolution)"
        )

    return missing
'''


def apply_patches(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files (path -> content) with every patch applied and the extension's stand-in added.

    Raises:
        PatchError: a file is not there, or a text occurs another number of times than expected.
    """
    patched = dict(files)
    for patch in PATCHES:
        if patch.path not in patched:
            raise PatchError(f"{patch.path} is not in the sources")
        text = patched[patch.path].decode()
        if (found := text.count(patch.old)) != patch.count:
            raise PatchError(f"{patch.path}: {patch.old!r} occurs {found} times, expected {patch.count}")
        patched[patch.path] = text.replace(patch.old, patch.new).encode()
    return patched | {STUB_PATH: STUB.encode()}
