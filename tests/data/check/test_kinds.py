"""What a thing is told to be from its content."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from ava_detect.data.check import check_things
from ava_detect.data.check.kinds import Kind, tell_kind

TRUTH = "cam1,0902,0.1,0.1,0.4,0.9,12,1\n"
PREDICTION = "cam1,0902,0.1,0.1,0.4,0.9,12,0.25\n"
BOX = "cam1,0902,0.1,0.1,0.4,0.9,,0.99\n"
FRAME_LIST = 'original_vido_id video_id frame_id path labels\ncam1 0 0 cam1/a_1.jpg ""\n'


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.csv", TRUTH, Kind.TRUTH),
        ("a", TRUTH * 3, Kind.TRUTH),
        ("a.csv", "cam1,0902\n" + TRUTH, Kind.TRUTH),
        ("a.csv", "video_id,timestamp,x1,y1,x2,y2,action_id,person_id\n" + TRUTH, Kind.TRUTH),
        ("a.csv", "\ufeff" + TRUTH, Kind.TRUTH),
        ("a.csv", TRUTH.replace("\n", "\r\n"), Kind.TRUTH),
        ("a.csv", "cam1,0902,0.1,0.1,0.4,0.9,12\n", Kind.TRUTH),
        ("a.csv", "cam1,0902,0.1,0.1,0.4,0.9,12,\n", Kind.TRUTH),
        ("a.csv", PREDICTION, Kind.PREDICTIONS),
        ("a.csv", "cam1,0902,0.1,0.1,0.4,0.9,12,1.0\n", Kind.PREDICTIONS),
        ("a.csv", "cam1,0902,0.1,0.1,0.4,0.9,12,1e-3\n", Kind.PREDICTIONS),
        ("detections.csv", "cam1,0902,0.1,0.1,0.4,0.9,12\n", Kind.PREDICTIONS),
        ("my_pred.csv", TRUTH, Kind.PREDICTIONS),
        ("a.csv", BOX, Kind.BOXES),
        ("a.csv", "cam1,0902,0.1,0.1,0.4,0.9\n", Kind.BOXES),
        ("person_boxes_and_labels.csv", PREDICTION, Kind.BOXES),
        ("predicted_boxes.csv", TRUTH, Kind.BOXES),
        ("a.csv", "cam1,0902\ncam2,0903\n", Kind.EXCLUSIONS),
        ("a.csv", "a;b;c\n", Kind.TRUTH),
        ("a.pbtxt", "", Kind.LABEL_MAP),
        ("a.txt", 'item { name: "stand" id: 12 }', Kind.LABEL_MAP),
        ("a.txt", '# AVA\nlabel {\n  name: "stand"\n', Kind.LABEL_MAP),
        ("a.txt", "1: bend\n2: crawl\n", Kind.LABEL_MAP),
        ("a.csv", FRAME_LIST, Kind.FRAME_LIST),
        ("a.csv", 'cam1 0 0 cam1/a_1.jpg ""\n', Kind.FRAME_LIST),
        ("a.yaml", "", Kind.CONFIG),
        ("a", "MODEL:\n  ARCH: slowfast\n", Kind.CONFIG),
        ("a", "DATA.NUM_FRAMES: 32\n", Kind.CONFIG),
        ("a.txt", "", Kind.UNKNOWN),
        ("a.txt", "hello", Kind.UNKNOWN),
        ("a.json", '{"a": 1}', Kind.UNKNOWN),
    ],
)
def test_text_is_told_by_its_rows(name, text, kind, tmp_path):
    path = tmp_path / name
    path.write_bytes(text.encode())
    assert tell_kind(path).kind is kind


def test_videos_are_told_whatever_they_are_called(make_video, tmp_path):
    for name in ("a.mp4", "a.mkv", "a.avi", "a.ts", "a.flv"):
        path = make_video(name, frames=5)
        assert tell_kind(path.rename(tmp_path / "something")).kind is Kind.VIDEO


def test_a_damaged_video_is_told_by_its_suffix(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"\0" * 100)
    assert tell_kind(tmp_path / "a.mp4").kind is Kind.VIDEO


def test_checkpoints_are_told_whatever_they_are_called(tmp_path):
    path = tmp_path / "something"
    torch.save({"a": torch.zeros(2)}, path)
    assert tell_kind(path).kind is Kind.CHECKPOINT
    path.write_bytes(pickle.dumps({"a": np.zeros(2)}))
    assert tell_kind(path).kind is Kind.CHECKPOINT


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x1f\x8b\x08\0", "compressed with gzip"),
        (b"\x89PNG\r\n\x1a\n\0\0", "a picture; frames are checked as a folder of them"),
        (b"\xff\xfec\0a\0m\0", "UTF-16 text"),
        (b"ab\0cd", "neither text, nor a video, nor a checkpoint"),
        (b"some words", "text of no kind that is known here"),
    ],
)
def test_what_is_nothing_of_this_says_what_it_is(content, words, tmp_path):
    path = tmp_path / "thing"
    path.write_bytes(content)
    (finding,) = check_things([str(path)]).findings
    assert finding.code == "unknown"
    assert words in finding.message


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (["annotations/train.csv"], Kind.DATA_SET),
        (["train.csv", "videos/a.mp4"], Kind.DATA_SET),
        (["train.csv", "a.mp4"], Kind.DATA_SET),
        (["train.csv", "labels.pbtxt"], Kind.ANNOTATIONS),
        (["a.mp4", "notes.txt"], Kind.VIDEOS),
        (["cam1/img_00001.jpg"], Kind.FRAMES),
        (["img_00001.jpg"], Kind.FRAMES),
        (["notes.txt"], Kind.UNKNOWN),
        ([], Kind.UNKNOWN),
    ],
)
def test_folders_are_told_by_what_is_in_them(files, kind, tmp_path):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert tell_kind(tmp_path).kind is kind


def test_what_is_not_there_names_what_is_nearby(tmp_path):
    Path(tmp_path / "train.csv").write_text(TRUTH)
    (finding,) = check_things([str(tmp_path / "trian.csv")]).findings
    assert (finding.code, finding.message) == ("absent", "no such file. Nearby: train.csv")


def test_a_pipe_is_not_opened(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.csv")
    (finding,) = check_things([str(tmp_path / "pipe.csv")]).findings
    assert "a pipe, socket or device" in finding.message


@pytest.mark.parametrize("name", ["ava/slowfast_8x8_r50", "v2.2"])
def test_packaged_configurations_and_label_maps_have_names(name):
    report = check_things([name])
    assert report.findings == []
    assert report.subjects[0].path == name
