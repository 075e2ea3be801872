"""Train and score the person detector: settings, pictures, run folder, and the files that come out."""

from __future__ import annotations

import logging
import math
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ava_detect import __version__
from ava_detect.engine.detector_pictures import ava_section, test_pictures, training_pictures
from ava_detect.weights import fetch_weights, find_weights
from ava_detect.weights.detector_format import DetectorRecord, save_detector
from ava_detect.weights.safe_read import read_detector_checkpoint
from evaluation.atomic import atomic_path
from evaluation.errors import ConfigError, DataError, UsageError, VideoError
from evaluation.person_boxes import PersonBoxAP
from person_detector.detectron2_import import require_detectron2

if TYPE_CHECKING:
    import torch
    from detectron2.config import CfgNode
    from torch import nn

    from ava_detect.engine.distributed import Process
    from person_detector.boxes import PersonBoxes
    from person_detector.detector import PersonDetector
    from person_detector.training.pictures import PictureSet

logger = logging.getLogger(__name__)

LAST, BEST = "last.safetensors", "best.safetensors"
_DETECTRON2_WEIGHTS = "detectron2://"
_DETECTRON2_URL = "https://dl.fbaipublicfiles.com/detectron2/"
_NO_SCORE_THRESHOLD = 0.7


def load_detector_settings(name_or_path: str | Path, overrides: Sequence[str] = ()) -> CfgNode:
    """Return the configuration of a training, changed by ``KEY VALUE`` pairs and checked.

    Args:
        name_or_path: a YAML file, a name of ``configs/person_detector`` or of Detectron2's model zoo.
        overrides: a flat list of keys and values.

    Raises:
        MissingDependencyError: Detectron2 is not installed.
        ConfigError: there is no such configuration or key, or a value cannot be used.
    """
    require_detectron2()
    from person_detector.architecture import load_training_config
    from person_detector.settings import check_settings, override

    cfg = load_training_config(name_or_path)
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = 1  # the zoo's configurations are for COCO's 80
    override(cfg, overrides)
    check_settings(cfg)
    ava_section(cfg)
    return cfg


@dataclass(frozen=True)
class DetectorRun:
    """What a training is made of, before its first step.

    Attributes:
        cfg: the settings.
        training, validation: pictures.
        model: with the weights to begin with.
        start: what became of these weights, in a line.
        folder: of the run.
        resume: go on from the folder's last checkpoint.
    """

    cfg: CfgNode
    training: PictureSet
    validation: PictureSet | None
    model: nn.Module
    start: str
    folder: Path
    resume: bool


def prepare_run(cfg: CfgNode, process: Process, folder: Path, *, resume: bool) -> DetectorRun:
    """Read the data, build the model, and make the run folder in the first process.

    Raises:
        UsageError: the folder is there and it is not resumed, or the other way round.
        ConfigError, DataError, WeightsError: what the settings name cannot be used.
    """
    _check_folder(folder, process, resume=resume)
    training, validation = training_pictures(cfg), test_pictures(cfg)
    model, start = build_start_model(cfg, process.device)
    if process.is_first:
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        _write(folder / "config.yaml", cfg.dump())
        with (folder / "command.txt").open("a", encoding="utf-8") as file:
            file.write(f"{shlex.join(sys.argv)}\nava-detect {__version__}\n")
    process.barrier()
    return DetectorRun(cfg, training, validation, model, start, folder, resume)


def build_start_model(cfg: CfgNode, device: torch.device) -> tuple[nn.Module, str]:
    """Build the model with the weights of ``MODEL.WEIGHTS``; say in a line what became of them.

    Raises:
        WeightsError: there are no such weights, they are unsafe or damaged, or they do not fit.
    """
    from person_detector.training.run import new_model
    from person_detector.training.start import begin_with

    model = new_model(cfg, device)
    name = cfg.MODEL.WEIGHTS
    if not name:
        return model, "from random numbers"
    if name.startswith(_DETECTRON2_WEIGHTS):
        name = _DETECTRON2_URL + name.removeprefix(_DETECTRON2_WEIGHTS)
    entry = find_weights(name, kind="persons")
    tensors = read_detector_checkpoint(fetch_weights(entry))
    person = entry.persons.person_class if entry.persons else None
    report = begin_with(model, tensors, entry.name, person_class=person)
    return model, f"{entry.name}: {report.summary()}"


def run_training(
    run: DetectorRun, *, stopped: Callable[[], bool] = lambda: False, half: bool = False
) -> PersonBoxAP | None:
    """Train, score now and then, and write ``last.safetensors`` and ``best.safetensors``.

    Args:
        run: from :func:`prepare_run`.
        stopped: whether to stop; asked after every step.
        half: write the weights in half precision, which halves the files.

    Returns:
        The last score, in the first process, if there are pictures to score on.

    Raises:
        DataError: pictures cannot be read, or the training has diverged.
        WeightsError: the checkpoint to resume from cannot be used.
        KeyboardInterrupt: it was stopped.
    """
    from detectron2.utils import comm

    from person_detector.training.run import train

    def keep(model: nn.Module, score: PersonBoxAP, is_best: bool) -> None:
        if is_best:
            export(model, run.folder / BEST, run.cfg, score, half=half)

    trained = train(
        run.model, run.cfg, run.training,
        folder=run.folder, validation=run.validation, resume=run.resume, stopped=stopped, keep=keep,
    )  # fmt: skip
    if comm.is_main_process():
        export(trained.model, run.folder / LAST, run.cfg, trained.score, half=half)
    return trained.score


def export(
    model: nn.Module, path: Path, cfg: CfgNode, score: PersonBoxAP | None, *, half: bool = False
) -> None:
    """Write a detector as ``--detector-weights`` takes it.

    The threshold in it is the best one (``PersonBoxAP.best_threshold``) on the pictures scored on.

    Raises:
        WeightsError: the file cannot be written.
    """
    import torch

    from person_detector.settings import changed_settings

    threshold, result = _NO_SCORE_THRESHOLD, ""
    if score is not None:
        result = f"AP {100 * score.ap:.1f}, AP50 {100 * score.ap50:.1f} on {score.num_images:,} pictures"
        threshold = round(score.best_threshold, 2) if math.isfinite(score.best_threshold) else threshold
    save_detector(
        model.state_dict(),
        path,
        DetectorRecord(
            changed_settings(cfg), score_threshold=threshold, result=result, source="trained by ava-detect"
        ),
        dtype=torch.float16 if half else torch.float32,
    )  # fmt: skip


def score_detector(
    detector: PersonDetector,
    cfg: CfgNode,
    process: Process,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> PersonBoxAP | None:
    """Score a detector on the pictures that a configuration says to test on, all processes together.

    Args:
        detector: to score, with every box that its network gives.
        cfg: says where the pictures are.
        process: this one.
        progress: called with the pictures done and all of this process.

    Returns:
        The numbers, in the first process; None in the others.

    Raises:
        ConfigError: there are no pictures to test on.
        DataError: a picture cannot be read, or nobody is on them.
    """
    from person_detector.training.scoring import find_people, score_boxes

    pictures = test_pictures(cfg)
    if pictures is None:
        raise ConfigError(
            "no pictures to test on: AVA.GROUNDTRUTH_FILE and COCO.TEST_JSON are empty",
            hint="Set one of them, for example: AVA.GROUNDTRUTH_FILE val.csv",
        )
    for note in pictures.notes if process.is_first else ():
        logger.warning("%s", note)
    share = len(range(process.rank, len(pictures), process.world))
    tell = None if progress is None else lambda done: progress(done, share)
    mine: dict[int, PersonBoxes] | str
    try:
        mine = find_people(detector, pictures, progress=tell)
    except (VideoError, DataError) as error:
        mine = str(error)
    parts = process.gather(mine)  # before anything is raised: the others wait here
    failed = [part for part in parts if isinstance(part, str)]
    if failed:
        raise DataError(f"{failed[0]} (a picture to be scored)")
    if not process.is_first:
        return None
    found = {place: people for part in parts if not isinstance(part, str) for place, people in part.items()}
    return score_boxes(found, pictures)


def score_as_json(score: PersonBoxAP) -> dict[str, Any]:  # Any: numbers, and None for what cannot be said
    """Return the numbers of a score; NaN, which JSON lacks, becomes None."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in asdict(score).items()
    }


def _check_folder(folder: Path, process: Process, *, resume: bool) -> None:
    there = process.from_first((folder / "config.yaml").exists())
    checkpointed = process.from_first((folder / "checkpoints" / "last_checkpoint").exists())
    if resume and not checkpointed:
        raise UsageError(f"{folder}: no checkpoint to resume from", hint="Begin without --resume.")
    if there and not resume:
        raise UsageError(
            f"{folder} holds a training already",
            hint="Go on with it (--resume), or choose another --run-name.",
        )


def _write(path: Path, text: str) -> None:
    try:
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from error
