"""Our own weights files: what travels with the weights is inside, and a damaged or newer file says so."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ava_detect.config import Config
from ava_detect.models import split_pathways
from ava_detect.weights import load_weights, save_weights
from ava_detect.weights.own_format import read_enclosed
from ava_detect.weights.safe_read import read_checkpoint
from evaluation.errors import WeightsError
from evaluation.label_map import load_label_map

BuildModel = Callable[..., nn.Module]


def test_weights_configuration_and_label_map_come_back(
    small_model: BuildModel, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    config, labels = small_config("DATA.MEAN", [0.4, 0.5, 0.6]), load_label_map("v2.2-80")
    model, path = small_model(seed=1), tmp_path / "mine.safetensors"
    save_weights(model, path, config=config, label_map=labels, source="a test")
    target = small_model(seed=2)
    report = load_weights(target, path)
    assert (report.format, report.fits) == ("ava-detect", True)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(target.state_dict()[name], tensor, rtol=0, atol=0)
    enclosed = read_enclosed(path)
    assert enclosed is not None
    assert enclosed.config == config
    assert enclosed.label_map == labels
    assert enclosed.source == "a test"


def test_a_file_without_a_label_map_says_so(
    small_model: BuildModel, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    save_weights(small_model(), tmp_path / "x.safetensors", config=small_config())
    enclosed = read_enclosed(tmp_path / "x.safetensors")
    assert enclosed is not None
    assert enclosed.label_map is None


def test_equal_models_give_equal_files(
    small_model: BuildModel, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        save_weights(
            small_model(),
            tmp_path / name,
            config=small_config(),
            label_map=load_label_map("v2.1-80"),
            source="x",
        )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_half_precision_halves_the_file_and_is_loaded_into_full_precision(
    small_model: BuildModel, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    model = small_model()
    save_weights(model, tmp_path / "full", config=small_config())
    save_weights(model, tmp_path / "half", config=small_config(), dtype=torch.float16)
    assert (tmp_path / "half").stat().st_size < 0.6 * (tmp_path / "full").stat().st_size
    load_weights(model, tmp_path / "half")
    for tensor in model.state_dict().values():
        assert tensor.dtype in (torch.float32, torch.int64)


def test_norms_survive_half_precision_bit_by_bit(
    small_model: BuildModel, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    model = small_model(seed=3)
    state = model.state_dict()
    for name in state:
        if name.endswith("running_var"):
            state[name][0], state[name][1] = 3e-9, 7e5  # 0 and infinity in half precision
    save_weights(model, tmp_path / "half", config=small_config(), dtype=torch.float16)
    target = small_model(seed=4)
    load_weights(target, tmp_path / "half")
    for name, tensor in target.state_dict().items():
        if state[name].dim() < 2:
            torch.testing.assert_close(tensor, state[name], rtol=0, atol=0)
        else:  # 11 significant bits, or the distance of the smallest numbers
            torch.testing.assert_close(tensor, state[name], rtol=2**-11, atol=2**-25)


def test_a_model_from_half_precision_gives_nearly_the_same_scores(
    small_model: BuildModel, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    model, config = small_model(seed=3), small_config()
    clips = split_pathways(torch.rand(1, 3, 8, 64, 64, generator=torch.Generator().manual_seed(0)), config)
    boxes = torch.tensor([[0.0, 5, 6, 40, 60], [0.0, 0, 0, 64, 64]])
    with torch.inference_mode():
        expected = model(clips, boxes)
        save_weights(model, tmp_path / "half", config=config, dtype=torch.float16)
        load_weights(model, tmp_path / "half")
        torch.testing.assert_close(model(clips, boxes), expected, rtol=0, atol=2e-3)


def test_eight_bits_keep_every_weight_to_half_a_step(
    small_model: BuildModel, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    model = small_model("RESNET.WIDTH_PER_GROUP", 32, seed=3)
    config = small_config("RESNET.WIDTH_PER_GROUP", 32)
    state = model.state_dict()
    name = "pathways.0.res5.blocks.0.conv_b.weight"
    assert state[name].numel() >= 2**16
    state[name][0] = 0
    for each, dtype in (("full", torch.float32), ("half", torch.float16), ("int8", torch.int8)):
        save_weights(model, tmp_path / each, config=config, dtype=dtype)
    sizes = {each: (tmp_path / each).stat().st_size for each in ("full", "half", "int8")}
    assert sizes["int8"] < 0.6 * sizes["half"] < 0.36 * sizes["full"]
    target = small_model("RESNET.WIDTH_PER_GROUP", 32, seed=4)
    assert load_weights(target, tmp_path / "int8").fits
    for each, tensor in target.state_dict().items():
        step = state[each].flatten(1).abs().amax(dim=1) / 127 if state[each].dim() > 1 else torch.zeros(1)
        error = (tensor - state[each]).abs().flatten(1).amax(dim=1) if state[each].dim() > 1 else None
        if error is None:
            torch.testing.assert_close(tensor, state[each], rtol=0, atol=0)
        else:
            assert bool((error <= 0.5001 * step).all())


@pytest.mark.parametrize(
    "damage",
    [
        lambda tensors: tensors.pop("a"),
        lambda tensors: tensors.update(a=torch.ones(3, 2)),
        lambda tensors: tensors.update(a=torch.ones(3, dtype=torch.int8)),
        lambda tensors: tensors.update({"a:scale": torch.ones(2)}),
    ],
    ids=["no tensor", "not 8 bits", "no rows", "another number of scales"],
)
def test_scales_that_do_not_fit_are_refused(tmp_path: Path, damage: Callable[[dict], object]) -> None:
    tensors = {"a": torch.ones(3, 2, dtype=torch.int8), "a:scale": torch.ones(3), "b": torch.ones(1)}
    save_file(tensors, tmp_path / "whole")
    assert read_checkpoint(tmp_path / "whole").tensors["a"].dtype == torch.float32
    damage(tensors)
    save_file(tensors, tmp_path / "damaged")
    with pytest.raises(WeightsError, match=r"damaged safetensors file \(a:scale does not fit a\)"):
        read_checkpoint(tmp_path / "damaged")


def test_a_weight_out_of_the_range_of_half_precision_is_refused(
    small_model: BuildModel, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    model = small_model()
    model.state_dict()["head.projection.weight"][2, 3] = -70000
    with pytest.raises(WeightsError, match=r"head\.projection\.weight .* 70000, out of the range of float16"):
        save_weights(model, tmp_path / "x", config=small_config(), dtype=torch.float16)
    assert not (tmp_path / "x").exists()


def test_a_label_map_of_another_length_is_a_mistake_of_the_caller(
    small_model: BuildModel, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="60 classes in the label map, 80 in the model"):
        save_weights(small_model(), tmp_path / "x", config=small_config(), label_map=load_label_map("v2.2"))


def test_a_folder_that_is_not_there_is_named(
    small_model: BuildModel, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=r"none/x: cannot be written \(No such file or directory\)"):
        save_weights(small_model(), tmp_path / "none" / "x", config=small_config())


def test_a_foreign_file_encloses_nothing(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "x.safetensors", {"format": "pt"})
    assert read_enclosed(tmp_path / "x.safetensors") is None
    torch.save({"a": torch.ones(1)}, tmp_path / "x.pth")
    assert read_enclosed(tmp_path / "x.pth") is None


def change_metadata(path: Path, change: Callable[[dict], object]) -> None:
    """Rewrite a file of ours with another document in its header."""
    from ava_detect.weights.safe_read import read_safetensors_metadata

    document = json.loads(read_safetensors_metadata(path)["ava_detect"])
    text = change(document)
    save_file(load_file(path), path, {"ava_detect": text if isinstance(text, str) else json.dumps(document)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: "{not json", "the metadata inside are damaged"),
        (lambda d: "[]", "the metadata inside are damaged"),
        (lambda d: "[" * 100_000, "the metadata inside are damaged"),
        (lambda d: d.pop("config") and None, r"the metadata inside are damaged \('config'\)"),
        (lambda d: d.update(config="MODEL: {ARCH: nonsense}"), "the metadata inside are damaged .*nonsense"),
        (
            lambda d: d.update(config="!!python/object/apply:os.system [ls]"),
            "the metadata inside are damaged",
        ),
        (lambda d: d["label_map"].update(ids=[1, 1]), "the metadata inside are damaged"),
        (lambda d: d["label_map"]["ids"].__setitem__(0, -1), "class ids must be different and at least 1"),
        (lambda d: d.update(label_map="text"), "the metadata inside are damaged"),
        (lambda d: d.update(version=2), "written in version 2 of the format; 1 is read here"),
    ],
    ids=["no JSON", "list", "deep", "no config", "bad config", "YAML tag", "labels", "id", "text", "newer"],
)
def test_damaged_or_newer_metadata_are_refused(
    small_model: BuildModel,
    small_config: Callable[..., Config],
    tmp_path: Path,
    change: Callable,
    message: str,
) -> None:
    path = tmp_path / "x.safetensors"
    save_weights(small_model(), path, config=small_config(), label_map=load_label_map("v2.2-80"))
    change_metadata(path, change)
    with pytest.raises(WeightsError, match=message):
        read_enclosed(path)
