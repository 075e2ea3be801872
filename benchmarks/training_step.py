"""Time a step of training in the forms that it can run in, against the plain eager step, in interleaved runs.

    python -m benchmarks.training_step                                   demo/slowfast_tiny, 4 clips
    python -m benchmarks.training_step --cfg ava/slowfast_8x8_r50 --batch 2 --threads 2
    python -m benchmarks.training_step --cpu-time                        on a machine that does other work
    python -m benchmarks.training_step --device cuda --cfg ava/slowfast_8x8_r50 --batch 8 16 32 --compile

"plain fp32" is the loop that everybody writes: forwards, mean cross-entropy, backwards, torch's SGD, on the
network as it is built. The others are the trainer's own step (``ava_detect.engine.training``), with all that
it does besides: dropout by sample, the loss normalised over the boxes, the check that the loss is finite. On
CUDA they run in channels last (TRAIN.CHANNELS_LAST). Every round makes one step in each form on the same
clips; the first two rounds warm up. Columns:

ms        median time of a step
faster    median over the rounds of the plain step's time over this form's, in the same round
clips/s   clips per second at the median
peak      multiply-adds of the trunk, backwards counted twice, per second as a share of what matrix products
          reach here in the form's precision
memory    most that the GPU held in this form; on CPUs nothing, since the forms share the process
loss      of the last round: the forms go different ways by rounding, and should stay near each other

With --cpu-time all times are processor seconds of this process.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

from ava_detect.config import Config, load_config, replace
from ava_detect.data.annotations import LabelledKeyframe
from ava_detect.data.clip_dataset import Batch
from ava_detect.engine.distributed import Process
from ava_detect.engine.training.loss import BoxLoss
from ava_detect.engine.training.network import TrainingNetwork
from ava_detect.engine.training.optimizer import Clipping, build_optimizer
from ava_detect.engine.training.step import OptimizerStep
from ava_detect.models import build_model, estimate_cost, split_pathways
from ava_detect.weights.recipe import fill

PLAIN = "plain fp32"
PEOPLE = 3  # per clip
LR = 1e-3
WARM_UP = 2
MATRIX = 4096  # rows and columns; large enough for the peak, small enough to be quick

Step = Callable[[Batch], float]


@dataclass
class Form:
    """One form of the step and its times, one per round."""

    step: Step
    seconds: list[float] = field(default_factory=list)
    memory: int = 0
    loss: float = 0.0


def main() -> None:
    args = parse_arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.backends.cudnn.benchmark = True
    device = torch.device(args.device)
    cfg = load_config(args.cfg)
    clock = time.process_time if args.cpu_time else time.perf_counter
    for clips in args.batch:
        batch = make_batch(cfg, clips).to(device)
        side = cfg.DATA.TRAIN_CROP_SIZE
        # forwards once, backwards for the input and for the weights
        work = 3 * estimate_cost(cfg, height=side, width=side).multiply_adds * clips
        print(
            f"{args.cfg}, {clips} x {cfg.DATA.NUM_FRAMES}x{side}x{side}, {work / 1e9:.1f} GMAC a step",
            flush=True,
        )
        forms = make_forms(cfg, device, with_compile=args.compile)
        for round_number in range(WARM_UP + args.repeats):
            for form in forms.values():
                run_once(form, batch, clock, device, is_warm=round_number >= WARM_UP)
        report(forms, clips, work, device, clock)


def run_once(
    form: Form, batch: Batch, clock: Callable[[], float], device: torch.device, *, is_warm: bool
) -> None:
    """Make one step and note its time, if it counts."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        torch.cuda.synchronize(device)
    began = clock()
    form.loss = form.step(batch)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        form.memory = torch.cuda.max_memory_allocated(device)
    if is_warm:
        form.seconds.append(clock() - began)


def make_forms(cfg: Config, device: torch.device, *, with_compile: bool) -> dict[str, Form]:
    forms = {PLAIN: Form(plain_step(cfg, device))}
    for precision in ("fp32", "bf16"):
        forms[f"trainer {precision}"] = Form(trainer_step(cfg, device, precision))
        if with_compile:
            compiled = replace(cfg, ["TRAIN.COMPILE", True])
            forms[f"compiled {precision}"] = Form(trainer_step(compiled, device, precision))
    return forms


def plain_step(cfg: Config, device: torch.device) -> Step:
    model = build_model(cfg)
    fill(model)
    model.to(device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9, nesterov=True)

    def step(batch: Batch) -> float:
        logits = model(split_pathways(batch.clips, cfg), batch.boxes)
        loss = F.binary_cross_entropy_with_logits(logits, batch.labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def trainer_step(cfg: Config, device: torch.device, precision: str) -> Step:
    process = Process(0, 1, 0, 1, device)
    model = build_model(cfg)
    fill(model)
    model.to(device)
    network = TrainingNetwork(model, cfg, process, precision)
    network.train()
    make_step = OptimizerStep(
        network,
        BoxLoss(),
        build_optimizer(model, cfg),
        clipping=Clipping(),
        normalise="global",
        process=process,
        scaler=torch.amp.GradScaler(device.type, enabled=False),
    )
    return lambda batch: make_step([batch], boxes=len(batch.boxes), epoch=0, lr=LR).loss


def make_batch(cfg: Config, clips: int) -> Batch:
    """Make a batch of noise with people somewhere in it."""
    rng = np.random.default_rng(0)
    side, classes = cfg.DATA.TRAIN_CROP_SIZE, cfg.MODEL.NUM_CLASSES
    corner = rng.random((clips * PEOPLE, 2)) * 0.5 * side
    boxes = np.concatenate([corner, corner + 0.4 * side], axis=1)
    rois = np.concatenate([np.repeat(np.arange(clips), PEOPLE)[:, None], boxes], axis=1)
    labels = (rng.random((clips * PEOPLE, classes)) < 0.03).astype(np.uint8)
    rows = np.split(np.arange(clips * PEOPLE), clips)
    return Batch(
        clips=torch.from_numpy(rng.standard_normal((clips, 3, cfg.DATA.NUM_FRAMES, side, side), np.float32)),
        boxes=torch.from_numpy(rois).float(),
        labels=torch.from_numpy(labels).float(),
        indices=tuple(range(clips)),
        keyframes=tuple(
            LabelledKeyframe("noise", float(n), boxes[row] / side, labels[row], np.ones(PEOPLE))
            for n, row in enumerate(rows)
        ),
        skipped=(),
    )


def reachable(dtype: torch.dtype, device: torch.device, clock: Callable[[], float]) -> float:
    """Return the multiply-adds per second of a large matrix product."""
    a = torch.randn(MATRIX, MATRIX, device=device).to(dtype)
    times = []
    for _ in range(4):
        began = clock()
        a @ a
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(clock() - began)
    return MATRIX**3 / min(times)


def report(
    forms: dict[str, Form], clips: int, work: int, device: torch.device, clock: Callable[[], float]
) -> None:
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16}
    peaks = {name: reachable(dtype, device, clock) for name, dtype in dtypes.items()}
    print(f"{'form':<16}{'ms':>9}{'faster':>9}{'clips/s':>10}{'peak':>8}{'memory':>10}{'loss':>9}")
    plain = forms[PLAIN].seconds
    for name, form in forms.items():
        seconds = statistics.median(form.seconds)
        ratio = statistics.median(a / b for a, b in zip(plain, form.seconds, strict=True))
        share = work / seconds / peaks[name.split()[1]]
        memory = f"{form.memory / 1e9:.1f} GB" if form.memory else "-"
        print(
            f"{name:<16}{1000 * seconds:>9.1f}{ratio:>9.2f}{clips / seconds:>10.1f}{share:>8.0%}"
            f"{memory:>10}{form.loss:>9.4f}",
            flush=True,
        )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--cfg", default="demo/slowfast_tiny")
    parser.add_argument(
        "--batch", type=int, nargs="+", default=[4], help="clips per step; several to compare"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="also through torch.compile; takes a minute")
    parser.add_argument("--cpu-time", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
