"""A network made ready for fast inference on one device.

Where the time goes, and what is done about it (docs/speed.md has the measurements):

==========  ==============================================================================================
backend     the trunk runs in
==========  ==============================================================================================
openvino    OpenVINO, on CPUs; seconds to convert, once, for clips of any size
torch       PyTorch, channels last; on CPUs with convolution, addition and ReLU in one step
compile     PyTorch through torch.compile; the first clip waits for the compiler
auto        OpenVINO on a CPU that has it, if there are enough keyframes to make up for converting; else torch
==========  ==============================================================================================

In all of them batch norms are folded into convolutions, and the head stays in PyTorch, in float32.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from ava_detect.acceleration.openvino_network import OpenVinoError, has_openvino
from ava_detect.engine.trunks import CompiledTrunk, OpenVinoTrunk, TorchTrunk, Trunk, convert_parameters
from ava_detect.models import SlowFast
from ava_detect.models.folding import fold_batch_norms
from evaluation.errors import MissingDependencyError, UsageError

ScoreActions = Callable[[list[Tensor], Tensor], Tensor]
"""(clips of the pathways [N, C, T, H, W], rois [R, 5]) -> scores [R, K] float32."""

Backend = Literal["torch", "openvino", "compile"]
BACKENDS = ("auto", *get_args(Backend))

WORTH_CONVERTING = 16
"""Keyframes from which on OpenVINO takes less time than PyTorch, its conversion included (docs/speed.md)."""

_log = logging.getLogger(__name__)


class InferenceNetwork:
    """A SlowFast network for scores only; made by ``prepare_for_inference``.

    Attributes:
        backend: what runs the trunk.
    """

    def __init__(self, trunk: Trunk, head: Callable[..., Tensor], backend: Backend) -> None:
        self.backend = backend
        self._trunk, self._head = trunk, head

    def __call__(self, clips: list[Tensor], rois: Tensor | None) -> Tensor:
        """Score the people in N clips, as the network itself does.

        Args:
            clips: one per pathway, slowest first: [N, C, T, H, W] float32, on the device.
            rois: [R, 5] (clip index, x1, y1, x2, y2) in pixels of the clip, on the device; R may be 0. None
                for a head that classifies clips.

        Returns:
            [R, K] or [N, K], float32, on the device.
        """
        with torch.inference_mode():
            scores: Tensor = self._head(self._trunk(clips), rois)
            return scores


def prepare_for_inference(
    model: SlowFast,
    device: torch.device,
    precision: str,
    backend: str = "auto",
    *,
    example: Sequence[Tensor],
    keyframes: int | None = None,
) -> InferenceNetwork:
    """Make a fast form of ``model``.

    ``model`` is left as it is, wherever it is. What comes back shares with it the weights that stay as they
    are and holds the others once more; when memory counts, let go of ``model``.

    Args:
        model: with its weights.
        device: where to run.
        precision: fp32, bf16 or fp16, of the trunk; fp32 gives the scores of ``model`` within 1e-4.
        backend: one of ``BACKENDS``, see above.
        example: clips as they will come, one per pathway, slowest first, of any height and width: small ones.
        keyframes: how many clips there will be, if that is known; decides what "auto" is.

    Raises:
        UsageError: the backend is unknown or does not run on ``device``.
        MissingDependencyError: the backend is not installed.
        OpenVinoError: it was asked for and cannot run this network.
    """
    chosen = pick_backend(backend, device, keyframes=keyframes)
    folded = fold_batch_norms(model)
    convert_parameters(folded.head, lambda parameter: parameter.to(device, torch.float32))
    if chosen == "openvino":
        _log.info("converting the network for OpenVINO, once")
        try:
            trunk: Trunk = OpenVinoTrunk(folded, example=example, precision=precision)
            return InferenceNetwork(trunk, folded.head, chosen)
        except (OpenVinoError, MissingDependencyError) as error:
            if backend != "auto":
                raise
            _log.warning("torch runs the network, in more time: %s", error)
            chosen = "torch"
    form = CompiledTrunk if chosen == "compile" else TorchTrunk
    trunk = form(folded, device=device, precision=precision)
    return InferenceNetwork(trunk, folded.head, chosen)


def pick_backend(name: str, device: torch.device, *, keyframes: int | None = None) -> Backend:
    """Turn ``auto`` into a backend, and refuse one that cannot run on ``device``.

    The choice depends on what the user gave and what is installed, never on timing, so that the same command
    gives the same scores.

    Raises:
        UsageError: not a backend, or OpenVINO on something else than a CPU.
    """
    if name not in BACKENDS:
        raise UsageError(f"--backend {name}: expected {', '.join(BACKENDS)}")
    if name == "openvino" and device.type != "cpu":
        raise UsageError(
            f"--backend openvino runs on CPUs; the device is {device}", hint="Use --backend torch or compile."
        )
    if name != "auto":
        return name  # type: ignore[return-value]  # one of BACKENDS, checked above
    if device.type != "cpu":
        return "torch"
    if keyframes is not None and keyframes < WORTH_CONVERTING:
        return "torch"
    if not has_openvino():
        _log.info(
            "openvino is not installed: torch runs the network, in more time (docs/speed.md)\n"
            "         python -m pip install 'ava-detect[openvino]'"
        )
        return "torch"
    return "openvino"
