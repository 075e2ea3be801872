"""A network through OpenVINO: its numbers, its settings, what it refuses, and that it sends nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ava_detect.acceleration import openvino_network
from ava_detect.acceleration.openvino_network import (
    OpenVinoError,
    OpenVinoNetwork,
    has_openvino,
    import_openvino,
)
from evaluation.errors import MissingDependencyError

ROOT = Path(__file__).parents[2]

needs_openvino = pytest.mark.skipif(not has_openvino(), reason="an extra of the package")


class TwoInputs(nn.Module):
    """Two pictures in, their convolutions' sum and product out."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(1, 8, 3, padding=1)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        x, y = self.first(x), self.second(y)
        return x + y, x * y


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def compile_two(precision: str) -> OpenVinoNetwork:
    return OpenVinoNetwork(
        TwoInputs().eval(),
        [torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)],
        shapes=[(-1, 3, -1, -1), (-1, 1, -1, -1)],
        precision=precision,
        instead="--leave-out",
    )


@needs_openvino
@torch.no_grad()
def test_inputs_of_any_size_give_torchs_numbers():
    network, reference = compile_two("fp32"), TwoInputs()
    for batch, height, width in ((1, 8, 8), (3, 17, 5), (1, 40, 64)):
        x, y = torch.randn(batch, 3, height, width), torch.randn(batch, 1, height, width)
        found = network(x, y)
        assert len(found) == 2
        for one, other in zip(found, reference(x, y), strict=True):
            torch.testing.assert_close(one, other)


@needs_openvino
@torch.no_grad()
def test_results_stay_when_the_next_come():
    network = compile_two("fp32")
    x, y = torch.randn(1, 3, 8, 8), torch.randn(1, 1, 8, 8)
    first = network(x, y)[0]
    kept = first.clone()
    network(x + 1, y)
    assert torch.equal(first, kept)


@needs_openvino
def test_precision_and_threads_are_what_was_asked_for(one_thread):
    network = compile_two("fp32")  # OpenVINO itself would take bf16 where there is hardware for it
    assert (network.precision, network.threads) == ("fp32", 1)


@needs_openvino
@torch.no_grad()
def test_bf16_is_less_exact_where_the_cpu_has_it():
    network = compile_two("bf16")
    x, y = torch.randn(1, 3, 64, 64), torch.randn(1, 1, 64, 64)
    difference = (network(x, y)[0] - TwoInputs()(x, y)[0]).abs().max()
    assert (1e-4 < difference < 0.05) if network.precision == "bf16" else difference < 1e-5


@needs_openvino
def test_a_network_that_cannot_be_converted_is_one_line():
    class Odd(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor]:
            return (torch.linalg.svd(x)[0],)

    with pytest.raises(OpenVinoError, match="OpenVINO cannot run the network: ") as caught:
        OpenVinoNetwork(Odd(), [torch.eye(3)], shapes=[(3, 3)], precision="fp32", instead="--leave-out")
    assert "\n" not in str(caught.value)
    assert caught.value.hint == "Leave it out: --leave-out"


@needs_openvino
def test_inputs_that_it_fails_on_are_one_line_that_says_why():
    network = compile_two("fp32")
    with pytest.raises(OpenVinoError, match="OpenVINO failed: Can't set the input tensor ") as caught:
        network(torch.zeros(1, 4, 8, 8), torch.zeros(1, 1, 8, 8))  # four channels instead of three
    assert "\n" not in str(caught.value)
    assert caught.value.hint == "Leave it out: --leave-out"
    assert len(network(torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8))) == 2  # the next may be right again


def test_where_it_is_missing_the_line_to_install_it_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(openvino_network, "has_openvino", lambda: False)
    with pytest.raises(MissingDependencyError, match="openvino is not installed") as caught:
        import_openvino()
    assert "pip install 'ava-detect[openvino]'" in caught.value.hint


def test_a_broken_installation_is_told_from_a_missing_one(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(openvino_network, "has_openvino", lambda: True)
    with pytest.raises(MissingDependencyError, match="openvino cannot be imported: "):
        import_openvino()


WATCHED = """
import sys
import torch  # looks for CUDA's libraries in a process of its own
seen = []
def watch(event, args):
    if event.startswith(("socket.", "os.fork", "os.posix_spawn", "subprocess.")):
        seen.append(event)
sys.addaudithook(watch)
{program}
print(sorted(set(seen)))
"""
USE = """
from ava_detect.acceleration.openvino_network import OpenVinoNetwork
from torch import nn
class Double(nn.Module):
    def forward(self, x):
        return (x * 2,)
network = OpenVinoNetwork(Double(), [torch.zeros(1, 3)], shapes=[(-1, 3)], precision="fp32", instead="")
assert network(torch.ones(2, 3))[0].sum() == 12
assert "openvino_telemetry" not in sys.modules
"""


def run_watched(program: str, home: Path) -> str:
    """Run a program for a user who has never said whether OpenVINO may report; return what it did."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")
    }
    result = subprocess.run(
        [sys.executable, "-c", WATCHED.format(program=program)],
        env=kept | {"HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.splitlines()[-1]


@needs_openvino
def test_nothing_is_sent_and_nothing_written_to_the_home_directory(tmp_path: Path):
    assert run_watched(USE, tmp_path) == "[]"
    assert not list(tmp_path.iterdir())
