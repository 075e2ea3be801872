"""The network as training runs it: in mixed precision, compiled, on several processes, on empty batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from ava_detect.config import Config
from ava_detect.data.clip_dataset import Batch
from ava_detect.engine.distributed import Process
from ava_detect.engine.training.cpu_bfloat16 import trusted_autocast
from ava_detect.engine.training.dropout import use_sample_dropout
from ava_detect.models import SlowFast, split_pathways

Precision = Literal["fp32", "bf16", "fp16"]
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class TrainingNetwork:
    """Runs ``model`` forwards for training; gradients of all processes are averaged in the backward pass.

    ``model`` itself stays what it is, apart from the dropout in its head: it is what is saved and tested.

    Args:
        model: on the process's device.
        cfg: what it was built from.
        process: which of how many this is.
        precision: of the forward pass; parameters and losses are float32 always.
    """

    def __init__(self, model: SlowFast, cfg: Config, process: Process, precision: Precision) -> None:
        self._cfg, self._process, self._precision = cfg, process, precision
        self._dropout = use_sample_dropout(model, rate=cfg.MODEL.DROPOUT_RATE, seed=cfg.RNG_SEED)
        # On CPUs torch 2.14 overruns memory in this layout where a convolution has a stride in time.
        self._channels_last = cfg.TRAIN.CHANNELS_LAST and process.device.type == "cuda"
        if self._channels_last:
            model.to(memory_format=torch.channels_last_3d)
        self._model = model
        self._run: nn.Module = _Passes(model, compiled=cfg.TRAIN.COMPILE)
        if process.world > 1:
            ids = [process.device.index] if process.device.type == "cuda" else None
            self._run = DistributedDataParallel(self._run, device_ids=ids)

    def train(self) -> None:
        """Put the network into training mode; frozen batch norms stay as they are."""
        self._run.train()

    def logits(self, batch: Batch, epoch: int) -> Tensor:
        """Return [R, K] logits of a batch on the device; R may be 0.

        Args:
            batch: training clips; N may be 0, and all processes may still call this together.
            epoch: decides what dropout does.
        """
        self._dropout.expect(epoch, batch)
        frames, side = self._cfg.DATA.NUM_FRAMES, self._cfg.DATA.TRAIN_CROP_SIZE
        clip = batch.clips if len(batch) else batch.clips.new_zeros(0, 3, frames, side, side)
        clips = split_pathways(clip, self._cfg)
        if self._channels_last:
            clips = [each.contiguous(memory_format=torch.channels_last_3d) for each in clips]
        with nullcontext() if len(batch) else _kept_statistics(self._model), self._autocast():
            return self._run(clips, batch.boxes)

    def without_exchange(self) -> AbstractContextManager[None]:
        """Let gradients add up in each process; the next backward pass outside exchanges them."""
        return self._run.no_sync() if isinstance(self._run, DistributedDataParallel) else nullcontext()

    def _autocast(self) -> AbstractContextManager[None]:
        dtype, device = _DTYPES.get(self._precision), self._process.device.type
        if dtype is None:
            return nullcontext()
        return trusted_autocast(self._model) if device == "cpu" else torch.autocast(device, dtype)


class _Passes(nn.Module):
    """The forward pass of a model, its trunk compiled or not.

    The trunk's shapes never change in training; the head's do with every batch, and it costs next to nothing.
    """

    def __init__(self, model: SlowFast, *, compiled: bool) -> None:
        super().__init__()
        self.model = model
        self._trunk = torch.compile(model.trunk) if compiled else model.trunk

    def forward(self, clips: Sequence[Tensor], boxes: Tensor) -> Tensor:
        logits: Tensor = self.model.head(self._trunk(list(clips)), boxes)
        return logits


@contextmanager
def _kept_statistics(model: nn.Module) -> Iterator[None]:
    """Keep batch norms from learning from no clips at all, which would make their statistics NaN.

    Synchronised ones take part in the exchange of the other processes and leave out who has nothing.
    """
    plain = [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and not isinstance(module, nn.SyncBatchNorm) and module.training
    ]
    for module in plain:
        module.training = False
    try:
        yield
    finally:
        for module in plain:
            module.training = True
