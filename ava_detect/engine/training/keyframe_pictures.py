"""The same few keyframes at every evaluation: what the network says, and beside it what is labelled."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from ava_detect.config import Config
from ava_detect.data.build import build_source
from ava_detect.engine.testing import Tester
from ava_detect.engine.testing.results import DETECTIONS
from ava_detect.output.contact_sheet import Tile, contact_sheet
from ava_detect.output.labels import choose_labels
from ava_detect.output.overlay import DrawnPerson
from ava_detect.output.records import ActionClass
from ava_detect.video.transforms import resize_short_side
from evaluation.errors import VideoError
from evaluation.label_map import LabelMap
from evaluation.rows import RowTable, format_time, read_detections

_COUNT = 6
_SIDE = 256  # pixels, of the short side
_TOP_K = 3  # classes per person, however low they score: so one sees them rise
_SAME_TIME_S = 5e-4  # a file's times have three decimals at least


class KeyframePictures:
    """Draws keyframes of the test set, evenly spaced, from the files of an evaluation.

    Args:
        cfg: says where the videos are.
        tester: the test set with its ground truth.
    """

    def __init__(self, cfg: Config, tester: Tester) -> None:
        assert tester.truth is not None  # there is no evaluation without
        self._source = build_source(cfg, cfg.AVA.TEST_LISTS)
        self._truth = replace(tester.truth.table, scores=np.ones(len(tester.truth.table)))
        ids = {*tester.annotations.class_ids, *self._truth.action_ids.tolist()}
        self._classes = _classes(tester.truth.label_map, ids)
        total = len(tester.annotations)
        count = min(_COUNT, total)
        self._keyframes = [tester.annotations[(2 * part + 1) * total // (2 * count)] for part in range(count)]
        self._image = cache(self._read)

    def draw(self, folder: Path) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and the picture, [H, W, 3] uint8, BGR, of each keyframe that can be read.

        Args:
            folder: of the evaluation.

        Raises:
            DataError: its detections are not there.
        """
        detections = read_detections(folder / DETECTIONS)
        for keyframe in self._keyframes:
            image = self._image(keyframe.video_id, keyframe.second)
            if image is None:  # the evaluation has said so
                continue
            people = partial(self._people, video_id=keyframe.video_id, second=keyframe.second)
            scored = Tile(image, people(detections, top_k=_TOP_K), title="scored")
            labelled = Tile(image, people(self._truth, top_k=len(self._classes)), title="labelled")
            sheet = contact_sheet([scored, labelled], width=2 * image.shape[1], row_height=image.shape[0])
            yield f"keyframes/{keyframe.video_id}/{format_time(keyframe.second)}", sheet

    def _read(self, video_id: str, second: float) -> np.ndarray | None:
        """Read the keyframe's own frame; None where that cannot be done."""
        resize = partial(resize_short_side, size=_SIDE)
        try:
            return self._source.clip(video_id, second, np.zeros(1), resize).frames[0]
        except VideoError:
            return None

    def _people(self, table: RowTable, *, video_id: str, second: float, top_k: int) -> list[DrawnPerson]:
        """Return the people of a keyframe, boxes in pixels, with their best classes."""
        image = self._image(video_id, second)
        assert image is not None
        height, width = image.shape[:2]
        rows = table.of_video(video_id)
        rows = rows.select(np.abs(rows.times - second) < _SAME_TIME_S)
        boxes, members = np.unique(rows.boxes, axis=0, return_inverse=True)
        people = []
        for number, box in enumerate((boxes * [width, height, width, height]).tolist()):
            mine = rows.select(members.reshape(-1) == number)
            actions = list(zip(mine.action_ids.tolist(), mine.scores.tolist(), strict=True))
            labels = choose_labels(actions, self._classes, top_k=top_k, threshold=0)
            people.append(DrawnPerson(tuple(box), number + 1, labels))
        return people


def _classes(label_map: LabelMap, class_ids: Iterable[int]) -> dict[int, ActionClass]:
    """Name classes, also those that the map leaves out."""
    named = zip(label_map.ids, label_map.names, label_map.groups, strict=True)
    unnamed = {class_id: ActionClass(class_id, f"class {class_id}", "other") for class_id in class_ids}
    return unnamed | {class_id: ActionClass(class_id, name, group) for class_id, name, group in named}
