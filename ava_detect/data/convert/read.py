"""Read labels of any form: what a file is, its contents say."""

import json
import re
from pathlib import Path

from ava_detect.data.convert.actions import ActionRules
from ava_detect.data.convert.coco import read_coco
from ava_detect.data.convert.cvat import read_cvat
from ava_detect.data.convert.image_names import ImageNames
from ava_detect.data.convert.json_values import as_mapping, load_json
from ava_detect.data.convert.labels import Labels
from ava_detect.data.convert.spreadsheet import BoxUnit, read_spreadsheet
from ava_detect.data.convert.via import read_via2_csv, read_via2_json, read_via3_csv, read_via3_json
from evaluation.errors import DataError

_HEAD_BYTES = 4096
_VIA2_HEADER = re.compile(r"#?filename,file_size,file_attributes,region_count")
_KNOWN = "CVAT 1.1 (XML), VIA 2 or 3 (CSV, JSON), COCO (JSON), or a table with a header (CSV)"


def read_labels(
    path: Path,
    rules: ActionRules | None = None,
    images: ImageNames | None = None,
    unit: BoxUnit = BoxUnit.AUTO,
) -> Labels:
    """Read a file of labels.

    Args:
        path: the file.
        rules: which labels and attributes are actions.
        images: how pictures were extracted, for labels of pictures.
        unit: of the boxes of a table.

    Raises:
        DataError: it cannot be read, is none of the known forms, or holds a value that makes no sense.
    """
    rules, images = rules or ActionRules(), images or ImageNames()
    head = _head(path)
    if head.lstrip().startswith("<"):
        return read_cvat(path, rules, images)
    if head.lstrip().startswith(("{", "[")):
        return _read_json(path, rules, images)
    if _VIA2_HEADER.match(head):
        return read_via2_csv(path, rules, images)
    if head.startswith("#"):
        return read_via3_csv(path, rules)
    return read_spreadsheet(path, rules, unit)


def _read_json(path: Path, rules: ActionRules, images: ImageNames) -> Labels:
    document = as_mapping(load_json(path), f"{path}: not labels")
    if {"metadata", "view", "file"} <= document.keys():
        return read_via3_json(path, rules)
    if {"images", "annotations"} <= document.keys():
        return read_coco(path, rules, images)
    entries = document.get("_via_img_metadata", document)
    if isinstance(entries, dict) and any(isinstance(e, dict) and "regions" in e for e in entries.values()):
        return read_via2_json(path, rules, images)
    raise DataError(f"{path}: JSON, but no labels that are known; found {_keys(document)}; known: {_KNOWN}")


def _keys(document: object) -> str:
    keys = list(document)[:6] if isinstance(document, dict) else []
    return "the keys " + json.dumps(keys)


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not head.strip():
        raise DataError(f"{path}: the file is empty; known labels: {_KNOWN}")
    return head.decode("utf-8-sig", errors="replace")
