"""Rewrite the pinned Detectron2 source archive as a pure-Python wheel.

A wheel is a zip archive with a few text files about itself (Python Packaging User Guide, "Binary distribution
format"), so neither setuptools nor the archive's own ``setup.py`` is needed. The same archive gives the same
bytes.
"""

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from evaluation.atomic import atomic_path
from evaluation.errors import AvaDetectError
from person_detector.detectron2_build.patches import LOCAL_VERSION, RELEASE, apply_patches

SDIST = "pb1-detectron2"
SDIST_SHA256 = "5d2e9e51e523ec72f6a31cca04b0a515492e9514b773a3d134cedc0677170b29"
WHEEL_NAME = f"detectron2-{LOCAL_VERSION}-py3-none-any.whl"

_INFO = f"detectron2-{LOCAL_VERSION}.dist-info"
_TIMESTAMP = (2021, 11, 15, 0, 0, 0)  # the day of the release: the wheel's bytes do not depend on the clock

# Where the archive's folders stand in the package; what matches none of them stays out.
_FOLDERS = {
    "detectron2/": "detectron2/",
    "projects/PointRend/point_rend/": "detectron2/projects/point_rend/",
    "projects/DeepLab/deeplab/": "detectron2/projects/deeplab/",
    "projects/Panoptic-DeepLab/panoptic_deeplab/": "detectron2/projects/panoptic_deeplab/",
    "LICENSE": f"{_INFO}/licenses/LICENSE",
}

# What importing and running needs. The release's own list cannot be satisfied any more (a version of black
# from 2021) and names packages that nothing imports (pydot, future).
_REQUIRES = (
    "torch>=2.4",
    "torchvision>=0.19",
    "numpy",
    "Pillow>=9.1",
    "pycocotools>=2.0.2",
    "matplotlib",
    "termcolor>=1.1",
    "yacs>=0.1.8",
    "tabulate",
    "cloudpickle",
    "tqdm>4.29.0",
    "fvcore>=0.1.5,<0.1.6",
    "iopath>=0.1.7,<0.1.10",
    "omegaconf>=2.1,<2.4",
)
_EXTRAS = {"train": ("tensorboard",), "lazy": ("hydra-core>=1.1", "black")}


def check_digest(data: bytes, source: str) -> None:
    """Refuse an archive that is not byte for byte the pinned release.

    Raises:
        AvaDetectError: the SHA-256 differs.
    """
    digest = hashlib.sha256(data).hexdigest()
    if digest != SDIST_SHA256:
        raise AvaDetectError(
            f"{source}: not the pinned {SDIST} {RELEASE}: SHA-256 is {digest}, expected {SDIST_SHA256}",
            hint=f"Get {SDIST}-{RELEASE}.tar.gz from an index that you trust and pass it with --sdist FILE.",
        )


def build_wheel(sdist: bytes, folder: Path, *, source: str) -> Path:
    """Write the wheel of the given source archive into ``folder`` and return its path.

    Args:
        sdist: content of the ``.tar.gz``.
        folder: an existing folder.
        source: where the archive comes from, for messages.

    Raises:
        AvaDetectError: the archive is not the pinned one.
    """
    check_digest(sdist, source)
    files = apply_patches(_package_files(sdist))
    files[f"{_INFO}/METADATA"] = _metadata().encode()
    files[f"{_INFO}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: person_detector.install\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    files[f"{_INFO}/RECORD"] = _record(files).encode()
    wheel = folder / WHEEL_NAME
    with atomic_path(wheel) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path, _TIMESTAMP), content, zipfile.ZIP_DEFLATED)
    return wheel


def _package_files(sdist: bytes) -> dict[str, bytes]:
    """Return path in the wheel -> content of the archive's files that belong there, sorted by path."""
    files = {}
    with tarfile.open(fileobj=io.BytesIO(sdist), mode="r:gz") as archive:
        for member in archive.getmembers():
            path = _wheel_path(member.name.removeprefix(f"{SDIST}-{RELEASE}/"))
            content = archive.extractfile(member)  # None for a folder
            if path and content:
                files[path] = content.read()
    return dict(sorted(files.items()))


def _wheel_path(path: str) -> str | None:
    for old, new in _FOLDERS.items():
        if path.startswith(old):
            return new + path.removeprefix(old)
    return None


def _metadata() -> str:
    lines = [
        "Metadata-Version: 2.1",
        "Name: detectron2",
        f"Version: {LOCAL_VERSION}",
        f"Summary: Detectron2 v{RELEASE}, pure-Python build without the compiled operators",
        "Home-page: https://github.com/facebookresearch/detectron2",
        "License: Apache-2.0",
        "Requires-Python: >=3.9",
        *(f"Requires-Dist: {requirement}" for requirement in _REQUIRES),
    ]
    for extra, requirements in _EXTRAS.items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f'Requires-Dist: {requirement}; extra == "{extra}"' for requirement in requirements]
    return "\n".join(lines) + "\n"


def _record(files: Mapping[str, bytes]) -> str:
    """Return the list of all files with digest and size; the list itself has neither."""
    lines = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(content)}")
    return "\n".join([*lines, f"{_INFO}/RECORD,,"]) + "\n"
