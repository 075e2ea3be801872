"""Person detectors of ours as files: safetensors, with everything that has to travel with the weights inside.

The tensors have Detectron2's names. The header's metadata has one key, ``ava_detect_detector``, with a JSON
document: the settings of the Detectron2 configuration that differ from its defaults as YAML text, the
classes, which of them is the person, the threshold, and where the weights come from.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ava_detect import __version__
from ava_detect.weights.safe_read import read_safetensors_metadata
from ava_detect.weights.storage import to_storage
from evaluation.atomic import atomic_path
from evaluation.errors import WeightsError

_METADATA_KEY = "ava_detect_detector"
_VERSION = 1
_MAX_CLASSES = 10_000


@dataclass(frozen=True)
class DetectorRecord:
    """What a detector's file carries beside the tensors.

    Attributes:
        config: YAML text, the Detectron2 settings that differ from the defaults.
        classes: in the order of the detector's scores.
        person_class: index of the person.
        score_threshold: people below it are dropped unless the user says otherwise.
        result: how good it is and on what, in a line; "" where nothing was measured.
        source: where the weights come from, in a sentence.
    """

    config: str
    classes: tuple[str, ...] = ("person",)
    person_class: int = 0
    score_threshold: float = 0.7
    result: str = ""
    source: str = ""


def save_detector(
    tensors: Mapping[str, Tensor],
    path: str | Path,
    record: DetectorRecord,
    *,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a detector's weights with its record; the file appears when it is complete.

    Args:
        tensors: Detectron2's names and tensors. Batch norm's counters are left out; they are not needed.
        path: of the file, usually ``*.safetensors``.
        record: what goes with them.
        dtype: of the file's convolutions: float32, float16 or int8; see ``storage``.

    Raises:
        WeightsError: the file cannot be written, or a weight is out of the range of half precision.
    """
    from safetensors.torch import save_file

    kept = {name: tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}
    stored = to_storage(kept, dtype)
    document = {
        "version": _VERSION,
        "tool": f"ava-detect {__version__}",
        "source": record.source,
        "result": record.result,
        "config": record.config,
        "classes": list(record.classes),
        "person_class": record.person_class,
        "score_threshold": record.score_threshold,
    }
    try:
        with atomic_path(path) as temporary:
            save_file(stored, temporary, metadata={_METADATA_KEY: json.dumps(document, sort_keys=True)})
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written ({error.strerror or error}).") from error


def read_detector_record(path: str | Path) -> DetectorRecord | None:
    """Read what a detector's file carries beside the tensors; only the header is read.

    Returns:
        None for a file that is no detector of ours.

    Raises:
        WeightsError: it is one and damaged, or written by a newer version.
    """
    text = read_safetensors_metadata(path).get(_METADATA_KEY)
    if text is None:
        return None
    try:
        document = json.loads(text)
        version = document["version"]
        if version == _VERSION:
            return _record(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise WeightsError(f"{path}: the metadata inside are damaged ({error}).") from error
    raise WeightsError(
        f"{path}: written in version {version} of the format; {_VERSION} is read here.",
        hint="pip install --upgrade ava-detect",
    )


def _record(document: Mapping[str, object]) -> DetectorRecord:
    classes = document["classes"]
    if not isinstance(classes, list) or not 0 < len(classes) <= _MAX_CLASSES:
        raise ValueError("no list of classes")
    person, threshold = document["person_class"], document["score_threshold"]
    if not isinstance(person, int) or not 0 <= person < len(classes):
        raise ValueError(f"person class {person!r} of {len(classes)}")
    if not isinstance(threshold, float | int) or not 0 <= threshold <= 1:
        raise ValueError(f"threshold {threshold!r}")
    if not isinstance(document["config"], str):
        raise TypeError("no configuration")
    return DetectorRecord(
        config=document["config"],
        classes=tuple(map(str, classes)),
        person_class=person,
        score_threshold=float(threshold),
        result=str(document.get("result", "")),
        source=str(document.get("source", "")),
    )
