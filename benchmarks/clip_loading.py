"""Clips per second from videos, from prepared copies, from JPEG frames, and with a plain OpenCV loader.

    python -m benchmarks.clip_loading [VIDEO ...] [--clips 24] [--rounds 3] [--processes 1 2]

Without VIDEO four scenes are drawn first. Copies and frames are made in a temporary folder; frames as the
published extraction makes them: 30 per second, full size, ``-q:v 1``. All roads read the same training clips
(32 frames, two apart, short side 256 to 320, crop 224) in turns, so that a busy machine slows them alike.
Prints clips per second of processor time, with the ratio to JPEG frames, what each takes on disk, and how
reading scales with processes.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from ava_detect.data.annotations import Annotations
from ava_detect.data.clip_dataset import ClipDataset, ClipItem, ClipKey, collate
from ava_detect.data.clip_sources import ClipSource, FrameFolder, VideoFolder
from ava_detect.data.clip_views import Pixels, TrainingView
from ava_detect.data.jpeg_size import extracted_jpeg
from ava_detect.data.preparation import CopySettings, copy_video
from ava_detect.data.scenes import generate_scene, write_scene
from ava_detect.video.clip_sampler import ClipSampler, nearest_frame_indices
from ava_detect.video.reader import VideoReader
from ava_detect.video.writer import VideoWriter

FRAMES, RATE, FPS = 32, 2, 30
SHORT_SIDES, CROP = (256, 320), 224
MEAN, STD = (0.45,) * 3, (0.225,) * 3


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        videos = _collect(arguments.videos, work, arguments.enlarge)
        sources, sizes = _make(videos, work, arguments.gop)
        annotations = _keyframes(videos, arguments.clips)
        roads: dict[str, Callable[[int], object]] = {
            name: _reader(annotations, source) for name, source in sources.items()
        }
        roads["plain OpenCV loader"] = lambda index: plain_clip(work / "videos", annotations, index)
        seconds = _race(roads, len(annotations), arguments.rounds)
        _print_race(seconds, sizes, len(annotations))
        for name in ("prepared copies", "JPEG frames") if arguments.processes else ():
            _print_scaling(name, annotations, sources[name], arguments.processes)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare ways to read training clips.")
    parser.add_argument("videos", nargs="*", type=Path, metavar="VIDEO", help="at least four seconds each")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gop", type=int, default=24, help="of the prepared copies")
    parser.add_argument("--enlarge", type=float, default=1, help="make larger originals of the videos first")
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2])
    return parser.parse_args()


def _collect(given: Sequence[Path], work: Path, enlarge: float) -> dict[str, Path]:
    """Put the videos, or scenes, into one folder."""
    folder, drawn = work / "videos", work / "drawn"
    folder.mkdir()
    drawn.mkdir()
    for seed in range(0 if given else 4):
        write_scene(generate_scene(seed, "standard"), drawn)
    for path in [*given, *sorted(drawn.iterdir())]:
        if enlarge == 1:
            (folder / path.name).symlink_to(path.resolve())
        else:
            _enlarged(path, folder / f"{path.stem}.mp4", enlarge)
    return {path.stem: path for path in sorted(folder.iterdir())}


def _enlarged(path: Path, target: Path, factor: float) -> None:
    with VideoReader(path) as video, VideoWriter(target, fps=video.info.fps) as writer:
        for frame in video:
            image = cv2.resize(frame.image(), None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
            writer.write(image, frame.time)


def _make(videos: dict[str, Path], work: Path, gop: int) -> tuple[dict[str, ClipSource], dict[str, int]]:
    """Make copies and frames; returns the sources by name, and their bytes."""
    for name in ("copies", "frames"):
        (work / name).mkdir()
    lines = ["original_vido_id video_id frame_id path labels"]
    for number, (video_id, path) in enumerate(videos.items()):
        copy_video(path, work / "copies" / f"{video_id}.mp4", CopySettings(gop=gop))
        names = _extract(path, work / "frames" / video_id)
        lines += [f'{video_id} {number} {place} {name} ""' for place, name in enumerate(names)]
    (work / "frames.csv").write_text("\n".join(lines) + "\n")
    sources: dict[str, ClipSource] = {
        "original videos": VideoFolder(work / "videos", index_folder=work / "index"),
        "prepared copies": VideoFolder(work / "copies", index_folder=work / "index"),
        "JPEG frames": FrameFolder(work / "frames", [work / "frames.csv"]),
    }
    folders = ("videos", "copies", "frames")
    return sources, {name: _bytes(work / folder) for name, folder in zip(sources, folders, strict=True)}


def _extract(path: Path, folder: Path) -> Iterator[str]:
    """Write the frames nearest to every 1/30 s; yields their names."""
    folder.mkdir()
    with VideoReader(path) as video:
        frames = [(frame.time, frame.image()) for frame in video]
    times = np.array([time for time, _ in frames])
    wanted = np.arange(int(times[-1] * FPS) + 1) / FPS
    for number, place in enumerate(nearest_frame_indices(times, wanted), 1):
        name = f"{folder.name}/{folder.name}_{number:06d}.jpg"
        (folder.parent / name).write_bytes(extracted_jpeg(frames[place][1]))
        yield name


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _keyframes(videos: dict[str, Path], count: int) -> Annotations:
    """Choose whole seconds at random, one person each."""
    rng = np.random.default_rng(0)
    names = tuple(videos)
    chosen = np.sort(rng.integers(0, len(names), count))
    return Annotations(
        class_ids=(1,),
        video_names=names,
        videos=chosen,
        seconds=rng.integers(2, 9, count).astype(float),
        starts=np.arange(count + 1),
        boxes=np.tile([0.2, 0.2, 0.6, 0.9], (count, 1)),
        labels=np.ones((count, 1), np.uint8),
        scores=np.ones(count),
    )


def _dataset(annotations: Annotations, source: ClipSource) -> ClipDataset:
    view = TrainingView(Pixels(MEAN, STD), SHORT_SIDES, crop=CROP)
    return ClipDataset(annotations, source, ClipSampler(FRAMES, RATE, FPS), view)


def _reader(annotations: Annotations, source: ClipSource) -> Callable[[int], object]:
    dataset = _dataset(annotations, source)

    def read(index: int) -> object:
        item = dataset[ClipKey(0, index)]
        assert isinstance(item, ClipItem), item
        return item

    return read


def plain_clip(folder: Path, annotations: Annotations, index: int) -> torch.Tensor:
    """Read a clip as most loaders do: seek by frame number, decode, resize, crop, convert."""
    rng = np.random.default_rng(index)
    keyframe = annotations[index]
    capture = cv2.VideoCapture(str(folder / f"{keyframe.video_id}.mp4"))
    fps, total = capture.get(cv2.CAP_PROP_FPS), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    offsets = ClipSampler(FRAMES, RATE, FPS).offsets
    places = np.clip(np.round((keyframe.second + offsets) * fps).astype(int), 0, total - 1).tolist()
    capture.set(cv2.CAP_PROP_POS_FRAMES, places[0])
    side, frames = int(rng.integers(*SHORT_SIDES)), {}
    for place in range(places[0], places[-1] + 1):
        capture.grab()
        if place in places:
            frame = cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB)
            scale = side / min(frame.shape[:2])
            size = max(side, round(frame.shape[1] * scale)), max(side, round(frame.shape[0] * scale))
            frames[place] = cv2.resize(frame, size)
    clip = torch.from_numpy(np.stack([frames[place] for place in places]))
    y, x = (int(rng.integers(0, length - CROP + 1)) for length in clip.shape[1:3])
    clip = clip[:, y : y + CROP, x : x + CROP].permute(3, 0, 1, 2).float() / 255
    return (clip - torch.tensor(MEAN).view(3, 1, 1, 1)) / torch.tensor(STD).view(3, 1, 1, 1)


def _race(roads: dict[str, Callable[[int], object]], count: int, rounds: int) -> dict[str, float]:
    """Return the median processor seconds of a round of each road; they take turns clip by clip."""
    for read in roads.values():
        read(0)
    taken: dict[str, list[float]] = {name: [] for name in roads}
    for _ in range(rounds):
        spent = dict.fromkeys(roads, 0.0)
        for index in range(count):
            for name, read in roads.items():
                begun = time.process_time()
                read(index)
                spent[name] += time.process_time() - begun
        for name, seconds in spent.items():
            taken[name].append(seconds)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _print_race(seconds: dict[str, float], sizes: dict[str, int], count: int) -> None:
    jpeg_s, jpeg_bytes = seconds["JPEG frames"], sizes["JPEG frames"]
    print(f"{'':22}{'clips/s':>8}{'to JPEG':>9}{'on disk':>12}{'to JPEG':>9}")
    for name, taken in seconds.items():
        size = sizes.get(name)
        disk = f"{size / 1e6:9.1f} MB{size / jpeg_bytes:9.3f}" if size else ""
        print(f"{name:22}{count / taken:8.1f}{jpeg_s / taken:9.2f}{disk}")


def _print_scaling(name: str, annotations: Annotations, source: ClipSource, processes: Sequence[int]) -> None:
    """Print clips per second by the clock for several numbers of loading processes."""
    told = []
    for workers in processes:
        keys = [ClipKey(0, index) for index in range(len(annotations))]
        loader = DataLoader(
            _dataset(annotations, source),
            batch_sampler=[keys[place : place + 4] for place in range(0, len(keys), 4)],
            num_workers=workers,
            collate_fn=collate,
            persistent_workers=True,
            multiprocessing_context="spawn",
            worker_init_fn=_one_thread,
        )
        list(loader)  # starts the processes
        begun = time.perf_counter()
        read = sum(len(batch) for batch in loader)
        told.append(f"{read / (time.perf_counter() - begun):.1f} with {workers}")
    print(f"{name}: clips/s by the clock: {', '.join(told)} processes")


def _one_thread(_: int) -> None:
    cv2.setNumThreads(1)


if __name__ == "__main__":
    main()
