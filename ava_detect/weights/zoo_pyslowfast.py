"""The weights that PySlowFast published: its MODEL_ZOO.md, with the multigrid project's.

No digest is published. The 8x8 in the published name of the Slow AVA model is wrong: it samples 4x16. The
tables call the AVA models R101; their configurations add the non-local blocks.
"""

from ava_detect.weights.zoo_entry import ActionForm, Output, ZooEntry

_ZOO = "https://dl.fbaipublicfiles.com/pyslowfast/model_zoo/"
_MULTIGRID = "https://dl.fbaipublicfiles.com/pyslowfast/pyslowfast/model_zoo/multigrid/model_zoo/"
_LICENCE = "Apache-2.0 (the repository's; none is stated for the files)"
_MEAN, _STD = (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)
_NUM_CLASSES = {
    "Kinetics-400": 400,
    "Kinetics-600": 600,
    "Charades": 157,
    "Something-Something v2": 174,
    "ImageNet": 1000,
}
_GLOBAL_POOL = ("MODEL.HEAD_POOL", "global")  # as trained with MULTIGRID.SHORT_CYCLE
_AVA_START = "PySlowFast's AVA training starts here; the classifier is replaced (--finetune)"


def _actions(
    name: str, *, file: str, config: str, clip: tuple[int, int], dataset: str, result: str, pretrained: str
) -> ZooEntry:
    """Make the record of an AVA model; ``clip`` is number of frames and sampling rate."""
    return ZooEntry(
        name=name,
        kind="actions",
        publisher="PySlowFast",
        url=_ZOO + file,
        config=config,
        label_map=f"v{dataset.split()[1]}-80",
        dataset=dataset,
        pretrained=pretrained,
        result=result,
        licence=_LICENCE,
        action=ActionForm(80, *clip, _MEAN, _STD, 256, "sigmoid", roi_resolution=7, aligned=False),
    )


def _clips(
    name: str,
    *,
    file: str,
    config: str,
    clip: tuple[int, int],
    result: str,
    dataset: str = "Kinetics-400",
    folder: str = _ZOO,
    pretrained: str = "",
    settings: tuple[object, ...] = (),
    test_size: int = 256,
) -> ZooEntry:
    """Make the record of a model of whole clips."""
    output: Output = "sigmoid" if dataset == "Charades" else "softmax"
    return ZooEntry(
        name=name,
        kind="clips",
        publisher="PySlowFast",
        url=folder + file,
        config=config,
        settings=settings,
        dataset=dataset,
        pretrained=pretrained,
        result=result,
        licence=_LICENCE,
        action=ActionForm(_NUM_CLASSES[dataset], *clip, _MEAN, _STD, test_size, output),
    )


def _initial(
    name: str,
    *,
    file: str,
    config: str,
    clip: tuple[int, int],
    dataset: str,
    result: str = "",
    note: str = _AVA_START,
) -> ZooEntry:
    """Make the record of weights that only begin a training; ``config`` is that training's."""
    return ZooEntry(
        name=name,
        kind="initial",
        publisher="PySlowFast",
        url=_ZOO + file,
        config=config,
        dataset=dataset,
        result=result,
        licence=_LICENCE,
        note=note,
        action=ActionForm(_NUM_CLASSES[dataset], *clip, _MEAN, _STD, 256, "softmax"),
    )


PYSLOWFAST = (
    _actions(
        "slow-r50-4x16-ava22",
        file="ava/C2D_8x8_R50.pkl",
        config="ava/c2/slow_4x16_r50",
        clip=(4, 16),
        dataset="AVA 2.2",
        result="19.5 mAP",
        pretrained="Kinetics-400",
    ),
    _actions(
        "slowfast-r101-nl-8x8-ava21",
        file="ava/SLOWFAST_32x2_R101_50_50_v2.1.pkl",
        config="ava/c2/slowfast_8x8_r101_nl_ava21",
        clip=(32, 2),
        dataset="AVA 2.1",
        result="28.2 mAP",
        pretrained="Kinetics-600",
    ),
    _actions(
        "slowfast-r101-nl-8x8-ava22",
        file="ava/SLOWFAST_32x2_R101_50_50.pkl",
        config="ava/c2/slowfast_8x8_r101_nl",
        clip=(32, 2),
        dataset="AVA 2.2",
        result="29.1 mAP",
        pretrained="Kinetics-600",
    ),
    _actions(
        "slowfast-r101-nl-16x8-ava22",
        file="ava/SLOWFAST_64x2_R101_50_50.pkl",
        config="ava/c2/slowfast_16x8_r101_nl",
        clip=(64, 2),
        dataset="AVA 2.2",
        result="29.4 mAP",
        pretrained="Kinetics-600",
    ),
    _clips(
        "slow-r50-4x16-k400",
        file="kinetics400/SLOWONLY_4x16_R50.pkl",
        config="kinetics/c2/slow_4x16_r50",
        clip=(4, 16),
        result="72.7 top-1, 90.3 top-5",
    ),
    _clips(
        "slow-r50-8x8-k400",
        file="kinetics400/SLOWONLY_8x8_R50.pkl",
        config="kinetics/c2/slow_8x8_r50",
        clip=(8, 8),
        result="74.8 top-1, 91.6 top-5",
    ),
    _clips(
        "slowfast-r50-4x16-k400",
        file="kinetics400/SLOWFAST_4x16_R50.pkl",
        config="kinetics/c2/slowfast_4x16_r50",
        clip=(32, 2),
        result="75.6 top-1, 92.0 top-5",
    ),
    _clips(
        "slowfast-r50-8x8-k400",
        file="kinetics400/SLOWFAST_8x8_R50.pkl",
        config="kinetics/c2/slowfast_8x8_r50",
        clip=(32, 2),
        result="77.0 top-1, 92.6 top-5",
    ),
    _clips(
        "c2d-r50-8x8-k400",
        file="kinetics400/C2D_NOPOOL_8x8_R50.pkl",
        config="kinetics/c2/c2d_nopool_8x8_r50",
        clip=(8, 8),
        result="67.2 top-1, 87.8 top-5",
    ),
    _clips(
        "i3d-r50-8x8-k400",
        file="kinetics400/I3D_8x8_R50.pkl",
        config="kinetics/c2/i3d_8x8_r50",
        clip=(8, 8),
        result="73.5 top-1, 90.8 top-5",
    ),
    _clips(
        "i3d-r50-nl-8x8-k400",
        file="kinetics400/I3D_NLN_8x8_R50.pkl",
        config="kinetics/c2/i3d_8x8_r50_nl",
        clip=(8, 8),
        result="74.0 top-1, 91.1 top-5",
    ),
    _clips(
        "slowfast-r50-8x8-k400-stepwise",
        file="Kinetics/SLOWFAST_8x8_R50_stepwise.pkl",
        folder=_MULTIGRID,
        config="kinetics/slowfast_8x8_r50_stepwise",
        clip=(32, 2),
        result="76.8 top-1, 92.7 top-5",
    ),
    _clips(
        "slowfast-r50-8x8-k400-multigrid",
        file="Kinetics/SLOWFAST_8x8_R50_stepwise_multigrid.pkl",
        folder=_MULTIGRID,
        config="kinetics/slowfast_8x8_r50_stepwise",
        clip=(32, 2),
        result="76.6 top-1, 92.7 top-5",
        settings=_GLOBAL_POOL,
    ),
    _clips(
        "slowfast-r50-16x8-ssv2",
        file="SSv2/SLOWFAST_16x8_R50.pkl",
        folder=_MULTIGRID,
        config="ssv2/slowfast_16x8_r50",
        clip=(64, 2),
        dataset="Something-Something v2",
        result="63.0 top-1, 88.5 top-5",
        pretrained="Kinetics-400",
    ),
    _clips(
        "slowfast-r50-16x8-ssv2-multigrid",
        file="SSv2/SLOWFAST_16x8_R50_multigrid.pkl",
        folder=_MULTIGRID,
        config="ssv2/slowfast_16x8_r50",
        clip=(64, 2),
        dataset="Something-Something v2",
        result="63.5 top-1, 88.7 top-5",
        pretrained="Kinetics-400",
        settings=(*_GLOBAL_POOL, "DATA.TEST_CROP_SIZE", 224),
        test_size=224,
    ),
    _clips(
        "slowfast-r50-16x8-charades",
        file="Charades/SLOWFAST_16x8_R50.pkl",
        folder=_MULTIGRID,
        config="charades/slowfast_16x8_r50",
        clip=(64, 2),
        dataset="Charades",
        result="38.9 mAP",
        pretrained="Kinetics-400",
    ),
    _clips(
        "slowfast-r50-16x8-charades-multigrid",
        file="Charades/SLOWFAST_16x8_R50_multigrid.pkl",
        folder=_MULTIGRID,
        config="charades/slowfast_16x8_r50",
        clip=(64, 2),
        dataset="Charades",
        result="38.6 mAP",
        pretrained="Kinetics-400",
        settings=_GLOBAL_POOL,
    ),
    _initial(
        "slow-r50-4x16-ava22-start",
        file="ava/pretrain/C2D_8x8_R50.pkl",
        config="ava/c2/slow_4x16_r50",
        clip=(4, 16),
        dataset="Kinetics-400",
    ),
    _initial(
        "slowfast-r101-nl-8x8-ava21-start",
        file="ava/pretrain/SLOWFAST_32x2_R101_50_50_v2.1.pkl",
        config="ava/c2/slowfast_8x8_r101_nl_ava21",
        clip=(32, 2),
        dataset="Kinetics-600",
    ),
    _initial(
        "slowfast-r101-nl-8x8-ava22-start",
        file="ava/pretrain/SLOWFAST_32x2_R101_50_50.pkl",
        config="ava/c2/slowfast_8x8_r101_nl",
        clip=(32, 2),
        dataset="Kinetics-600",
    ),
    _initial(
        "slowfast-r101-nl-16x8-ava22-start",
        file="ava/pretrain/SLOWFAST_64x2_R101_50_50.pkl",
        config="ava/c2/slowfast_16x8_r101_nl",
        clip=(64, 2),
        dataset="Kinetics-600",
    ),
    _initial(
        "r50-in1k",
        file="kinetics400/R50_IN1K.pyth",
        config="kinetics/i3d_8x8_r50_in1k",
        clip=(8, 8),
        dataset="ImageNet",
        result="76.4 top-1, 93.2 top-5",
        note="an image model; its kernels are inflated over time (--finetune)",
    ),
)
