"""Write an AVA-style data set: annotations, label map, and a configuration that names them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from ava_detect.data.convert.keyframes import ConvertedVideo
from evaluation.atomic import atomic_path
from evaluation.errors import DataError
from evaluation.label_map import LabelMap
from evaluation.rows import format_time

LABEL_MAP, CONFIG = "label_map.pbtxt", "data.yaml"


def annotation_lines(videos: Mapping[str, ConvertedVideo], class_ids: Mapping[str, int]) -> Iterator[str]:
    """Yield AVA rows ``video_id,timestamp,x1,y1,x2,y2,action_id,person_id`` by video, time and person.

    A keyframe on which nobody is gives ``video_id,timestamp``.
    """
    for video_id in sorted(videos):
        for second, people in sorted(videos[video_id].people.items()):
            start = f"{_quoted(video_id)},{format_time(second)}"
            if not people:
                yield start
            for person in sorted(people, key=lambda person: person.number):
                box = ",".join(f"{value:.6f}" for value in person.box)
                for action_id in sorted(class_ids[action] for action in person.actions):
                    yield f"{start},{box},{action_id},{person.number}"


def write_annotations(path: Path, videos: Mapping[str, ConvertedVideo], class_ids: Mapping[str, int]) -> int:
    """Write a file of rows; returns how many."""
    lines = list(annotation_lines(videos, class_ids))
    write_text(path, "".join(f"{line}\n" for line in lines))
    return len(lines)


def label_map_text(labels: LabelMap) -> str:
    """Return a label map in AVA's format."""
    return "".join(
        f'item {{\n  name: "{_escaped(name)}"\n  id: {class_id}\n}}\n'
        for class_id, name in zip(labels.ids, labels.names, strict=True)
    )


def config_text(folder: Path, videos: Path | None, classes: int, *, model: str, has_val: bool) -> str:
    """Return the configuration of a data set, on top of a model's."""
    val = "val.csv" if has_val else "train.csv"
    settings = {
        "_BASE_": model,
        "AVA": {
            "VIDEO_DIR": str(videos.resolve()) if videos is not None else "",
            "START_SECOND": 0.0,
            "VALID_SECONDS": "auto",
            "ANNOTATION_DIR": str(folder.resolve()),
            "TRAIN_GT_BOX_LISTS": ["train.csv"],
            "GROUNDTRUTH_FILE": val,
            "TEST_GT_BOXES": True,
            "EXCLUSION_FILE": "",
            "LABEL_MAP_FILE": LABEL_MAP,
        },
        "MODEL": {"NUM_CLASSES": classes},
    }
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=1000)


def write_text(path: Path, text: str) -> None:
    """Write a file that is complete or absent.

    Raises:
        DataError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from error


def numbered_classes(names: Sequence[str]) -> LabelMap:
    """Give names the ids 1, 2, ... in the order of the alphabet."""
    ordered = sorted(names, key=lambda name: (name.casefold(), name))
    ids = tuple(range(1, len(ordered) + 1))
    return LabelMap(ids, tuple(ordered), ("other",) * len(ordered), source=LABEL_MAP)


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


def _quoted(video_id: str) -> str:
    return '"' + video_id.replace('"', '""') + '"' if set(video_id) & set(',"') else video_id
