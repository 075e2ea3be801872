"""Labels in COCO's form: pictures, categories, and boxes ``[x, y, width, height]`` in pixels.

A category is an action; equal boxes of one picture are one person. Pictures tell their video by ``video`` (or
``video_id`` with a list ``videos``) and ``frame_id`` or ``frame``, else by their file name.
"""

from collections.abc import Mapping
from pathlib import Path

from ava_detect.data.convert.actions import ActionRules
from ava_detect.data.convert.image_names import ImageNames
from ava_detect.data.convert.json_values import as_list, as_mapping, load_json
from ava_detect.data.convert.labels import LabelledBox, Labels
from ava_detect.data.convert.values import number, whole_number
from evaluation.errors import DataError


def read_coco(path: Path, rules: ActionRules, images: ImageNames) -> Labels:
    """Read a COCO file.

    Raises:
        DataError: it cannot be read, or an entry makes no sense.
    """
    document = as_mapping(load_json(path), str(path))
    names = {
        str(entry.get("id")): str(entry.get("name", "")) for entry in _entries(document, "categories", path)
    }
    videos = {
        str(entry.get("id")): str(entry.get("name") or entry.get("file_name") or "")
        for entry in _entries(document, "videos", path)
    }
    pictures = {str(entry.get("id")): entry for entry in _entries(document, "images", path)}
    boxes = []
    for order, entry in enumerate(_entries(document, "annotations", path)):
        place = f"{path}: annotations[{order}]"
        picture = pictures.get(str(entry.get("image_id")))
        if picture is None:
            raise DataError(f"{place}: image_id {entry.get('image_id')!r} is not among the images")
        label = names.get(str(entry.get("category_id")))
        if label is None:
            raise DataError(f"{place}: category_id {entry.get('category_id')!r} is not among the categories")
        boxes.append(_box(entry, picture, videos, label, place, rules, images))
    if not boxes:
        raise DataError(f"{path}: no annotation in it")
    return Labels("COCO", boxes, notes=rules.notes())


def _entries(document: Mapping[str, object], name: str, path: Path) -> list[Mapping[str, object]]:
    listed = as_list(document.get(name, []), f"{path}: {name}")
    return [as_mapping(entry, f"{path}: {name}[{order}]") for order, entry in enumerate(listed)]


def _box(
    entry: Mapping[str, object],
    picture: Mapping[str, object],
    videos: Mapping[str, str],
    label: str,
    place: str,
    rules: ActionRules,
    images: ImageNames,
) -> LabelledBox:
    values = as_list(entry.get("bbox"), f"{place}: bbox")
    if len(values) != 4:
        raise DataError(f"{place}: bbox has {len(values)} numbers; expected x, y, width, height")
    x, y, width, height = (number(value, f"{place}: bbox") for value in values)
    size = tuple(
        whole_number(picture.get(side), f"{place}: its image's {side}") for side in ("width", "height")
    )
    given = entry.get("attributes", {})
    attributes = [
        (str(name), str(value)) for name, value in as_mapping(given, f"{place}: attributes").items()
    ]
    video, moment = _where(picture, videos, place, images)
    person = entry.get("track_id", entry.get("instance_id", ""))
    return LabelledBox(
        video,
        moment,
        (x, y, x + width, y + height),
        rules.actions(label, attributes),
        place,
        person=str(person),
        size=(size[0], size[1]) if all(size) else None,
    )


def _where(
    picture: Mapping[str, object], videos: Mapping[str, str], place: str, images: ImageNames
) -> tuple[str, int | float]:
    video = picture.get("video") or videos.get(str(picture.get("video_id")), "")
    frame = picture.get("frame_id", picture.get("frame"))
    if video and frame is not None:
        return str(video), whole_number(frame, f"{place}: its image's frame")
    return images.video_and_moment(str(picture.get("file_name", "")), place)
