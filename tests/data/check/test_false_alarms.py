"""What is sound must not be called a fault: AVA's own rows, procedural scenes, unusual but right data."""

import gzip
from pathlib import Path

import pytest

from ava_detect.data.check import Options, Report, Severity, check_things
from ava_detect.data.check.kinds import Kind
from ava_detect.data.check.load import Thing
from evaluation.ava_names import are_ava_names
from tests.data.check.data_set import columns, label_map_text

FIXTURES = Path(__file__).parents[2] / "evaluation" / "fixtures"
QUICK = Options(decode=False)


def check(*things: Path | str | Thing) -> Report:
    return check_things([thing if isinstance(thing, Thing) else str(thing) for thing in things], QUICK)


@pytest.fixture(scope="session")
def ava_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All annotations of three validation videos of AVA v2.1."""
    path = tmp_path_factory.mktemp("ava") / "ava_val_v2.1.csv"
    path.write_bytes(gzip.decompress((FIXTURES / "gt.csv.gz").read_bytes()))
    return path


@pytest.mark.parametrize("label_map", ["v2.1", "v2.2", "v2.1-80", "v2.2-80"])
def test_avas_own_annotations(label_map, ava_rows):
    report = check(ava_rows, Thing(label_map, Kind.LABEL_MAP))
    assert report.findings == []  # "val" in its name: rare classes in it are no news
    assert "7,356 rows" in report.subjects[0].summary


def test_avas_own_annotations_with_its_list_of_excluded_keyframes(ava_rows, tmp_path):
    from importlib import resources

    listed = resources.files("evaluation.label_maps") / "ava_val_excluded_timestamps_v2.1.csv"
    (tmp_path / "excluded.csv").write_text(listed.read_text())
    assert check(ava_rows, tmp_path / "excluded.csv").findings == []


def test_procedural_scenes(tmp_path):
    from ava_detect.data.scenes.dataset import write_dataset

    write_dataset(tmp_path / "scenes", "val", 1, first_second=902)
    assert check(tmp_path / "scenes").faults == []


def test_procedural_scenes_whose_seconds_begin_at_902(data):
    for file in (data.train, data.val, data.boxes, data.predictions):
        data.edit(file, columns(time=lambda time: int(time) + 902))
    (data.folder / "scenes.json").write_text('{"first_second": 902}')
    assert data.check().findings == []


def test_ids_of_eleven_letters_are_not_avas_by_that():
    assert are_ava_names(["-5KQ66BBWC4", "1j20qq1JyX4"])
    assert are_ava_names(["_-Jx8cVpQmU"])
    for names in (
        [],
        ["video_00001", "video_00002"],
        ["Camera_0001", "Camera_0002"],
        ["cam3_day_01"],
        ["a" * 11],
    ):
        assert not are_ava_names(names)


def test_own_videos_named_with_eleven_letters(data):
    rows = [["video_00001", *row[1:]] for row in data.rows(data.train) if row[0] == "cam1"]
    assert check(data.write(data.train, rows)).faults == []


def test_people_who_lie_now_and_then(data):
    lying = [[*row[:2], "0.1", "0.6", "0.7", "0.8", *row[6:]] for row in data.rows(data.train)[::6]]
    data.write(data.train, [*(row for k, row in enumerate(data.rows(data.train)) if k % 6), *lying])
    assert check(data.train).faults == []


def test_two_data_sets_are_not_compared_with_each_other(data, clean_template):
    report = check(data.folder, clean_template)
    assert report.findings == []  # or every video would be in two splits
    assert len(report.subjects) == 12


def test_a_thing_given_twice_is_looked_at_once(data):
    assert len(check(data.folder, data.train, data.folder).subjects) == 6


def test_annotations_of_a_version_without_splits_in_the_name(data, tmp_path):
    for source, name in ((data.train, "first.csv"), (data.train, "second.csv")):
        (tmp_path / name).write_text(source.read_text())
    assert check(tmp_path / "first.csv", tmp_path / "second.csv").faults == []


def test_keyframes_without_people(data):
    data.write(data.val, [*data.rows(data.val), ["cam5", "0002"], ["cam6", "0005"]])
    assert data.check().findings == []


def test_no_person_ids_and_empty_ones(data):
    data.edit(data.train, lambda row: row[:7])
    data.edit(data.val, lambda row: [*row[:7], ""])
    assert data.check().findings == []


def test_carriage_returns_and_a_byte_order_mark(data):
    data.train.write_bytes(b"\xef\xbb\xbf" + data.train.read_bytes().replace(b"\n", b"\r\n"))
    assert data.check().findings == []


def test_a_label_map_on_one_line_is_read_and_noted(data):
    data.label_map.write_text(" ".join(label_map_text().split()))
    report = data.check()
    assert report.faults == []
    (note,) = report.findings
    assert note.code == "label-map-grammar"
    assert "would find 0 of its 5 classes" in note.message


def test_ids_with_gaps(data):
    data.label_map.write_text(label_map_text().replace("id: 5", "id: 80"))
    for file in (data.train, data.val, data.predictions):
        data.edit(file, columns(action=lambda action: action.replace("5", "80")))
    assert data.check().findings == []


def test_a_full_set_of_predictions_has_more_than_50_rows_per_keyframe(data):
    names = [f"action {k}" for k in range(1, 31)]
    data.label_map.write_text(label_map_text(names))
    rows = [[*row[:6], action, f"0.{action:02d}{row[7][2:]}"] for row in data.rows(data.predictions)[::5]
            for action in range(1, 31)]  # fmt: skip
    data.write(data.predictions, rows)
    report = check(data.val, data.predictions, data.label_map)
    assert report.findings == []
    assert "480 rows beyond the best 50 of their keyframe" in report.subjects[-2].summary


def test_boxes_a_little_over_the_edge_are_a_note(data):
    data.edit(data.boxes, columns(x2=lambda _: "1.003"), every=36)
    (note,) = data.check().findings
    assert note.code == "slightly-outside"
    assert note.severity is Severity.NOTE


def test_everything_in_one_folder(data):
    for path in (*data.videos.iterdir(), *(data.folder / "annotations").iterdir()):
        path.rename(data.folder / path.name)
    data.videos.rmdir()
    (data.folder / "annotations").rmdir()
    report = data.check()
    assert report.findings == []
    assert len(report.subjects) == 6


def test_predictions_on_a_few_keyframes_without_truth(data):
    data.edit(data.val, lambda row: None if row[1] == "0003" else row)
    assert check(data.val, data.predictions).findings == []


def test_nothing_given_gives_an_empty_report():
    assert check_things([]).subjects == []
