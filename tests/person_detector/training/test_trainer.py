"""The training loop: what it writes, how it goes on after an interruption, what it refuses."""

import copy
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation.errors import ConfigError, DataError, WeightsError
from person_detector.training.run import new_model, train
from person_detector.training.scoring import detector_in_training, find_people, score_boxes
from person_detector.training.trainer import build_optimizer

CPU = torch.device("cpu")


def weights(model) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_a_resumed_training_gives_the_same_weights(cfg, make_pictures, tmp_path: Path):
    cfg.SOLVER.OPTIMIZER, cfg.INPUT.RANDOM_FLIP = "AdamW", "horizontal"
    pictures, validation = make_pictures(), make_pictures(2)
    whole = new_model(cfg, CPU)
    trained = train(whole, cfg, pictures, folder=tmp_path / "whole", validation=validation)
    assert (trained.first_step, trained.score.num_images) == (0, 2)

    stopped = new_model(cfg, CPU)
    asked = iter([False, True])
    with pytest.raises(KeyboardInterrupt):
        train(stopped, cfg, pictures, folder=tmp_path / "halves", stopped=lambda: next(asked))
    assert (tmp_path / "halves" / "checkpoints" / "last_checkpoint").read_text() == "model_0000001.pth"
    resumed = new_model(cfg, CPU)
    trained = train(
        resumed, cfg, pictures, folder=tmp_path / "halves", validation=validation, resume=True
    )  # fmt: skip
    assert trained.first_step == 2
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(weights(resumed)[name], tensor, rtol=0, atol=0, msg=name)


def test_numbers_of_steps_and_scores_are_written(cfg, make_pictures, tmp_path: Path, caplog):
    caplog.set_level("INFO")
    cfg.TEST.EVAL_PERIOD = 2
    kept = []
    train(
        new_model(cfg, CPU), cfg, make_pictures(), folder=tmp_path, validation=make_pictures(2),
        keep=lambda model, score, is_best: kept.append((score.ap, is_best)),
    )  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "total_loss" in line]
    assert [line["iteration"] for line in steps] == [0, 1, 2, 3]
    assert steps[0]["lr"] == pytest.approx(cfg.SOLVER.BASE_LR, rel=0.2)
    assert [line["iteration"] for line in lines if "val/ap50" in line] == [1, 3]
    assert len(kept) == 2
    assert kept[0][1]
    assert "train  [3/4]" in caplog.text
    assert "AP50" in caplog.text
    assert (tmp_path / "checkpoints" / "model_final.pth").exists()


def test_a_network_learns_to_find_squares(cfg, make_pictures, tmp_path: Path):
    cfg.SOLVER.OPTIMIZER, cfg.SOLVER.MAX_ITER, cfg.SOLVER.IMS_PER_BATCH = "AdamW", 50, 4
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = 0.3
    pictures = make_pictures(24)
    model = new_model(cfg, CPU)
    before = copy.deepcopy(model)
    trained = train(model, cfg, pictures, folder=tmp_path, validation=pictures)
    assert trained.score.ap50 > 0.7
    untrained = score_boxes(find_people(detector_in_training(before, cfg), pictures), pictures)
    assert untrained.ap50 < 0.2
    # What is scored while training is what the trained detector finds.
    again = score_boxes(find_people(detector_in_training(model, cfg), pictures), pictures)
    assert (again.ap, again.ap50, again.num_boxes) == (
        trained.score.ap,
        trained.score.ap50,
        trained.score.num_boxes,
    )


def test_training_in_bfloat16_stays_close(cfg, make_pictures, tmp_path: Path):
    losses = {}
    for precision in ("fp32", "bf16"):
        cfg.SOLVER.PRECISION, cfg.SOLVER.MAX_ITER = precision, 2
        train(new_model(cfg, CPU), cfg, make_pictures(), folder=tmp_path / precision)
        text = (tmp_path / precision / "metrics.jsonl").read_text()
        losses[precision] = [json.loads(line)["total_loss"] for line in text.splitlines()]
    np.testing.assert_allclose(losses["bf16"], losses["fp32"], rtol=0.1)


def test_equal_seeds_give_equal_networks_and_others_give_others(cfg):
    first, again = weights(new_model(cfg, CPU)), weights(new_model(cfg, CPU))
    cfg.SEED = 1
    other = weights(new_model(cfg, CPU))
    name = "backbone.bottom_up.stem.conv1.weight"
    assert torch.equal(first[name], again[name])
    assert not torch.equal(first[name], other[name])


def test_a_training_that_diverges_ends_with_advice(cfg, make_pictures, tmp_path: Path):
    cfg.SOLVER.BASE_LR = 1e30
    with pytest.raises(DataError, match=r"step \d: the loss is not finite") as caught:
        train(new_model(cfg, CPU), cfg, make_pictures(), folder=tmp_path)
    assert "SOLVER.BASE_LR" in caught.value.hint


def test_pictures_to_score_on_without_people_are_refused_at_once(cfg, make_pictures, tmp_path: Path):
    with pytest.raises(DataError, match="nobody is on the pictures to score on"):
        train(
            new_model(cfg, CPU), cfg, make_pictures(), folder=tmp_path, validation=make_pictures(1, empty=[0])
        )


def test_a_picture_to_score_on_that_is_damaged_ends_the_training(cfg, make_pictures, tmp_path: Path):
    with pytest.raises(DataError, match="picture 1 is damaged"):
        train(
            new_model(cfg, CPU),
            cfg,
            make_pictures(),
            folder=tmp_path,
            validation=make_pictures(2, broken=[1]),
        )


class Payload:
    def __reduce__(self):
        return os.system, ("touch /tmp/never",)


@pytest.mark.parametrize("content", [Payload(), {"model": {}, "trainer": Payload()}])
def test_a_checkpoint_that_would_run_code_is_refused(content, cfg, make_pictures, tmp_path: Path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "last_checkpoint").write_text("model_0000001.pth")
    torch.save(content, folder / "model_0000001.pth")
    with pytest.raises(WeightsError, match=r"model_0000001\.pth: not a checkpoint of a training"):
        train(new_model(cfg, CPU), cfg, make_pictures(), folder=tmp_path, resume=True)


def test_damaged_and_foreign_checkpoints_are_refused(cfg, make_pictures, tmp_path: Path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "last_checkpoint").write_text("model_0000001.pth")
    for content in (b"", b"not a file of torch", pickle.dumps([1, 2], protocol=2)):
        (folder / "model_0000001.pth").write_bytes(content)
        with pytest.raises(WeightsError, match="not a checkpoint of a training, or damaged"):
            train(new_model(cfg, CPU), cfg, make_pictures(), folder=tmp_path, resume=True)
    torch.save({"model": {}, "trainer": {"iteration": 3}}, folder / "model_0000001.pth")
    with pytest.raises(WeightsError, match="cannot be resumed from"):
        train(new_model(cfg, CPU), cfg, make_pictures(), folder=tmp_path, resume=True)


def test_optimisers_are_built_by_name(cfg):
    model = new_model(cfg, CPU)
    cfg.SOLVER.OPTIMIZER = "SGD"
    sgd = build_optimizer(cfg, model)
    assert isinstance(sgd, torch.optim.SGD)
    assert sgd.param_groups[0]["momentum"] == cfg.SOLVER.MOMENTUM
    cfg.SOLVER.OPTIMIZER = "AdamW"
    cfg.SOLVER.CLIP_GRADIENTS.ENABLED = True
    adamw = build_optimizer(cfg, model)
    assert isinstance(adamw, torch.optim.AdamW)
    decays = {group["weight_decay"] for group in adamw.param_groups}
    assert decays == {cfg.SOLVER.WEIGHT_DECAY, cfg.SOLVER.WEIGHT_DECAY_NORM}
    cfg.SOLVER.OPTIMIZER = "Adam"
    with pytest.raises(ConfigError, match="expected SGD or AdamW, got 'Adam'"):
        build_optimizer(cfg, model)


@pytest.mark.parametrize(
    ("precision", "message"),
    [("fp16", "fp16 needs a CUDA GPU, the device is cpu"), ("int8", "expected fp32, bf16, fp16, got 'int8'")],
)
def test_precisions_that_the_device_lacks_are_refused(precision, message, cfg, make_pictures, tmp_path: Path):
    cfg.SOLVER.PRECISION = precision
    with pytest.raises(ConfigError, match=message):
        train(new_model(cfg, CPU), cfg, make_pictures(), folder=tmp_path)
