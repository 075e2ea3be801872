"""Samples as the network sees them: the keyframe with people and labels, and each pathway's frames.

Pixels are taken from the network's own inputs and only turned back into colours, so that a wrong channel
order, crop, flip, frame rate or box shows.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from ava_detect.config import Config
from ava_detect.data.clip_dataset import ClipItem
from ava_detect.models import split_pathways
from ava_detect.output.labels import Label, short_name
from ava_detect.output.overlay import DrawnPerson, draw_frame
from ava_detect.output.picture import write_picture
from ava_detect.output.style import Style
from ava_detect.output.text import fitted_text, stamp, text_height, text_mask
from ava_detect.video.clip_sampler import ClipSampler
from evaluation.label_map import LabelMap
from evaluation.rows import format_time

_SIDE = 448  # pixels; height of a sample
_COLUMNS = 8  # frames of a pathway that are shown, at most
_GAP = 6
_CAP = 10  # height of capitals in captions
_GROUND, _INK = (28, 28, 28), (225, 225, 225)


class SampleSheet:
    """Draws samples of one configuration.

    Args:
        cfg: says how clips are divided among pathways and how pixels were normalised.
        class_ids: of the label columns.
        label_map: their names.
    """

    def __init__(self, cfg: Config, class_ids: Sequence[int], label_map: LabelMap) -> None:
        self._cfg, self._class_ids, self._label_map = cfg, class_ids, label_map
        self._sampler = ClipSampler(cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE, cfg.DATA.TARGET_FPS)

    def draw(self, item: ClipItem) -> np.ndarray:
        """Draw one sample: [H, W, 3] uint8, BGR; W depends on the shape of its clip."""
        keyframe = self._keyframe(item)
        pathways = split_pathways(item.clip[None], self._cfg)
        bar = text_height(_CAP) + 4
        rows = max(2, len(pathways))  # a single pathway's frames are no larger than one of two
        height = keyframe.shape[0] // rows - bar
        strips = [
            self._strip(clip[0], height, bar, title=f"pathway {number} of {len(pathways)}")
            for number, clip in enumerate(pathways, start=1)
        ]
        right = _column(strips)
        picture = _row([keyframe, right])
        height, width = item.clip.shape[2:]
        first, last = self._sampler.offsets[[0, -1]]
        caption = (
            f"{item.keyframe.video_id}   second {format_time(item.keyframe.second)}   "
            f"people: {len(item.boxes)}   input {width} x {height} pixels, {item.clip.shape[1]} frames, "
            f"{first:+.2f} s to {last:+.2f} s"
        )
        return _column([_line(caption, picture.shape[1], bar), picture])

    def _keyframe(self, item: ClipItem) -> np.ndarray:
        """Draw people and labels on the clip's middle frame, enlarged to be read."""
        image = self._picture(item.clip[:, len(self._sampler.offsets) // 2])
        scale = _SIDE / image.shape[0]
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
        people = [
            DrawnPerson(tuple(box), number, self._labels(labels))
            for number, (box, labels) in enumerate(
                zip((item.boxes * scale).tolist(), item.labels.numpy(), strict=True), start=1
            )
        ]
        draw_frame(image, people, Style.for_picture(*image.shape[:2]))
        return image

    def _labels(self, labels: np.ndarray) -> tuple[Label, ...]:
        ids = [self._class_ids[column] for column in np.flatnonzero(labels).tolist()]
        return tuple(
            Label(short_name(self._label_map.name_of(class_id)), self._label_map.group_of(class_id), 1.0)
            if class_id in self._label_map
            else Label(f"class {class_id}", "other", 1.0)
            for class_id in ids
        )

    def _strip(self, clip: Tensor, height: int, bar: int, *, title: str) -> np.ndarray:
        """Show frames of one pathway [C, T, H, W], evenly chosen, at ``height`` pixels."""
        frames = clip.shape[1]
        chosen = np.unique(np.linspace(0, frames - 1, min(frames, _COLUMNS)).round().astype(int)).tolist()
        tiles = [self._picture(clip[:, frame]) for frame in chosen]
        width = max(1, round(clip.shape[3] * height / clip.shape[2]))
        tiles = [cv2.resize(tile, (width, height), interpolation=cv2.INTER_AREA) for tile in tiles]
        text = f"{title}: {frames} frames"
        if len(chosen) < frames:
            text += f"; shown: {', '.join(map(str, chosen))}"
        strip = _row(tiles)
        return _column([_line(text, strip.shape[1], bar), strip])

    def _picture(self, frame: Tensor) -> np.ndarray:
        """Turn a normalised frame [C, H, W] back into BGR; other inputs than RGB are shown in grey."""
        mean, std = (np.array(values) for values in (self._cfg.DATA.MEAN, self._cfg.DATA.STD))
        pixels = frame.permute(1, 2, 0).numpy()
        if pixels.shape[2] != 3:
            grey = pixels[..., :1] * std.mean() + mean.mean()
            return _bytes(np.repeat(grey, 3, axis=2))
        colours = pixels * std + mean
        return _bytes(colours if self._cfg.AVA.BGR else colours[..., ::-1])


def write_sheet(path: Path, samples: Iterable[np.ndarray]) -> None:
    """Write drawn samples below each other into one picture.

    Raises:
        DataError: the folder cannot be written.
    """
    sheet = _column(
        [image for sample in samples for image in (sample, np.full((_GAP, 1, 3), _GROUND, np.uint8))]
    )
    write_picture(path, sheet)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray((values * 255).round().clip(0, 255).astype(np.uint8))


def _line(text: str, width: int, height: int) -> np.ndarray:
    image = np.full((height, width, 3), _GROUND, np.uint8)
    stamp(image, text_mask(fitted_text(text, _CAP, width - 4), _CAP), 2, 2, _INK)
    return image


def _row(images: Sequence[np.ndarray]) -> np.ndarray:
    """Put pictures side by side."""
    height = max(image.shape[0] for image in images)
    gap = np.full((height, _GAP, 3), _GROUND, np.uint8)
    padded = [_padded(image, height, image.shape[1]) for image in images]
    return np.concatenate([piece for image in padded for piece in (image, gap)][:-1], axis=1)


def _column(images: Sequence[np.ndarray]) -> np.ndarray:
    """Put pictures below each other."""
    width = max(image.shape[1] for image in images)
    return np.concatenate([_padded(image, image.shape[0], width) for image in images])


def _padded(image: np.ndarray, height: int, width: int) -> np.ndarray:
    out = np.full((height, width, 3), _GROUND, np.uint8)
    out[: image.shape[0], : image.shape[1]] = image
    return out
