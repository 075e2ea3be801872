"""The evaluation as text for people: what was compared, what was set aside, the figure, and the classes."""

import textwrap
from collections import defaultdict

import numpy as np

from evaluation.box_recall import BoxRecall
from evaluation.comparison import Comparison, Difference
from evaluation.error_analysis import KINDS, MISSES, ErrorAnalysis
from evaluation.explanation import zero_reasons
from evaluation.frame_map import ClassResult, EvaluationResult
from evaluation.label_map import load_label_map
from evaluation.protocol import Frames

_WIDTH = 100
_LABEL = 11  # width of the first column of the head lines
_BAR = 15
_NAME = 40
_FEW_VIDEOS = 10


def result_text(result: EvaluationResult) -> str:
    """Return the whole report of one file."""
    parts = [head_text(result), figure_text(result), class_table(result), left_out_text(result)]
    return "\n\n".join(part for part in parts if part)


def head_text(result: EvaluationResult) -> str:
    """Say which rules hold, what was compared and what was set aside."""
    scoring = result.scoring
    annotated, found = scoring.annotated, scoring.found
    with_truth = sum(entry.num_truth > 0 for entry in result.classes)
    found_frames = int(scoring.keyframes.flags(scoring.keyframes.of_rows[1]).sum())
    rules = f"{result.protocol} (IoU {result.iou_threshold:g}, {scoring.protocol.describe()})"
    truth = (
        f"{annotated.source}: {len(annotated):,} rows, {result.num_keyframes:,} scored keyframes,"
        f" {with_truth} classes with labels; {_label_map_text(result)}"
    )
    rows = f"{found.source}: {len(found):,} rows on {found_frames:,} keyframes"
    aside = set_aside_items(result)
    rows += "; set aside: " + ", ".join(aside) if aside else "; all of them are scored"
    elsewhere = _rows_without_truth(result)
    if len(elsewhere):
        frames = _count(len(np.unique(elsewhere)), "scored keyframe")
        rows += f"; {_count(len(elsewhere), 'row')} on {frames} without a box to find, all of them wrong"
    return "\n".join([_head_line("protocol", rules), _head_line("truth", truth), _head_line("found", rows)])


def _rows_without_truth(result: EvaluationResult) -> np.ndarray:
    """Return the keyframe of every scored detection that has nothing to find there."""
    scoring = result.scoring
    frames = scoring.detections.frames
    return frames[~scoring.keyframes.flags(scoring.truth.frames)[frames]]


def _head_line(label: str, text: str) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=f"{label:<{_LABEL}}",
        subsequent_indent=" " * _LABEL,
        break_on_hyphens=False,
    )


def _label_map_text(result: EvaluationResult) -> str:
    label_map, ava = result.scoring.label_map, load_label_map("v2.2-80")
    known = sum(class_id in ava and ava.name_of(class_id) == name for class_id, name in _entries(result))
    count = f"{len(label_map)} of AVA's {len(ava)}" if known == len(label_map) else f"{len(label_map)}"
    return f"label map {label_map.source}: {count} classes are evaluated"


def _entries(result: EvaluationResult) -> list[tuple[int, str]]:
    return [(entry.class_id, entry.name) for entry in result.classes]


def set_aside_items(result: EvaluationResult) -> list[str]:
    """Say what was not scored, reason by reason."""
    aside, protocol = result.set_aside, result.scoring.protocol
    unscored = _count(aside.without_truth_frames, "keyframe")
    truth = "ground truth of these classes" if protocol.frames is Frames.WITH_TRUTH else "ground truth"
    reasons = [
        (aside.without_truth, f"on {unscored} without {truth}"),
        (aside.excluded, f"on {_count(aside.excluded_frames, 'excluded keyframe')}"),
        (aside.beyond_capacity, f"beyond the best {protocol.capacity} of their keyframe"),
        (aside.outside_map, "of classes outside the label map"),
        (aside.degenerate, "whose box has no area"),
        (result.scoring.found.faults.total, "that cannot be read"),
    ]
    return [f"{_count(count, 'row')} {reason}" for count, reason in reasons if count]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def figure_text(result: EvaluationResult) -> str:
    """Return the figure, by group, at other thresholds, and its tie interval."""
    groups = {} if list(result.groups) == ["other"] else result.groups
    by_group = "   ".join(f"{group} {100 * value:.2f}" for group, value in groups.items())
    lines = [f"mAP@{result.iou_threshold:g}  {100 * result.mean:.2f}     {by_group}".rstrip()]
    if result.tie_interval is not None:
        low, high = result.tie_interval
        lines.append(f"  {100 * low:.2f} to {100 * high:.2f}, depending on the order of equal scores")
    others = list(result.mean_at.items())[1:]
    lines += [f"mAP@{threshold:g}  {100 * mean:.2f}" for threshold, mean in others]
    return "\n".join(lines)


def class_table(result: EvaluationResult) -> str:
    """Return the classes by group, best first: that is also what each contributes to the mean."""
    counted = [entry for entry in result.classes if not np.isnan(entry.ap)]
    by_group = defaultdict(list)
    for entry in counted:
        by_group[entry.group].append(entry)
    head = f"{'id':>4}  {'class':<{_NAME}} {'truth':>8} {'found':>8} {'AP':>7} {'of mAP':>7}"
    blocks = []
    for group in result.groups:
        members = sorted(by_group[group], key=lambda entry: -entry.ap)
        share = sum(entry.ap for entry in members) / len(counted)
        title = (
            f"{group}: {_classes(len(members))},"
            f" mAP {100 * result.groups[group]:.2f}, {100 * share:.2f} points of the mAP"
        )
        if list(result.groups) == ["other"]:
            title = _classes(len(members))
        blocks.append("\n".join([title, head, *(_class_line(entry, len(counted)) for entry in members)]))
    return "\n\n".join(blocks)


def _class_line(entry: ClassResult, num_classes: int) -> str:
    line = (
        f"{entry.class_id:>4}  {_short(entry.name):<{_NAME}} {entry.num_truth:>8,} {entry.num_found:>8,}"
        f" {100 * entry.ap:>7.2f} {100 * entry.ap / num_classes:>7.2f}  {'#' * round(_BAR * entry.ap)}"
    )
    return line.rstrip()


def _short(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 3] + "..."


def left_out_text(result: EvaluationResult) -> str:
    """Name the classes with AP 0, with the reason, and those that do not count in the mean."""
    lines = []
    zero = zero_reasons(result)
    by_reason = defaultdict(list)
    for entry in result.classes:
        if entry.class_id in zero:
            by_reason[zero[entry.class_id]].append(entry)
    if zero:
        verb = "was" if len(zero) == 1 else "were"
        lines.append(f"{_classes(len(zero))} with ground truth {verb} never found:")
        lines += [f"  {reason}: {_names(members)}" for reason, members in by_reason.items()]
    absent = [entry for entry in result.classes if not entry.num_truth]
    if absent:
        verbs = ("has", "does") if len(absent) == 1 else ("have", "do")
        start = f"{_classes(len(absent))} of the label map {verbs[0]} no ground truth"
        lines.append(f"{start} and {verbs[1]} not count in the mean: {_names(absent)}")
    unseen = [entry for entry in result.classes if entry.num_truth and np.isnan(entry.ap)]
    if unseen:
        lines.append(f"{_classes(len(unseen))} never predicted, left out of the mean: {_names(unseen)}")
    indented = [
        textwrap.fill(line, _WIDTH, subsequent_indent="    ", break_on_hyphens=False) for line in lines
    ]
    return "\n".join(indented)


def _classes(count: int) -> str:
    return "1 class" if count == 1 else f"{count} classes"


def _names(entries: list[ClassResult]) -> str:
    return ", ".join(f"{entry.class_id} {entry.name}" for entry in entries)


def comparison_text(comparison: Comparison, result: EvaluationResult, other: EvaluationResult) -> str:
    """Return the differences to another file, the largest first."""
    mean, names = comparison.mean, dict(_entries(result))
    lines = [
        f"compared with {other.scoring.found.source}",
        f"mAP {100 * mean.first:.2f} -> {100 * mean.second:.2f}   {_change(mean)}"
        f"   higher in {comparison.share_better:.0%} of the resamples",
        "",
        f"{'id':>4}  {'class':<{_NAME}} {'other':>7} {'this':>7}   change",
    ]
    by_size = sorted(comparison.per_class.items(), key=lambda item: -abs(item[1].change))
    for class_id, entry in by_size:
        values = f"{100 * entry.first:>7.2f} {100 * entry.second:>7.2f}"
        lines.append(f"{class_id:>4}  {_short(names[class_id]):<{_NAME}} {values}   {_change(entry)}")
    lines.append(
        f"[ ]: {comparison.confidence:.0%} interval from {comparison.num_resamples:,} resamples of"
        f" {_count(comparison.num_videos, 'video')}, seed {comparison.seed}; * does not contain 0"
    )
    if comparison.num_videos < _FEW_VIDEOS:
        lines.append(f"with only {_count(comparison.num_videos, 'video')} the intervals are rough")
    return "\n".join(lines)


def _change(difference: Difference) -> str:
    low, high = 100 * difference.low, 100 * difference.high
    return f"{100 * difference.change:+.2f} [{low:+.2f}, {high:+.2f}]{' *' if difference.is_clear else ''}"


def errors_text(analysis: ErrorAnalysis) -> str:
    """Return which mistakes there are and what they cost."""
    lines = [
        "mistakes                share   mAP without them",
        "of the n best detections of a class with n boxes in the ground truth",
    ]
    lines.append(f"  {'correct':<20} {analysis.top['correct']:>6.1%}")
    for kind in KINDS[1:]:
        lines.append(f"  {kind:<20} {analysis.top[kind]:>6.1%}   {100 * analysis.gains[kind]:>+7.2f}")
    lines.append("of the boxes of the ground truth, not found")
    for kind in MISSES:
        lines.append(f"  {kind:<20} {analysis.misses[kind]:>6.1%}   {100 * analysis.gains[kind]:>+7.2f}")
    return "\n".join(lines)


def recall_text(recall: BoxRecall, iou_threshold: float) -> str:
    """Return how many annotated persons have a box."""
    by_score = "   ".join(f">= {score:g}: {value:.1%}" for score, value in recall.recall.items() if score)
    sizes = f"{recall.num_boxes:,} boxes for {recall.num_persons:,} annotated persons"
    lines = [
        f"boxes      {recall.source}: {sizes}",
        f"           {recall.recall[0.0]:.1%} of the persons have a box with IoU >= {iou_threshold:g}",
        f"           by score of the box: {by_score}",
        f"           no action model can score above mAP {100 * recall.ceiling:.2f} on these boxes",
    ]
    if recall.keyframes_without_box:
        lines.append(f"           {_count(recall.keyframes_without_box, 'keyframe')} with people have no box")
    return "\n".join(lines)
