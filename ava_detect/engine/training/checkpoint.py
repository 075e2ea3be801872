"""A checkpoint: everything that a run needs to go on, in one file that is complete or absent.

The file is safetensors: reading one never executes anything. Tensors are named ``KIND/NAME``:

    model/NAME             parameters and buffers
    average/NAME           the averaged weights, where SOLVER.EMA_DECAY is set
    optimizer/STATE/NAME   what the optimiser keeps of the parameter NAME: SGD's momentum, Adam's moments
    random/R/NAME          generators of process R

Everything else is one JSON document in the header, with a checksum of every tensor: safetensors has none, and
what a failing disk gives back must not be taken for a good checkpoint.
"""

import errno
import json
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ava_detect.weights.safe_read import read_checkpoint, read_safetensors_metadata
from evaluation.atomic import atomic_path
from evaluation.errors import WeightsError

_KEY = "ava_detect_training"
_VERSION = 1

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run between two steps.

    Attributes:
        step: optimiser steps done since the beginning; with ``steps_per_epoch`` the sampler's position.
        steps_per_epoch: of the data set and batch size that the run uses.
        model, average: name -> tensor; ``average`` is None without one.
        optimizer: "STATE/NAME" -> tensor; see ``optimizer.optimizer_state``.
        random: for each process, the states of its generators.
        config: the configuration as YAML.
        label_map: the classes, as plain values; None where their names are not known.
        scaler: of the gradients in fp16; empty otherwise.
        progress: what the log needs to go on: sums over the epoch so far, the best result.
    """

    step: int
    steps_per_epoch: int
    model: Tensors
    average: Tensors | None
    optimizer: Tensors
    random: list[Tensors]
    config: str
    label_map: Mapping[str, object] | None = None
    scaler: dict[str, float] = field(default_factory=dict)
    progress: dict[str, float] = field(default_factory=dict)


def write_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; the file appears under its name when it is complete and on the disk.

    Raises:
        OSError: it cannot be written; whatever was there stays.
    """
    tensors = _flat(checkpoint)
    document = {
        "version": _VERSION,
        "step": checkpoint.step,
        "steps_per_epoch": checkpoint.steps_per_epoch,
        "has_average": checkpoint.average is not None,
        "processes": len(checkpoint.random),
        "config": checkpoint.config,
        "label_map": checkpoint.label_map,
        "scaler": checkpoint.scaler,
        "progress": checkpoint.progress,
        "checksums": {name: _checksum(tensor) for name, tensor in tensors.items()},
    }
    with atomic_path(path) as temporary:
        try:
            save_file(tensors, temporary, metadata={_KEY: json.dumps(document)})
        except SafetensorError as error:  # its way to say what the system said
            said = re.search(r"(?:os error|code:) (\d+)", str(error))
            number = int(said[1]) if said else errno.EIO
            raise OSError(number, os.strerror(number), str(path)) from error
        with temporary.open("rb") as file:
            os.fsync(file.fileno())


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint and check every tensor.

    Raises:
        WeightsError: it cannot be read, is damaged, is something else, or is of a newer version.
    """
    text = read_safetensors_metadata(path).get(_KEY)
    if text is None:
        raise WeightsError(f"{path}: is not a checkpoint of a training run")
    try:
        document = json.loads(text)
        if document["version"] != _VERSION:
            raise WeightsError(
                f"{path}: version {document['version']} of the format; {_VERSION} is read here"
            )
        tensors = read_checkpoint(path).tensors
        checksums = document["checksums"]
        for name in {*tensors, *checksums}:
            if name not in tensors or _checksum(tensors[name]) != checksums.get(name):
                raise WeightsError(f"{path}: {name} is damaged")
        return Checkpoint(
            step=int(document["step"]),
            steps_per_epoch=int(document["steps_per_epoch"]),
            model=_kind(tensors, "model/"),
            average=_kind(tensors, "average/") if document["has_average"] else None,
            optimizer=_kind(tensors, "optimizer/"),
            random=[_kind(tensors, f"random/{rank}/") for rank in range(int(document["processes"]))],
            config=str(document["config"]),
            label_map=document["label_map"],
            scaler=dict(document["scaler"]),
            progress=dict(document["progress"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{path}: its header is damaged ({error})") from error


def _flat(checkpoint: Checkpoint) -> Tensors:
    kinds = {
        "model": checkpoint.model,
        "average": checkpoint.average or {},
        "optimizer": checkpoint.optimizer,
        **{f"random/{rank}": states for rank, states in enumerate(checkpoint.random)},
    }
    return {
        f"{kind}/{name}": tensor.detach().cpu().contiguous()
        for kind, tensors in kinds.items()
        for name, tensor in tensors.items()
    }


def _kind(tensors: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _checksum(tensor: Tensor) -> int:
    return zlib.crc32(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]
