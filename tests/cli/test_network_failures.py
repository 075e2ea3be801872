"""Networks that fail on a keyframe in the middle of ``predict`` and ``boxes``: what is said, what is kept."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ava_detect.acceleration.openvino_network import has_openvino
from ava_detect.cli import main
from ava_detect.engine.inference import InferenceNetwork

needs_openvino = pytest.mark.skipif(not has_openvino(), reason="an extra of the package")


@pytest.fixture
def video(make_video: Callable[..., Path], monkeypatch, tmp_path) -> str:
    """A video with keyframes at 0, 1 and 2 s, in the folder that the commands run in."""
    monkeypatch.chdir(tmp_path)
    return make_video(frames=75).name


@pytest.fixture
def predict(video, tiny_weights, make_boxes) -> Callable[..., int]:
    """Return a function that predicts the video with boxes from a file."""
    words = [video, "--weights", str(tiny_weights), "--boxes", str(make_boxes()), "--device", "cpu"]
    return lambda *more: main(["predict", *words, "--min-score", "0", "--no-progress", *more])


def keyframes(path: str) -> list[dict]:
    (video,) = json.loads(Path(path).read_text())["videos"]
    return video["keyframes"]


def scores(path: str) -> list[float]:
    people = [person for keyframe in keyframes(path) for person in keyframe["persons"]]
    return [score for person in people for _, score in sorted(person["actions"])]


@needs_openvino
def test_a_clip_that_openvino_fails_on_is_named_and_torch_goes_on_behind_the_one_before(
    predict, failing_openvino, monkeypatch, capsys
):
    assert predict("--backend", "torch", "--out", "torch.json") == 0
    capsys.readouterr()
    assert predict("--backend", "openvino", "--out", "p.json") == 1
    said = capsys.readouterr().err
    assert "error: video.mp4 at 1 s: OpenVINO failed: Can't set the input tensor" in said
    assert "Leave it out: --backend torch --resume goes on with what has been kept." in said
    assert "Traceback" not in said
    assert not Path("p.json").exists()

    scored = []
    plain = InferenceNetwork.__call__
    monkeypatch.setattr(
        InferenceNetwork, "__call__", lambda self, *clip: scored.append(len(clip[1])) or plain(self, *clip)
    )
    assert predict("--backend", "torch", "--resume", "--out", "p.json") == 0
    assert scored == [2, 2]  # the people of the keyframes at 1 and 2 s
    assert [keyframe["time"] for keyframe in keyframes("p.json")] == [0, 1, 2]
    assert scores("p.json") == pytest.approx(scores("torch.json"), abs=1e-4)


@needs_openvino
def test_a_picture_that_openvino_fails_on_is_named_and_torch_goes_on(video, failing_openvino, capsys):
    words = ["boxes", video, "--weights", "embedded", "--device", "cpu", "--batch", "1", "--no-progress"]
    words += ["--mode", "fast", "--min-score", "0.001", "--out"]
    assert main([*words, "whole.csv", "--backend", "torch"]) == 0
    capsys.readouterr()
    assert main([*words, "b.csv"]) == 1
    said = capsys.readouterr().err
    assert "error: video.mp4 at 1 s: OpenVINO failed: " in said
    assert "Leave it out: --detector-backend torch --resume goes on" in said
    assert not Path("b.csv").exists()
    assert main([*words, "b.csv", "--backend", "torch", "--resume"]) == 0
    rows = [Path(name).read_text().splitlines() for name in ("whole.csv", "b.csv")]
    assert [row.split(",")[1] for row in rows[0]] == [row.split(",")[1] for row in rows[1]]


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_memory_that_runs_out_is_told_with_the_keyframe(error, predict, monkeypatch, capsys):
    plain, calls = InferenceNetwork.__call__, []

    def call(self, *clip):
        calls.append(clip)
        if len(calls) == 3:
            raise error
        return plain(self, *clip)

    monkeypatch.setattr(InferenceNetwork, "__call__", call)
    assert predict("--out", "p.json") == 1
    said = capsys.readouterr().err
    assert "error: video.mp4 at 2 s: out of memory" in said
    assert "With a smaller --batch, --resume goes on" in said
    assert predict("--resume", "--out", "p.json") == 0
    assert len(calls) == 4
    assert len(keyframes("p.json")) == 3


def test_other_failures_are_not_taken_for_memory(predict, monkeypatch, capsys):
    def call(*_):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(InferenceNetwork, "__call__", call)
    assert predict("--out", "p.json") == 1
    assert "unexpected RuntimeError: shapes do not match" in capsys.readouterr().err
