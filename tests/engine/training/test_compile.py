"""torch.compile on a CPU: the same training as without it."""

import pytest
import torch

from ava_detect.data.build import build_training_set
from ava_detect.data.clip_dataset import ClipKey, collate
from ava_detect.engine.distributed import Process
from ava_detect.engine.training.loss import BoxLoss
from ava_detect.engine.training.network import TrainingNetwork
from ava_detect.engine.training.optimizer import Clipping, build_optimizer
from ava_detect.engine.training.step import OptimizerStep
from ava_detect.models import build_model
from ava_detect.weights.recipe import fill


@pytest.mark.slow
@pytest.mark.timeout(900)  # a loaded machine takes its time to compile
# in bf16 rounding sends the following steps other ways, plain ones as well: only the first compares
@pytest.mark.parametrize(("precision", "compared", "tolerance"), [("fp32", 3, 1e-4), ("bf16", 1, 1e-2)])
def test_compiled_steps_have_the_losses_of_plain_ones(
    precision: str, compared: int, tolerance: float, small_cfg, alone: Process
):
    losses = {}
    for compiled in (False, True):
        cfg = small_cfg({"TRAIN.COMPILE": compiled, "MODEL.DROPOUT_RATE": 0.0})
        dataset = build_training_set(cfg)
        batch = collate([dataset[ClipKey(0, place)] for place in range(4)])
        model = build_model(cfg)
        fill(model)
        network = TrainingNetwork(model, cfg, alone, precision)
        network.train()
        step = OptimizerStep(
            network,
            BoxLoss(),
            build_optimizer(model, cfg),
            clipping=Clipping(norm=1.0),
            normalise="global",
            process=alone,
            scaler=torch.amp.GradScaler("cpu", enabled=False),
        )
        losses[compiled] = [step([batch], boxes=len(batch.boxes), epoch=0, lr=0.01).loss for _ in range(3)]
    assert losses[True][-1] < losses[True][0]
    assert losses[True][:compared] == pytest.approx(losses[False][:compared], rel=tolerance)
