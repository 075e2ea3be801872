"""``train-detector`` and ``test-detector``: from annotated videos to a file that ``predict`` takes."""

import importlib.util
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ava_detect.cli import main
from ava_detect.weights import find_weights
from person_detector import build_person_detector

CONFIG = "person_detector/faster_rcnn_r18_half_fpn"
QUICK = [
    "SOLVER.MAX_ITER", "4", "SOLVER.IMS_PER_BATCH", "2", "SOLVER.CHECKPOINT_PERIOD", "2",
    "SOLVER.LOG_PERIOD", "1", "SOLVER.PRECISION", "fp32",
    "INPUT.MIN_SIZE_TRAIN", "(64,)", "INPUT.MIN_SIZE_TEST", "64",
    "TEST.EVAL_PERIOD", "2",
]  # fmt: skip


@pytest.fixture(autouse=True)
def log_as_before():
    """Take off the files that a run adds to the loggers."""
    yield
    for package in ("ava_detect", "person_detector", "evaluation"):
        for handler in logging.getLogger(package).handlers[:]:
            if isinstance(handler, logging.FileHandler):
                handler.close()
                logging.getLogger(package).removeHandler(handler)


@pytest.fixture
def people(tmp_path: Path, encode_video, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A tiny AVA-style set; settings that train and score on it."""
    monkeypatch.setenv("AVA_DETECT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "videos").mkdir()
    encode_video(tmp_path / "videos" / "v.mp4", frames=75, fps=25, size=(96, 128))
    rows = [f"v,{second},0.25,0.25,0.75,0.75,12,0\n" for second in range(3)]
    (tmp_path / "train.csv").write_text("".join(rows))
    (tmp_path / "val.csv").write_text("".join(rows[:2]))
    return ["AVA.VIDEO_DIR", str(tmp_path / "videos"), "AVA.ANNOTATION_DIR", str(tmp_path)]


def train(tmp_path: Path, people: list[str], *more: str) -> int:
    return main(
        ["train-detector", "--cfg", CONFIG, *people, *QUICK, "--output-dir", str(tmp_path / "runs"),
         "--run-name", "r", "--device", "cpu", *more]
    )  # fmt: skip


def test_a_trained_detector_is_scored_and_used(tmp_path: Path, people, capsys):
    assert train(tmp_path, people, "--half", "--json") == 0
    run = tmp_path / "runs" / "r"
    printed = capsys.readouterr()
    score = json.loads(printed.out)
    assert score["num_images"] == 2
    assert json.loads((run / "score.json").read_text()) == score
    assert "3 pictures, 3 people" in printed.err
    assert "train  [4/4]" in printed.err
    assert "train  [4/4]" in (run / "log.txt").read_text()
    assert "ava-detect" in (run / "command.txt").read_text()
    assert "MAX_ITER: 4" in (run / "config.yaml").read_text()

    entry = find_weights(run / "last.safetensors", kind="persons")
    assert entry.persons is not None
    assert (entry.persons.classes, entry.persons.person_class) == (("person",), 0)
    assert "on 2 pictures" in entry.result
    detector = build_person_detector(run / "last.safetensors", device="cpu", threshold=0.0)
    people_found = detector.detect(np.zeros((96, 128, 3), np.uint8))
    assert people_found.boxes.shape == (len(people_found), 4)
    assert (run / "last.safetensors").stat().st_size < 6.2e6

    arguments = ["test-detector", "--cfg", CONFIG, *people, "--device", "cpu", "--detector-weights"]
    assert main([*arguments, str(run / "last.safetensors"), "--json", "--out", str(tmp_path / "s.json")]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["num_truth"] == score["num_truth"]
    assert again["ap"] == pytest.approx(score["ap"], abs=0.02)  # half precision in the file
    assert json.loads((tmp_path / "s.json").read_text()) == again
    assert main([*arguments, str(run / "last.safetensors")]) == 0
    assert "2 pictures, 2 people" in capsys.readouterr().out


def test_scores_are_pycocotools_own(tmp_path: Path, people, capsys, monkeypatch):
    """The same pictures, written to files and scored by hand with COCO's own loader."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    assert train(tmp_path, people) == 0
    weights = str(tmp_path / "runs" / "r" / "last.safetensors")
    rng = np.random.default_rng(1)
    (tmp_path / "images").mkdir()
    images, annotations = [], []
    for number in range(1, 4):
        picture = rng.integers(0, 256, (96, 128, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "images" / f"{number}.png"), picture)
        images.append({"id": number, "file_name": f"{number}.png", "height": 96, "width": 128})
    detector = build_person_detector(weights, device="cpu", threshold=0.0)
    results = []
    for image in images:
        found = detector.detect(cv2.imread(str(tmp_path / "images" / image["file_name"])), threshold=0.0)
        for rank, ((x1, y1, x2, y2), score) in enumerate(
            zip(found.boxes.tolist(), found.scores.tolist(), strict=True)
        ):
            box = [x1, y1, x2 - x1, y2 - y1]
            results.append({"image_id": image["id"], "category_id": 1, "bbox": box, "score": score})
            if rank in (2, 5, 9):  # some of what is found is there, one a crowd
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": image["id"], "category_id": 1, "bbox": box,
                     "area": 0.6 * box[2] * box[3], "iscrowd": int(rank == 9)}
                )  # fmt: skip
    (tmp_path / "people.json").write_text(
        json.dumps(
            {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}
        )
    )
    capsys.readouterr()
    assert main(
        ["test-detector", "--cfg", CONFIG, "--detector-weights", weights, "--device", "cpu", "--json",
         "COCO.TEST_JSON", str(tmp_path / "people.json"), "COCO.TEST_IMAGES", str(tmp_path / "images")]
    ) == 0  # fmt: skip
    ours = json.loads(capsys.readouterr().out)
    truth = COCO(str(tmp_path / "people.json"))
    run = COCOeval(truth, truth.loadRes(results), "bbox")
    run.evaluate()
    run.accumulate()
    run.summarize()
    names = ["ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "", "", "recall", "recall_small",
             "recall_medium", "recall_large"]  # fmt: skip
    for name, theirs in zip(names, run.stats.tolist(), strict=True):
        if name:
            assert ours[name] == (None if theirs == -1 else pytest.approx(theirs, abs=1e-6)), name


def test_a_run_is_never_overwritten_and_goes_on_when_asked(tmp_path: Path, people, capsys):
    assert train(tmp_path, people) == 0
    assert train(tmp_path, people) == 2
    assert "holds a training already" in capsys.readouterr().err
    assert train(tmp_path, people, "--resume") == 0  # nothing is left to do
    assert main(["train-detector", "--cfg", CONFIG, *people, "--resume"]) == 2
    assert "--resume: which run?" in capsys.readouterr().err
    assert main(
        ["train-detector", "--cfg", CONFIG, *people, "--resume", "--run-name", "none", "--device", "cpu",
         "--output-dir", str(tmp_path / "runs")]
    ) == 2  # fmt: skip
    assert "no checkpoint to resume from" in capsys.readouterr().err


def test_an_interrupted_training_is_gone_on_with(tmp_path: Path, people, capsys, monkeypatch):
    from person_detector.training.trainer import DetectorTrainer

    plain = DetectorTrainer.run_step

    def interrupted(self):
        plain(self)
        if self.iter == 1 and self.start_iter == 0:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(DetectorTrainer, "run_step", interrupted)
    assert train(tmp_path, people) == 130
    assert "--resume --run-name r" in capsys.readouterr().err
    assert train(tmp_path, people, "--resume") == 0
    assert "resumed after step 2 of 4" in capsys.readouterr().err
    assert (tmp_path / "runs" / "r" / "last.safetensors").exists()


def test_a_training_can_begin_with_a_trained_detector(tmp_path: Path, people, capsys):
    assert train(tmp_path, people) == 0
    weights = str(tmp_path / "runs" / "r" / "last.safetensors")
    assert train(tmp_path, people, "--weights", weights, "--run-name", "second") == 0
    assert "last.safetensors: loaded" in capsys.readouterr().err
    assert train(tmp_path, people, "--weights", "none.pth", "--run-name", "third") == 1
    assert "none.pth" in capsys.readouterr().err


def test_a_missing_detectron2_gives_the_line_to_type(tmp_path: Path, people, capsys, monkeypatch):
    plain = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "detectron2" else plain(name, *rest)
    )
    assert train(tmp_path, people) == 1
    assert "python -m person_detector.install" in capsys.readouterr().err


def test_test_detector_says_what_is_missing(tmp_path: Path, people, capsys):
    (tmp_path / "out.json").touch()
    arguments = ["test-detector", "--cfg", CONFIG, "--detector-weights", "x.pth", *people]
    assert main([*arguments, "--out", str(tmp_path / "out.json")]) == 2
    assert "out.json exists" in capsys.readouterr().err
    assert main(arguments) == 1
    assert "x.pth" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_train_and_score_together(tmp_path: Path, people):
    """Over gloo, on the CPU."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29611",
        "-m", "ava_detect", "train-detector", "--cfg", CONFIG, *people, *QUICK, "--device", "cpu",
        "--output-dir", str(tmp_path / "runs"), "--run-name", "two",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 process(es)" in done.stderr
    assert done.stderr.count("train  [4/4]") == 1
    assert json.loads((tmp_path / "runs" / "two" / "score.json").read_text())["num_images"] == 2
