"""The three sets of rules under which the field prints "AVA mAP", as values that the evaluator follows.

Read from the public evaluators: ActivityNet's ``get_ava_performance.py`` (its state since May 2020),
PySlowFast's ``ava_eval_helper.py``, mmaction2 1.x's ``ava_utils.py``. docs/evaluation.md tells the
differences in words.
"""

from dataclasses import dataclass
from enum import Enum

from evaluation.errors import UsageError


class Frames(Enum):
    """Which keyframes count."""

    NAMED_IN_TRUTH = "keyframes of the ground truth only"
    IN_EITHER_FILE = "keyframes of either file"
    WITH_TRUTH = "keyframes with ground truth of the label map's classes only"


class Order(Enum):
    """In which order the boxes of one keyframe are matched."""

    HEAP = "by score, ties as in the official reader's heap"
    SCORE = "by score, ties in file order"
    FILE = "in file order, whatever the scores"


@dataclass(frozen=True)
class Protocol:
    """One set of rules.

    Attributes:
        name: "official", "pyslowfast" or "mmaction2". frames: which keyframes count. detection_order: in
        which order a keyframe's detections choose their ground truth. truth_order: in which order its
        ground-truth boxes stand; decides between boxes of equal IoU. capacity: detections kept per
        keyframe, the best ones over all classes; ``None``: all. bare_rows: rows may name a keyframe and
        nothing else. truth_score_required: detections without a score stop it. whole_seconds: times must
        be written as integers. drops_degenerate: boxes without area are dropped instead of counted as
        false positives. single_precision: boxes and scores are rounded to float32. unseen_class_is_zero: a
        class that was never predicted has AP 0 instead of being left out of the mean.
        counts_excluded_truth: boxes on excluded keyframes still count as ground truth to be found.
    """

    name: str
    frames: Frames
    detection_order: Order
    truth_order: Order
    capacity: int | None = None
    bare_rows: bool = False
    needs_scores: bool = False
    whole_seconds: bool = True
    drops_degenerate: bool = True
    single_precision: bool = False
    unseen_class_is_zero: bool = True
    counts_excluded_truth: bool = False

    def describe(self) -> str:
        """Return the rules that change the number, for a report."""
        kept = f"best {self.capacity} rows per keyframe" if self.capacity else "all rows"
        parts = [kept, self.frames.value]
        if self.detection_order is Order.FILE:
            parts.append("matched in file order")
        if not self.unseen_class_is_zero:
            parts.append("classes never predicted are left out of the mean")
        return ", ".join(parts)


OFFICIAL = Protocol(
    name="official",
    frames=Frames.NAMED_IN_TRUTH,
    detection_order=Order.HEAP,
    truth_order=Order.HEAP,
    capacity=50,
    bare_rows=True,
    whole_seconds=False,
)
PYSLOWFAST = Protocol(
    name="pyslowfast",
    frames=Frames.IN_EITHER_FILE,
    detection_order=Order.FILE,
    truth_order=Order.FILE,
    needs_scores=True,
)
MMACTION2 = Protocol(
    name="mmaction2",
    frames=Frames.WITH_TRUTH,
    detection_order=Order.SCORE,
    truth_order=Order.SCORE,
    drops_degenerate=False,
    single_precision=True,
    unseen_class_is_zero=False,
    counts_excluded_truth=True,
)
PROTOCOLS = {protocol.name: protocol for protocol in (OFFICIAL, PYSLOWFAST, MMACTION2)}


def protocol_named(name: str | Protocol) -> Protocol:
    """Return a protocol by name.

    Raises:
        UsageError: there is no such protocol.
    """
    if isinstance(name, Protocol):
        return name
    if name not in PROTOCOLS:
        raise UsageError(f"protocol {name!r}, expected one of: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
