"""Files of our person detectors: what travels with the weights, and files that lie about it."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ava_detect.weights import find_weights
from ava_detect.weights.detector_format import DetectorRecord, read_detector_record, save_detector
from evaluation.errors import ConfigError, WeightsError
from person_detector import build_person_detector
from person_detector.architecture import SMALL, load_detector_config
from person_detector.settings import changed_settings


def document(**changes) -> dict[str, str]:
    record = {
        "version": 1, "config": "VERSION: 2\n", "classes": ["person"], "person_class": 0,
        "score_threshold": 0.5,
    } | changes  # fmt: skip
    return {"ava_detect_detector": json.dumps(record)}


def write(path: Path, metadata: dict[str, str]) -> Path:
    save_file({"a": torch.ones(1)}, path, metadata=metadata)
    return path


def test_a_record_comes_back_and_the_numbers_are_halved(tmp_path: Path):
    record = DetectorRecord("VERSION: 2\n", ("cat", "person"), 1, 0.62, "AP50 92.0", "a test")
    tensors = {
        "conv.weight": torch.full((2, 3, 1, 1), 1 / 3), "conv.norm.running_var": torch.tensor([1e-9, 1.0]),
        "conv.norm.num_batches_tracked": torch.tensor(7),
    }  # fmt: skip
    save_detector(tensors, tmp_path / "d.safetensors", record, dtype=torch.float16)
    assert read_detector_record(tmp_path / "d.safetensors") == record
    stored = load_file(tmp_path / "d.safetensors")
    assert set(stored) == {"conv.weight", "conv.norm.running_var"}
    assert stored["conv.weight"].dtype == torch.float16
    assert stored["conv.norm.running_var"].tolist() == pytest.approx([1e-9, 1.0])
    entry = find_weights(tmp_path / "d.safetensors", kind="persons")
    assert (entry.result, entry.persons.person_class, entry.persons.score_threshold) == ("AP50 92.0", 1, 0.62)


def test_files_of_others_have_no_record(tmp_path: Path):
    assert read_detector_record(write(tmp_path / "a.safetensors", {"format": "pt"})) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": []}, {"classes": "person"}, {"person_class": 1}, {"person_class": "0"},
        {"score_threshold": 7}, {"score_threshold": "high"}, {"config": 3},
    ],
)  # fmt: skip
def test_damaged_records_are_refused(changes, tmp_path: Path):
    with pytest.raises(WeightsError, match="the metadata inside are damaged"):
        read_detector_record(write(tmp_path / "a.safetensors", document(**changes)))


def test_a_newer_version_says_so(tmp_path: Path):
    with pytest.raises(WeightsError, match="written in version 9 of the format; 1 is read here"):
        read_detector_record(write(tmp_path / "a.safetensors", document(version=9)))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("MODEL: !!python/object/apply:os.system ['touch /tmp/never']", "has a YAML tag that would run code"),
        ("_BASE_: http://127.0.0.1:9/x.yaml", "not a Detectron2 configuration"),
        ("MODEL: {RESNETS: {NO_SUCH_KEY: 1}}", "Non-existent config key"),
        ("MODEL: {ROI_BOX_HEAD: {NUM_FC: 1000000000}}", "NUM_FC is 1000000000; expected 0 to 16"),
        ("INPUT: {MIN_SIZE_TEST: 1000000}", "MIN_SIZE_TEST is 1000000; expected 0 to 4096"),
        ("MODEL: {RESNETS: {STAGE_CHANNELS: [" + "8," * 99 + "8]}}", "STAGE_CHANNELS has 100 entries"),
        ("[", "not a Detectron2 configuration"),
        ("x" * 200_000, "200,000 characters"),
    ],
)
def test_a_configuration_inside_runs_nothing_and_has_bounds(config: str, message: str, tmp_path: Path):
    path = write(tmp_path / "a.safetensors", document(config=config))
    with pytest.raises(ConfigError, match=message):
        build_person_detector(path, device="cpu")


def test_a_configuration_of_a_larger_network_than_the_file_takes_no_memory(tmp_path: Path):
    cfg = load_detector_config(SMALL)
    cfg.MODEL.ROI_BOX_HEAD.FC_DIM = 60_000  # 14 GB
    path = write(tmp_path / "a.safetensors", document(config=changed_settings(cfg)))
    with pytest.raises(WeightsError, match=r"makes a network of [\d,]+ weights, the file has 1"):
        build_person_detector(path, device="cpu")


def test_the_settings_inside_describe_the_same_network(tmp_path: Path):
    from person_detector.architecture import parse_detector_config

    cfg = load_detector_config(SMALL)
    again = parse_detector_config(changed_settings(cfg), "text")
    for section in ("MODEL", "INPUT"):
        assert again[section] == cfg[section]
