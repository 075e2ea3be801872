"""The networks: stem, residual stages, lateral connections, non-local blocks, heads; N pathways.

``build_model(cfg)``, ``split_pathways(clip, cfg)`` and ``estimate_cost(cfg, ...)`` are for the rest of the
project. Everything else takes plain arguments; ``slowfast`` is the file to begin reading with.
"""

from ava_detect.models.build import build_model, estimate_cost, split_pathways
from ava_detect.models.slowfast import SlowFast

__all__ = ["SlowFast", "build_model", "estimate_cost", "split_pathways"]
