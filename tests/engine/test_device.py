"""Names of devices and precisions, and what is refused."""

import pytest
import torch

from ava_detect.engine.device import describe_device, pick_device, pick_precision
from evaluation.errors import UsageError

CPU = torch.device("cpu")


def test_auto_is_a_gpu_if_there_is_one():
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "cuda:99", "meta", "vulkan"])
def test_what_is_not_there_is_refused(name):
    with pytest.raises(UsageError, match=f"--device {name}"):
        pick_device(name)


def test_auto_precision_on_a_cpu_is_full():
    assert pick_precision("auto", CPU) == "fp32"


def test_auto_precision_on_a_gpu_is_half():
    assert pick_precision("auto", torch.device("cuda")) == "fp16"


@pytest.mark.parametrize("name", ["fp64", "half", ""])
def test_an_unknown_precision_is_refused(name):
    with pytest.raises(UsageError, match="expected auto, fp32, bf16, fp16"):
        pick_precision(name, CPU)


def test_fp16_on_a_cpu_is_refused():
    with pytest.raises(UsageError, match="fp16 needs a GPU"):
        pick_precision("fp16", CPU)


def test_the_choice_is_described():
    assert describe_device(CPU, "bf16").startswith("cpu")
    assert describe_device(CPU, "bf16").endswith("bf16")
