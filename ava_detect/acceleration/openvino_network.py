"""A network compiled by OpenVINO for this CPU, for inputs of any size.

OpenVINO is an extra: ``pip install 'ava-detect[openvino]'``. Its defaults are not what we want: bf16 wherever
the CPU has it, all cores whatever torch was told, a message over the network with every import. Here each is
set.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from evaluation.errors import AvaDetectError, MissingDependencyError

_TELEMETRY = "openvino_telemetry"
_PRECISION_HINTS = {"fp32": "f32", "bf16": "bf16"}

_PLACES = ("Exception from ", "Check '", "While validating node")

_log = logging.getLogger(__name__)


class OpenVinoError(AvaDetectError):
    """OpenVINO gave up, on a network or on what went into it; ``hint`` is how to do without."""


def has_openvino() -> bool:
    """Say whether OpenVINO is installed, without importing it."""
    return importlib.util.find_spec("openvino") is not None


def import_openvino() -> Any:  # Any: an optional module without types
    """Import OpenVINO so that it sends nothing.

    ``import openvino`` alone reports to Google Analytics, in a process of its own, unless a file in the home
    directory forbids it. Without the package ``openvino_telemetry`` it works and reports nothing; so that
    package is hidden while OpenVINO is imported. A program that imported OpenVINO before keeps what it chose.

    Raises:
        MissingDependencyError: OpenVINO is not installed, or cannot be imported.
    """
    known = {_TELEMETRY: sys.modules[_TELEMETRY]} if _TELEMETRY in sys.modules else {}
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # makes its import an ImportError
    try:
        import openvino
    except ImportError as error:
        found = f"cannot be imported: {error}" if has_openvino() else "is not installed"
        raise MissingDependencyError(
            f"openvino {found}; it runs the networks faster on CPUs.",
            hint="python -m pip install 'ava-detect[openvino]'     (or leave it out: --backend torch)",
        ) from error
    finally:
        del sys.modules[_TELEMETRY]
        sys.modules.update(known)
    return openvino


class OpenVinoNetwork:
    """Takes tensors, gives tensors: ``network`` on the CPU, without gradients, in about half the time.

    Uses as many threads as torch does when it is made. One call at a time.

    Args:
        network: in evaluation mode, float32, on the CPU; maps tensors to a tuple of tensors. It is traced, so
            no branch may depend on sizes that are free or on values. It is not needed afterwards.
        examples: one input each, for tracing; small ones do.
        shapes: of the inputs, -1 where the size is free.
        precision: "fp32" or "bf16".
        instead: what a user types to do without OpenVINO.

    Attributes:
        precision: "fp32" or "bf16", as it is computed; not what was asked for where the CPU cannot do that.
        threads: how many it uses.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
        OpenVinoError: it cannot run this network.
    """

    def __init__(
        self,
        network: nn.Module,
        examples: Sequence[Tensor],
        *,
        shapes: Sequence[Sequence[int]],
        precision: str,
        instead: str,
    ) -> None:
        openvino = import_openvino()
        self._hint = f"Leave it out: {instead}"
        settings = {
            "INFERENCE_PRECISION_HINT": _PRECISION_HINTS[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            model = _convert(openvino, network, examples)
            model.reshape(dict(enumerate(shapes)))
            compiled = openvino.Core().compile_model(model, "CPU", settings)
        except Exception as error:  # OpenVINO's exceptions, and torch's of tracing, have no base of their own
            raise OpenVinoError(
                f"OpenVINO cannot run the network: {_reason(error)}", hint=self._hint
            ) from error
        self.threads: int = compiled.get_property("INFERENCE_NUM_THREADS")
        used = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        self.precision = {hint: name for name, hint in _PRECISION_HINTS.items()}.get(used, used)
        if self.precision != precision:
            _log.warning("OpenVINO computes in %s; this CPU has nothing for %s", used, precision)
        self._request = compiled.create_infer_request()

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """Run on float32 tensors; the outputs are float32 and new.

        Raises:
            OpenVinoError: it fails on these.
        """
        arrays = [tensor.contiguous().numpy() for tensor in inputs]
        try:
            results = self._request.infer(arrays, share_inputs=True)
        except RuntimeError as error:  # what OpenVINO's own exceptions are in Python
            raise OpenVinoError(f"OpenVINO failed: {_reason(error)}", hint=self._hint) from error
        return [torch.from_numpy(result) for result in results.values()]


def _reason(error: Exception) -> str:
    """Return the line of OpenVINO's report that says what happened; others say where in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(_PLACES)]
    return (telling or lines or [type(error).__name__])[0]


def _convert(openvino: Any, network: nn.Module, examples: Sequence[Tensor]) -> Any:
    """Trace the network and make an OpenVINO model of it; the weights stay where they are in memory."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, that tracing is old and does not see branches
        # traced here, because openvino would trace a second time to compare
        traced = torch.jit.trace(network, tuple(examples), check_trace=False)
        return openvino.convert_model(traced)
