"""Several processes on one machine, by gloo: the same training as one process; a killed one is replaced."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.engine.training.conftest import Train, final_weights, losses, rows

TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
PATIENCE_S = 280  # a loaded machine takes its time to import torch eight times
FROZEN = {"MODEL.FROZEN_BN": True, "SOLVER.CLIP_GRAD_L2NORM": 1.0}


def command(config_file: Path, settings: dict[str, object], name: str) -> list[str]:
    pairs = [str(word) for pair in settings.items() for word in pair]
    words = ["-m", "ava_detect", "train", "--cfg", str(config_file), *pairs, "--run-name", name]
    return [*words, "--device", "cpu", "--no-check"]


def run_together(words: list[str]) -> str:
    result = subprocess.run(
        [*TORCHRUN, "--standalone", "--nproc-per-node", "2", *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert result.returncode == 0, result.stderr
    return result.stderr


def assert_nearly_same_run(folder: Path, expected: Path) -> None:
    """Sums of floats in another order differ in the last digits; 1e-5 is what the project promises."""
    ours, theirs = losses(folder), losses(expected)
    assert list(ours) == list(theirs)
    torch.testing.assert_close(
        torch.tensor(list(ours.values())), torch.tensor(list(theirs.values())), atol=1e-5, rtol=0
    )
    weights = final_weights(expected)
    for name, tensor in final_weights(folder).items():
        torch.testing.assert_close(
            tensor, weights[name], atol=1e-5, rtol=0, msg=lambda text, n=name: f"{n}: {text}"
        )


@pytest.fixture
def set_with_an_unreadable_video(small_set: Path, config_file: Path, tmp_path: Path) -> dict[str, object]:
    """Settings for the small set and a video that cannot be read, so that processes get unequal batches."""
    shutil.copytree(small_set / "videos", tmp_path / "videos")
    (tmp_path / "videos" / "bad.mp4").write_bytes(b"not a video")
    (tmp_path / "labels.pbtxt").write_text((small_set / "labels.pbtxt").read_text())
    whole = range(1, 11)
    text = "".join(rows(video, quarters=whole) for video in ("one", "two", "bad"))
    (tmp_path / "train.csv").write_text(text)
    return {**FROZEN, "AVA.VIDEO_DIR": str(tmp_path / "videos"), "AVA.ANNOTATION_DIR": str(tmp_path)}


def test_two_processes_train_as_one(train: Train, config_file: Path, set_with_an_unreadable_video, caplog):
    settings = {**set_with_an_unreadable_video, "SOLVER.MAX_EPOCH": 1, "TRAIN.BATCH_SIZE": 2}
    alone = train(settings, name="alone").folder.path
    assert len(losses(alone)) == 15
    assert "bad" in caplog.text
    run_together(command(config_file, settings, "together"))
    assert_nearly_same_run(alone.parent / "together", alone)


@pytest.mark.slow
def test_accumulation_and_averaging_do_not_depend_on_processes(train: Train, config_file: Path):
    settings = {
        **FROZEN,
        "SOLVER.GRAD_ACCUMULATION": 2,
        "SOLVER.EMA_DECAY": 0.9,
        "MODEL.LOSS_CLASS_WEIGHTS": "inverse",
    }
    alone = train(settings, name="alone").folder.path
    run_together(command(config_file, settings, "together"))
    assert_nearly_same_run(alone.parent / "together", alone)


def worker_of(agent: subprocess.Popen[str], log: Path) -> int:
    """Wait until the first process has made some steps and return the id of a worker of an agent."""
    deadline = time.monotonic() + PATIENCE_S
    while not (log.exists() and log.read_bytes().count(b"\n") >= 4):
        assert agent.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()
    for child in children:
        if b"train" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise AssertionError("the agent has no worker")


@pytest.mark.slow
@pytest.mark.timeout(4 * PATIENCE_S)
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the workers in /proc")
def test_two_agents_replace_a_killed_worker(train: Train, config_file: Path, tmp_path: Path):
    settings = {**FROZEN, "SOLVER.MAX_EPOCH": 8, "TRAIN.CHECKPOINT_STEPS": 3}
    alone = train(settings, name="alone").folder.path
    words = command(config_file, settings, "together")
    port = 29_000 + os.getpid() % 1000
    agents = [
        subprocess.Popen(
            [
                *TORCHRUN, "--nnodes", "2", "--nproc-per-node", "1", "--max-restarts", "3",
                "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{port}", "--rdzv-id", "test", *words,
            ],
            stderr=(tmp_path / f"agent{number}.txt").open("w"),
            text=True,
        )
        for number in range(2)
    ]  # fmt: skip
    try:
        os.kill(worker_of(agents[1], alone.parent / "together" / "metrics.jsonl"), signal.SIGKILL)
        assert [agent.wait(timeout=PATIENCE_S) for agent in agents] == [0, 0]
    finally:
        for agent in agents:
            agent.kill()
    told = "".join((tmp_path / f"agent{number}.txt").read_text() for number in range(2))
    assert re.search(r"resumed  from .*step_\d+\.ckpt", told)
    assert_nearly_same_run(alone.parent / "together", alone)
