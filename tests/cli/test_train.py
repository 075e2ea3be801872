"""``ava-detect train`` as it is typed: what it prints, refuses and writes, and what Ctrl-C does."""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ava_detect.cli import main
from tests.engine.training.conftest import LABEL_MAP, SETTINGS, rows


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory, encode_video: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "videos").mkdir()
    encode_video(folder / "videos" / "one.mp4", size=(48, 64))
    (folder / "train.csv").write_text(rows("one", quarters=range(1, 11)))
    (folder / "labels.pbtxt").write_text(LABEL_MAP)
    return folder


@pytest.fixture
def cfg(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AVA_DETECT_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "mine.yaml"
    text = SETTINGS.replace("AVA: {", f"AVA: {{VIDEO_DIR: {data / 'videos'}, ANNOTATION_DIR: {data}, ")
    path.write_text(f"{text}OUTPUT_DIR: {tmp_path / 'runs'}\n")
    return path


@pytest.fixture(autouse=True)
def torch_as_it_was():
    yield
    torch.use_deterministic_algorithms(False)


def test_training_to_the_end_says_where_the_model_is(cfg: Path, tmp_path: Path, capsys):
    arguments = ["train", "--cfg", str(cfg), "SOLVER.MAX_EPOCH", "1", "--run-name", "a", "--seed", "3"]
    assert main([*arguments, "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    model = tmp_path / "runs" / "a" / "model_final.safetensors"
    assert out == f"trained 2 of 2 steps: {model}\n"
    assert model.exists()
    assert "data     train 10 keyframes, 1 videos, 15 boxes, 3 classes" in err
    assert "train  e 1/1  [1/2]" in err
    assert "RNG_SEED: 3" in (tmp_path / "runs" / "a" / "config.yaml").read_text()

    assert main(arguments) == 2
    assert "a: is there already" in capsys.readouterr().err

    assert main([*arguments, "--resume", "--json", "--device", "cpu"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["finished"], document["step"], document["best_map"]) == (True, 2, None)


def test_dry_run_measures_and_writes_nothing(cfg: Path, tmp_path: Path, capsys):
    assert main(["train", "--cfg", str(cfg), "--dry-run", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert "clips    [4, 3, 1, 32, 32], [4, 3, 4, 32, 32]," in out
    assert "for an epoch of 2 steps" in out
    assert not (tmp_path / "runs").exists()


def test_limit_stops_early(cfg: Path, capsys):
    assert main(["train", "--cfg", str(cfg), "--limit-batches", "1", "--device", "cpu"]) == 0
    assert capsys.readouterr().out.startswith("trained 1 of 4 steps")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--cfg", "kinetics/slowfast_8x8_r50"],
            "error: TRAIN.DATASET kinetics: only AVA-style sets are trained on",
        ),
        (["--cfg", "charades/slowfast_16x8_r50"], "error: TRAIN.DATASET charades"),
        (["--cfg", "demo/slowfast_tiny", "SOLVER.BASELR", "1"], "Did you mean SOLVER.BASE_LR"),
        (["--cfg", "demo/slowfast_tiny", "--limit-batches", "0"], "--limit-batches 0: expected at least 1"),
        (["--cfg", "demo/slowfast_tiny", "--seed", "-1"], "--seed -1: expected at least 0"),
        (["--cfg", "demo/slowfast_tiny", "--device", "gpu"], "--device gpu: expected auto, cpu"),
    ],
)
def test_wrong_use_is_told_in_a_line(arguments: list[str], message: str, capsys):
    assert main(["train", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["../up", "a/b", "..", "\n"])
def test_run_name_stays_inside_the_folder(name: str, cfg: Path, capsys):
    assert main(["train", "--cfg", str(cfg), "--no-check", "--run-name", name]) == 2
    assert "expected the name of a folder" in capsys.readouterr().err


def test_faults_in_the_data_stop_before_anything_is_built(cfg: Path, data: Path, tmp_path: Path, capsys):
    (tmp_path / "train.csv").write_text("one,1,0.1,0.1,0.5,0.9,7,0\n")  # there is no class 7
    (tmp_path / "labels.pbtxt").write_text(LABEL_MAP)
    assert main(["train", "--cfg", str(cfg), "AVA.ANNOTATION_DIR", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert "class" in err
    assert "To train all the same: --no-check" in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["AVA.TRAIN_GT_BOX_LISTS", "[absent.csv]"], "absent.csv: "),
        (["AVA.VIDEO_DIR", "no/videos"], "no/videos"),
        (["MODEL.NUM_CLASSES", "2"], "NUM_CLASSES"),
        (["--weights", "absent.pt"], "absent.pt"),
        (["TRAIN.BATCH_SIZE", "100"], "fewer than a batch of 100"),
    ],
)
def test_failed_start_leaves_nothing_behind(
    settings: list[str], message: str, cfg: Path, tmp_path: Path, capsys
):
    arguments = ["train", "--cfg", str(cfg), "--run-name", "a", "--no-check", "--device", "cpu"]
    assert main([*arguments, *settings]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_failed_start_is_not_in_the_way_of_the_next(cfg: Path, data: Path, tmp_path: Path):
    arguments = ["train", "--cfg", str(cfg), "--run-name", "a", "--no-check", "--device", "cpu"]
    arguments += ["AVA.ANNOTATION_DIR", str(tmp_path), "--limit-batches", "1"]
    assert main(arguments) == 1
    shutil.copy(data / "train.csv", tmp_path)
    shutil.copy(data / "labels.pbtxt", tmp_path)
    assert main(arguments) == 0
    log = (tmp_path / "runs" / "a" / "log.txt").read_text()
    assert "data     train 10 keyframes" in log  # said before there was a folder
    assert "absent" not in log


def test_wrong_environment_is_told(cfg: Path, capsys, monkeypatch):
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["train", "--cfg", str(cfg)]) == 2
    assert "RANK=2 WORLD_SIZE=2" in capsys.readouterr().err


def test_help_names_the_files_that_are_written(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    out = capsys.readouterr().out
    assert "model_final.safetensors" in out
    assert "torchrun --nproc-per-node 8 -m ava_detect train" in out


def shown_on_terminal(command: list[str], *, until: str, then: signal.Signals) -> tuple[int, str]:
    """Run a command on a terminal of 100 columns, send a signal to all its processes once it shows a text.

    Returns:
        Its exit code and what it showed.
    """
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (40, 100))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True
    )
    os.close(its)
    shown, sent = "", False
    with contextlib.suppress(OSError):  # the terminal is closed when the last process has gone
        while chunk := os.read(ours, 65_536):
            shown += chunk.decode()
            if until in shown and not sent:
                os.killpg(process.pid, then)
                sent = True
    os.close(ours)
    return process.wait(), shown


@pytest.mark.parametrize(
    "stop",
    [
        signal.SIGINT,  # of a terminal
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),  # of a scheduler, which ends the readers too
    ],
)
def test_stopped_training_writes_a_checkpoint_and_shows_our_lines_only(
    stop: signal.Signals, cfg: Path, tmp_path: Path
):
    command = [sys.executable, "-m", "ava_detect", "train", "--cfg", str(cfg), "SOLVER.MAX_EPOCH", "500"]
    command += ["DATA_LOADER.NUM_WORKERS", "1", "--run-name", "a", "--no-check", "--device", "cpu"]
    code, shown = shown_on_terminal(command, until="epoch  5/500", then=stop)
    assert code == 130, shown
    lines = [line.rpartition("\r")[2].rstrip() for line in shown.replace("\r\n", "\n").split("\n")]
    first_words = [line.split()[0] for line in lines if line]
    assert first_words[:5] == ["config", "device", "data", "model", "eval"]
    assert set(first_words[5:]) <= {"run", "epoch", "interrupted"}, shown
    assert "--run-name a --no-check --device cpu --resume" in lines[-2]

    bars = re.findall(r"\r(\|[^\r]*)", shown)
    of_a_step = r"\|.*\| \d+/1000, eta \d+:\d\d:\d\d loss \d\.\d{4} lr \S+ step \S+ s data \d+ % \d+\.\d GB *"
    assert re.fullmatch(r"\| +\| 0/1000 *", bars[0])
    assert len(bars) >= 3
    assert all(re.fullmatch(of_a_step, bar) and len(bar) < 100 for bar in bars[1:])

    metrics = (tmp_path / "runs" / "a" / "metrics.jsonl").read_text().splitlines()
    steps = sum('"kind": "train"' in line for line in metrics)
    assert (tmp_path / "runs" / "a" / "checkpoints" / f"step_{steps:08d}.ckpt").exists()
