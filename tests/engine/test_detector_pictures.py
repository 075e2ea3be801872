"""Pictures and people for the detector: keyframes of videos, and COCO-style files."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ava_detect.engine.detector_pictures import test_pictures as pictures_to_test
from ava_detect.engine.detector_pictures import training_pictures
from ava_detect.engine.detector_training import load_detector_settings
from ava_detect.video.reader import VideoReader
from evaluation.errors import ConfigError, DataError, VideoError

SMALL = "person_detector/faster_rcnn_r18_half_fpn"
TRUTH = (
    "one,0,0.25,0.25,0.5,0.75,12,0\n"
    "one,0,0.25,0.25,0.5,0.75,80,0\n"  # the same person does two things
    "one,0,0.5,0.0,1.05,0.5,12,1\n"  # leaves the picture a little
    "one,1,0.1,0.1,0.9,0.9,12,0\n"
    "one,2\n"  # nobody is there
    "two,1,0.25,0.25,0.5,0.5,,\n"  # a box without a class
)


@pytest.fixture
def folder(tmp_path: Path, encode_video, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two videos of 96 x 128 pixels and 3 s, and ``people.csv``."""
    monkeypatch.setenv("AVA_DETECT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "videos").mkdir()
    for name in ("one", "two"):
        encode_video(tmp_path / "videos" / f"{name}.mp4", frames=75, fps=25, size=(96, 128))
    (tmp_path / "people.csv").write_text(TRUTH)
    return tmp_path


def settings(folder: Path, *more: str):
    return load_detector_settings(
        SMALL,
        [
            "AVA.VIDEO_DIR", str(folder / "videos"), "AVA.ANNOTATION_DIR", str(folder),
            "AVA.TRAIN_GT_BOX_LISTS", "[people.csv]", "AVA.GROUNDTRUTH_FILE", "people.csv", *more,
        ],
    )  # fmt: skip


def test_every_person_of_a_keyframe_is_there_once_in_pixels(folder: Path):
    pictures = training_pictures(settings(folder))
    assert [record["file_name"] for record in pictures.records] == [
        "one at 0000", "one at 0001", "one at 0002", "two at 0001",
    ]  # fmt: skip
    first = pictures.records[0]
    assert (first["height"], first["width"]) == (96, 128)
    assert [box["bbox"] for box in first["annotations"]] == [[32, 24, 64, 72], [64, 0, 128, 48]]
    assert {(box["category_id"], box["iscrowd"]) for box in first["annotations"]} == {(0, 0)}
    assert pictures.records[2]["annotations"] == []
    assert pictures.num_people == 4


@pytest.mark.parametrize("cache_gb", ["0", "1"])
def test_a_keyframe_is_the_readers_frame_in_bgr(folder: Path, cache_gb: str):
    pictures = training_pictures(settings(folder, "DATALOADER.CACHE_GB", cache_gb))
    with VideoReader(folder / "videos" / "one.mp4") as video:
        frames = {frame.time: frame.image() for frame in video if frame.time in (0.0, 1.0, 2.0)}
    for record in pictures.records[:3]:
        np.testing.assert_array_equal(pictures.read(record), frames[record["second"]])


def test_a_keyframe_outside_its_video_is_an_error_with_or_without_memory(folder: Path):
    (folder / "people.csv").write_text("one,1,0,0,1,1,12\none,60,0,0,1,1,12\n")
    for cache_gb in ("0", "1"):
        pictures = training_pictures(settings(folder, "DATALOADER.CACHE_GB", cache_gb))
        assert pictures.read(pictures.records[0]).shape == (96, 128, 3)
        with pytest.raises(VideoError, match="no second 0060"):
            pictures.read(pictures.records[1])


def test_missing_videos_are_left_out_and_counted(folder: Path):
    (folder / "people.csv").write_text(TRUTH + "gone,5,0,0,1,1,12\ngone,6,0,0,1,1,12\n")
    pictures = training_pictures(settings(folder))
    assert len(pictures) == 4
    assert pictures.notes == ("left out 2 keyframes of 1 videos that are not there: gone",)
    (folder / "people.csv").write_text("gone,5,0,0,1,1,12\n")
    with pytest.raises(
        DataError, match=r"none of the 1 annotated videos is there \(annotated: gone; found: one, two\)"
    ):
        training_pictures(settings(folder))


def test_a_video_that_cannot_be_opened_is_left_out_with_its_reason(folder: Path):
    (folder / "videos" / "two.mp4").write_bytes(b"not a video")
    pictures = training_pictures(settings(folder))
    assert {record["video_id"] for record in pictures.records} == {"one"}
    assert "two.mp4" in pictures.notes[0]


def test_rows_in_pixels_and_seconds_elsewhere_are_explained(folder: Path):
    (folder / "people.csv").write_text("one,1,10,20,300,400,12\n")
    with pytest.raises(DataError, match="a coordinate is 400; AVA boxes are normalised"):
        training_pictures(settings(folder))
    (folder / "people.csv").write_text(TRUTH)
    with pytest.raises(
        DataError, match=r"their seconds are 0-2, outside AVA\.VALID_SECONDS \[902, 1798\]"
    ) as caught:
        training_pictures(settings(folder, "AVA.VALID_SECONDS", "[902, 1798]"))
    assert "AVA.VALID_SECONDS auto" in caught.value.hint
    (folder / "people.csv").write_text("")
    with pytest.raises(DataError):
        training_pictures(settings(folder))


def test_settings_without_data_or_with_unknown_keys_are_refused(folder: Path):
    with pytest.raises(ConfigError, match=r"AVA\.VIDEO_DIR is empty"):
        training_pictures(settings(folder, "AVA.VIDEO_DIR", ""))
    with pytest.raises(ConfigError, match=r"AVA\.VIDEO_DIRS"):
        settings(folder, "AVA.VIDEO_DIRS", "x")
    with pytest.raises(
        ConfigError, match=r"SOLVER\.BASELR is not a setting\. Did you mean SOLVER\.BASE_LR \(0.0012"
    ):
        settings(folder, "SOLVER.BASELR", "1")
    with pytest.raises(ConfigError, match=r"SOLVER\.MAX_ITER \(command line\): expected int, got 'many'"):
        settings(folder, "SOLVER.MAX_ITER", "many")
    with pytest.raises(ConfigError, match=r"SOLVER\.MAX_ITER: expected at least 1, got 0"):
        settings(folder, "SOLVER.MAX_ITER", "0")
    with pytest.raises(ConfigError, match=r"INPUT\.COLOR_JITTER: expected a number from 0 to below 1, got 2"):
        settings(folder, "INPUT.COLOR_JITTER", "2.0")
    with pytest.raises(ConfigError, match="expected a GeneralizedRCNN with RPN for proposals, got RetinaNet"):
        settings(folder, "MODEL.META_ARCHITECTURE", "RetinaNet")


def test_what_to_score_on_may_be_absent(folder: Path):
    assert pictures_to_test(settings(folder, "AVA.GROUNDTRUTH_FILE", "")) is None


# --- COCO


def coco(folder: Path, **changes) -> Path:
    """Write a COCO-style set of two pictures; return the JSON file."""
    (folder / "images").mkdir(exist_ok=True)
    for name, value in (("a.png", 40), ("b.png", 90)):
        cv2.imwrite(str(folder / "images" / name), np.full((60, 80, 3), (value, 10, 200), np.uint8))
    document = {
        "images": [
            {"id": 7, "file_name": "a.png", "height": 60, "width": 80},
            {"id": 9, "file_name": "b.png", "height": 60, "width": 80},
        ],
        "categories": [{"id": 3, "name": "car"}, {"id": 1, "name": "person"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "bbox": [10, 20, 30, 30], "iscrowd": 0, "area": 500.5},
            {"id": 2, "image_id": 7, "category_id": 3, "bbox": [0, 0, 5, 5], "iscrowd": 0, "area": 25},
            {"id": 3, "image_id": 7, "category_id": 1, "bbox": [60, 40, 40, 40], "iscrowd": 1, "area": 400},
            {"id": 4, "image_id": 9, "category_id": 1, "bbox": [70, 10, 0, 10], "iscrowd": 0},
        ],
    } | changes
    path = folder / "people.json"
    path.write_text(json.dumps(document))
    return path


def coco_settings(folder: Path, *more: str):
    return load_detector_settings(
        SMALL,
        ["COCO.TRAIN_JSON", str(folder / "people.json"), "COCO.TRAIN_IMAGES", str(folder / "images"), *more],
    )


def test_a_coco_file_gives_pictures_people_and_crowds(tmp_path: Path):
    coco(tmp_path)
    pictures = training_pictures(coco_settings(tmp_path))
    first, second = pictures.records
    assert [(box["bbox"], box["iscrowd"], box["area"]) for box in first["annotations"]] == [
        ([10, 20, 40, 50], 0, 500.5),
        ([60, 40, 80, 60], 1, 400),  # cut to the picture
    ]
    assert second["annotations"] == []
    assert pictures.notes == ("left out 1 boxes that are empty or outside their picture",)
    assert pictures.read(first)[0, 0].tolist() == [40, 10, 200]
    assert pictures.num_people == 1
    assert pictures_to_test(coco_settings(tmp_path)) is None


def test_another_name_for_people_can_be_given(tmp_path: Path):
    coco(tmp_path)
    pictures = training_pictures(coco_settings(tmp_path, "COCO.CATEGORY", "car"))
    assert [box["bbox"] for box in pictures.records[0]["annotations"]] == [[0, 0, 5, 5]]
    with pytest.raises(DataError, match="no category 'human'; it has car, person"):
        training_pictures(coco_settings(tmp_path, "COCO.CATEGORY", "human"))


IMAGE = {"id": 1, "file_name": "a.png", "height": 60, "width": 80}
PERSON = {"id": 1, "image_id": 1, "category_id": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": []}, "no images in it"),
        ({"images": 3}, "no list named images"),
        ({"images": [IMAGE, IMAGE]}, r"images\[1\]: its id is 1; expected a number that no other image has"),
        (
            {"images": [IMAGE | {"file_name": "../x.png"}]},
            "expected a path inside the folder",
        ),
        ({"images": [IMAGE | {"file_name": "/etc/x.png"}]}, "expected a path inside the folder"),
        ({"images": [IMAGE | {"height": 0}]}, r"images\[0\]: its size is 80 x 0|its size is 0 x 80"),
        (
            {"images": [IMAGE], "annotations": [{"image_id": 5}]},
            r"annotations\[0\]: its image_id is",
        ),
        (
            {"images": [IMAGE], "annotations": [PERSON | {"bbox": [1, 2, 3]}]},
            r"\[1, 2, 3\]; expected four",
        ),
        ({"images": [IMAGE], "annotations": [PERSON | {"bbox": [1, 2, 3, "x"]}]}, "expected four numbers"),
    ],
)
def test_faults_of_a_coco_file_are_named(changes, message: str, tmp_path: Path):
    coco(tmp_path, **changes)
    with pytest.raises(DataError, match=message):
        training_pictures(coco_settings(tmp_path))


def test_files_that_are_no_coco_file_are_refused(tmp_path: Path):
    for text, message in (("{", "not JSON"), ("[]", "expected an object"), ("[" * 100_000, "not JSON")):
        (tmp_path / "people.json").write_text(text)
        with pytest.raises(DataError, match=message):
            training_pictures(coco_settings(tmp_path))
    with pytest.raises(DataError, match=r"none\.json: cannot be read"):
        training_pictures(coco_settings(tmp_path, "COCO.TRAIN_JSON", str(tmp_path / "none.json")))
    coco(tmp_path)
    with pytest.raises(ConfigError, match="in which folder are its images"):
        training_pictures(coco_settings(tmp_path, "COCO.TRAIN_IMAGES", ""))


def test_images_that_are_missing_or_of_another_size_are_named(tmp_path: Path):
    coco(tmp_path)
    pictures = training_pictures(coco_settings(tmp_path))
    (tmp_path / "images" / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.png: no such file"):
        pictures.read(pictures.records[0])
    cv2.imwrite(str(tmp_path / "images" / "b.png"), np.zeros((30, 40, 3), np.uint8))
    with pytest.raises(DataError, match=r"b\.png: is 40 x 30 pixels, the JSON file says 80 x 60"):
        pictures.read(pictures.records[1])
