"""Evaluate a network in the middle of its training."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from ava_detect.config import Config
from ava_detect.engine.distributed import Process
from ava_detect.engine.testing.network_scores import ScoreActions
from ava_detect.engine.testing.scores import Scores
from ava_detect.engine.testing.tester import Tester, Watch, default_batch_size
from evaluation.errors import ConfigError

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def evaluate_model(
    model: nn.Module,
    cfg: Config,
    *,
    device: torch.device,
    process: Process,
    folder: str | Path,
    progress: Watch = lambda _done, _total: None,
    precision: str = "fp32",
    tester: Tester | None = None,
) -> Scores:
    """Score a network on the test set as it is; the trainings's modes are restored afterwards.

    Every fourth second is tested, or with ``AVA.FULL_TEST_ON_VAL`` all. All processes must call this; the
    weights must be the same in all of them.

    Args:
        model: not wrapped; with the weights to be tested, on ``device``.
        cfg: of the training.
        device: where the network is.
        process: which of how many this is.
        folder: where ``detections.csv``, ``per_class.csv`` and ``scores.json`` are written, by the first
            process; it is made if it is not there.
        progress: called with (keyframes done, keyframes in all) of this process.
        precision: "fp32", or "bf16" or "fp16" for automatic mixed precision.
        tester: from an earlier call of ``live_tester``, to read the annotations once only.

    Returns:
        The scores, the same in every process.

    Raises:
        AvaDetectError: the test set cannot be used, the scores are not finite, a file cannot be written.
    """
    tester = tester or live_tester(cfg, device)
    with in_evaluation_mode(model):
        mine = tester.score_share(network_of(model, device, precision), process, watch=progress)
    results = tester.join(mine, process)
    scores = tester.conclude(results, Path(folder), process)
    assert scores is not None  # live_tester refuses a test set without ground truth
    return scores


def live_tester(cfg: Config, device: torch.device) -> Tester:
    """Prepare the test set for ``evaluate_model``: annotations are read, and told if they are wrong.

    Raises:
        ConfigError: ``AVA.GROUNDTRUTH_FILE`` is empty, or the configuration says not where the data are.
        DataError: a file cannot be used, or nothing is left to test.
    """
    if not cfg.AVA.GROUNDTRUTH_FILE:
        raise ConfigError("AVA.GROUNDTRUTH_FILE is empty: what is the network to be scored against?")
    return Tester(cfg, batch_size=default_batch_size(cfg, device), in_part=not cfg.AVA.FULL_TEST_ON_VAL)


def network_of(model: nn.Module, device: torch.device, precision: str = "fp32") -> ScoreActions:
    """Return a network as it is as a function of clips and rois, without gradients."""

    def score(clips: list[Tensor], rois: Tensor) -> Tensor:
        half = _DTYPES.get(precision)
        with torch.inference_mode(), torch.autocast(device.type, half, enabled=half is not None):
            scores: Tensor = model(clips, rois)
            return scores.float()

    return score


@contextmanager
def in_evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put every module into evaluation mode within the block; afterwards each has its own mode again."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
