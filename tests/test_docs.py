"""The documentation points at things that exist, and the code at documentation that exists."""

import re
from pathlib import Path

import pytest

from ava_detect.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    missing = [
        link
        for link in links
        if not re.match(r"https?://|mailto:", link) and not (page.parent / link).exists()
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_pages_exist(page):
    used = set(re.findall(r"(?m)^\$? ?ava-detect ([a-z-]+)", page.read_text()))
    assert used <= set(COMMANDS)


def test_pages_that_the_code_names_exist():
    named = {
        name
        for folder in ("ava_detect", "person_detector", "evaluation", "configs")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in (".py", ".yaml")
        for name in re.findall(r"docs/\w+\.md", file.read_text())
    }
    assert not [name for name in sorted(named) if not (ROOT / name).exists()]


def test_every_page_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text()
    assert not [page.name for page in (ROOT / "docs").glob("*.md") if f"docs/{page.name}" not in readme]
