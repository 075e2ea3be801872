"""From a video file to people and actions, one keyframe after the other.

``VideoReader`` -> ``keyframe_clips`` (in a thread of its own) -> person boxes on the keyframe -> SlowFast
scores of the clip around it -> person ids. Nothing is kept but the frames that the next clips still need, so
memory does not depend on the length of the video.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from math import nan
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ava_detect.config import Config
from ava_detect.engine.box_confidence import weigh_by_boxes
from ava_detect.engine.device import pick_device, pick_precision
from ava_detect.engine.inference import prepare_for_inference
from ava_detect.engine.keyframe_clips import KeyframeClip, keyframe_clips, told_at_keyframes
from ava_detect.engine.person_tracks import STEP_S, PersonTracks
from ava_detect.engine.prefetch import prefetch
from ava_detect.models import SlowFast, split_pathways
from ava_detect.output.results import KeyframeResult, PersonPath
from ava_detect.video.clip_sampler import ClipSampler
from ava_detect.video.keyframes import KeyframeGrid
from ava_detect.video.reader import VideoReader
from ava_detect.video.transforms import (
    ChannelOrder,
    clip_boxes,
    normalise_clip,
    resize_short_side,
    scale_boxes,
)
from person_detector import PersonBoxes

FindPeople = Callable[[str, Sequence[KeyframeClip]], Sequence[PersonBoxes]]
"""(video id, keyframes) -> the people on each, boxes in pixels of its ``image``."""

_EXAMPLE_PX = 64  # a clip this large tells OpenVINO what the network does; real ones have any size


class Predictor:
    """Finds people and scores their actions on the keyframes of videos.

    Args:
        cfg: of the action model; says how clips are sampled, resized and normalised.
        model: from ``build_model(cfg)``, with its weights.
        find_people: the person detector, or boxes from a file.
        every: seconds between keyframes.
        start, end: keyframes lie at start + k * every, up to and including ``end`` (None: the video's end).
        person_thresh: people below this score are dropped.
        device, precision: see ``pick_device`` and ``pick_precision``.
        backend: what runs the network; see ``engine.inference``.
        keyframes: how many there will be in all videos, if that is known; decides what backend "auto" is.
        batch: keyframes per forward pass; None: 1 on a CPU, 8 elsewhere.
        track: give the same person the same id through a video, and follow people between keyframes.
    """

    def __init__(
        self,
        cfg: Config,
        model: SlowFast,
        find_people: FindPeople,
        *,
        every: float = 1.0,
        start: float = 0.0,
        end: float | None = None,
        person_thresh: float = 0.8,
        device: str = "auto",
        precision: str = "auto",
        backend: str = "auto",
        keyframes: int | None = None,
        batch: int | None = None,
        track: bool = True,
    ) -> None:
        self.cfg, self.find_people = cfg, find_people
        self.device = pick_device(device)
        self.precision = pick_precision(precision, self.device)
        self.grid = KeyframeGrid(every, start=start, end=end)
        self.person_thresh, self.track = person_thresh, track
        self.batch = batch or (1 if self.device.type == "cpu" else 8)
        self.sampler = ClipSampler(cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE, cfg.DATA.TARGET_FPS)
        self.num_classes = cfg.MODEL.NUM_CLASSES
        # optical flow, for the pathways that see it, comes along as two channels and need not be computed
        example = split_pathways(torch.zeros(1, 5, cfg.DATA.NUM_FRAMES, _EXAMPLE_PX, _EXAMPLE_PX), cfg)
        self._model = prepare_for_inference(
            model, self.device, self.precision, backend, example=example, keyframes=keyframes
        )
        self.backend = self._model.backend

    def predict(self, path: str | Path) -> Iterator[KeyframeResult]:
        """Yield the results of one video in the order of time.

        Raises:
            VideoError: the file cannot be opened or is not a video. Damage inside the video ends the results
                early; ``VideoReader.damage`` tells (see ``VideoRun`` to have both).
        """
        with VideoReader(path) as video:
            yield from VideoRun(self, video, Path(path).stem)

    def score(self, clips: Sequence[KeyframeClip], boxes: Sequence[np.ndarray]) -> np.ndarray:
        """Return the action scores of people on keyframes of one video.

        Args:
            clips: N keyframes with frames of one size.
            boxes: N arrays [R_n, 4], pixels of the full-resolution keyframe.

        Returns:
            [sum of R_n, K] float32 in the order of the boxes.
        """
        occupied = [n for n, people in enumerate(boxes) if len(people)]
        if not occupied:
            return np.zeros((0, self.num_classes), np.float32)
        clip = torch.stack([self._normalised(clips[n].frames) for n in occupied]).to(self.device)
        rois = torch.cat([_rois(row, clips[n], boxes[n]) for row, n in enumerate(occupied)]).to(self.device)
        return self._model(split_pathways(clip, self.cfg), rois).cpu().numpy()

    def _normalised(self, frames: np.ndarray) -> Tensor:
        """Turn [T, H, W, 3] uint8 frames into the network's [3, T, H, W]."""
        order = ChannelOrder.BGR if self.cfg.AVA.BGR else ChannelOrder.RGB
        return normalise_clip(frames, self.cfg.DATA.MEAN, self.cfg.DATA.STD, order=order)

    def resize(self, image: np.ndarray) -> np.ndarray:
        """Resize a full picture [H, W, 3] to the test size of the action model."""
        return resize_short_side(image, self.cfg.DATA.TEST_CROP_SIZE)


def _rois(row: int, clip: KeyframeClip, boxes: np.ndarray) -> Tensor:
    """Boxes of one keyframe as RoIs [R, 5] (row of the batch, x1, y1, x2, y2) in pixels of the clip.

    They are limited to the picture before and after, as in training and tests: the same boxes get the same
    scores.
    """
    full, small = clip.image.shape[:2], clip.frames.shape[1:3]
    scaled = clip_boxes(scale_boxes(clip_boxes(boxes, *full), full, small), *small)
    index = np.full((len(scaled), 1), row)
    return torch.from_numpy(np.hstack([index, scaled]).astype(np.float32))


@dataclass
class VideoRun:
    """One pass over one video; iterate it to get the results, then ask it how it went.

    Attributes:
        video_id: what ``find_people`` knows the video by.
        done: results that an earlier, interrupted pass left; keyframes up to the last of them are skipped and
            the person ids go on from them.
        seconds: time spent per stage. The stages overlap: decoding runs in a thread of its own.
    """

    predictor: Predictor
    video: VideoReader
    video_id: str
    done: Iterable[KeyframeResult] = ()
    seconds: dict[str, float] = field(
        default_factory=lambda: {"decode": 0.0, "persons": 0.0, "actions": 0.0, "tracks": 0.0}
    )

    def __iter__(self) -> Generator[KeyframeResult, None, None]:
        """Yield the results in the order of time; can be done once."""
        predictor = self.predictor
        tracks = PersonTracks() if predictor.track else None
        last = self._recall(tracks)
        clips = keyframe_clips(
            self.video,
            itertools.dropwhile(lambda moment: last is not None and moment <= last, predictor.grid),
            offsets=predictor.sampler.offsets,
            resize=predictor.resize,
            step_s=STEP_S if tracks else None,
            before=last,
        )
        with closing(prefetch(self._timed(clips), depth=2 * predictor.batch)) as ready:
            while batch := list(itertools.islice(ready, predictor.batch)):
                yield from self._results(batch, tracks)

    def _recall(self, tracks: PersonTracks | None) -> float | None:
        """Return the last keyframe that is done; the tracks learn from those that are."""
        last = None
        for result in self.done:
            last = result.time
            if tracks:
                tracks.recall(result.time, result.boxes, result.person_ids)
        return last

    def _timed(self, clips: Iterator[KeyframeClip]) -> Iterator[KeyframeClip]:
        while True:
            started = time.perf_counter()
            clip = next(clips, None)
            self.seconds["decode"] += time.perf_counter() - started
            if clip is None:
                return
            yield clip

    def _results(self, batch: list[KeyframeClip], tracks: PersonTracks | None) -> Iterator[KeyframeResult]:
        predictor = self.predictor
        started = time.perf_counter()
        with told_at_keyframes(self.video.info.path, batch):
            found = predictor.find_people(self.video_id, batch)
            people = [persons.above(predictor.person_thresh) for persons in found]
            persons_done = time.perf_counter()
            scores = predictor.score(batch, [persons.boxes for persons in people])
        self.seconds["persons"] += persons_done - started
        self.seconds["actions"] += time.perf_counter() - persons_done
        ends = np.cumsum([len(persons.boxes) for persons in people])
        by_keyframe = np.split(scores, ends[:-1])
        power = predictor.cfg.AVA.DETECTION_SCORE_POWER
        for clip, persons, everybody, actions in zip(batch, people, found, by_keyframe, strict=True):
            ids, paths = self._tracked(tracks, clip, persons)
            yield KeyframeResult(
                time=clip.time,
                frame_time=clip.frame_time,
                frame_idx=clip.frame_idx,
                boxes=persons.boxes,
                person_scores=persons.scores,
                person_ids=ids,
                action_scores=weigh_by_boxes(actions, persons.scores, power),
                best_person_score=float(max(everybody.scores, default=nan)),
                paths=paths,
            )

    def _tracked(
        self, tracks: PersonTracks | None, clip: KeyframeClip, people: PersonBoxes
    ) -> tuple[np.ndarray, tuple[PersonPath, ...]]:
        if tracks is None:
            return np.full(len(people.boxes), -1), ()
        started = time.perf_counter()
        tracked = tracks.update(clip, people)
        self.seconds["tracks"] += time.perf_counter() - started
        return tracked
