"""The report as text, JSON, CSV and pictures: what is in it, and that the numbers are the result's."""

import csv
import json
import math

import numpy as np
import pytest

from evaluation import evaluate_ava
from evaluation.comparison import compare
from evaluation.error_analysis import analyse_errors
from evaluation.plots import (
    curve_points,
    plot_class_ap,
    plot_comparison,
    plot_errors,
    plot_precision_recall,
)
from evaluation.report_files import json_text, result_document, write_class_table
from evaluation.report_text import class_table, comparison_text, figure_text, head_text, left_out_text
from tests.evaluation.test_frame_map import EXAMPLE_FOUND, EXAMPLE_TRUTH, THREE_CLASSES


@pytest.fixture
def example(write_rows):
    found = write_rows("det.csv", EXAMPLE_FOUND)
    return evaluate_ava(write_rows("gt.csv", EXAMPLE_TRUTH), found, THREE_CLASSES, tie_intervals=True)


@pytest.fixture(scope="module")
def published_result(published):
    return evaluate_ava(published["gt"], published["det"], tie_intervals=True, iou_thresholds=[0.5, 0.75])


def test_head_says_the_rules_and_what_was_set_aside(example):
    text = " ".join(head_text(example).split())
    assert (
        "protocol official (IoU 0.5, best 50 rows per keyframe, keyframes of the ground truth only)" in text
    )
    assert "gt.csv: 5 rows, 3 scored keyframes, 2 classes with labels; label map label map: 3 classes" in text
    assert (
        "det.csv: 10 rows on 4 keyframes; set aside: 1 row on 1 keyframe without ground truth, 1 row" in text
    )
    assert "1 row whose box has no area" in text


def test_detections_on_keyframes_without_a_box_to_find_are_counted(write_rows):
    truth = write_rows("gt.csv", [*EXAMPLE_TRUTH, "v1,0950", "v1,0951"])
    result = evaluate_ava(truth, write_rows("det.csv", [*EXAMPLE_FOUND, EXAMPLE_FOUND[8]]), THREE_CLASSES)
    text = " ".join(head_text(result).split())
    assert "5 scored keyframes" in text
    assert "; 2 rows on 1 scored keyframe without a box to find, all of them wrong" in text


def test_figure_is_in_per_cent_by_group(example):
    assert figure_text(example).splitlines()[0] == "mAP@0.5  87.78     pose 75.56   object 100.00"


def test_classes_stand_in_the_order_of_what_they_contribute(published_result):
    lines = class_table(published_result).splitlines()
    assert lines[0].startswith("pose: 11 classes, mAP 59.03, 15.10 points of the mAP")
    points = [float(line[54:].split()[3]) for line in lines if line[:4].strip().isdigit()]
    assert sum(points) == pytest.approx(100 * published_result.mean, abs=0.3)
    aps = [float(line[54:].split()[2]) for line in lines[2:13]]
    assert aps == sorted(aps, reverse=True)


def test_zeros_and_absent_classes_are_named(published_result):
    text = " ".join(left_out_text(published_result).split())
    assert "2 classes with ground truth were never found: predicted, but not on the keyframes" in text
    assert "7 jump/leap, 69 hand wave" in text
    assert "17 classes of the label map have no ground truth and do not count in the mean: 3 crouch" in text


def test_classes_that_a_protocol_leaves_out_are_named(write_rows):
    found = write_rows("det.csv", [line for line in EXAMPLE_FOUND if ",2," not in line])
    result = evaluate_ava(write_rows("gt.csv", EXAMPLE_TRUTH), found, THREE_CLASSES, protocol="mmaction2")
    assert "1 class never predicted, left out of the mean: 2 two" in left_out_text(result)


def test_json_holds_every_number(published_result):
    document = json.loads(json_text(result_document(published_result, [])))
    assert document["mean"] == published_result.mean
    assert document["mean_at"]["0.75"] == published_result.mean_at[0.75]
    assert document["set_aside"]["beyond_capacity"] == 1560
    by_id = {entry["class_id"]: entry for entry in document["classes"]}
    for class_id, ap in published_result.per_class.items():
        assert by_id[class_id]["ap"] == (None if math.isnan(ap) else ap)
    assert by_id[7]["why_zero"] == "predicted, but not on the keyframes that have it"


def test_class_table_file_holds_every_class(published_result, tmp_path):
    write_class_table(
        published_result, compare(published_result, published_result, num_resamples=5), tmp_path / "c.csv"
    )
    with (tmp_path / "c.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    for row in rows:
        ap = published_result.per_class[int(row["class_id"])]
        assert row["ap"] == ("" if math.isnan(ap) else repr(ap))
        assert row["ap_other"] == row["ap"]
    assert rows[0]["name"] == "bend/bow (at the waist)"
    assert float(rows[0]["ap_iou_0.75"]) == published_result.per_class_at[0.75][1]


def test_comparison_names_the_other_file_and_the_few_videos(published_result):
    comparison = compare(published_result, published_result, num_resamples=5)
    text = comparison_text(comparison, published_result, published_result)
    assert text.startswith("compared with ")
    assert "mAP 61.14 -> 61.14   +0.00 [+0.00, +0.00]" in text
    assert "with only 3 videos the intervals are rough" in text


def test_curve_ends_at_the_recall_that_was_reached(published_result):
    for ranking, entry in zip(published_result.rankings, published_result.classes, strict=True):
        if not entry.num_found:
            continue
        recall, precision, envelope = curve_points(ranking)
        assert recall[-1] == pytest.approx(100 * entry.num_found / entry.num_truth)
        assert (np.diff(recall) > 0).all()
        assert (envelope >= precision - 1e-12).all()
        if entry.num_found < 400:  # not thinned: the area under the envelope is the AP
            assert (np.diff(recall) * envelope[1:]).sum() / 1e4 == pytest.approx(entry.ap)


def test_pictures_are_drawn_and_are_not_empty(published_result, tmp_path):
    from matplotlib.image import imread

    comparison = compare(published_result, published_result, num_resamples=5)
    draws = {
        "ap.png": lambda path: plot_class_ap(published_result, path),
        "pr.png": lambda path: plot_precision_recall(published_result, path),
        "errors.png": lambda path: plot_errors(analyse_errors(published_result), published_result, path),
        "change.png": lambda path: plot_comparison(comparison, published_result, "other.csv", path),
    }
    for name, draw in draws.items():
        draw(tmp_path / name)
        picture = imread(tmp_path / name)
        assert min(picture.shape[:2]) > 400, name
        assert (picture[..., :3].min(axis=2) < 0.9).mean() > 0.002, name
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(draws)


def test_one_class_can_be_drawn(write_rows, tmp_path):
    result = evaluate_ava(
        write_rows("g.csv", EXAMPLE_TRUTH[:1]), write_rows("d.csv", EXAMPLE_FOUND), THREE_CLASSES
    )
    for draw in (plot_class_ap, plot_precision_recall):
        draw(result, tmp_path / "one.png")
    plot_errors(analyse_errors(result), result, tmp_path / "errors.png")
    assert (tmp_path / "one.png").stat().st_size > 1000
