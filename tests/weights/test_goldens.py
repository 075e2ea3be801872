"""Published implementations' numbers: their checkpoint layouts, our network, the same scores.

The goldens were computed by PySlowFast, pytorchvideo and mmaction2 themselves on deterministic weights
(fixtures/goldens.json says with which settings). Different kernels and thread counts change a score by up to
4e-7; the smallest of the common mistakes changes a softmax score by 2.5e-4 and a sigmoid score by 1.4e-3.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ava_detect.config import load_config
from ava_detect.models import build_model, split_pathways
from ava_detect.weights import load_weights

FIXTURES = Path(__file__).parent / "fixtures"

SMALL_POOL = ["DATA.TRAIN_CROP_SIZE", 64]  # a head pool of 2 x 2, to fit the small input of the goldens

# golden -> configuration, overrides, tensors in the file that are loaded
GOLDENS = {
    "ava_slowfast_r50_8x8": ("ava/slowfast_8x8_r50", [], 662),
    "ava_slow_r50_4x16": ("ava/slow_4x16_r50", [], 320),
    "ava_slow_r50_8x8": ("ava/slow_8x8_r50", [], 320),
    "kinetics_slowfast_r50_8x8": ("kinetics/slowfast_8x8_r50", SMALL_POOL, 662),
    "caffe2_ava_slowfast_r50_8x8": ("ava/c2/slowfast_8x8_r50", [], 552),
    "ptv_ava_slowfast_r50_8x8": ("ava/pytorchvideo/slowfast_8x8_r50", [], 662),
    "ptv_kinetics_slowfast_r50_8x8": ("kinetics/pytorchvideo/slowfast_8x8_r50", SMALL_POOL, 662),
    "mma_ava_slowfast_r50_8x8": ("ava/mmaction2/slowfast_8x8_r50_ava21", [], 642),
}


def test_every_golden_is_tested(golden_entries: Mapping[str, dict[str, Any]]) -> None:
    assert set(GOLDENS) == set(golden_entries)


@pytest.mark.parametrize("golden", GOLDENS)
def test_the_network_computes_what_its_publisher_computed(
    tmp_path: Path,
    golden: str,
    golden_entries: Mapping[str, dict[str, Any]],
    golden_input: Callable[..., np.ndarray],
    write_golden: Callable[[str, Path], None],
) -> None:
    config, overrides, num_loaded = GOLDENS[golden]
    cfg = load_config(config, overrides)
    model = build_model(cfg).eval()
    write_golden(golden, tmp_path / "published")
    report = load_weights(model, tmp_path / "published")
    (tmp_path / "published").unlink()  # 130 MB, which pytest would keep
    assert report.fits
    assert len(report.loaded) == num_loaded

    entry = golden_entries[golden]
    assert sum(parameter.numel() for parameter in model.parameters()) == entry["parameters"]
    size = entry["input"]
    clip = golden_input("clip", size["seed"], size["batch"], size["frames"], size["height"], size["width"])
    boxes = golden_input("boxes", size["batch"], size["height"], size["width"]) if entry["boxes"] else None
    seen = recorded(model)
    with torch.inference_mode():
        rois = None if boxes is None else torch.from_numpy(boxes)
        scores = model(split_pathways(torch.from_numpy(clip), cfg), rois)
    expected = np.load(FIXTURES / f"{golden}.npz")

    assert_close(seen["features"], expected["features"], 1e-4)
    assert_close(seen["logits"], expected["logits"], 1e-4)
    for name, mean, std in zip(
        expected["stage_names"], expected["stage_mean"], expected["stage_std"], strict=True
    ):
        if str(name) in seen:  # the maps after concatenation and of the lateral alone stay inside our model
            assert (seen[str(name)].mean().item(), seen[str(name)].std(correction=0).item()) == pytest.approx(
                (mean, std), abs=1e-5
            )
    with_background = expected["scores"].shape[1] == scores.shape[1] + 1
    published = expected["scores"][:, 1:] if with_background else expected["scores"]
    # pytorchvideo's Kinetics model gives logits, PySlowFast's probabilities that add up to 1
    tolerance = {"none": 1e-4, "softmax": 1e-6, "sigmoid": 1e-5}[cfg.MODEL.HEAD_ACT]
    assert_close(scores, published, tolerance)


def recorded(model: nn.Module) -> dict[str, torch.Tensor]:
    """Collect the maps after each stage and what enters and leaves the last linear layer, once it runs."""
    seen: dict[str, torch.Tensor] = {}
    for index, speed in enumerate(["slow", "fast"][: len(model.pathways)]):  # type: ignore[arg-type]
        for part in ("stem", "res2", "res3", "res4", "res5"):
            module = model.get_submodule(f"pathways.{index}.{part}")
            module.register_forward_hook(lambda _, __, out, name=f"{part}.{speed}": seen.update({name: out}))
    model.head.classifier.register_forward_hook(  # type: ignore[union-attr]
        lambda _, inputs, out: seen.update(features=inputs[0], logits=out)
    )
    return seen


def assert_close(ours: torch.Tensor, published: np.ndarray, tolerance: float) -> None:
    published = torch.from_numpy(published)
    torch.testing.assert_close(ours.reshape(published.shape), published, rtol=0, atol=tolerance)
