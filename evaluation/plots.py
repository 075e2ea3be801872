"""The evaluation as pictures: AP by class, precision against recall, two files compared, mistakes.

Needs matplotlib (the extra ``plot``), which is imported when the first picture is drawn.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evaluation.atomic import atomic_path
from evaluation.comparison import Comparison
from evaluation.error_analysis import KINDS, MISSES, ErrorAnalysis
from evaluation.errors import MissingDependencyError
from evaluation.frame_map import ClassRanking, ClassResult, EvaluationResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart.
_GROUP_COLOURS = {"pose": "#0072B2", "object": "#009E73", "person": "#CC79A7", "other": "#666666"}
_KIND_COLOURS = ("#009E73", "#CC79A7", "#D55E00", "#E69F00", "#BBBBBB")
_BETTER, _WORSE, _UNCLEAR = "#0072B2", "#D55E00", "#AAAAAA"
_INK = "#333333"
_DPI = 150
_BAR_IN = 0.21  # height of one class
_CURVES_PER_ROW = 6
_MAX_POINTS = 400  # of one curve
_LONGEST_NAME = 40


def plot_class_ap(result: EvaluationResult, path: Path) -> None:
    """Draw AP by class as bars, group by group, the best first."""
    entries = sorted(_counted(result), key=lambda e: (-list(result.groups).index(e.group), e.ap))
    places = _places([entry.group for entry in entries])
    figure, axes = _figure(8.5, 1.5 + _BAR_IN * (places[-1] + 1))
    values = np.array([100 * entry.ap for entry in entries])
    axes.barh(places, values, height=0.72, color=[_GROUP_COLOURS[entry.group] for entry in entries])
    for place, value, entry in zip(places, values, entries, strict=True):
        text = f"{value:.1f}   n = {entry.num_truth:,}"
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        axes.text(value + 0.8, place, text, va="center", fontsize=7, color=_INK, bbox=ground)
    for group, mean in result.groups.items():
        members = places[[entry.group == group for entry in entries]]
        span = [members.min() - 0.5, members.max() + 0.5]
        colour = _GROUP_COLOURS[group]
        axes.plot([100 * mean] * 2, span, color=colour, linestyle=":", linewidth=1.2)
        axes.text(
            115, members.max() + 0.95, f"{group}: mAP {100 * mean:.1f}", color=colour, ha="right", va="center"
        )
    _class_axis(axes, places, [_label(entry) for entry in entries], headroom=1.5)
    axes.set_xlim(0, 115)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel(f"average precision at IoU {result.iou_threshold:g}, %")
    axes.set_title(_title(result), loc="left", fontsize=10)
    _save(figure, path)


def plot_precision_recall(result: EvaluationResult, path: Path) -> None:
    """Draw precision against recall, one small picture per class, the best class first."""
    from matplotlib.figure import Figure

    pairs = [(e, r) for e, r in zip(result.classes, result.rankings, strict=True) if not np.isnan(e.ap)]
    pairs.sort(key=lambda pair: -pair[0].ap)
    columns = min(_CURVES_PER_ROW, len(pairs))
    rows = -(-len(pairs) // columns)
    width, height = max(6.0, 0.6 + 1.9 * columns), 0.9 + 1.75 * rows
    figure = Figure(figsize=(width, height), dpi=_DPI)
    # By hand: an automatic layout of sixty small pictures takes seconds.
    figure.subplots_adjust(
        left=0.4 / width,
        right=1 - 0.15 / width,
        bottom=0.3 / height,
        top=1 - 0.65 / height,
        hspace=0.28,
        wspace=0.1,
    )
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(pairs) :]:
        axes.set_visible(False)
    for axes, (entry, ranking) in zip(grid.flat, pairs, strict=False):
        _draw_curve(axes, entry, ranking)
    figure.suptitle(
        f"{_title(result)}: precision against recall, %", fontsize=10, y=1 - 0.15 / height, va="top"
    )
    _save(figure, path)


def _draw_curve(axes: "Axes", entry: ClassResult, ranking: ClassRanking) -> None:
    colour = _GROUP_COLOURS[entry.group]
    recall, precision, envelope = curve_points(ranking)
    axes.fill_between(recall, envelope, color=colour, alpha=0.22, linewidth=0, step="pre")
    axes.plot(recall, precision, color=colour, linewidth=0.9)
    name = entry.name if len(entry.name) <= 22 else entry.name[:20] + "..."
    axes.set_title(f"{name}  {100 * entry.ap:.1f}", fontsize=7, color=_INK, pad=3)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 103)
    axes.set_xticks([0, 50, 100])
    axes.set_yticks([0, 50, 100])
    axes.tick_params(labelsize=6, length=2)
    axes.spines[["top", "right"]].set_visible(False)


def curve_points(ranking: ClassRanking) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return recall, precision and its envelope at true positives, in per cent, thinned to a drawable number.

    Args:
        ranking: a class with ground truth.

    Returns:
        Three arrays of equal length; recall begins with 0.
    """
    hits = np.flatnonzero(ranking.correct)
    if not len(hits):
        return np.zeros(1), np.zeros(1), np.zeros(1)
    found = np.arange(1, len(hits) + 1)
    precision = found / (hits + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    chosen = np.unique(np.linspace(0, len(hits) - 1, min(len(hits), _MAX_POINTS)).round().astype(int))
    recall = np.concatenate([[0], 100 * found[chosen] / ranking.num_truth])
    return (
        recall,
        100 * np.append(precision[0], precision[chosen]),
        100 * np.append(envelope[0], envelope[chosen]),
    )


def plot_comparison(comparison: Comparison, result: EvaluationResult, other: str, path: Path) -> None:
    """Draw the change of every class with its interval, the largest gain on top."""
    names = {entry.class_id: _label(entry) for entry in result.classes}
    entries = sorted(comparison.per_class.items(), key=lambda item: item[1].change)
    changes = 100 * np.array([[e.change, e.low, e.high] for _, e in entries])
    colours = [
        (_BETTER if entry.change > 0 else _WORSE) if entry.is_clear else _UNCLEAR for _, entry in entries
    ]
    places = np.arange(len(entries))
    figure, axes = _figure(8.5, 1.6 + _BAR_IN * len(entries))
    axes.hlines(places, changes[:, 1], changes[:, 2], color=colours, linewidth=2)
    axes.scatter(changes[:, 0], places, color=colours, s=18, zorder=3)
    axes.axvline(0, color=_INK, linewidth=0.8)
    _class_axis(axes, places, [names[class_id] for class_id, _ in entries])
    axes.grid(axis="x", color="#E5E5E5", linewidth=0.6)
    axes.set_xlabel(
        f"change of AP, points, {comparison.confidence:.0%} interval over {comparison.num_videos} videos\n"
        "blue: better, orange: worse, grey: the interval contains 0"
    )
    mean = comparison.mean
    axes.set_title(
        f"{Path(result.scoring.found.source).name} against {Path(other).name}: mAP {100 * mean.first:.2f} to"
        f" {100 * mean.second:.2f}, {100 * mean.change:+.2f} [{100 * mean.low:+.2f}, {100 * mean.high:+.2f}]",
        loc="left", fontsize=10,
    )  # fmt: skip
    _save(figure, path)


def plot_errors(analysis: ErrorAnalysis, result: EvaluationResult, path: Path) -> None:
    """Draw of what kind the n best detections of each class are, and what each kind of mistake costs."""
    from matplotlib.figure import Figure

    by_id = {entry.class_id: entry for entry in result.classes}
    entries = sorted((e for e in analysis.classes if sum(e.top.values())), key=lambda e: by_id[e.class_id].ap)
    height = 2.6 + max(2.0, _BAR_IN * len(entries))
    figure = Figure(figsize=(9.5, height), dpi=_DPI, layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=[1.5, height - 1.5])
    kinds = [*KINDS[1:], *MISSES]
    gains = [100 * analysis.gains[kind] for kind in kinds]
    upper.bar(kinds, gains, color=[*_KIND_COLOURS[1:], "#56B4E9", "#0072B2"], width=0.6)
    for place, gain in enumerate(gains):
        upper.text(place, gain, f"{gain:+.2f}", ha="center", va="bottom", fontsize=8, color=_INK)
    upper.set_ylabel("mAP gained, points", fontsize=8)
    upper.set_title(f"{_title(result)}: what the mistakes cost", loc="left", fontsize=10)
    upper.margins(y=0.15)
    shares = np.array([[e.top[kind] / sum(e.top.values()) for kind in KINDS] for e in entries]) * 100
    left = np.zeros(len(entries))
    for kind, colour, share in zip(KINDS, _KIND_COLOURS, shares.T, strict=True):
        lower.barh(range(len(entries)), share, left=left, height=0.75, color=colour, label=kind)
        left += share
    _class_axis(lower, np.arange(len(entries)), [_label(by_id[entry.class_id]) for entry in entries])
    lower.set_xlim(0, 100)
    lower.set_xlabel("of the n best detections of a class with n boxes in the ground truth, %")
    lower.legend(ncols=len(KINDS), loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=8)
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    lower.tick_params(axis="y", labelsize=7)
    _save(figure, path)


def _counted(result: EvaluationResult) -> list[ClassResult]:
    return [entry for entry in result.classes if not np.isnan(entry.ap)]


def _places(groups: Sequence[str]) -> np.ndarray:
    """Return the bars' places, with a gap between groups for the next group's heading."""
    gaps = np.cumsum([0] + [1.6 * (one != other) for one, other in itertools.pairwise(groups)])
    return np.arange(len(groups)) + gaps


def _label(entry: ClassResult) -> str:
    name = entry.name if len(entry.name) <= _LONGEST_NAME else entry.name[: _LONGEST_NAME - 3] + "..."
    return f"{name}  {entry.class_id}"


def _title(result: EvaluationResult) -> str:
    name = Path(result.scoring.found.source).name
    return f"{name}: mAP {100 * result.mean:.2f} ({result.protocol})"


def _figure(width: float, height: float) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, max(2.5, height)), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="x", labelsize=8)
    return figure, axes


def _class_axis(axes: "Axes", places: np.ndarray, labels: Sequence[str], *, headroom: float = 0.6) -> None:
    axes.set_yticks(places, labels, fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(places[0] - 0.6, places[-1] + headroom)
    axes.xaxis.label.set_size(8)


def _save(figure: "Figure", path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary)


def require_matplotlib() -> None:
    """Check, before anything is computed, that pictures can be drawn.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingDependencyError(
            "matplotlib is not installed; it draws the pictures", hint="pip install matplotlib"
        ) from None
