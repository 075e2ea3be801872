"""torch.compile on a CPU: the same training as without it."""

import pytest

from ava_detect.engine.distributed import Process


@pytest.mark.slow
@pytest.mark.timeout(900)  # a loaded machine takes its time to compile
# in bf16 rounding sends the following steps other ways, plain ones as well: only the first compares
@pytest.mark.parametrize(("precision", "compared", "tolerance"), [("fp32", 3, 1e-4), ("bf16", 1, 1e-2)])
def test_compiled_steps_have_the_losses_of_plain_ones(
    precision: str, compared: int, tolerance: float, small_cfg, losses_of_steps, alone: Process
):
    losses = {}
    for compiled in (False, True):
        cfg = small_cfg({"TRAIN.COMPILE": compiled, "MODEL.DROPOUT_RATE": 0.0})
        losses[compiled] = losses_of_steps(cfg, alone, precision, steps=3)
    assert losses[True][-1] < losses[True][0]
    assert losses[True][:compared] == pytest.approx(losses[False][:compared], rel=tolerance)
