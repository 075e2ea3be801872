"""A small data set of numbered pictures: two videos, annotations, a label map."""

from pathlib import Path

import pytest

from tests.video.encoding import Encode, encode

LABEL_MAP = 'item { name: "stand" id: 1 }\nitem { name: "wave" id: 2 }\nitem { name: "fall" id: 3 }\n'
TRUTH = (
    "one,0,0.1,0.2,0.5,0.9,1,0\n"
    "one,0,0.1,0.2,0.5,0.9,2,0\n"
    "one,1,0.2,0.2,0.6,0.9,1,0\n"
    "one,1,0.5,0.1,0.9,0.8,3,1\n"
    "two,0.5,0.0,0.0,1.0,1.0,2,0\n"
    "two,1.5,0.3,0.3,0.7,0.7,3,0\n"
)


@pytest.fixture(scope="session")
def numbered_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``videos/one.mp4`` (160x96) and ``two.mkv`` (96x160), ``truth.csv``, ``labels.pbtxt``."""
    folder = tmp_path_factory.mktemp("numbered")
    (folder / "videos").mkdir()
    encode(folder / "videos" / "one.mp4", Encode(options={"g": "12", "bf": "2"}))
    encode(folder / "videos" / "two.mkv", Encode(numbers=range(100, 150), size=(96, 160)))
    (folder / "truth.csv").write_text(TRUTH)
    (folder / "labels.pbtxt").write_text(LABEL_MAP)
    return folder


@pytest.fixture
def numbered_settings(numbered_set: Path) -> list[object]:
    """Settings that train and test on ``numbered_set``, for ``parse_config``'s overrides."""
    settings: dict[str, object] = {
        "AVA.VIDEO_DIR": str(numbered_set / "videos"),
        "AVA.ANNOTATION_DIR": str(numbered_set),
        "AVA.START_SECOND": 0,
        "AVA.VALID_SECONDS": "auto",
        "AVA.TRAIN_GT_BOX_LISTS": "[truth.csv]",
        "AVA.GROUNDTRUTH_FILE": "truth.csv",
        "AVA.TEST_GT_BOXES": True,
        "AVA.LABEL_MAP_FILE": "labels.pbtxt",
        "MODEL.NUM_CLASSES": 3,
        "DATA.NUM_FRAMES": 8,
        "DATA.SAMPLING_RATE": 2,
        "DATA.TRAIN_JITTER_SCALES": "[72, 80]",
        "DATA.TRAIN_CROP_SIZE": 64,
        "DATA.TEST_CROP_SIZE": 72,
        "DATA_LOADER.NUM_WORKERS": 0,
    }
    return [word for pair in settings.items() for word in pair]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep indices of videos out of the user's cache."""
    monkeypatch.setenv("AVA_DETECT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
