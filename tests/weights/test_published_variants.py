"""Published variants beyond the goldens: their publishers' scores for the same weights and the same input.

The scores in fixtures/variant_scores.npz were computed by PySlowFast and by mmaction2 (backbone, RoI
extractor and head, built from mmaction2's own configuration files) with weights whose values follow from
our names. They pin non-local blocks of both kinds, R101 with temporal kernels in 6 of 23 blocks, pool1, a
context, a maximum over time, a hidden layer, pathways of different depth, and laterals with and without norm.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ava_detect.config import load_config
from ava_detect.models import build_model, split_pathways

SCORES = Path(__file__).parent / "fixtures" / "variant_scores.npz"
SEED = 21


@pytest.mark.parametrize("config", np.load(SCORES).files)
def test_a_variant_computes_what_its_publisher_computed(
    config: str, golden_weight: Callable[..., np.ndarray], golden_input: Callable[..., np.ndarray]
) -> None:
    cfg = load_config(config)
    if not cfg.DETECTION.ENABLE:  # a head pool of 2 x 2, to fit the small input
        cfg = load_config(config, ["DATA.TRAIN_CROP_SIZE", 64])
    with torch.device("meta"):  # no time for initial values
        model = build_model(cfg).eval()
    model.to_empty(device="cpu")
    for name, tensor in model.state_dict().items():
        tensor.copy_(torch.from_numpy(golden_weight(SEED, name, tensor.shape)))
    clip = torch.from_numpy(golden_input("clip", SEED, 2, cfg.DATA.NUM_FRAMES, 64, 80))
    boxes = torch.from_numpy(golden_input("boxes", 2, 64, 80)) if cfg.DETECTION.ENABLE else None
    with torch.inference_mode():
        scores = model(split_pathways(clip, cfg), boxes)
    tolerance = 1e-5 if cfg.DETECTION.ENABLE else 1e-6
    torch.testing.assert_close(scores, torch.from_numpy(np.load(SCORES)[config]), rtol=0, atol=tolerance)
