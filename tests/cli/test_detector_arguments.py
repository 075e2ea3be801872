"""The person detector's flags in ``boxes`` and ``predict``: the embedded detector on a tiny video."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ava_detect.acceleration.openvino_network import has_openvino
from ava_detect.cli import main
from ava_detect.engine import assembly

EMBEDDED = ["--detector-weights", "embedded", "--device", "cpu", "--no-progress"]


@pytest.fixture
def video(make_video: Callable[..., Path], monkeypatch, tmp_path) -> str:
    """Three seconds of video in the folder that the commands run in."""
    monkeypatch.chdir(tmp_path)
    return make_video(frames=75).name


@pytest.fixture
def interrupted_once(monkeypatch) -> None:
    """Press Ctrl-C while the first keyframe of the first run is looked at."""
    plain, presses = assembly.people_from_detector, iter([signal.SIGINT])

    def people_from_detector(*args, **choices):
        people = plain(*args, **choices)

        def find(video_id, clips):
            for press in presses:
                signal.raise_signal(press)
            return people.find(video_id, clips)

        return assembly.People(find, people.threshold, people.description, people.facts)

    monkeypatch.setattr(assembly, "people_from_detector", people_from_detector)


def boxes(*words: str) -> int:
    return main(["boxes", *words, *EMBEDDED, "--min-score", "0", "--batch", "1"])


def test_boxes_are_those_of_the_chosen_form_and_the_json_names_it(video, capsys):
    assert boxes(video, "--out", "usual.csv", "--json") == 0
    usual = json.loads(capsys.readouterr().out)["detector"]
    words = ["--mode", "fast", "--proposals", "20", "--short-side", "96"]
    assert boxes(video, *words, "--out", "other.csv", "--json") == 0
    printed = capsys.readouterr()
    other = json.loads(printed.out)["detector"]
    assert "persons  embedded, fast, 20 proposals, short side 96, boxes" in printed.err
    names = ("mode", "backend", "proposals", "short_side", "person_class")
    fast = "openvino" if has_openvino() else "torch"
    assert [usual[name] for name in names] == ["exact", "torch", 200, 256, 0]
    assert [other[name] for name in names] == ["fast", fast, 20, 96, 0]
    assert usual["config_sha256"] == other["config_sha256"] != ""
    assert len(Path("other.csv").read_text().splitlines()) <= 3 * 20
    assert Path("other.csv").read_text() != Path("usual.csv").read_text()


@pytest.mark.parametrize(
    ("then", "now", "message"),
    [
        (["--mode", "exact"], ["--mode", "fast"], "detector.mode was 'exact', is now 'fast'"),
        (["--proposals", "20"], ["--proposals", "10"], "detector.proposals was 20, is now 10"),
        ([], ["--short-side", "96"], "detector.short_side was 256, is now 96"),
        ([], ["--precision", "bf16"], "settings.precision was 'fp32', is now 'bf16'"),
    ],
)
def test_boxes_of_another_form_are_not_mixed_with_those_of_an_interrupted_run(
    then, now, message, video, interrupted_once, capsys
):
    assert boxes(video, *then, "--out", "b.csv") == 130
    assert boxes(video, *now, "--out", "b.csv", "--resume") == 2
    assert message in capsys.readouterr().err
    assert boxes(video, *then, "--out", "b.csv", "--resume") == 0


def test_boxes_takes_the_names_of_predict_too(video, capsys):
    assert boxes(video, "--detector-proposals", "20", "--out", "b.csv", "--json") == 0
    assert json.loads(capsys.readouterr().out)["detector"]["proposals"] == 20


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--mode", "quick"], "invalid choice: 'quick'"),
        (["--proposals", "0"], "expected 1 or more, got 0"),
        (["--short-side", "large"], "expected a whole number, got 'large'"),
    ],
)
def test_forms_that_make_no_sense_are_wrong_use(words, message, video, capsys):
    with pytest.raises(SystemExit, match="2"):
        boxes(video, *words, "--out", "b.csv")
    assert message in capsys.readouterr().err


def test_predict_has_a_detector_of_the_chosen_form(video, tiny_weights, capsys):
    words = ["--weights", str(tiny_weights), "--person-thresh", "0", "--out", "p.json", "--end", "1"]
    form = ["--detector-proposals", "20", "--detector-short-side", "96"]
    assert main(["predict", video, *EMBEDDED, *words, *form]) == 0
    assert "persons  embedded, 20 proposals, short side 96" in capsys.readouterr().err
    (found,) = json.loads(Path("p.json").read_text())["videos"]
    assert (found["detector"]["proposals"], found["detector"]["short_side"]) == (20, 96)
    assert all(len(keyframe["persons"]) <= 20 for keyframe in found["keyframes"])


def test_in_predict_a_mode_says_whose_it_is(video, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["predict", video, "--mode", "fast"])
    assert "unrecognized arguments: --mode" in capsys.readouterr().err


def test_boxes_from_a_file_leave_nothing_to_say_about_a_detector(video, make_boxes, capsys):
    assert main(["predict", video, "--boxes", str(make_boxes()), "--detector-mode", "fast"]) == 2
    said = capsys.readouterr().err
    assert "--detector-mode is for the person detector, and --boxes brings the people" in said
