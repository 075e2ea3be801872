"""``ava-detect test`` from command line to files: going on, several processes, broken videos, wrong use."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ava_detect.acceleration.openvino_network import has_openvino
from ava_detect.cli import main
from ava_detect.config import load_config, replace
from ava_detect.engine.testing.journal import TestJournal
from ava_detect.models import build_model
from ava_detect.weights import save_weights
from evaluation import evaluate_ava
from evaluation.label_map import LabelMap, load_label_map

FILES = ("detections.csv", "per_class.csv", "scores.json", "config.yaml")


def files_of(folder: str | Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, small_weights) -> dict[str, bytes]:
    """The files of a test that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed") / "out"
    words = ["test", "--weights", str(small_weights), "--out", str(folder), "--backend", "torch", "-q"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AVA_DETECT_CACHE", str(folder.parent / "cache"))
        assert main(words) == 0
    return files_of(folder)


@pytest.fixture
def stop_after(monkeypatch):
    """Return a function that lets something happen when so many batches have been written."""

    def arrange(batches: int, happens) -> None:
        append, count = TestJournal.append, iter(range(1, 1000))

        def append_and_stop(self, batch):
            append(self, batch)
            if next(count) == batches:
                happens()

        monkeypatch.setattr(TestJournal, "append", append_and_stop)

    return arrange


def test_weights_of_a_training_need_nothing_else(run_test, small_set, capsys):
    assert run_test() == 0
    output = capsys.readouterr()
    assert set(files_of("out")) == set(FILES)  # no journal is left
    result = evaluate_ava(small_set / "truth.csv", "out/detections.csv", small_set / "labels.pbtxt")
    assert f"mAP@0.5  {100 * result.mean:.2f}" in output.out
    assert "mAP by protocol  official" in output.out
    assert "boxes.csv: 14 boxes" in output.out  # the ceiling of these boxes
    for line in (
        "model    small.safetensors, 3 classes",
        "data     11 keyframes of 3 videos, 14 boxes",
        "left out 1 rows of",
        "boxes    boxes.csv, score at least 0.9",
        "views    short side 64\n",
        "fp32, torch",
        "wrote out: detections.csv, per_class.csv, scores.json, config.yaml",
        "keyframes/s",
    ):
        assert line in output.err


def test_the_plain_network_gives_the_same_rows(run_test, small_cfg, small_model, alone, tmp_path):
    from ava_detect.engine.testing import evaluate_model

    assert run_test("-q") == 0
    evaluate_model(small_model, small_cfg, device=alone.device, process=alone, folder=tmp_path / "live")
    for one, other in zip(table("out/detections.csv"), table(tmp_path / "live/detections.csv"), strict=True):
        assert one[:7] == other[:7]
        assert float(one[7]) == pytest.approx(float(other[7]), abs=1e-4)


def table(path: str | Path) -> list[list[str]]:
    with Path(path).open(newline="") as file:
        return list(csv.reader(file))


def test_without_a_folder_the_results_go_beside_the_runs(small_weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["test", "--weights", str(small_weights), "OUTPUT_DIR", "mine", "-q"]) == 0
    assert set(files_of("mine/test_small")) == set(FILES)


def test_json_is_the_file(run_test, capsys):
    assert run_test("--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(Path("out/scores.json").read_text())


def test_views_are_said_and_averaged(run_test, capsys):
    singles = []
    for name, settings in {"a": ["DATA.TEST_CROP_SIZE", "80"], "b": ["AVA.TEST_FORCE_FLIP", "True"]}.items():
        assert run_test("-q", *settings, out=name) == 0
        singles.append(table(f"{name}/detections.csv"))
    assert run_test("TEST.SCALES", "[64, 80]", "TEST.FLIP", "True") == 0
    assert "views    short side 64, 64 mirrored, 80, 80 mirrored" in capsys.readouterr().err
    assert len(table("out/detections.csv")) == len(singles[0]) == len(singles[1])


def test_several_processes_write_the_same_bytes(small_weights, undisturbed, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = ["-m", "ava_detect", "test", "--weights", str(small_weights), "--backend", "torch", "--json"]
    run = subprocess.run(
        [*command, *words, "--out", "out", "--device", "cpu"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert run.returncode == 0, run.stderr
    assert files_of(tmp_path / "out") == undisturbed
    assert json.loads(run.stdout)  # one process prints
    assert run.stderr.count("data     11 keyframes") == 1
    assert "; 2 processes" in run.stderr


def test_a_killed_test_goes_on_to_the_same_bytes(run_test, small_weights, undisturbed, tmp_path, capsys):
    script = (
        "import os, signal, sys\n"
        "from ava_detect.cli import main\n"
        "from ava_detect.engine.testing.journal import TestJournal\n"
        "append, written = TestJournal.append, []\n"
        "def append_and_die(self, batch):\n"
        "    append(self, batch)\n"
        "    written.append(batch)\n"
        "    if len(written) == 4:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "TestJournal.append = append_and_die\n"
        "main(sys.argv[1:])\n"
    )
    words = ["test", "--weights", str(small_weights), "--out", "out", "--backend", "torch"]
    killed = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=tmp_path, capture_output=True, timeout=200
    )
    assert killed.returncode == -signal.SIGKILL
    assert not Path("out/detections.csv").exists()
    assert run_test() == 2
    error = capsys.readouterr().err
    assert "error: out: a test was interrupted here" in error
    assert "--resume" in error
    assert run_test("--resume") == 0
    assert "resumed  4 of 11 keyframes are done" in capsys.readouterr().err
    assert files_of("out") == undisturbed


def test_ctrl_c_keeps_what_is_done(run_test, undisturbed, stop_after, capsys):
    stop_after(3, lambda: signal.raise_signal(signal.SIGINT))
    assert run_test() == 130
    assert "error: interrupted; what is scored has been kept" in capsys.readouterr().err
    assert run_test("--resume") == 0
    assert "resumed  3 of 11" in capsys.readouterr().err
    assert files_of("out") == undisturbed


@pytest.mark.skipif(not has_openvino(), reason="an extra of the package")
def test_a_clip_that_openvino_fails_on_is_named_and_torch_goes_on(
    run_test, small_weights, failing_openvino, capsys
):
    assert run_test("--overwrite") == 0
    rows = len(Path("out/detections.csv").read_text().splitlines())
    words = ["test", "--weights", str(small_weights), "--out", "out", "--no-progress"]
    assert main([*words, "--backend", "openvino", "--overwrite"]) == 1
    said = capsys.readouterr().err
    assert re.search(r"error: \w+ at \d+: OpenVINO failed: Can't set the input tensor", said)
    assert "Leave it out: --backend torch --resume goes on with what has been kept." in said
    assert run_test("--resume") == 0
    assert "resumed  1 of 11 keyframes are done" in capsys.readouterr().err
    assert len(Path("out/detections.csv").read_text().splitlines()) == rows


def test_resume_without_an_interrupted_test_begins_one(run_test, undisturbed):
    assert run_test("--resume") == 0
    assert files_of("out") == undisturbed


def fail():
    raise MemoryError


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["DATA.TEST_CROP_SIZE", "80"], "DATA.TEST_CROP_SIZE was 64, is now 80"),
        (["TEST.FLIP", "True"], "TEST.FLIP was False, is now True"),
        (["AVA.DETECTION_SCORE_THRESH", "0.92"], "boxes was 14 with digest"),
        (["AVA.DETECTION_SCORE_POWER", "1"], "AVA.DETECTION_SCORE_POWER was 0.0, is now 1.0"),
        (["--batch", "2"], "batch was 1, is now 2"),
    ],
)
def test_another_test_is_not_gone_on_with(run_test, stop_after, capsys, words, message):
    stop_after(1, fail)
    assert run_test("-q") == 1
    assert "out of memory" in capsys.readouterr().err
    assert run_test("--resume", *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "--overwrite" in error
    assert run_test("--overwrite", "-q", *words) == 0


def test_other_weights_do_not_go_on(run_test, stop_after, small_cfg, small_set, tmp_path, capsys):
    stop_after(1, fail)
    assert run_test("-q") == 1
    other = tmp_path / "small.safetensors"
    labels = load_label_map(small_set / "labels.pbtxt")
    save_weights(build_model(small_cfg), other, config=small_cfg, label_map=labels)
    assert run_test("--resume", weights=other) == 2
    assert "weights was" in capsys.readouterr().err


def test_a_complete_test_is_not_overwritten_unasked(run_test, capsys):
    Path("out").mkdir()
    Path("out/detections.csv").write_text("")
    Path("out/notes.txt").write_text("mine")
    assert run_test() == 2
    assert "out: there is a complete test in it (detections.csv)" in capsys.readouterr().err
    assert run_test("--overwrite", "--resume") == 2
    assert "which?" in capsys.readouterr().err
    assert run_test("--overwrite", "-q") == 0
    assert Path("out/notes.txt").read_text() == "mine"


@pytest.fixture
def damaged_set(small_set, tmp_path) -> Path:
    """The small set with one video cut in the middle, and one that is no video."""
    folder = tmp_path / "damaged"
    shutil.copytree(small_set, folder)
    three = folder / "videos" / "three.mp4"
    two = folder / "videos" / "two.mkv"
    two.write_bytes(two.read_bytes()[: two.stat().st_size // 3])
    three.write_bytes(b"this is no video" * 100)
    return folder


def test_keyframes_that_cannot_be_read_are_named_and_counted(run_test, damaged_set, undisturbed, capsys):
    settings = ["AVA.VIDEO_DIR", str(damaged_set / "videos")]
    assert run_test(*settings) == 3
    error = capsys.readouterr().err
    unread = table("out/unread.csv")
    assert unread[0] == ["video_id", "timestamp", "reason"]
    missing = {tuple(row[:2]) for row in unread[1:]}
    assert {second for video, second in missing if video == "three"} == {"0000", "0001", "0002", "0003"}
    assert ("two", "0002") in missing
    assert ("two", "0.500") not in missing
    assert f"{len(missing)} of 11 keyframes could not be read" in error
    assert "warning: not read: three at 0000: " in error
    kept = [line for line in undisturbed["detections.csv"].decode().splitlines() if line.startswith("one,")]
    assert [
        line for line in Path("out/detections.csv").read_text().splitlines() if line.startswith("one,")
    ] == kept
    assert len(json.loads(Path("out/scores.json").read_text())["unread"]) == len(missing)


def rows_of_one(detections: bytes) -> list[bytes]:
    return [line for line in detections.splitlines() if line.startswith(b"one,")]


def test_a_set_that_cannot_be_read_at_all_is_an_error(run_test, damaged_set, capsys):
    (damaged_set / "boxes.csv").write_text("three,1,0,0,1,1,,0.95\nthree,2,0,0,1,1,,0.95\n")
    settings = ["AVA.VIDEO_DIR", str(damaged_set / "videos"), "AVA.ANNOTATION_DIR", str(damaged_set)]
    assert run_test(*settings) == 1
    assert "none of the 2 keyframes can be read; three at 0001: " in capsys.readouterr().err


def test_videos_that_are_not_there_are_said(run_test, small_set, tmp_path, capsys):
    (tmp_path / "videos").mkdir()
    shutil.copy(small_set / "videos" / "one.mp4", tmp_path / "videos")
    assert run_test("AVA.VIDEO_DIR", str(tmp_path / "videos")) == 0
    error = capsys.readouterr().err
    assert error.count("left out 7 keyframes of 2 videos not in") == 2  # as a warning, and in the summary
    assert "data     4 keyframes of 1 videos" in error


def test_without_ground_truth_rows_are_written_and_not_scored(run_test, undisturbed, capsys):
    assert run_test("AVA.GROUNDTRUTH_FILE", "") == 0
    output = capsys.readouterr()
    assert output.out == ""
    assert "AVA.GROUNDTRUTH_FILE is empty: nothing is scored" in output.err
    files = files_of("out")
    assert files["detections.csv"] == undisturbed["detections.csv"]
    assert set(files) == {"detections.csv", "config.yaml"}
    assert run_test("AVA.GROUNDTRUTH_FILE", "", "--json", "--overwrite") == 0
    assert json.loads(capsys.readouterr().out)["keyframes"] == 11


def test_labelled_boxes_are_an_upper_bound(run_test, capsys):
    assert run_test("AVA.TEST_GT_BOXES", "True") == 0
    output = capsys.readouterr()
    assert "labelled boxes (truth.csv): an upper bound" in output.err
    assert "no action model can score above" not in output.out


def test_a_file_that_names_the_data_set_goes_on_top(run_test, small_set, tmp_path, capsys):
    moved = tmp_path / "elsewhere"
    shutil.copytree(small_set, moved)
    settings = f"AVA:\n  VIDEO_DIR: {moved / 'videos'}\n  ANNOTATION_DIR: {moved}\n  TEST_GT_BOXES: true\n"
    (tmp_path / "data.yaml").write_text(settings)
    assert run_test("--cfg", "data.yaml") == 0
    written = load_config("out/config.yaml")
    assert str(moved) in Path("out/config.yaml").read_text()
    assert written.AVA.TEST_GT_BOXES
    assert written.DATA.TEST_CROP_SIZE == 64  # the weights'


def test_the_weights_own_classes_do_where_the_set_has_no_label_map(run_test, small_set, tmp_path, capsys):
    moved = tmp_path / "elsewhere"
    shutil.copytree(small_set, moved)
    (moved / "labels.pbtxt").unlink()
    assert run_test("AVA.ANNOTATION_DIR", str(moved)) == 0
    assert "no label map labels.pbtxt in" in capsys.readouterr().err


def test_a_label_map_of_other_classes_is_refused(run_test, tmp_path, capsys):
    (tmp_path / "other.pbtxt").write_text("1: stand\n2: wave\n3: fall\n")
    assert run_test("AVA.LABEL_MAP_FILE", str(tmp_path / "other.pbtxt")) == 1
    error = capsys.readouterr().err
    assert "was trained on 3 classes (1 stand, 2 wave, 5 fall)" in error
    assert "has 3 (1 stand, 2 wave, 3 fall)" in error


def test_a_class_of_another_name_is_a_warning(run_test, tmp_path, capsys):
    (tmp_path / "other.pbtxt").write_text("1: stand\n2: hug\n5: fall\n")
    assert run_test("AVA.LABEL_MAP_FILE", str(tmp_path / "other.pbtxt")) == 0
    assert "warning: class 2 is called 'wave' by small.safetensors and 'hug' by" in capsys.readouterr().err


def test_settings_of_another_network_are_refused(run_test, capsys):
    assert run_test("RESNET.WIDTH_PER_GROUP", "16") == 1
    assert "does not fit the model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["--cfg", "kinetics/slowfast_8x8_r50"],
            2,
            "(TEST.DATASET kinetics): classification is not tested",
        ),
        (
            ["--cfg", "charades/slowfast_16x8_r50"],
            2,
            "(TEST.DATASET charades): classification is not tested",
        ),
        (["--weights", "slowfast-r50-8x8-k400"], 1, "classifies whole clips"),
        (["--weights", "nothing.safetensors"], 1, "nothing.safetensors"),
        ([], 2, "which weights are to be tested?"),
        (["--cfg", "nothing"], 2, "nothing"),
    ],
)
def test_what_is_not_tested_is_told_in_a_line(words, code, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["test", *words]) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) <= 2


def test_classification_weights_of_ones_own_are_refused(tmp_path, small_cfg, capsys):
    cfg = replace(
        small_cfg, ["DETECTION.ENABLE", False, "TEST.DATASET", "kinetics", "DATA.TRAIN_CROP_SIZE", 64]
    )
    save_weights(
        build_model(cfg), tmp_path / "clips.safetensors", config=cfg,
        label_map=LabelMap((1, 2, 3), ("a", "b", "c"), ("other",) * 3),
    )  # fmt: skip
    assert main(["test", "--weights", str(tmp_path / "clips.safetensors")]) == 1
    assert "classifies whole clips" in capsys.readouterr().err


@pytest.mark.parametrize("power", ["0", "1"])
def test_predict_gives_the_same_people_the_same_scores(run_test, small_weights, small_set, capsys, power):
    """The whole road from a file to scores, once through the index and once from the file's beginning."""
    weighed = ("AVA.DETECTION_SCORE_POWER", power)
    assert run_test("-q", *weighed) == 0
    tested = {tuple(row[:7]): float(row[7]) for row in table("out/detections.csv")}
    boxes = Path("sure.csv")
    lines = (small_set / "boxes.csv").read_text().splitlines()
    boxes.write_text("\n".join(line for line in lines if not line.endswith(",0.5")))
    predicted = {}
    for name, grid in {
        "one.mp4": [],
        "two.mkv": ["--start", "0.5", "--every", "0.5"],
        "three.mp4": [],
    }.items():
        words = ["--weights", str(small_weights), "--boxes", str(boxes), "--min-score", "0", "--out", "p.csv"]
        video = str(small_set / "videos" / name)
        options = [*words, *grid, "--backend", "torch", "--overwrite", "-q"]
        assert main(["predict", video, *options, "--set", *weighed]) == 0
        predicted |= {tuple(row[:7]): float(row[7]) for row in table("p.csv")}
    assert predicted.keys() == tested.keys()
    for row, score in tested.items():
        assert predicted[row] == pytest.approx(score, abs=1e-5), row
