"""A small real network and real little videos; a fresh log for every test."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from _pytest.logging import LogCaptureHandler

from ava_detect.config import Config, parse_config
from ava_detect.models import build_model

TINY = """
MODEL: {ARCH: slowfast, NUM_CLASSES: 6, HEAD_ACT: sigmoid}
RESNET: {DEPTH: 18, WIDTH_PER_GROUP: 8, TRANS_FUNC: basic_transform,
  SPATIAL_STRIDES: [[1], [2], [2], [1]], SPATIAL_DILATIONS: [[1], [1], [1], [2]]}
DETECTION: {ENABLE: true}
DATA: {NUM_FRAMES: 8, SAMPLING_RATE: 2, TEST_CROP_SIZE: 64}
SLOWFAST: {ALPHA: 4, BETA_INV: 4, FUSION_KERNEL_SZ: 5}
"""


@pytest.fixture(autouse=True)
def _fresh_log() -> Iterator[None]:
    """Undo what commands do to the packages' logs, in tests before and in fixtures that live longer."""
    _undo_logging()
    yield
    _undo_logging()


def _undo_logging() -> None:
    logging.disable(logging.NOTSET)
    logging.getLogger().setLevel(logging.WARNING)
    for name in list(logging.Logger.manager.loggerDict):
        if name.partition(".")[0] not in ("ava_detect", "person_detector", "evaluation"):
            continue
        logger = logging.getLogger(name)
        logger.setLevel(logging.NOTSET)
        logger.propagate, logger.disabled = True, False
        for handler in list(logger.handlers):
            if not isinstance(handler, LogCaptureHandler):
                logger.removeHandler(handler)
                handler.close()


@pytest.fixture(scope="session")
def tiny_cfg() -> Config:
    return parse_config(TINY, source="tiny")


@pytest.fixture(scope="session")
def tiny_model(tiny_cfg: Config) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_model(tiny_cfg).eval()


@pytest.fixture(scope="session")
def encode_video() -> Callable[..., Path]:
    """Return a function that encodes a square moving over noise."""

    def encode(path: Path, *, frames: int = 75, fps: int = 25, size: tuple[int, int] = (96, 128)) -> Path:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
            stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
            for image in _pictures(frames, size):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
            container.mux(stream.encode())
        return path

    return encode


@pytest.fixture
def make_video(tmp_path: Path, encode_video: Callable[..., Path]) -> Callable[..., Path]:
    """Return ``encode_video`` for names in the test's folder."""
    return lambda name="video.mp4", **options: encode_video(tmp_path / name, **options)


def _pictures(count: int, size: tuple[int, int]) -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    ground = random.integers(0, 80, (*size, 3), np.uint8)
    for k in range(count):
        image = ground.copy()
        left = k % (size[1] - 24)
        image[20:60, left : left + 24] = 255
        yield image


@pytest.fixture
def failing_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand OpenVINO, of the second input of every network, a part that it refuses."""
    from ava_detect.acceleration.openvino_network import OpenVinoNetwork

    plain = OpenVinoNetwork.__init__

    class Request:
        def __init__(self, request) -> None:
            self.request, self.calls = request, 0

        def infer(self, arrays, **options):
            self.calls += 1
            arrays = [array[:, :1] for array in arrays] if self.calls == 2 else arrays
            return self.request.infer(arrays, **options)

    def init(self, *args, **options) -> None:
        plain(self, *args, **options)
        self._request = Request(self._request)

    monkeypatch.setattr(OpenVinoNetwork, "__init__", init)
