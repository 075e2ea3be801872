"""Time per keyframe of the person detector, against Detectron2's DefaultPredictor, in interleaved runs.

    python -m benchmarks.person_detector                                    R50-FPN at 800, 640, 480
    python -m benchmarks.person_detector --weights embedded --short-side 320 224 160
    python -m benchmarks.person_detector --weights faster-rcnn-r50-fpn-coco --image frame.jpg

Without ``--weights`` the detector has one class and the weights of ``person_detector.recipe``: the work is
that of a trained one (1000 proposals, a hundred detections), but the boxes mean nothing, so how well two
variants agree says little about trained weights. Prints, for every short side, the median time of all
variants and its ratio to DefaultPredictor's, how many of DefaultPredictor's people each variant finds again
(a box that overlaps by 0.9), and the stages of the exact mode.
"""

import argparse
import pickle
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import torch

from ava_detect.weights import ZooEntry, fetch_weights, find_weights
from ava_detect.weights.safe_read import read_detector_checkpoint
from person_detector import PersonBoxes, PersonDetector, build_person_detector
from person_detector.detectron2_import import require_detectron2

Clock = Callable[[], float]

VARIANTS = {
    "exact": {},
    "exact, OpenVINO": {"backend": "openvino"},
    "fast, torch": {"mode": "fast", "backend": "torch"},
    "fast": {"mode": "fast"},
    "exact, bf16": {"precision": "bf16"},
    "fast, bf16": {"mode": "fast", "precision": "bf16"},
}
LOWEST_SCORE = 0.05
SAME_IOU = 0.9


def main() -> None:
    args = parse_arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    clock = time.process_time if args.cpu_time else time.perf_counter
    require_detectron2()
    image = cv2.imread(str(args.image)) if args.image else textured_picture(720, 1280)
    what = "processor time" if args.cpu_time else "time"
    print(f"{image.shape[1]}x{image.shape[0]} picture, {torch.get_num_threads()} threads, {what}")
    with tempfile.TemporaryDirectory() as folder:
        if args.weights:
            entry = find_weights(args.weights, kind="persons")
        else:
            entry = find_weights(recipe_file(args.config, folder))
        for short_side in args.short_side:
            compare(image, entry, args, short_side, clock)
    print_roi_align(args.repeats, clock)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", default="COCO-Detection/faster_rcnn_R_50_FPN_3x")
    parser.add_argument("--weights", help="zoo name or file; default: weights without training")
    parser.add_argument("--image", type=Path, help="default: a textured picture of 1280x720")
    parser.add_argument("--short-side", type=int, nargs="+", default=[800, 640, 480])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, help="default: torch's")
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="processor seconds instead: with --threads 1 fair on a machine that does other work",
    )
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    return parser.parse_args()


def textured_picture(height: int, width: int) -> np.ndarray:
    """A BGR picture with structure at several scales."""
    rng = np.random.default_rng(0)
    picture = np.zeros((height, width, 3))
    for cells, weight in ((4, 0.5), (16, 0.3), (80, 0.2)):
        coarse = rng.integers(0, 256, (cells * height // width + 1, cells, 3), np.uint8)
        picture += weight * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return picture.clip(0, 255).astype(np.uint8)


def recipe_file(config: str, folder: str) -> Path:
    """Write a checkpoint with the weights of the recipe, in the layout of Detectron2's model zoo."""
    from detectron2.modeling import build_model

    from person_detector.architecture import load_detector_config
    from person_detector.recipe import fill_detector

    cfg = load_detector_config(config)
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = 1  # so that every detection is a person
    model = build_model(cfg)
    fill_detector(model)
    path = Path(folder, "recipe.pkl")
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    path.write_bytes(pickle.dumps({"model": weights, "__author__": "recipe"}))
    return path


def compare(
    image: np.ndarray, entry: ZooEntry, args: argparse.Namespace, short_side: int, clock: Clock
) -> None:
    common = {"threshold": LOWEST_SCORE, "short_side": short_side, "device": "cpu"}
    detectors = {name: build_person_detector(entry, **common, **VARIANTS[name]) for name in args.only}
    reference = default_predictor(entry, args.config, short_side)
    runs: dict[str, Callable[[np.ndarray], PersonBoxes]] = {"DefaultPredictor": reference}
    runs |= {name: detector.detect for name, detector in detectors.items()}
    seconds = interleaved_medians(runs, image, args.repeats, clock)
    expected = reference(image)
    print(f"\nshort side {short_side}")
    print(f"  {'':20} {'ms':>7} {'ratio':>6} {'faster':>7}   same boxes of {len(expected)}")
    for name, run in runs.items():
        ratio = seconds[name] / seconds["DefaultPredictor"]
        same = count_same(expected, run(image))
        print(f"  {name:20} {seconds[name] * 1e3:7.0f} {ratio:6.2f} {1 / ratio:6.2f}x   {same}")
    if "exact" in detectors:
        print_stages(detectors["exact"], image, args.repeats, clock)


def default_predictor(entry: ZooEntry, config: str, short_side: int) -> Callable[[np.ndarray], PersonBoxes]:
    """Detectron2's own way from a picture to people."""
    from detectron2.engine import DefaultPredictor

    from person_detector.architecture import load_detector_config, parse_detector_config

    if entry.persons and entry.persons.enclosed_config:
        cfg = parse_detector_config(entry.persons.enclosed_config, entry.name)
    else:
        cfg = load_detector_config(entry.persons.detectron2_config if entry.persons else config)
    if not entry.persons:
        cfg.MODEL.ROI_HEADS.NUM_CLASSES = 1
    cfg.MODEL.DEVICE, cfg.INPUT.MIN_SIZE_TEST = "cpu", short_side
    with tempfile.TemporaryDirectory() as folder:
        cfg.MODEL.WEIGHTS = readable_by_detectron2(fetch_weights(entry), folder)
        predictor = DefaultPredictor(cfg)

    def detect(image: np.ndarray) -> PersonBoxes:
        found = predictor(image)["instances"]
        people = found[found.pred_classes == 0]
        return PersonBoxes(people.pred_boxes.tensor.numpy(), people.scores.numpy())

    return detect


def readable_by_detectron2(weights: Path, folder: str) -> str:
    """Return a file that Detectron2's own loader takes: safetensors it does not."""
    if weights.suffix != ".safetensors":
        return str(weights)
    tensors = read_detector_checkpoint(weights)
    path = Path(folder, "weights.pth")
    torch.save({"model": {name: torch.from_numpy(array).float() for name, array in tensors.items()}}, path)
    return str(path)


def interleaved_medians(
    runs: dict[str, Callable[[np.ndarray], PersonBoxes]], image: np.ndarray, repeats: int, clock: Clock
) -> dict[str, float]:
    """Run all in turn, so that what else the machine does falls on all alike; the first turn warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            started = clock()
            run(image)
            if turn:
                seconds[name].append(clock() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def count_same(expected: PersonBoxes, found: PersonBoxes) -> int:
    """Count the expected boxes that have a found one over them."""
    from torchvision.ops import box_iou

    if not len(expected) or not len(found):
        return 0
    overlap = box_iou(torch.from_numpy(expected.boxes), torch.from_numpy(found.boxes))
    return int((overlap.amax(1) >= SAME_IOU).sum())


def print_stages(detector: PersonDetector, image: np.ndarray, repeats: int, clock: Clock) -> None:
    network = detector.network
    seconds: dict[str, list[float]] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        started = clock()
        yield
        seconds.setdefault(name, []).append(clock() - started)

    for _ in range(repeats):
        with torch.inference_mode():
            with stage("resize"):
                picture = detector.resize(image)
            with stage("normalise"):
                images = network.normalise([picture])
            with stage("trunk: backbone, pyramid, RPN head"):
                output = network.trunk(images)
            with stage("proposals"):
                proposals = network.propose(images, output)
            with stage("box head"):
                results = network.classify(images, output, proposals)
            with stage("people"):
                detector.people(results[0], image.shape[:2])
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print("  stages of the exact mode:")
    for name, value in medians.items():
        print(f"    {name:36} {value * 1e3:7.1f} ms  {value / sum(medians.values()):4.0%}")


def print_roi_align(repeats: int, clock: Clock) -> None:
    """Pool 250 boxes of people's shape from a 214x120 map of 256 channels, with torchvision and with ours."""
    from torchvision.ops import roi_align

    from person_detector.roi_pool import roi_align_rows

    generator = torch.Generator().manual_seed(0)
    feature = torch.randn(1, 256, 120, 214, generator=generator)
    corner = torch.rand(250, 2, generator=generator) * torch.tensor([700.0, 300.0])
    size = torch.rand(250, 1, generator=generator) * torch.tensor([[60.0, 130.0]]) + 20
    rois = torch.cat([torch.zeros(250, 1), corner, corner + size], 1)
    table = feature.permute(0, 2, 3, 1).contiguous()
    seconds: dict[str, list[float]] = {"torchvision": [], "ours": []}
    with torch.inference_mode():
        for _ in range(repeats):
            started = clock()
            roi_align(feature, rois, 7, 1 / 4, sampling_ratio=0, aligned=True)
            middle = clock()
            roi_align_rows(table, rois, scale=1 / 4, bins=7)
            seconds["torchvision"].append(middle - started)
            seconds["ours"].append(clock() - middle)
    milliseconds = {name: statistics.median(values) * 1e3 for name, values in seconds.items()}
    ratio = milliseconds["ours"] / milliseconds["torchvision"]
    print(f"\nRoIAlign, 250 boxes: {milliseconds['torchvision']:.1f} ms with torchvision, ", end="")
    print(f"{milliseconds['ours']:.1f} ms with ours, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
