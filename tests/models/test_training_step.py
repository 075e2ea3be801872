"""Every network that has a config here trains a step: all of it takes part, and the loss falls."""

import pytest
import torch
import torch.nn.functional as F

from ava_detect.config import Config, load_config, packaged_names
from ava_detect.models import build_model, split_pathways
from ava_detect.models.build import pathway_specs

SIDE = 64
CLIPS = 2


def narrow_config(name: str) -> Config:
    """Load a config with a fraction of the width, few classes and a small short clip; its structure stays."""
    cfg = load_config(name)
    frames = min(cfg.DATA.NUM_FRAMES, 2 * max(cfg.SLOWFAST.ALPHA, 4))
    size = ["DATA.NUM_FRAMES", frames, "DATA.TRAIN_CROP_SIZE", SIDE, "DATA.TEST_CROP_SIZE", SIDE]
    width = [] if cfg.RESNET.STEM_WIDTH else ["RESNET.WIDTH_PER_GROUP", max(16, 2 * cfg.SLOWFAST.BETA_INV)]
    return load_config(name, [*size, *width, "MODEL.NUM_CLASSES", 8, "MODEL.DROPOUT_RATE", 0.0])


def different_networks() -> list[str]:
    """Return a packaged name for each network that differs from the others in its modules."""
    by_network: dict[object, str] = {}
    for name in packaged_names():
        if name.startswith(("ava/", "kinetics/", "charades/", "ssv2/")):
            cfg = narrow_config(name)
            by_network.setdefault(
                (pathway_specs(cfg), cfg.SLOWFAST, cfg.DETECTION, cfg.MODEL.HEAD_POOL), name
            )
    return list(by_network.values())


NETWORKS = different_networks()


def loss_of(cfg: Config, logits: torch.Tensor) -> torch.Tensor:
    """Return the loss for made-up labels: one class per clip, or every third class of each person."""
    if cfg.MODEL.LOSS_FUNC == "cross_entropy":
        return F.cross_entropy(logits, torch.arange(len(logits)))
    labels = torch.zeros_like(logits)
    labels[:, ::3] = 1
    return F.binary_cross_entropy_with_logits(logits, labels)


@pytest.mark.parametrize("name", NETWORKS)
def test_network_trains_a_step(name):
    torch.manual_seed(0)
    cfg = narrow_config(name)
    model = build_model(cfg).train()
    clips = split_pathways(torch.randn(CLIPS, 3, cfg.DATA.NUM_FRAMES, SIDE, SIDE), cfg)
    boxes = torch.tensor([[n, 8.0, 4.0, 50.0, 60.0] for n in range(CLIPS)]) if cfg.DETECTION.ENABLE else None
    optimiser = torch.optim.SGD(model.parameters(), lr=0.02)
    losses = []
    # the first step moves the zeroed norms away from zero; only then does a gradient reach their branches
    for _ in range(2):
        loss = loss_of(cfg, model(clips, boxes))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    # a linear probe trains its classifier only
    trained = model.head if cfg.MODEL.DETACH_FINAL_FC else model
    assert [name for name, parameter in trained.named_parameters() if parameter.grad is None] == []
    assert [name for name, parameter in trained.named_parameters() if not parameter.grad.any()] == []
    assert losses[-1] < losses[0]


def test_there_are_networks_to_train():
    assert len(NETWORKS) >= 20
