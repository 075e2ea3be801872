"""The forms in which the trunk of a SlowFast network runs at inference: PyTorch, compiled PyTorch, OpenVINO.

The trunk is everything but the head; it takes nearly all of the time, knows no boxes, and has tensors in and
tensors out. Each form is made of a network without batch norms (``models.folding``).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ava_detect.acceleration.onednn import has_fused_convolutions, widen_strided_kernels
from ava_detect.acceleration.openvino_network import OpenVinoNetwork
from ava_detect.engine.fusion import fuse_convolutions
from ava_detect.models import SlowFast
from evaluation.errors import MissingDependencyError

Trunk = Callable[[Sequence[Tensor]], list[Tensor]]
"""Clips of the pathways [N, C, T, H, W] -> the last maps [N, C', T', H', W'], float32; slowest first."""

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TorchTrunk:
    """The trunk in PyTorch, all of it in one precision, channels last; on a CPU with fused convolutions.

    Args:
        model: folded; its trunk is changed and belongs to this object from now on.
        device: where to run.
        precision: "fp32", "bf16" or "fp16".
        fuse: False leaves the convolutions to torch.compile.
    """

    def __init__(self, model: SlowFast, *, device: torch.device, precision: str, fuse: bool = True) -> None:
        self._device, self._dtype = device, DTYPES[precision]
        # Measured on CPUs, and what CUDA's half-precision kernels want; elsewhere the plain layout is safe.
        self._layout = torch.channels_last_3d if device.type in ("cpu", "cuda") else torch.contiguous_format
        convert_parameters(model.pathways, self._converted)
        convert_parameters(model.laterals, self._converted)
        if device.type == "cpu":
            widen_strided_kernels(model)
            if fuse and has_fused_convolutions():
                fuse_convolutions(model)
        self._trunk: Trunk = model.trunk

    def __call__(self, clips: Sequence[Tensor]) -> list[Tensor]:
        """Run on clips [N, C, T, H, W], one per pathway, slowest first."""
        return [x.float() for x in self._trunk([self._converted(clip) for clip in clips])]

    def _converted(self, x: Tensor) -> Tensor:
        layout = self._layout if x.dim() == 5 else torch.preserve_format
        return x.to(self._device, self._dtype, memory_format=layout)


class CompiledTrunk(TorchTrunk):
    """The trunk through ``torch.compile``; the first clip, and the first of another size, wait for it.

    Needs a C++ compiler on CPUs and Triton on GPUs.
    """

    def __init__(self, model: SlowFast, *, device: torch.device, precision: str) -> None:
        super().__init__(model, device=device, precision=precision, fuse=False)
        self._trunk = torch.compile(model.trunk)

    def __call__(self, clips: Sequence[Tensor]) -> list[Tensor]:
        """Run on clips [N, C, T, H, W], one per pathway, slowest first.

        Raises:
            MissingDependencyError: torch.compile does not work on this machine.
        """
        from torch._dynamo.exc import BackendCompilerFailed

        try:
            return super().__call__(clips)
        except BackendCompilerFailed as error:
            raise MissingDependencyError(
                f"torch.compile failed: {str(error).splitlines()[0]}",
                hint="It needs a C++ compiler on CPUs and Triton on GPUs. Without: --backend torch",
            ) from error


class OpenVinoTrunk:
    """The trunk compiled by OpenVINO for this CPU; any number of clips, of any height and width.

    Args:
        model: folded; it is changed, and not needed afterwards.
        example: small clips, one per pathway, slowest first; frames and channels are what they will be.
        precision: "fp32" or "bf16".

    Raises:
        MissingDependencyError: OpenVINO is not installed.
        OpenVinoError: it cannot run this network.
    """

    def __init__(self, model: SlowFast, *, example: Sequence[Tensor], precision: str) -> None:
        convert_parameters(model, lambda parameter: parameter.to("cpu", torch.float32))
        widen_strided_kernels(model)
        self._network = OpenVinoNetwork(
            _TracedTrunk(model),
            [clip.to("cpu", torch.float32) for clip in example],
            shapes=[(-1, *clip.shape[1:3], -1, -1) for clip in example],
            precision=precision,
            instead="--backend torch",
        )

    def __call__(self, clips: Sequence[Tensor]) -> list[Tensor]:
        """Run on clips [N, C, T, H, W], one per pathway, slowest first.

        Raises:
            OpenVinoError: it fails on these.
        """
        return self._network(*clips)


class _TracedTrunk(nn.Module):
    """The trunk as tracing wants it: a module, tensors in and a tuple of tensors out."""

    def __init__(self, model: SlowFast) -> None:
        super().__init__()
        self.model = model

    def forward(self, *clips: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.model.trunk(clips))


def convert_parameters(module: nn.Module, convert: Callable[[Tensor], Tensor]) -> None:
    """Put ``convert(parameter)`` in the place of each parameter.

    Unlike ``module.to(...)`` it makes new parameters, so that a network that shares the old ones keeps them.
    """
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            setattr(part, name, nn.Parameter(convert(parameter.detach()), requires_grad=False))
