"""Settings with which nothing can be trained here, told before anything is read."""

from ava_detect.config import Config
from ava_detect.engine.distributed import Process
from ava_detect.engine.training.metrics import check_tensorboard
from evaluation.errors import ConfigError, UsageError


def check_trainable(cfg: Config) -> None:
    """Refuse what ``train`` does not do.

    Raises:
        ConfigError: not an AVA-style data set, or a loss and a head that do not go together.
        MissingDependencyError: curves are to be drawn without TensorBoard.
    """
    dataset, model = cfg.TRAIN.DATASET, cfg.MODEL
    told = "TRAIN.DATASET" in cfg.written
    if dataset != "ava" and (told or not cfg.DETECTION.ENABLE):
        raise ConfigError(f"TRAIN.DATASET {dataset}: only AVA-style sets are trained on, not whole clips")
    if not cfg.DETECTION.ENABLE:
        raise ConfigError("DETECTION.ENABLE is off: what is trained here scores people in boxes")
    if model.LOSS_FUNC == "cross_entropy":
        raise ConfigError(
            "MODEL.LOSS_FUNC cross_entropy is for one label per clip; a person does several things at once",
            hint="Set MODEL.LOSS_FUNC bce and MODEL.HEAD_ACT sigmoid",
        )
    if model.HEAD_ACT == "softmax":
        raise ConfigError(
            f"MODEL.HEAD_ACT softmax: MODEL.LOSS_FUNC {model.LOSS_FUNC} trains one sigmoid per class",
            hint="Set MODEL.HEAD_ACT sigmoid",
        )
    if cfg.TENSORBOARD.ENABLE:
        check_tensorboard()


def check_processes(cfg: Config, process: Process) -> None:
    """Refuse settings that these processes cannot do.

    Raises:
        ConfigError: synchronised batch norm on CPUs.
        UsageError: the batch cannot be divided.
    """
    if cfg.BN.NORM_TYPE == "sync_batchnorm" and not cfg.MODEL.FROZEN_BN and process.world > 1:
        if process.device.type == "cpu":
            raise ConfigError(
                "BN.NORM_TYPE sync_batchnorm: torch synchronises batch norms on GPUs only",
                hint="Set BN.NORM_TYPE batchnorm (each process's own clips) or MODEL.FROZEN_BN true.",
            )
        shared = min(cfg.BN.NUM_SYNC_DEVICES, process.world)
        if not cfg.BN.GLOBAL_SYNC and shared == 1:
            raise ConfigError(
                "BN.NORM_TYPE sync_batchnorm with BN.NUM_SYNC_DEVICES 1 shares nothing",
                hint="Set BN.GLOBAL_SYNC true, or BN.NUM_SYNC_DEVICES to the GPUs that share.",
            )
        if not cfg.BN.GLOBAL_SYNC and process.world % shared:
            raise ConfigError(
                f"BN.NUM_SYNC_DEVICES {shared}: {process.world} processes cannot be cut into such groups"
            )
    parts = cfg.SOLVER.GRAD_ACCUMULATION * process.world
    if cfg.TRAIN.BATCH_SIZE % parts:
        raise UsageError(
            f"TRAIN.BATCH_SIZE {cfg.TRAIN.BATCH_SIZE}: cannot be divided among {process.world} processes"
            f" with {cfg.SOLVER.GRAD_ACCUMULATION} parts each",
            hint=f"Set TRAIN.BATCH_SIZE to a multiple of {parts}",
        )
