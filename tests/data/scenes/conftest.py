"""Short scenes for tests: everything of a grade, but two seconds long."""

import dataclasses
from collections.abc import Callable

import pytest

from ava_detect.data.scenes import GRADES, Scene


@pytest.fixture
def short_scene() -> Callable[..., Scene]:
    """Return a function that makes a two-second scene of a seed and grade."""

    def make(seed: int, grade: str = "standard", **changes: object) -> Scene:
        return Scene(seed, dataclasses.replace(GRADES[grade], duration_s=2, **changes))

    return make
