"""docs/configuration.md speaks of configurations that exist, and of all of them."""

import re
from pathlib import Path

from ava_detect.config import packaged_names

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
_NAME = re.compile(r"`((?:ava|kinetics|charades|ssv2|demo|scenes)/[a-z0-9_/]+[a-z0-9])`")


def test_every_name_in_the_documentation_exists():
    named = set(_NAME.findall(PAGE.read_text(encoding="utf-8")))
    assert named
    assert named <= set(packaged_names())


def test_every_published_configuration_is_in_the_table():
    named = set(_NAME.findall(PAGE.read_text(encoding="utf-8")))
    families = ("kinetics/ablations/",)  # the table of the paper's variants is on another page
    assert {name for name in packaged_names() if not name.startswith(families)} <= named
