"""The record of a weights file: all that has to travel with the weights to get the published numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

from ava_detect.config import Config, load_config, parse_config, replace
from evaluation.errors import WeightsError
from evaluation.label_map import LabelMap, load_label_map

Kind = Literal["actions", "clips", "initial", "persons", "unknown"]
"""What weights do: score actions of people in boxes, classify whole clips, begin a training, find people."""

Output = Literal["sigmoid", "softmax", "logits"]


@dataclass(frozen=True)
class ActionForm:
    """How an action or clip model has to be fed, and how its output reads.

    Attributes:
        num_classes: K; ids count from 1: column c of the output is the label map's class c + 1.
        num_frames: T of the fastest pathway.
        sampling_rate: distance of these frames, in frames at 30 per second.
        mean, std: of RGB values in [0, 1]: one number for all channels, or one each.
        test_size: short side of the test picture, pixels.
        output: "sigmoid" and "softmax" are probabilities, "logits" are not.
        roi_resolution: side of the RoIAlign grid; 0 for a model without boxes.
        aligned: RoIAlign's half-cell shift.
        background_row: the file's classifier has K + 1 rows, of which the first was never trained.
    """

    num_classes: int
    num_frames: int
    sampling_rate: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    test_size: int
    output: Output
    roi_resolution: int = 0
    aligned: bool = False
    background_row: bool = False


def form_of(config: Config) -> ActionForm:
    """Return what a configuration says about input and output."""
    detection, data = config.DETECTION, config.DATA
    outputs: dict[str, Output] = {"sigmoid": "sigmoid", "softmax": "softmax", "none": "logits"}
    return ActionForm(
        num_classes=config.MODEL.NUM_CLASSES,
        num_frames=data.NUM_FRAMES,
        sampling_rate=data.SAMPLING_RATE,
        mean=_three(data.MEAN),
        std=_three(data.STD),
        test_size=data.TEST_CROP_SIZE,
        output=outputs[config.MODEL.HEAD_ACT],
        roi_resolution=detection.ROI_XFORM_RESOLUTION if detection.ENABLE else 0,
        aligned=detection.ENABLE and detection.ALIGNED,
        background_row=detection.ENABLE and detection.BACKGROUND_COLUMN,
    )


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = values if len(values) == 3 else (values[0],) * 3
    return red, green, blue


@dataclass(frozen=True)
class DetectorForm:
    """What the boxes of a person detector mean.

    Attributes:
        detectron2_config: name of the configuration that describes the network, of Detectron2's model zoo.
        classes: the detector's classes, in the order of its scores.
        person_class: index of the class that counts.
        score_threshold: people below it are dropped unless the user says otherwise.
        enclosed_config: the configuration as YAML text, of a file that brings its own.
    """

    detectron2_config: str
    classes: tuple[str, ...]
    person_class: int
    score_threshold: float
    enclosed_config: str = field(default="", repr=False)


@dataclass(frozen=True)
class ZooEntry:
    """One weights file: where it is, what it holds, what goes with it.

    Attributes:
        name: what ``--weights`` takes.
        kind: see ``Kind``.
        publisher: "PySlowFast", "pytorchvideo", "mmaction2", "Detectron2", "ava-detect".
        url: where it is downloaded from; "" for a file of the user's.
        digest: start of the published digest, "sha256:39133ec7" or "md5:280758"; "" where none is published.
        config: name of the packaged configuration; "" for a file that carries its own, or none.
        settings: overrides of that configuration, ["KEY", value, ...].
        label_map: built-in name of the classes ("v2.2-80"); "" where the project has none.
        dataset: what it was trained on, and the result measured on.
        pretrained: what its training began with.
        result: the published accuracy, in per cent.
        licence: of the weights.
        note: what else a user should know.
        caveat: what results of these weights must not be taken for; said whenever they are used.
        action: input and output of an action or clip model.
        persons: classes of a person detector.
        path: the file, if it is one of the user's or packaged.
        enclosed_config, enclosed_labels: what a file of ours has inside.
    """

    name: str
    kind: Kind
    publisher: str = ""
    url: str = ""
    digest: str = ""
    config: str = ""
    settings: tuple[object, ...] = ()
    label_map: str = ""
    dataset: str = ""
    pretrained: str = ""
    result: str = ""
    licence: str = ""
    note: str = ""
    caveat: str = ""
    action: ActionForm | None = None
    persons: DetectorForm | None = None
    path: Path | None = None
    enclosed_config: Config | None = field(default=None, repr=False)
    enclosed_labels: LabelMap | None = field(default=None, repr=False)

    @property
    def file_name(self) -> str:
        """The name of the file in the cache."""
        return self.name + PurePosixPath(urlsplit(self.url).path).suffix

    def load_config(self, overrides: Sequence[object] = ()) -> Config:
        """Return the configuration that these weights were trained with.

        Args:
            overrides: further settings, ["KEY", value, ...].

        Raises:
            WeightsError: none travels with this file; the user has to name one.
            ConfigError: an override is not possible.
        """
        if self.enclosed_config is not None:
            return replace(self.enclosed_config, overrides)
        if not self.config and self.path is not None:
            return _config_in_file(self.path, overrides)
        if not self.config:
            raise _no_config(self.name)
        return load_config(self.config, [*self.settings, *overrides])

    def load_labels(self) -> LabelMap | None:
        """Return the classes in the order of the scores, None where nobody says what they are."""
        if self.enclosed_labels is not None:
            return self.enclosed_labels
        return load_label_map(self.label_map) if self.label_map else None


def _config_in_file(path: Path, overrides: Sequence[object]) -> Config:
    """Return the configuration that PySlowFast puts into the files of its own trainings, as YAML text."""
    from ava_detect.weights.safe_read import read_checkpoint

    text = read_checkpoint(path).entries.get("cfg")
    if not isinstance(text, str) or "MODEL:" not in text:
        raise _no_config(str(path))
    return parse_config(text, f"{path} (cfg inside)", overrides)


def _no_config(name: str) -> WeightsError:
    return WeightsError(
        f"{name}: the configuration that goes with these weights is not known.",
        hint="Give the one they were trained with: --cfg FILE or --cfg NAME (ava-detect config list).",
    )
