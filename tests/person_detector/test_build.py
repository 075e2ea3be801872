"""From a name or a file to a detector: what fits together, what is refused, and how."""

import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation.errors import ConfigError, MissingDependencyError, UsageError, WeightsError
from person_detector import build_person_detector
from person_detector.architecture import SMALL, load_detector_config

ZOO = {
    "faster-rcnn-r50-fpn-coco": "COCO-Detection/faster_rcnn_R_50_FPN_3x",
    "faster-rcnn-r101-fpn-coco": "COCO-Detection/faster_rcnn_R_101_FPN_3x",
    "faster-rcnn-x101-fpn-coco": "COCO-Detection/faster_rcnn_X_101_32x8d_FPN_3x",
    "keypoint-rcnn-r50-fpn-coco": "COCO-Keypoints/keypoint_rcnn_R_50_FPN_3x",
    "keypoint-rcnn-x101-fpn-coco": "COCO-Keypoints/keypoint_rcnn_X_101_32x8d_FPN_3x",
}


def put_in_cache(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, weights: Path) -> None:
    """Make the zoo's file a file of the test: in the cache, with its digest recorded as if downloaded."""
    from ava_detect.weights import find_weights
    from ava_detect.weights.cache import file_digest, record_digest
    from ava_detect.weights.zoo import cache_path

    monkeypatch.setenv("AVA_DETECT_CACHE", str(folder))
    monkeypatch.setenv("AVA_DETECT_OFFLINE", "1")
    target = cache_path(find_weights(name))
    target.parent.mkdir(parents=True, exist_ok=True)
    weights.rename(target)
    record_digest(target, file_digest(target, "sha256"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_every_zoo_model_builds_and_loads_a_file_in_the_zoos_layout(
    name: str, write_zoo_file, picture: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    weights = write_zoo_file(ZOO[name], keypoints="keypoint" in name)
    put_in_cache(monkeypatch, tmp_path, name, weights)
    detector = build_person_detector(name, device="cpu", short_side=128)
    assert detector.name == name
    assert detector.threshold == 0.7  # the record's
    people = detector.detect(picture)
    assert people.boxes.shape == (len(people.scores), 4)


def test_a_keypoint_detector_needs_no_keypoint_head_to_find_people(write_zoo_file, picture: np.ndarray):
    with_head = write_zoo_file(SMALL, keypoints=True)
    assert any("keypoint_head" in name for name in pickle.loads(with_head.read_bytes())["model"])
    found = build_person_detector(with_head, device="cpu", threshold=0.05).detect(picture)
    plain = build_person_detector(write_zoo_file(SMALL), device="cpu", threshold=0.05).detect(picture)
    np.testing.assert_array_equal(found.boxes, plain.boxes)


def test_files_of_torch_and_safetensors_give_the_same_detector(
    small_weights: Path, picture: np.ndarray, tmp_path: Path
):
    from safetensors.torch import save_file

    tensors = {
        name: torch.from_numpy(array)
        for name, array in pickle.loads(small_weights.read_bytes())["model"].items()
    }
    torch.save({"model": tensors, "iteration": 7, "trainer": {"hooks": {}}}, tmp_path / "model_final.pth")
    save_file(tensors, tmp_path / "persons.safetensors")
    expected = build_person_detector(small_weights, device="cpu", threshold=0.05).detect(picture)
    for file in ("model_final.pth", "persons.safetensors"):
        people = build_person_detector(tmp_path / file, device="cpu", threshold=0.05).detect(picture)
        np.testing.assert_array_equal(people.boxes, expected.boxes)


class Payload:
    """Pickles to a call that leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("suffix", ["pkl", "pth"])
def test_a_hostile_checkpoint_runs_nothing(tmp_path: Path, suffix: str):
    path, trace = tmp_path / f"hostile.{suffix}", tmp_path / "trace"
    content = {"model": {"backbone.bottom_up.stem.conv1.weight": Payload(trace)}, "__author__": "x"}
    if suffix == "pkl":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path)
    with pytest.raises(WeightsError, match=f"hostile.{suffix}: .*mkdir"):
        build_person_detector(path, device="cpu")
    assert not trace.exists()


def test_an_unknown_name_is_answered_with_the_nearest_detector():
    with pytest.raises(WeightsError, match="Did you mean faster-rcnn-r50-fpn-coco"):
        build_person_detector("faster-rcnn-r50-fpn-koko")


def test_an_action_model_is_no_detector():
    with pytest.raises(WeightsError, match="a person detector is expected"):
        build_person_detector("slowfast-r101-nl-8x8-ava22")


def test_eighty_classes_are_taken_for_cocos(write_zoo_file, picture: np.ndarray):
    weights = write_zoo_file(SMALL, classes=80)
    taken = build_person_detector(weights, device="cpu", threshold=0.01)
    named = build_person_detector(weights, device="cpu", threshold=0.01, person_class=0)
    np.testing.assert_array_equal(taken.detect(picture).boxes, named.detect(picture).boxes)


def test_nobody_guesses_which_of_several_classes_is_the_person(write_zoo_file):
    with pytest.raises(ConfigError, match=r"model_final.pkl: has 3 classes") as error:
        build_person_detector(write_zoo_file(SMALL, classes=3), device="cpu")
    assert error.value.hint == "--person-class N, with N from 0 to 2"


@pytest.mark.parametrize("index", [-1, 3])
def test_a_person_class_that_is_not_there_is_refused(write_zoo_file, index: int):
    with pytest.raises(ConfigError, match=f"--person-class {index}: .* has the classes 0 to 2"):
        build_person_detector(write_zoo_file(SMALL, classes=3), device="cpu", person_class=index)


def test_weights_of_another_configuration_do_not_load(small_weights: Path):
    with pytest.raises(WeightsError, match=r"has the shape|does not fit"):
        build_person_detector(small_weights, config="COCO-Detection/faster_rcnn_R_50_FPN_3x", device="cpu")


def test_a_detector_of_another_kind_is_refused(tmp_path: Path):
    from detectron2.modeling import build_model

    from person_detector.network import FasterRCNN

    cfg = load_detector_config(SMALL)
    cfg.MODEL.DEVICE, cfg.MODEL.META_ARCHITECTURE = "cpu", "ProposalNetwork"
    with pytest.raises(ConfigError, match="the detector is a ProposalNetwork; a GeneralizedRCNN"):
        FasterRCNN(build_model(cfg))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "quick"}, "detector mode 'quick': expected exact or fast"),
        ({"precision": "int8"}, "precision 'int8': expected fp32, bf16 or fp16"),
        ({"precision": "fp16"}, "precision fp16 needs a GPU"),
        ({"backend": "onnx"}, "backend 'onnx': expected torch or openvino"),
        ({"backend": "openvino", "device": "cuda"}, "backend openvino runs on the CPU, the device is cuda"),
    ],
)
def test_choices_that_do_not_go_together_are_refused(small_weights: Path, options, message: str):
    with pytest.raises(UsageError, match=message):
        build_person_detector(small_weights, **({"device": "cpu"} | options))


def hide(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Make a package look as if it were not installed."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == package else found(name, *rest)
    )
    monkeypatch.setitem(sys.modules, package, None)


def test_without_detectron2_the_line_to_type_is_given(monkeypatch: pytest.MonkeyPatch, small_weights: Path):
    hide(monkeypatch, "detectron2")
    with pytest.raises(
        MissingDependencyError, match="detectron2 is not installed; it finds the people"
    ) as error:
        build_person_detector(small_weights)
    assert error.value.hint.startswith("python -m person_detector.install ")
    assert "--boxes FILE" in error.value.hint


def test_a_detectron2_that_cannot_be_imported_is_told_apart(tmp_path: Path):
    (tmp_path / "detectron2").mkdir()
    (tmp_path / "detectron2" / "__init__.py").write_text("raise ImportError('libtorch has moved')")
    program = (
        "from person_detector.detectron2_import import require_detectron2\n"
        "from evaluation.errors import MissingDependencyError\n"
        "try: require_detectron2()\n"
        "except MissingDependencyError as error: print(error, error.hint)"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "installed and cannot be imported: libtorch has moved" in printed
    assert "person_detector.install --force" in printed


def test_without_openvino_the_fast_mode_runs_in_torch(
    monkeypatch: pytest.MonkeyPatch,
    small_weights: Path,
    picture: np.ndarray,
    caplog: pytest.LogCaptureFixture,
):
    hide(monkeypatch, "openvino")
    with caplog.at_level("INFO", logger="person_detector"):
        detector = build_person_detector(small_weights, device="cpu", mode="fast", threshold=0.05)
    assert "openvino is not installed" in caplog.text
    assert len(detector.detect(picture)) > 0


def test_openvino_that_was_asked_for_and_is_missing_is_an_error(
    monkeypatch: pytest.MonkeyPatch, small_weights: Path
):
    hide(monkeypatch, "openvino")
    with pytest.raises(MissingDependencyError, match="openvino is not installed"):
        build_person_detector(small_weights, device="cpu", backend="openvino")


def test_building_prints_no_warnings(small_weights: Path):
    program = f"""from person_detector import build_person_detector
build_person_detector({str(small_weights)!r}, device="cpu")"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("", "")
