"""``ava-detect doctor``: on this machine, and on machines that lack something."""

import importlib.metadata
import importlib.util
import json

import pytest

from ava_detect.cli import main


@pytest.fixture
def without(monkeypatch):
    """Return a function that hides packages from the functions by which doctor looks for them."""
    version, find_spec = importlib.metadata.version, importlib.util.find_spec

    def hide(*names: str) -> None:
        def hidden_version(name):
            if name in names:
                raise importlib.metadata.PackageNotFoundError(name)
            return version(name)

        monkeypatch.setattr(importlib.metadata, "version", hidden_version)
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name in names else find_spec(name)
        )

    return hide


def findings(capsys) -> dict[str, dict]:
    report = json.loads(capsys.readouterr().out)
    assert (report["schema"], report["version"]) == ("ava-detect/doctor", 1)
    return {finding["subject"].split(" ")[0]: finding for finding in report["findings"]}


def test_this_machine_is_fit_and_the_small_network_agrees_with_double_precision(capsys):
    assert main(["doctor", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert "MISSING" not in out
    assert "small run" in out
    assert "of double precision" in out


def test_the_report_can_be_json(capsys):
    assert main(["doctor", "--json", "--no-run"]) == 0
    found = findings(capsys)
    assert {"ava-detect", "torch", "torchvision", "device", "detectron2", "PyAV", "OpenCV", "weights"} <= set(
        found
    )
    assert all(finding["state"] in ("ok", "note") for finding in found.values())


def test_a_missing_detectron2_comes_with_the_line_to_type(without, capsys):
    without("detectron2")
    assert main(["doctor", "--json", "--no-run"]) == 3
    finding = findings(capsys)["detectron2"]
    assert finding["state"] == "MISSING"
    assert "-m person_detector.install" in finding["hint"]


def test_a_missing_extra_is_a_note_and_no_fault(without, capsys):
    without("openvino")
    assert main(["doctor", "--json", "--no-run"]) == 0
    finding = findings(capsys)["openvino"]
    assert finding["state"] == "note"
    assert "pip install 'ava-detect[openvino]'" in finding["hint"]


def test_both_builds_of_opencv_are_a_fault(monkeypatch, capsys):
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "4.12.0" if name == "opencv-python" else version(name)
    )
    assert main(["doctor", "--no-run"]) == 3
    out = capsys.readouterr().out
    assert "both own the folder cv2" in out
    assert "pip uninstall -y opencv-python" in out
    assert out.endswith("1 thing needs a hand\n")


def test_a_device_that_is_not_there_is_a_fault(capsys):
    assert main(["doctor", "--device", "cuda:99", "--no-run"]) == 3
    assert "torch sees" in capsys.readouterr().out


def test_a_changed_file_in_the_cache_is_a_fault(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AVA_DETECT_CACHE", str(tmp_path))
    (tmp_path / "weights.pkl").write_bytes(b"changed")
    (tmp_path / "weights.pkl.sha256").write_text("0" * 64 + "  weights.pkl\n")
    assert main(["doctor", "--no-run"]) == 3
    assert "weights.pkl: digest differs from the recorded one" in capsys.readouterr().out
