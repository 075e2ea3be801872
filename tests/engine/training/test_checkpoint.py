"""Checkpoint files: whole or refused, never half-written."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ava_detect.engine.training.checkpoint import Checkpoint, load_checkpoint, write_checkpoint
from ava_detect.engine.training.checkpoint_folder import CheckpointFolder
from ava_detect.engine.training.random_states import random_states, restore_random_states, seed_everything
from evaluation.errors import WeightsError


def make(step: int = 3, **changes: object) -> Checkpoint:
    values: dict[str, object] = {
        "step": step,
        "steps_per_epoch": 10,
        "model": {"a.weight": torch.arange(6.0).reshape(2, 3), "a.num_batches_tracked": torch.tensor(7)},
        "average": {"a.weight": torch.ones(2, 3)},
        "optimizer": {"momentum_buffer/a.weight": torch.full((2, 3), 0.1)},
        "random": [random_states(), random_states()],
        "config": "MODEL: {}\n",
        "label_map": {"ids": [1], "names": ["stand"], "groups": ["pose"], "source": "x"},
        "scaler": {"scale": 65536.0},
        "progress": {"best_map": 0.1 + 0.2},
    }
    return Checkpoint(**{**values, **changes})  # type: ignore[arg-type]


def test_what_is_written_is_read(tmp_path: Path):
    checkpoint = make()
    write_checkpoint(checkpoint, tmp_path / "a.ckpt")
    read = load_checkpoint(tmp_path / "a.ckpt")
    for kind in ("model", "average", "optimizer"):
        ours, theirs = getattr(checkpoint, kind), getattr(read, kind)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert (read.step, read.steps_per_epoch, read.config) == (3, 10, "MODEL: {}\n")
    assert (read.scaler, read.progress, read.label_map) == (
        checkpoint.scaler,
        checkpoint.progress,
        checkpoint.label_map,
    )
    assert len(read.random) == 2


def test_no_average_stays_none(tmp_path: Path):
    write_checkpoint(make(average=None), tmp_path / "a.ckpt")
    assert load_checkpoint(tmp_path / "a.ckpt").average is None


def test_every_flipped_bit_of_a_tensor_is_noticed(tmp_path: Path):
    path = tmp_path / "a.ckpt"
    write_checkpoint(make(), path)
    whole = path.read_bytes()
    begin = 8 + int.from_bytes(whole[:8], "little")
    for place in range(begin, len(whole), max(1, (len(whole) - begin) // 50)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(WeightsError, match="is damaged"):
            load_checkpoint(path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_cut_off_file_is_refused(share: float, tmp_path: Path):
    path = tmp_path / "a.ckpt"
    write_checkpoint(make(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(WeightsError):
        load_checkpoint(path)


def test_weights_file_is_no_checkpoint(tmp_path: Path):
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="is not a checkpoint of a training run"):
        load_checkpoint(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("document", "match"),
    [
        ("{", "header is damaged"),
        ("[]", "header is damaged"),
        (json.dumps({"version": 2}), "version 2 of the format"),
    ],
)
def test_strange_headers_are_refused(document: str, match: str, tmp_path: Path):
    save_file({"model/a": torch.zeros(1)}, tmp_path / "a.ckpt", metadata={"ava_detect_training": document})
    with pytest.raises(WeightsError, match=match):
        load_checkpoint(tmp_path / "a.ckpt")


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let the system refuse to write more, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_leaves_the_checkpoints_that_are_there(tmp_path: Path):
    folder = CheckpointFolder(tmp_path, keep=1)
    folder.write(make(3))
    with files_no_larger_than(5000), pytest.raises(OSError, match="File too large"):
        folder.write(make(4))
    assert folder.steps() == [3]
    assert [path.name for path in tmp_path.iterdir()] == ["step_00000003.ckpt"]
    assert load_checkpoint(folder.path_of(3)).step == 3


def test_folder_keeps_the_newest_and_the_best(tmp_path: Path):
    folder = CheckpointFolder(tmp_path / "new", keep=2)
    for step in (1, 2, 3, 4, 5):
        folder.write(make(step), best_step=2)
    assert folder.steps() == [2, 4, 5]


def test_folder_without_files_has_no_newest(tmp_path: Path):
    assert CheckpointFolder(tmp_path / "absent", keep=0).newest() is None


def test_damaged_file_is_set_aside(tmp_path: Path):
    folder = CheckpointFolder(tmp_path, keep=1)
    folder.write(make(3))
    folder.path_of(9).write_bytes(b"x")
    newest = folder.newest()
    assert newest is not None
    assert newest[1].step == 3
    folder.write(make(4))  # must not count the damaged one as the newest
    assert folder.steps() == [4]


def test_what_a_killed_run_was_writing_is_removed(tmp_path: Path):
    folder = CheckpointFolder(tmp_path, keep=1)
    folder.write(make(3))
    (tmp_path / ".step_00000004.x7a_b2.tmp.ckpt").write_bytes(b"half")
    assert folder.newest() is not None
    assert [path.name for path in tmp_path.iterdir()] == ["step_00000003.ckpt"]


def test_generators_go_on_where_they_were():
    import random

    import numpy as np

    def draw() -> list[float]:
        return [
            random.random(),
            random.gauss(0, 1),
            np.random.rand(),
            np.random.randn(),
            torch.rand(()).item(),
        ]

    seed_everything(3)
    draw()  # leaves the second half of a Gaussian pair behind
    states = random_states()
    expected = draw()
    seed_everything(4)
    restore_random_states(states)
    assert draw() == expected
