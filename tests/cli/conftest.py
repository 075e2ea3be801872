"""Weights and boxes on disk, as a user has them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ava_detect.config import Config
from ava_detect.weights import save_weights
from evaluation.label_map import LabelMap

SIX = LabelMap(
    ids=(1, 5, 12, 17, 64, 80),
    names=("bend", "fall down", "stand", "carry", "talk to", "watch (a person)"),
    groups=("pose", "pose", "pose", "object", "person", "person"),
    source="six classes",
)


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory, tiny_cfg: Config, tiny_model) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(tiny_model, path, config=tiny_cfg, label_map=SIX)
    return path


@pytest.fixture
def make_boxes(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes two people for each second of a video."""

    def make(video_ids: Sequence[str] = ("video",), *, seconds: int = 10, name: str = "boxes.csv") -> Path:
        path = tmp_path / name
        path.write_text(
            "".join(
                f"{video_id},{second:04d},{box},,0.9\n"
                for video_id in video_ids
                for second in range(seconds)
                for box in ("0.1,0.1,0.5,0.9", "0.4,0.2,0.95,0.99")
            )
        )
        return path

    return make
