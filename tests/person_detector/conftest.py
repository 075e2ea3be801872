"""Shared by the detector's tests: real detectors with weights of the recipe, and a picture to look at."""

import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

WriteZooFile = Callable[..., Path]
Change = Callable[[dict[str, np.ndarray]], None]


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """A [120, 200, 3] BGR picture with structure at several scales."""
    rng = np.random.default_rng(3)
    layers = [
        cv2.resize(rng.integers(0, 256, size, np.uint8), (200, 120), interpolation=cv2.INTER_CUBIC).astype(
            float
        )
        for size in ((3, 5, 3), (12, 20, 3), (60, 100, 3))
    ]
    return np.clip(0.5 * layers[0] + 0.3 * layers[1] + 0.2 * layers[2], 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def write_zoo_file(tmp_path_factory: pytest.TempPathFactory) -> WriteZooFile:
    """Write a checkpoint in the layout of Detectron2's model zoo and return its path.

    The function takes the name of a configuration, and as keywords: ``classes``, their number; ``keypoints``,
    whether the model has a keypoint head; ``change``, called with the arrays by name before they are written;
    ``seed`` of the recipe.
    """
    from detectron2.modeling import build_model

    from person_detector.architecture import load_detector_config
    from person_detector.recipe import fill_detector

    def write(
        config: str,
        *,
        classes: int | None = None,
        keypoints: bool = False,
        change: Change | None = None,
        seed: int = 0,
    ) -> Path:
        cfg = load_detector_config(config)
        cfg.MODEL.DEVICE = "cpu"
        cfg.MODEL.KEYPOINT_ON = keypoints
        cfg.MODEL.ROI_HEADS.NUM_CLASSES = classes or cfg.MODEL.ROI_HEADS.NUM_CLASSES
        model = build_model(cfg)
        fill_detector(model, seed=seed)
        weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
        for level, anchors in enumerate(model.proposal_generator.anchor_generator.cell_anchors):
            weights[f"proposal_generator.anchor_generator.cell_anchors.{level}"] = anchors.numpy()
        if change is not None:
            change(weights)
        path = tmp_path_factory.mktemp("zoo") / "model_final.pkl"
        path.write_bytes(pickle.dumps({"model": weights, "__author__": "the test"}, protocol=2))
        return path

    return write


@pytest.fixture(scope="session")
def small_weights(write_zoo_file: WriteZooFile) -> Path:
    """The small detector of one class, with a seed that gives scores from nearly 0 to nearly 1."""
    return write_zoo_file("faster_rcnn_r18_half_fpn", seed=23)
