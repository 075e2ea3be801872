"""docs/check.md lists every finding, and every finding of the catalogue can be found."""

import re
from pathlib import Path

import pytest

from ava_detect.data.check import Finding, Place, Severity
from ava_detect.data.check.catalogue import CATALOGUE, table

ROOT = Path(__file__).parents[3]
SOURCES = sorted((ROOT / "ava_detect" / "data" / "check").glob("*.py"))


def test_the_page_has_the_catalogues_table():
    page = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
    match = re.search(r"<!-- table: .* -->\n(.*)\n<!-- end of the table -->", page, flags=re.DOTALL)
    assert match is not None
    assert match[1] == table()


def test_every_code_is_used_and_no_other():
    text = "".join(path.read_text() for path in SOURCES if path.name != "catalogue.py")
    rows = {f"row-{kind}" for kind in "header columns number nan class time video-id text".split()}
    unused = {code for code in CATALOGUE if f'"{code}"' not in text} - rows
    assert unused == set()


def test_every_code_is_made_by_a_test():
    tests = [path for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__)]
    text = "".join(path.read_text() for path in tests)
    assert {code for code in CATALOGUE if f'"{code}"' not in text} == set()


def test_faults_stand_before_notes_and_say_what_to_do():
    severities = [meaning.severity for meaning in CATALOGUE.values()]
    assert severities == sorted(severities, key=lambda severity: severity is not Severity.FAULT)
    assert all(meaning.remedy for meaning in CATALOGUE.values() if meaning.severity is Severity.FAULT)


def test_a_code_outside_the_catalogue_is_a_mistake():
    with pytest.raises(ValueError, match="'no-such-code' is not in the catalogue"):
        Finding("no-such-code", "a.csv", "text")


def test_a_finding_without_a_hint_takes_the_catalogues():
    assert Finding("corner", "a.csv", "text").hint == "Divide only once."
    assert Finding("corner", "a.csv", "text", hint="Better.").hint == "Better."
    assert Finding("specks", "a.csv", "text").hint == ""


def test_places_read_like_a_line_of_a_file():
    assert str(Place("a.csv", 12, "cam1,3")) == "a.csv:12  cam1,3"
    assert str(Place("a.mp4")) == "a.mp4"
