"""Where and how precisely the networks run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.errors import UsageError

if TYPE_CHECKING:
    import torch

PRECISIONS = ("fp32", "bf16", "fp16")


def pick_device(name: str = "auto") -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` into a device that is there.

    ``auto`` is the first CUDA GPU if there is one, else the CPU.

    Raises:
        UsageError: the name is not a device, or this machine has no such device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"--device {name}: expected auto, cpu, cuda, cuda:N or mps") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"--device {name}: torch sees {torch.cuda.device_count()} CUDA GPUs here")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError(f"--device {name}: torch has no MPS here")
    if device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"--device {name}: expected auto, cpu, cuda, cuda:N or mps")
    return device


def pick_precision(name: str, device: torch.device) -> str:
    """Turn ``auto`` into a precision: half precision on CUDA, fp32 elsewhere.

    Raises:
        UsageError: not a precision, or fp16 on a CPU, where it is slower than fp32 and less exact.
    """
    if name == "auto":
        return "fp16" if device.type == "cuda" else "fp32"
    if name not in PRECISIONS:
        raise UsageError(f"--precision {name}: expected auto, {', '.join(PRECISIONS)}")
    if name == "fp16" and device.type == "cpu":
        raise UsageError(
            "--precision fp16 needs a GPU", hint="On a CPU use fp32, or bf16 if it has such instructions."
        )
    return name


def describe_device(device: torch.device, precision: str) -> str:
    """Say in words what will be used, for example ``cpu (no CUDA found), fp32``."""
    import torch

    words = {"fp32": "fp32", "bf16": "bf16", "fp16": "half precision"}[precision]
    if device.type == "cuda":
        return f"{device} {torch.cuda.get_device_name(device)}, {words}"
    reason = "" if torch.cuda.is_available() else " (no CUDA found)"
    return f"{device}{reason}, {torch.get_num_threads()} threads, {words}"
