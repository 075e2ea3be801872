"""Put the weights of a checkpoint file into a model, with every tensor of both accounted for.

The publisher is found from the names in the file. A file fits when each of its tensors has a place of the
right shape and each parameter gets a tensor; anything else is an error that names the first misfits, and then
the model is as it was. The one exception has to be asked for: with ``finetune`` the classifier (everything
under ``head.``) keeps its initial values where the file's has another width or form.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from ava_detect.weights.caffe2 import CAFFE2
from ava_detect.weights.mmaction2 import MMACTION2
from ava_detect.weights.own_format import OWN
from ava_detect.weights.publisher import Publisher
from ava_detect.weights.pyslowfast import PYSLOWFAST, PYSLOWFAST_IMAGE
from ava_detect.weights.pytorchvideo import PYTORCHVIDEO
from ava_detect.weights.safe_read import Checkpoint, read_checkpoint
from ava_detect.weights.torchvision import TORCHVISION
from evaluation.errors import WeightsError

PUBLISHERS = (OWN, PYSLOWFAST_IMAGE, PYSLOWFAST, CAFFE2, PYTORCHVIDEO, MMACTION2, TORCHVISION)
"""In the order in which they are tried."""

_HEAD = "head."
_DDP = "module."  # torch's DistributedDataParallel puts this in front of every name
_COUNTER = "num_batches_tracked"  # of batch norm; has no effect at a fixed momentum, and Caffe2 has none
_SHOWN = 3

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadReport:
    """What became of every tensor of a file and of a model.

    Attributes:
        format: the publisher, for example "PySlowFast".
        loaded: our names of the parameters and buffers that fit.
        dropped: published name -> why the tensor was left out on purpose.
        missing: our names that keep their values.
        unexpected: published names without a place in the model.
        adapted: our name -> what was done to the published tensor.
        misfits: one sentence per tensor whose shape or values do not fit.
    """

    format: str
    loaded: tuple[str, ...]
    dropped: dict[str, str]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    adapted: dict[str, str]
    misfits: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether nothing is missing, unexpected or misfitting."""
        return bool(self.loaded) and not (self.missing or self.unexpected or self.misfits)

    @property
    def fits_but_head(self) -> bool:
        """Whether nothing but the classifier is missing."""
        others = [name for name in self.missing if not name.startswith(_HEAD)]
        return bool(self.loaded) and not (others or self.unexpected or self.misfits)

    def summary(self) -> str:
        """Say in a line what was loaded and what was not."""
        text = f"loaded {len(self.loaded)} of {len(self.loaded) + len(self.missing)} tensors ({self.format})"
        if self.missing:
            text += f"; new: {_some(self.missing)}"
        if self.dropped:
            text += (
                f"; left out: {len(self.dropped)} of the file ({_some(sorted(set(self.dropped.values())))})"
            )
        return text


def load_weights(model: nn.Module, path: str | Path, finetune: bool = False) -> LoadReport:
    """Set a model's parameters and buffers from a checkpoint file.

    Args:
        model: from ``build_model``; on any device and in any floating-point type.
        path: a file of this project, PySlowFast, its Caffe2 zoo, pytorchvideo, mmaction2 or torchvision.
        finetune: the classifier may keep its initial values where the file's has another width or form.

    Raises:
        WeightsError: the file cannot be read safely, its publisher is not known, or it does not fit the
            model; the model is unchanged then.
    """
    return load_checkpoint(model, read_checkpoint(path), finetune=finetune)


def load_checkpoint(model: nn.Module, checkpoint: Checkpoint, *, finetune: bool = False) -> LoadReport:
    """Set a model's parameters and buffers from what ``read_checkpoint`` returned; see ``load_weights``."""
    match = _match(model, checkpoint)
    report = match.report(finetune=finetune)
    if not (report.fits or (finetune and report.fits_but_head)):
        raise _misfit(checkpoint.path, match)
    state = model.state_dict()
    with torch.no_grad():
        for name, tensor in match.placed.items():
            state[name].copy_(tensor)
    log.debug("%s: %s", checkpoint.path, report.summary())
    return report


def compare_weights(model: nn.Module, path: str | Path) -> LoadReport:
    """Return what ``load_weights`` would find, misfits included, without changing the model.

    Raises:
        WeightsError: the file cannot be read safely, or its publisher is not known.
    """
    return _match(model, read_checkpoint(path)).report(finetune=False)


def publisher_of(checkpoint: Checkpoint) -> Publisher:
    """Find out who wrote a checkpoint from the names in it.

    Raises:
        WeightsError: the names are nobody's that is known.
    """
    tensors = _without_ddp(checkpoint.tensors)
    for publisher in PUBLISHERS:
        if publisher.recognises(tensors):
            return publisher
    if any(name.startswith(("backbone.bottom_up.", "proposal_generator.")) for name in tensors):
        raise WeightsError(
            f"{checkpoint.path}: holds a person detector of Detectron2; an action model is expected.",
            hint="Give it as --detector-weights.",
        )
    raise WeightsError(
        f"{checkpoint.path}: the names of its tensors are of no known publisher: {_some(list(tensors))}.",
        hint="Known are: " + ", ".join(publisher.name for publisher in PUBLISHERS) + ".",
    )


@dataclass
class _Match:
    """The tensors of a file beside the parameters of a model, before it is judged whether that is good."""

    format: str
    placed: dict[str, Tensor] = field(default_factory=dict)  # our name -> tensor that fits
    sources: dict[str, str] = field(default_factory=dict)  # our name -> published name
    adapted: dict[str, str] = field(default_factory=dict)  # our name -> what was done to the tensor
    dropped: dict[str, str] = field(default_factory=dict)  # published name -> reason
    unplaced: dict[str, str] = field(default_factory=dict)  # published name -> our name, "" for none
    misfits: dict[str, str] = field(default_factory=dict)  # our name -> sentence
    missing: list[str] = field(default_factory=list)  # our names

    def report(self, *, finetune: bool) -> LoadReport:
        """Draw up the account; with ``finetune``, a classifier that does not fit counts as left out."""
        dropped, unplaced, misfits = dict(self.dropped), dict(self.unplaced), dict(self.misfits)
        if finetune:
            for published in [each for each, name in unplaced.items() if name.startswith(_HEAD)]:
                del unplaced[published]
                dropped[published] = "the model has another kind of classifier"
            for name in [name for name in misfits if name.startswith(_HEAD)]:
                dropped[self.sources[name]] = misfits.pop(name)
        return LoadReport(
            format=self.format,
            loaded=tuple(self.placed),
            dropped=dropped,
            missing=tuple(self.missing),
            unexpected=tuple(unplaced),
            adapted=self.adapted,
            misfits=tuple(misfits.values()),
        )


def _match(model: nn.Module, checkpoint: Checkpoint) -> _Match:
    """Look up the place of every tensor."""
    publisher, state = publisher_of(checkpoint), model.state_dict()
    names = publisher.names(_without_ddp(checkpoint.tensors))
    match = _Match(publisher.name)
    for published, tensor in checkpoint.tensors.items():
        bare = published.removeprefix(_DDP)
        name = names.to_ours(publisher.bare(bare)) or ""
        if reason := publisher.reason_to_drop(bare):
            match.dropped[published] = reason
        elif name in match.sources:
            match.misfits[name] = f"{published} and {match.sources[name]} are the same parameter"
        elif name in state:
            match.sources[name] = published
            _place(match, publisher, name, tensor, state[name])
        elif published.endswith(_COUNTER):
            match.dropped[published] = "a counter that the model does not keep"
        else:
            match.unplaced[published] = name
    match.missing = [name for name in state if name not in match.placed and not name.endswith(_COUNTER)]
    return match


def _place(match: _Match, publisher: Publisher, name: str, tensor: Tensor, target: Tensor) -> None:
    """Bring a tensor into the form of its parameter, or note why that cannot be."""
    published = match.sources[name]
    adapted = publisher.adapt(name, tensor, tuple(target.shape))
    if adapted is None:
        sizes = f"{list(tensor.shape)} in the file and {list(target.shape)} in the model"
        match.misfits[name] = f"{published} is {sizes}"
    elif target.is_floating_point() != tensor.is_floating_point():
        match.misfits[name] = f"{published} holds {tensor.dtype} where {target.dtype} is expected"
    elif tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        match.misfits[name] = f"{published} holds values that are not numbers (NaN or infinite)"
    else:
        match.placed[name] = adapted.tensor
        if adapted.note:
            match.adapted[name] = adapted.note


def _without_ddp(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(_DDP): tensor for name, tensor in tensors.items()}


def _misfit(path: Path, match: _Match) -> WeightsError:
    """Describe what does not fit: the first few, and how many there are."""
    absent = [name for name in match.missing if name not in match.misfits]
    sentences = [
        *match.misfits.values(),
        *(f"{published} is not in the model" for published in match.unplaced),
        *(f"{name} is not in the file" for name in absent),
    ]
    if match.report(finetune=True).fits_but_head:
        return WeightsError(
            f"{path}: everything fits but the classifier: {sentences[0]}.",
            hint="If it was trained on other classes, give its label map (--labels FILE), or train a new\n"
            "classifier on these weights (--finetune).",
        )
    more = f"; and {len(sentences) - _SHOWN} more" if len(sentences) > _SHOWN else ""
    share = f"{len(match.placed)} of {len(match.placed) + len(match.missing)} tensors fit"
    return WeightsError(
        f"{path} ({match.format}) does not fit the model, {share}: {'; '.join(sentences[:_SHOWN])}{more}.",
        hint="Is it the configuration that these weights were trained with?",
    )


def _some(names: Sequence[str]) -> str:
    """Name the first few."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
