"""Weights by formula: the same everywhere, well-conditioned, and a file of ours at the end of the command."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ava_detect.config import Config
from ava_detect.models import build_model, split_pathways
from ava_detect.weights import find_weights, load_weights, recipe

BuildModel = Callable[..., nn.Module]


def test_values_follow_from_seed_and_name_alone(small_model: BuildModel) -> None:
    first, second, other = small_model(seed=1), small_model(seed=2), small_model()
    recipe.fill(first, seed=3)
    recipe.fill(second, seed=3)
    recipe.fill(other, seed=4)
    for (name, a), b, c in zip(
        first.state_dict().items(), second.state_dict().values(), other.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b), name
        assert name.endswith("num_batches_tracked") or not torch.equal(a, c), name


def test_values_do_not_depend_on_the_machine(small_model: BuildModel) -> None:
    """Only the raw bits of PCG64 and exact arithmetic go in, which are the same everywhere."""
    model = small_model()
    recipe.fill(model, seed=5)
    name = "pathways.0.stem.norm.running_var"
    bits = np.random.PCG64([5, zlib.crc32(name.encode())]).random_raw(8)
    expected = 0.6 + 0.8 * ((bits >> np.uint64(11)) * 2.0**-53)  # [0.6, 1.4)
    torch.testing.assert_close(model.state_dict()[name], torch.from_numpy(expected).float())


def test_every_kind_of_value_is_in_its_range(small_model: BuildModel) -> None:
    model = small_model()
    recipe.fill(model, seed=0)

    def bounds(part: str) -> tuple[float, float]:
        tensor = torch.cat([t.flatten() for name, t in model.state_dict().items() if part in name])
        return tensor.min().item(), tensor.max().item()

    def assert_within(part: str, low: float, high: float) -> None:
        found = bounds(part)
        assert low <= found[0] < found[1] <= high, part

    assert_within("running_var", 0.6, 1.4)
    assert_within("running_mean", -0.1, 0.1)
    assert_within("norm_a.weight", 0.8, 1.2)
    assert_within("norm_c.weight", 0.2, 0.5)  # the end of a residual branch
    rows = model.state_dict()["head.projection.weight"]
    torch.testing.assert_close(rows.mean(dim=1), torch.zeros(80), rtol=0, atol=1e-7)


def test_activations_stay_of_order_one_and_people_differ_in_the_deepest_published_network() -> None:
    from ava_detect.config import load_config

    # a quarter of the width: it is the depth that makes activations grow
    cfg = load_config("ava/c2/slowfast_8x8_r101_nl", ["DATA.NUM_FRAMES", 8, "RESNET.WIDTH_PER_GROUP", 16])
    model = build_model(cfg).eval()
    recipe.fill(model, seed=0)
    maps: list[Tensor] = []
    for name in ("res2", "res3", "res4", "res5"):
        stage = model.get_submodule(f"pathways.0.{name}")
        stage.register_forward_hook(lambda _, __, out: maps.append(out))
    clip = torch.randn(1, 3, 8, 64, 64, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[0.0, 0, 0, 64, 64], [0, 10, 10, 30, 60], [0, 40, 0, 64, 30]])
    with torch.inference_mode():
        scores = model(split_pathways(clip, cfg), boxes)
    assert [0.1 < out.std().item() < 3 for out in maps] == [True] * 4
    assert 0.1 < scores.std().item() < 0.4
    assert scores.std(dim=0).mean().item() > 0.005  # between people


def test_the_command_writes_a_file_that_carries_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], small_config: Callable[..., Config]
) -> None:
    from ava_detect.config import dump_config

    (tmp_path / "small.yaml").write_text(dump_config(small_config()))
    out = tmp_path / "demo.safetensors"
    assert recipe.main(["--cfg", str(tmp_path / "small.yaml"), "--seed", "7", "--out", str(out)]) == 0
    assert "seed 7; untrained, the scores mean nothing" in capsys.readouterr().out
    entry = find_weights(out)
    labels = entry.load_labels()
    assert labels is not None
    assert len(labels) == 80
    expected = build_model(small_config())
    recipe.fill(expected, seed=7)
    model = build_model(entry.load_config())
    assert load_weights(model, out).fits
    assert torch.equal(
        model.state_dict()["head.projection.weight"], expected.state_dict()["head.projection.weight"]
    )


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recipe.main(["--cfg", "ava/none", "--out", str(tmp_path / "x")]) == 2
    assert "error: ava/none: no such file, and no configuration of that name" in capsys.readouterr().err
