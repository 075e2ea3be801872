"""A run that stops, in whatever way, and goes on, ends exactly where an undisturbed one ends."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from evaluation.errors import UsageError, WeightsError
from tests.engine.training.conftest import Train, final_weights, losses

EVERY_STEP = {"TRAIN.CHECKPOINT_STEPS": 1, "SOLVER.EMA_DECAY": 0.9}


def assert_same_run(folder: Path, expected: Path) -> None:
    assert losses(folder) == losses(expected)
    weights, others = final_weights(folder), final_weights(expected)
    assert weights.keys() == others.keys()
    assert [name for name in weights if not torch.equal(weights[name], others[name])] == []


def checkpoint(folder: Path, step: int) -> Path:
    return folder / "checkpoints" / f"step_{step:08d}.ckpt"


def forget_after(folder: Path, step: int) -> None:
    """Leave a run as it was when it was killed right after the checkpoint of a step."""
    for path in (folder / "checkpoints").iterdir():
        if path.name > checkpoint(folder, step).name:
            path.unlink()
    for model in folder.glob("*.safetensors"):
        model.unlink()


@pytest.mark.parametrize("step", [1, 4, 5, 6, 9])
def test_run_goes_on_from_any_step_bit_for_bit(step: int, train: Train, tmp_path: Path):
    whole = train(EVERY_STEP, name="whole").folder.path  # 2 epochs of 5 steps
    stopped = tmp_path / "runs" / "stopped"
    shutil.copytree(whole, stopped)
    forget_after(stopped, step)
    random.seed(step)  # whatever happened in between
    torch.manual_seed(step)
    outcome = train(EVERY_STEP, name="stopped", resume=True)
    assert (outcome.finished, outcome.step) == (True, 10)
    assert_same_run(stopped, whole)
    assert (stopped / "summary.csv").read_text().count("\n") == 3  # a header and two epochs


def test_adamw_in_half_precision_with_parts_goes_on_too(train: Train, tmp_path: Path):
    settings = {
        **EVERY_STEP,
        "SOLVER.OPTIMIZING_METHOD": "adamw",
        "SOLVER.CLIP_GRAD_L2NORM": 1.0,
        "SOLVER.GRAD_ACCUMULATION": 2,
    }
    whole = train(settings, name="whole", precision="bf16").folder.path
    stopped = tmp_path / "runs" / "stopped"
    shutil.copytree(whole, stopped)
    forget_after(stopped, 7)
    train(settings, name="stopped", resume=True, precision="bf16")
    assert_same_run(stopped, whole)


def test_adam_goes_on_with_its_moments(train: Train, tmp_path: Path):
    settings = {**EVERY_STEP, "SOLVER.OPTIMIZING_METHOD": "adamw", "SOLVER.BASE_LR": 0.001}
    whole = train(settings, name="whole").folder.path
    stopped = tmp_path / "runs" / "stopped"
    shutil.copytree(whole, stopped)
    forget_after(stopped, 6)
    train(settings, name="stopped", resume=True)
    assert_same_run(stopped, whole)


def test_interrupted_run_keeps_its_last_step(train: Train):
    whole = train(name="whole").folder.path
    first = train(name="interrupted", interrupt_at=7)
    assert (first.finished, first.step) == (False, 7)
    assert checkpoint(first.folder.path, 7).exists()
    second = train(name="interrupted", resume=True)
    assert second.finished
    assert_same_run(second.folder.path, whole)


def test_run_that_stopped_before_its_evaluation_evaluates_when_it_goes_on(train: Train, tmp_path: Path):
    settings = {"AVA.GROUNDTRUTH_FILE": "val.csv", "AVA.FULL_TEST_ON_VAL": True}
    whole = train(settings, name="whole").folder.path
    lines = (whole / "metrics.jsonl").read_text()
    assert lines.count('"eval"') == 2
    stopped = train(settings, name="stopped", interrupt_at=5).folder.path
    train(settings, name="stopped", resume=True)
    assert (stopped / "metrics.jsonl").read_text().count('"eval"') == 2
    assert_same_run(stopped, whole)


def test_damaged_last_checkpoint_is_passed_over_and_named(train: Train, caplog):
    whole = train(EVERY_STEP, name="whole").folder.path
    stopped = train(EVERY_STEP, name="stopped", limit=6).folder.path
    newest = checkpoint(stopped, 6)
    content = bytearray(newest.read_bytes())
    content[-100] ^= 1  # one bit of a tensor: the file's structure is still right
    newest.write_bytes(content)
    train(EVERY_STEP, name="stopped", resume=True)
    assert f"{newest.name}: " in caplog.text
    assert "is damaged; the one before it is taken" in caplog.text
    assert_same_run(stopped, whole)


def test_cut_off_checkpoint_is_passed_over(train: Train, caplog):
    stopped = train(EVERY_STEP, name="stopped", limit=3).folder.path
    newest = checkpoint(stopped, 3)
    newest.write_bytes(newest.read_bytes()[:5000])
    assert train(EVERY_STEP, name="stopped", resume=True).finished
    assert "the one before it is taken" in caplog.text


def test_run_whose_checkpoints_are_all_damaged_is_refused(train: Train):
    stopped = train(name="stopped", limit=2).folder.path
    checkpoint(stopped, 2).write_bytes(b"nothing of the kind")
    with pytest.raises(WeightsError, match="none of 1 checkpoints can be read"):
        train(name="stopped", resume=True)


def test_checkpoint_of_other_data_is_refused(train: Train):
    train(name="stopped", limit=2)
    with pytest.raises(WeightsError, match="epochs have 5 steps, those of this run 10"):
        train({"TRAIN.BATCH_SIZE": 2}, name="stopped", resume=True)


def test_changed_setting_is_named_when_going_on(train: Train, caplog):
    train(name="stopped", limit=2)
    train({"SOLVER.BASE_LR": 0.01, "LOG_PERIOD": 2}, name="stopped", resume=True)
    assert "SOLVER.BASE_LR was 0.05 and is 0.01 now" in caplog.text
    assert "LOG_PERIOD was" not in caplog.text


def test_existing_run_is_not_overwritten(train: Train):
    train(limit=1)
    with pytest.raises(UsageError, match="is there already"):
        train()


def test_resuming_nothing_begins_a_run(train: Train):
    assert train(resume=True, limit=1).step == 1


def test_finished_run_has_nothing_left_to_do(train: Train):
    folder = train(name="whole").folder.path
    before = losses(folder)
    assert train(name="whole", resume=True).finished
    assert losses(folder) == before


def test_old_checkpoints_are_removed(train: Train):
    folder = train({"TRAIN.CHECKPOINT_STEPS": 1, "TRAIN.KEEP_CHECKPOINTS": 2}).folder.path
    assert [path.name for path in sorted((folder / "checkpoints").iterdir())] == [
        "step_00000009.ckpt",
        "step_00000010.ckpt",
    ]


def kill_in_the_middle(command: list[str], metrics: Path, *, lines: int) -> None:
    """Start a run and kill it as soon as it has written so many lines."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while not (metrics.exists() and metrics.read_bytes().count(b"\n") >= lines):
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("kills", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_killed_run_goes_on_bit_for_bit(kills: int, train: Train, config_file: Path):
    settings = {"SOLVER.MAX_EPOCH": 8, "TRAIN.CHECKPOINT_STEPS": 3, "TRAIN.KEEP_CHECKPOINTS": 2}
    whole = train(settings, name="whole").folder.path
    killed = whole.parent / "killed"
    pairs = [str(word) for pair in settings.items() for word in pair]
    command = [sys.executable, "-m", "ava_detect", "train", "--cfg", str(config_file), *pairs]
    command += ["--run-name", "killed", "--resume", "--no-check", "-q"]
    moments = random.Random(os.getpid())  # another moment in every run of this test
    for kill in range(kills):
        first, last = 40 * kill // kills, 40 * (kill + 1) // kills
        kill_in_the_middle(command, killed / "metrics.jsonl", lines=moments.randint(first + 1, last - 2))
    train(settings, name="killed", resume=True)
    assert_same_run(killed, whole)
