"""Two detections files on one ground truth: which is better, where, and is it more than chance?

The intervals come from a bootstrap over videos: keyframes of one video are too much alike to count as
separate evidence. A video that is drawn twice counts all its boxes and detections twice; the ranking
stays, so that a resample only changes weights and its AP follows from weighted counts at the true
positives.
"""

from dataclasses import dataclass

import numpy as np

from evaluation.errors import UsageError
from evaluation.frame_map import ClassRanking, EvaluationResult, Scoring

_DENSE_CELLS = 1 << 25  # of float32: 128 MB
_RESAMPLES_AT_ONCE = 125


@dataclass(frozen=True)
class Difference:
    """A number under two files.

    Attributes:
        first, second: the value for either file.
        low, high: interval of ``second - first``.
    """

    first: float
    second: float
    low: float
    high: float

    @property
    def change(self) -> float:
        """How much the second file is better."""
        return self.second - self.first

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves no doubt about the sign."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Comparison:
    """The comparison of two detections files.

    Attributes:
        mean: mAP.
        per_class: AP by class id, for classes that count under both files.
        share_better: share of the resamples in which the second file has the higher mAP.
        num_videos, num_resamples, seed, confidence: how the intervals were made.
    """

    mean: Difference
    per_class: dict[int, Difference]
    share_better: float
    num_videos: int
    num_resamples: int
    seed: int
    confidence: float


def compare(
    first: EvaluationResult,
    second: EvaluationResult,
    *,
    num_resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Comparison:
    """Compare two results on the same ground truth, class by class.

    Args:
        first: the result to compare with.
        second: the result that is better when differences are positive.
        num_resamples: bootstrap resamples of the videos.
        seed: of the resampling.
        confidence: share of the resamples inside the intervals.

    Raises:
        UsageError: the results are of different classes or protocols.
    """
    if first.per_class.keys() != second.per_class.keys() or first.protocol != second.protocol:
        raise UsageError("two results can be compared only under one protocol and one label map")
    names = sorted({name for result in (first, second) for name in _video_names(result.scoring)})
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=num_resamples).T
    weights = np.ascontiguousarray(weights, np.float32)  # [videos, resamples]
    samples = [resampled_ap(result, names, weights) for result in (first, second)]  # [K, resamples]
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    per_class = {}
    for column, (one, other) in enumerate(zip(first.classes, second.classes, strict=True)):
        if not np.isnan(one.ap) and not np.isnan(other.ap):
            change = samples[1][column] - samples[0][column]
            per_class[one.class_id] = Difference(one.ap, other.ap, *_quantiles(change, ends))
    change = _means(samples[1]) - _means(samples[0])
    return Comparison(
        mean=Difference(first.mean, second.mean, *_quantiles(change, ends)),
        per_class=per_class,
        share_better=float((change > 0).mean()),
        num_videos=len(names),
        num_resamples=num_resamples,
        seed=seed,
        confidence=confidence,
    )


def _video_names(scoring: Scoring) -> list[str]:
    """Return the videos with scored keyframes."""
    videos = np.unique(scoring.keyframes.videos[scoring.truth.scored_frames])
    return [scoring.keyframes.video_names[video] for video in videos.tolist()]


def _quantiles(values: np.ndarray, ends: list[float]) -> tuple[float, float]:
    low, high = np.nanquantile(values, ends) if not np.isnan(values).all() else (np.nan, np.nan)
    return float(low), float(high)


def _means(samples: np.ndarray) -> np.ndarray:
    """Average over the classes that have ground truth in a resample."""
    counted = ~np.isnan(samples)
    return np.where(counted, samples, 0).sum(axis=0) / np.maximum(1, counted.sum(axis=0))


def resampled_ap(result: EvaluationResult, names: list[str], weights: np.ndarray) -> np.ndarray:
    """Return the AP of every class under other weights of the videos.

    Args:
        result: a scored file.
        names: V video ids.
        weights: [V, B] how often each video counts in each of B resamples.

    Returns:
        [K, B]; NaN where a class has no ground truth in a resample or does not count.
    """
    scoring = result.scoring
    place = {name: place for place, name in enumerate(names)}
    # Excluded keyframes may be the only ones of a video: it then has no weight.
    code = np.array([place.get(name, -1) for name in scoring.keyframes.video_names])
    video_of_frame = code[scoring.keyframes.videos]
    counted = scoring.truth.counted
    truth_videos = video_of_frame[scoring.keyframes.of_rows[0][counted]]
    truth_columns = class_columns_of(scoring)[counted]
    samples = np.full((len(result.classes), weights.shape[1]), np.nan)
    for ranking, entry in zip(result.rankings, result.classes, strict=True):
        if np.isnan(entry.ap):
            continue
        videos = truth_videos[truth_columns == ranking.column]
        num_truth = np.bincount(videos[videos >= 0], minlength=len(names)) @ weights
        found = video_of_frame[scoring.keyframes.of_rows[1][ranking.rows]]
        with np.errstate(invalid="ignore", divide="ignore"):
            samples[ranking.column] = np.where(
                num_truth > 0, _weighted_envelope_sum(ranking, found, weights) / num_truth, np.nan
            )
    return samples


def class_columns_of(scoring: Scoring) -> np.ndarray:
    """Return [R] the class column of every ground-truth row that counts, 0 elsewhere."""
    columns = np.zeros(len(scoring.annotated), np.int64)
    lookup = {class_id: column for column, class_id in enumerate(scoring.label_map.ids)}
    ids = scoring.annotated.action_ids[scoring.truth.counted]
    columns[scoring.truth.counted] = [lookup[class_id] for class_id in ids.tolist()]
    return columns


def _weighted_envelope_sum(ranking: ClassRanking, videos: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return n times the AP: the sum over true positives of weight times precision envelope.

    Args:
        ranking: a class's detections.
        videos: [n] the video of each.
        weights: [V, B].

    Returns:
        [B].
    """
    hits = np.flatnonzero(ranking.correct)
    if not len(hits):
        return np.zeros(weights.shape[1])
    # Detections between two true positives belong to the later one.
    segments = np.searchsorted(hits, np.arange(hits[-1] + 1))
    ranks = _RunningWeight(segments, videos[: len(segments)], len(weights))
    found = _RunningWeight(np.arange(len(hits)), videos[hits], len(weights))
    totals = np.empty(weights.shape[1])
    for start in range(0, weights.shape[1], _RESAMPLES_AT_ONCE):
        part = np.ascontiguousarray(weights[:, start : start + _RESAMPLES_AT_ONCE].T)  # [resamples, videos]
        precision = found.under(part) / np.maximum(ranks.under(part), 1)  # [resamples, true positives]
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        totals[start : start + len(part)] = np.einsum("bt,bt->b", part[:, videos[hits]], envelope)
    return totals


class _RunningWeight:
    """The weight of all detections up to the end of each segment, under any weights of the videos."""

    def __init__(self, segments: np.ndarray, videos: np.ndarray, num_videos: int) -> None:
        """Take [n] segments, ascending from 0 without gaps, and the [n] videos of their detections."""
        count = int(segments[-1]) + 1
        self._videos = videos
        self._starts = np.flatnonzero(np.diff(segments, prepend=-1))
        self._table: np.ndarray | None = None  # [videos, segments] counts, when they fit
        if count * num_videos <= _DENSE_CELLS:
            table = np.bincount(videos * count + segments, minlength=count * num_videos)
            self._table = np.cumsum(table.reshape(num_videos, count), axis=1).astype(np.float32)

    def under(self, weights: np.ndarray) -> np.ndarray:
        """Return [B, segments] float32, exact up to 2**24, for weights [B, V]."""
        if self._table is not None:
            return weights @ self._table
        return np.cumsum(np.add.reduceat(weights[:, self._videos], self._starts, axis=1), axis=1)
