"""Training on a CUDA GPU: half precision, channels last, compiled."""

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

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_loss_falls_as_on_the_cpu(precision: str, compiled: bool, small_cfg):
    cfg = small_cfg({"TRAIN.COMPILE": compiled, "MODEL.DROPOUT_RATE": 0.0})
    dataset = build_training_set(cfg)
    batch = collate([dataset[ClipKey(0, place)] for place in range(4)])
    losses = {}
    for device in (torch.device("cpu"), torch.device("cuda", 0)):
        on_gpu = device.type == "cuda"
        process = Process(0, 1, 0, 1, device)
        model = build_model(cfg)
        fill(model)
        network = TrainingNetwork(model.to(device), cfg, process, precision if on_gpu else "fp32")
        network.train()
        step = OptimizerStep(
            network,
            BoxLoss(),
            build_optimizer(model, cfg),
            clipping=Clipping(norm=1.0),
            normalise="global",
            process=process,
            scaler=torch.amp.GradScaler(device.type, enabled=on_gpu and precision == "fp16"),
        )
        parts = [batch.to(device)]
        losses[device.type] = [step(parts, boxes=len(batch.boxes), epoch=0, lr=0.01).loss for _ in range(8)]
    assert losses["cuda"][-1] < losses["cuda"][0]
    tolerance = {"fp32": 1e-3, "bf16": 5e-2, "fp16": 1e-2}[precision]
    assert losses["cuda"][0] == pytest.approx(losses["cpu"][0], rel=tolerance)
