"""The loop of a test: clips in batches through the network, the views of each person averaged."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ava_detect.config import Config
from ava_detect.data.clip_dataset import Batch
from ava_detect.engine.box_confidence import weigh_by_boxes
from ava_detect.engine.failure_causes import told_at
from ava_detect.models import split_pathways
from evaluation.errors import AvaDetectError

ScoreActions = Callable[[list[Tensor], Tensor], Tensor]
"""(clips of the pathways [N, C, T, H, W], rois [R, 5]) -> scores [R, K]."""

DECIMALS = 6
"""Of scores in files; what a test hands on has no more, so that a file holds exactly what was scored."""


@dataclass(frozen=True)
class BatchScores:
    """What became of a batch.

    Attributes:
        keyframes: places in the annotations.
        scores: place -> [R, K] float64 in the order of the keyframe's boxes, rounded to ``DECIMALS``.
        unread: place -> why its clip could not be read; every place is here or in ``scores``.
    """

    keyframes: range
    scores: dict[int, np.ndarray]
    unread: dict[int, str]


def score_batches(
    batches: Sequence[range],
    clips: Iterable[Batch],
    num_views: int,
    network: ScoreActions,
    cfg: Config,
    device: torch.device,
) -> Iterator[BatchScores]:
    """Score batches one after the other.

    Args:
        batches: places in the annotations.
        clips: of every batch, its views one after the other.
        num_views: how many views there are.
        network: with its weights, for scores only.
        cfg: says how clips become the pathways' clips.
        device: where the network takes its clips.

    Raises:
        AvaDetectError: the network fails, or gives scores that are not finite.
    """
    rest = iter(clips)
    for keyframes in batches:
        views = [_one_view(next(rest), network, cfg, device) for _ in range(num_views)]
        unread = {place: reason for _, missing in views for place, reason in missing.items()}
        scores = {
            place: np.stack([view[place] for view, _ in views]).mean(axis=0).round(DECIMALS)
            for place in keyframes
            if place not in unread
        }
        yield BatchScores(keyframes, scores, unread)


def _one_view(
    batch: Batch, network: ScoreActions, cfg: Config, device: torch.device
) -> tuple[dict[int, np.ndarray], dict[int, str]]:
    """Return place -> [R, K] float64 of the clips that were read, and place -> reason of the others."""
    unread = {clip.index: clip.reason for clip in batch.skipped}
    if not len(batch):
        return {}, unread
    with told_at(_place(batch)):
        there = batch.to(device)
        scores = network(split_pathways(there.clips, cfg), there.boxes).double().cpu().numpy()
    ends = np.cumsum([len(keyframe.boxes) for keyframe in batch.keyframes])
    by_place, parts = {}, np.split(scores, ends[:-1])
    for place, keyframe, part in zip(batch.indices, batch.keyframes, parts, strict=True):
        if not np.isfinite(part).all():
            raise AvaDetectError(
                f"{keyframe}: the network's scores are not finite",
                hint="Its weights have diverged, or --precision is too low for them: try fp32.",
            )
        by_place[place] = weigh_by_boxes(part, keyframe.scores, cfg.AVA.DETECTION_SCORE_POWER)
    return by_place, unread


def _place(batch: Batch) -> str:
    first, last = map(str, (batch.keyframes[0], batch.keyframes[-1]))
    return first if first == last else f"{first} to {last}"
