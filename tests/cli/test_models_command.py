"""``ava-detect models``: what it prints, what it writes, and how it ends."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ava_detect.cli import main
from ava_detect.config import dump_config, parse_config
from ava_detect.models import build_model
from ava_detect.weights import recipe, save_weights
from evaluation.label_map import load_label_map

SMALL = """
MODEL: {ARCH: slow, NUM_CLASSES: 80, HEAD_ACT: sigmoid, LOSS_FUNC: bce}
DETECTION: {ENABLE: True}
RESNET: {DEPTH: 50, WIDTH_PER_GROUP: 8, SPATIAL_STRIDES: [1, 2, 2, 1], SPATIAL_DILATIONS: [1, 1, 1, 2]}
DATA: {NUM_FRAMES: 4, SAMPLING_RATE: 16, TEST_CROP_SIZE: 64, TRAIN_CROP_SIZE: 64}
TRAIN: {DATASET: ava}
TEST: {DATASET: ava}
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AVA_DETECT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AVA_DETECT_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


@pytest.fixture
def models(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run ``ava-detect models`` and return exit code, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["models", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A small weights file of ours."""
    config = parse_config(SMALL)
    model = build_model(config)
    recipe.fill(model, seed=1)
    path = tmp_path / "mine.safetensors"
    save_weights(model, path, config=config, label_map=load_label_map("v2.2-80"), source="for a test")
    return path


def test_list_shows_every_name_by_what_it_is_for(models: Callable) -> None:
    code, out, _ = models("list")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "actions of people in boxes (predict)"
    assert "person detectors (predict --detector-weights)" in lines
    (line,) = [line for line in lines if line.startswith("  slowfast-r101-nl-8x8-ava22 ")]
    assert line.split() == "slowfast-r101-nl-8x8-ava22 PySlowFast AVA 2.2 29.1 mAP".split()
    assert len([line for line in lines if line.startswith("  ")]) >= 66


def test_list_takes_words_and_says_which_files_are_here(models: Callable, own_cache: Path) -> None:
    own_cache.mkdir()
    (own_cache / "faster-rcnn-r50-fpn-coco.pkl").touch()
    code, out, _ = models("list", "Faster", "detectron2")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == [
        "faster-rcnn-r50-fpn-coco", "faster-rcnn-r101-fpn-coco", "faster-rcnn-x101-fpn-coco",
    ]  # fmt: skip
    assert [line.endswith("here") for line in out.splitlines()[1:]] == [True, False, False]


def test_list_as_json_holds_the_records(models: Callable) -> None:
    code, out, _ = models("list", "slowfast-r101-nl-8x8-ava22", "--json")
    assert code == 0
    records = {record["name"]: record for record in json.loads(out)}
    record = records["slowfast-r101-nl-8x8-ava22"]
    assert record["config"] == "ava/c2/slowfast_8x8_r101_nl"
    assert record["action"]["aligned"] is False
    assert record["action"]["mean"] == [0.45, 0.45, 0.45]
    assert record["cached"] is False


def test_list_without_a_match_says_so(models: Callable) -> None:
    code, out, err = models("list", "resnet", "9000")
    assert (code, out) == (1, "")
    assert "error: no published weights have 'resnet' and '9000' in their line." in err


def test_info_prints_everything_that_goes_with_weights(models: Callable) -> None:
    code, out, _ = models("info", "mma-slowfast-r50-8x8-ava21")
    assert code == 0
    facts = {line[:12].strip(): line[13:] for line in out.splitlines()}
    assert facts["result"] == "25.80 mAP as published"
    assert facts["clip"] == "32 frames, every 2 of 30 per second"
    assert facts["pixels"] == "RGB / 255, minus (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225)"
    assert facts["RoIAlign"] == "8 x 8, aligned"
    assert facts["classes"] == "80 of v2.1-80, ids from 1; row 0 of the file is background and is not used"
    assert facts["network"] == "33,830,265 parameters, 96.9 G multiply-adds at 256 x 256"
    assert facts["digest"] == "sha256 begins with 39133ec7"
    assert facts["file"].startswith("not here; would be ")


def test_info_of_a_person_detector(models: Callable) -> None:
    code, out, _ = models("info", "keypoint-rcnn-r50-fpn-coco")
    assert code == 0
    assert "classes      1; person is index 0" in out
    assert "threshold    0.70 (--person-thresh)" in out
    assert "network" not in out


def test_info_of_a_file_of_ours_as_text_and_as_json(models: Callable, mine: Path) -> None:
    code, out, _ = models("info", str(mine))
    assert code == 0
    assert "note         for a test" in out
    assert "classes      80 of v2.2-80, ids from 1" in out
    code, out, _ = models("info", str(mine), "--json")
    record = json.loads(out)
    assert record["action"]["num_frames"] == 4
    assert record["network"]["parameters"] == sum(
        parameter.numel() for parameter in build_model(parse_config(SMALL)).parameters()
    )


def test_info_of_another_file_says_what_is_in_it(models: Callable, mine: Path) -> None:
    models("convert", str(mine), "--to", "pyslowfast", "--out", "there.pyth")
    code, out, _ = models("info", "there.pyth")
    assert code == 0
    facts = {line[:12].strip(): line[13:] for line in out.splitlines()}
    assert facts["from"] == "PySlowFast"
    assert facts["container"] == "torch, under model_state"
    assert facts["tensors"].startswith("320, ")
    assert facts["config"] == "inside"


def test_fetch_offline_says_where_to_put_the_file(models: Callable, own_cache: Path) -> None:
    code, out, err = models("fetch", "faster-rcnn-r50-fpn-coco")
    assert (code, out) == (1, "")
    assert "cannot be downloaded: downloads are forbidden" in err
    assert f"and put it at {own_cache / 'faster-rcnn-r50-fpn-coco.pkl'}" in err
    assert "--detector-weights embedded" in err


def test_fetch_prints_where_the_file_is(models: Callable, own_cache: Path) -> None:
    own_cache.mkdir()
    path = own_cache / "slowfast-r101-nl-8x8-ava22.pkl"  # no digest is published for it
    path.write_bytes(b"put here by hand")
    code, out, _ = models("fetch", "slowfast-r101-nl-8x8-ava22")
    assert (code, out) == (0, f"{path}\n")
    code, out, _ = models("fetch", "slowfast-r101-nl-8x8-ava22", "--json")
    assert json.loads(out) == {"slowfast-r101-nl-8x8-ava22": str(path)}


def test_fetch_of_an_unknown_name_suggests_others(models: Callable) -> None:
    code, _, err = models("fetch", "slowfast-r50-8x8")
    assert code == 1
    assert "Did you mean slowfast-r50-8x8-k400" in err


def test_convert_there_and_back(models: Callable, mine: Path, tmp_path: Path) -> None:
    code, out, _ = models("convert", str(mine), "--to", "pyslowfast", "--out", "there.pyth")
    assert code == 0
    assert out.splitlines() == ["loaded 320 of 320 tensors (ava-detect)", "wrote there.pyth"]
    state = torch.load(tmp_path / "there.pyth", weights_only=True)["model_state"]
    assert "s5.pathway0_res2.branch2.c.weight" in state
    code, out, _ = models(
        "convert", "there.pyth", "--to", "ava-detect", "--out", "back.safetensors", "--json"
    )
    assert code == 0
    account = json.loads(out)
    assert account["format"] == "PySlowFast"
    assert account["written"] == "back.safetensors"
    assert len(account["loaded"]) == 320


def test_convert_to_half_precision_with_a_note(models: Callable, mine: Path, tmp_path: Path) -> None:
    words = ["convert", str(mine), "--half", "--note", "trained on drawings"]
    assert models(*words, "--to", "ava-detect", "--out", "half.safetensors")[0] == 0
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * mine.stat().st_size
    smallest = ["convert", str(mine), "--int8", "--to", "ava-detect", "--out", "int8.safetensors"]
    assert models(*smallest)[0] == 0
    _, out, _ = models("info", "half.safetensors")
    assert "note         trained on drawings" in out
    code, _, err = models(*words, "--to", "pyslowfast", "--out", "x.pyth")
    assert (code, "--half, --int8 and --note are for --to ava-detect" in err) == (2, True)


def test_convert_does_not_overwrite_unasked(models: Callable, mine: Path) -> None:
    code, _, err = models("convert", str(mine), "--to", "pyslowfast", "--out", str(mine))
    assert code == 2
    assert "mine.safetensors exists. Use --overwrite, or another name." in err
    code, _, _ = models("convert", str(mine), "--to", "ava-detect", "--out", str(mine), "--overwrite")
    assert code == 0


def test_convert_takes_a_configuration_and_changes_to_it(
    models: Callable, mine: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.yaml").write_text(
        dump_config(parse_config(SMALL.replace("WIDTH_PER_GROUP: 8", "WIDTH_PER_GROUP: 16")))
    )
    words = ["convert", str(mine), "--to", "pyslowfast", "--out", "x.pyth", "--cfg", "other.yaml"]
    code, _, err = models(*words)
    assert code == 1
    assert "does not fit the model" in err
    code, _, _ = models(*words, "--set", "RESNET.WIDTH_PER_GROUP", "8")
    assert code == 0


def test_flags_of_every_command_may_follow_the_action(models: Callable) -> None:
    for words in (["-q", "list", "keypoint"], ["list", "keypoint", "-q"]):
        code, out, _ = models(*words)
        assert code == 0
        assert len(out.splitlines()) == 3


def test_no_action_shows_the_usage(models: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        models()
    assert stopped.value.code == 2
    assert "list|info|fetch|convert" in capsys.readouterr().err
