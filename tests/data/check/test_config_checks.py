"""Configurations: what they name is found and read, and settings are held against the data."""

import re
import shutil
from pathlib import Path

import pytest

from ava_detect.data.check import Options, Report, check_things
from ava_detect.data.check.kinds import Kind
from ava_detect.data.check.load import Thing
from tests.data.check.data_set import codes, label_map_text, only

RANGE = "START_SECOND: 0, VALID_SECONDS: auto"


def check(*things: object, overrides: tuple[str, ...] = ()) -> Report:
    listed = [thing if isinstance(thing, Thing) else str(thing) for thing in things]
    return check_things(listed, Options(overrides=overrides, decode=False))


def test_a_sound_configuration_names_everything_that_is_checked(data):
    report = check(data.config())
    assert report.findings == []
    assert {subject.kind for subject in report.subjects} == {
        "configuration", "ground truth", "person boxes", "label map", "videos"
    }  # fmt: skip
    summary = next(subject.summary for subject in report.subjects if subject.kind == "person boxes")
    assert "recall 100.0%" in summary
    assert "(boxes >= 0.9)" in summary


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("MODEL: {NUM_CLASES: 5}", "NUM_CLASES.*NUM_CLASSES"),
        ("MODEL: {NUM_CLASSES: five}", "expected .*number, got 'five'"),
        ("MODEL: [", "a"),
        ("MODEL: {ARCH: mvit}", "ARCH"),
    ],
)
def test_a_configuration_that_cannot_be_used_says_why(text, words, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert re.search(words, only(check(path), "config").message)


def test_overrides_hold(data):
    report = check(data.config(), overrides=("MODEL.NUM_CLASSES", "6"))
    assert "MODEL.NUM_CLASSES is 6 (command line)" in only(report, "num-classes").message


def test_a_model_without_data_is_no_fault(data):
    report = check("ava/slowfast_8x8_r50")
    assert report.findings == []
    assert "it names no data" in report.subjects[0].summary


@pytest.mark.parametrize("key", ["TRAIN_GT_BOX_LISTS: [tran.csv]", "GROUNDTRUTH_FILE: vol.csv"])
def test_a_named_file_that_is_not_there_is_named_with_its_key_and_line(key, data):
    path = data.config()
    name = key.partition(":")[0]
    path.write_text(re.sub(rf"{name}: \[?\w+.csv\]?", key, path.read_text()))
    finding = only(check(path), "named-file-absent")
    assert re.search(rf"AVA.{name} \(.*mine.yaml:\d+\): no such file: .*/\w+.csv Nearby: ", finding.message)


def test_a_folder_that_is_not_there(data):
    shutil.rmtree(data.videos)
    assert "AVA.VIDEO_DIR" in only(check(data.config()), "named-file-absent").message


def test_neither_videos_nor_frames(data):
    path = data.config()
    path.write_text(re.sub("VIDEO_DIR: [^,]+", "VIDEO_DIR: ''", path.read_text()))
    finding = only(check(path), "no-media")
    assert finding.message == "AVA.FRAME_DIR is empty and AVA.VIDEO_DIR is too: where are the videos?"
    assert "AVA.VIDEO_DIR" in finding.hint


def test_test_boxes_that_nobody_named_are_a_note(data):
    path = data.config()
    path.write_text(path.read_text().replace("TEST_PREDICT_BOX_LISTS: [boxes_val.csv],", ""))
    report = check(path)
    assert "ava_val_predicted_boxes.csv" in only(report, "default-file-absent").message
    assert report.faults == []


def test_the_threshold_decides_which_boxes_count(data):
    report = check(data.config(ava=f"{RANGE}, DETECTION_SCORE_THRESH: 0.97"))
    finding = only(report, "recall")
    assert "with score >= 0.97" in finding.message
    assert "100% at 0" in finding.hint
    report = check(data.config(ava=f"{RANGE}, DETECTION_SCORE_THRESH: 1.0"))
    assert "no box has a score of 1 or more" in only(report, "no-box-above-threshold").message


def test_the_ground_truth_again_as_training_boxes_is_a_note(data):
    report = check(data.config(ava=f"{RANGE}, TRAIN_PREDICT_BOX_LISTS: [train.csv]"))
    assert "names the ground truth" in only(report, "truth-as-boxes").message
    assert report.faults == []


def test_training_boxes_need_no_recall(data):
    shutil.copy(data.boxes, data.folder / "annotations" / "boxes_train.csv")
    data.edit(data.folder / "annotations" / "boxes_train.csv", lambda row: ["cam1", *row[1:]], every=1)
    rows = [["cam1", f"000{k}", 0.1, 0.1 + k / 50, 0.2, 0.9, "", 0.95] for k in range(5)]
    data.write(data.folder / "annotations" / "boxes_train.csv", rows)
    report = check(data.config(ava=f"{RANGE}, TRAIN_PREDICT_BOX_LISTS: [boxes_train.csv]"))
    assert codes(report) == {"video-sets-differ"}  # cam2 to cam4 have none


def test_the_exclusion_file_of_the_defaults_need_not_be_there(data):
    assert check(data.config()).findings == []
    report = check(data.config(ava=f"{RANGE}, EXCLUSION_FILE: excluded.csv"))
    assert "AVA.EXCLUSION_FILE" in only(report, "named-file-absent").message


def test_a_packaged_label_map_is_found_by_avas_name(data):
    path = data.config(model="NUM_CLASSES: 80")
    name = "ava_action_list_v2.2_for_activitynet_2019.pbtxt"
    path.write_text(path.read_text().replace("label_map.pbtxt", name))
    report = check(path)
    assert report.faults == []  # 60 classes with ids up to 80 and 80 outputs
    assert any(subject.path == "v2.2" for subject in report.subjects)


def test_frame_lists_and_frames_of_a_configuration(data, tmp_path):
    (tmp_path / "lists").mkdir()
    lines = [f'{video} 0 {k} {video}/a_{k}.jpg ""' for video in ("cam1", "cam2") for k in range(180)]
    (tmp_path / "lists" / "train.csv").write_text("\n".join(lines) + "\n")
    report = check(data.config(ava=f"{RANGE}, FRAME_LIST_DIR: {tmp_path / 'lists'}"))
    assert "2 only in" in only(report, "video-sets-differ").message
    assert "AVA.TEST_LISTS" in only(report, "named-file-absent").message


def test_a_label_map_that_is_no_file_at_all(data):
    path = data.config()
    (data.folder / "annotations" / "label_map.pbtxt").write_text("stand,12\n")
    report = check(path)
    assert "expected entries like" in only(report, "label-map").message


def test_a_checkpoint_for_other_classes_is_a_note(data, tmp_path, tiny_cfg, tiny_model):
    from ava_detect.config import dump_config
    from ava_detect.weights import save_weights

    path = tmp_path / "tiny.safetensors"
    save_weights(tiny_model, path, config=tiny_cfg)
    (tmp_path / "tiny.yaml").write_text(dump_config(tiny_cfg))
    assert check(tmp_path / "tiny.yaml", path).findings == []
    report = check(tmp_path / "tiny.yaml", path, overrides=("MODEL.NUM_CLASSES", "9"))
    assert "head.projection.weight" in only(report, "checkpoint-head").message
    assert report.faults == []


def test_a_checkpoint_with_another_number_of_classes_than_the_label_map(data, tmp_path, tiny_model):
    import torch

    path = tmp_path / "tiny.pth"
    torch.save({"model_state": tiny_model.state_dict()}, path)  # 6 classes, no configuration inside
    assert check(path, data.label_map).findings == []  # five and a background row
    data.label_map.write_text(label_map_text([f"action {k}" for k in range(9)]))
    report = check(path, data.label_map)
    assert "its classifier has 6 classes" in only(report, "checkpoint-classes").message


def test_a_checkpoint_whose_classes_are_called_otherwise(tmp_path, tiny_cfg, tiny_model):
    from ava_detect.weights import save_weights
    from evaluation.label_map import load_label_map

    def label_map(*names: str) -> Path:
        (tmp_path / "labels.pbtxt").write_text(label_map_text(names))
        return tmp_path / "labels.pbtxt"

    six = ("fall", "sit", "stand", "walk", "wave", "jump")
    path = tmp_path / "tiny.safetensors"
    save_weights(tiny_model, path, config=tiny_cfg, label_map=load_label_map(label_map(*six)))
    assert check(path, label_map(*six)).findings == []
    assert check(path, label_map(*six[:4])).findings == []  # those that are evaluated
    report = check(path, label_map("fall", "sit", "run", "walk"))
    assert "1 classes of" in only(report, "checkpoint-classes").message


def test_a_models_configuration_is_held_against_a_folders_label_map(data):
    report = check(data.folder, "ava/slowfast_8x8_r50")
    assert "MODEL.NUM_CLASSES is 80" in only(report, "num-classes").message
    assert check(data.folder, "ava/slowfast_8x8_r50", overrides=("MODEL.NUM_CLASSES", "5")).faults == []


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("run",)

    path = tmp_path / "weights.pkl"
    path.write_bytes(pickle.dumps(Evil()))
    report = check(path)
    assert codes(report) == {"checkpoint-unreadable"}


def test_a_detector_is_told_from_an_action_model(tmp_path):
    import torch

    path = tmp_path / "detector.pth"
    torch.save({"model": {"backbone.bottom_up.stem.conv1.weight": torch.zeros(3)}}, path)
    report = check(Thing(str(path), Kind.CHECKPOINT))
    assert report.findings == []
    assert "person detector of Detectron2, 1 tensors" in report.subjects[0].summary
