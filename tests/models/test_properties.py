"""Any valid config of a small network builds, runs both ways, survives saving, and scores clips one by one.

hypothesis draws the configs: pathways, depth, connections, inputs, non-local blocks, groups, heads.
"""

import io

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ava_detect.config import Config
from ava_detect.models import build_model, split_pathways
from tests.models.small_configs import configs


def boxes_for(cfg: Config, clips: int) -> Tensor | None:
    """Return two boxes per clip, not grouped by clip; None for a classification head."""
    if not cfg.DETECTION.ENABLE:
        return None
    rows = [[n, 2.0 + n, 3.0, 30.0, 40.0 - n] for n in range(clips)]
    return torch.tensor([*rows, *([n, 0.0, 0.0, 48.0, 32.0] for n in range(clips))])


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(cfg=configs(), seed=st.integers(0, 2**16))
def test_any_small_config_runs_both_ways_and_survives_saving(cfg, seed):
    torch.manual_seed(seed)
    model = build_model(cfg)
    clips = split_pathways(torch.randn(2, 3, cfg.DATA.NUM_FRAMES, 32, 48), cfg)
    boxes = boxes_for(cfg, 2)
    logits = model.train()(clips, boxes)
    assert logits.shape == (2 if boxes is None else 4, 3)
    logits.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} takes no part"
        assert parameter.grad.isfinite().all(), name

    model.eval()
    saved = io.BytesIO()
    torch.save(model.state_dict(), saved)
    saved.seek(0)
    again = build_model(cfg).eval()
    again.load_state_dict(torch.load(saved, weights_only=True))
    with torch.no_grad():  # several non-local blocks, cubic in what they see, may overflow
        torch.testing.assert_close(again(clips, boxes), model(clips, boxes), rtol=0, atol=0, equal_nan=True)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(cfg=configs(), seed=st.integers(0, 2**16))
@torch.no_grad()
def test_any_small_config_scores_a_batch_as_its_clips_one_by_one(cfg, seed):
    torch.manual_seed(seed)
    model = build_model(cfg)
    clip = torch.randn(3, 3, cfg.DATA.NUM_FRAMES, 32, 48)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.momentum = 1.0  # take over the statistics of the next clips, so that values stay in scale
    model.train()(split_pathways(clip, cfg), boxes_for(cfg, 3))
    model.eval()
    model.head.activation = "none"  # a saturated activation would hide differences
    boxes = boxes_for(cfg, 3)
    batch = model(split_pathways(clip, cfg), boxes)
    for n in range(3):
        alone = split_pathways(clip[n : n + 1], cfg)
        if boxes is None:
            one, expected = model(alone), batch[n : n + 1]
        else:
            rows = boxes[:, 0] == n
            one = model(alone, torch.cat([torch.zeros(2, 1), boxes[rows, 1:]], dim=1))
            expected = batch[rows]
        # convolutions of other batch sizes add up in another order
        scale = max(float(batch.abs().max()), 1e-3)
        torch.testing.assert_close(one, expected, rtol=1e-3, atol=1e-4 * scale)
