"""Person ids and boxes between keyframes on drawn scenes, followed through the pictures and not.

    python -m benchmarks.tracking scenes/videos/*.mp4
    python -m benchmarks.tracking scenes/videos/*.mp4 --detector embedded

The scenes are those of ``python -m ava_detect.data.scenes``; their names tell their seeds, and these who is
where at any time. Without ``--detector`` the boxes on keyframes are the true ones of people who can be seen,
moved by a few per cent, and some are missing, by chance and the same for both. Printed for keyframes alone
and for following: IDF1 (share of boxes with the right id, after the best one-to-one assignment of ids;
Ristani et al. 2016), how often a person's id changes, how well boxes between keyframes overlap the true ones
(a straight line between two keyframes with the same id, or the path), and what following costs.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from ava_detect.data.scenes import Scene, generate_scene
from ava_detect.engine.keyframe_clips import KeyframeClip, keyframe_clips
from ava_detect.engine.person_tracks import STEP_S, PersonTracks
from ava_detect.output.results import PersonPath
from ava_detect.video.keyframes import KeyframeGrid
from ava_detect.video.reader import VideoReader
from ava_detect.video.transforms import resize_short_side
from evaluation.boxes import pairwise_iou
from person_detector import PersonBoxes

MATCH_IOU = 0.5
JITTER = 0.03  # of a side, standard deviation
MISSED = 0.1
SHORT_SIDE = 256

Detect = Callable[[KeyframeClip, np.ndarray], PersonBoxes]


@dataclass(frozen=True)
class Tracked:
    """One keyframe: true boxes by actor (NaN: hidden), found boxes, their ids, paths since the one before."""

    time: float
    truth: np.ndarray
    people: PersonBoxes
    ids: np.ndarray
    paths: tuple[PersonPath, ...]


def main() -> None:
    args = parse_arguments()
    cv2.setNumThreads(1)
    detect = detector_named(args.detector) if args.detector else drawn_detector(seed=0)
    keyframes, between, seconds = {True: [], False: []}, {True: [], False: []}, 0.0
    length = 0.0
    for path in args.videos:
        scene = scene_of(path)
        clips = list(clips_of(path))
        truths = true_boxes(scene, [clip.frame_time for clip in clips])
        found = [detect(clip, truth) for clip, truth in zip(clips, truths, strict=True)]
        length += clips[-1].frame_time
        for follows in (False, True):
            started = time.process_time()
            tracked = track(clips, truths, found, follows=follows)
            seconds += (time.process_time() - started) * (1 if follows else -1)
            keyframes[follows].append(tracked)
            between[follows] += list(overlaps_between(scene, tracked))
    for follows, name in ((False, "keyframes alone"), (True, "followed")):
        results, overlap = keyframes[follows], np.array(between[follows])
        print(
            f"{name:<16} IDF1 {100 * idf1(results):.1f}, {switches(results)} changes of id,"
            f" IoU between keyframes {overlap.mean():.3f}"
            f" (worst tenth {np.percentile(overlap, 10):.3f}, {len(overlap):,} boxes)"
        )
    print(f"following took {1000 * seconds / length:.0f} ms of one core per second of video, decoding aside")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--detector", help="zoo name or file, instead of the true boxes")
    return parser.parse_args()


def scene_of(path: Path) -> Scene:
    grade, seed = path.stem.rsplit("-", 1)
    return generate_scene(int(seed), grade)


def clips_of(path: Path) -> Iterator[KeyframeClip]:
    with VideoReader(path, threads=1) as video:
        yield from keyframe_clips(
            video,
            KeyframeGrid(1.0),
            offsets=np.zeros(1),
            resize=lambda image: resize_short_side(image, SHORT_SIDE),
            step_s=STEP_S,
        )


def true_boxes(scene: Scene, times: Sequence[float]) -> np.ndarray:
    """Return [F, A, 4] the boxes of the actors in pixels, NaN where too little of them is visible."""
    boxes = np.full((len(times), len(scene.actors), 4), np.nan)
    for frame, people in enumerate(scene.seen(times)):
        for actor, seen in enumerate(people):
            if seen.box is not None and seen.share >= scene.grade.min_visible_share:
                boxes[frame, actor] = seen.box
    return boxes


def drawn_detector(seed: int) -> Detect:
    """Return a detector that sees the truth, nearly."""
    random = np.random.default_rng(seed)

    def detect(_: KeyframeClip, truth: np.ndarray) -> PersonBoxes:
        boxes = truth[~np.isnan(truth[:, 0])]
        sizes = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        boxes = boxes + JITTER * sizes * random.standard_normal(boxes.shape)
        boxes = boxes[random.random(len(boxes)) >= MISSED]
        return PersonBoxes(boxes.astype(np.float32), np.linspace(0.99, 0.9, len(boxes), dtype=np.float32))

    return detect


def detector_named(name: str) -> Detect:
    from person_detector import build_person_detector

    detector = build_person_detector(name)
    return lambda clip, _: detector.detect(clip.image)


def track(
    clips: Sequence[KeyframeClip], truths: np.ndarray, found: Sequence[PersonBoxes], *, follows: bool
) -> list[Tracked]:
    tracks, results = PersonTracks(), []
    for clip, truth, people in zip(clips, truths, found, strict=True):
        ids, paths = tracks.update(clip if follows else replace(clip, steps=None), people)
        results.append(Tracked(clip.frame_time, truth, people, ids, paths))
    return results


def matches(keyframe: Tracked) -> list[tuple[int, int]]:
    """Return (actor, id) of the found boxes that lie on an actor."""
    actors = np.flatnonzero(~np.isnan(keyframe.truth[:, 0]))
    if not len(actors) or not len(keyframe.ids):
        return []
    overlap = iou_table(keyframe.truth[actors], keyframe.people.boxes)
    pairs = zip(*linear_sum_assignment(-overlap), strict=True)
    return [
        (int(actors[row]), int(keyframe.ids[column]))
        for row, column in pairs
        if overlap[row, column] >= MATCH_IOU
    ]


def iou_table(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    rows, columns = np.indices((len(boxes), len(others))).reshape(2, -1)
    return pairwise_iou(boxes[rows], np.asarray(others, np.float64)[columns]).reshape(len(boxes), len(others))


def idf1(scenes: Sequence[Sequence[Tracked]]) -> float:
    right = true = found = 0
    for keyframes in scenes:
        pairs = Counter(pair for keyframe in keyframes for pair in matches(keyframe))
        actors, ids = sorted({actor for actor, _ in pairs}), sorted({number for _, number in pairs})
        table = np.array([[pairs[actor, number] for number in ids] for actor in actors]).reshape(
            len(actors), len(ids)
        )
        right += int(table[linear_sum_assignment(-table)].sum())
        true += sum(int((~np.isnan(keyframe.truth[:, 0])).sum()) for keyframe in keyframes)
        found += sum(len(keyframe.ids) for keyframe in keyframes)
    return 2 * right / (true + found)


def switches(scenes: Sequence[Sequence[Tracked]]) -> int:
    count = 0
    for keyframes in scenes:
        last: dict[int, int] = {}
        for keyframe in keyframes:
            for actor, number in matches(keyframe):
                count += last.get(actor, number) != number
                last[actor] = number
    return count


def overlaps_between(scene: Scene, keyframes: Sequence[Tracked]) -> Iterator[float]:
    """Yield how well the boxes of a person between two keyframes that both show it overlap the true ones."""
    for before, after in pairwise(keyframes):
        then, now = dict(matches(before)), dict(matches(after))
        same = [actor for actor in then.keys() & now.keys() if then[actor] == now[actor]]
        times = np.linspace(before.time, after.time, 11)[1:-1]
        truths = true_boxes(scene, times.tolist())
        for actor in sorted(same):
            boxes = path_of(then[actor], before, after, times)
            visible = ~np.isnan(truths[:, actor, 0])
            yield from pairwise_iou(boxes[visible], truths[visible, actor]).tolist()


def path_of(person_id: int, before: Tracked, after: Tracked, times: np.ndarray) -> np.ndarray:
    """Return the boxes [S, 4] of a person at some times: along the path, else on a straight line."""
    known = [(before.time, before.people.boxes[before.ids == person_id][0])]
    for path in after.paths:
        if path.person_id == person_id:
            known += list(zip(path.times.tolist(), path.boxes, strict=True))
    known.append((after.time, after.people.boxes[after.ids == person_id][0]))
    stamps, boxes = np.array([stamp for stamp, _ in known]), np.array([box for _, box in known])
    return np.stack([np.interp(times, stamps, boxes[:, edge]) for edge in range(4)], axis=1)


if __name__ == "__main__":
    main()
