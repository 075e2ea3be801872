"""Is this machine fit? Looks at what is installed, what will be used and what is missing; changes nothing."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ava_detect import __version__
from evaluation.errors import AvaDetectError

OK, NOTE, MISSING, FAULT = "ok", "note", "MISSING", "FAULT"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        subject: what was looked at, with its version.
        state: ok, note (works, something optional is absent), MISSING or FAULT.
        detail: what was found.
        hint: the line to type, when there is one.
    """

    subject: str
    state: str
    detail: str = ""
    hint: str = ""


def diagnose(*, device: str = "auto", small_run: bool = True) -> Iterator[Finding]:
    """Yield one finding per part of the installation.

    Args:
        device: as in ``pick_device``; what the small run uses.
        small_run: also run a tiny network and compare it with double precision.
    """
    yield _machine()
    yield from _torch(device)
    yield _detectron2()
    yield _pyav()
    yield _opencv()
    yield _optional("openvino", "faster networks on CPUs", extra="openvino")
    yield _optional("matplotlib", "evaluation plots", extra="plot")
    yield _cache()
    if small_run:
        yield _small_run(device)


def count_missing(findings: list[Finding]) -> int:
    """Count what must be mended before everything works."""
    return sum(finding.state in (MISSING, FAULT) for finding in findings)


def as_json(findings: list[Finding]) -> dict[str, object]:
    """Return the report as plain values, schema ``ava-detect/doctor`` version 1."""
    return {
        "schema": "ava-detect/doctor",
        "version": 1,
        "findings": [asdict(finding) for finding in findings],
        "missing": count_missing(findings),
    }


def _version(*distributions: str) -> str:
    """Return the version of the first distribution that is installed, or nothing."""
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


def _machine() -> Finding:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9 if hasattr(os, "sysconf") else 0
    detail = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB memory"
    return Finding(f"ava-detect {__version__}, Python {platform.python_version()}", OK, detail)


def _torch(device_name: str) -> Iterator[Finding]:
    version = _version("torch")
    if not version:
        yield Finding("torch", MISSING, "runs the networks", f"{_pip()} torch torchvision")
        return
    import torch

    from ava_detect.engine.device import describe_device, pick_device, pick_precision

    gpus = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    yield Finding(
        f"torch {version}", OK, f"{built}, {len(gpus)} GPUs" + (f": {', '.join(gpus)}" if gpus else "")
    )
    yield _torchvision()
    try:
        device = pick_device(device_name)
        yield Finding("device", OK, describe_device(device, pick_precision("auto", device)))
    except AvaDetectError as error:
        yield Finding("device", FAULT, str(error), error.hint)


def _torchvision() -> Finding:
    version = _version("torchvision")
    if not version:
        return Finding("torchvision", MISSING, "RoIAlign and NMS", f"{_pip()} torchvision")
    try:
        import torchvision.ops

        torchvision.ops.nms  # noqa: B018 - importing it is the check that it fits torch
    except (ImportError, RuntimeError) as error:
        return Finding(
            f"torchvision {version}", FAULT, f"does not fit this torch: {error}", f"{_pip()} torchvision"
        )
    return Finding(f"torchvision {version}", OK)


def _detectron2() -> Finding:
    install = f"{_python()} -m person_detector.install     (downloads, no compiler; an own build works too)"
    if importlib.util.find_spec("detectron2") is None:
        return Finding(
            "detectron2", MISSING, "needed by: predict (not with --boxes; evaluate needs none)", install
        )
    return Finding(f"detectron2 {_version('detectron2')}", OK)


def _pyav() -> Finding:
    if not _version("av"):
        return Finding("PyAV", MISSING, "reads and writes video", f"{_pip()} av")
    import av

    ffmpeg = ".".join(map(str, av.library_versions["libavcodec"]))
    codecs = [name for name in ("h264", "hevc", "vp9", "av1") if name in av.codecs_available]
    return Finding(f"PyAV {av.__version__}, libavcodec {ffmpeg}", OK, " ".join(codecs))


def _opencv() -> Finding:
    headless, windows = _version("opencv-python-headless"), _version("opencv-python", "opencv-contrib-python")
    if headless and windows:
        return Finding(
            f"OpenCV {headless} (headless) and {windows}", FAULT,
            "both own the folder cv2, and removing either breaks the other",
            f"{_python()} -m pip uninstall -y opencv-python opencv-contrib-python opencv-python-headless\n"
            f"{_pip()} opencv-python-headless",
        )  # fmt: skip
    if not (headless or windows):
        return Finding("OpenCV", MISSING, "resizes and draws", f"{_pip()} opencv-python-headless")
    try:
        import cv2
    except ImportError as error:
        return Finding(f"OpenCV {headless or windows}", FAULT, str(error), f"{_pip()} opencv-python-headless")
    return Finding(f"OpenCV {cv2.__version__}" + (" (headless)" if headless else ""), OK)


def _optional(package: str, purpose: str, *, extra: str) -> Finding:
    version = _version(package)
    if version:
        return Finding(f"{package} {version}", OK, purpose)
    return Finding(package, NOTE, f"not installed; for {purpose}", f"{_pip()} 'ava-detect[{extra}]'")


def _cache() -> Finding:
    from ava_detect.weights.cache import cache_dir, cached_files

    folder = cache_dir()
    files = list(cached_files())
    free = shutil.disk_usage(_existing(folder)).free / 1e9
    wrong = [file.path.name for file in files if not file.digest_matches()]
    size = sum(file.path.stat().st_size for file in files) / 1e9
    if wrong:
        return Finding(
            "weights cache",
            FAULT,
            f"{', '.join(wrong)}: digest differs from the recorded one",
            "ava-detect models fetch NAME --overwrite",
        )
    return Finding("weights cache", OK, f"{len(files)} files, {size:.1f} GB; {free:.0f} GB free")


def _existing(folder: Path) -> Path:
    """Return the nearest ancestor that exists."""
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


def _small_run(device_name: str) -> Finding:
    subject = "small run"
    try:
        started = time.monotonic()
        difference = _largest_difference(device_name)
    except AvaDetectError as error:
        return Finding(subject, FAULT, str(error), error.hint)
    seconds = time.monotonic() - started
    detail = f"one clip, two people, {seconds:.1f} s; scores within {difference:.0e} of double precision"
    return Finding(subject, OK if difference < 1e-3 else FAULT, detail)


def _largest_difference(device_name: str) -> float:
    """Return the largest difference of a tiny SlowFast's scores from the same network in float64."""
    import torch

    from ava_detect.config import load_config
    from ava_detect.engine.device import pick_device
    from ava_detect.models import build_model, split_pathways
    from ava_detect.weights.recipe import fill

    cfg = load_config("demo/slowfast_tiny")
    model = build_model(cfg).eval()
    fill(model, seed=0)
    random = torch.Generator().manual_seed(0)
    clip = torch.randn(1, 3, cfg.DATA.NUM_FRAMES, 64, 80, generator=random)
    boxes = torch.tensor([[0.0, 4.0, 4.0, 40.0, 60.0], [0.0, 30.0, 10.0, 76.0, 60.0]])

    def scores(device: torch.device, dtype: torch.dtype) -> torch.Tensor:
        clips = [part.to(device, dtype) for part in split_pathways(clip, cfg)]
        with torch.inference_mode():
            return model.to(device, dtype)(clips, boxes.to(device, dtype)).double().cpu()

    fast = scores(pick_device(device_name), torch.float32)
    return float((fast - scores(torch.device("cpu"), torch.float64)).abs().max())


def _python() -> str:
    return Path(sys.executable).name


def _pip() -> str:
    return f"{_python()} -m pip install"
