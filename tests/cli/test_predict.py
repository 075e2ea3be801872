"""``ava-detect predict`` from command line to files: real videos, a real small network, real processes."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from ava_detect.cli import main
from evaluation.rows import read_detections
from tests.video.odd_files import make_all


@pytest.fixture
def predict(tiny_weights, make_boxes, monkeypatch, tmp_path):
    """Return a function that runs the command in an empty folder, with boxes for ten seconds of video.mp4."""
    monkeypatch.chdir(tmp_path)
    boxes = make_boxes()

    def run(*words: str, boxes: Path = boxes) -> int:
        return main(
            ["predict", *words, "--weights", str(tiny_weights), "--boxes", str(boxes), "--no-progress"]
        )

    return run


def rows(path) -> list[list[str]]:
    with Path(path).open(newline="") as file:
        return list(csv.reader(file))


def test_a_missing_video_is_one_line_with_the_nearest_name(predict, make_video, capsys):
    make_video("gym.mp4")
    assert predict("gim.mp4", "--out", "actions.csv") == 1
    assert capsys.readouterr().err == "error: gim.mp4: no such file. Nearby: gym.mp4\n"
    assert not Path("actions.csv").exists()


def test_the_rows_are_official(predict, make_video):
    make_video(frames=75)
    assert predict("video.mp4", "--out", "actions.csv", "--min-score", "0.2") == 0
    table = read_detections("actions.csv")
    assert set(table.times) == {0.0, 1.0, 2.0}
    assert set(table.action_ids) <= {1, 5, 12, 17, 64, 80}
    assert table.scores.min() >= 0.2
    assert len(table) == 3 * 2 * 6 or table.scores.min() < 0.5
    first = rows("actions.csv")[0]
    assert first[:6] == ["video", "0000", "0.100000", "0.100000", "0.500000", "0.900000"]


def test_embedded_weights_say_once_what_they_do_not_know(
    tiny_weights, make_boxes, make_video, tmp_path, monkeypatch, capsys
):
    from ava_detect.weights import zoo

    (tmp_path / "embedded").mkdir()
    shutil.copy(tiny_weights, tmp_path / "embedded" / "actions.safetensors")
    monkeypatch.setattr(zoo.resources, "files", lambda _: tmp_path)
    monkeypatch.chdir(tmp_path)
    make_video(frames=30)
    words = ["video.mp4", "--weights", "embedded", "--boxes", str(make_boxes()), "--out", "a.json", "--quiet"]
    assert main(["predict", *words, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err.splitlines() == [f"warning: {zoo.EMBEDDED_CAVEAT}"]
    assert json.loads(out)["caveats"] == [zoo.EMBEDDED_CAVEAT]
    (video,) = json.loads(Path("a.json").read_text())["videos"]
    assert (video["model"]["name"], video["model"]["caveat"]) == ("embedded", zoo.EMBEDDED_CAVEAT)
    assert video["detector"]["caveat"] == ""


def test_every_output_tells_the_same(predict, make_video):
    make_video(frames=75)
    outputs = [
        "--out",
        "a.csv",
        "--out",
        "a.json",
        "--out",
        "a.jsonl",
        "--table",
        "t.csv",
        "--video",
        "v.mp4",
    ]
    assert predict("video.mp4", *outputs) == 0
    official = {(float(row[1]), int(row[6]), row[7]) for row in rows("a.csv")}
    document = json.loads(Path("a.json").read_text())
    in_json = {
        (keyframe["time"], action_id, f"{score:.6f}")
        for keyframe in document["videos"][0]["keyframes"]
        for person in keyframe["persons"]
        for action_id, score in person["actions"]
    }
    assert in_json == official
    assert len(Path("a.jsonl").read_text().splitlines()) == 1 + 3 + 1
    header, *table = rows("t.csv")
    assert ",".join(header) == (
        "video,time_s,frame,person_id,x1_px,y1_px,x2_px,y2_px,person_score,action_id,action,group,score"
    )
    assert len(table) == len(rows("a.csv"))
    with av.open("v.mp4") as drawn:
        assert sum(1 for _ in drawn.decode(video=0)) == 75
    assert not list(Path().glob(".*"))  # no journal is left


def test_standard_output_holds_nothing_but_rows(predict, make_video, capsys):
    make_video(frames=10)
    assert predict("video.mp4", "--out", "-") == 0
    out = capsys.readouterr().out.splitlines()
    assert out
    assert all(line.startswith("video,0000,") and line.count(",") == 7 for line in out)


def test_without_outputs_the_strongest_actions_are_printed(predict, make_video, capsys):
    make_video(frames=30)
    assert predict("video.mp4") == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0].split() == ["video", "time", "person", "action", "score"]
    assert "--out actions.csv" in printed.err


def test_the_summary_can_be_json(predict, make_video, capsys):
    make_video(frames=30)
    assert predict("video.mp4", "--out", "a.csv", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["keyframes"], summary["person_boxes"]) == (2, 4)


def test_an_existing_output_is_kept_unless_overwritten(predict, make_video, capsys):
    make_video(frames=10)
    Path("a.csv").write_text("precious")
    assert predict("video.mp4", "--out", "a.csv") == 1
    assert "a.csv exists. Use --overwrite, or another name." in capsys.readouterr().err
    assert Path("a.csv").read_text() == "precious"
    assert predict("video.mp4", "--out", "a.csv", "--overwrite") == 0
    assert Path("a.csv").read_text().startswith("video,0000,")


def test_no_people_give_an_empty_valid_file(predict, make_video, make_boxes, capsys):
    make_video(frames=30)
    assert predict("video.mp4", "--out", "a.csv", boxes=make_boxes(["other"], name="other.csv")) == 0
    assert Path("a.csv").read_text() == ""
    assert "no boxes of people on any of 2 keyframes" in capsys.readouterr().err


def test_the_offset_of_a_cut_is_added_and_looked_up(predict, make_video, make_boxes, tmp_path):
    make_video(frames=30)
    boxes = tmp_path / "late.csv"
    boxes.write_text("video,0900,0.1,0.1,0.5,0.9,,1.0\nvideo,901,0.1,0.1,0.5,0.9,,1.0\n")
    assert predict("video.mp4", "--out", "a.csv", "--time-offset", "900", boxes=boxes) == 0
    assert {row[1] for row in rows("a.csv")} == {"0900", "0901"}


def test_keyframes_between_seconds_have_three_decimals(predict, make_video, tmp_path):
    make_video(frames=30)
    boxes = tmp_path / "half.csv"
    boxes.write_text("video,0.5,0.1,0.1,0.5,0.9,,1.0\nvideo,1,0.1,0.1,0.5,0.9,,1.0\n")
    assert predict("video.mp4", "--out", "a.csv", "--every", "0.5", boxes=boxes) == 0
    assert {row[1] for row in rows("a.csv")} == {"0.500", "0001"}


def test_a_failed_input_does_not_stop_the_others(predict, make_video, make_boxes, capsys):
    make_video("good.mp4", frames=30)
    Path("bad.mp4").write_text("this is no video")
    boxes = make_boxes(["good"], name="good.csv")
    assert predict("bad.mp4", "good.mp4", "--out", "a.csv", boxes=boxes) == 3
    err = capsys.readouterr().err
    assert "error: bad.mp4: " in err
    assert err.endswith("error: 1 of 2 inputs incomplete\n")
    assert {row[0] for row in rows("a.csv")} == {"good"}


def test_several_videos_need_a_folder_for_their_drawings(predict, make_video, make_boxes, capsys):
    make_video("one.mp4", frames=10)
    make_video("two.mp4", frames=10)
    boxes = make_boxes(["one", "two"], name="both.csv")
    assert predict("one.mp4", "two.mp4", "--video", "drawn.mp4", boxes=boxes) == 2
    assert "2 inputs need a folder" in capsys.readouterr().err
    assert predict("one.mp4", "two.mp4", "--video", "drawn/", "--out", "a.csv", boxes=boxes) == 0
    assert sorted(path.name for path in Path("drawn").iterdir()) == ["one.mp4", "two.mp4"]
    assert [row[0] for row in rows("a.csv")] == sorted(row[0] for row in rows("a.csv"))


def test_a_label_map_of_another_size_is_refused(predict, make_video, capsys):
    make_video(frames=10)
    assert predict("video.mp4", "--out", "a.csv", "--labels", "v2.2-80") == 1
    assert "the head has 6 classes, the label map" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--every", "0"], "expected a number above 0"),
        (["--min-score", "1.5"], "expected a number from 0 to 1"),
        (["--batch", "x"], "expected a whole number"),
    ],
)
def test_numbers_out_of_range_are_wrong_use(predict, capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        predict("video.mp4", *words)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_end_before_start_is_wrong_use(predict, make_video, capsys):
    make_video(frames=10)
    assert predict("video.mp4", "--start", "2", "--end", "1") == 2
    assert "--end 1 lies before --start 2" in capsys.readouterr().err


def test_odd_and_damaged_files_end_well(predict, make_boxes, tmp_path, capsys):
    """No traceback, no half-written output, and the exit code that belongs to what happened."""
    odd_files = make_all(tmp_path / "odd")
    assert len(odd_files) >= 25
    boxes = make_boxes([odd.path.stem for odd in odd_files], name="all.csv")
    for odd in odd_files:
        out = tmp_path / "odd.csv"
        code = predict(str(odd.path), "--out", str(out), "--overwrite", boxes=boxes)
        err = capsys.readouterr().err
        assert "unexpected" not in err, odd.name
        if odd.error is not None:
            assert (code, out.exists()) == (1, False), odd.name
            assert err.startswith("error: "), odd.name
        elif odd.damage is not None:
            assert code == 3, odd.name
            assert "results end there" in err, odd.name
            assert len(read_detections(out)) > 0, odd.name
        else:
            assert code == 0, (odd.name, err)
            assert len(read_detections(out)) > 0, odd.name
        out.unlink(missing_ok=True)
    assert not list(tmp_path.glob(".*"))


def _start(tiny_weights, boxes, cwd, *words):
    command = [
        sys.executable, "-m", "ava_detect", "predict", "video.mp4", "--weights", str(tiny_weights),
        "--boxes", str(boxes), "--out", "a.csv", "--every", "0.04", *words,
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=cwd, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _wait_for_keyframes(process: subprocess.Popen, journal: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b"\n") > count:
            return
        assert process.poll() is None, f"ended with {process.returncode}: {process.communicate()[1]}"
        time.sleep(0.002)
    raise AssertionError(f"{journal} does not grow")


@pytest.fixture(scope="module")
def undisturbed(tiny_weights, encode_video, tmp_path_factory):
    """A video with many keyframes, its boxes, and the rows of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    encode_video(folder / "video.mp4", frames=500)
    boxes = folder / "boxes.csv"
    boxes.write_text("".join(f"video,{k / 25:.3f},0.1,0.1,0.5,0.9,,1.0\n" for k in range(500)))
    assert _start(tiny_weights, boxes, folder).wait(timeout=120) == 0
    return folder / "video.mp4", boxes, (folder / "a.csv").read_bytes()


@pytest.fixture
def many_keyframes(undisturbed, tmp_path):
    """The same video in the test's folder; (boxes, rows)."""
    video, boxes, whole = undisturbed
    (tmp_path / "video.mp4").symlink_to(video)
    return boxes, whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_goes_on_and_ends_as_if_undisturbed(
    tiny_weights, many_keyframes, tmp_path, number
):
    boxes, whole = many_keyframes
    process = _start(tiny_weights, boxes, tmp_path)
    _wait_for_keyframes(process, tmp_path / ".a.csv.journal", 5)
    os.kill(process.pid, number)
    err = process.communicate(timeout=60)[1]
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "To go on: the same command with --resume" in err
        part = (tmp_path / "a.csv").read_bytes()
        assert 0 < len(part) < len(whole)
        assert whole.startswith(part)
    else:
        assert not (tmp_path / "a.csv").exists()
    resumed = _start(tiny_weights, boxes, tmp_path, "--resume")
    err = resumed.communicate(timeout=120)[1]
    assert resumed.returncode == 0, err
    assert (tmp_path / "a.csv").read_bytes() == whole
    assert not (tmp_path / ".a.csv.journal").exists()


def test_resume_refuses_other_settings(tiny_weights, predict, many_keyframes, tmp_path, capsys):
    boxes, _ = many_keyframes
    process = _start(tiny_weights, boxes, tmp_path)
    _wait_for_keyframes(process, tmp_path / ".a.csv.journal", 5)
    process.kill()
    process.communicate()
    assert predict("video.mp4", "--out", "a.csv", "--every", "0.5", "--resume", boxes=boxes) == 2
    assert "settings.every_s was 0.04, is now 0.5" in capsys.readouterr().err
    assert predict("video.mp4", "--out", "a.csv", "--every", "0.5", boxes=boxes) == 1
    assert "Go on with that run: --resume" in capsys.readouterr().err


def test_boxes_from_a_file_never_import_detectron2(tiny_weights, make_boxes, make_video, tmp_path):
    make_video(frames=10)
    code = (
        "import sys\n"
        "from ava_detect.cli import main\n"
        "code = main(['predict', 'video.mp4', '--out', 'a.csv',"
        f" '--weights', {str(tiny_weights)!r}, '--boxes', {str(make_boxes())!r}])\n"
        "sys.exit('detectron2 was imported' if 'detectron2' in sys.modules else code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_official_rows_are_the_same_with_tracking_and_without(predict, make_video):
    make_video(frames=75)
    assert predict("video.mp4", "--out", "on.csv", "--out", "on.jsonl") == 0
    assert predict("video.mp4", "--out", "off.csv", "--out", "off.jsonl", "--no-track") == 0
    assert Path("on.csv").read_bytes() == Path("off.csv").read_bytes() != b""
    for name, tracked in (("on.jsonl", True), ("off.jsonl", False)):
        last = json.loads(Path(name).read_text().splitlines()[-2])
        assert [person["person_id"] for person in last["persons"]] == ([1, 2] if tracked else [None, None])
        assert bool(last["paths"]) == tracked
