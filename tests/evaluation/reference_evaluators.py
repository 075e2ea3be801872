"""The three evaluators of the field, as slow and plain as they can be written: one loop per rule.

They are the specification that the fast evaluator is held to. Files are lists of rows, rows
lists of texts.
"""

import heapq
import math
from collections import defaultdict

import numpy as np

Row = list[str]
Box = tuple[float, float, float, float]


def official(
    truth: list[Row], found: list[Row], classes: list[int], iou: float = 0.5, capacity: int | None = 50
):
    """Return AP by class, and the ranked (score, correct) pairs by class, under the official rules."""
    key = lambda row: (row[0], f"{float(row[1]):.6f}")  # noqa: E731
    named = {key(row) for row in truth}
    truth_boxes = _heap_lists(truth, classes, key, None)
    found_boxes = _heap_lists(found, classes, key, capacity)
    ranked = {c: [] for c in classes}
    for image, entries in found_boxes.items():
        if image not in named:
            continue
        entries = [e for e in entries if e[3] < e[5] and e[2] < e[4]]
        for c in classes:
            boxes = [(x1, y1, x2, y2) for _, k, y1, x1, y2, x2 in truth_boxes.get(image, []) if k == c]
            suitors = [(s, (x1, y1, x2, y2)) for s, k, y1, x1, y2, x2 in entries if k == c]
            ranked[c] += _match(suitors, boxes, iou)
    counts = {c: sum(e[1] == c for entries in truth_boxes.values() for e in entries) for c in classes}
    return {c: _average_precision(ranked[c], counts[c]) for c in classes}, ranked


def _heap_lists(rows, classes, key, capacity):
    heaps = defaultdict(list)
    for row in rows:
        if len(row) == 2 or int(row[6]) not in classes:
            continue
        x1, y1, x2, y2 = map(float, row[2:6])
        entry = (float(row[7]) if len(row) == 8 else 1.0, int(row[6]), y1, x1, y2, x2)
        heap = heaps[key(row)]
        if capacity is None or len(heap) < capacity:
            heapq.heappush(heap, entry)
        elif entry[0] > heap[0][0]:
            heapq.heapreplace(heap, entry)
    return {image: sorted(heap, key=lambda entry: -entry[0]) for image, heap in heaps.items()}


def pyslowfast(truth: list[Row], found: list[Row], classes: list[int], excluded=(), iou: float = 0.5):
    """Return AP by class and the ranked pairs under PySlowFast's rules."""
    key = lambda row: (row[0], int(row[1]))  # noqa: E731
    left_out = {key(row) for row in excluded}
    truth_boxes, found_boxes = defaultdict(list), defaultdict(list)
    for rows, boxes in ((truth, truth_boxes), (found, found_boxes)):
        for row in rows:
            if int(row[6]) in classes and key(row) not in left_out:
                score = float(row[7]) if len(row) == 8 else 1.0
                boxes[key(row)].append((score, int(row[6]), tuple(map(float, row[2:6]))))
    ranked = {c: [] for c in classes}
    for image, entries in found_boxes.items():
        proper = [e for e in entries if e[2][0] < e[2][2] and e[2][1] < e[2][3]]
        for c in classes:
            boxes = [box for _, k, box in truth_boxes.get(image, []) if k == c]
            ranked[c] += _match([(s, box) for s, k, box in proper if k == c], boxes, iou)
    counts = {c: sum(e[1] == c for entries in truth_boxes.values() for e in entries) for c in classes}
    return {c: _average_precision(ranked[c], counts[c]) for c in classes}, ranked


def mmaction2(truth: list[Row], found: list[Row], classes: list[int], excluded=(), iou: float = 0.5):
    """Return AP by class and the ranked pairs under mmaction2's rules; inverted boxes must not occur."""
    key = lambda row: (row[0], int(row[1]))  # noqa: E731
    left_out = {key(row) for row in excluded}
    truth_boxes, found_boxes = defaultdict(list), defaultdict(list)
    for rows, boxes in ((truth, truth_boxes), (found, found_boxes)):
        for row in rows:
            if int(row[6]) in classes:
                score = float(row[7]) if len(row) == 8 else 1.0
                boxes[key(row)].append((score, int(row[6]), tuple(map(float, row[2:6]))))
        for entries in boxes.values():
            entries.sort(key=lambda entry: -entry[0])
    ranked = {c: [] for c in classes}
    for image, annotated in truth_boxes.items():
        if image in left_out:
            continue
        for c in classes:
            boxes = [np.float32(box) for _, k, box in annotated if k == c]
            suitors = [(np.float32(s), np.float32(box)) for s, k, box in found_boxes[image] if k == c]
            ranked[c] += _match(suitors, boxes, iou)
    counts = {c: sum(e[1] == c for entries in truth_boxes.values() for e in entries) for c in classes}
    return {c: _average_precision(ranked[c], counts[c]) if ranked[c] else math.nan for c in classes}, ranked


def _match(suitors, boxes, threshold):
    """Let the suitors choose in their order; return (score, correct) of each."""
    taken, pairs = set(), []
    for score, box in suitors:
        overlaps = [overlap(box, other) for other in boxes]
        correct = False
        if overlaps:
            best = int(np.argmax(overlaps))  # the first of equal ones; NaN counts as the largest
            correct = overlaps[best] >= threshold and best not in taken
            if correct:
                taken.add(best)
        pairs.append((score, correct))
    return pairs


def overlap(box: Box, other: Box) -> float:
    """Intersection over union; coordinates may be numpy scalars of either precision."""
    height = float(max(0.0, min(box[3], other[3]) - max(box[1], other[1])))
    width = float(max(0.0, min(box[2], other[2]) - max(box[0], other[0])))
    area = (box[3] - box[1]) * (box[2] - box[0])
    other_area = (other[3] - other[1]) * (other[2] - other[0])
    union = float(area + other_area) - height * width
    return height * width / union if union else math.nan


def _average_precision(pairs, num_truth: int) -> float:
    if not num_truth:
        return math.nan
    order = sorted(range(len(pairs)), key=lambda i: pairs[i][0])[::-1]
    hits, precisions = 0, []
    for rank, place in enumerate(order, start=1):
        hits += pairs[place][1]
        precisions.append(hits / rank)
    total = sum(max(precisions[rank:]) for rank, place in enumerate(order) if pairs[place][1])
    return total / num_truth


def mean(aps: dict[int, float]) -> float:
    """Mean of the classes that count."""
    counted = [ap for ap in aps.values() if not math.isnan(ap)]
    return sum(counted) / len(counted) if counted else math.nan
