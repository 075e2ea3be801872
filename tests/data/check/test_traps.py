"""The traps that users of AVA-style data are known to walk into: each is made here, and named by a message.

The threads are of PySlowFast, mmaction2 and LFB; the numbers are their issues.
"""

import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ava_detect.data.check import Options, Report, Severity, check_things
from ava_detect.data.check.kinds import Kind
from ava_detect.data.check.load import Thing
from tests.data.check.data_set import DataSet, Row, codes, columns, only


def check(*things: Path | Thing, **options: object) -> Report:
    listed = [thing if isinstance(thing, Thing) else str(thing) for thing in things]
    return check_things(listed, Options(decode=False, **options))


@pytest.fixture(scope="session")
def frame_bytes() -> Callable[[int, int], bytes]:
    def make(width: int, height: int) -> bytes:
        return cv2.imencode(".jpg", np.full((height, width, 3), 99, np.uint8))[1].tobytes()

    return make


@pytest.fixture
def write_frames(tmp_path: Path, frame_bytes: Callable[[int, int], bytes]) -> Callable[..., Path]:
    """Return a function that writes frames of cam1..cam4 as PySlowFast names them."""

    def write(count: int = 180, *, size: tuple[int, int] = (340, 256), first: int = 1) -> Path:
        folder = tmp_path / "frames"
        for video in ("cam1", "cam2", "cam3", "cam4"):
            (folder / video).mkdir(parents=True)
            for number in range(first, first + count):
                (folder / video / f"{video}_{number:06d}.jpg").write_bytes(frame_bytes(*size))
        return folder

    return write


def test_a_network_with_fewer_outputs_than_classes(data):  # mmaction2 1140, 2917, 732; SlowFast 707
    finding = only(check(data.config(model="NUM_CLASSES: 4")), "num-classes")
    assert re.search(
        r"NUM_CLASSES is 4 \(.*mine.yaml:1\); .*label_map.pbtxt has 5 classes, ids up to 5", finding.message
    )
    assert finding.hint == "MODEL.NUM_CLASSES 5"


def test_times_and_names_that_two_files_do_not_share(data):  # mmaction2 1140
    data.edit(data.predictions, columns(video=lambda video: f"videos/{video}.mp4"))
    finding = only(check(data.val, data.predictions), "not-comparable")
    assert "video ids like 'cam5', times 0-5" in finding.message
    assert "'videos/cam5.mp4'" in finding.message


def test_ids_that_are_file_names_are_noted_before_there_are_videos(data):
    data.edit(data.train, columns(video=lambda video: f"clips/{video}.mp4"))
    note = only(check(data.train), "file-names-as-ids")
    assert "'clips/cam1.mp4', " in note.message
    assert note.message.endswith("expected like 'cam1'")


def test_predictions_on_many_keyframes_without_truth(data):
    data.edit(data.val, lambda row: None if int(row[1]) > 2 else row)
    report = check(data.val, data.predictions)
    assert "6 of 12 predicted keyframes are not in" in only(report, "keyframes-without-truth").message


def test_seven_images_and_keyframes_far_behind_them(data, write_frames):  # SlowFast 707
    report = check(data.train, write_frames(7))
    assert re.search(
        "60 of 72 rows lie behind the end of their frames: cam1", only(report, "behind-end").message
    )


def test_times_that_begin_at_0_under_avas_range(data):  # SlowFast 536, mmaction2 1279
    report = check(data.config(ava="START_SECOND: 0"))
    finding = next(finding for finding in report.faults if finding.code == "outside-valid-seconds")
    assert "have a time outside 902-1798 s and are not used: 0-5" in finding.message
    assert "AVA.VALID_SECONDS auto" in finding.hint
    assert codes(report) == {"outside-valid-seconds"}


def test_videos_of_any_length_are_fine_with_the_range_of_the_data(data):  # mmaction2 1002; SlowFast 611
    assert check(data.config()).findings == []


def test_videos_that_are_said_to_begin_at_900(data):
    report = check(data.config(ava="VALID_SECONDS: auto"))  # START_SECOND is 900, as for AVA
    finding = next(finding for finding in report.faults if finding.code == "before-start")
    assert "--start-second 0" in finding.hint
    assert codes(report) == {"before-start"}


def test_class_ids_from_0_and_beyond_the_last(data):  # mmaction2 2354
    data.edit(data.train, columns(action=lambda action: int(action) - 1))
    finding = only(check(data.train, data.label_map), "zero-based")
    assert finding.places[0].line > 0
    assert finding.places[0].text.split(",")[6] == "0"


def test_times_without_leading_zeros_are_the_same_times(data):
    data.edit(data.boxes, columns(time=int))
    assert check(data.val, data.boxes).findings == []


def test_proposals_whose_keys_mmaction2_does_not_find(data, tmp_path):
    proposals: dict[str, list[list[float]]] = {}
    for video, time, *box, _, score in data.rows(data.boxes):
        proposals.setdefault(f"{video},{int(time)}", []).append([*map(float, box), float(score)])
    path = tmp_path / "proposals.pkl"
    path.write_bytes(pickle.dumps({key: np.array(boxes) for key, boxes in proposals.items()}))
    report = check(data.val, path)
    assert (
        "12 of 12 keys have a time of fewer than four digits ('cam5,0')"
        in only(report, "proposal-keys").message
    )
    assert report.subjects[-1].kind == "person boxes"
    assert "recall 100.0%" in report.subjects[-1].summary
    assert codes(report) == set()


def test_rows_of_a_pickle_have_no_line_that_could_be_shown(tmp_path):
    path = tmp_path / "proposals.pkl"
    path.write_bytes(pickle.dumps({"cam1,0902": np.array([[10.0, 20.0, 300.0, 400.0, 0.9]] * 2)}))
    finding = only(check(path), "pixels")
    assert {(place.line, place.text) for place in finding.places} == {(0, "")}


def test_proposals_that_lack_keyframes(data, tmp_path):
    path = tmp_path / "proposals.pkl"
    path.write_bytes(pickle.dumps({"cam5,0000": np.array([[0.1, 0.2, 0.3, 0.9, 0.99]])}))
    report = check(data.val, path)
    assert "11 of 12 keyframes" in only(report, "keyframes-without-boxes").message


def test_frames_from_another_ffmpeg(data, write_frames):  # SlowFast 112, LFB 29; mmaction2 534, 806, 1707
    report = check(data.train, data.videos, write_frames(174))
    finding = only(report, "frame-count")
    assert "cam1: 174 frames, expected 180 (30 for each of 6.0 s) (and 3 more)" in finding.message
    assert "-r behind -i" in finding.hint
    assert codes(report) == {"frame-count"}


@pytest.mark.parametrize("count", [178, 180, 182])
def test_two_frames_more_or_less_are_how_ffmpeg_versions_differ(count, data, write_frames):
    assert codes(check(data.train, data.videos, write_frames(count))) == set()


def test_frames_at_another_rate_than_30(data, write_frames):
    report = check(data.train, data.videos, write_frames(150))
    assert (
        "150 frames, expected 180 (30 for each of 6.0 s); 25 per second"
        in only(report, "frame-count").message
    )


def test_avas_frames_are_counted_without_the_videos(tmp_path, frame_bytes):
    folder = tmp_path / "frames" / "1j20qq1JyX4"
    folder.mkdir(parents=True)
    for number in range(1, 12):
        (folder / f"img_{number:05d}.jpg").write_bytes(frame_bytes(340, 256))
    finding = only(check(folder.parent), "frame-count")
    assert "11 frames, expected 27,030 (30 for each of 901.0 s)" in finding.message


def test_frames_scaled_down_on_disk(data, write_frames):  # SlowFast 66
    report = check(data.train, write_frames(size=(170, 128)))
    assert "the frames are 170x128" in only(report, "small-picture").message
    assert codes(report) == set()


def test_the_map_of_all_80_classes_at_evaluation(data):  # mmaction2 1086
    report = check(data.val, data.predictions, Thing("v2.2-80", Kind.LABEL_MAP))
    assert "means over 60" in only(report, "all-80-classes").message


def test_predictions_on_annotated_boxes(data):  # mmaction2 1268
    annotated = {tuple(row[:2]): row for row in data.rows(data.val)}
    data.edit(data.predictions, lambda row: [*row[:2], *annotated[tuple(row[:2])][2:6], *row[6:]])
    report = check(data.val, data.predictions)
    assert "100% of the predicted boxes are annotated boxes" in only(report, "boxes-of-truth").message


def test_a_configuration_that_tests_on_annotated_boxes(data):  # mmaction2 1268
    path = data.config(ava="START_SECOND: 0, VALID_SECONDS: auto, TEST_GT_BOXES: True")
    assert "TEST_GT_BOXES is on" in only(check(path), "boxes-of-truth").message


def test_a_checkpoint_in_another_format_than_expected(data, tmp_path):  # SlowFast 710
    path = tmp_path / "weights.pkl"
    blobs = {name: np.zeros(8, np.float32) for name in ("conv1_w", "res_conv1_bn_s", "pred_w")}
    path.write_bytes(pickle.dumps({"blobs": blobs}))
    report = check(data.config(), path)
    finding = only(report, "checkpoint-misfit")
    assert re.search(r"0 of \d+ tensors of the model in .*mine.yaml .*Caffe2", finding.message)
    assert codes(report) == {"checkpoint-misfit"}


def write_frame_list(path: Path, videos: tuple[str, ...], *, first: int = 0) -> Path:
    lines = ["original_vido_id video_id frame_id path labels"]
    for code, video in enumerate(videos):
        lines += [f'{video} {code} {k + first} {video}/{video}_{k + 1:06d}.jpg ""' for k in range(180)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_other_videos_in_frame_lists_than_in_boxes(data, tmp_path):  # SlowFast 361, 738
    listed = write_frame_list(tmp_path / "train.csv", ("cam1", "cam2", "cam3", "cam9"))
    finding = only(check(data.train, listed), "video-sets-differ")
    assert "1 only in" in finding.message
    assert "('cam9')" in finding.message
    assert "('cam4')" in finding.message


def test_ground_truth_given_as_predictions(data):
    finding = only(check(Thing(str(data.val), Kind.PREDICTIONS)), "whole-scores")
    assert "annotations" in finding.message
    assert "person id" in finding.hint


def test_ground_truth_given_as_test_boxes(data):
    path = data.config(ava="START_SECOND: 0, VALID_SECONDS: auto")
    path.write_text(path.read_text().replace("[boxes_val.csv]", "[val.csv]"))
    assert "whole numbers" in only(check(path), "whole-scores").message


def test_the_test_size_of_a_published_configuration(data):
    finding = only(check(data.config(data="TEST_CROP_SIZE: 224")), "test-crop")
    assert "DATA.TEST_CROP_SIZE is 224" in finding.message
    assert finding.severity is Severity.NOTE


def test_keyframes_that_several_processes_tested(data):
    rows = data.rows(data.predictions)
    data.write(data.predictions, rows + rows[-15:])
    finding = only(check(data.val, data.predictions), "repeated-rows")
    assert finding.count == 15
    assert finding.places[0].line == 181


def test_exclusions_of_another_version(data, tmp_path):
    path = tmp_path / "excluded.csv"
    path.write_text("cam5,0003\ncam5,0033\n")
    finding = only(check(data.val, path), "excluded-annotated")
    assert "1 of its 2 keyframes are annotated" in finding.message
    assert "different versions?" in finding.message


def test_of_two_versions_the_one_that_predictions_belong_to_is_taken(data, tmp_path):
    other = tmp_path / "other_val.csv"
    data.write(other, [[row[0], str(int(row[1]) + 3), *row[2:]] for row in data.rows(data.val)])
    report = check(other, data.val, data.predictions)
    summary = next(subject.summary for subject in report.subjects if subject.kind == "predictions")
    assert f"on {data.val}" in summary


def test_several_keyframes_per_second(data):  # mmaction2 1598
    rows = data.rows(data.train)
    data.write(data.train, rows + [[row[0], f"{row[1]}.5", *row[2:]] for row in rows])
    report = check(data.train)
    finding = only(report, "fractional-times")
    assert "refused under the protocols pyslowfast and mmaction2" in finding.message
    assert report.faults == []


def test_avas_seconds_counted_from_the_cut(tmp_path):
    rows = [["1j20qq1JyX4", second, 0.1, 0.1 + second / 1e4, 0.4, 0.9, 12, 1] for second in range(2, 60)]
    path = DataSet(tmp_path).write(tmp_path / "val.csv", rows)
    finding = only(check(path), "outside-valid-seconds")
    assert "58 of 58 rows have a time outside 902-1798 s" in finding.message
    assert "they look like seconds of the 15-minute cut" in finding.message
    assert "$2+=900" in finding.hint


def test_avas_times_as_frame_numbers(tmp_path):
    rows = [["1j20qq1JyX4", 30 * t, 0.1, 0.1 + t / 1e4, 0.4, 0.9, 12, 1] for t in range(902, 960)]
    path = DataSet(tmp_path).write(tmp_path / "val.csv", rows)
    assert "they look like frames at 30 fps" in only(check(path), "outside-valid-seconds").message


def test_the_cut_of_an_ava_video_begins_at_900_without_being_told(tmp_path, data):
    shutil.copy(data.videos / "cam1.mp4", tmp_path / "1j20qq1JyX4.mp4")
    rows: list[Row] = [
        ["1j20qq1JyX4", f"{902 + k}", "0.1", "0.1", "0.4", f"0.{90 + k}", "12", "1"] for k in range(4)
    ]
    path = data.write(tmp_path / "val.csv", rows)
    assert codes(check(path, tmp_path / "1j20qq1JyX4.mp4")) == set()


def test_a_checkpoint_of_our_own_fits_the_configuration_inside_it(tmp_path, tiny_cfg, tiny_model):
    from ava_detect.weights import save_weights

    path = tmp_path / "tiny.safetensors"
    save_weights(tiny_model, path, config=tiny_cfg)
    report = check(path)
    assert report.findings == []
    assert "ava-detect, 6 classes" in report.subjects[0].summary


def test_a_checkpoint_whose_training_diverged(tmp_path, tiny_cfg, tiny_model):
    state = {name: tensor.clone() for name, tensor in tiny_model.state_dict().items()}
    state["head.projection.weight"][0, 0] = float("nan")
    path = tmp_path / "diverged.pth"
    torch.save({"model_state": state}, path)
    assert "head.projection.weight" in only(check(path), "checkpoint-nan").message
