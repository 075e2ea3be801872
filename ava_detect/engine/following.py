"""Follows boxes through a few pictures by the motion of points in them: from one keyframe to the next.

Points on a person's trunk are found again in the next picture (Lucas-Kanade on pyramids), and from there back
in the first; those that do not come back to where they were have been hidden or mixed up. The median of the
others moves the box, the median change of their distances scales it (Kalal, Mikolajczyk and Matas,
Forward-Backward Error: Automatic Detection of Tracking Failures, ICPR 2010). A few points all over the
picture tell a cut: behind one, hardly any comes back.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

_COLUMNS, _ROWS = 6, 8  # points on a person
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.3, 0.7, 0.12, 0.75  # of the box: trunk and head, hardly any background
_WINDOW = (15, 15)
_PYRAMID = 3
_RETURN_PX = 1.0  # a point that comes back this near has been found
_FEWEST = 0.25  # of a person's points; with fewer the person is lost
_MAX_GROWTH = 1.15  # of a side from one picture to the next
_SCENE_COLUMNS, _SCENE_ROWS = 12, 8  # points all over the picture
_ALIKE = 0.7  # correlation of two small pictures, below which a cut is possible
_SCENE_LOST = 0.2  # share of the points all over the picture that come back, below which it is one
_SMALL = (48, 27)


@dataclass(frozen=True)
class Followed:
    """Where boxes went.

    Attributes:
        boxes: [S, R, 4] x1, y1, x2, y2 on each of S pictures, the first as given; a lost box goes on as it
            moved last.
        sure: [S, R] whether the person was found on this picture and on all before.
    """

    boxes: np.ndarray
    sure: np.ndarray


def follow(pictures: Sequence[np.ndarray], boxes: np.ndarray) -> Followed:
    """Follow boxes from the first picture on.

    Args:
        pictures: S grey pictures [H, W] uint8, in the order to follow them in.
        boxes: [R, 4] pixels of the pictures.
    """
    current = np.asarray(boxes, np.float64).reshape(-1, 4)
    path, sure = [current], [np.ones(len(current), bool)]
    step = np.zeros_like(current)
    for before, after in itertools.pairwise(pictures):
        if len(current):
            moved, found = _moved(before, after, current)
            alive = sure[-1] & found
            step = np.where(alive[:, None], moved - current, 0.5 * step)
            current = current + step
        else:
            alive = sure[-1]
        path.append(current)
        sure.append(alive)
    return Followed(np.stack(path), np.stack(sure))


def find_cuts(pictures: Sequence[np.ndarray]) -> list[int]:
    """Return the places of the grey pictures [H, W] uint8 with which another scene begins."""
    small = [_normalised(picture) for picture in pictures]
    return [
        place
        for place in range(1, len(pictures))
        if float((small[place - 1] * small[place]).mean()) < _ALIKE
        and _scene_share(pictures[place - 1], pictures[place]) < _SCENE_LOST
    ]


def _normalised(picture: np.ndarray) -> np.ndarray:
    """Return a small picture of mean 0 and deviation 1; of one that is all of one grey, zeros."""
    small = cv2.resize(picture, _SMALL, interpolation=cv2.INTER_AREA).astype(np.float64)
    small -= small.mean()
    return small / max(float(small.std()), 1e-6)


def _scene_share(before: np.ndarray, after: np.ndarray) -> float:
    height, width = before.shape
    columns = (np.arange(_SCENE_COLUMNS) + 0.5) / _SCENE_COLUMNS * width
    rows = (np.arange(_SCENE_ROWS) + 0.5) / _SCENE_ROWS * height
    points = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    _, returned = _found_again(before, after, points)
    return float(returned.mean())


def _moved(before: np.ndarray, after: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the boxes [R, 4] on the next picture and whether [R] they were found there."""
    points = _trunk_points(boxes)  # [R, P, 2]
    there, returned = _found_again(before, after, points.reshape(-1, 2))
    there, returned = there.reshape(points.shape), returned.reshape(points.shape[:2])
    moved, found = boxes.copy(), np.zeros(len(boxes), bool)
    for row in range(len(boxes)):
        kept = returned[row]
        if kept.mean() < _FEWEST:
            continue
        moved[row] = _carried(boxes[row], points[row][kept], there[row][kept])
        found[row] = True
    return moved, found


def _trunk_points(boxes: np.ndarray) -> np.ndarray:
    """Return a grid of points [R, P, 2] on the trunks."""
    across = np.linspace(_LEFT, _RIGHT, _COLUMNS)
    down = np.linspace(_TOP, _BOTTOM, _ROWS)
    grid = np.stack(np.meshgrid(across, down), axis=-1).reshape(1, -1, 2)
    sizes = boxes[:, None, 2:] - boxes[:, None, :2]
    return boxes[:, None, :2] + grid * sizes


def _found_again(before: np.ndarray, after: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where points [P, 2] are on the next picture, and whether [P] they come back from there."""
    start = points.astype(np.float32).reshape(-1, 1, 2)
    there, forth, _ = cv2.calcOpticalFlowPyrLK(before, after, start, None, winSize=_WINDOW, maxLevel=_PYRAMID)
    back, home, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, winSize=_WINDOW, maxLevel=_PYRAMID)
    distance = np.linalg.norm((back - start)[:, 0], axis=1)
    height, width = before.shape
    inside = ((start[:, 0] >= 0) & (start[:, 0] < (width, height))).all(axis=1)
    returned = (forth[:, 0] == 1) & (home[:, 0] == 1) & (distance <= _RETURN_PX) & inside
    return there[:, 0].astype(np.float64), returned


def _carried(box: np.ndarray, points: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Move and scale a box [4] as its points [P, 2] did."""
    shift = np.median(there - points, axis=0)
    scale = _growth(points, there)
    centre = (box[:2] + box[2:]) / 2 + shift
    half = (box[2:] - box[:2]) / 2 * scale
    return np.concatenate([centre - half, centre + half])


def _growth(points: np.ndarray, there: np.ndarray) -> float:
    """Return the median change of the distances between points, within reason."""
    first, second = np.triu_indices(len(points), k=1)
    apart = np.linalg.norm(points[first] - points[second], axis=1)
    now = np.linalg.norm(there[first] - there[second], axis=1)
    if not len(apart):
        return 1.0
    return float(np.clip(np.median(now / np.maximum(apart, 1e-6)), 1 / _MAX_GROWTH, _MAX_GROWTH))
