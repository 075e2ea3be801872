"""Checkpoints: what a file is, what it holds, and whether it fits the configuration.

The only check that needs torch; it is imported here and nowhere else in this package.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ava_detect.config import Config
from ava_detect.data.check.finding import Finding, some
from ava_detect.data.check.kinds import Kind
from ava_detect.data.check.row_files import RowFile
from evaluation.errors import AvaDetectError, DataError, WeightsError
from evaluation.label_map import LabelMap
from evaluation.proposals import PROPOSAL_KEY, is_pickle, load_proposals
from evaluation.row_table import ActionRow, table_of_rows
from evaluation.rows import NO_CLASS

if TYPE_CHECKING:
    from torch import Tensor

    from ava_detect.weights.safe_read import Checkpoint

_DETECTOR_PARTS = ("backbone.bottom_up.", "proposal_generator.")
_CLASSIFIERS = re.compile(
    r"(.*\.)?(head\.projection|fc_cls|cls_head\.fc_cls|bbox_head\.fc_cls|proj|pred)\.weight|pred_w"
)
_SHOWN = 3


@dataclass
class CheckpointFacts:
    """What a checkpoint file is.

    Attributes:
        source: the file.
        summary: publisher and size in words.
        num_classes: rows of the classifier; 0 when it has none that is known.
        proposals: the person boxes, if the file is a pickle of mmaction2's proposals and no checkpoint.
        config: the configuration inside a file of ours.
        label_map: the label map inside a file of ours.
        findings: what is wrong with it.
    """

    source: str
    summary: str = ""
    num_classes: int = 0
    proposals: RowFile | None = None
    config: Config | None = None
    label_map: LabelMap | None = None
    findings: list[Finding] = field(default_factory=list)


def read_checkpoint_facts(path: Path) -> CheckpointFacts:
    """Read a checkpoint without running anything in it."""
    from ava_detect.weights.safe_read import read_checkpoint

    facts = CheckpointFacts(str(path))
    try:
        arrays = _proposals_in(path)
        if arrays is not None:
            facts.proposals, found = _proposals(str(path), arrays)
            facts.findings += found
            return facts
        _describe(facts, read_checkpoint(path))
    except AvaDetectError as error:
        message = str(error).removeprefix(f"{path}: ")
        facts.findings.append(Finding("checkpoint-unreadable", str(path), message, hint=error.hint))
    return facts


def _proposals_in(path: Path) -> dict[str, np.ndarray] | None:
    """Return a pickle's arrays if they are proposals; what is wrong with others, their own reader says."""
    if not is_pickle(path):
        return None
    try:
        return load_proposals(path)
    except DataError:
        return None


def _describe(facts: CheckpointFacts, checkpoint: "Checkpoint") -> None:
    """Fill in what a file of weights is.

    Raises:
        WeightsError: its publisher is not known.
    """
    from ava_detect.weights.load import publisher_of
    from ava_detect.weights.own_format import read_enclosed

    numbers = sum(tensor.numel() for tensor in checkpoint.tensors.values())
    size = f"{len(checkpoint.tensors):,} tensors, {numbers / 1e6:.1f} million numbers"
    bad = [
        name
        for name, tensor in checkpoint.tensors.items()
        if tensor.is_floating_point() and not bool(tensor.isfinite().all())
    ]
    if bad:
        message = f"{len(bad)} tensors hold values that are not finite (NaN): {some(bad)}; training diverged?"
        facts.findings.append(Finding("checkpoint-nan", facts.source, message, len(bad)))
    enclosed = read_enclosed(checkpoint.path)
    if enclosed is not None:
        facts.config, facts.label_map = enclosed.config, enclosed.label_map
        facts.num_classes = enclosed.config.MODEL.NUM_CLASSES
    try:
        publisher = publisher_of(checkpoint).name
    except WeightsError:
        if not any(name.startswith(_DETECTOR_PARTS) for name in checkpoint.tensors):
            raise
        facts.summary = f"person detector of Detectron2, {size}"
        return
    facts.num_classes = facts.num_classes or _classifier_rows(checkpoint.tensors)
    classes = f", {facts.num_classes} classes" if facts.num_classes else ""
    facts.summary = f"{publisher}{classes}, {size}"


def _classifier_rows(tensors: "dict[str, Tensor]") -> int:
    """Return the rows of the classifier, where a publisher's name of it is known."""
    found = [tensor.shape[0] for name, tensor in tensors.items() if _CLASSIFIERS.fullmatch(name)]
    return int(found[0]) if len(found) == 1 else 0


def compare_with_config(facts: CheckpointFacts, cfg: Config, config_source: str) -> Iterator[Finding]:
    """Build the configuration's network and look for tensors without a place, and places without a tensor."""
    if not facts.summary or facts.summary.startswith("person detector"):
        return
    from ava_detect.models import build_model
    from ava_detect.weights.load import compare_weights

    try:
        report = compare_weights(build_model(cfg), facts.source)
    except AvaDetectError as error:
        yield Finding("checkpoint-misfit", facts.source, str(error), hint=error.hint)
        return
    if report.fits:
        return
    sentences = [
        *report.misfits,
        *(f"{name} is not in the model" for name in report.unexpected),
        *(f"{name} is not in the file" for name in report.missing if not report.misfits),
    ]
    total = len(report.loaded) + len(report.missing)
    message = (
        f"{len(report.loaded):,} of {total:,} tensors of the model in {config_source} are in it "
        f"({report.format}): {'; '.join(sentences[:_SHOWN])}"
    )
    if len(sentences) > _SHOWN:
        message += f"; and {len(sentences) - _SHOWN:,} more"
    only_head = all(name.startswith("head.") for name in report.missing) and not report.unexpected
    code = "checkpoint-head" if only_head and report.loaded else "checkpoint-misfit"
    hint = "Is it the configuration that these weights were trained with?"
    yield Finding(code, facts.source, message, len(sentences), hint=hint)


def compare_label_map(facts: CheckpointFacts, label_map: LabelMap) -> Iterator[Finding]:
    """Compare the classes inside a checkpoint, or else the classifier's rows, with a label map.

    A background row may come on top of the rows; AVA's 60 evaluated classes are some of a model's 80.
    """
    if facts.label_map is not None:
        inside = dict(zip(facts.label_map.ids, facts.label_map.names, strict=True))
        others = [i for i, name in zip(label_map.ids, label_map.names, strict=True) if inside.get(i) != name]
        if others:
            message = f"{len(others)} classes of {label_map.source} are not in it, or others: {some(others)}"
            yield Finding("checkpoint-classes", facts.source, message, len(others))
        return
    highest = max(label_map.ids)
    if facts.num_classes and facts.num_classes not in (len(label_map), highest, highest + 1):
        message = (
            f"its classifier has {facts.num_classes} classes; {label_map.source} has {len(label_map)}, "
            f"ids up to {highest}"
        )
        yield Finding("checkpoint-classes", facts.source, message)


def _proposals(source: str, arrays: dict[str, np.ndarray]) -> tuple[RowFile, list[Finding]]:
    """Turn mmaction2's proposals, ``'video,0902' -> [n, 4 or 5]``, into rows of person boxes."""
    rows, unpadded, odd = [], [], []
    for key, array in arrays.items():
        match = PROPOSAL_KEY.fullmatch(key)
        assert match is not None
        if array.ndim != 2 or array.shape[1] not in (4, 5) or not np.isfinite(array).all():
            odd.append(key)
            continue
        if match[2].isdigit() and len(match[2]) < 4:
            unpadded.append(key)
        for values in array.tolist():
            score = values[4] if len(values) == 5 else 1.0
            rows.append(ActionRow(match[1], float(match[2]), tuple(values[:4]), NO_CLASS, score))
    findings = []
    if odd:
        message = f"{len(odd):,} entries are no boxes ([n, 4] or [n, 5] finite numbers): {some(odd)}"
        findings.append(Finding("proposal-shape", source, message, len(odd)))
    if unpadded:
        message = (
            f"{len(unpadded):,} of {len(arrays):,} keys have a time of fewer than four digits "
            f"({unpadded[0]!r}): read here; mmaction2 looks for '0902', and gives keyframes that it does not"
            " find the whole picture as box"
        )
        findings.append(Finding("proposal-keys", source, message, len(unpadded)))
    if not rows:
        findings.append(Finding("empty", source, "no boxes in it"))
    table = table_of_rows(rows, source=source)
    return RowFile(Kind.BOXES, replace(table, lines=np.zeros(len(rows), np.int32))), findings
