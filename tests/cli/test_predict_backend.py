"""``ava-detect predict --backend``: what runs the network, what the outputs say about it, what is refused."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ava_detect.acceleration.openvino_network import has_openvino
from ava_detect.cli import main
from ava_detect.engine.inference import WORTH_CONVERTING

needs_openvino = pytest.mark.skipif(not has_openvino(), reason="an extra of the package")

MANY = ["--every", "0.1"]  # 21 keyframes in two seconds
assert WORTH_CONVERTING < 21


@pytest.fixture
def predict(
    tiny_weights: Path,
    make_boxes: Callable[..., Path],
    make_video: Callable[..., Path],
    monkeypatch,
    tmp_path,
) -> Callable[..., int]:
    """Return a function that predicts two seconds of video into the file it is told."""
    monkeypatch.chdir(tmp_path)
    make_video(frames=51)
    words = ["video.mp4", "--weights", str(tiny_weights), "--boxes", str(make_boxes()), "--no-progress"]
    return lambda *more: main(["predict", *words, "--min-score", "0", *more])


@pytest.fixture
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr("ava_detect.acceleration.openvino_network.has_openvino", lambda: False)
    monkeypatch.setattr("ava_detect.engine.inference.has_openvino", lambda: False)


def document(path: str) -> dict:
    (video,) = json.loads(Path(path).read_text())["videos"]
    return video


def scores(video: dict) -> list[float]:
    return [
        score
        for keyframe in video["keyframes"]
        for person in keyframe["persons"]
        for _, score in sorted(person["actions"])
    ]


@needs_openvino
def test_both_backends_give_the_same_scores_and_the_document_names_them(predict, capsys):
    assert predict("--backend", "torch", "--out", "torch.json") == 0
    assert ", torch\n" in capsys.readouterr().err
    assert predict("--backend", "openvino", "--out", "openvino.json") == 0
    assert ", openvino\n" in capsys.readouterr().err
    one, other = document("torch.json"), document("openvino.json")
    assert one["settings"]["backend"] == "torch"
    assert other["settings"]["backend"] == "openvino"
    assert len(scores(one)) == 3 * 2 * 6
    assert scores(one) == pytest.approx(scores(other), abs=1e-4)


@needs_openvino
def test_auto_depends_on_how_many_keyframes_there_are(predict):
    assert predict("--out", "few.json") == 0
    assert document("few.json")["settings"]["backend"] == "torch"
    assert predict(*MANY, "--out", "many.json") == 0
    assert document("many.json")["settings"]["backend"] == "openvino"


def test_without_openvino_auto_says_what_would_be_faster(predict, without_openvino, capsys):
    assert predict(*MANY, "--out", "many.json") == 0
    err = capsys.readouterr().err
    assert "openvino is not installed: torch runs the network, in more time" in err
    assert "python -m pip install 'ava-detect[openvino]'" in err
    assert document("many.json")["settings"]["backend"] == "torch"


def test_openvino_that_was_asked_for_and_is_missing_ends_the_run(predict, without_openvino, capsys):
    assert predict("--backend", "openvino", "--out", "actions.csv") == 1
    err = capsys.readouterr().err
    assert "error: openvino is not installed" in err
    assert "--backend torch" in err
    assert not Path("actions.csv").exists()


def test_an_unknown_backend_is_wrong_use(predict, capsys):
    with pytest.raises(SystemExit, match="2"):
        predict("--backend", "onnx")
    assert "--backend: invalid choice: 'onnx'" in capsys.readouterr().err
