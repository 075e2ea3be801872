"""AVA frame-mAP: the public evaluators' numbers on their fixture, slow plain references on nasty cases."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluation import evaluate_ava, overlaps
from evaluation.errors import DataError, UsageError
from evaluation.label_map import LabelMap
from evaluation.protocol import OFFICIAL
from evaluation.row_parser import DETECTIONS, EXCLUSIONS, GROUND_TRUTH, parse_row
from evaluation.rows import ActionRow, RowTable, read_detections, read_exclusions, table_of_rows
from tests.evaluation import reference_evaluators as reference

THREE_CLASSES = LabelMap((1, 2, 3), ("one", "two", "three"), ("pose", "object", "person"))


def same(value: float, other: float) -> bool:
    return abs(value - other) < 1e-9 or (math.isnan(value) and math.isnan(other))


# The published fixture


@pytest.mark.parametrize(
    ("name", "protocol", "exclusions"),
    [
        ("official", "official", None),
        ("official_no_capacity", replace(OFFICIAL, capacity=None), None),
        ("pyslowfast", "pyslowfast", None),
        ("pyslowfast_with_exclusions", "pyslowfast", "excluded"),
    ],
)
def test_fixture_gives_the_public_evaluators_numbers(published, expected, name, protocol, exclusions):
    result = evaluate_ava(
        published["gt"],
        published["det"],
        "v2.1",
        published.get(exclusions),
        protocol,
        tie_intervals=True,
    )
    want = expected[name]
    assert same(result.mean, want["mAP"])
    assert all(map(same, result.tie_interval, want["mAP_tie_range"]))
    assert result.per_class.keys() == {int(class_id) for class_id in want["per_class"]}
    for class_id, ap in want["per_class"].items():
        assert same(result.per_class[int(class_id)], math.nan if ap is None else ap), class_id
    ranges = {entry.class_id: entry.tie_interval for entry in result.classes if entry.tie_interval}
    for class_id, interval in ranges.items():
        assert all(map(same, interval, want["per_class_tie_range"][str(class_id)])), class_id


def test_fixture_without_inverted_boxes_gives_mmaction2s_number(published, expected):
    result = evaluate_ava(
        published["gt"], published["det"], "v2.1", protocol="mmaction2", lenient=True, tie_intervals=True
    )
    assert same(result.mean, expected["mmaction2"]["mAP"])
    assert all(map(same, result.tie_interval, expected["mmaction2"]["mAP_tie_range"]))
    assert result.scoring.found.faults.total == 45


def test_inverted_boxes_are_refused_where_mmaction2_stops(published):
    with pytest.raises(DataError, match=r"det\.csv:537: box 0\.145, 0\.728, 0\.045, 0\.928; expected x1"):
        evaluate_ava(published["gt"], published["det"], "v2.1", protocol="mmaction2")


def test_what_was_set_aside_is_counted(published):
    aside = evaluate_ava(published["gt"], published["det"], "v2.1").set_aside
    rows = [line.split(",") for line in published["det"].read_text().splitlines()]
    named = {tuple(line.split(",")[:2]) for line in published["gt"].read_text().splitlines()}
    classes = set(evaluate_ava(published["gt"], published["det"], "v2.1").per_class)
    in_map = [row for row in rows if int(row[6]) in classes]
    assert aside.outside_map == len(rows) - len(in_map)
    assert aside.without_truth == sum(tuple(row[:2]) not in named for row in in_map)
    assert aside.without_truth_frames == len({tuple(row[:2]) for row in in_map} - named)
    per_frame = pd.Series([tuple(row[:2]) for row in in_map if tuple(row[:2]) in named]).value_counts()
    assert aside.beyond_capacity == int((per_frame - 50).clip(lower=0).sum())


def test_excluded_keyframes_are_counted(published):
    aside = evaluate_ava(
        published["gt"], published["det"], "v2.1", published["excluded"], "pyslowfast"
    ).set_aside
    assert (aside.excluded, aside.excluded_frames) == (44, 9)


# The worked example of docs/evaluation.md

EXAMPLE_TRUTH = [
    "v1,0902,.1,.1,.5,.9,1,0",
    "v1,0902,.6,.1,.9,.9,1,1",
    "v1,0903,.1,.1,.5,.9,1,0",
    "v1,0903,.1,.1,.5,.9,2,0",
    "v2,0902,.2,.2,.7,.7,2,0",
]
EXAMPLE_FOUND = [
    "v1,0902,.10,.1,.5,.9,1,.90",
    "v1,0902,.12,.1,.5,.9,1,.85",
    "v1,0903,.10,.1,.48,.9,1,.80",
    "v1,0902,.00,.0,.1,.1,1,.60",
    "v1,0902,.61,.1,.9,.9,1,.40",
    "v1,0903,.10,.1,.48,.9,2,.30",
    "v2,0902,.25,.2,.7,.7,2,.70",
    "v2,0902,.25,.2,.7,.7,3,.70",
    "v1,0950,.10,.1,.5,.9,1,.99",
    "v1,0902,.30,.1,.3,.9,1,.95",
]


@pytest.mark.parametrize(
    ("protocol", "first_class", "mean"),
    [
        ("official", (1 + 2 / 3 + 3 / 5) / 3, (1 + (1 + 2 / 3 + 3 / 5) / 3) / 2),
        ("pyslowfast", 0.5, 0.75),
        ("mmaction2", 0.5, 0.75),
    ],
)
def test_worked_example_comes_out_as_by_hand(write_rows, protocol, first_class, mean):
    truth, found = write_rows("gt.csv", EXAMPLE_TRUTH), write_rows("det.csv", EXAMPLE_FOUND)
    result = evaluate_ava(truth, found, THREE_CLASSES, protocol=protocol)
    assert same(result.per_class[1], first_class)
    assert same(result.per_class[2], 1.0)
    assert math.isnan(result.per_class[3])
    assert same(result.mean, mean)


# Nasty cases against the slow references

TENTHS = [0.0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.8, 1.0]
SCORES = ["0", "0.5", "0.25", "1", "0.50", "1e-3", "0.30000001", "0.3", "-1", "inf"]


def table(rows: list[list[str]], rules) -> RowTable:
    """Make a table without going through a file, which takes ten times as long."""
    parsed = [parse_row(",".join(row).encode(), n, rules) for n, row in enumerate(rows, start=1)]
    full = [ActionRow(row.video_id, row.time, row.box, row.action_id, row.score) for row in parsed if row.box]
    bare = [ActionRow(row.video_id, row.time, (0, 0, 0, 0), 0, 0) for row in parsed if not row.box]
    both = table_of_rows(full + bare)
    rest = both.select(np.arange(len(full), len(both)))
    return replace(
        both.select(np.arange(len(full))),
        bare_videos=rest.videos,
        bare_times=rest.times,
        bare_lines=rest.lines,
    )


# Few boxes, so that matches, equal overlaps and duplicates are common.
POOL = [
    "0,0,.5,1",
    "0,0,.5,.9",
    "0,.1,.5,1",
    ".5,0,1,1",
    "0,0,.75,1",
    ".25,0,1,1",
    ".125,0,.875,1",
    ".3,.1,.3,.9",
]


def boxes(ordered: bool):
    """Boxes of the pool, or any on a coarse grid; zero areas included, inverted ones unless ``ordered``."""
    pair = st.tuples(st.sampled_from(TENTHS), st.sampled_from(TENTHS))
    pairs = st.tuples(pair, pair)
    if ordered:
        pairs = st.tuples(pair.map(sorted), pair.map(sorted))
    grid = pairs.map(lambda xy: [str(value) for value in (xy[0][0], xy[1][0], xy[0][1], xy[1][1])])
    pool = st.sampled_from(POOL).map(lambda box: box.split(","))
    return st.one_of(pool, pool, pool, grid)


def keys(times: list[str]):
    return st.tuples(st.sampled_from(["v", "w"]), st.sampled_from(times)).map(list)


def rows(times, classes, last, ordered, bare):
    full = st.tuples(keys(times), boxes(ordered), st.sampled_from(classes), last).map(
        lambda t: [*t[0], *t[1], t[2], *t[3]]
    )
    some = st.lists(st.one_of(full, full, full, keys(times)) if bare else full, min_size=4, max_size=20)
    return st.one_of(some, some, some, st.just([]))


CLASSES = ["1", "1", "2", "3", "9"]  # 9 is not in the label map
WHOLE = ["902", "0902", "903"]
DECIMAL = [*WHOLE, "902.0", "9.02e2", "902.5", "902.5000001", " 902"]
PERSON = st.one_of(st.just([]), st.sampled_from(["0", "1", "2", "7"]).map(lambda p: [p]))
SCORE = st.sampled_from(SCORES).map(lambda s: [s])
SLOW_MACHINE = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def check(result, aps) -> None:
    for class_id, ap in aps.items():
        assert same(result.per_class[class_id], ap), (class_id, result.per_class[class_id], ap)
    assert same(result.mean, reference.mean(aps))


def nothing_in_common(truth, found) -> bool:
    """Tell whether all detections are elsewhere: the originals print 0 then, here it is refused."""
    keys = [
        {(row[0], f"{float(row[1]):.6f}") for row in rows}
        for rows in (truth, [r for r in found if len(r) > 2])
    ]
    return bool(keys[1]) and not keys[0] & keys[1]


def check_tie_intervals(result, ranked, aps) -> None:
    for entry in result.classes:
        if math.isnan(aps[entry.class_id]):
            continue
        low, high = (
            _plain_ap([correct for _, correct in sorted(ranked[entry.class_id], key=key)], entry.num_truth)
            for key in (lambda pair: (-pair[0], pair[1]), lambda pair: (-pair[0], not pair[1]))
        )
        assert same(entry.tie_interval[0], low)
        assert same(entry.tie_interval[1], high)
        assert low - 1e-9 <= entry.ap <= high + 1e-9


def _plain_ap(correct: list[bool], num_truth: int) -> float:
    precisions = [sum(correct[:k]) / k for k in range(1, len(correct) + 1)]
    return sum(max(precisions[k:]) for k, right in enumerate(correct) if right) / num_truth


@SLOW_MACHINE
@given(
    truth=rows(DECIMAL, CLASSES, PERSON, ordered=True, bare=True),
    found=rows(DECIMAL, CLASSES, st.one_of(SCORE, st.just([])), ordered=False, bare=True),
    capacity=st.sampled_from([1, 2, 3, 5, 50]),
    iou=st.sampled_from([0.5, 0.3, 0.75, 1.0]),
)
def test_official_rules_match_the_slow_reference(truth, found, capacity, iou):
    aps, ranked = reference.official(truth, found, [1, 2, 3], iou, capacity)
    files = table(truth, GROUND_TRUTH), table(found, DETECTIONS)
    protocol = replace(OFFICIAL, capacity=capacity)
    if math.isnan(reference.mean(aps)) or nothing_in_common(truth, found):
        with pytest.raises(DataError):
            evaluate_ava(*files, THREE_CLASSES, protocol=protocol, iou_thresholds=[iou])
        return
    result = evaluate_ava(*files, THREE_CLASSES, None, protocol, iou_thresholds=[iou], tie_intervals=True)
    check(result, aps)
    check_tie_intervals(result, ranked, aps)


@SLOW_MACHINE
@given(
    truth=rows(WHOLE, CLASSES, PERSON, ordered=True, bare=False),
    found=rows(WHOLE, CLASSES, SCORE, ordered=False, bare=False),
    excluded=st.lists(keys(WHOLE), max_size=2),
)
def test_pyslowfast_rules_match_the_slow_reference(truth, found, excluded):
    aps, ranked = reference.pyslowfast(truth, found, [1, 2, 3], excluded)
    files = table(truth, GROUND_TRUTH), table(found, DETECTIONS)
    out = table(excluded, EXCLUSIONS)
    if math.isnan(reference.mean(aps)) or nothing_in_common(truth, found):
        with pytest.raises(DataError):
            evaluate_ava(*files, THREE_CLASSES, out, "pyslowfast")
        return
    result = evaluate_ava(*files, THREE_CLASSES, out, "pyslowfast", tie_intervals=True)
    check(result, aps)
    check_tie_intervals(result, ranked, aps)


@SLOW_MACHINE
@given(
    truth=rows(WHOLE, CLASSES, PERSON, ordered=True, bare=False),
    found=rows(WHOLE, CLASSES, SCORE, ordered=True, bare=False),
    excluded=st.lists(keys(WHOLE), max_size=2),
)
def test_mmaction2_rules_match_the_slow_reference(truth, found, excluded):
    aps, _ = reference.mmaction2(truth, found, [1, 2, 3], excluded)
    files = table(truth, GROUND_TRUTH), table(found, DETECTIONS)
    out = table(excluded, EXCLUSIONS)
    if math.isnan(reference.mean(aps)) or nothing_in_common(truth, found):
        with pytest.raises(DataError):
            evaluate_ava(*files, THREE_CLASSES, out, "mmaction2")
        return
    check(evaluate_ava(*files, THREE_CLASSES, out, "mmaction2"), aps)


def random_files(seed: int, people: int = 4):
    """Two videos, many people per keyframe, coarse scores: the heap's ties and the limit of 50 both bite."""
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for video in ("v", "w"):
        for second in range(902, 908):
            for person in range(rng.integers(0, people + 1)):
                corner = rng.integers(0, 6, 2) / 10
                box = np.concatenate([corner, corner + rng.integers(2, 5, 2) / 10])
                for class_id in rng.choice([1, 2, 3], rng.integers(1, 3), replace=False):
                    truth.append([video, str(second), *map(str, box), str(class_id), str(person % 2)])
                for _ in range(rng.integers(1, 8)):
                    moved = box + rng.integers(-1, 2, 4) / 10
                    for class_id in (1, 2, 3):
                        score = f"{rng.integers(0, 6) / 5:.1f}"
                        found.append([video, str(second), *map(str, moved), str(class_id), score])
    return truth, [found[place] for place in rng.permutation(len(found))]


@pytest.mark.parametrize("seed", range(25))
def test_crowded_keyframes_with_many_ties_match_the_slow_references(write_rows, monkeypatch, seed):
    monkeypatch.setattr(overlaps, "_PAIRS_AT_ONCE", 20 + 100 * seed)  # several slices
    truth, found = random_files(seed)
    files = write_rows("gt.csv", truth), write_rows("det.csv", found)
    check(evaluate_ava(*files, THREE_CLASSES), reference.official(truth, found, [1, 2, 3])[0])
    check(
        evaluate_ava(*files, THREE_CLASSES, protocol="pyslowfast"),
        reference.pyslowfast(truth, found, [1, 2, 3])[0],
    )
    ordered = [row for row in found if row[2] <= row[4] and row[3] <= row[5]]
    check(
        evaluate_ava(files[0], write_rows("ordered.csv", ordered), THREE_CLASSES, protocol="mmaction2"),
        reference.mmaction2(truth, ordered, [1, 2, 3])[0],
    )


# A detection that overlaps A and B equally takes the one that stands first; a second one fits only A, so that
# the AP is 1 when B stands first and 1/2 when A does. All coordinates are exact in binary.
BOX_A, BOX_B = "v,902,0,0,.75,1,1", "v,902,.25,0,1,1,1"
BETWEEN = ["v,902,.125,0,.875,1,1,.9", "v,902,0,0,.75,1,1,.8"]


@pytest.mark.parametrize(
    ("truth", "official", "pyslowfast", "mmaction2"),
    [
        (
            [BOX_A + ",1", BOX_B + ",0"],
            0.5,
            0.5,
            0.5,
        ),  # the higher person id stands first, or the earlier row
        ([BOX_A + ",0", BOX_B + ",1"], 1.0, 0.5, 1.0),
        ([BOX_B + ",0", BOX_A + ",1"], 0.5, 1.0, 0.5),
        (
            [BOX_A, BOX_B],
            0.5,
            0.5,
            0.5,
        ),  # without ids: the smaller coordinates in the heap, or the earlier row
        ([BOX_B, BOX_A], 0.5, 1.0, 1.0),
    ],
)
def test_order_of_the_ground_truth_decides_between_equal_overlaps(
    write_rows, truth, official, pyslowfast, mmaction2
):
    files = write_rows("gt.csv", truth), write_rows("det.csv", BETWEEN)
    assert evaluate_ava(*files, THREE_CLASSES).mean == official
    assert evaluate_ava(*files, THREE_CLASSES, protocol="pyslowfast").mean == pyslowfast
    assert evaluate_ava(*files, THREE_CLASSES, protocol="mmaction2").mean == mmaction2
    rows = [[line.split(",") for line in lines] for lines in (truth, BETWEEN)]
    assert reference.mean(reference.official(*rows, [1, 2, 3])[0]) == official
    assert reference.mean(reference.pyslowfast(*rows, [1, 2, 3])[0]) == pyslowfast
    assert reference.mean(reference.mmaction2(*rows, [1, 2, 3])[0]) == mmaction2


def test_mmaction2_ranks_by_scores_of_single_precision(write_rows):
    truth = write_rows("gt.csv", ["v,902,0,0,.5,1,1", "v,903,0,0,.5,1,1"])
    found = write_rows("det.csv", ["v,902,0,0,.5,1,1,.30000001", "v,903,.5,0,1,1,1,.3"])
    assert evaluate_ava(truth, found, THREE_CLASSES).mean == 0.5
    # Equal in float32, and of equal scores the later one ranks first: precision 1/2 at the only hit.
    assert evaluate_ava(truth, found, THREE_CLASSES, protocol="mmaction2").mean == 0.25


def test_boxes_on_excluded_keyframes_still_count_under_mmaction2(write_rows):
    truth = write_rows("gt.csv", ["v,902,0,0,.5,1,1", "v,903,0,0,.5,1,1"])
    found = write_rows("det.csv", ["v,902,0,0,.5,1,1,.9", "v,903,0,0,.5,1,1,.8"])
    out = write_rows("out.csv", ["v,903"])
    want = {"official": 1.0, "pyslowfast": 1.0, "mmaction2": 0.5}
    assert {name: evaluate_ava(truth, found, THREE_CLASSES, out, name).mean for name in want} == want


def test_keyframes_are_concatenated_in_the_order_of_the_detections_or_of_the_truth(write_rows):
    truth = write_rows("gt.csv", ["v,902,0,0,.5,1,1", "v,903,0,0,.5,1,1"])
    found = write_rows("det.csv", ["v,903,.5,0,1,1,1,.5", "v,902,0,0,.5,1,1,.5"])
    # Of equal scores the later one ranks first: the right one of 902, under mmaction2 the wrong one of 903.
    want = {"official": 0.5, "pyslowfast": 0.5, "mmaction2": 0.25}
    assert {name: evaluate_ava(truth, found, THREE_CLASSES, protocol=name).mean for name in want} == want


# Inputs and refusals


def test_files_tables_frames_and_rows_give_one_result(write_rows):
    truth, found = random_files(3)
    files = write_rows("gt.csv", truth), write_rows("det.csv", found)
    want = evaluate_ava(*files, THREE_CLASSES).mean
    frames = [
        pd.DataFrame([[row[0], *map(float, row[1:6]), int(row[6]), float(row[7])] for row in rows])
        for rows in (truth, found)
    ]
    assert evaluate_ava(*frames, THREE_CLASSES).mean == want
    listed = [
        [ActionRow(r[0], float(r[1]), tuple(map(float, r[2:6])), int(r[6]), float(r[7])) for r in rows]
        for rows in (truth, found)
    ]
    assert evaluate_ava(*listed, THREE_CLASSES).mean == want
    assert evaluate_ava(files[0], read_detections(files[1]), THREE_CLASSES).mean == want


def test_no_detections_give_zero(write_rows):
    result = evaluate_ava(write_rows("gt.csv", EXAMPLE_TRUTH), write_rows("det.csv", []), THREE_CLASSES)
    assert result.mean == 0.0
    assert result.per_class[1] == 0.0


def test_perfect_detections_give_one(write_rows):
    truth = write_rows("gt.csv", EXAMPLE_TRUTH)
    found = write_rows("det.csv", [line[:-1] + "0.9" for line in EXAMPLE_TRUTH])
    assert evaluate_ava(truth, found, THREE_CLASSES).mean == 1.0


def test_several_thresholds_are_each_what_they_are_alone(published):
    result = evaluate_ava(published["gt"], published["det"], iou_thresholds=[0.5, 0.75, 0.9])
    for threshold in (0.5, 0.75, 0.9):
        alone = evaluate_ava(published["gt"], published["det"], iou_thresholds=[threshold])
        assert result.mean_at[threshold] == alone.mean
    assert result.mean_at[0.9] < result.mean_at[0.75] < result.mean_at[0.5]


def test_zero_based_classes_are_shifted(write_rows):
    truth, found = write_rows("gt.csv", EXAMPLE_TRUTH), write_rows("det.csv", EXAMPLE_FOUND)
    table = read_detections(found)
    shifted = replace(table, action_ids=table.action_ids - 1)
    want = evaluate_ava(truth, found, THREE_CLASSES).mean
    assert evaluate_ava(truth, shifted, THREE_CLASSES, zero_based_classes=True).mean == want


def test_exclusions_remove_keyframes_from_both_files(write_rows):
    files = write_rows("gt.csv", EXAMPLE_TRUTH), write_rows("det.csv", EXAMPLE_FOUND)
    left = [
        write_rows(
            f"left_{path.name}", [line for line in path.read_text().splitlines() if "v1,0903" not in line]
        )
        for path in files
    ]
    out = read_exclusions(write_rows("out.csv", ["v1,903"]))
    assert (
        evaluate_ava(*files, THREE_CLASSES, out).per_class[1]
        == evaluate_ava(*left, THREE_CLASSES).per_class[1]
    )


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ([], r"gt\.csv: no boxes in it; the ground truth is empty"),
        (["v1,0902"], r"gt\.csv: no boxes in it"),
        (["v1,0902,0,0,1,1,77,0"], r"gt\.csv: none of its classes \(77, ...\) is in the label map"),
    ],
)
def test_ground_truth_without_a_box_to_find_is_refused(write_rows, truth, message):
    with pytest.raises(DataError, match=message):
        evaluate_ava(write_rows("gt.csv", truth), write_rows("det.csv", EXAMPLE_FOUND), THREE_CLASSES)


def test_a_table_that_lost_all_its_rows_is_empty_ground_truth():
    row = ActionRow("v1", 902.0, (0.0, 0.0, 1.0, 1.0), 1, 1.0)
    truth = table_of_rows([row], source="truth")
    nothing_left = truth.select(np.zeros(1, bool))
    assert nothing_left.video_names == ("v1",)
    with pytest.raises(DataError, match="truth: no boxes in it; the ground truth is empty"):
        evaluate_ava(nothing_left, [row], THREE_CLASSES)


def test_a_name_without_rows_is_not_given_as_an_example():
    rows = [ActionRow(name, 902.0, (0.0, 0.0, 1.0, 1.0), 1, 1.0) for name in ("gone", "here")]
    truth = table_of_rows(rows, source="truth").select(np.array([1]))
    with pytest.raises(DataError, match=r"truth: +video ids like 'here'"):
        evaluate_ava(truth, [replace(rows[0], video_id="else")], THREE_CLASSES)


def test_excluding_everything_is_refused(write_rows):
    files = write_rows("gt.csv", ["v1,902,0,0,1,1,1,0"]), write_rows("det.csv", EXAMPLE_FOUND)
    with pytest.raises(DataError, match="every keyframe with ground truth is excluded"):
        evaluate_ava(*files, THREE_CLASSES, write_rows("out.csv", ["v1,902"]))


def test_mmaction2_without_a_predicted_class_is_refused(write_rows):
    files = write_rows("gt.csv", EXAMPLE_TRUTH), write_rows("det.csv", [])
    with pytest.raises(DataError, match="nothing to average"):
        evaluate_ava(*files, THREE_CLASSES, protocol="mmaction2")


def test_unknown_protocol_and_threshold_are_refused(write_rows):
    files = write_rows("gt.csv", EXAMPLE_TRUTH), write_rows("det.csv", EXAMPLE_FOUND)
    with pytest.raises(UsageError, match="protocol 'coco', expected one of: official, pyslowfast, mmaction2"):
        evaluate_ava(*files, THREE_CLASSES, protocol="coco")
    with pytest.raises(UsageError, match=r"IoU threshold 50, expected more than 0 and at most 1"):
        evaluate_ava(*files, THREE_CLASSES, iou_thresholds=[50])


def test_protocols_differ_in_the_rows_they_read(write_rows):
    truth, found = write_rows("gt.csv", EXAMPLE_TRUTH), write_rows("det.csv", EXAMPLE_FOUND)
    fractional = write_rows("half.csv", ["v1,902.0,0,0,1,1,1,.5"])
    for protocol in ("pyslowfast", "mmaction2"):
        with pytest.raises(DataError, match=r"half\.csv:1: timestamp = '902\.0', expected whole seconds"):
            evaluate_ava(truth, fractional, THREE_CLASSES, protocol=protocol)
        with pytest.raises(DataError, match=r"bare\.csv:1: 2 columns, expected 8"):
            evaluate_ava(write_rows("bare.csv", ["v1,902"]), found, THREE_CLASSES, protocol=protocol)
    with pytest.raises(DataError, match=r"seven\.csv:1: 7 columns, expected 8"):
        evaluate_ava(
            truth, write_rows("seven.csv", ["v1,902,0,0,1,1,1"]), THREE_CLASSES, protocol="pyslowfast"
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": math.nan}, r"detections, row 1: score is NaN"),
        ({"box": (math.nan, 0.0, 1.0, 1.0)}, r"detections, row 1: x1 is NaN"),
        ({"timestamp": math.inf}, r"detections, row 1: timestamp = 'inf', expected seconds"),
    ],
)
def test_rows_in_memory_are_held_to_the_same_rules(write_rows, change, message):
    row = replace(ActionRow("v1", 902.0, (0.0, 0.0, 1.0, 1.0), 1, 0.5), **change)
    with pytest.raises(DataError, match=message):
        evaluate_ava(write_rows("gt.csv", EXAMPLE_TRUTH), [row], THREE_CLASSES)
    lenient = evaluate_ava(write_rows("gt.csv", EXAMPLE_TRUTH), [row], THREE_CLASSES, lenient=True)
    assert lenient.scoring.found.faults.total == 1


def test_frames_with_other_columns_are_refused(write_rows):
    truth = write_rows("gt.csv", EXAMPLE_TRUTH)
    with pytest.raises(DataError, match="a DataFrame with 3 columns, expected AVA's 2, 7 or 8"):
        evaluate_ava(truth, pd.DataFrame([["v", 902, 0.5]]), THREE_CLASSES)
    odd = pd.DataFrame([["v1", 902, 0, 0, 1, 1, 1.5, 0.5]])
    with pytest.raises(DataError, match="row 1: action_id is not a whole number"):
        evaluate_ava(truth, odd, THREE_CLASSES)
