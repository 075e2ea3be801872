"""Test a network on an AVA-style data set: rows for every box and class, scored under every protocol.

``evaluate_model`` scores a network in the middle of its training; ``Tester`` is the test set by itself. The
road: clips in batches (``batches``, ``views``) through the network (``network_scores``), rows on disk
(``results``), figures (``scores``).
"""

from ava_detect.engine.testing.live import evaluate_model, live_tester
from ava_detect.engine.testing.scores import Scores
from ava_detect.engine.testing.tester import Tester

__all__ = ["Scores", "Tester", "evaluate_model", "live_tester"]
