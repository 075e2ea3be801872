"""The whole road with what is shipped: scenes -> predict -> evaluate, the same through test, and the record.

One test draws, predicts and scores, because every further one would cost each of pytest's processes the same
again. The scenes are those of the record: three of the test split, which nothing was trained on.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from ava_detect.cli import main
from ava_detect.config import load_config
from ava_detect.data.scenes import write_dataset
from ava_detect.data.scenes.actions import AVA_NAMES
from ava_detect.output.document import read_document
from ava_detect.output.writers import person_rows
from ava_detect.weights import find_weights
from ava_detect.weights.cache import file_digest
from evaluation import evaluate_ava
from evaluation.person_boxes import person_box_ap
from evaluation.rows import RowTable, format_row, read_detections, read_groundtruth, table_of_rows

FOLDER = Path(__file__).parents[2] / "ava_detect" / "weights" / "embedded"
RECORD = json.loads((FOLDER / "record.json").read_text())
CONFIG = "scenes/slowfast_r18_more"

# Below what the record says, by more than pixels, libraries and processors change.
LOWEST_MAP = 0.6
LOWEST_PERSON_AP50 = 0.9
SAME_SCORE = 0.03  # for 30 keyframes: one person found or not changes a rare class's AP by several per cent


@pytest.mark.parametrize("kind", ["actions", "persons"])
def test_the_files_are_those_of_the_record(kind: str) -> None:
    path = find_weights("embedded", kind=kind).path  # type: ignore[arg-type]  # a Kind
    assert path == FOLDER / f"{kind}.safetensors"
    assert file_digest(path, "sha256") == RECORD[kind]["sha256"]


def test_the_files_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 12e6


def test_the_action_model_is_that_of_its_recipe_and_brings_its_classes() -> None:
    entry = find_weights("embedded")
    recipe = load_config(CONFIG)
    found = entry.load_config()
    for section in ("MODEL", "RESNET", "SLOWFAST", "NONLOCAL", "DETECTION", "DATA", "SOLVER", "AVA"):
        assert getattr(found, section) == getattr(recipe, section)
    assert found.MODEL.ARCH == "slowfast"
    labels = entry.load_labels()
    assert labels is not None
    assert dict(zip(labels.ids, labels.names, strict=True)) == {
        action.value: name for action, name in AVA_NAMES.items()
    }


def test_scenes_are_predicted_and_tested_with_one_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    scenes = RECORD["scenes"]
    truth = write_dataset("set", scenes["split"], scenes["count"], seed=scenes["seed"])
    outputs = ["--out", "predicted.csv", "--out", "all.json"]
    quiet = ["--quiet", "--backend", "torch"]
    assert main(["predict", "set/videos", "--weights", "embedded", "--min-score", "0", *outputs, *quiet]) == 0

    labels = "set/label_map.pbtxt"
    predicted = evaluate_ava(truth, "predicted.csv", labels).mean
    assert predicted >= LOWEST_MAP
    assert predicted == pytest.approx(RECORD["frame_map"]["detected_boxes"], abs=SAME_SCORE)

    persons = list(person_rows(read_document(Path("all.json"))))
    ap50 = person_box_ap(read_groundtruth(truth), table_of_rows(persons)).ap50
    assert ap50 >= LOWEST_PERSON_AP50
    assert ap50 == pytest.approx(RECORD["person_ap50"]["kept_boxes"], abs=SAME_SCORE)

    (truth.parent / "boxes.csv").write_text("".join(f"{format_row(row)}\n" for row in persons))
    settings = [
        "AVA.VIDEO_DIR", "set/videos", "AVA.ANNOTATION_DIR", str(truth.parent),
        "AVA.GROUNDTRUTH_FILE", truth.name, "AVA.TEST_GT_BOXES", "False",
        "AVA.TEST_PREDICT_BOX_LISTS", "[boxes.csv]", "AVA.DETECTION_SCORE_THRESH", "0",
        "DATA_LOADER.NUM_WORKERS", "0",
    ]  # fmt: skip
    assert main(["test", *settings, "--weights", "embedded", "--out", "tested", *quiet]) == 0
    assert capsys.readouterr().err.count("nothing of the real world") == 2  # once by each command
    tested = evaluate_ava(truth, "tested/detections.csv", labels).mean
    assert tested == pytest.approx(predicted, abs=0.002)
    assert_same_rows(read_detections("tested/detections.csv"), read_detections("predicted.csv"))


def assert_same_rows(rows: RowTable, others: RowTable) -> None:
    """Every person has the same scores for every class in both files."""
    keys, others_keys = keys_of(rows), keys_of(others)
    np.testing.assert_allclose(rows.boxes[keys], others.boxes[others_keys], atol=2e-6)
    np.testing.assert_array_equal(rows.action_ids[keys], others.action_ids[others_keys])
    np.testing.assert_allclose(rows.scores[keys], others.scores[others_keys], atol=1e-3)


def keys_of(rows: RowTable) -> np.ndarray:
    """Order rows by video, time, place of the person, class."""
    names = np.array(rows.video_names)[rows.videos]
    places = rows.boxes.round(4)
    return np.lexsort((rows.action_ids, places[:, 2], places[:, 1], places[:, 0], rows.times, names))
