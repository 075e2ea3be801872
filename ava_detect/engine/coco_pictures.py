"""People on pictures from a COCO-style JSON file and its folder of images."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from evaluation.errors import ConfigError, DataError
from person_detector.training.pictures import PictureSet, Record

_NAMED = 3
Document = Mapping[str, Any]  # Any: what json gives


def coco_pictures(file: str | Path, folder: str | Path, *, category: str = "person") -> PictureSet:
    """Return the pictures of a COCO-style file with the boxes of one category.

    Pictures without such boxes belong to the set: there is nobody on them.

    Args:
        file: JSON with ``images``, ``annotations`` and ``categories``.
        folder: to which ``file_name`` is relative.
        category: name of the people's category.

    Raises:
        ConfigError: no folder is given.
        DataError: the file cannot be used; the message names the entry.
    """
    if not str(folder):
        raise ConfigError(
            f"{file}: in which folder are its images?",
            hint="Set COCO.TRAIN_IMAGES and COCO.TEST_IMAGES, for example: COCO.TRAIN_IMAGES coco/train2017",
        )
    document = _read(Path(file))
    wanted = _category(document, category, file)
    records = _images(document, Path(folder), file)
    boxless = 0
    for number, entry in enumerate(_list(document, "annotations", file)):
        where = f"{file}: annotations[{number}]"
        if not isinstance(entry, dict) or entry.get("image_id") not in records:
            raise DataError(f"{where}: its image_id is not among the images")
        if entry.get("category_id") != wanted or entry.get("ignore", 0):
            continue
        record = records[entry["image_id"]]
        box = _box(entry.get("bbox"), record, where)
        if box is None:
            boxless += 1
            continue
        record["annotations"].append(_annotation(entry, box))
    notes = (f"left out {boxless} boxes that are empty or outside their picture",) if boxless else ()
    return PictureSet(list(records.values()), ImageReader(Path(folder)), notes)


@dataclass(frozen=True)
class ImageReader:
    """Reads image files of a folder."""

    folder: Path

    def __call__(self, record: Record) -> np.ndarray:
        """Return a picture: [H, W, 3] uint8, BGR, upright.

        Raises:
            DataError: it cannot be read, or has another size than the JSON file says.
        """
        path = Path(record["file_name"])
        image: np.ndarray | None = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if image is None:
            raise DataError(f"{path}: {'cannot be read as a picture' if path.is_file() else 'no such file'}")
        if image.shape[:2] != (record["height"], record["width"]):
            raise DataError(
                f"{path}: is {image.shape[1]} x {image.shape[0]} pixels, the JSON file says"
                f" {record['width']} x {record['height']}"
            )
        return image


def _read(path: Path) -> Document:
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise DataError(f"{path}: expected an object with images, annotations and categories")
    return document


def _list(document: Document, key: str, file: str | Path) -> list[Any]:
    entries = document.get(key)
    if not isinstance(entries, list):
        raise DataError(f"{file}: no list named {key}; expected images, annotations and categories")
    return entries


def _category(document: Document, name: str, file: str | Path) -> int:
    named = {
        entry["name"]: entry["id"]
        for entry in _list(document, "categories", file)
        if isinstance(entry, dict) and isinstance(entry.get("name"), str) and isinstance(entry.get("id"), int)
    }
    if name not in named:
        shown = ", ".join(list(named)[:_NAMED]) or "none"
        raise DataError(
            f"{file}: no category {name!r}; it has {shown}{', ...' if len(named) > _NAMED else ''}",
            hint="COCO.CATEGORY says what people are called there.",
        )
    return int(named[name])


def _images(document: Document, folder: Path, file: str | Path) -> dict[int, Record]:
    records: dict[int, Record] = {}
    for number, entry in enumerate(_list(document, "images", file)):
        where = f"{file}: images[{number}]"
        if not isinstance(entry, dict):
            raise DataError(f"{where}: expected an object")
        key, name = entry.get("id"), entry.get("file_name")
        height, width = entry.get("height"), entry.get("width")
        if not isinstance(key, int) or key in records:
            raise DataError(f"{where}: its id is {key!r}; expected a number that no other image has")
        if (
            not isinstance(name, str)
            or PurePosixPath(name).is_absolute()
            or ".." in PurePosixPath(name).parts
        ):
            raise DataError(
                f"{where}: its file_name is {name!r}; expected a path inside the folder of images"
            )
        if not all(isinstance(side, int) and side > 0 for side in (height, width)):
            raise DataError(
                f"{where}: its size is {width!r} x {height!r}; expected two whole numbers above 0"
            )
        records[key] = {
            "image_id": key, "file_name": str(folder / name), "height": height, "width": width,
            "annotations": [],
        }  # fmt: skip
    if not records:
        raise DataError(f"{file}: no images in it")
    return records


def _box(values: Any, record: Record, where: str) -> list[float] | None:
    """Return x1, y1, x2, y2 of COCO's x, y, width, height, cut to the picture; None where nothing is left."""
    if not (
        isinstance(values, list)
        and len(values) == 4
        and all(isinstance(value, int | float) and math.isfinite(value) for value in values)
    ):
        raise DataError(f"{where}: its bbox is {values!r}; expected four numbers x, y, width, height")
    x, y, width, height = map(float, values)
    x1, x2 = max(0.0, x), min(float(record["width"]), x + width)
    y1, y2 = max(0.0, y), min(float(record["height"]), y + height)
    return [x1, y1, x2, y2] if x2 > x1 and y2 > y1 else None


def _annotation(entry: Mapping[str, Any], box: list[float]) -> dict[str, Any]:
    from detectron2.structures import BoxMode

    annotation = {
        "bbox": box, "bbox_mode": BoxMode.XYXY_ABS, "category_id": 0,
        "iscrowd": int(bool(entry.get("iscrowd"))),
    }  # fmt: skip
    area = entry.get("area")
    if isinstance(area, int | float) and math.isfinite(area) and area >= 0:
        annotation["area"] = float(area)
    return annotation
