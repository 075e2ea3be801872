"""Rewrite a checkpoint: any format that is read -> ours, or PySlowFast's.

The weights go through the network that they belong to, so that a file that does not fit its configuration is
refused here and not by the program that gets the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from ava_detect.config import Config, load_config
from ava_detect.config.dump import format_value
from ava_detect.config.keys import values_of
from ava_detect.models import build_model
from ava_detect.weights.download import Progress
from ava_detect.weights.load import LoadReport, load_weights
from ava_detect.weights.own_format import save_weights
from ava_detect.weights.pyslowfast import NAMES
from ava_detect.weights.zoo import fetch_weights, find_weights
from evaluation.atomic import atomic_path
from evaluation.errors import WeightsError
from evaluation.label_map import load_label_map

Format = Literal["pyslowfast", "ava-detect"]

# The settings that make a network in PySlowFast; all of them are keys there.
_NETWORK_KEYS = (
    "MODEL.ARCH", "MODEL.NUM_CLASSES", "MODEL.HEAD_ACT", "MODEL.LOSS_FUNC", "MODEL.DROPOUT_RATE",
    "RESNET.DEPTH", "RESNET.TRANS_FUNC", "RESNET.NUM_GROUPS", "RESNET.WIDTH_PER_GROUP", "RESNET.STRIDE_1X1",
    "RESNET.ZERO_INIT_FINAL_BN", "RESNET.NUM_BLOCK_TEMP_KERNEL", "RESNET.SPATIAL_STRIDES",
    "RESNET.SPATIAL_DILATIONS",
    "SLOWFAST.ALPHA", "SLOWFAST.BETA_INV", "SLOWFAST.FUSION_CONV_CHANNEL_RATIO", "SLOWFAST.FUSION_KERNEL_SZ",
    "NONLOCAL.LOCATION", "NONLOCAL.GROUP", "NONLOCAL.INSTANTIATION", "NONLOCAL.POOL",
    "DETECTION.ENABLE", "DETECTION.ALIGNED", "DETECTION.SPATIAL_SCALE_FACTOR",
    "DETECTION.ROI_XFORM_RESOLUTION",
    "DATA.NUM_FRAMES", "DATA.SAMPLING_RATE", "DATA.TARGET_FPS", "DATA.MEAN", "DATA.STD",
    "DATA.INPUT_CHANNEL_NUM", "DATA.TRAIN_CROP_SIZE", "DATA.TEST_CROP_SIZE",
)  # fmt: skip


@dataclass(frozen=True)
class Conversion:
    """What a conversion did.

    Attributes:
        target: the file that was written.
        config: the configuration of the network.
        report: how the source's tensors went into the network.
        notes: what differs from the source, in sentences.
    """

    target: Path
    config: Config
    report: LoadReport
    notes: tuple[str, ...]


def convert(
    source: str | Path,
    target: str | Path,
    to: Format,
    *,
    cfg: str | None = None,
    overrides: Sequence[object] = (),
    labels: str | None = None,
    dtype: torch.dtype = torch.float32,
    note: str = "",
    offline: bool = False,
    progress: Progress | None = None,
) -> Conversion:
    """Rewrite the weights of an action or clip model.

    Args:
        source: zoo name, file or address.
        target: file to write; replaced if it is there.
        to: "pyslowfast" for a ``.pyth`` file that PySlowFast loads, "ava-detect" for a file of ours.
        cfg: the network's configuration, where the source brings none.
        overrides: further settings, ["KEY", value, ...].
        labels: label map to put into a file of ours, instead of the one that the source brings.
        dtype: how a file of ours stores convolutions; see ``storage``.
        note: a sentence to put into a file of ours: where the weights come from.
        offline: never open a connection.
        progress: called while the source is downloaded.

    Raises:
        WeightsError: the source cannot be had or does not fit, or PySlowFast has no such network.
        ConfigError: the configuration is not possible.
    """
    entry = find_weights(source)
    if entry.kind == "persons":
        raise WeightsError(f"{entry.name} finds people; action and clip models are converted.")
    config = load_config(cfg, overrides) if cfg else entry.load_config(overrides)
    if to == "pyslowfast":
        _check_pyslowfast_has(config)
    label_map = load_label_map(labels) if labels else entry.load_labels()
    model = build_model(config)
    report = load_weights(model, fetch_weights(entry, offline=offline, progress=progress))
    notes: tuple[str, ...] = ()
    if to == "pyslowfast":
        notes = save_pyslowfast(model, target, config=config)
    else:
        origin = note or f"converted from {entry.name} ({report.format})"
        save_weights(model, target, config=config, label_map=label_map, source=origin, dtype=dtype)
    return Conversion(Path(target), config, report, notes)


def save_pyslowfast(model: nn.Module, path: str | Path, *, config: Config) -> tuple[str, ...]:
    """Write a model's weights as PySlowFast's ``.pyth``: ``model_state`` in its names, ``cfg`` as YAML text.

    ``epoch`` and ``optimizer_state`` are left out: PySlowFast takes a file with ``epoch`` for a training to
    resume and then wants its optimiser's state.

    Returns:
        What differs from the model, in sentences.

    Raises:
        WeightsError: PySlowFast has no such network, or the file cannot be written.
    """
    _check_pyslowfast_has(config)
    notes = []
    state: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        published = NAMES.from_ours(name)
        if published is None:
            raise WeightsError(f"PySlowFast has no name for {name}.")
        state[published] = tensor.detach().cpu().clone()
    if config.DETECTION.ENABLE and config.DETECTION.BACKGROUND_COLUMN:
        notes.append("the classifier's background row, never trained, is left out: 80 rows instead of 81")
        for leaf in ("weight", "bias"):
            state[f"head.projection.{leaf}"] = state[f"head.projection.{leaf}"][1:].clone()
    if config.MODEL.HEAD_ACT == "none":
        notes.append(f"PySlowFast puts a {_activation(config)} behind the classifier; here scores are logits")
    try:
        with atomic_path(path) as temporary:
            torch.save({"model_state": state, "cfg": _pyslowfast_yaml(config)}, temporary)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written ({error.strerror or error}).") from error
    return tuple(notes)


def _activation(config: Config) -> str:
    """PySlowFast has no classifier without an activation."""
    if config.MODEL.HEAD_ACT != "none":
        return config.MODEL.HEAD_ACT
    return "sigmoid" if config.DATA.MULTI_LABEL else "softmax"


def _pyslowfast_yaml(config: Config) -> str:
    """Write the settings that make the network, as PySlowFast reads them."""
    values = dict(values_of(config))
    values["DATA.TARGET_FPS"] = round(config.DATA.TARGET_FPS)  # a whole number there, and its type is checked
    values["MODEL.HEAD_ACT"] = _activation(config)
    lines = []
    section = ""
    for key in _NETWORK_KEYS:
        head, _, name = key.partition(".")
        if head != section:
            section = head
            lines.append(f"{head}:")
            if head == "MODEL":
                lines.append(f"  MODEL_NAME: {'SlowFast' if config.MODEL.ARCH == 'slowfast' else 'ResNet'}")
        lines.append(f"  {name}: {format_value(values[key])}")
    return "\n".join(lines) + "\n"


def _check_pyslowfast_has(config: Config) -> None:
    """Refuse to write weights of a network that PySlowFast would compute differently, or not at all."""
    reasons = [reason for reason, lacking in _beyond_pyslowfast(config).items() if lacking]
    if reasons:
        raise WeightsError(f"PySlowFast cannot run this network: it has no {', no '.join(reasons)}.")


def _beyond_pyslowfast(config: Config) -> dict[str, bool]:
    """List what this project's networks can be and PySlowFast's cannot."""
    model, slowfast, detection = config.MODEL, config.SLOWFAST, config.DETECTION
    two = model.ARCH == "slowfast"
    attends = any(blocks for stage in config.NONLOCAL.LOCATION for blocks in stage)
    ratio = slowfast.FUSION_CONV_CHANNEL_RATIO
    return {
        f"arch {model.ARCH!r}": model.ARCH == "fast",
        "SLOWFAST.PATHWAYS": bool(slowfast.PATHWAYS),
        f"lateral connection {slowfast.LATERAL!r}": two and slowfast.LATERAL != "conv",
        "lateral connection without norm": two and not slowfast.LATERAL_NORM,
        "Slow frames by stride": two and slowfast.SLOW_FRAMES != "linspace",
        f"Fast input {slowfast.FAST_INPUT!r}": two and slowfast.FAST_INPUT != "rgb",
        f"beta 1/{slowfast.BETA_INV} with {ratio} lateral channels each": two
        and (slowfast.BETA_INV % ratio != 0 or 64 % slowfast.BETA_INV != 0),
        "stride on the 1x1 convolutions of two pathways": two and config.RESNET.STRIDE_1X1,
        f"basic-block ResNet of depth {config.RESNET.DEPTH}": config.RESNET.DEPTH in (18, 34),
        f"frame rate of {config.DATA.TARGET_FPS}": config.DATA.TARGET_FPS % 1 != 0,
        "stem width of its own": config.RESNET.STEM_WIDTH not in (0, config.RESNET.WIDTH_PER_GROUP),
        "non-local block that pools after its convolutions": attends and not config.NONLOCAL.POOL_FIRST,
        "non-local block without a last bias": attends and not config.NONLOCAL.OUT_BIAS,
        "maximum over time in the RoI head": detection.ENABLE and detection.TEMPORAL_POOL != "avg",
        "whole-frame context in the RoI head": detection.ENABLE and detection.CONTEXT,
        "hidden layer in the RoI head": detection.ENABLE and detection.MLP_DIM > 0,
        "Fast-Slow order of features": two and model.HEAD_CONCAT != "slow_fast",
        "global pool in the classification head": not detection.ENABLE and model.HEAD_POOL != "local",
    }
