"""The values that travel from the engine to the outputs."""

from dataclasses import dataclass
from math import nan

import numpy as np


@dataclass(frozen=True, eq=False)
class PersonPath:
    """Where a person was between two keyframes.

    Attributes:
        person_id: on one of the two keyframes, or on both.
        times: [S] presentation times, seconds, between those of the keyframes.
        boxes: [S, 4] float64, x1, y1, x2, y2 in pixels of the displayed frame.
    """

    person_id: int
    times: np.ndarray
    boxes: np.ndarray


@dataclass(frozen=True)
class KeyframeResult:
    """Everything that was found on one keyframe.

    R people in reading order of their person ids; K classes in the order of the label map (column 0 is the
    map's first id).

    Attributes:
        time: nominal time on the keyframe grid, seconds from the first frame of the video stream.
        frame_time: presentation time of the frame whose pixels were used, same origin.
        frame_idx: position of that frame in presentation order, from 0.
        boxes: [R, 4] float32, x1, y1, x2, y2 in pixels of the displayed (rotated) frame.
        person_scores: [R] float32 in [0, 1], the person detector's; 1 for boxes given without a score.
        person_ids: [R] int64, the same person through the video; all -1 without tracking.
        action_scores: [R, K] float32 in [0, 1], weighed as ``AVA.DETECTION_SCORE_POWER`` says.
        best_person_score: of the surest box, below the threshold or not; NaN: there was none. Says what
            threshold would have found somebody.
        paths: where people were since the keyframe before; empty without tracking.
    """

    time: float
    frame_time: float
    frame_idx: int
    boxes: np.ndarray
    person_scores: np.ndarray
    person_ids: np.ndarray
    action_scores: np.ndarray
    best_person_score: float = nan
    paths: tuple[PersonPath, ...] = ()
