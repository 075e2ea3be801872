"""The odd files, made once for all tests of the video room."""

from pathlib import Path

import pytest

from tests.video.odd_files import OddFile, make_all


@pytest.fixture(scope="session")
def odd_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, OddFile]:
    return {odd.name: odd for odd in make_all(tmp_path_factory.mktemp("odd"))}


@pytest.fixture
def plain_video(odd_files: dict[str, OddFile]) -> Path:
    """Two seconds of 25 fps H.264, 160x96; frame i carries number i."""
    return odd_files["25fps.mp4"].path
