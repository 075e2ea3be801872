"""Put the parts of a prediction together from names: weights, config, label map, person boxes."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ava_detect.config import Config, dump_config, load_config
from ava_detect.engine.device import pick_device, pick_precision
from ava_detect.engine.keyframe_clips import KeyframeClip
from ava_detect.engine.predictor import FindPeople
from ava_detect.models import SlowFast, build_model
from ava_detect.output.records import DetectorFacts, ModelFacts, classes_of
from ava_detect.weights import fetch_weights, find_weights, load_weights
from ava_detect.weights.cache import file_digest
from ava_detect.weights.zoo_entry import ZooEntry
from evaluation.errors import UsageError, WeightsError
from evaluation.label_map import LabelMap, load_label_map
from person_detector import GivenBoxes, PersonBoxes

if TYPE_CHECKING:
    from person_detector.build import DetectorChoices

log = logging.getLogger(__name__)

DownloadProgress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class ActionModel:
    """A network with everything that travels with its weights.

    Attributes:
        description: one line for people.
        facts: what the outputs say about it.
    """

    cfg: Config
    network: SlowFast
    label_map: LabelMap
    description: str
    facts: ModelFacts


@dataclass(frozen=True)
class People:
    """Where the person boxes come from.

    Attributes:
        threshold: default score below which people are dropped; None: every box counts.
    """

    find: FindPeople
    threshold: float | None
    description: str
    facts: DetectorFacts


def load_action_model(
    weights: str,
    *,
    cfg: str | None = None,
    overrides: Sequence[object] = (),
    labels: str | None = None,
    offline: bool = False,
    progress: DownloadProgress | None = None,
) -> ActionModel:
    """Find weights by name or file, build their network and fill it.

    Args:
        weights: name of the zoo, or a file.
        cfg: config for a file that brings none; it also replaces the one that the weights bring.
        overrides: KEY, value, ... on top of the config.
        labels: label map, by name or file, instead of the one that the weights bring.
        offline: fail rather than download.
        progress: called with (bytes done, bytes in all) during a download.

    Raises:
        WeightsError: no such weights, or they do not fit the config or the label map.
        ConfigError: the config or an override is not possible.
        UsageError: the weights do not score people in boxes.
    """
    entry = find_weights(weights, kind="actions")
    config = load_config(cfg, list(overrides)) if cfg else entry.load_config(list(overrides))
    if not config.DETECTION.ENABLE:
        raise UsageError(
            f"{weights}: classifies whole clips; predict needs a model that scores people in boxes",
            hint="See: ava-detect models list",
        )
    label_map = _labels(entry, config, labels)
    network = build_model(config)
    path = fetch_weights(entry, offline=offline, progress=progress)
    report = load_weights(network, path)
    log.debug("%s: %s", path, report.summary())
    result = f" ({entry.result} as published)" if entry.result else ""
    note = f"\n         {entry.note}" if entry.note else ""
    facts = ModelFacts(
        name=entry.name,
        weights_sha256=file_digest(path, "sha256"),
        config_sha256=hashlib.sha256(dump_config(config).encode()).hexdigest(),
        label_map=label_map.source,
        classes=classes_of(label_map),
        caveat=entry.caveat,
    )
    return ActionModel(
        config, network, label_map, f"{entry.name}, {len(label_map)} classes{result}{note}", facts
    )


def _labels(entry: ZooEntry, config: Config, labels: str | None) -> LabelMap:
    """The label map asked for, else the one of the weights, else all of AVA's classes if there are 80."""
    label_map = load_label_map(labels) if labels else entry.load_labels()
    if label_map is None:
        label_map = load_label_map("v2.2-80")
    if len(label_map) != config.MODEL.NUM_CLASSES:
        raise WeightsError(
            f"{entry.name}: the head has {config.MODEL.NUM_CLASSES} classes, the label map {label_map.source}"
            f" has {len(label_map)}",
            hint="Pass the label map it was trained with: --labels FILE",
        )
    return label_map


def people_from_file(path: Path, *, time_offset: float = 0.0) -> People:
    """Take person boxes from an AVA-style CSV; every box counts, and Detectron2 is not needed.

    Args:
        path: video_id,timestamp,x1,y1,x2,y2[,action_id[,score]]; boxes in [0, 1].
        time_offset: what the file's times have more than the video's, seconds.

    Raises:
        DataError: the file cannot be read, or a score is not in [0, 1].
    """
    given = GivenBoxes.read(path)

    def find(video_id: str, clips: Sequence[KeyframeClip]) -> list[PersonBoxes]:
        sizes = [clip.image.shape[:2] for clip in clips]
        return [
            given.at(video_id, clip.time + time_offset, width, height)
            for clip, (height, width) in zip(clips, sizes, strict=True)
        ]

    facts = DetectorFacts("file", str(path), file_digest(path, "sha256"))
    return People(find, None, f"boxes from {path}", facts)


def people_from_detector(
    weights: str,
    *,
    threshold: float | None = None,
    device: str = "auto",
    precision: str = "auto",
    offline: bool = False,
    progress: DownloadProgress | None = None,
    **choices: Unpack[DetectorChoices],
) -> People:
    """Find people with a Detectron2 person detector.

    Args:
        weights: name of the zoo, or a file.
        threshold: score below which people will be dropped; None: the detector's own.
        device, precision: see ``pick_device`` and ``pick_precision``.
        offline, progress: as in ``load_action_model``.
        choices: see ``build_person_detector``.

    Raises:
        MissingDependencyError: Detectron2 is not installed.
        WeightsError: no such weights, or they do not fit.
        ConfigError: the configuration cannot be used, or nobody says which class is the person.
    """
    from person_detector.build import build_person_detector
    from person_detector.detectron2_import import require_detectron2

    require_detectron2()  # before anything is downloaded
    entry = find_weights(weights, kind="persons")
    path = fetch_weights(entry, offline=offline, progress=progress)
    place = pick_device(device)
    detector = build_person_detector(
        entry,
        device=place,
        threshold=threshold,
        precision=pick_precision(precision, place),
        **choices,
    )
    return People(
        # All that is found, so that the user learns how sure the surest person below the threshold was.
        lambda _, clips: detector.detect_batch([clip.image for clip in clips], threshold=0.0),
        detector.threshold,
        _described(entry.name, choices),
        DetectorFacts(
            "detector", entry.name, file_digest(path, "sha256"), entry.caveat, **asdict(detector.form)
        ),
    )


def _described(name: str, choices: DetectorChoices) -> str:
    """Say which detector it is, and what of its looks was chosen."""
    words = [name]
    if choices.get("mode", "exact") != "exact":
        words.append(choices["mode"])
    if proposals := choices.get("proposals"):
        words.append(f"{proposals:,} proposals")
    if short_side := choices.get("short_side"):
        words.append(f"short side {short_side}")
    return ", ".join(words)
