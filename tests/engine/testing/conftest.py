"""A small real test set: three short videos, people on them, a small real network and its weights."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from ava_detect.config import Config, parse_config, replace
from ava_detect.engine.distributed import Process
from ava_detect.models import build_model
from ava_detect.weights import save_weights
from evaluation.label_map import load_label_map
from tests.video.encoding import Encode, encode

LABEL_MAP = 'item { name: "stand" id: 1 }\nitem { name: "wave" id: 2 }\nitem { name: "fall" id: 5 }\n'
VIDEOS = {
    "one.mp4": Encode(numbers=range(100)),  # 4 s, 160 x 96, 25 fps
    "two.mkv": Encode(numbers=range(100, 200), size=(96, 160)),
    "three.mp4": Encode(numbers=range(200, 320), fps=Fraction(30000, 1001), options={"g": "12", "bf": "2"}),
}
LEFT, RIGHT, WHOLE = "0.100000,0.200000,0.500000,0.900000", "0.5,0.1,0.9,0.8", "0,0,1,1"
TRUTH = [
    f"{video},{second},{box},{action},{person}"
    for video, second, box, action, person in [
        ("one", "0000", LEFT, 1, 0), ("one", "0000", LEFT, 2, 0), ("one", "0001", LEFT, 1, 0),
        ("one", "0001", RIGHT, 5, 1), ("one", "0002", RIGHT, 1, 1), ("one", "0003", WHOLE, 2, 0),
        ("two", "0.5", WHOLE, 2, 0), ("two", "1.5", LEFT, 5, 0), ("two", "2", LEFT, 1, 0),
        ("three", "0000", RIGHT, 2, 0), ("three", "0001", LEFT, 1, 0), ("three", "0001", LEFT, 5, 0),
        ("three", "0002", LEFT, 1, 0), ("three", "0003", WHOLE, 5, 0),
    ]
]  # fmt: skip
BOXES = [
    *(f"one,{second},0.12,0.2,0.5,0.9,,0.95" for second in range(4)),
    *(f"one,{second},0.5,0.1,0.92,0.8,,0.9" for second in range(3)),
    "one,1,0.3,0.3,0.4,0.4,,0.5",  # below the threshold
    *(f"two,{second},0,0,1,1,,0.99" for second in ("0.5", "1.5", "2")),
    *(f"three,{second},0.1,0.2,0.55,0.9,,0.93" for second in range(4)),
]
MODEL = """
MODEL: {ARCH: slowfast, NUM_CLASSES: 3, HEAD_ACT: sigmoid}
RESNET: {DEPTH: 18, WIDTH_PER_GROUP: 8, TRANS_FUNC: basic_transform,
  SPATIAL_STRIDES: [[1], [2], [2], [1]], SPATIAL_DILATIONS: [[1], [1], [1], [2]]}
DETECTION: {ENABLE: true}
DATA: {NUM_FRAMES: 8, SAMPLING_RATE: 2, TEST_CROP_SIZE: 64}
SLOWFAST: {ALPHA: 4, BETA_INV: 4, FUSION_KERNEL_SZ: 5}
AVA: {START_SECOND: 0, VALID_SECONDS: auto, LABEL_MAP_FILE: labels.pbtxt, GROUNDTRUTH_FILE: truth.csv,
  TEST_PREDICT_BOX_LISTS: [boxes.csv], FULL_TEST_ON_VAL: true}
DATA_LOADER: {NUM_WORKERS: 0}
TEST: {DATASET: ava}
"""


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``videos/``, ``truth.csv``, ``boxes.csv`` and ``labels.pbtxt``; do not change it."""
    folder = tmp_path_factory.mktemp("small_set")
    (folder / "videos").mkdir()
    for name, job in VIDEOS.items():
        encode(folder / "videos" / name, job)
    (folder / "labels.pbtxt").write_text(LABEL_MAP)
    (folder / "truth.csv").write_text("".join(f"{row}\n" for row in TRUTH))
    (folder / "boxes.csv").write_text("".join(f"{row}\n" for row in BOXES))
    return folder


@pytest.fixture(scope="session")
def small_cfg(small_set: Path) -> Config:
    """Tests the small network on the detected boxes of the small set."""
    return replace(
        parse_config(MODEL, "small"),
        ["AVA.VIDEO_DIR", str(small_set / "videos"), "AVA.ANNOTATION_DIR", str(small_set)],
    )


@pytest.fixture(scope="session")
def small_model(small_cfg: Config) -> torch.nn.Module:
    """A network whose scores differ from person to person, in evaluation mode; do not change it."""
    torch.manual_seed(0)
    model = build_model(small_cfg).eval()
    with torch.no_grad():
        model.head.projection.weight.mul_(100)
    return model


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory: pytest.TempPathFactory, small_cfg, small_model, small_set) -> Path:
    """A file as a training leaves it: weights, configuration, label map."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_weights(small_model, path, config=small_cfg, label_map=load_label_map(small_set / "labels.pbtxt"))
    return path


@pytest.fixture
def alone() -> Process:
    """The only process, on the CPU."""
    return Process(rank=0, world=1, local_rank=0, local_world=1, device=torch.device("cpu"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep indices of videos out of the user's cache."""
    monkeypatch.setenv("AVA_DETECT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def run_test(small_weights: Path, monkeypatch, tmp_path) -> Callable[..., int]:
    """Return a function that runs ``ava-detect test`` on the small set, in an empty folder."""
    from ava_detect.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*words: str, weights: str | Path = small_weights, out: str = "out") -> int:
        given = ["--weights", str(weights), "--out", out, "--backend", "torch", "--no-progress"]
        return main(["test", *words, *given])

    return run
