"""Networks made ready for inference: in every form, the scores of the plain network.

Logits are compared, not scores, so that no activation hides a difference.
"""

import sys
from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import Tensor

from ava_detect.acceleration.openvino_network import has_openvino
from ava_detect.config import Config, parse_config
from ava_detect.engine.inference import WORTH_CONVERTING, pick_backend, prepare_for_inference
from ava_detect.models import SlowFast, build_model, split_pathways
from ava_detect.weights.recipe import fill
from evaluation.errors import AvaDetectError, MissingDependencyError, UsageError
from tests.models.small_configs import configs

CPU = torch.device("cpu")
needs_openvino = pytest.mark.skipif(not has_openvino(), reason="an extra of the package")
BACKENDS = ["torch", pytest.param("openvino", marks=needs_openvino)]
SMALL = """
MODEL: {ARCH: slowfast, NUM_CLASSES: 5, HEAD_ACT: none}
RESNET: {DEPTH: 18, WIDTH_PER_GROUP: 16, TRANS_FUNC: basic_transform}
SLOWFAST: {ALPHA: 4, BETA_INV: 4, FUSION_KERNEL_SZ: 5}
DATA: {NUM_FRAMES: 8, TRAIN_CROP_SIZE: 32, TEST_CROP_SIZE: 48, TRAIN_JITTER_SCALES: [32, 40]}
"""
ACTION = [
    *("DETECTION.ENABLE", True, "RESNET.SPATIAL_STRIDES", [1, 2, 2, 1]),
    *("RESNET.SPATIAL_DILATIONS", [1, 1, 1, 2]),
]
BOTTLENECK = ["RESNET.DEPTH", 50, "RESNET.TRANS_FUNC", "bottleneck_transform"]
TRACED = [  # the variants that differ in what OpenVINO sees
    *("slowfast", "groups", "kernel below stride", "time to channel, sum", "time to channel, concat"),
    *("sampling", "three pathways", "half resolution", "non-local", "non-local, softmax"),
    *("non-local, mmaction2", "non-local, groups", "i3d", "clips"),
]
NONLOCAL = ["NONLOCAL.LOCATION", [[[], []], [[1], []], [[0, 1], []], [[], []]]]
MIDDLE = [
    {"FRAME_RATIO": 1, "CHANNEL_RATIO": 1.0, "TEMPORAL_KERNELS": [1, 1, 1, 3, 3]},
    {"FRAME_RATIO": 2, "CHANNEL_RATIO": 0.5, "TEMPORAL_KERNELS": [1, 1, 3, 3, 3]},
    {"FRAME_RATIO": 8, "CHANNEL_RATIO": 0.25, "TEMPORAL_KERNELS": [5, 3, 3, 3, 3]},
]
VARIANTS: dict[str, list[object]] = {
    "slowfast": ACTION,
    "bottlenecks": [*ACTION, *BOTTLENECK],
    "groups": [*ACTION, *BOTTLENECK, "RESNET.NUM_GROUPS", 4, "RESNET.WIDTH_PER_GROUP", 8],
    "stride on 1x1": [*BOTTLENECK, "RESNET.STRIDE_1X1", True],
    "kernel below stride": [*ACTION, "SLOWFAST.ALPHA", 8],
    "lateral without norm": [*ACTION, "SLOWFAST.LATERAL_NORM", False],
    "time to channel, sum": [*ACTION, "SLOWFAST.LATERAL", "time_to_channel_sum"],
    "time to channel, concat": [*ACTION, "SLOWFAST.LATERAL", "time_to_channel_concat"],
    "sampling": [*ACTION, "SLOWFAST.LATERAL", "sample", "SLOWFAST.SLOW_FRAMES", "stride"],
    "no lateral": [*ACTION, "SLOWFAST.LATERAL", "none"],
    "three pathways": [*ACTION, "SLOWFAST.PATHWAYS", MIDDLE],
    "half resolution": [*ACTION, "SLOWFAST.FAST_INPUT", "half"],
    "optical flow": [*ACTION, "SLOWFAST.FAST_INPUT", "flow"],
    "gray": [*ACTION, "SLOWFAST.FAST_INPUT", "gray"],
    "non-local": [*ACTION, *NONLOCAL],
    "non-local, softmax": [*ACTION, *NONLOCAL, "NONLOCAL.INSTANTIATION", "softmax"],
    "non-local, mmaction2": [*ACTION, *NONLOCAL, "NONLOCAL.POOL_FIRST", False, "NONLOCAL.OUT_BIAS", False],
    "non-local, groups": [*ACTION, *NONLOCAL, "NONLOCAL.GROUP", [[1, 1], [2, 1], [1, 1], [1, 1]]],
    "context and hidden layer": [*ACTION, "DETECTION.CONTEXT", True, "DETECTION.MLP_DIM", 6],
    "maximum over time": [*ACTION, "DETECTION.TEMPORAL_POOL", "max", "DETECTION.BACKGROUND_COLUMN", True],
    "fast": [*ACTION, "MODEL.ARCH", "fast"],
    "slow": ["MODEL.ARCH", "slow"],
    "c2d": ["MODEL.ARCH", "c2d"],
    "i3d": ["MODEL.ARCH", "i3d"],
    "clips": ["MODEL.HEAD_CONCAT", "fast_slow"],
    "clips, global": ["MODEL.HEAD_POOL", "global"],
    "frozen norms": [*ACTION, "MODEL.FROZEN_BN", True],
    "synchronised norms": [*ACTION, "BN.NORM_TYPE", "sync_batchnorm"],
}


def small(name: str = "slowfast", *overrides: object) -> tuple[Config, SlowFast]:
    cfg = parse_config(SMALL, overrides=[*VARIANTS[name], *overrides])
    return cfg, filled(cfg)


def filled(cfg: Config) -> SlowFast:
    model = build_model(cfg).eval()
    fill(model)
    return model


def input_of(
    cfg: Config, height: int, width: int, *, clips: int = 2, seed: int = 0
) -> tuple[list[Tensor], Tensor | None]:
    """Return random clips, and two boxes on each where the head wants boxes."""
    noise = torch.Generator().manual_seed(seed)
    clip = torch.randn(clips, 5, cfg.DATA.NUM_FRAMES, height, width, generator=noise)  # with optical flow
    rois = [[n, x, 2.5, x + 0.4 * width, 0.9 * height] for n in range(clips) for x in (1.0, 0.5 * width)]
    return split_pathways(clip, cfg), torch.tensor(rois) if cfg.DETECTION.ENABLE else None


def example_of(cfg: Config) -> list[Tensor]:
    return input_of(cfg, 64, 64, clips=1)[0]


@torch.no_grad()
def assert_same_scores(cfg: Config, model: SlowFast, backend: str) -> None:
    """Compare on several sizes, going back to the first; each is another video."""
    network = prepare_for_inference(model, CPU, "fp32", backend, example=example_of(cfg))
    assert network.backend == backend
    for turn, size in enumerate([(48, 64), (71, 45), (48, 64)]):
        clips, rois = input_of(cfg, *size, clips=1 + turn % 2, seed=turn)
        expected = model(clips, rois)
        found = network(clips, rois)
        assert expected.std() > 1e-3
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", VARIANTS)
def test_fp32_gives_the_scores_of_the_plain_network(name: str):
    assert_same_scores(*small(name), "torch")


@needs_openvino
@pytest.mark.parametrize("name", TRACED)
def test_openvino_in_fp32_gives_the_scores_of_the_plain_network(name: str):
    assert_same_scores(*small(name), "openvino")


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(cfg=configs())
def test_any_small_config_gives_the_scores_of_the_plain_network(cfg: Config):
    assert_same_scores(cfg, filled(cfg), "torch")


@needs_openvino
@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(cfg=configs())
def test_openvino_runs_any_small_config(cfg: Config):
    assert_same_scores(cfg, filled(cfg), "openvino")


@torch.no_grad()
@pytest.mark.parametrize("backend", BACKENDS)
def test_bf16_is_near_and_not_the_same(backend: str):
    cfg, model = small("non-local", *BOTTLENECK, "MODEL.HEAD_ACT", "sigmoid")
    network = prepare_for_inference(model, CPU, "bf16", backend, example=example_of(cfg))
    clips, rois = input_of(cfg, 64, 80)
    found, expected = network(clips, rois), model(clips, rois)
    assert found.dtype == torch.float32
    difference = (found - expected).abs().max()
    assert difference < 0.02  # docs/speed.md
    if backend == "torch":  # OpenVINO computes in fp32 where the CPU has nothing for bf16
        assert difference > 1e-5


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_model_is_left_as_it_was(backend: str):
    cfg, model = small("non-local")
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    network = prepare_for_inference(model, CPU, "bf16", backend, example=example_of(cfg))
    network(*input_of(cfg, 48, 64))
    assert model.training
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    scores = model(*input_of(cfg, 48, 64))
    scores.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_nobody_on_the_clips_gives_no_scores():
    cfg, model = small()
    network = prepare_for_inference(model, CPU, "fp32", "torch", example=example_of(cfg))
    clips, _ = input_of(cfg, 48, 64)
    assert network(clips, torch.zeros(0, 5)).shape == (0, 5)


def test_auto_takes_openvino_for_many_keyframes_or_an_unknown_number(
    pretend_openvino: Callable[[bool], None],
):
    pretend_openvino(True)
    assert pick_backend("auto", CPU, keyframes=WORTH_CONVERTING) == "openvino"
    assert pick_backend("auto", CPU) == "openvino"
    assert pick_backend("auto", CPU, keyframes=WORTH_CONVERTING - 1) == "torch"
    assert pick_backend("auto", torch.device("cuda:0"), keyframes=1000) == "torch"


def test_auto_without_openvino_is_torch_and_says_so(
    pretend_openvino: Callable[[bool], None], caplog: pytest.LogCaptureFixture
):
    pretend_openvino(False)
    with caplog.at_level("INFO", logger="ava_detect"):
        assert pick_backend("auto", CPU, keyframes=1000) == "torch"
    assert "openvino is not installed" in caplog.text
    assert "pip install 'ava-detect[openvino]'" in caplog.text


def test_auto_goes_on_in_torch_where_openvino_cannot_be_imported(
    pretend_openvino: Callable[[bool], None], caplog: pytest.LogCaptureFixture
):
    pretend_openvino(True)  # a folder of that name is there, and importing it fails
    cfg, model = small()
    network = prepare_for_inference(model, CPU, "fp32", "auto", example=example_of(cfg))
    assert network.backend == "torch"
    assert "openvino cannot be imported" in caplog.text
    assert "torch runs the network" in caplog.text
    clips, rois = input_of(cfg, 48, 64)
    with torch.no_grad():
        torch.testing.assert_close(network(clips, rois), model(clips, rois), rtol=0, atol=1e-4)


def test_openvino_that_was_asked_for_and_is_missing_is_an_error(pretend_openvino: Callable[[bool], None]):
    pretend_openvino(False)
    cfg, model = small()
    with pytest.raises(MissingDependencyError, match="openvino is not installed") as caught:
        prepare_for_inference(model, CPU, "fp32", "openvino", example=example_of(cfg))
    assert "--backend torch" in caught.value.hint


@needs_openvino
def test_a_network_that_openvino_cannot_run_is_an_error_only_where_it_was_asked_for(caplog):
    cfg, model = small("non-local")
    clips = input_of(cfg, 16, 16, clips=1)[0]  # too small for the non-local blocks' pool
    with pytest.raises(AvaDetectError, match=r"OpenVINO cannot run the network: .*too small"):
        prepare_for_inference(model, CPU, "fp32", "openvino", example=clips)
    assert prepare_for_inference(model, CPU, "fp32", "auto", example=clips).backend == "torch"
    assert "OpenVINO cannot run the network" in caplog.text


@pytest.mark.parametrize(
    ("name", "device", "message"),
    [
        ("tensorrt", "cpu", "--backend tensorrt: expected auto, torch, openvino, compile"),
        ("openvino", "cuda:0", "--backend openvino runs on CPUs; the device is cuda:0"),
    ],
)
def test_backends_that_cannot_be_are_refused(name: str, device: str, message: str):
    with pytest.raises(UsageError, match=message):
        pick_backend(name, torch.device(device))


@pytest.mark.slow
def test_where_nothing_compiles_the_other_backend_is_named(monkeypatch: pytest.MonkeyPatch):
    cfg, model = small()
    monkeypatch.setenv("CXX", "/nonexistent/c++")
    monkeypatch.setenv("PATH", "/nonexistent")
    network = prepare_for_inference(model, CPU, "fp32", "compile", example=example_of(cfg))
    with pytest.raises(MissingDependencyError, match=r"torch\.compile failed") as caught:
        network(*input_of(cfg, 48, 64))
    assert "--backend torch" in caught.value.hint


@pytest.mark.slow
@pytest.mark.timeout(1800)  # the compiler is slow on a busy machine
def test_a_compiled_network_gives_the_scores_of_the_plain_one():
    assert_same_scores(*small("non-local"), "compile")


@pytest.fixture
def pretend_openvino(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Return a function that makes OpenVINO impossible to import, as missing or as broken."""

    def pretend(found: bool) -> None:
        monkeypatch.setitem(sys.modules, "openvino", None)
        for module in ("acceleration.openvino_network", "engine.inference"):
            monkeypatch.setattr(f"ava_detect.{module}.has_openvino", lambda: found)

    return pretend
