"""How sure the detector was of a person, as a part of the person's action scores."""

import numpy as np


def weigh_by_boxes(action_scores: np.ndarray, person_scores: np.ndarray, power: float) -> np.ndarray:
    """Return [R, K] action scores times the person's own to a power.

    An action is there if the person is and does it; the network's score speaks of the second alone. With a
    power of 1 the product ranks rows by both, so that a low threshold for people costs little precision.

    Args:
        action_scores: [R, K], the network's, in [0, 1].
        person_scores: [R], the detector's, in [0, 1]; 1 for labelled people.
        power: ``AVA.DETECTION_SCORE_POWER``; 0 leaves the scores as they are.
    """
    return action_scores * np.power(person_scores, power, dtype=action_scores.dtype)[:, None]
