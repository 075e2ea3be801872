"""Scores of a test set, held to a slow loop: a box at a time, the whole video decoded, the plain network."""

import csv
import json
from dataclasses import replace as replaced
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ava_detect.config import replace
from ava_detect.engine.testing import Tester, evaluate_model
from ava_detect.engine.testing.live import network_of
from ava_detect.video.reader import VideoReader
from ava_detect.video.suffixes import VIDEO_SUFFIXES
from evaluation import evaluate_ava
from evaluation.errors import AvaDetectError, ConfigError, DataError


def rows_of(path: Path) -> dict[tuple, float]:
    """(video, second, box as four texts, class) -> score."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    scores = {(row[0], float(row[1]), tuple(row[2:6]), int(row[6])): float(row[7]) for row in rows}
    assert len(scores) == len(rows)
    return scores


def slow_scores(
    model, boxes_csv: Path, videos: Path, *, size: int = 64, mirrored: bool = False, power: float = 0.0
):
    """Score every box of a file by itself, times the box's own score to a power."""
    scores = {}
    for line in boxes_csv.read_text().splitlines():
        video, second, x1, y1, x2, y2, _, box_score = line.split(",")
        if float(box_score) < 0.9:
            continue
        (path,) = [each for each in videos.glob(f"{video}.*") if each.suffix in VIDEO_SUFFIXES]
        with VideoReader(path) as reader:
            frames = [(frame.time, frame.image()) for frame in reader]
        height, width = frames[0][1].shape[:2]
        small = (size, int(width * size / height)) if height < width else (int(height * size / width), size)
        clip = []
        for k in range(8):
            wanted = float(second) + (k - 4) * 2 / 30
            nearest = min(frames, key=lambda frame: (round(abs(frame[0] - wanted), 7), frame[0]))
            clip.append(cv2.resize(nearest[1], small[::-1], interpolation=cv2.INTER_LINEAR)[..., ::-1])
        pixels = (torch.from_numpy(np.stack(clip).astype(np.float32) / 255) - 0.45) / 0.225
        box = np.array([float(x1) * width, float(y1) * height, float(x2) * width, float(y2) * height])
        box = np.clip(box, 0, [width - 1, height - 1] * 2) * (max(small) / max(height, width))
        box = np.clip(box, 0, [small[1] - 1, small[0] - 1] * 2)
        if mirrored:
            pixels = pixels.flip(2)
            box[[0, 2]] = small[1] - 1 - box[[2, 0]]
        rois = torch.tensor([[0.0, *box]])
        with torch.inference_mode():
            fast = pixels.permute(3, 0, 1, 2)[None]
            network_scores = model([fast[:, :, [0, 7]], fast], rois)
        text = tuple(f"{float(value):.6f}" for value in (x1, y1, x2, y2))
        for class_id, score in zip((1, 2, 5), network_scores[0].tolist(), strict=True):
            scores[video, float(second), text, class_id] = score * float(box_score) ** power
    return scores


def assert_same(found: dict, expected: dict, atol: float = 1e-5) -> None:
    assert found.keys() == expected.keys()
    for key, score in expected.items():
        assert found[key] == pytest.approx(score, abs=atol), key


def without_video_two(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if not line.startswith("two")]


def evaluate(model, cfg, process, folder):
    return evaluate_model(model, cfg, device=process.device, process=process, folder=folder)


def test_every_box_and_class_has_its_score(small_cfg, small_model, small_set, alone, tmp_path):
    evaluate(small_model, small_cfg, alone, tmp_path)
    expected = slow_scores(small_model, small_set / "boxes.csv", small_set / "videos")
    assert np.std(list(expected.values())) > 0.01  # they tell people apart
    assert_same(rows_of(tmp_path / "detections.csv"), expected)


@pytest.mark.parametrize("batch_size", [2, 8])
def test_batches_change_nothing(small_cfg, small_model, small_set, alone, tmp_path, batch_size):
    tester = Tester(small_cfg, batch_size=batch_size)
    results = tester.join(tester.score_share(network_of(small_model, alone.device), alone), alone)
    results.write(tmp_path)
    expected = slow_scores(small_model, small_set / "boxes.csv", small_set / "videos")
    assert_same(rows_of(tmp_path / "detections.csv"), expected)


def test_reading_in_processes_changes_nothing(small_cfg, small_model, alone):
    network = network_of(small_model, alone.device)
    here, elsewhere = (
        Tester(small_cfg, batch_size=4, workers=workers).score_share(network, alone) for workers in (0, 1)
    )
    for one, other in zip(here, elsewhere, strict=True):
        assert one.scores.keys() == other.scores.keys()
        assert all((one.scores[place] == other.scores[place]).all() for place in one.scores)


def test_scales_and_mirrored_views_are_averaged_after_the_sigmoid(
    small_cfg, small_model, small_set, alone, tmp_path
):
    cfg = replace(small_cfg, ["TEST.SCALES", [64, 80], "TEST.FLIP", True])
    evaluate(small_model, cfg, alone, tmp_path)
    views = [
        slow_scores(small_model, small_set / "boxes.csv", small_set / "videos", size=size, mirrored=mirrored)
        for size in (64, 80)
        for mirrored in (False, True)
    ]
    expected = {key: np.mean([view[key] for view in views]) for key in views[0]}
    assert max(abs(views[0][key] - views[3][key]) for key in expected) > 1e-3  # the views differ
    assert_same(rows_of(tmp_path / "detections.csv"), expected)


def test_the_forced_flip_shows_mirrored_clips_only(small_cfg, small_model, small_set, alone, tmp_path):
    evaluate(small_model, replace(small_cfg, ["AVA.TEST_FORCE_FLIP", True]), alone, tmp_path)
    expected = slow_scores(small_model, small_set / "boxes.csv", small_set / "videos", mirrored=True)
    assert_same(rows_of(tmp_path / "detections.csv"), expected)


def test_scores_can_be_weighed_by_their_boxes(small_cfg, small_model, small_set, alone, tmp_path):
    evaluate(small_model, replace(small_cfg, ["AVA.DETECTION_SCORE_POWER", 2.0]), alone, tmp_path)
    expected = slow_scores(small_model, small_set / "boxes.csv", small_set / "videos", power=2.0)
    assert_same(rows_of(tmp_path / "detections.csv"), expected)


def test_labelled_boxes_are_tested_once_each(small_cfg, small_model, small_set, alone, tmp_path):
    evaluate(small_model, replace(small_cfg, ["AVA.TEST_GT_BOXES", True]), alone, tmp_path)
    found = rows_of(tmp_path / "detections.csv")
    truth = {tuple(line.split(",")[:6]) for line in (small_set / "truth.csv").read_text().splitlines()}
    assert len(found) == 3 * len(truth)


def test_figures_are_those_of_evaluate_on_the_rows(small_cfg, small_model, small_set, alone, tmp_path):
    scores = evaluate(small_model, small_cfg, alone, tmp_path)
    truth, rows, labels = small_set / "truth.csv", tmp_path / "detections.csv", small_set / "labels.pbtxt"
    official = evaluate_ava(truth, rows, labels)
    assert scores.mean_ap == official.mean
    assert scores.by_class == official.per_class
    assert set(scores.by_class) == {1, 2, 5}
    document = json.loads((tmp_path / "scores.json").read_text())
    assert document["mean_ap"] == official.mean
    assert document["by_protocol"] == scores.by_protocol
    assert (document["keyframes"], document["boxes"], document["unread"]) == (11, 14, [])
    with (tmp_path / "per_class.csv").open() as file:
        assert {int(row["class_id"]): float(row["ap"]) for row in csv.DictReader(file)} == official.per_class


def test_every_protocol_has_evaluates_number(small_cfg, small_model, small_set, alone, tmp_path):
    lines = without_video_two(small_set / "truth.csv")
    (tmp_path / "whole.csv").write_text("\n".join(lines))  # the other protocols know whole seconds only
    named = "three,0009"  # and no rows that only name a keyframe
    (tmp_path / "truth.csv").write_text("\n".join([*lines, named]))
    settings = ["AVA.GROUNDTRUTH_FILE", str(tmp_path / "truth.csv")]
    boxes = [
        line for line in (small_set / "boxes.csv").read_text().splitlines() if not line.startswith("two")
    ]
    (tmp_path / "boxes.csv").write_text("\n".join(boxes))
    settings += ["AVA.TEST_PREDICT_BOX_LISTS", [str(tmp_path / "boxes.csv")]]
    scores = evaluate(small_model, replace(small_cfg, settings), alone, tmp_path / "out")
    for protocol in ("official", "pyslowfast", "mmaction2"):
        truth = tmp_path / ("truth.csv" if protocol == "official" else "whole.csv")
        rows = tmp_path / "out" / "detections.csv"
        result = evaluate_ava(truth, rows, small_set / "labels.pbtxt", protocol=protocol)
        assert scores.by_protocol[protocol] == result.mean
    assert "pyslowfast" in scores.report


def test_a_protocol_that_refuses_the_annotations_says_why(small_cfg, small_model, alone, tmp_path):
    scores = evaluate(small_model, small_cfg, alone, tmp_path)  # video two has half seconds
    assert scores.by_protocol["official"] is not None
    assert scores.by_protocol["mmaction2"] is None
    assert "not by mmaction2" in scores.report
    assert "timestamp" in scores.document["not_by_protocol"]["mmaction2"]


def test_training_modes_come_back_as_they_were(small_cfg, small_model, alone, tmp_path):
    frozen = [module for module in small_model.modules() if isinstance(module, torch.nn.BatchNorm3d)][::2]
    try:
        small_model.train()
        for module in frozen:
            module.eval()
        before = [module.training for module in small_model.modules()]
        evaluate(small_model, small_cfg, alone, tmp_path)
        assert [module.training for module in small_model.modules()] == before
        assert True in before
        assert False in before
    finally:
        small_model.eval()


def test_every_fourth_second_is_tested_and_scored_while_training(
    small_cfg, small_model, small_set, alone, tmp_path
):
    cfg = replace(small_cfg, ["AVA.FULL_TEST_ON_VAL", False])
    scores = evaluate(small_model, cfg, alone, tmp_path)
    rows = rows_of(tmp_path / "detections.csv")
    assert {(video, second) for video, second, *_ in rows} == {("one", 0.0), ("three", 0.0), ("two", 0.5)}
    part = [
        line for line in (small_set / "truth.csv").read_text().splitlines() if float(line.split(",")[1]) < 1
    ]
    (tmp_path / "part.csv").write_text("\n".join(part))
    result = evaluate_ava(tmp_path / "part.csv", tmp_path / "detections.csv", small_set / "labels.pbtxt")
    assert scores.mean_ap == result.mean


def test_all_is_tested_where_no_second_is_a_fourth_one(small_cfg, small_model, small_set, alone, tmp_path):
    later = [line for line in (small_set / "truth.csv").read_text().splitlines() if ",0001," in line]
    (tmp_path / "truth.csv").write_text("\n".join(later))
    settings = ["AVA.FULL_TEST_ON_VAL", False, "AVA.GROUNDTRUTH_FILE", str(tmp_path / "truth.csv")]
    scores = evaluate(small_model, replace(small_cfg, settings), alone, tmp_path)
    assert scores.document["keyframes"] == 11


def test_boxes_where_nobody_is_labelled_have_no_recall(small_cfg, small_model, small_set, alone, tmp_path):
    lines = [line for line in (small_set / "truth.csv").read_text().splitlines() if line.startswith("one")]
    (tmp_path / "truth.csv").write_text("\n".join([*lines, "three,1"]))
    (tmp_path / "boxes.csv").write_text("three,1,0,0,1,1,,0.95")
    files = ["AVA.GROUNDTRUTH_FILE", "truth.csv", "AVA.TEST_PREDICT_BOX_LISTS", ["boxes.csv"]]
    cfg = replace(small_cfg, ["AVA.ANNOTATION_DIR", str(tmp_path), *files])
    (tmp_path / "labels.pbtxt").write_text((small_set / "labels.pbtxt").read_text())
    scores = evaluate(small_model, cfg, alone, tmp_path / "out")
    assert scores.mean_ap == 0
    assert "box_recall" not in scores.document


def test_a_folder_that_cannot_be_made_is_told(small_cfg, small_model, alone, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AvaDetectError, match=r"file/out: cannot be written"):
        evaluate(small_model, small_cfg, alone, tmp_path / "file" / "out")


def test_progress_counts_keyframes(small_cfg, small_model, alone, tmp_path):
    told = []
    evaluate_model(
        small_model,
        small_cfg,
        device=alone.device,
        process=alone,
        folder=tmp_path,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(done, 11) for done in range(1, 12)]


def test_a_network_without_ground_truth_cannot_be_evaluated(small_cfg, small_model, alone, tmp_path):
    cfg = replace(small_cfg, ["AVA.GROUNDTRUTH_FILE", ""])
    with pytest.raises(ConfigError, match=r"AVA\.GROUNDTRUTH_FILE is empty"):
        evaluate(small_model, cfg, alone, tmp_path)


def test_scores_that_are_not_finite_are_refused_with_the_keyframe(small_cfg, alone, tmp_path):
    from ava_detect.models import build_model

    broken = build_model(small_cfg)
    torch.nn.init.constant_(broken.head.projection.bias, torch.nan)
    with pytest.raises(AvaDetectError, match="one at 0000: the network's scores are not finite"):
        evaluate(broken, small_cfg, alone, tmp_path)


def test_detections_that_share_no_keyframe_with_the_truth_are_refused(
    small_cfg, small_model, small_set, alone, tmp_path
):
    moved = (small_set / "truth.csv").read_text().replace("one,", "elsewhere,").replace("two,", "elsewhere,")
    (tmp_path / "truth.csv").write_text(moved.replace("three,", "elsewhere,"))
    cfg = replace(small_cfg, ["AVA.GROUNDTRUTH_FILE", str(tmp_path / "truth.csv")])
    with pytest.raises(DataError, match=r"no keyframe of detections\.csv is in"):
        evaluate(small_model, cfg, alone, tmp_path)


@pytest.mark.parametrize("world", [2, 3, 5, 20])
def test_processes_together_score_what_one_scores(small_cfg, small_model, alone, world, tmp_path):
    network = network_of(small_model, alone.device)
    tester = Tester(small_cfg, batch_size=2)
    tester.join(tester.score_share(network, alone), alone).write(tmp_path)
    shares = [tester.score_share(network, replaced(alone, rank=rank, world=world)) for rank in range(world)]
    places = sorted(place for share in shares for batch in share for place in batch.keyframes)
    assert places == list(range(11))  # each exactly once
    (tmp_path / "divided").mkdir()
    tester.join([batch for share in reversed(shares) for batch in share], alone).write(tmp_path / "divided")
    assert (tmp_path / "divided" / "detections.csv").read_bytes() == (
        tmp_path / "detections.csv"
    ).read_bytes()
