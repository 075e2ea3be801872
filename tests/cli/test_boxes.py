"""``ava-detect boxes``: real videos and files, a detector that finds the white square drawn in them.

The square stands in for a person, so that the right box of every frame is known and a frame that is not the
one asked for is seen at once.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from ava_detect.cli import main
from ava_detect.engine import assembly
from ava_detect.output.records import DetectorFacts
from evaluation.rows import read_boxes
from person_detector import PersonBoxes


class SquareFinder:
    """Finds the white square, surely, and its left third, hardly; notes on which keyframes."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, float]] = []
        self.interrupt_after: int | None = None

    def __call__(self, video_id, clips):
        for clip in clips:
            self.seen.append((video_id, clip.time))
        if self.interrupt_after is not None and len(self.seen) >= self.interrupt_after:
            self.interrupt_after = None
            signal.raise_signal(signal.SIGINT)
        return [self.find(clip.image) for clip in clips]

    @staticmethod
    def find(image):
        rows, columns = np.nonzero((image > 170).all(axis=2))
        x1, y1, x2, y2 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        boxes = np.array([[x1, y1, x2, y2], [x1, y1, x1 + (x2 - x1) / 3, y2]], np.float32)
        return PersonBoxes(boxes, np.array([0.95, 0.1], np.float32))


@pytest.fixture
def finder(monkeypatch, tmp_path) -> SquareFinder:
    """The detector of every command in this test, which runs in an empty folder."""
    finder = SquareFinder()

    def people(weights, *, threshold=None, **_):
        return assembly.People(finder, threshold or 0.5, weights, DetectorFacts("detector", weights, "ab"))

    monkeypatch.setattr(assembly, "people_from_detector", people)
    monkeypatch.chdir(tmp_path)
    return finder


def boxes(*words: str) -> int:
    return main(["boxes", *map(str, words), "--no-progress", "--device", "cpu"])


def lines(path) -> list[str]:
    return Path(path).read_text().splitlines()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["v.mp4"], "nothing to write: give --out boxes.csv, --video boxes.mp4 or both"),
        (["v.mp4", "--out", "b.json"], "expected a name that ends in .csv"),
        (["--out", "b.csv"], "expected videos or a data set (--cfg), found neither"),
        (["v.mp4", "--cfg", "c.yaml", "--out", "b.csv"], "expected videos or a data set (--cfg), found both"),
        (["c.yaml", "--start", "1", "--out", "b.csv"], "--start is for videos; with --cfg the configuration"),
        (["v.mp4", "--set", "A", "1", "--out", "b.csv"], "--set changes a configuration, and there is none"),
        (["v.mp4", "--at", "g.csv", "--every", "2", "--out", "b.csv"], "--every means nothing with --at"),
        (["v.mp4", "--start", "3", "--end", "2", "--out", "b.csv"], "--end 2 lies before --start 3"),
    ],
)
def test_what_does_not_go_together_is_refused(words, message, finder, make_video, capsys):
    make_video("v.mp4", frames=2)
    assert boxes(*words) == 2
    assert message in capsys.readouterr().err
    assert finder.seen == []


def test_the_rows_are_the_official_ones_surest_first(finder, make_video):
    make_video("v.mp4", frames=60)
    assert boxes("v.mp4", "--out", "b.csv") == 0
    first, second, *_ = lines("b.csv")
    assert first == "v,0000,0.000000,0.208333,0.187500,0.625000,,0.950000"
    assert second == "v,0000,0.000000,0.208333,0.062500,0.625000,,0.100000"
    table = read_boxes("b.csv")
    assert table.times.tolist() == [0, 0, 1, 1, 2, 2]
    assert not list(Path().glob(".*"))  # nothing is left behind


def test_boxes_below_min_score_are_left_out(finder, make_video):
    make_video("v.mp4", frames=10)
    assert boxes("v.mp4", "--out", "b.csv", "--min-score", "0.2") == 0
    assert len(lines("b.csv")) == 1


@pytest.mark.parametrize("fps", [24, 30])
def test_predict_and_boxes_see_the_same_frames(finder, make_video, tiny_weights, fps):
    make_video("v.mp4", frames=3 * fps + 1, fps=fps)
    assert boxes("v.mp4", "--out", "b.csv", "--every", "0.7", "--min-score", "0.5") == 0
    words = ["v.mp4", "--every", "0.7", "--weights", str(tiny_weights), "--out", "p.jsonl", "--no-progress"]
    assert main(["predict", *words]) == 0
    predicted = [
        [edge / size for edge, size in zip(person["box_px"], (128, 96, 128, 96), strict=True)]
        for line in map(json.loads, lines("p.jsonl"))
        if line["record"] == "keyframe"
        for person in line["persons"]
    ]
    np.testing.assert_allclose(read_boxes("b.csv").boxes, predicted, atol=1e-6)


def test_only_the_keyframes_of_a_csv_are_looked_at(finder, make_video, capsys):
    for name in ("a.mp4", "b.mp4"):
        make_video(name, frames=75)
    Path("gt.csv").write_text(
        "a,0902,0,0.2,0.2,0.6,12,\na,0902,0,0.2,0.2,0.6,80,\na,0901\nelse,0901\na,0950\n"
    )
    assert boxes("a.mp4", "b.mp4", "--at", "gt.csv", "--time-offset", "900", "--out", "x.csv") == 0
    assert finder.seen == [("a", 1.0), ("a", 2.0)]
    assert set(read_boxes("x.csv").times) == {901.0, 902.0}
    said = capsys.readouterr().err
    assert "1 videos of gt.csv are not given: else" in said
    assert "left out b: not in gt.csv" in said
    assert "1 keyframes of gt.csv lie outside their videos: a at 0950" in said


def test_a_csv_that_names_none_of_the_videos_is_refused(finder, make_video, capsys):
    make_video("a.mp4", frames=3)
    Path("gt.csv").write_text("videos/a.mp4,0001\n")
    assert boxes("a.mp4", "--at", "gt.csv", "--out", "x.csv") == 1
    assert "gt.csv: names none of the videos (it names videos/a.mp4; there are a)" in capsys.readouterr().err


def test_recall_by_score_and_the_ceiling_are_told(finder, make_video, capsys):
    """Three labelled people on two keyframes: the square twice, and somebody whom nothing finds."""
    make_video("a.mp4", frames=30)
    square = "0.000000,0.208333,0.187500,0.625000"
    later = "0.195312,0.208333,0.382812,0.625000"  # 25 pixels on
    Path("gt.csv").write_text(f"a,0,{square},12,1\na,1,{later},12,1\na,1,0.7,0.7,0.9,0.9,80,2\n")
    assert boxes("a.mp4", "--at", "gt.csv", "--out", "x.csv", "--json") == 0
    printed = capsys.readouterr()
    lowest, *_, highest = json.loads(printed.out)["recall"]["gt.csv"]
    assert (lowest["threshold"], lowest["num_persons"], lowest["boxes_per_keyframe"]) == (0.05, 3, 2.0)
    assert lowest["recall"] == pytest.approx(2 / 3)
    assert lowest["ceiling"] == pytest.approx(0.5)  # all of class 12, none of class 80
    assert lowest["precision"] == pytest.approx(0.5)  # a third of the square is no person
    assert (highest["threshold"], highest["boxes_per_keyframe"]) == (0.9, 1.0)
    assert "against gt.csv: 3 persons, IoU 0.5" in printed.err
    assert "66.7%         50.00" in printed.err


@pytest.fixture
def data_set(make_video, tmp_path) -> Path:
    """A set of two videos that begin at second 900; the annotations name a third one."""
    (tmp_path / "videos").mkdir()
    for name in ("a", "b"):
        make_video(f"videos/{name}.mp4", frames=75)
    (tmp_path / "val.csv").write_text("a,0902,0.4,0.2,0.57,0.62,12,0\nb,0901\ngone,0901\n")
    cfg = tmp_path / "set.yaml"
    cfg.write_text(
        "AVA: {VIDEO_DIR: videos, START_SECOND: 900, VALID_SECONDS: [901, 902], GROUNDTRUTH_FILE: val.csv,"
        " LABEL_MAP_FILE: v2.2}\n"
    )
    return cfg


def test_a_data_set_gives_all_its_keyframes_labelled_or_not(finder, data_set, capsys):
    assert boxes("set.yaml", "--out", "x.csv") == 0
    assert finder.seen == [("a", 1.0), ("a", 2.0), ("b", 1.0), ("b", 2.0)]
    said = capsys.readouterr().err
    assert "left out gone: not in videos" in said
    assert "against val.csv: 1 persons" in said
    assert f"AVA.TEST_PREDICT_BOX_LISTS [{Path('x.csv').resolve()}]" in said


def test_automatic_seconds_are_those_that_the_annotations_name(finder, data_set):
    assert boxes("--cfg", "set.yaml", "--set", "AVA.VALID_SECONDS", "auto", "--out", "x.csv") == 0
    assert finder.seen == [("a", 2.0), ("b", 1.0)]


def test_a_set_without_videos_says_what_to_set(finder, data_set, capsys):
    assert boxes("--cfg", "set.yaml", "--set", "AVA.VIDEO_DIR", "", "--out", "x.csv") == 2
    assert "--set AVA.VIDEO_DIR data/videos" in capsys.readouterr().err


def test_extracted_frames_serve_as_well(finder, data_set, tmp_path):
    import cv2

    (tmp_path / "frames" / "a").mkdir(parents=True)
    image = np.zeros((96, 128, 3), np.uint8)
    listed = ["original_vido_id video_id frame_id path labels"]
    for number in range(65):
        picture = image.copy()
        picture[20:60, number : number + 24] = 255
        cv2.imwrite(str(tmp_path / "frames" / "a" / f"a_{number + 1:06d}.jpg"), picture)
        listed.append(f'a 0 {number} a/a_{number + 1:06d}.jpg ""')
    (tmp_path / "val_list.csv").write_text("\n".join(listed) + "\n")
    frames = ["AVA.VIDEO_DIR", "", "AVA.FRAME_DIR", "frames", "AVA.TEST_LISTS", "[val_list.csv]"]
    pairs = [
        word for key, value in zip(frames[::2], frames[1::2], strict=True) for word in ("--set", key, value)
    ]
    assert boxes("--cfg", "set.yaml", *pairs, "--out", "x.csv", "--min-score", "0.5") == 0
    table = read_boxes("x.csv")
    assert table.times.tolist() == [901, 902]
    np.testing.assert_allclose(table.boxes[:, 0] * 128, [30, 60], atol=1.5)  # frames 30 and 60


def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(finder, make_video, capsys):
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        make_video(name, frames=75)
    inputs = ("a.mp4", "b.mp4", "c.mp4", "--batch", "1")
    assert boxes(*inputs, "--out", "whole.csv") == 0
    finder.seen.clear()
    finder.interrupt_after = 5
    assert boxes(*inputs, "--out", "part.csv") == 130
    assert "--resume" in capsys.readouterr().err
    assert finder.seen == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]
    assert len(lines("part.csv")) == 10
    assert boxes(*inputs, "--out", "part.csv", "--resume") == 0
    assert finder.seen[5:] == [("b", 2), ("c", 0), ("c", 1), ("c", 2)]  # nothing twice
    assert Path("part.csv").read_bytes() == Path("whole.csv").read_bytes()
    assert not list(Path().glob(".*"))


def test_an_interrupted_run_is_not_lost_by_accident(finder, make_video, capsys):
    make_video("a.mp4", frames=75)
    finder.interrupt_after = 1
    assert boxes("a.mp4", "--out", "b.csv") == 130
    Path("b.csv").unlink()
    assert boxes("a.mp4", "--out", "b.csv") == 1
    assert "Go on with that run: --resume. Start anew: --overwrite" in capsys.readouterr().err
    assert boxes("a.mp4", "--out", "b.csv", "--resume", "--min-score", "0.3") == 2
    assert "settings.person_thresh was 0.05, is now 0.3" in capsys.readouterr().err
    assert boxes("a.mp4", "--out", "b.csv", "--overwrite") == 0
    assert finder.seen.count(("a", 0.0)) == 2


def test_an_output_that_exists_is_kept(finder, make_video, capsys):
    make_video("a.mp4", frames=3)
    Path("b.csv").write_text("precious")
    assert boxes("a.mp4", "--out", "b.csv") == 1
    assert "b.csv exists" in capsys.readouterr().err
    assert Path("b.csv").read_text() == "precious"


def test_a_failed_input_does_not_stop_the_others(finder, make_video, capsys):
    make_video("good.mp4", frames=3)
    Path("bad.mp4").write_text("no video")
    assert boxes("bad.mp4", "good.mp4", "--out", "b.csv") == 3
    assert "1 of 2 inputs incomplete" in capsys.readouterr().err
    assert {line.split(",")[0] for line in lines("b.csv")} == {"good"}
    assert boxes("bad.mp4", "--out", "c.csv") == 1


def test_a_damaged_video_gives_its_boxes_up_to_the_damage(finder, make_video, capsys):
    path = make_video("v.ts", frames=150)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = os.urandom(4000)
    path.write_bytes(content)
    assert boxes("v.ts", "--out", "b.csv") == 3
    assert 0 < len(lines("b.csv")) < 12
    assert "results end there" in capsys.readouterr().err


def test_the_video_shows_the_boxes(finder, make_video):
    make_video("v.mp4", frames=30)
    assert boxes("v.mp4", "--video", "drawn.mp4") == 0
    with av.open("drawn.mp4") as drawn:
        assert sum(1 for _ in drawn.decode(video=0)) == 30


def test_without_detectron2_the_line_to_type_is_given(make_video, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    make_video("v.mp4", frames=2)
    plain = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "detectron2" else plain(name, *rest)
    )
    assert boxes("v.mp4", "--out", "b.csv") == 1
    said = capsys.readouterr().err
    assert "detectron2 is not installed; it finds the people." in said
    assert "python -m person_detector.install" in said
    assert not list(Path().glob(".*"))


@pytest.mark.slow
def test_several_processes_write_the_same_bytes_as_one(make_video, tmp_path):
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        make_video(name, frames=30)
    words = ["a.mp4", "b.mp4", "c.mp4", "--weights", "embedded", "--device", "cpu", "--min-score", "0.01"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}

    def run(*command: str) -> None:
        subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, env=environment, check=True)

    run("person_detector", *words, "--out", "one.csv")
    shared = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "ava_detect", "boxes"]
    run(*shared, *words, "--out", "two.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert not list(tmp_path.glob(".*"))
