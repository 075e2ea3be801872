"""A small set of real videos, a small network, and runs on them in this process."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ava_detect.config import Config, parse_config
from ava_detect.data.build import build_training_set
from ava_detect.data.clip_dataset import ClipKey, collate
from ava_detect.engine.distributed import Process
from ava_detect.engine.interruption import Interruption
from ava_detect.engine.training.assembly import Start
from ava_detect.engine.training.loss import BoxLoss
from ava_detect.engine.training.network import TrainingNetwork
from ava_detect.engine.training.optimizer import Clipping, build_optimizer
from ava_detect.engine.training.session import Outcome, Request, Watch, run_training
from ava_detect.engine.training.step import OptimizerStep
from ava_detect.models import build_model
from ava_detect.weights.recipe import fill
from ava_detect.weights.safe_read import read_checkpoint

LABEL_MAP = 'item { name: "stand" id: 1 }\nitem { name: "wave" id: 2 }\nitem { name: "fall" id: 3 }\n'
BOXES = ("0.1,0.1,0.5,0.9", "0.4,0.2,0.95,0.99")

SETTINGS = """
MODEL: {ARCH: slowfast, NUM_CLASSES: 3, LOSS_FUNC: bce, HEAD_ACT: sigmoid, DROPOUT_RATE: 0.5}
RESNET: {DEPTH: 18, WIDTH_PER_GROUP: 8, SPATIAL_STRIDES: [1, 2, 2, 1], SPATIAL_DILATIONS: [1, 1, 1, 2]}
SLOWFAST: {ALPHA: 4, BETA_INV: 4, FUSION_KERNEL_SZ: 5}
DETECTION: {ENABLE: true}
DATA: {NUM_FRAMES: 4, SAMPLING_RATE: 2, TRAIN_JITTER_SCALES: [36, 40], TRAIN_CROP_SIZE: 32,
  TEST_CROP_SIZE: 32}
SOLVER: {BASE_LR: 0.05, MAX_EPOCH: 2, WARMUP_EPOCHS: 1, WEIGHT_DECAY: 0.0001}
AVA: {START_SECOND: 0, VALID_SECONDS: auto, TRAIN_GT_BOX_LISTS: [train.csv], GROUNDTRUTH_FILE: "",
  TEST_GT_BOXES: true, LABEL_MAP_FILE: labels.pbtxt}
TRAIN: {DATASET: ava, BATCH_SIZE: 4, CHECKPOINT_PERIOD: 1, EVAL_PERIOD: 1, KEEP_CHECKPOINTS: 0}
DATA_LOADER: {NUM_WORKERS: 0}
LOG_PERIOD: 1
"""

Settings = dict[str, object]
Train = Callable[..., Outcome]


def rows(video: str, *, quarters: range) -> str:
    """Return annotations of one or two people at every quarter of a second; who does what is arbitrary."""
    lines = []
    for quarter in quarters:
        for person, box in enumerate(BOXES[: 1 + quarter % 2]):
            lines.append(f"{video},{quarter / 4},{box},{1 + (quarter + person) % 3},{person}\n")
    return "".join(lines)


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory, encode_video) -> Path:
    """A folder with two videos of 3 s, 20 keyframes for training, 6 for testing, a label map."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "videos").mkdir()
    for name in ("one", "two"):
        encode_video(folder / "videos" / f"{name}.mp4", size=(48, 64))
    whole = range(1, 11)
    (folder / "train.csv").write_text(rows("one", quarters=whole) + rows("two", quarters=whole))
    (folder / "val.csv").write_text(rows("one", quarters=range(2, 8)))
    (folder / "labels.pbtxt").write_text(LABEL_MAP)
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep indices of videos out of the user's cache."""
    monkeypatch.setenv("AVA_DETECT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def torch_as_it_was():
    """Training chooses torch's algorithms for the whole process; give them back."""
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def config_file(small_set: Path, tmp_path: Path) -> Path:
    """The settings of the small set as a file."""
    path = tmp_path / "small.yaml"
    text = SETTINGS.replace(
        "AVA: {", f"AVA: {{VIDEO_DIR: {small_set / 'videos'}, ANNOTATION_DIR: {small_set}, "
    )
    path.write_text(f"{text}OUTPUT_DIR: {tmp_path / 'runs'}\n")
    return path


@pytest.fixture
def small_cfg(config_file: Path) -> Callable[..., Config]:
    """Return a function that gives the configuration of the small set with some settings changed."""

    def make(settings: Settings | None = None) -> Config:
        pairs = [word for pair in (settings or {}).items() for word in pair]
        return parse_config(config_file.read_text(), overrides=pairs)

    return make


@pytest.fixture
def alone() -> Process:
    """The only process, on the CPU."""
    return Process(0, 1, 0, 1, torch.device("cpu"))


@pytest.fixture
def losses_of_steps() -> Callable[..., list[float]]:
    """Return a function that makes steps on one batch, from the same weights, and gives their losses."""

    def make(cfg: Config, process: Process, precision: str, *, steps: int) -> list[float]:
        dataset = build_training_set(cfg)
        batch = collate([dataset[ClipKey(0, place)] for place in range(4)])
        model = build_model(cfg)
        fill(model)
        network = TrainingNetwork(model.to(process.device), cfg, process, precision)
        network.train()
        step = OptimizerStep(
            network,
            BoxLoss(),
            build_optimizer(model, cfg),
            clipping=Clipping(norm=1.0),
            normalise="global",
            process=process,
            scaler=torch.amp.GradScaler(process.device.type, enabled=precision == "fp16"),
        )
        parts = [batch.to(process.device)]
        return [step(parts, boxes=len(batch.boxes), epoch=0, lr=0.01).loss for _ in range(steps)]

    return make


@pytest.fixture
def train(small_cfg: Callable[..., Config], alone: Process) -> Train:
    """Return a function that trains on the small set in this process."""

    def run(
        settings: Settings | None = None,
        *,
        name: str = "run",
        resume: bool = False,
        weights: str = "",
        precision: str = "",
        limit: int | None = None,
        interrupt_at: int | None = None,
    ) -> Outcome:
        interruption = Interruption()

        def step(done: int, _total: int, _note: str) -> None:
            interruption.requested = done == interrupt_at

        request = Request(
            cfg_name="small.yaml",
            argv=["ava-detect", "train"],
            start=Start(weights=weights, precision=precision),
            run_name=name,
            resume=resume,
            limit_batches=limit,
        )
        return run_training(
            small_cfg(settings), alone, request, interruption=interruption, watch=Watch(step=step)
        )

    return run


def losses(folder: Path) -> dict[int, float]:
    """Return step -> loss of a run, exactly as written."""
    documents = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [each for each in documents if each["kind"] == "train"]
    assert [each["step"] for each in steps] == list(range(1, len(steps) + 1))
    return {each["step"]: each["loss"] for each in steps}


def final_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a finished run's model."""
    return read_checkpoint(folder / "model_final.safetensors").tensors
