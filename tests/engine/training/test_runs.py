"""Whole runs on a small set: what they write, what they begin with, how they stop."""

import csv
import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ava_detect.config import Config, load_config
from ava_detect.data.build import build_training_set
from ava_detect.engine.distributed import Process
from ava_detect.engine.training.failures import TrainingError, told_in_words
from ava_detect.engine.training.meter import Meter, StepFacts
from ava_detect.engine.training.refusals import check_processes
from ava_detect.models import build_model
from ava_detect.weights import find_weights, load_weights, save_weights
from ava_detect.weights.recipe import fill
from ava_detect.weights.safe_read import read_checkpoint
from evaluation.errors import AvaDetectError, ConfigError, DataError, MissingDependencyError, WeightsError
from tests.engine.training.conftest import Train, final_weights, losses
from tests.engine.training.test_checkpoint import files_no_larger_than

SCORED = {"AVA.GROUNDTRUTH_FILE": "val.csv", "AVA.FULL_TEST_ON_VAL": True}


def documents(folder: Path, kind: str) -> list[dict]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [each for each in map(json.loads, lines) if each["kind"] == kind]


def test_run_folder_holds_what_the_run_was(train: Train, caplog):
    caplog.set_level("INFO", logger="ava_detect")
    settings = {**SCORED, "SOLVER.EMA_DECAY": 0.9, "TRAIN.KEEP_CHECKPOINTS": 1}
    outcome = train(settings, name="run")
    folder = outcome.folder.path
    assert {path.name for path in folder.iterdir()} == {
        "checkpoints", "command.txt", "config.yaml", "config_diff.yaml", "environment.txt", "eval", "log.txt",
        "metrics.jsonl", "model_best.safetensors", "model_final.safetensors",
        "model_final_plain.safetensors", "summary.csv",
    }  # fmt: skip
    assert load_config(folder / "config.yaml").SOLVER.EMA_DECAY == 0.9
    assert load_config(folder / "config_diff.yaml") == load_config(folder / "config.yaml")
    assert (folder / "command.txt").read_text().endswith("ava-detect train\n")
    assert "torch" in (folder / "environment.txt").read_text()
    assert "epoch  2/2" in (folder / "log.txt").read_text()
    assert {path.name for path in (folder / "eval").iterdir()} == {"epoch_001", "epoch_002"}

    steps = documents(folder, "train")
    assert [each["step"] for each in steps] == list(range(1, 11))
    assert steps[-1]["epoch"] == 2
    assert steps[0]["lr"] == pytest.approx(0.01)  # the warm-up begins at WARMUP_START_LR
    maps = [each["mean_ap"] for each in documents(folder, "eval")]
    assert outcome.best_map == max(maps)
    rows = list(csv.DictReader((folder / "summary.csv").open()))
    assert [row["step"] for row in rows] == ["5", "10"]
    assert [float(row["mean_ap"]) for row in rows] == maps
    first = [each["loss"] for each in steps[:5]]
    assert float(rows[0]["loss"]) == pytest.approx(sum(first) / 5)

    entry = find_weights(folder / "model_best.safetensors", kind="actions")
    assert entry.load_labels().names == ("stand", "wave", "fall")
    load_weights(build_model(entry.load_config()), folder / "model_best.safetensors")
    averaged, plain = (final_weights(folder), "model_final_plain.safetensors")
    others = read_checkpoint(folder / plain).tensors
    assert any(not torch.equal(averaged[name], others[name]) for name in averaged)


def test_published_weights_are_fine_tuned(
    train: Train, small_cfg: Callable[..., Config], tmp_path: Path, caplog
):
    theirs = small_cfg({"MODEL.NUM_CLASSES": 3})
    model = build_model(load_config_with_classes(theirs, 5))
    fill(model, seed=1)
    save_weights(model, tmp_path / "theirs.safetensors", config=load_config_with_classes(theirs, 5))
    caplog.set_level("INFO", logger="ava_detect")
    # a rate of next to nothing: what is in the network at the end is what it began with
    folder = train(
        {"SOLVER.BASE_LR": 1e-12, "SOLVER.WARMUP_EPOCHS": 0},
        weights=str(tmp_path / "theirs.safetensors"),
        limit=1,
    ).folder.path
    assert "new: head.projection.weight, head.projection.bias" in caplog.text
    began, ended = model.state_dict(), final_weights(folder)
    name = "pathways.0.res3.blocks.0.conv_a.weight"
    torch.testing.assert_close(ended[name], began[name])
    assert ended["head.projection.weight"].shape[0] == 3


def load_config_with_classes(cfg: Config, classes: int) -> Config:
    from ava_detect.config import replace

    return replace(cfg, ["MODEL.NUM_CLASSES", classes])


def test_bias_begins_at_the_frequencies(train: Train, small_cfg: Callable[..., Config]):
    still = {"SOLVER.BASE_LR": 1e-12, "SOLVER.WARMUP_EPOCHS": 0, "MODEL.HEAD_BIAS_INIT": "frequency"}
    folder = train(still, limit=1).folder.path
    annotations = build_training_set(small_cfg()).annotations
    shares = (annotations.label_counts() + 0.5) / (len(annotations.boxes) + 1)
    bias = final_weights(folder)["head.projection.bias"]
    torch.testing.assert_close(torch.sigmoid(bias), torch.from_numpy(shares).float())


def test_precise_statistics_are_tested_and_saved(train: Train):
    precise = {"BN.USE_PRECISE_STATS": True, "BN.NUM_BATCHES_PRECISE": 3}
    still = {**SCORED, "SOLVER.BASE_LR": 1e-12, "SOLVER.WARMUP_EPOCHS": 0, "SOLVER.MAX_EPOCH": 1}
    plain = final_weights(train(still, name="plain").folder.path)
    exact = final_weights(train({**still, **precise}, name="precise").folder.path)
    variance = "pathways.0.stem.norm.running_var"
    # after 5 steps with momentum 0.1 the running averages have come 41 % of the way from their ones
    come = (plain[variance] - 0.59) / exact[variance]
    torch.testing.assert_close(come, torch.full_like(come, 0.41), rtol=0.3, atol=0)


def test_linear_probe_trains_the_classifier_only(train: Train):
    folder = train(
        {"MODEL.DETACH_FINAL_FC": True, "MODEL.FROZEN_BN": True}, limit=3, name="probe"
    ).folder.path
    start = train(
        {"SOLVER.BASE_LR": 1e-12, "SOLVER.WARMUP_EPOCHS": 0, "MODEL.FROZEN_BN": True}, limit=1, name="start"
    ).folder.path
    ended, began = final_weights(folder), final_weights(start)
    moved = {name for name in ended if not torch.allclose(ended[name], began[name], rtol=1e-6, atol=1e-9)}
    assert moved == {"head.projection.weight", "head.projection.bias"}


def test_curves_are_drawn(train: Train):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = train({"TENSORBOARD.ENABLE": True}, limit=3).folder.path
    events = EventAccumulator(str(folder / "tb")).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3]


def test_the_same_keyframes_are_shown_at_every_evaluation(train: Train):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = train({**SCORED, "TENSORBOARD.ENABLE": True}).folder.path
    events = EventAccumulator(str(folder / "tb"), size_guidance={"images": 0}).Reload()
    seconds = ("0.500", "0.750", "0001", "1.250", "1.500", "1.750")  # all that val.csv has
    names = [f"keyframes/one/{second}" for second in seconds]
    assert events.Tags()["images"] == names
    for name in names:
        shown = events.Images(name)
        assert [event.step for event in shown] == [5, 10]
        first, second = (
            cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
            for event in shown
        )
        assert first.shape[1] == 2 * 341  # of pictures of 64 x 48, at a short side of 256
        before, after = np.array_split(first, 2, axis=1), np.array_split(second, 2, axis=1)
        assert (before[1] == after[1]).all()  # on the right what is labelled, which stays
        assert (before[0] != after[0]).any()  # on the left what is scored


def test_curves_without_tensorboard_are_an_error(train: Train, tmp_path: Path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingDependencyError, match="TensorBoard is not installed"):
        train({"TENSORBOARD.ENABLE": True}, limit=1)
    assert not (tmp_path / "runs").exists()


def test_infinite_loss_stops_the_run_and_keeps_the_batch(train: Train, tmp_path: Path):
    settings = {"SOLVER.BASE_LR": 1e30, "SOLVER.WARMUP_EPOCHS": 0, "TRAIN.CHECKPOINT_STEPS": 1}
    with pytest.raises(
        TrainingError, match=r"(?s)the loss is (nan|inf).*one at \S+: loss .* logits not finite"
    ) as caught:
        train(settings)
    folder = tmp_path / "runs" / "run"
    step = len(losses(folder))
    assert f"step {step + 1} " in str(caught.value)
    assert f"last checkpoint: {folder}/checkpoints/step_{step:08d}.ckpt" in caught.value.hint
    (part,) = torch.load(folder / "crash_batch.pt", weights_only=True)
    assert part["clips"].shape == (4, 3, 4, 32, 32)
    assert not part["logits"].isfinite().all()
    assert "error: step" in (folder / "log.txt").read_text()


def test_full_disk_stops_the_run_and_leaves_what_was_there(train: Train, tmp_path: Path):
    settings = {"TRAIN.CHECKPOINT_STEPS": 1}
    train(settings, limit=2)
    with (
        files_no_larger_than(200_000),
        pytest.raises(TrainingError, match=r"step_00000003\.ckpt: cannot be written: the disk is full"),
    ):
        train(settings, resume=True)
    train(settings, resume=True)
    assert len(losses(tmp_path / "runs" / "run")) == 10


def test_unreadable_clips_are_named_and_counted(train: Train, small_set: Path, tmp_path: Path, caplog):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "one.mp4").symlink_to(small_set / "videos" / "one.mp4")
    (tmp_path / "videos" / "two.mp4").write_bytes(b"nothing")
    folder = train({"AVA.VIDEO_DIR": str(tmp_path / "videos")}).folder.path
    assert sum(each["skipped"] for each in documents(folder, "train")) == 20
    assert caplog.text.count("left out two at") == 10  # each clip once, not in every epoch


def test_epoch_without_a_clip_stops_the_run(train: Train, small_set: Path, tmp_path: Path):
    (tmp_path / "videos").mkdir()
    for name in ("one", "two"):
        (tmp_path / "videos" / f"{name}.mp4").write_bytes(b"nothing")
    with pytest.raises(DataError, match="epoch 1: not one clip could be read"):
        train({"AVA.VIDEO_DIR": str(tmp_path / "videos")})


def test_weights_that_do_not_fit_are_refused(train: Train, small_cfg: Callable[..., Config], tmp_path: Path):
    from ava_detect.config import replace

    wide = replace(small_cfg(), ["RESNET.WIDTH_PER_GROUP", 16])
    save_weights(build_model(wide), tmp_path / "wide.safetensors", config=wide)
    with pytest.raises(WeightsError, match="does not fit the model"):
        train(weights=str(tmp_path / "wide.safetensors"))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"TRAIN.DATASET": "kinetics"}, "TRAIN.DATASET kinetics: only AVA-style sets"),
        ({"TRAIN.DATASET": "charades"}, "TRAIN.DATASET charades"),
        ({"MODEL.LOSS_FUNC": "cross_entropy"}, "cross_entropy is for one label per clip"),
        ({"MODEL.HEAD_ACT": "softmax"}, "HEAD_ACT softmax"),
        ({"DETECTION.ENABLE": False}, "DETECTION.ENABLE is off"),
    ],
)
def test_what_cannot_be_trained_is_refused(settings: dict, match: str, train: Train, tmp_path: Path):
    with pytest.raises(ConfigError, match=match):
        train(settings)
    assert not (tmp_path / "runs").exists()


def told(error: Exception) -> str:
    with pytest.raises((TrainingError, DataError)) as caught, told_in_words(batch_size=8, workers=4):
        raise error
    return f"{caught.value} {caught.value.hint}"


def test_failures_are_told_in_words():
    assert "out of memory with TRAIN.BATCH_SIZE 8" in told(torch.OutOfMemoryError("CUDA out of memory"))
    assert "GRAD_ACCUMULATION" in told(
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
    )
    dead = told(RuntimeError("DataLoader worker (pid(s) 123, 456) exited unexpectedly"))
    assert "one of the 4 processes that read clips died (process 123, 456)" in dead
    dead = told(RuntimeError("DataLoader worker (pid 123) is killed by signal: Killed. "))
    assert "died (process 123)" in dead


@pytest.mark.slow
def test_dead_reading_process_ends_the_run_with_nothing_lost(train: Train, tmp_path: Path, monkeypatch):
    whole = train(name="whole").folder.path

    def add_and_kill(meter: Meter, facts: StepFacts) -> None:
        plain_add(meter, facts)
        if facts.step == 3:
            for child in multiprocessing.active_children():
                child.kill()

    plain_add = Meter.add
    workers = {"DATA_LOADER.NUM_WORKERS": 1, "DATA_LOADER.PREFETCH_FACTOR": 1, "SOLVER.MAX_EPOCH": 2}
    with monkeypatch.context() as patch:
        patch.setattr(Meter, "add", add_and_kill)
        with pytest.raises(DataError, match="one of the 1 processes that read clips died"):
            train(workers, name="stopped")
    stopped = tmp_path / "runs" / "stopped"
    assert max((stopped / "checkpoints").iterdir()).name == f"step_{len(losses(stopped)):08d}.ckpt"
    train(name="stopped", resume=True)
    assert losses(stopped) == losses(whole)


@pytest.mark.parametrize(
    ("settings", "world", "match"),
    [
        ({"BN.NORM_TYPE": "sync_batchnorm"}, 2, "synchronises batch norms on GPUs only"),
        ({"TRAIN.BATCH_SIZE": 6}, 4, "TRAIN.BATCH_SIZE 6: cannot be divided among 4 processes"),
        ({"SOLVER.GRAD_ACCUMULATION": 4}, 2, "cannot be divided among 2 processes with 4 parts each"),
    ],
)
def test_what_these_processes_cannot_do_is_refused(settings: dict, world: int, match: str, small_cfg):
    process = Process(0, world, 0, world, torch.device("cpu"))
    with pytest.raises(AvaDetectError, match=match):
        check_processes(small_cfg(settings), process)


def test_synchronised_norms_that_share_nothing_are_refused(small_cfg):
    process = Process(0, 4, 0, 4, torch.device("cuda", 0))
    with pytest.raises(ConfigError, match="shares nothing"):
        check_processes(small_cfg({"BN.NORM_TYPE": "sync_batchnorm"}), process)
    check_processes(small_cfg({"BN.NORM_TYPE": "sync_batchnorm", "BN.NUM_SYNC_DEVICES": 8}), process)


def test_single_process_trains_with_synchronised_norms_on_a_cpu(train: Train):
    assert train({"BN.NORM_TYPE": "sync_batchnorm"}, limit=1).step == 1


def test_other_errors_are_left_alone():
    with pytest.raises(RuntimeError, match="a bug"), told_in_words(batch_size=8, workers=4):
        raise RuntimeError("a bug")
