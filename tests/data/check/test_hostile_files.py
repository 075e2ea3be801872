"""Whatever bytes a file holds: a report comes out, never a traceback, and nothing that moves the cursor."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ava_detect.cli import main
from ava_detect.data.check import Options, check_things
from ava_detect.data.check.kinds import ROW_KINDS, Kind
from ava_detect.data.check.load import Thing
from ava_detect.data.check.row_files import shown_text

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")  # they would be on the user's screen

NAMES = ("a.csv", "a.pbtxt", "a.yaml", "a.mp4", "a.pkl", "a.safetensors", "a.txt", "a", "a.jpg", "a.ts")
NUMBERS = st.sampled_from("-1 0 1 902 0.5 0902 1e9 1e308 -1e308 inf nan 0x1 9999999999999999999999".split())
FIELDS = st.one_of(NUMBERS, st.sampled_from(["cam1", "", ".", "\ufeff", "\x1b[2J", "a b", '"']))
ROW = st.lists(FIELDS, max_size=9).map(",".join)
BINARY = st.binary(max_size=400)
TEXT = st.lists(ROW, max_size=12).map(lambda rows: "\n".join(rows).encode())
STARTS = st.sampled_from([
    b"", b"PK\x03\x04", b"\x80\x02}", b"\x80\x04\x95", b"\x10\0\0\0\0\0\0\0{\"", b"\0\0\0\x18ftypmp42",
    b"\x1aE\xdf\xa3", b"RIFF\0\0\0\0AVI ", b"item {\n", b"MODEL:\n", b"1: a\n",
    b"original_vido_id video_id frame_id path labels\n",
])  # fmt: skip
CONTENT = st.builds(lambda start, rest: start + rest, STARTS, st.one_of(BINARY, TEXT))
RELAXED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@RELAXED
@given(content=CONTENT, name=st.sampled_from(NAMES))
@example(content=b"", name="a.csv")
@example(content=b"cam1,902,0.1,0.1,0.5,0.5,0,0\n", name="a.csv")
def test_any_bytes_under_any_name_give_a_report(content, name, tmp_path, capsys):
    path = tmp_path / name
    path.write_bytes(content)
    assert main(["check", str(path), "--no-progress"]) in (0, 3)
    output = capsys.readouterr()
    assert output.err == ""
    assert all(line.isprintable() for line in output.out.splitlines())
    path.unlink()


@RELAXED
@given(
    contents=st.fixed_dictionaries(
        {kind: st.lists(ROW, max_size=8).map("\n".join) for kind in (*ROW_KINDS, Kind.LABEL_MAP)}
    )
)
def test_any_rows_in_any_role_can_be_compared(contents, tmp_path):
    things = []
    for number, (kind, text) in enumerate(contents.items()):
        path = tmp_path / f"file{number}.csv"
        path.write_text(text, encoding="utf-8")
        things.append(Thing(str(path), kind))
    report = check_things(things, Options(decode=False))
    assert len(report.subjects) == len(things)


WHOLE_ROW = st.tuples(
    st.sampled_from(["cam1", "cam2", "video_00001", "-5KQ66BBWC4"]),
    st.one_of(st.integers(-3, 2000), st.floats(0, 1e6), st.just(1e9)),
    *[st.one_of(st.floats(-0.5, 1.5), st.floats(-1e300, 1e300), st.just(float("inf")))] * 4,
    st.integers(-2, 90),
    st.one_of(st.integers(0, 3), st.floats(-1, 2)),
)  # fmt: skip


@RELAXED
@given(files=st.lists(st.lists(WHOLE_ROW, max_size=12), min_size=4, max_size=4))
def test_readable_rows_with_any_numbers_can_be_compared(files, tmp_path):
    things = []
    for kind, rows in zip((Kind.TRUTH, Kind.TRUTH, Kind.PREDICTIONS, Kind.BOXES), files, strict=True):
        path = tmp_path / f"{'train' if not things else 'val'}_{len(things)}.csv"
        path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
        things.append(Thing(str(path), kind))
    assert len(check_things(things).subjects) == 4


@given(st.text())
def test_shown_text_is_one_printable_line(text):
    assert shown_text(text).isprintable()
    assert len(shown_text(text)) <= 160


@pytest.mark.parametrize("name", ["a\0b.csv", "x" * 300 + ".csv", "\ud800.csv"])
def test_impossible_names_are_not_there(name):
    (finding,) = check_things([name]).findings
    assert finding.code in ("absent", "unreadable")


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.UNKNOWN])
@pytest.mark.parametrize("name", ["a\0b", "nowhere/a.csv", "y" * 300])
def test_impossible_names_in_any_role_are_findings(kind, name):
    report = check_things([Thing(name, kind)])
    assert len(report.subjects) >= 1
    assert len(report.faults) >= 1


def test_names_that_move_the_cursor_are_printed_without_doing_so(tmp_path, capsys):
    path = tmp_path / "a\x1b[2Jb.csv"
    path.write_text("x\x1b[1m,1\n")
    assert main(["check", str(path)]) in (0, 3)
    assert "\x1b" not in capsys.readouterr().out


def test_a_file_that_disappears_is_a_finding(tmp_path: Path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "nowhere.csv")
    (finding,) = check_things([str(tmp_path / "link.csv")]).findings
    assert finding.code == "absent"
