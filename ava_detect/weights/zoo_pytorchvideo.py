"""The weights that pytorchvideo published: its docs/source/model_zoo.md.

No digest is published. The classification models give logits, averaged over positions, and no probabilities.
The Kinetics and Something-Something files are there a second time, for PySlowFast, under pysf_model_zoo/ with
``model.`` before each name; they read the same.
"""

from ava_detect.weights.zoo_entry import ActionForm, ZooEntry

_ZOO = "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/"
_LICENCE = "Apache-2.0 (the repository's; none is stated for the files)"
_MEAN, _STD = (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)
_LOGITS = ("MODEL.HEAD_ACT", "none")  # PySlowFast's configuration of the same network has a softmax
_NUM_CLASSES = {"Kinetics-400": 400, "Charades": 157, "Something-Something v2": 174}


def _actions(name: str, *, file: str, config: str, clip: tuple[int, int], result: str) -> ZooEntry:
    """Make the record of an AVA model; ``clip`` is number of frames and sampling rate."""
    return ZooEntry(
        name=name,
        kind="actions",
        publisher="pytorchvideo",
        url=_ZOO + file,
        config=config,
        label_map="v2.2-80",
        dataset="AVA 2.2",
        pretrained="Kinetics-400",
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
    settings: tuple[object, ...] = (),
) -> ZooEntry:
    """Make the record of a model of whole clips."""
    return ZooEntry(
        name=name,
        kind="clips",
        publisher="pytorchvideo",
        url=_ZOO + file,
        config=config,
        settings=settings,
        dataset=dataset,
        pretrained="" if dataset == "Kinetics-400" else "Kinetics-400",
        result=result,
        licence=_LICENCE,
        action=ActionForm(_NUM_CLASSES[dataset], *clip, _MEAN, _STD, 256, "logits"),
    )


PYTORCHVIDEO = (
    _actions(
        "ptv-slow-r50-4x16-ava22",
        file="ava/SLOW_4x16_R50_DETECTION.pyth",
        config="ava/pytorchvideo/slow_4x16_r50",
        clip=(4, 16),
        result="19.5 mAP",
    ),
    _actions(
        "ptv-slowfast-r50-8x8-ava22",
        file="ava/SLOWFAST_8x8_R50_DETECTION.pyth",
        config="ava/pytorchvideo/slowfast_8x8_r50",
        clip=(32, 2),
        result="24.67 mAP",
    ),
    _clips(
        "ptv-slow-r50-4x16-k400",
        file="kinetics/SLOW_4x16_R50.pyth",
        config="kinetics/pytorchvideo/slow_4x16_r50",
        clip=(4, 16),
        result="72.40 top-1, 90.18 top-5",
    ),
    _clips(
        "ptv-slow-r50-8x8-k400",
        file="kinetics/SLOW_8x8_R50.pyth",
        config="kinetics/pytorchvideo/slow_8x8_r50",
        clip=(8, 8),
        result="74.58 top-1, 91.63 top-5",
    ),
    _clips(
        "ptv-slowfast-r50-4x16-k400",
        file="kinetics/SLOWFAST_4x16_R50.pyth",
        config="kinetics/pytorchvideo/slowfast_4x16_r50",
        clip=(32, 2),
        result="75.34 top-1, 91.89 top-5",
    ),
    _clips(
        "ptv-slowfast-r50-8x8-k400",
        file="kinetics/SLOWFAST_8x8_R50.pyth",
        config="kinetics/pytorchvideo/slowfast_8x8_r50",
        clip=(32, 2),
        result="76.94 top-1, 92.69 top-5",
    ),
    _clips(
        "ptv-slowfast-r101-8x8-k400",
        file="kinetics/SLOWFAST_8x8_R101.pyth",
        config="kinetics/pytorchvideo/slowfast_8x8_r101",
        clip=(32, 2),
        result="77.90 top-1, 93.27 top-5",
    ),
    _clips(
        "ptv-slowfast-r101-16x8-k400",
        file="kinetics/SLOWFAST_16x8_R101_50_50.pyth",
        config="kinetics/pytorchvideo/slowfast_16x8_r101_50_50",
        clip=(64, 2),
        result="78.70 top-1, 93.61 top-5",
    ),
    _clips(
        "ptv-c2d-r50-8x8-k400",
        file="kinetics/C2D_8x8_R50.pyth",
        config="kinetics/ptv/c2d_8x8_r50",
        settings=_LOGITS,
        clip=(8, 8),
        result="71.46 top-1, 89.68 top-5",
    ),
    _clips(
        "ptv-i3d-r50-8x8-k400",
        file="kinetics/I3D_8x8_R50.pyth",
        config="kinetics/ptv/i3d_8x8_r50",
        settings=_LOGITS,
        clip=(8, 8),
        result="73.27 top-1, 90.70 top-5",
    ),
    _clips(
        "ptv-slow-r50-8x8-charades",
        file="charades/SLOW_8x8_R50.pyth",
        config="charades/pytorchvideo/slow_8x8_r50",
        clip=(8, 8),
        dataset="Charades",
        result="34.72 mAP",
    ),
    _clips(
        "ptv-slowfast-r50-8x8-charades",
        file="charades/SLOWFAST_8x8_R50.pyth",
        config="charades/pytorchvideo/slowfast_8x8_r50",
        clip=(32, 2),
        dataset="Charades",
        result="37.24 mAP",
    ),
    _clips(
        "ptv-slow-r50-8x8-ssv2",
        file="ssv2/SLOW_8x8_R50.pyth",
        config="ssv2/pytorchvideo/slow_8x8_r50",
        clip=(8, 8),
        dataset="Something-Something v2",
        result="60.04 top-1, 85.19 top-5",
    ),
    _clips(
        "ptv-slowfast-r50-8x8-ssv2",
        file="ssv2/SLOWFAST_8x8_R50.pyth",
        config="ssv2/pytorchvideo/slowfast_8x8_r50",
        clip=(32, 2),
        dataset="Something-Something v2",
        result="61.68 top-1, 86.92 top-5",
    ),
)
