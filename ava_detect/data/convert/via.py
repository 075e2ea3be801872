"""Labels of the VGG Image Annotator: version 3 (videos) and version 2 (pictures), CSV or JSON.

In version 3 a row has a time ``[4.633]`` and a rectangle ``[2, x, y, width, height]``; attributes are given
by number, with their names in the head of the file. Time segments without a rectangle say that something
happens, but not where; they are counted and left out.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ava_detect.data.convert.actions import ActionRules, ticked
from ava_detect.data.convert.image_names import ImageNames
from ava_detect.data.convert.json_values import as_list, as_mapping, load_json, parse_json
from ava_detect.data.convert.labels import Box, LabelledBox, Labels
from ava_detect.data.convert.values import number, seconds
from evaluation.errors import DataError

_RECTANGLE, _EXTREME_RECTANGLE = 2, 8
_VIA2_FIELDS = ("filename", "region_shape_attributes", "region_attributes")
_Attributes = Mapping[str, object]


def read_via3_csv(path: Path, rules: ActionRules) -> Labels:
    """Read a VIA 3 export in CSV.

    Raises:
        DataError: it cannot be read, or a row makes no sense.
    """
    reader = _Via3(path, rules)
    head: list[str] = []
    definitions: _Attributes = {}
    for line, text in _lines(path):
        if text.startswith("#"):
            name, _, value = text.lstrip("# ").partition(" = ")
            if name == "CSV_HEADER":
                head = value.strip().split(",")
            elif name in ("ATTRIBUTE", "ATTRIBUTES"):
                definitions = as_mapping(parse_json(value, f"{path}:{line}"), f"{path}:{line}: {name}")
            continue
        if not head:
            raise DataError(f"{path}:{line}: the line '# CSV_HEADER = ...' is missing before the rows")
        place = f"{path}:{line}"
        row = dict(zip(head, next(csv.reader([text])), strict=False))
        files = as_list(parse_json(row.get("file_list", ""), place), f"{place}: file_list")
        times, shape, values = (
            parse_json(row.get(name, ""), f"{place}: {name}")
            for name in ("temporal_coordinates", "spatial_coordinates", "metadata")
        )
        reader.add(place, files, times, shape, _named(as_mapping(values, f"{place}: metadata"), definitions))
    return reader.labels("VIA 3, CSV")


def read_via3_json(path: Path, rules: ActionRules) -> Labels:
    """Read a VIA 3 project.

    Raises:
        DataError: it cannot be read, or an entry makes no sense.
    """
    project = as_mapping(load_json(path), str(path))
    views, files, definitions = (
        as_mapping(project.get(name, {}), f"{path}: {name}") for name in ("view", "file", "attribute")
    )
    reader = _Via3(path, rules)
    for key, entry in as_mapping(project["metadata"], f"{path}: metadata").items():
        place = f"{path}: metadata {key}"
        values = as_mapping(entry, place)
        view = as_mapping(views.get(str(values.get("vid"))), f"{place}: its view")
        names = [
            as_mapping(files.get(str(number)), f"{place}: its file").get("fname")
            for number in as_list(view.get("fid_list"), f"{place}: fid_list")
        ]
        actions = _named(as_mapping(values.get("av", {}), f"{place}: av"), definitions)
        reader.add(place, names, values.get("z"), values.get("xy"), actions)
    return reader.labels("VIA 3, project")


def _named(values: _Attributes, definitions: _Attributes) -> list[tuple[str, str]]:
    """Replace the numbers of attributes and of their options by names; several options are ticked at once."""
    named = []
    for key, value in values.items():
        definition = definitions.get(key, key)
        if not isinstance(definition, Mapping):
            named.append((str(definition), str(value)))
            continue
        options = definition.get("options")
        words = [str(value)]
        if isinstance(options, Mapping) and options:
            chosen = [part.strip() for part in str(value).split(",")]
            if all(part in options for part in chosen):
                words = [str(options[part]) for part in chosen]
        named.append((str(definition.get("aname", key)), "; ".join(words)))
    return named


class _Via3:
    def __init__(self, path: Path, rules: ActionRules) -> None:
        self._path, self._rules = path, rules
        self._boxes: list[LabelledBox] = []
        self._segments = self._other_shapes = 0

    def add(
        self, place: str, files: list, times: object, shape: object, attributes: list[tuple[str, str]]
    ) -> None:
        """Take one entry: a rectangle at a time; others are counted."""
        moments = as_list(times, f"{place}: temporal_coordinates")
        numbers = as_list(shape, f"{place}: spatial_coordinates")
        if not numbers:
            self._segments += 1
        elif numbers[0] not in (_RECTANGLE, _EXTREME_RECTANGLE):
            self._other_shapes += 1
        else:
            if len(files) != 1 or not isinstance(files[0], str):
                raise DataError(f"{place}: {len(files)} files; expected the name of one video")
            if len(moments) != 1:
                raise DataError(f"{place}: a box at times {moments}; expected one time")
            moment = seconds(moments[0], f"{place}: time")
            actions = self._rules.actions("", attributes)
            self._boxes.append(LabelledBox(files[0], moment, _corners(numbers, place), actions, place))

    def labels(self, form: str) -> Labels:
        notes = self._rules.notes()
        if self._segments:
            notes.append(f"left out {self._segments:,} time segments without a box")
        return _finished(self._path, form, self._boxes, notes, self._other_shapes)


def _corners(shape: list, place: str) -> Box:
    values = [number(value, f"{place}: spatial_coordinates") for value in shape[1:]]
    if shape[0] == _RECTANGLE and len(values) == 4:
        x, y, width, height = values
        return x, y, x + width, y + height
    if shape[0] == _EXTREME_RECTANGLE and len(values) == 8:
        return min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])
    raise DataError(f"{place}: {len(values)} coordinates of a rectangle; expected 4")


def read_via2_csv(path: Path, rules: ActionRules, images: ImageNames) -> Labels:
    """Read a VIA 2 export in CSV.

    Raises:
        DataError: it cannot be read, or a row makes no sense.
    """
    rows = ((line, text) for line, text in _lines(path))
    first = next(rows, (1, ""))[1].lstrip("#")
    head = next(csv.reader([first]))
    boxes, others = [], 0
    for line, text in rows:
        place = f"{path}:{line}"
        row = dict(zip(head, next(csv.reader([text])), strict=False))
        name, shape, attributes = (row.get(field, "") for field in _VIA2_FIELDS)
        region = as_mapping(parse_json(shape, f"{place}: region_shape_attributes"), place)
        if not region:
            continue  # a picture without regions
        found = _via2_box(place, name, region, parse_json(attributes, place), rules, images)
        boxes += [found] if found else []
        others += not found
    return _finished(path, "VIA 2, CSV", boxes, rules.notes(), others)


def read_via2_json(path: Path, rules: ActionRules, images: ImageNames) -> Labels:
    """Read a VIA 2 export in JSON, or a VIA 2 project.

    Raises:
        DataError: it cannot be read, or an entry makes no sense.
    """
    document = as_mapping(load_json(path), str(path))
    entries = as_mapping(document.get("_via_img_metadata", document), f"{path}: _via_img_metadata")
    boxes, others = [], 0
    for key, entry in entries.items():
        values = as_mapping(entry, f"{path}: {key}")
        regions = values.get("regions", [])
        listed = list(regions.values()) if isinstance(regions, Mapping) else regions
        for region in as_list(listed, f"{path}: {key}: regions"):
            place = f"{path}: {key}"
            parts = as_mapping(region, place)
            shape = as_mapping(parts.get("shape_attributes"), f"{place}: shape_attributes")
            attributes = parts.get("region_attributes", {})
            found = _via2_box(place, str(values.get("filename", "")), shape, attributes, rules, images)
            boxes += [found] if found else []
            others += not found
    return _finished(path, "VIA 2, JSON", boxes, rules.notes(), others)


def _via2_box(
    place: str, name: str, shape: _Attributes, attributes: object, rules: ActionRules, images: ImageNames
) -> LabelledBox | None:
    """Return one region as a box; ``None`` when it is no rectangle."""
    if shape.get("name") != "rect":
        return None
    x, y, width, height = (
        number(shape.get(field), f"{place}: {field}") for field in ("x", "y", "width", "height")
    )
    given = as_mapping(attributes, f"{place}: region_attributes")
    values = [
        (key, ticked(value) if isinstance(value, Mapping) else str(value)) for key, value in given.items()
    ]
    video, moment = images.video_and_moment(name, place)
    return LabelledBox(video, moment, (x, y, x + width, y + height), rules.actions("", values), place)


def _finished(path: Path, form: str, boxes: list[LabelledBox], notes: list[str], others: int) -> Labels:
    if not boxes:
        raise DataError(f"{path}: no rectangle in it; expected boxes of people drawn in VIA")
    if others:
        notes = [*notes, f"left out {others:,} shapes that are no rectangles"]
    return Labels(form, boxes, notes=notes)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not empty, with their numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _numbered(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def _numbered(file: Iterable[str]) -> Iterator[tuple[int, str]]:
    for line, text in enumerate(file, 1):
        if text.strip():
            yield line, text.rstrip("\r\n")
