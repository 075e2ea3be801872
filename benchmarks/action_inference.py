"""Time the forms in which the action model can run, against the plain network, in interleaved runs.

    python -m benchmarks.action_inference                              R101-NL 8x8, clips of 256x340
    python -m benchmarks.action_inference --cfg ava/slowfast_4x16_r50 --size 256 454 --threads 2
    python -m benchmarks.action_inference --forms "torch fp32" "openvino fp32" --repeats 9
    python -m benchmarks.action_inference --threads 1 --cpu-time       on a machine that does other work
    python -m benchmarks.action_inference --device cuda --batch 8

The weights are those of ``ava_detect.weights.recipe``: untrained, but scaled as trained ones, so that speed
and rounding are a real network's. Every round runs each form once on the same clip; the first round warms up.
Columns:

ms        median time of a forward pass, trunk and head, for the whole batch
faster    median over the rounds of the plain network's time over this form's, in the same round
peak      multiply-adds per second (as the paper counts them) as a share of what matrix products reach here,
          in the form's own precision, in the same rounds
set-up    seconds until the first scores are there, beyond one pass: preparing, converting, compiling
memory    largest resident memory of a process that does only this, torch and model loading included
scores    largest difference of a score from the plain network's

With --cpu-time all times are processor seconds of this process.

"eager fp32" is the network as it is, which is what the published implementations run.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor

from ava_detect.acceleration.onednn import widen_strided_kernels
from ava_detect.acceleration.openvino_network import has_openvino
from ava_detect.config import Config, load_config
from ava_detect.engine.inference import prepare_for_inference
from ava_detect.engine.trunks import DTYPES
from ava_detect.models import SlowFast, build_model, estimate_cost, split_pathways
from ava_detect.models.folding import fold_batch_norms
from ava_detect.weights.recipe import fill

PLAIN = "eager fp32"
STEPS = [PLAIN, "channels-last fp32", "folded fp32", "folded-channels-last fp32"]
BACKEND_FORMS = ["torch fp32", "openvino fp32", "autocast bf16", "torch bf16", "openvino bf16"]
COMPILED = ["compile fp32", "compile bf16"]
GPU_FORMS = ["autocast fp16", "torch fp16", "compile fp16"]
FORMS = [*STEPS, *BACKEND_FORMS, *COMPILED, *GPU_FORMS]
PEOPLE = 8
MATRIX = 4096  # rows and columns; large enough for the peak, small enough to be quick

Score = Callable[[list[Tensor], Tensor], Tensor]
Clock = Callable[[], float]


@dataclass
class Run:
    """One form: how to run it, how long it took to make, and its times, one per round."""

    score: Score
    setup_s: float
    seconds: list[float] = field(default_factory=list)
    difference: float = 0.0


def main() -> None:
    args = parse_arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    cfg = load_config(args.cfg)
    clips, rois = make_input(cfg, args.size, args.batch, device)
    cost = estimate_cost(cfg, height=args.size[0], width=args.size[1]).multiply_adds * args.batch
    shape = "x".join(map(str, (cfg.DATA.NUM_FRAMES, *args.size)))
    print(f"{args.cfg}, {args.batch} x {shape}, {cost / 1e9:.1f} GMAC", flush=True)
    clock, what = (time.process_time, "processor time") if args.cpu_time else (time.perf_counter, "time")
    print(f"{machine(device)}, {torch.get_num_threads()} threads, torch {torch.__version__}; {what}")
    model = make_model(cfg)
    runs = {name: prepare(name, model, cfg, device, clips, rois, clock) for name in [PLAIN, *args.forms]}
    peaks = measure(runs, clips, rois, args.repeats, device, clock)
    memory = {name: peak_memory(name, args) for name in runs}
    print_table(runs, peaks, memory, cost)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cfg", default="ava/c2/slowfast_8x8_r101_nl", help="a network with an action head")
    parser.add_argument("--size", type=int, nargs=2, default=[256, 340], metavar=("H", "W"))
    parser.add_argument("--batch", type=int, default=1, help="clips per pass")
    parser.add_argument("--forms", nargs="+", choices=FORMS, metavar="FORM", help=f"of: {', '.join(FORMS)}")
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count")
    parser.add_argument("--threads", type=int, help="default: torch's")
    parser.add_argument("--cpu-time", action="store_true", help="measure processor time; with --threads 1")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    if args.forms is None:
        gpu = args.device != "cpu"
        args.forms = [*STEPS[1:], *(["torch fp32", *GPU_FORMS] if gpu else BACKEND_FORMS)]
        if not has_openvino():
            args.forms = [name for name in args.forms if not name.startswith("openvino")]
    args.forms = [name for name in args.forms if name != PLAIN]
    return args


def machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    known = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return f"CPU with {' '.join(known) or 'unknown instructions'}"


def make_model(cfg: Config) -> SlowFast:
    model = build_model(cfg).eval()
    fill(model)
    return model


def make_input(
    cfg: Config, size: Sequence[int], batch: int, device: torch.device
) -> tuple[list[Tensor], Tensor]:
    """Noise, and boxes of several sizes on every clip."""
    generator = torch.Generator().manual_seed(0)
    clip = torch.randn(batch, 3, cfg.DATA.NUM_FRAMES, *size, generator=generator)
    corners = torch.rand(batch * PEOPLE, 2, 2, generator=generator).sort(dim=1).values  # [R, 2, (x, y)]
    boxes = (corners * torch.tensor([size[1], size[0]])).flatten(1)  # [R, 4]
    index = torch.arange(batch).repeat_interleave(PEOPLE)[:, None]
    rois = torch.cat([index, boxes], dim=1)
    return [x.to(device) for x in split_pathways(clip, cfg)], rois.to(device)


def prepare(
    name: str,
    model: SlowFast,
    cfg: Config,
    device: torch.device,
    clips: list[Tensor],
    rois: Tensor,
    clock: Clock,
) -> Run:
    """Make a form and run it twice: the set-up is what making it and the first pass take beyond a pass."""
    started = clock()
    score = make_form(name, model, cfg, device)
    score(clips, rois)
    synchronise(device)
    first = clock()
    score(clips, rois)
    synchronise(device)
    one_pass = clock() - first
    return Run(score, max(0.0, first - started - one_pass))


def make_form(name: str, model: SlowFast, cfg: Config, device: torch.device) -> Score:
    form, precision = name.rsplit(" ", 1)
    if form in ("torch", "openvino", "compile"):
        example = split_pathways(torch.zeros(1, 5, cfg.DATA.NUM_FRAMES, 64, 64), cfg)
        return prepare_for_inference(model, device, precision, form, example=example)
    network = copy.deepcopy(model)
    if form.startswith("folded"):
        network = fold_batch_norms(network)
    widen_strided_kernels(network)  # or autocast crashes with SlowFast 4x16
    layout = torch.channels_last_3d if form.endswith("channels-last") else torch.contiguous_format
    network.to(device, memory_format=layout)
    half = precision != "fp32"

    def score(clips: list[Tensor], rois: Tensor) -> Tensor:
        with torch.inference_mode(), torch.autocast(device.type, DTYPES[precision], enabled=half):
            return network([x.contiguous(memory_format=layout) for x in clips], rois).float()

    return score


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(
    runs: dict[str, Run],
    clips: list[Tensor],
    rois: Tensor,
    repeats: int,
    device: torch.device,
    clock: Clock,
) -> dict[str, list[float]]:
    """Run everything in turn, so that what else the machine does falls on all alike.

    Returns:
        Precision -> multiply-adds per second of a matrix product, one per round.
    """
    expected = runs[PLAIN].score(clips, rois)
    for run in runs.values():
        run.difference = float((run.score(clips, rois) - expected).abs().max())
    precisions = sorted({name.rsplit(" ", 1)[1] for name in runs})
    peaks: dict[str, list[float]] = {precision: [] for precision in precisions}
    for turn in range(repeats + 1):
        for precision in precisions:
            rate = matrix_rate(precision, device, clock)
            if turn:
                peaks[precision].append(rate)
        for run in runs.values():
            started = clock()
            run.score(clips, rois)
            synchronise(device)
            if turn:
                run.seconds.append(clock() - started)
    return peaks


def matrix_rate(precision: str, device: torch.device, clock: Clock) -> float:
    """Multiply-adds per second of a large matrix product; the best of three."""
    matrix = torch.ones(MATRIX, MATRIX, dtype=DTYPES[precision], device=device)
    seconds = []
    for _ in range(3):
        started = clock()
        matrix @ matrix
        synchronise(device)
        seconds.append(clock() - started)
    return MATRIX**3 / min(seconds)


def peak_memory(name: str, args: argparse.Namespace) -> float:
    """Gigabytes that a new process takes at most to load the network and run one form of it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        return processes.submit(run_alone, name, args).result()


def run_alone(name: str, args: argparse.Namespace) -> float:
    if args.threads:
        torch.set_num_threads(args.threads)
    device, cfg = torch.device(args.device), load_config(args.cfg)
    clips, rois = make_input(cfg, args.size, args.batch, device)
    score = make_form(name, make_model(cfg), cfg, device)
    score(clips, rois)
    score(clips, rois)
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    status = Path("/proc/self/status").read_text()  # getrusage would begin with the parent's maximum
    return int(status.split("VmHWM:")[1].split()[0]) / 1e6  # kilobytes


def print_table(
    runs: dict[str, Run], peaks: dict[str, list[float]], memory: dict[str, float], cost: int
) -> None:
    rates = {precision: statistics.median(values) for precision, values in peaks.items()}
    for precision, rate in rates.items():
        print(f"matrix product {precision}: {rate / 1e9:.0f} GMAC/s")
    print(f"\n| {'form':25} |     ms | faster | peak | set-up s | memory GB | scores |")
    print(f"|{'-' * 27}|-------:|-------:|-----:|---------:|----------:|-------:|")
    for name, run in runs.items():
        ratio = statistics.median(
            plain / own for plain, own in zip(runs[PLAIN].seconds, run.seconds, strict=True)
        )
        pairs = zip(peaks[name.rsplit(" ", 1)[1]], run.seconds, strict=True)
        share = statistics.median(cost / seconds / rate for rate, seconds in pairs)
        print(
            f"| {name:25} | {statistics.median(run.seconds) * 1e3:6.0f} | {ratio:5.2f}x | {share:4.0%} "
            f"| {run.setup_s:8.1f} | {memory[name]:9.2f} | {run.difference:6.0e} |"
        )


if __name__ == "__main__":
    main()
