"""Conversion: to PySlowFast's names and back without a changed bit; networks it lacks are refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from ava_detect.config import Config, dump_config, parse_config
from ava_detect.weights import find_weights, save_weights
from ava_detect.weights.convert import convert, save_pyslowfast
from evaluation.errors import WeightsError
from evaluation.label_map import load_label_map

BuildModel = Callable[..., nn.Module]
MakeConfig = Callable[..., Config]


@pytest.fixture
def small_yaml(tmp_path: Path, small_config: MakeConfig) -> Callable[..., str]:
    def write(*overrides: object) -> str:
        path = tmp_path / "small.yaml"
        path.write_text(dump_config(small_config(*overrides)))
        return str(path)

    return write


def test_a_round_trip_through_pyslowfast_names_is_exact(
    small_model: BuildModel, small_config: MakeConfig, tmp_path: Path
) -> None:
    model = small_model(seed=1)
    first, back = tmp_path / "first.safetensors", tmp_path / "back.safetensors"
    save_weights(model, first, config=small_config(), label_map=load_label_map("v2.2-80"))
    convert(first, tmp_path / "there.pyth", "pyslowfast")
    conversion = convert(tmp_path / "there.pyth", back, "ava-detect")  # the configuration is inside
    assert conversion.report.format == "PySlowFast"
    assert conversion.report.fits
    state = torch.load(tmp_path / "there.pyth", weights_only=True)["model_state"]
    assert len(state) == len(model.state_dict()) == 662
    from safetensors.torch import load_file

    there, again = load_file(first), load_file(back)
    assert there.keys() == again.keys()
    assert all(torch.equal(there[name], again[name]) for name in there)


def test_a_published_file_comes_back_under_its_own_names(
    small_model: BuildModel,
    small_yaml: Callable[..., str],
    name_table: Callable[[str], dict],
    tmp_path: Path,
) -> None:
    from ava_detect.weights.pyslowfast import NAMES

    state = small_model(seed=1).state_dict()
    tensors = {name: state[NAMES.to_ours(name)] for name in name_table("pyslowfast_ava_slowfast_r50_8x8")}
    torch.save({"model_state": tensors, "epoch": 19}, tmp_path / "published.pyth")
    convert(tmp_path / "published.pyth", tmp_path / "ours.safetensors", "ava-detect", cfg=small_yaml())
    convert(tmp_path / "ours.safetensors", tmp_path / "again.pyth", "pyslowfast")
    again = torch.load(tmp_path / "again.pyth", weights_only=True)["model_state"]
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], tensors[name]) for name in tensors)


def test_a_pyslowfast_file_has_its_layout_and_no_training_to_resume(
    small_model: BuildModel, small_config: MakeConfig, tmp_path: Path
) -> None:
    save_pyslowfast(small_model(), tmp_path / "x.pyth", config=small_config())
    content = torch.load(tmp_path / "x.pyth", weights_only=True)
    assert set(content) == {"model_state", "cfg"}
    settings = yaml.safe_load(content["cfg"])
    assert settings["MODEL"]["MODEL_NAME"] == "SlowFast"
    assert settings["RESNET"]["NUM_BLOCK_TEMP_KERNEL"] == [[3, 3], [4, 4], [6, 6], [3, 3]]
    assert type(settings["DATA"]["TARGET_FPS"]) is int  # PySlowFast checks the type
    ours = parse_config(content["cfg"])
    assert (ours.MODEL, ours.RESNET, ours.SLOWFAST) == (
        small_config().MODEL, small_config().RESNET, small_config().SLOWFAST,
    )  # fmt: skip


def test_the_label_map_travels(
    small_model: BuildModel, small_yaml: Callable[..., str], small_config: MakeConfig, tmp_path: Path
) -> None:
    save_pyslowfast(small_model(), tmp_path / "x.pyth", config=small_config())
    convert(tmp_path / "x.pyth", tmp_path / "x.safetensors", "ava-detect", labels="v2.1-80")
    labels = find_weights(tmp_path / "x.safetensors").load_labels()
    assert labels is not None
    assert labels.names == load_label_map("v2.1-80").names


def test_the_background_row_stays_in_our_files_and_is_left_out_of_pyslowfasts(
    small_model: BuildModel, small_config: MakeConfig, tmp_path: Path
) -> None:
    with_row = ["DETECTION.BACKGROUND_COLUMN", True]
    model = small_model(*with_row)
    save_weights(model, tmp_path / "x.safetensors", config=small_config(*with_row))
    conversion = convert(tmp_path / "x.safetensors", tmp_path / "x.pyth", "pyslowfast")
    assert "background row, never trained, is left out" in conversion.notes[0]
    state = torch.load(tmp_path / "x.pyth", weights_only=True)["model_state"]
    torch.testing.assert_close(
        state["head.projection.bias"], model.state_dict()["head.projection.bias"][1:], rtol=0, atol=0
    )
    assert len(state["head.projection.weight"]) == 80


@pytest.mark.parametrize(
    ("overrides", "lacking"),
    [
        (["SLOWFAST.LATERAL_NORM", False], "lateral connection without norm"),
        (["SLOWFAST.LATERAL", "sample"], "lateral connection 'sample'"),
        (["SLOWFAST.SLOW_FRAMES", "stride"], "Slow frames by stride"),
        (["SLOWFAST.FAST_INPUT", "gray"], "Fast input 'gray'"),
        (["SLOWFAST.BETA_INV", 3], "beta 1/3 with 2 lateral channels each"),
        (["MODEL.HEAD_CONCAT", "fast_slow"], "Fast-Slow order of features"),
        (["DETECTION.TEMPORAL_POOL", "max"], "maximum over time in the RoI head"),
        (["DETECTION.CONTEXT", True], "whole-frame context in the RoI head"),
        (["DETECTION.MLP_DIM", 8], "hidden layer in the RoI head"),
        (["RESNET.DEPTH", 18, "RESNET.NUM_BLOCK_TEMP_KERNEL", [2, 2, 2, 2]], "basic-block ResNet of depth"),
        (["DATA.TARGET_FPS", 29.97], "frame rate of 29.97"),
        (["NONLOCAL.LOCATION", [[[], []], [[], []], [[1], []], [[], []]], "NONLOCAL.POOL_FIRST", False],
         "non-local block that pools after its convolutions"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, list) else "",
)  # fmt: skip
def test_a_network_that_pyslowfast_lacks_is_refused_with_the_reason(
    small_model: BuildModel, small_config: MakeConfig, tmp_path: Path, overrides: list, lacking: str
) -> None:
    with pytest.raises(WeightsError, match=f"PySlowFast cannot run this network: it has no {lacking}"):
        save_pyslowfast(small_model(), tmp_path / "x.pyth", config=small_config(*overrides))
    assert not (tmp_path / "x.pyth").exists()


def test_weights_without_a_configuration_ask_for_one(small_model: BuildModel, tmp_path: Path) -> None:
    torch.save({"model_state": {"s1.pathway0_stem.conv.weight": torch.ones(1)}}, tmp_path / "x.pyth")
    with pytest.raises(
        WeightsError, match="the configuration that goes with these weights is not known"
    ) as caught:
        convert(tmp_path / "x.pyth", tmp_path / "y.safetensors", "ava-detect")
    assert "--cfg" in caught.value.hint


def test_weights_that_do_not_fit_the_configuration_are_not_converted(
    small_model: BuildModel, small_yaml: Callable[..., str], small_config: MakeConfig, tmp_path: Path
) -> None:
    save_pyslowfast(small_model(), tmp_path / "x.pyth", config=small_config())
    with pytest.raises(WeightsError, match="does not fit the model"):
        convert(
            tmp_path / "x.pyth",
            tmp_path / "y.safetensors",
            "ava-detect",
            cfg=small_yaml("SLOWFAST.FUSION_KERNEL_SZ", 7),
        )
    assert not (tmp_path / "y.safetensors").exists()


def test_a_person_detector_is_not_converted(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="faster-rcnn-r50-fpn-coco finds people; action and clip models"):
        convert("faster-rcnn-r50-fpn-coco", tmp_path / "x.pyth", "pyslowfast")


def test_a_target_that_cannot_be_written_is_named(
    small_model: BuildModel, small_config: MakeConfig, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=r"none/x\.pyth: cannot be written"):
        save_pyslowfast(small_model(), tmp_path / "none" / "x.pyth", config=small_config())
