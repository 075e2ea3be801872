"""A small sound data set: six real videos, annotations, person boxes, predictions and a label map."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.check.data_set import (
    CLASSES,
    SECONDS,
    SPLITS,
    DataSet,
    Row,
    box_text,
    label_map_text,
    people,
)


@pytest.fixture(scope="session")
def clean_template(tmp_path_factory: pytest.TempPathFactory, encode_video: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("clean") / "set"
    for name in ("videos", "annotations"):
        (folder / name).mkdir(parents=True)
    data, numbers = DataSet(folder), random.Random(0)
    data.label_map.write_text(label_map_text())
    found: list[Row] = []
    predicted: list[Row] = []
    for split, videos in SPLITS.items():
        annotated: list[Row] = []
        for video in videos:
            encode_video(data.videos / f"{video}.mp4", frames=10 * SECONDS, fps=10, size=(256, 320))
            k = int(video[-1])
            for second in range(SECONDS):
                for person, box in enumerate(people(k, second)):
                    key = [video, f"{second:04d}"]
                    action = 1 + (k + second + 2 * person) % len(CLASSES)
                    annotated.append([*key, *box_text(box), str(action), str(person)])
                    if split == "val":
                        score = f"{numbers.uniform(0.92, 1):.4f}"
                        found.append([*key, *box_text(box, 0.006), "", score])
                        for other in range(1, 1 + len(CLASSES)):
                            score = f"{numbers.uniform(0.01, 0.99):.4f}"
                            predicted.append([*key, *box_text(box, 0.006), str(other), score])
        data.write(data.train if split == "train" else data.val, annotated)
    data.write(data.boxes, found)
    data.write(data.predictions, predicted)
    return folder


@pytest.fixture
def data(clean_template: Path, tmp_path: Path) -> DataSet:
    return DataSet(Path(shutil.copytree(clean_template, tmp_path / "set")))
