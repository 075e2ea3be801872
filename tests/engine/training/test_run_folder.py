"""Names of runs, and files that lose what was written after a checkpoint."""

import datetime
import json
import os
from pathlib import Path

from ava_detect.engine.training.metrics import SUMMARY_COLUMNS, MetricsFile, SummaryFile
from ava_detect.engine.training.run_folder import latest_run_name, new_run_name


def test_run_is_called_after_the_day_and_the_configuration():
    today = datetime.date.today().isoformat()
    assert new_run_name("ava/slowfast_8x8_r50") == f"{today}_slowfast_8x8_r50"
    assert new_run_name("some where/my cfg.yaml") == f"{today}_my_cfg"


def test_latest_run_of_a_configuration_is_found(tmp_path: Path):
    for name, age in (("2026-01-01_mine", 5), ("2026-01-02_mine", 9), ("2026-01-03_other", 1), ("mine", 1)):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
        os.utime(tmp_path / name / "checkpoints", (1e9 - age, 1e9 - age))
    assert latest_run_name(tmp_path, "configs/mine.yaml") == "2026-01-01_mine"
    assert latest_run_name(tmp_path, "third.yaml") is None
    assert latest_run_name(tmp_path / "absent", "mine.yaml") is None


def test_metrics_forget_what_came_after_a_checkpoint(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    metrics = MetricsFile(path)
    metrics.forget_after(3, kinds_at_step=("train",))  # nothing there yet
    for step, kind in ((1, "train"), (2, "train"), (2, "eval"), (2, "epoch"), (3, "train")):
        metrics.append({"kind": kind, "step": step})
    with path.open("a") as file:
        file.write('{"kind": "train", "st')  # killed while writing
    metrics.forget_after(2, kinds_at_step=("train",))
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(each["step"], each["kind"]) for each in kept] == [(1, "train"), (2, "train")]


def test_summary_forgets_later_epochs(tmp_path: Path):
    summary = SummaryFile(tmp_path / "summary.csv")
    summary.forget_after(5)
    for epoch in (1, 2, 3):
        summary.append({"epoch": epoch, "step": 10 * epoch, "loss": 0.5})
    summary.forget_after(20)
    lines = (tmp_path / "summary.csv").read_text().splitlines()
    assert lines[0] == ",".join(SUMMARY_COLUMNS)
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2"]
