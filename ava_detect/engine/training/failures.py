"""What can go wrong on the way, in words: memory, disks, worker processes, other machines, losses."""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ava_detect.engine.failure_causes import Cause, cause_of
from evaluation.atomic import atomic_path
from evaluation.errors import AvaDetectError, DataError
from evaluation.rows import format_time

if TYPE_CHECKING:
    from torch import Tensor

    from ava_detect.data.clip_dataset import Batch
    from ava_detect.engine.training.loss import BoxLoss

logger = logging.getLogger(__name__)

_NAMED = 4
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class TrainingError(AvaDetectError):
    """A run stopped before its end."""


@contextmanager
def told_in_words(*, batch_size: int, workers: int) -> Iterator[None]:
    """Turn what torch raises when memory, a worker or another process is gone into an error with advice.

    Raises:
        TrainingError: memory is short, or another process is gone.
        DataError: a process that reads clips died.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        cause = cause_of(error)
        if cause is Cause.MEMORY:
            raise _out_of_memory(batch_size) from error
        if cause is Cause.READER:
            raise _dead_worker(str(error), workers) from error
        if _is_lost_peer(error, cause):
            raise TrainingError(
                f"another process of this run is gone ({_first_sentence(str(error))})",
                hint="Its own message says why. With torchrun --max-restarts 3 the run goes on by itself.",
            ) from error
        raise


def _first_sentence(text: str) -> str:
    """Leave out the source file in front and the advice behind what torch reports."""
    return re.sub(r"^\[[^]]*\]\s*", "", text.splitlines()[0]).split(". ")[0]


def _is_lost_peer(error: Exception, cause: Cause | None) -> bool:
    import torch.distributed as dist

    if not dist.is_available() or not dist.is_initialized():
        return False
    return isinstance(error, dist.DistBackendError) or cause is Cause.PEER


def _out_of_memory(batch_size: int) -> TrainingError:
    return TrainingError(
        f"out of memory with TRAIN.BATCH_SIZE {batch_size}",
        hint="The same training in less memory: SOLVER.GRAD_ACCUMULATION 2 (then 4, ...), --precision bf16.",
    )


def _dead_worker(text: str, workers: int) -> DataError:
    number = re.search(r"pid(?:\(s\))? ([\d, ]+)", text)
    which = f" (process {number[1].strip()})" if number else ""
    return DataError(
        f"one of the {workers} processes that read clips died{which}: killed, most often for want of memory",
        hint="Set DATA_LOADER.NUM_WORKERS or DATA_LOADER.PREFETCH_FACTOR lower, then --resume.",
    )


def cannot_write(path: Path, error: OSError) -> TrainingError:
    """Say that a file of the run cannot be written, and what is left."""
    reason = "the disk is full" if error.errno in _NO_SPACE else error.strerror or str(error)
    return TrainingError(
        f"{path}: cannot be written: {reason}",
        hint="What was written before is whole. Make room, or lower TRAIN.KEEP_CHECKPOINTS; then --resume.",
    )


def describe_crash(
    loss: BoxLoss, parts: Sequence[Batch], logits: Sequence[Tensor], class_ids: Sequence[int]
) -> list[str]:
    """Return one line per keyframe, and one for the classes, about losses that are not finite."""
    lines = []
    bad_classes: set[int] = set()
    for part, scores in zip(parts, logits, strict=True):
        start = 0
        for keyframe in part.keyframes:
            rows = slice(start, start + len(keyframe.boxes))
            start = rows.stop
            value = loss(scores[rows], part.labels[rows]).item()
            finite = scores[rows].isfinite()
            lines.append(
                f"{keyframe.video_id} at {format_time(keyframe.second)}: loss {value:.4g},"
                f" {len(keyframe.boxes)} boxes, {int((~finite).sum())} of {finite.numel()} logits not finite"
            )
            columns = (~finite).any(dim=0).nonzero()[:, 0].tolist()
            bad_classes.update(class_ids[column] for column in columns)
    if bad_classes:
        lines.append(f"classes with logits that are not finite: {_some(sorted(bad_classes))}")
    return lines


def _some(ids: Sequence[int]) -> str:
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return ", ".join(map(str, ids[:_NAMED])) + more


def keep_batch(path: Path, parts: Sequence[Batch], logits: Sequence[Tensor]) -> None:
    """Save the clips of a step as torch's ``load(weights_only=True)`` reads them."""
    import torch

    document = [
        {
            "clips": part.clips.cpu(),
            "boxes": part.boxes.cpu(),
            "labels": part.labels.cpu(),
            "logits": scores.cpu(),
            "keyframes": [str(keyframe) for keyframe in part.keyframes],
        }
        for part, scores in zip(parts, logits, strict=True)
    ]
    try:
        with atomic_path(path) as temporary:
            torch.save(document, temporary)
    except OSError as error:
        logger.warning("%s", cannot_write(path, error))
