"""How sure the detector was of a person, as a part of the person's action scores."""

import numpy as np

from ava_detect.config import Config


def weigh_by_boxes(action_scores: np.ndarray, person_scores: np.ndarray, cfg: Config) -> np.ndarray:
    """Return action scores times the person's own to the power of ``AVA.DETECTION_SCORE_POWER``.

    An action is there if the person is and does it; the network's score speaks of the second alone. With a
    power of 1 the product ranks rows by both, so that a low threshold for people costs little precision.

    Args:
        action_scores: [R, K], the network's.
        person_scores: [R], the detector's; 1 for labelled people.
        cfg: the action model's configuration.
    """
    power = cfg.AVA.DETECTION_SCORE_POWER
    return action_scores * np.power(person_scores, power, dtype=action_scores.dtype)[:, None]
