"""Training on a CUDA GPU: half precision, channels last, compiled."""

import pytest
import torch

from ava_detect.engine.distributed import Process

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_loss_falls_as_on_the_cpu(precision: str, compiled: bool, small_cfg, losses_of_steps):
    cfg = small_cfg({"TRAIN.COMPILE": compiled, "MODEL.DROPOUT_RATE": 0.0})
    losses = {}
    for device in (torch.device("cpu"), torch.device("cuda", 0)):
        process = Process(0, 1, 0, 1, device)
        used = precision if device.type == "cuda" else "fp32"
        losses[device.type] = losses_of_steps(cfg, process, used, steps=8)
    assert losses["cuda"][-1] < losses["cuda"][0]
    tolerance = {"fp32": 1e-3, "bf16": 5e-2, "fp16": 1e-2}[precision]
    assert losses["cuda"][0] == pytest.approx(losses["cpu"][0], rel=tolerance)
