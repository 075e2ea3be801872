"""Pictures with known people, whoever provides them: Detectron2's dataset dicts and how to read a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Record = dict[str, Any]
"""One picture as Detectron2's "standard dataset dict".

``image_id``; ``file_name``, which is what messages call it; ``height``, ``width``; ``annotations``, a list
with ``bbox`` (x1, y1, x2, y2 in pixels), ``bbox_mode``, ``category_id`` 0, ``iscrowd``, and ``area`` where
the size of a person is not that of the box. A reader may need more keys.
"""  # Any: the values are of many types, and Detectron2's


@dataclass(frozen=True, eq=False)
class PictureSet:
    """Pictures with known people.

    Attributes:
        records: one per picture.
        read: gives the [H, W, 3] uint8 BGR picture of a record; raises a VideoError or DataError. It must be
            picklable, for loading processes.
        notes: what was left out and why, a line each.
    """

    records: Sequence[Record]
    read: Callable[[Record], np.ndarray]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.records)

    @property
    def num_people(self) -> int:
        """How many people there are, crowds not counted."""
        return sum(not each["iscrowd"] for record in self.records for each in record["annotations"])


def truth_boxes(record: Record, *, crowd: bool = False) -> np.ndarray:
    """Return the [n, 4] boxes of the people on a picture, or of its crowds."""
    boxes = [each["bbox"] for each in record["annotations"] if bool(each["iscrowd"]) == crowd]
    return np.array(boxes, np.float64).reshape(-1, 4)
