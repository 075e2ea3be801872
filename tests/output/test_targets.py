"""Names of outputs: what their suffix asks for, and which places are refused before the work begins."""

from pathlib import Path

import pytest

from ava_detect.output.targets import Kind, Target, check_places, out_target, refuse_existing, table_target
from evaluation.errors import AvaDetectError, UsageError


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.csv", Kind.ROWS), ("b/A.CSV", Kind.ROWS), ("a.json", Kind.JSON), ("a.b.jsonl", Kind.JSON_LINES)],
)
def test_the_suffix_says_what_is_written(name, kind):
    assert out_target(name) == Target(kind, Path(name))


def test_a_dash_is_rows_on_standard_output():
    assert out_target("-") == Target(Kind.ROWS, None)
    assert str(out_target("-")) == "standard output"


@pytest.mark.parametrize(
    ("name", "found"), [("a.txt", r"suffix '.txt'"), ("a", "no suffix"), ("", "no suffix")]
)
def test_an_unknown_suffix_names_the_known_ones(name, found):
    with pytest.raises(
        UsageError, match=rf"--out {name}: {found}, expected one of: .csv \(AVA rows\); .json"
    ) as e:
        out_target(name)
    assert ".jsonl" in str(e.value)
    assert e.value.exit_code == 2


def test_a_table_is_csv():
    assert table_target("people.csv") == Target(Kind.TABLE, Path("people.csv"))
    with pytest.raises(UsageError, match=r"--table people.xlsx: expected a name that ends in .csv"):
        table_target("people.xlsx")


def test_no_outputs_need_no_places():
    check_places([])


def test_two_outputs_of_one_name_are_refused(tmp_path):
    with pytest.raises(UsageError, match="is asked for twice"):
        check_places([tmp_path / "a.csv", tmp_path / "b.json", tmp_path / "." / "a.csv"])


def test_an_output_on_an_input_is_refused_through_links_too(tmp_path):
    (tmp_path / "gym.mp4").write_bytes(b"video")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "gym.mp4")
    with pytest.raises(UsageError, match=r"link.mp4: is asked for twice, or is an input"):
        check_places([tmp_path / "link.mp4"], [tmp_path / "gym.mp4"])


def test_a_missing_folder_is_refused_with_the_line_to_type(tmp_path):
    with pytest.raises(AvaDetectError, match="there is no folder") as caught:
        check_places([tmp_path / "out" / "a.csv"])
    assert caught.value.hint == f"mkdir -p {tmp_path / 'out'}"


def test_a_folder_of_the_output_s_name_is_refused(tmp_path):
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(AvaDetectError, match="is a folder"):
        check_places([tmp_path / "a.csv"])


def test_what_exists_is_protected(tmp_path):
    refuse_existing([tmp_path / "a.csv"])
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(AvaDetectError, match=r"a.csv exists. Use --overwrite, or another name.") as caught:
        refuse_existing([tmp_path / "b.csv", tmp_path / "a.csv"])
    assert caught.value.exit_code == 1
