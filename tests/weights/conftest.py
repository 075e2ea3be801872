"""Fixtures of the weights tests: a small real model, and the published layouts written from name tables."""

import io
import json
import math
import pickle
import struct
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ava_detect.config import Config, parse_config
from ava_detect.models import build_model

FIXTURES = Path(__file__).parent / "fixtures"

SMALL = """
MODEL: {ARCH: slowfast, NUM_CLASSES: 80, HEAD_ACT: sigmoid, LOSS_FUNC: bce}
DETECTION: {ENABLE: True}
RESNET: {DEPTH: 50, WIDTH_PER_GROUP: 8, SPATIAL_STRIDES: [1, 2, 2, 1], SPATIAL_DILATIONS: [1, 1, 1, 2]}
SLOWFAST: {ALPHA: 4, BETA_INV: 4, FUSION_KERNEL_SZ: 5}
DATA: {NUM_FRAMES: 8, SAMPLING_RATE: 2, TEST_CROP_SIZE: 64, TRAIN_CROP_SIZE: 64}
TRAIN: {DATASET: ava}
TEST: {DATASET: ava}
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's cache and its settings out of the tests."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("AVA_DETECT_CACHE", str(folder))
    monkeypatch.delenv("AVA_DETECT_OFFLINE", raising=False)
    return folder


@pytest.fixture(scope="session")
def small_config() -> Callable[..., Config]:
    """Make the config of a small SlowFast with 80 action classes; then KEY, VALUE, ..."""
    return lambda *overrides: parse_config(SMALL, overrides=list(overrides))


@pytest.fixture
def small_model(small_config: Callable[..., Config]) -> Callable[..., nn.Module]:
    """Build the small SlowFast in evaluation mode, with other initial values for every seed."""

    def make(*overrides: object, seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        model = build_model(small_config(*overrides)).eval()
        for name, tensor in model.state_dict().items():
            if name.endswith(("running_mean", "running_var", "bias")):
                tensor.uniform_(0.5, 1.5)
        return model

    return make


@pytest.fixture(scope="session")
def golden_entries() -> Mapping[str, dict[str, Any]]:
    """What is known about every golden: format, name table, seeds, input size."""
    return json.loads((FIXTURES / "goldens.json").read_text())


@pytest.fixture(scope="session")
def name_table() -> Callable[[str], dict[str, Any]]:
    """Read a table of published names: name -> shape, or for Caffe2 blob -> {param, shape, blob_shape}."""
    return lambda name: json.loads((FIXTURES / "tables" / f"{name}.json").read_text())


@pytest.fixture(scope="session")
def golden_input() -> Callable[..., np.ndarray]:
    """Make the input of a golden from the seed: ("clip", seed, N, F, H, W) or ("boxes", N, H, W)."""
    return lambda kind, *sizes: _clip(*sizes) if kind == "clip" else _boxes(*sizes)


@pytest.fixture(scope="session")
def golden_weight() -> Callable[[int, str, Sequence[int]], np.ndarray]:
    """Make the value of a tensor from (seed, name, shape)."""
    return _weight


@pytest.fixture(scope="session")
def write_golden(
    golden_entries: Mapping[str, dict[str, Any]], name_table: Callable[[str], dict[str, Any]]
) -> Callable[[str, Path], None]:
    """Write the checkpoint of a golden in its published layout."""

    def write(golden: str, path: Path) -> None:
        entry = golden_entries[golden]
        table, seed = name_table(Path(entry["table"]).stem), entry["weight_seed"]
        if entry["format"] == "caffe2":
            write_caffe2(path, _blobs(table, seed))
            return
        tensors = OrderedDict(
            (name, torch.from_numpy(_weight(seed, name, shape))) for name, shape in table.items()
        )
        content: dict[str, object] = {"model_state": tensors}
        if entry["format"] == "pyslowfast":
            content |= {"epoch": 0, "optimizer_state": {}, "cfg": "TASK: ''\n"}
        if entry["format"] == "mmaction2":
            content = {"meta": {"epoch": 1, "iter": 1}, "state_dict": tensors}
        torch.save(content, path)

    return write


@pytest.fixture(scope="session")
def write_caffe2_file() -> Callable[[Path, Mapping[str, np.ndarray]], None]:
    """Write ``{"blobs": ...}`` as Python 2 with its numpy did."""
    return write_caffe2


# --- the recipe of the goldens: every value follows from (seed, name, shape)


def _uniform(seed: int, name: str, shape: Sequence[int], low: float, high: float) -> np.ndarray:
    generator = np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())]))
    raw = np.asarray(generator.random_raw(math.prod(shape)), np.uint64)
    raw >>= np.uint64(11)
    numbers = raw.astype(np.float64)
    numbers *= 2.0**-53
    numbers *= high - low
    numbers += low
    return numbers.reshape(tuple(shape))


def _weight(seed: int, name: str, shape: Sequence[int]) -> np.ndarray:
    leaf = name.rpartition(".")[2]
    if leaf == "num_batches_tracked":
        return np.zeros(tuple(shape), np.int64)
    if leaf in ("running_mean", "bias"):
        bounds = (-0.1, 0.1)
    elif leaf == "running_var":
        bounds = (0.5, 1.5)
    elif len(shape) == 1:
        ends_a_branch = any(part in name for part in (".c_bn.", ".norm_c.", ".conv3.bn."))
        bounds = (0.35, 0.65) if ends_a_branch else (0.75, 1.25)
    else:
        gain = 1.5 if len(shape) == 2 else 0.36 if "nonlocal" in name else 1.0
        bound = gain * math.sqrt(3 / math.prod(shape[1:]))
        bounds = (-bound, bound)
    return _uniform(seed, name, shape, *bounds).astype(np.float32)


def _clip(seed: int, batch: int, frames: int, height: int, width: int) -> np.ndarray:
    blocks = (batch, 3, frames, -(-height // 8), -(-width // 8))
    coarse = _uniform(seed, "input.coarse", blocks, -1.25, 1.25).repeat(8, axis=3).repeat(8, axis=4)
    fine = _uniform(seed, "input.fine", (batch, 3, frames, height, width), -0.75, 0.75)
    return (coarse[..., :height, :width] + fine).astype(np.float32)


def _boxes(batch: int, height: int, width: int) -> np.ndarray:
    """Four boxes per clip, not grouped by clip: the frame, fractional corners, on the border, very small."""
    h, w = float(height), float(width)

    def four(b: int, d: float) -> list[list[float]]:
        return [
            [b, 0.0, 0.0, w, h],
            [b, 0.125 * w + 0.3 + d, 0.25 * h + 0.7, 0.625 * w - 0.4, 0.75 * h + 0.1 + d],
            [b, 0.5 * w + d, 0.0625 * h, w, h],
            [b, 0.25 * w + 1.25, 0.375 * h + d, 0.25 * w + 6.5, 0.375 * h + 5.75 + d],
        ]

    return np.array([four(b, 0.5 * b)[k] for k in range(4) for b in range(batch)]).astype(np.float32)


# --- Python 2 pickles


def _blobs(table: Mapping[str, Mapping[str, Any]], seed: int) -> dict[str, np.ndarray]:
    """The blobs of a Caffe2 file, with the bookkeeping that Caffe2 left in."""
    blobs = {}
    for blob, entry in table.items():
        value = _weight(seed, entry["param"], entry["shape"])
        blobs[blob] = value.reshape(tuple(entry.get("blob_shape", entry["shape"])))
    blobs["conv1_w_momentum"] = np.zeros(3, np.float32)
    blobs["lr"] = np.array([0.01], np.float32)
    blobs["model_iter"] = np.array([1000], np.int64)
    return blobs


class _Python2Pickler(pickle._Pickler):  # type: ignore[name-defined]
    """Protocol 2 as Python 2 wrote it: text and bytes are 8-bit strings, numpy's module is the old one."""

    dispatch = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]  # noqa: RUF012

    def save_8_bit(self, value: str | bytes) -> None:
        data = value.encode("latin1") if isinstance(value, str) else value
        if len(data) < 256:
            self.write(pickle.SHORT_BINSTRING + struct.pack("<B", len(data)) + data)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    def save_name(self, value: Any, name: str | None = None) -> None:
        module = value.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{name or value.__qualname__}\n".encode())
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_8_bit
    dispatch[type] = dispatch[type(len)] = dispatch[type(math.prod)] = save_name
    dispatch[type(lambda: None)] = save_name


def write_caffe2(path: Path, blobs: Mapping[str, np.ndarray]) -> None:
    """Write ``{"blobs": ...}`` as Python 2 with its numpy did."""
    buffer = io.BytesIO()
    _Python2Pickler(buffer, protocol=2).dump(
        {"blobs": {k: np.ascontiguousarray(v) for k, v in blobs.items()}}
    )
    path.write_bytes(buffer.getvalue())
