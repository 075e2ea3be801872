"""The network of a test: built, filled with its weights, made fast."""

import torch

from ava_detect.config import Config
from ava_detect.engine.inference import InferenceNetwork, prepare_for_inference
from ava_detect.engine.testing.plan import TestPlan
from ava_detect.models import build_model, split_pathways
from ava_detect.weights import load_weights

_EXAMPLE_PX = 64  # a clip this large tells OpenVINO what the network does; real ones have any size


def load_network(
    plan: TestPlan, device: torch.device, precision: str, backend: str, *, clips: int
) -> InferenceNetwork:
    """Make the network of a test ready for scoring.

    Args:
        plan: says which weights and which configuration.
        device: where to run.
        precision, backend: see ``prepare_for_inference``.
        clips: how many there are in the whole test; decides what backend "auto" is. Not those that are left,
            nor those of one process: the scores must not depend on how the work is divided.

    Raises:
        WeightsError: the weights do not fit the configuration.
        UsageError, MissingDependencyError: the backend cannot be used here.
    """
    network = build_model(plan.cfg)
    load_weights(network, plan.weights)
    example = split_pathways(_example(plan.cfg), plan.cfg)
    return prepare_for_inference(network, device, precision, backend, example=example, keyframes=clips)


def _example(cfg: Config) -> torch.Tensor:
    """Return a small clip; optical flow, for pathways that see it, comes along and need not be computed."""
    return torch.zeros(1, 5, cfg.DATA.NUM_FRAMES, _EXAMPLE_PX, _EXAMPLE_PX)
