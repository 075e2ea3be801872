"""Contact sheets: what scenes look like, and each action as a strip of one person over time.

Written with a palette of 256 colours, so that a sheet is small enough for a page of documentation.
"""

import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from ava_detect.data.scenes.actions import AVA_NAMES, Action
from ava_detect.data.scenes.scene import LabelledPerson, Scene
from evaluation.atomic import atomic_path

_TEXT_SCALE = 0.36
_GAP = 3


def write_scene_sheet(
    path: str | Path, scenes: Iterable[Scene], *, tile_height: int = 132, tiles: int = 4
) -> None:
    """Write a PNG with a row of keyframes per scene, boxes and actions drawn on them.

    Raises:
        OSError: the file cannot be written.
    """
    write_palette_png(path, _stacked([_scene_row(scene, tile_height, tiles) for scene in scenes]))


def write_action_sheet(
    path: str | Path, scenes: Iterable[Scene], *, tile: int = 84, steps: int = 10, step_s: float = 0.12
) -> None:
    """Write a PNG with a strip per action: one person at ``steps`` moments around a keyframe.

    The clearest example of each action among the scenes is taken.

    Raises:
        OSError: the file cannot be written.
    """
    best = _clearest_examples(scenes)
    strips = []
    for action, (scene, person) in sorted(best.items()):
        strip = _strip(scene, person, tile, steps, step_s)
        strips.append(_with_text(strip, AVA_NAMES[action], (4, 11)))
    write_palette_png(path, _stacked(strips))


def write_palette_png(path: str | Path, image: np.ndarray) -> None:
    """Write [H, W, 3] uint8 BGR as a PNG of at most 256 colours, chosen for the picture.

    Raises:
        OSError: the file cannot be written.
    """
    palette = _palette(image)
    indices = _nearest(image, palette)
    height, width = indices.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    rows = np.concatenate([np.zeros((height, 1), np.uint8), indices], axis=1)  # filter 0 before every row
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, body in (
            (b"IHDR", header),
            (b"PLTE", palette[:, ::-1].tobytes()),
            (b"IDAT", zlib.compress(rows.tobytes(), 9)),
            (b"IEND", b""),
        ):
            file.write(
                struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
            )


def _palette(image: np.ndarray) -> np.ndarray:
    """Return [n, 3] uint8, n up to 256: median cut of the colours, weighted by how often they occur."""
    pixels = (image.reshape(-1, 3) >> 2).astype(np.int64)
    codes, counts = np.unique(pixels @ np.array([4096, 64, 1]), return_counts=True)
    colours = np.stack([codes >> 12, (codes >> 6) & 63, codes & 63], axis=1)
    boxes = [np.arange(len(colours))]
    while len(boxes) < 256:
        spreads = [np.ptp(colours[box], axis=0).max() * counts[box].sum() ** 0.5 for box in boxes]
        widest = int(np.argmax(spreads))
        box = boxes[widest]
        if spreads[widest] == 0:
            break
        box = box[np.argsort(colours[box, np.ptp(colours[box], axis=0).argmax()], kind="stable")]
        share = np.cumsum(counts[box])
        cut = int(np.clip(np.searchsorted(share, share[-1] / 2), 1, len(box) - 1))
        boxes[widest : widest + 1] = [box[:cut], box[cut:]]
    means = [np.average(colours[box], axis=0, weights=counts[box]) for box in boxes]
    return np.clip(np.rint(np.stack(means) * 4 + 1.5), 0, 255).astype(np.uint8)


def _nearest(image: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Return [H, W] uint8 indices of the nearest colours, by a table of the colours in 5 bits per channel."""
    steps = np.arange(32) * 8 + 4
    grid = (
        np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 1, 3).astype(np.int32)
    )
    table = np.concatenate(
        [np.square(part - palette.astype(np.int32)).sum(axis=2).argmin(axis=1) for part in np.split(grid, 32)]
    ).astype(np.uint8)
    coarse = (image >> 3).astype(np.int32)
    return table[coarse[..., 0] * 1024 + coarse[..., 1] * 32 + coarse[..., 2]]


def _stacked(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Put rows of different widths below each other."""
    width = max(row.shape[1] for row in rows)
    padded = [
        cv2.copyMakeBorder(row, 0, _GAP, 0, width - row.shape[1], cv2.BORDER_CONSTANT, value=(255, 255, 255))
        for row in rows
    ]
    return np.concatenate(padded)


def _scene_row(scene: Scene, tile_height: int, tiles: int) -> np.ndarray:
    seconds = np.linspace(1, len(scene.keyframes) - 1, tiles).astype(int).tolist()
    people = scene.groundtruth()
    pictures = []
    for second, image in zip(
        seconds, scene.frames([scene.frame_of(second) for second in seconds]), strict=True
    ):
        scale = tile_height / image.shape[0]
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        pictures.append(_with_people(small, [person for person in people if person.second == second]))
    return cv2.hconcat(pictures)


def _with_people(image: np.ndarray, people: Sequence[LabelledPerson]) -> np.ndarray:
    height, width = image.shape[:2]
    for person in people:
        x1, y1, x2, y2 = (
            int(side * size) for side, size in zip(person.box, (width, height) * 2, strict=True)
        )
        cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), (90, 235, 255), 1)
        for line, action in enumerate(person.actions):
            _with_text(image, AVA_NAMES[action].split(" (")[0], (x1 + 2, y1 + 10 + 11 * line))
    return image


def _with_text(image: np.ndarray, text: str, at: tuple[int, int]) -> np.ndarray:
    for colour, thickness in (((20, 20, 20), 3), ((255, 255, 255), 1)):
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, _TEXT_SCALE, colour, thickness, cv2.LINE_AA)
    return image


def _clearest_examples(scenes: Iterable[Scene]) -> dict[Action, tuple[Scene, LabelledPerson]]:
    """Return the clearest example of every action that occurs, no person twice where that can be avoided."""
    rated: list[tuple[float, Scene, LabelledPerson]] = []
    for scene in scenes:
        people = scene.groundtruth()
        seconds = range(1, len(scene.keyframes) - 1)
        rated += [
            (_clearness(scene, person, people), scene, person)
            for person in people
            if person.second in seconds
        ]
    rated.sort(key=lambda example: -example[0])
    best: dict[Action, tuple[Scene, LabelledPerson]] = {}
    shown: set[tuple[str, int]] = set()
    for fresh in (True, False):
        for _, scene, person in rated:
            who = (scene.scene_id, person.person_id)
            for action in person.actions[::-1]:  # the pose comes last: it is the most frequent
                if action not in best and not (fresh and who in shown):
                    best[action] = (scene, person)
                    shown.add(who)
    return best


def _clearness(scene: Scene, person: LabelledPerson, people: Sequence[LabelledPerson]) -> float:
    """Rate an example: large, apart from others, not cut by the frame's edge, in place, doing little else."""
    x1, y1, x2, y2 = person.box
    inside = min(x1, y1, 1 - x2, 1 - y2) > 0.03
    others = [p for p in people if p.second == person.second and p.person_id != person.person_id]
    apart = all(other.box[0] > x2 or other.box[2] < x1 for other in others)
    height = min((y2 - y1) * scene.size[1], 170.0)
    going = person.actions[0] in (Action.WALK, Action.RUN)
    rating = height * (1.0 if inside else 0.3) * (1.0 if apart else 0.5) * (0.7 if going else 1.0)
    return rating / len(person.actions)


def _strip(scene: Scene, person: LabelledPerson, tile: int, steps: int, step_s: float) -> np.ndarray:
    """Draw one person at several moments, in a square that follows the person at a steady speed."""
    times = [person.second + (step - (steps - 1) / 2) * step_s for step in range(steps)]
    index = person.person_id - 1
    boxes = [seen[index].box for seen in scene.seen(times)]
    known = np.array([(time, *box) for time, box in zip(times, boxes, strict=True) if box is not None])
    centres = 0.5 * (known[:, 1:3] + known[:, 3:5])
    line = np.polynomial.polynomial.polyfit(known[:, 0], centres, 1)
    sizes = known[:, 3:5] - known[:, 1:3] + 2 * np.abs(centres - line[0] - known[:, :1] * line[1])
    scale = tile / (1.08 * float(sizes.max()))
    pictures = []
    for time, image in zip(times, scene.clean_frames(times), strict=True):
        shift = tile / 2 - scale * (line[0] + time * line[1])
        crop = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        pictures.append(
            cv2.warpAffine(image, crop, (tile, tile), flags=cv2.INTER_AREA, borderValue=(225, 225, 225))
        )
    return cv2.hconcat(pictures)
