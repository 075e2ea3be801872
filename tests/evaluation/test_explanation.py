"""Findings: every usual reason for a low or zero mAP is made here, and has to be named."""

import pytest

from evaluation import evaluate_ava
from evaluation.errors import DataError
from evaluation.explanation import explain, zero_reasons
from evaluation.findings import look_at_detections, look_at_groundtruth, look_at_label_map
from evaluation.label_map import LabelMap, load_label_map
from evaluation.rows import read_detections, read_groundtruth

MAP = LabelMap((1, 2, 3), ("one", "two", "three"), ("pose", "pose", "pose"))
TRUTH = ["v,902,.1,.1,.5,.9,1,0", "v,903,.2,.1,.6,.9,2,0", "w,902,.1,.2,.5,.8,3,0"]
FOUND = ["v,902,.1,.1,.5,.9,1,.9", "v,903,.2,.1,.6,.9,2,.8", "w,902,.1,.2,.5,.8,3,.7"]


def codes(findings):
    return [finding.code for finding in findings]


def test_good_files_have_no_findings(write_rows):
    result = evaluate_ava(write_rows("g.csv", TRUTH), write_rows("d.csv", FOUND), MAP)
    assert explain(result) == []
    assert zero_reasons(result) == {}


ONE, TWO = "v,902,.1,.1,.5,.9,1,", "v,902,.1,.1,.5,.9,2,"


@pytest.mark.parametrize(
    ("rows", "code", "message", "count", "line"),
    [
        ([], "empty", r"d\.csv: no detections in it; every class will have AP 0", 0, 0),
        ([ONE + ".5", ONE + ".4"], None, "", 0, 0),
        (
            [ONE + ".9", "v,902,33,11,341,200,1,.9", "v,903,33,11,341,200,1,.8"],
            "pixels",
            r"d\.csv:2: x1 = 33 is not in \[0, 1\], and 1 row like it; .* these look like pixels",
            2,
            2,
        ),
        (
            ["v,902,-.1,.1,.5,.9,1,.8", ONE + ".9"],
            "outside",
            r"d\.csv:1: x1 = -0\.1 is not in \[0, 1\];",
            1,
            1,
        ),
        ([ONE + ".9", TWO + ".9"], "equal-scores", r"d\.csv: all 2 scores are 0\.9", 2, 0),
        (
            [ONE + "0", TWO + "3"],
            "whole-scores",
            r"all scores are whole numbers; is this a file of annot",
            2,
            0,
        ),
        ([ONE + "-3.5", TWO + ".9"], "score-range", r"d\.csv:1: score = -3\.5 is not in \[0, 1\]", 1, 1),
        ([ONE + "1e-5", TWO + "2e-5"], "faint-scores", "all scores are below 0.001; is the sigmoid", 2, 0),
        (["v,902,.1,.1,.5,.9,0,.9", TWO + ".8"], "zero-based", "class ids are 0-2; AVA counts from 1", 1, 0),
        (
            ["v,902,.5,.1,.1,.9,1,.9", TWO + ".8"],
            "inverted",
            r"d\.csv:1: box 0\.5, 0\.1, 0\.1, 0\.9 has",
            1,
            1,
        ),
        (["v,902,.1,.1,.5,.9,1", TWO + ".8"], "no-scores", r"1 rows have no score \(7 columns\)", 1, 0),
        (
            ["-5KQ66BBWC4,2,.1,.1,.5,.9,1,.5", "-5KQ66BBWC4,902,.1,.1,.5,.9,1,.4"],
            "ava-times",
            r"d\.csv:1: time 2 is outside AVA's 902-1798 s",
            1,
            1,
        ),
        (["Camera_0001,2,.1,.1,.5,.9,1,.5", "Camera_0002,9,.1,.1,.5,.9,1,.4"], None, "", 0, 0),
    ],
)
def test_a_detections_file_is_looked_at(write_rows, rows, code, message, count, line):
    findings = look_at_detections(read_detections(write_rows("d.csv", rows)), MAP)
    if code is None:
        assert findings == []
        return
    assert codes(findings) == [code]
    assert (findings[0].count, findings[0].line) == (count, line)
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(findings[0].message)


@pytest.mark.parametrize(
    ("rows", "code", "message"),
    [
        (
            ["v,902,.5,.1,.5,.9,1,0"],
            "flat-truth",
            r"g\.csv:1: box 0\.5, 0\.1, 0\.5, 0\.9 has no area; it counts",
        ),
        ([TRUTH[0], TRUTH[0]], "repeated-truth", r"g\.csv:2: the same box and class stand in an earlier row"),
        ([TRUTH[0].replace(",1,0", ",0,0")], "zero-based", r"class ids are 0-0"),
    ],
)
def test_a_ground_truth_file_is_looked_at(write_rows, rows, code, message):
    findings = look_at_groundtruth(read_groundtruth(write_rows("g.csv", rows)), MAP)
    assert codes(findings) == [code]
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(findings[0].message)


def test_eighty_classes_are_not_avas_figure():
    assert codes(look_at_label_map(load_label_map("v2.2-80"))) == ["all-80-classes"]
    assert look_at_label_map(load_label_map("v2.2")) == []
    assert look_at_label_map(MAP) == []


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (lambda v, t: (f"videos/{v}.mp4", t), "The ids must be equal: remove folders and suffixes"),
        (lambda v, t: (f"other_{v}", t), "Are these files of the same videos"),
        (lambda v, t: (v, str(int(t) * 1000)), "these could be milliseconds"),
        (lambda v, t: (v, str(int(t) * 30)), "frames of a 30 fps video"),
        (lambda v, t: (v, str(int(t) * 25)), "frames of a 25 fps video"),
        (lambda v, t: (v, str(int(t) - 900)), "AVA's count from the start of the film: add 900"),
        (lambda v, t: (v, str(int(t) + 5)), "name the same instants"),
    ],
)
def test_files_without_a_common_keyframe_are_refused_with_the_reason(write_rows, change, hint):
    def moved(line):
        video, time, rest = line.split(",", 2)
        return ",".join([*change(video, time), rest])

    files = write_rows("g.csv", TRUTH), write_rows("d.csv", [moved(line) for line in FOUND])
    with pytest.raises(
        DataError, match=r"no keyframe of .*d\.csv is in .*g\.csv\.\n.*video ids like 'v', times 902-903"
    ) as info:
        evaluate_ava(*files, MAP)
    assert hint in info.value.hint


@pytest.mark.parametrize(
    ("swap", "reading"),
    [
        (lambda x1, y1, x2, y2: (y1, x1, y2, x2), "if the boxes are y1, x1, y2, x2, 100% have"),
        (
            lambda x1, y1, x2, y2: (x1, y1, x2 - x1, y2 - y1),
            "if the boxes are x, y, width, height, 100% have",
        ),
        (lambda x1, y1, x2, y2: ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), "centre x, centre y"),
        (
            lambda x1, y1, x2, y2: (x1 / 9, y1 / 9, x2 / 9, y2 / 9),
            "0% of the annotated persons have a box",
        ),
    ],
)
def test_another_layout_of_the_boxes_is_recognised(write_rows, swap, reading):
    def changed(line):
        fields = line.split(",")
        return ",".join(
            [*fields[:2], *(f"{value:.4f}" for value in swap(*map(float, fields[2:6]))), *fields[6:]]
        )

    result = evaluate_ava(
        write_rows("g.csv", TRUTH), write_rows("d.csv", [changed(line) for line in FOUND]), MAP
    )
    assert any(reading in finding.message for finding in explain(result))


def test_repeated_detections_are_counted(write_rows):
    result = evaluate_ava(write_rows("g.csv", TRUTH), write_rows("d.csv", [*FOUND, *FOUND[:2]]), MAP)
    (finding,) = explain(result)
    assert (finding.code, finding.count, finding.line) == ("repeated-rows", 2, 4)


def test_classes_of_another_map_are_said(write_rows):
    found = [
        line.replace(",1,.9", ",71,.9").replace(",2,.8", ",72,.8").replace(",3,.7", ",73,.7")
        for line in FOUND
    ]
    result = evaluate_ava(write_rows("g.csv", TRUTH), write_rows("d.csv", found), MAP)
    assert "no-class-in-map" in codes(explain(result))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "never predicted"),
        (["v,950,.1,.1,.5,.9,1,.9"], "predicted only on keyframes that are not scored"),
        (["v,903,.1,.1,.5,.9,1,.9"], "predicted, but not on the keyframes that have it"),
        (["v,902,.3,.1,.7,.9,1,.9"], "no box fits: the best IoU is 0.33"),
        (["v,902,.1,.1,.1,.9,1,.9"], "all its boxes are without area"),
        (
            ["v,902,.1,.1,.5,.9,1,.01"] + [f"v,902,.1,.1,.5,.9,2,.{n}" for n in range(10, 60)],
            "never among the best 50 rows of a keyframe",
        ),
    ],
)
def test_every_zero_has_a_reason(write_rows, rows, reason):
    found = [line for line in FOUND if ",1,.9" not in line] + rows
    result = evaluate_ava(write_rows("g.csv", TRUTH), write_rows("d.csv", found), MAP)
    assert zero_reasons(result) == {1: reason}
