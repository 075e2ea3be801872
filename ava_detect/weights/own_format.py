"""Our own weights files: safetensors, with everything that has to travel with the weights inside.

The tensors have our names. The header's metadata has one key, ``ava_detect``, with a JSON document: the whole
configuration as YAML text (clip sampling, normalisation and test size are in it), the label map, and where
the weights come from. One key, because the order of several would not be the same in every file.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from ava_detect import __version__
from ava_detect.config import Config, dump_config, parse_config
from ava_detect.weights.publisher import Publisher, Tensors
from ava_detect.weights.safe_read import read_safetensors_metadata
from ava_detect.weights.storage import to_storage
from evaluation.atomic import atomic_path
from evaluation.errors import AvaDetectError, WeightsError
from evaluation.label_map import LabelMap

_METADATA_KEY = "ava_detect"
_VERSION = 1


class _SameNames:
    """The name map of our own files."""

    def to_ours(self, name: str) -> str:
        return name


def _recognises(tensors: Tensors) -> bool:
    return any(name.startswith("pathways.0.") for name in tensors)


OWN = Publisher("ava-detect", _recognises, names=lambda _: _SameNames())


@dataclass(frozen=True)
class Enclosed:
    """What a weights file of ours carries beside the tensors.

    Attributes:
        config: the configuration that the model was built from.
        label_map: the classes in the order of the classifier's rows; None where no label map is known.
        source: where the weights come from, in a sentence.
    """

    config: Config
    label_map: LabelMap | None
    source: str


def save_weights(
    model: nn.Module,
    path: str | Path,
    *,
    config: Config,
    label_map: LabelMap | None = None,
    source: str = "",
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a model's weights with its configuration and label map; the file appears when it is complete.

    Args:
        model: from ``build_model(config)``.
        path: of the file, usually ``*.safetensors``.
        config: what the model was built from.
        label_map: the classes in the order of the classifier's rows.
        source: where the weights come from, in a sentence.
        dtype: of the file's convolutions: float32, float16 or int8; see ``storage``.

    Raises:
        WeightsError: the file cannot be written, or a weight is out of the range of half precision.
        ValueError: the label map has another number of classes than the model.
    """
    from safetensors.torch import save_file

    if label_map is not None and len(label_map) != config.MODEL.NUM_CLASSES:
        raise ValueError(
            f"{len(label_map)} classes in the label map, {config.MODEL.NUM_CLASSES} in the model"
        )
    tensors = to_storage(model.state_dict(), dtype)
    document = {
        "version": _VERSION,
        "tool": f"ava-detect {__version__}",
        "source": source,
        "config": dump_config(config),
        "label_map": None if label_map is None else _label_map_as_json(label_map),
    }
    try:
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, metadata={_METADATA_KEY: json.dumps(document, sort_keys=True)})
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written ({error.strerror or error}).") from error


def read_enclosed(path: str | Path) -> Enclosed | None:
    """Read what a weights file of ours carries beside the tensors; only the header is read.

    Returns:
        None for a file that is not ours.

    Raises:
        WeightsError: it is ours and damaged, or written by a newer version.
    """
    text = read_safetensors_metadata(path).get(_METADATA_KEY)
    if text is None:
        return None
    try:
        document = json.loads(text)
        if document["version"] != _VERSION:
            raise WeightsError(
                f"{path}: written in version {document['version']} of the format; {_VERSION} is read here.",
                hint="pip install --upgrade ava-detect",
            )
        config = parse_config(str(document["config"]), f"{path} (configuration inside)")
        label_map = _label_map_from_json(document["label_map"])
    except WeightsError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, AvaDetectError) as error:
        raise WeightsError(f"{path}: the metadata inside are damaged ({error}).") from error
    return Enclosed(config, label_map, str(document.get("source", "")))


def _label_map_as_json(label_map: LabelMap) -> dict[str, object]:
    fields = asdict(label_map)
    return {name: fields[name] for name in ("ids", "names", "groups", "source")}


def _label_map_from_json(document: Mapping[str, list] | None) -> LabelMap | None:
    if document is None:
        return None
    label_map = LabelMap(
        ids=tuple(int(class_id) for class_id in document["ids"]),
        names=tuple(str(name) for name in document["names"]),
        groups=tuple(str(group) for group in document["groups"]),
        source=str(document["source"]),
    )
    if len(set(label_map.ids)) != len(label_map) or any(class_id < 1 for class_id in label_map.ids):
        raise ValueError("class ids must be different and at least 1")
    return label_map
