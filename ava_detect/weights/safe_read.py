"""Read a checkpoint file without executing anything in it.

The container is recognised by content, never by the file's name:

=====================  ==========================================================  ===========================
container              written by                                                  read with
=====================  ==========================================================  ===========================
``safetensors``        this project                                                the safetensors package
``torch``              torch.save since 1.6: a zip of one pickle and raw storages  zipfile, ``data_pickle``
``torch before 1.6``   torch.save before: pickles, then raw storages               ``data_pickle``
``pickle``             Caffe2 and Detectron2 zoos: one pickle of numpy arrays      ``data_pickle``
=====================  ==========================================================  ===========================

``pickle.load`` and ``torch.load`` are never called. torch's weights-only mode would run no code either, but
it reads the training state too, refuses whole files for its sake, and which sizes it checks depends on its
version. Here every declared size is compared with the bytes that are there before memory is taken, and only
the weights are turned into tensors.
"""

import io
import json
import mmap
import os
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import torch
from torch import Tensor

from ava_detect.weights.storage import from_storage
from evaluation.data_pickle import DataUnpickler
from evaluation.errors import WeightsError
from evaluation.pickle_names import (
    ArrayRecord,
    DamagedPickle,
    RefusedPickle,
    StorageRecord,
    TensorRecord,
)

# The keys under which publishers keep the weights: PySlowFast and pytorchvideo, mmaction2 and most others,
# Caffe2, Detectron2; looked for in this order. A file without any may be a plain dictionary of tensors.
WEIGHT_KEYS = ("model_state", "state_dict", "blobs", "model")

ReadStorage = Callable[[StorageRecord], Tensor]

# What the standard library raises at damaged zip files, beside its own error: for names that are no UTF-8,
# for impossible positions, for members that are encrypted or compressed in an unknown way.
_ZIP_ERRORS = (zipfile.BadZipFile, RuntimeError, ValueError, OSError, EOFError, struct.error)

_TORCH_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_MAX_HEADER = 100 * 2**20  # bytes of JSON at the start of a safetensors file; the package's own limit


@dataclass(frozen=True)
class Checkpoint:
    """What was found in a checkpoint file.

    Attributes:
        path: the file.
        container: "safetensors", "torch", "torch before 1.6" or "pickle".
        key: where the tensors were: one of ``WEIGHT_KEYS``, or "" for a file of tensors alone.
        tensors: name -> tensor on the CPU, names as in the file.
        entries: everything else at the file's top level (epoch, config text, metadata), as plain data;
            tensors inside it (optimizer state) stay unread.
    """

    path: Path
    container: str
    key: str
    tensors: dict[str, Tensor]
    entries: dict[str, object] = field(default_factory=dict)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read the weights and the plain data of a checkpoint file of any supported container.

    Raises:
        WeightsError: there is no such file, it is not a regular file, not a checkpoint, damaged, declares
            sizes that are not there, or would need code to be run.
    """
    path = Path(path)
    with _opened(path) as file:
        try:
            return _read(path, file)
        except RefusedPickle as error:
            raise WeightsError(f"{path}: {error}.", hint=_HINT) from error
        except (MemoryError, RecursionError) as error:
            raise WeightsError(f"{path}: reading it takes more memory than there is.", hint=_HINT) from error


def read_detector_checkpoint(path: str | Path) -> dict[str, np.ndarray]:
    """Read the weights of a person detector: Detectron2 zoo pickles, its ``.pth`` files, safetensors.

    Returns:
        Detectron2's parameter names -> arrays, without a ``module.`` prefix.

    Raises:
        WeightsError: as for ``read_checkpoint``.
    """
    tensors = read_checkpoint(path).tensors
    return {name.removeprefix("module."): _to_numpy(tensor) for name, tensor in tensors.items()}


def read_safetensors_metadata(path: str | Path) -> dict[str, str]:
    """Read the metadata in the header of a safetensors file, without the tensors.

    Returns:
        Name -> text; empty for a file of another kind.

    Raises:
        WeightsError: the file cannot be opened, or its header is damaged.
    """
    path = Path(path)
    with _opened(path) as file:
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _safetensors_metadata(data) if _is_safetensors(data) else {}
        except RefusedPickle as error:
            raise WeightsError(f"{path}: {error}.", hint=_HINT) from error


_HINT = (
    "Checkpoints of PySlowFast, pytorchvideo, mmaction2, torchvision, Caffe2, Detectron2 and of this\n"
    "project are read; nothing in a file is ever executed."
)


def _to_numpy(tensor: Tensor) -> np.ndarray:
    """numpy has no bfloat16: widen it, which is exact."""
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


# --- opening


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file; anything else is refused without being read from.

    O_NONBLOCK keeps a named pipe from blocking the call, and the check is made on what was opened.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise WeightsError(f"{path}: cannot be opened ({reason}).") from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        os.close(handle)
        raise WeightsError(f"{path}: is {_kind_of(status)}; a checkpoint file is expected.")
    with os.fdopen(handle, "rb") as file:
        yield file


def _kind_of(status: os.stat_result) -> str:
    if stat.S_ISDIR(status.st_mode):
        return "a folder"
    return "empty" if stat.S_ISREG(status.st_mode) else "a pipe or device"


def _read(path: Path, file: BinaryIO) -> Checkpoint:
    if file.read(2) == b"PK":
        try:
            return _read_torch_zip(path, file)
        except _ZIP_ERRORS as error:
            raise RefusedPickle(f"is a damaged or truncated zip file ({error})") from error
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if _is_safetensors(data):
            return _read_safetensors(path, data)
        content = _read_pickle(data)
        if content == _TORCH_LEGACY_MAGIC:
            return _read_torch_legacy(path, data)
        return _assemble(path, "pickle", content, _no_storage)


def _read_pickle(data: mmap.mmap) -> object:
    """Read the first pickle; a file that never was one gets a better sentence than a damaged one."""
    try:
        return DataUnpickler(cast(BinaryIO, data)).read()
    except DamagedPickle as error:
        start = data[:256]
        if start.startswith(
            b"\x80"
        ):  # the instruction PROTO; text protocols have not been written since 2003
            raise
        if not all(byte >= 32 or byte in b"\t\n\r\f" for byte in start):
            raise RefusedPickle(
                f"is not a checkpoint (it begins with the bytes {start[:4].hex(' ')})"
            ) from error
        what = "a web page" if start.lstrip().startswith(b"<") else "a text file"
        line = start.strip().split(b"\n")[0].decode("utf-8", "replace")[:40]
        raise RefusedPickle(f"is {what}, not a checkpoint (it begins with {line!r})") from error


# --- containers


def _is_safetensors(data: mmap.mmap) -> bool:
    return len(data) > 8 and data[8:9] == b"{" and struct.unpack("<Q", data[:8])[0] <= _MAX_HEADER


def _read_safetensors(path: Path, data: mmap.mmap) -> Checkpoint:
    import safetensors
    from safetensors.torch import load

    try:
        tensors = from_storage(load(data[:]))  # checks every offset against the file's length
    except (safetensors.SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise RefusedPickle(f"is a damaged safetensors file ({error})") from error
    in_order = {name: tensors[name] for name in sorted(tensors)}  # the package's order is arbitrary
    return Checkpoint(path, "safetensors", "", in_order, dict(_safetensors_metadata(data)))


def _safetensors_metadata(data: mmap.mmap) -> dict[str, str]:
    length = struct.unpack("<Q", data[:8])[0]
    try:
        header = json.loads(data[8 : 8 + length])
        metadata = header.get("__metadata__", {})
        return {str(name): str(text) for name, text in metadata.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise RefusedPickle(f"is a damaged safetensors file ({error})") from error


def _read_torch_zip(path: Path, file: BinaryIO) -> Checkpoint:
    with zipfile.ZipFile(file) as archive:
        members = {info.filename: info for info in archive.infolist()}
        _check_members(members, file.seek(0, os.SEEK_END))
        pickles = [name for name in members if name.endswith("/data.pkl") or name == "data.pkl"]
        if len(pickles) != 1:
            raise RefusedPickle("is a zip file, but not one that torch.save writes")
        root = pickles[0].removesuffix("data.pkl")
        if f"{root}constants.pkl" in members:
            raise RefusedPickle("is a TorchScript program, which would have to be executed, not a checkpoint")
        if f"{root}byteorder" in members and archive.read(f"{root}byteorder") != b"little":
            raise RefusedPickle("its tensors are big-endian; little-endian ones are expected")

        def storage(record: StorageRecord) -> Tensor:
            member = members.get(f"{root}data/{record.key}")
            held = member.file_size if member else 0
            _check_storage(record, held)
            return _numbers(archive.read(member) if member and held else b"", record)

        content = DataUnpickler(io.BytesIO(archive.read(pickles[0]))).read()
        return _assemble(path, "torch", content, storage)


def _check_members(members: dict[str, zipfile.ZipInfo], length: int) -> None:
    """torch stores its members as they are: compressed, overlapping or oversized ones are a bomb."""
    if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
        raise RefusedPickle("is a compressed zip file; torch.save writes uncompressed ones")
    total = sum(info.file_size for info in members.values())
    if total > length or any(info.file_size != info.compress_size for info in members.values()):
        raise RefusedPickle(f"its members declare {total:,} bytes in a file of {length:,}")


def _read_torch_legacy(path: Path, data: mmap.mmap) -> Checkpoint:
    """Read what follows the magic number: version, system, object, storage keys, storages in that order."""
    stream = cast(BinaryIO, data)
    DataUnpickler(stream).read()  # the protocol's version; there has been one
    system = DataUnpickler(stream).read()
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise RefusedPickle("its tensors are big-endian; little-endian ones are expected")
    content = DataUnpickler(stream).read()
    keys = DataUnpickler(stream).read()
    if not isinstance(keys, list):
        raise DamagedPickle("the list of storages is missing")
    expected = {record.key: record for record in _storages(content)}
    positions: dict[str, int] = {}
    place = data.tell()
    for key in keys:
        if not isinstance(key, str) or key not in expected or place + 8 > len(data):
            raise RefusedPickle("the list of its storages does not fit its tensors, or the file is truncated")
        (numel,) = struct.unpack("<q", data[place : place + 8])
        if numel != expected[key].numel:
            raise RefusedPickle(f"a storage of {expected[key].numel:,} numbers holds {numel:,}")
        positions[key] = place + 8
        place += 8 + _itemsize(expected[key]) * numel

    def storage(record: StorageRecord) -> Tensor:
        start = positions.get(record.key, len(data))
        length = _itemsize(record) * record.numel
        _check_storage(record, min(length, len(data) - start))
        return _numbers(data[start : start + length], record)

    return _assemble(path, "torch before 1.6", content, storage)


def _storages(content: object) -> Iterator[StorageRecord]:
    """Find the storages that an object refers to, however deep, without recursion."""
    seen: set[int] = set()
    waiting = [content]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, TensorRecord):
            yield item.storage
        elif isinstance(item, StorageRecord):
            yield item
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)


def _no_storage(record: StorageRecord) -> Tensor:
    raise RefusedPickle(f"refers to the storage {record.key!r}, which a plain pickle does not have")


def _itemsize(record: StorageRecord) -> int:
    return cast(torch.dtype, getattr(torch, record.dtype)).itemsize


def _check_storage(record: StorageRecord, held: int) -> None:
    declared = record.numel * _itemsize(record)
    if declared != held:
        raise RefusedPickle(
            f"it declares a storage of {declared:,} bytes and holds {held:,}; the file is damaged"
        )


def _numbers(content: bytes, record: StorageRecord) -> Tensor:
    """Return the storage as a 1-D tensor with memory of its own."""
    if not content:
        return torch.empty(0, dtype=getattr(torch, record.dtype))
    return torch.frombuffer(bytearray(content), dtype=getattr(torch, record.dtype))


# --- from records to tensors


def _assemble(
    path: Path, container: str, content: object, storage: Callable[[StorageRecord], Tensor]
) -> Checkpoint:
    """Find the weights in the file's top level and make tensors of them, and of nothing else."""
    if not isinstance(content, dict):
        raise RefusedPickle(f"holds a {type(content).__name__}; a checkpoint is a dictionary")
    key = next((key for key in WEIGHT_KEYS if isinstance(content.get(key), dict)), "")
    weights = content[key] if key else content
    rest = {str(name): value for name, value in content.items() if key and name != key}
    tensors: dict[str, Tensor] = {}
    storages: dict[str, Tensor] = {}
    for name, value in weights.items():
        tensor = _tensor(value, storage, storages)
        if tensor is not None:
            tensors[str(name)] = tensor
        else:
            rest[f"{key}.{name}" if key else str(name)] = value
    if not tensors:
        found = ", ".join(sorted(map(str, content))[:6]) or "nothing"
        raise RefusedPickle(f"holds no weights: none of {', '.join(WEIGHT_KEYS)} is in it, but {found}")
    return Checkpoint(path, container, key, tensors, rest)


def _tensor(value: object, storage: ReadStorage, storages: dict[str, Tensor]) -> Tensor | None:
    """Turn a record into a tensor; tensors of one storage share it, so memory stays below the file's size."""
    if isinstance(value, ArrayRecord) and value.array is not None:
        return torch.from_numpy(value.array)
    if isinstance(value, TensorRecord):
        numbers = storages.get(value.storage.key)
        if numbers is None or numbers.numel() != value.storage.numel:
            numbers = storages[value.storage.key] = storage(value.storage)
        return numbers.as_strided(value.size, value.stride, value.offset)
    return None
