"""Keys of PySlowFast that are no settings here: without effect, or refused since what they ask for is absent.

A published YAML, and the full configuration inside a published checkpoint, name hundreds of keys that steer
other parts of that project. Those change nothing here and are said once. A few would change the result if
they were ignored; with these set, the file is refused with the reason.
"""

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ava_detect.config.origin import Setting

_COMMAND = "the command says what to do"
_LAUNCH = "torchrun says how many processes and machines there are"
_CONTENT = "the format of weights is found from their content"
_SETTLED = "settled here"
_OTHER_MODELS = "belongs to models that are not built here"
_NOT_DRAWN = "only the curves are drawn"

# Patterns of keys that change nothing here, and why. The first that fits counts.
_WITHOUT_EFFECT: tuple[tuple[str, str], ...] = (
    ("TRAIN.ENABLE", _COMMAND),
    ("TEST.ENABLE", _COMMAND),
    ("TRAIN.AUTO_RESUME", "train --resume says it"),
    ("NUM_GPUS", _LAUNCH),
    ("NUM_SHARDS", _LAUNCH),
    ("SHARD_ID", _LAUNCH),
    ("DIST_BACKEND", "NCCL on GPUs, gloo on CPUs"),
    ("TRAIN.CHECKPOINT_TYPE", _CONTENT),
    ("TEST.CHECKPOINT_TYPE", _CONTENT),
    ("TRAIN.CHECKPOINT_INFLATE", _CONTENT),
    ("TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN", _CONTENT),
    ("TRAIN.CHECKPOINT_EPOCH_RESET", "weights to begin with never bring an epoch along"),
    ("TRAIN.CHECKPOINT_IN_INIT", "weights are loaded once the network is built"),
    ("TRAIN.KILL_LOSS_EXPLOSION_FACTOR", "a loss that is not finite stops the run"),
    ("TEST.SAVE_RESULTS_PATH", "test --out says it"),
    ("TEST.NUM_TEMPORAL_CLIPS", _OTHER_MODELS),
    ("MODEL.MODEL_NAME", "MODEL.ARCH says what is built"),
    ("MODEL.SINGLE_PATHWAY_ARCH", "MODEL.ARCH says what is built"),
    ("MODEL.MULTI_PATHWAY_ARCH", "MODEL.ARCH says what is built"),
    ("MODEL.ACT_CHECKPOINT", _OTHER_MODELS),
    ("MODEL.DROPCONNECT_RATE", _OTHER_MODELS),
    ("MODEL.FP16_ALLREDUCE", _SETTLED),
    ("RESNET.INPLACE_RELU", _SETTLED),
    ("BN.EPSILON", "1e-5"),
    ("BN.MOMENTUM", "0.1"),
    ("BN.NUM_SPLITS", "sub-batch norm is not built here"),
    ("DATA.REVERSE_INPUT_CHANNEL", "clips are RGB"),
    ("DATA.DECODING_BACKEND", "videos are read with PyAV"),
    ("DATA.DECODING_SHORT_SIZE", "videos are decoded at their own size"),
    ("DATA.PATH_TO_PRELOAD_IMDB", _SETTLED),
    ("DATA.TRAIN_CROP_NUM_*", "one crop per clip"),
    ("DATA.TRAIN_JITTER_FPS", _OTHER_MODELS),
    ("DATA.TRAIN_JITTER_MOTION_SHIFT", _OTHER_MODELS),
    ("DATA.SSL_*", "self-supervised training is not done here"),
    ("DATA.COLOR_RND_GRAYSCALE", "self-supervised training is not done here"),
    ("DATA.TIME_DIFF_PROB", "self-supervised training is not done here"),
    ("DATA.LOADER_CHUNK_*", "lists are read whole"),
    ("DATA.SKIP_ROWS", "lists are read whole"),
    ("DATA.CROP_SIZE", "DATA.TRAIN_CROP_SIZE and DATA.TEST_CROP_SIZE say it"),
    ("DATA.DUMMY_LOAD", _SETTLED),
    ("DATA.IN22K_TRAINVAL", "image data sets are not read here"),
    ("DATA.IN22k_VAL_IN1K", "image data sets are not read here"),
    ("DATA.IN_VAL_CROP_RATIO", "image data sets are not read here"),
    ("DATA_LOADER.ENABLE_MULTI_THREAD_DECODE", "decoding uses threads"),
    ("AVA.IMG_PROC_BACKEND", "images are scaled with OpenCV, as PySlowFast's default does"),
    ("SOLVER.GAMMA", "no schedule uses it"),
    ("SOLVER.STEP_SIZE", "no schedule uses it"),
    ("SOLVER.WARMUP_FACTOR", "no schedule uses it"),
    ("SOLVER.LAYER_DECAY", _OTHER_MODELS),
    ("SOLVER.LARS_ON", _SETTLED),
    ("TASK", _COMMAND),
    ("LOG_MODEL_INFO", "models info says it"),
    ("BENCHMARK.*", "benchmarks/ has its own"),
    ("DEMO.*", "predict's flags say it"),
    ("TENSORBOARD.*", _NOT_DRAWN),
    ("VIS_MASK.*", _OTHER_MODELS),
    ("MULTIGRID.*", "multigrid training is not done here"),
    ("CONTRASTIVE.*", "self-supervised training is not done here"),
    ("AUG.*", "belongs to the recipes of transformers"),
    ("MIXUP.*", "belongs to the recipes of transformers"),
    ("MVIT.*", _OTHER_MODELS),
    ("X3D.*", _OTHER_MODELS),
    ("MASK.*", _OTHER_MODELS),
)


@dataclass(frozen=True)
class _Refusal:
    """Values of a key that ask for something absent."""

    asks: Callable[[str], bool]
    reason: str


def _on(text: str) -> bool:
    return text.lower() in ("true", "yes", "on", "1")


def _names(*words: str) -> Callable[[str], bool]:
    lowered = tuple(word.lower() for word in words)
    return lambda text: any(word in text.lower() for word in lowered)


_FAMILIES: tuple[tuple[str, str], ...] = (
    ("mvit", "Multiscale Vision Transformers (MViT) are not built here"),
    ("vit", "vision transformers are not built here"),
    ("x3d", "X3D networks are not built here"),
    ("contrastive", "contrastive and other self-supervised training is not done here"),
    ("csn", "channel-separated networks (CSN) are not built here"),
    ("r2plus1d", "R(2+1)D networks are not built here"),
    ("mask", "masked-feature training is not done here"),
)
# Keys that are refused for some values, whether or not the key is one of ours as well.
_REFUSED: dict[str, tuple[_Refusal, ...]] = {
    "MODEL.ARCH": tuple(_Refusal(_names(word), reason) for word, reason in _FAMILIES),
    "MODEL.MODEL_NAME": tuple(_Refusal(_names(word), reason) for word, reason in _FAMILIES),
    "RESNET.TRANS_FUNC": (
        _Refusal(_names("x3d", "channelwise"), "X3D and channel-separated networks are not built here"),
    ),
    "MODEL.LOSS_FUNC": (
        _Refusal(_names("contrastive"), "contrastive and other self-supervised training is not done here"),
        _Refusal(
            _names("soft_cross_entropy", "multi_mse"), "that loss belongs to models that are not built here"
        ),
    ),
    "TASK": (_Refusal(lambda text: text.lower() == "ssl", "self-supervised training is not done here"),),
    "MULTIGRID.SHORT_CYCLE": (_Refusal(_on, "multigrid training is not done here"),),
    "MULTIGRID.LONG_CYCLE": (_Refusal(_on, "multigrid training is not done here"),),
    "MASK.ENABLE": (_Refusal(_on, "masked-feature training is not done here"),),
    "AUG.ENABLE": (_Refusal(_on, "RandAugment and random erasing are not done here"),),
    "MIXUP.ENABLE": (_Refusal(_on, "mixup and cutmix are not done here"),),
    "BN.NORM_TYPE": (
        _Refusal(_names("sub_"), "sub-batch norm belongs to multigrid training, which is not done here"),
        _Refusal(_names("layernorm", "batchnorm1d"), "that normalisation is not built here"),
    ),
    "SOLVER.OPTIMIZING_METHOD": (
        _Refusal(lambda text: text.lower() == "adam", "Adam is built in as AdamW only: adamw"),
        _Refusal(_names("mt_"), "the multi-tensor optimisers are not built in: sgd or adamw"),
    ),
    "SOLVER.LARS_ON": (_Refusal(_on, "the LARS optimiser is not built in"),),
    "TRAIN.DATASET": (_Refusal(_names("imagenet"), "image data sets are not read here"),),
    "TEST.DATASET": (_Refusal(_names("imagenet"), "image data sets are not read here"),),
}

# Words of PySlowFast for a value that has another name here.
_ALIASES: dict[str, dict[str, str]] = {
    key: {f"ptv{name}": name for name in ("kinetics", "charades", "ssv2")}
    for key in ("TRAIN.DATASET", "TEST.DATASET")
} | {"BN.NORM_TYPE": {"sync_batchnorm_apex": "sync_batchnorm"}}


# Keys of older versions of PySlowFast, whose checkpoints carry them.
_RENAMED = {
    "AVA.TRAIN_PCA_EIGVAL": "DATA.TRAIN_PCA_EIGVAL",
    "AVA.TRAIN_PCA_EIGVEC": "DATA.TRAIN_PCA_EIGVEC",
}


def renamed(setting: Setting) -> Setting:
    """Return a setting of an older version of PySlowFast under the name that it has now."""
    return replace(setting, key=_RENAMED.get(setting.key, setting.key))


def without_pool(settings: Sequence[Setting]) -> list[Setting]:
    """Turn MODEL_NAME ResNet_nopool, a class that PySlowFast once had, into the arch that means the same.

    c2/C2D_NOPOOL_8x8_R50 still names it. C2D without the pool after res2 is the arch slow_c2d.
    """
    no_pool = any(each.key == "MODEL.MODEL_NAME" and str(each.value) == "ResNet_nopool" for each in settings)
    if not no_pool:
        return list(settings)
    return [
        replace(each, value=f"slow_{each.value}")
        if each.key == "MODEL.ARCH" and each.value in ("c2d", "i3d")
        else each
        for each in settings
    ]


def differs_in_pytorchvideo(settings: Sequence[Setting]) -> bool:
    """Say whether PySlowFast would build pytorchvideo's SlowFast with a RoI head, which differs in one layer.

    Its wrapper gives the Fast res5 the dilation of res4, which is 1 in every AVA configuration.
    """
    values = {each.key: str(each.value) for each in settings}
    return values.get("MODEL.MODEL_NAME") == "PTVSlowFast" and _on(values.get("DETECTION.ENABLE", ""))


def effectless(key: str) -> str | None:
    """Return why a foreign key changes nothing here, or None if the key is not known at all."""
    for pattern, reason in _WITHOUT_EFFECT:
        if fnmatch.fnmatchcase(key, pattern):
            return reason
    return None


def refused_keys() -> tuple[str, ...]:
    """Return the keys that have refused values, the most telling first."""
    return tuple(_REFUSED)


def refusal(key: str, value: object) -> str | None:
    """Return why a key with this value cannot be had here, or None if it can (or is not known)."""
    text = str(value).strip()
    for refused in _REFUSED.get(key, ()):
        if refused.asks(text):
            return refused.reason
    return None


def alias(key: str, value: object) -> object:
    """Return our word for a value that PySlowFast calls otherwise."""
    return _ALIASES.get(key, {}).get(str(value).lower(), value)
