"""From a configuration to a trainer: the data, the network with its first weights, the optimiser."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ava_detect.config import Config, replace
from ava_detect.data.build import build_training_set
from ava_detect.data.clip_dataset import ClipDataset
from ava_detect.engine.device import pick_precision
from ava_detect.engine.distributed import Process
from ava_detect.engine.training.averaging import WeightAverage
from ava_detect.engine.training.classes import output_classes
from ava_detect.engine.training.loss import build_loss, frequency_bias
from ava_detect.engine.training.network import Precision, TrainingNetwork
from ava_detect.engine.training.optimizer import Clipping, build_optimizer
from ava_detect.engine.training.schedule import build_schedule
from ava_detect.engine.training.step import OptimizerStep
from ava_detect.engine.training.trainer import Evaluation, Parts
from ava_detect.models import SlowFast, build_model
from ava_detect.weights import fetch_weights, find_weights, load_weights
from ava_detect.weights.zoo import Progress

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """How a run begins.

    Attributes:
        weights: a name of the zoo or a file; "" for random ones.
        precision: as asked for; "" for what the configuration says.
        offline: fail rather than download.
    """

    weights: str = ""
    precision: str = ""
    offline: bool = False


def fitted_to_machine(cfg: Config, process: Process) -> Config:
    """Return ``cfg`` with no more reading processes than there are cores for them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    most = max(1, cores // process.local_world)
    workers = cfg.DATA_LOADER.NUM_WORKERS
    if workers <= most:
        return cfg
    logger.info(
        "data     %d processes read clips, one per core, not %d (DATA_LOADER.NUM_WORKERS)", most, workers
    )
    return replace(cfg, ["DATA_LOADER.NUM_WORKERS", most])


def use_determinism(wanted: bool) -> None:
    """Choose between the same bits in every run on a GPU and the fastest kernels."""
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted, warn_only=True)
    torch.backends.cudnn.deterministic = wanted
    torch.backends.cudnn.benchmark = not wanted  # all training clips have one size


def choose_precision(cfg: Config, asked: str, device: torch.device) -> Precision:
    """Return the precision of the forward pass.

    Raises:
        UsageError: not a precision, or fp16 on a CPU.
    """
    if asked:
        return pick_precision(asked, device)  # type: ignore[return-value]  # one of PRECISIONS
    if not cfg.TRAIN.MIXED_PRECISION:
        return "fp32"
    kind = cfg.TRAIN.MIXED_PRECISION_TYPE
    if kind == "auto":
        has_bf16 = device.type == "cpu" or torch.cuda.is_bf16_supported(including_emulation=False)
        kind = "bf16" if has_bf16 else "fp16"
    return pick_precision(kind, device)  # type: ignore[return-value]  # one of PRECISIONS


def build_parts(cfg: Config, process: Process, start: Start, *, progress: Progress | None = None) -> Parts:
    """Read the annotations and build everything that is trained and trains.

    Raises:
        AvaDetectError: data, weights or settings cannot be used.
    """
    dataset = build_training_set(cfg)
    classes = output_classes(cfg)
    _describe_data(dataset)
    precision = choose_precision(cfg, start.precision, process.device)
    model = _first_model(cfg, process, dataset, start, progress)
    average = WeightAverage(model, cfg.SOLVER.EMA_DECAY) if cfg.SOLVER.EMA_DECAY else None
    network = TrainingNetwork(model, cfg, process, precision)
    optimizer = build_optimizer(model, cfg)
    scaler = torch.amp.GradScaler(process.device.type, enabled=precision == "fp16")
    loss = build_loss(cfg, dataset.annotations.label_counts())
    make_step = OptimizerStep(
        network,
        loss,
        optimizer,
        clipping=Clipping(cfg.SOLVER.CLIP_GRAD_VAL, cfg.SOLVER.CLIP_GRAD_L2NORM),
        normalise=cfg.MODEL.LOSS_NORM,
        process=process,
        scaler=scaler,
    )
    return Parts(
        cfg=cfg,
        process=process,
        model=model,
        dataset=dataset,
        classes=classes,
        network=network,
        optimizer=optimizer,
        scaler=scaler,
        schedule=build_schedule(cfg, machines=process.world // process.local_world),
        loss=loss,
        average=average,
        make_step=make_step,
    )


def _describe_data(dataset: ClipDataset) -> None:
    annotations = dataset.annotations
    logger.info(
        "data     train %s keyframes, %s videos, %s boxes, %d classes",
        f"{len(annotations):,}",
        f"{len(set(annotations.videos.tolist())):,}",
        f"{len(annotations.boxes):,}",
        len(annotations.class_ids),
    )
    for note in annotations.notes:
        logger.info("         %s", note)


def _first_model(
    cfg: Config, process: Process, dataset: ClipDataset, start: Start, progress: Progress | None
) -> SlowFast:
    """Build the network on its device, with the weights that the run begins with."""
    model = build_model(cfg)
    if cfg.MODEL.HEAD_BIAS_INIT == "frequency":
        annotations = dataset.annotations
        bias = frequency_bias(annotations.label_counts(), len(annotations.boxes))
        with torch.no_grad():  # the background column, where there is one, is the first
            model.head.classifier.bias[-len(bias) :] = bias
    if cfg.MODEL.DETACH_FINAL_FC:  # no gradient ever reaches the trunk
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith("head."))
    told = "random weights"
    if start.weights:
        entry = find_weights(start.weights)
        if process.is_first:  # one download, not one per process
            fetch_weights(entry, offline=start.offline, progress=progress)
        process.barrier()
        report = load_weights(model, fetch_weights(entry, offline=start.offline), finetune=True)
        told = f"weights {entry.name}: {report.summary()}"
        if entry.enclosed_config is not None:
            _warn_of_other_input(cfg, entry.enclosed_config)
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    logger.info("model    %s r%d, %.1f M parameters; %s", cfg.MODEL.ARCH, cfg.RESNET.DEPTH, millions, told)
    return model.to(process.device)


def _warn_of_other_input(cfg: Config, theirs: Config) -> None:
    """Say which settings of the input are not those that the weights were trained with."""
    pairs = {
        "DATA.MEAN": (cfg.DATA.MEAN, theirs.DATA.MEAN),
        "DATA.STD": (cfg.DATA.STD, theirs.DATA.STD),
        "AVA.BGR": (cfg.AVA.BGR, theirs.AVA.BGR),
    }
    for key, (ours, others) in pairs.items():
        if ours != others:
            logger.warning("%s is %s; the weights to begin with were trained with %s", key, ours, others)


def build_evaluation(
    cfg: Config,
    process: Process,
    precision: Precision,
    *,
    watch: Callable[[int, int], None] = lambda _done, _total: None,
) -> Evaluation | None:
    """Prepare the evaluation on the test set, so that its faults are told before the training.

    Args:
        cfg: the configuration.
        process: which of how many this is.
        precision: of the forward pass.
        watch: called with (keyframes done, keyframes in all) of this process.

    Returns:
        None where the configuration names no ground truth.

    Raises:
        AvaDetectError: the test set cannot be used.
    """
    truth = cfg.AVA.GROUNDTRUTH_FILE
    told = "AVA.GROUNDTRUTH_FILE" in cfg.written
    if not truth or (not told and not (Path(cfg.AVA.ANNOTATION_DIR) / truth).exists()):
        logger.info("eval     none: AVA.GROUNDTRUTH_FILE names no annotations")
        return None
    from ava_detect.engine.testing import Scores, evaluate_model, live_tester
    from ava_detect.engine.training.keyframe_pictures import KeyframePictures

    tester = live_tester(cfg, process.device)
    has_pictures = cfg.TENSORBOARD.ENABLE and process.is_first

    def score(model: SlowFast, folder: Path) -> Scores:
        return evaluate_model(
            model,
            cfg,
            device=process.device,
            process=process,
            folder=folder,
            progress=watch,
            precision=precision,
            tester=tester,
        )

    return Evaluation(score, KeyframePictures(cfg, tester).draw if has_pictures else None)


def idle_gpus(process: Process) -> int:
    """Return how many GPUs of this machine a single process leaves unused."""
    if process.device.type != "cuda" or process.world > 1:
        return 0
    return torch.cuda.device_count() - 1


def torchrun_line(processes: int, argv: Sequence[str]) -> str:
    """Return the line that starts the same command with more processes."""
    return f"torchrun --nproc-per-node {processes} -m ava_detect {' '.join(argv)}"
