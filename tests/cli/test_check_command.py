"""``ava-detect check`` from the command line: what is printed, in which order, as JSON, with which code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ava_detect.cli import main

ROW = "cam1,{second:04d},{x:.3f},0.100,{right:.3f},0.900,{action},0\n"


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """Thirty sound rows of one video."""
    path = tmp_path / "train.csv"
    path.write_text("".join(_row(second) for second in range(30)))
    return path


def _row(second: int, scale: float = 1.0, action: int = 1) -> str:
    x = 0.1 + second / 100
    return ROW.format(second=second, x=x * scale, right=(x + 0.2) * scale, action=action)


def run(*words: object) -> int:
    return main(["check", *map(str, words)])


def test_sound_data_say_what_they_are_and_no_faults(truth, capsys):
    assert run(truth) == 0
    output = capsys.readouterr()
    assert output.out == (
        f"{truth}  ok     ground truth: 30 rows, 30 keyframes, 1 videos, 1 classes\nno faults\n"
    )
    assert output.err == ""


def test_a_fault_shows_count_first_place_row_and_line_to_type(truth, capsys):
    truth.write_text(truth.read_text() + "".join(_row(second, 1920) for second in range(30, 33)))
    assert run(truth) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{truth}  FAULT  ground truth: 33 rows")
    assert lines[1] == ""
    assert lines[2].startswith(
        f"FAULT  {truth}: 3 of 33 rows have a box that is not in [0, 1]; they look like pixels"
    )
    assert lines[3] == f"       {truth}:31  cam1,0030,768.000,0.100,1152.000,0.900,1,0"
    assert lines[4].startswith("       Divide by the picture's width and height (for example 1920x1080):")
    assert lines[5].startswith("       awk -F, ")
    assert lines[-1] == "1 fault"


def test_verbose_shows_three_places(truth, capsys):
    truth.write_text("".join(_row(second, action=second % 2) for second in range(30)))
    run(truth, "-v")
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if ",0,0" in line] == [
        f"{truth}:{row}" for row in (1, 3, 5)
    ]


def test_findings_come_in_the_order_of_harm(truth, capsys):
    rows = [
        _row(second, 1920 if second == 3 else 1.0, action=0 if second == 4 else 1) for second in range(30)
    ]
    truth.write_text(
        "\n".join(["", *(row.strip() for row in rows), "cam1,0031,a,0,1,1,1,0", rows[5].strip()]) + "\n"
    )
    assert run(truth, "--json") == 3
    report = json.loads(capsys.readouterr().out)
    assert [finding["code"] for finding in report["findings"]] == [
        "pixels", "zero-based", "row-number", "repeated-rows", "blank-lines"
    ]  # fmt: skip
    assert [finding["severity"] for finding in report["findings"]] == ["FAULT"] * 4 + ["note"]


def test_json_has_everything_and_nothing_else_is_printed(truth, capsys):
    truth.write_text(truth.read_text() + "cam1,31\n\n")
    assert run(truth, "--json") == 0
    output = capsys.readouterr()
    report = json.loads(output.out)
    assert (report["schema"], report["version"], report["faults"], report["notes"]) == (
        "ava-detect check",
        1,
        0,
        1,
    )
    assert report["subjects"] == [
        {
            "path": str(truth),
            "kind": "ground truth",
            "summary": "30 rows, 31 keyframes, 1 videos, 1 classes",
            "status": "note",
        }
    ]
    (finding,) = report["findings"]
    assert finding["code"] == "blank-lines"
    assert finding["places"] == [{"file": str(truth), "row": 32, "text": ""}]
    assert finding["hint"].startswith("sed ")


def test_quiet_prints_faults_and_the_conclusion_only(truth, capsys):
    run(truth, "-q")
    assert capsys.readouterr().out == "no faults\n"
    truth.write_text(truth.read_text() + "\n" + _row(31, 1920))
    assert run(truth, "-q") == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("FAULT")
    assert lines[-1] == "1 fault, 1 note"
    assert not any(line.startswith("note") for line in lines)


def test_several_things_are_compared(truth, tmp_path, capsys):
    val = tmp_path / "val.csv"
    val.write_text(truth.read_text())
    assert run(truth, val) == 3
    assert f"FAULT  {val}: 1 of its 1 videos are also in {truth}: 'cam1'" in capsys.readouterr().out


def test_roles_win_over_content(truth, capsys):
    assert run("--pred", truth) == 3
    assert "all 30 scores are 0" in capsys.readouterr().out


def test_one_bad_thing_does_not_stop_the_others(truth, tmp_path, capsys):
    assert run(tmp_path / "trian.csv", truth) == 3
    out = capsys.readouterr().out
    assert f"FAULT  {tmp_path / 'trian.csv'}: no such file. Nearby: train.csv" in out
    assert f"{truth}  ok     ground truth" in out


def test_settings_reach_the_configuration(tmp_path, capsys):
    assert run("--cfg", "ava/slowfast_8x8_r50", "--set", "DATA.NUM_FRAMES", "33") == 3
    assert "DATA.NUM_FRAMES 33 (command line)" in capsys.readouterr().out


def test_the_start_of_the_videos_can_be_said(make_video, truth, capsys):
    video = make_video("cam1.mp4", frames=310, fps=10, size=(256, 320))
    assert run(truth, video) == 0
    assert run(truth, video, "--start-second", "10") == 3
    assert "10 of 30 rows lie before the beginning of their video" in capsys.readouterr().out


def test_quick_reads_packets_only(make_video, capsys, monkeypatch):
    from ava_detect.data.check import videos

    monkeypatch.setattr(videos, "_decoded", None)
    assert run(make_video(frames=30, size=(256, 320)), "--quick") == 0
    assert "0:01.2, 320x256, 25 fps, h264" in capsys.readouterr().out


def test_nothing_to_look_at_is_wrong_use(capsys):
    assert run() == 2
    assert "error: nothing to look at" in capsys.readouterr().err


def test_a_key_without_value_is_wrong_use():
    with pytest.raises(SystemExit) as stop:
        run("--cfg", "mine.yaml", "--set", "DATA.NUM_FRAMES")
    assert stop.value.code == 2


def test_checking_rows_needs_neither_torch_nor_ffmpeg(truth):
    code = (
        "import sys\n"
        "from ava_detect.cli import main\n"
        f"assert main(['check', {str(truth)!r}]) == 0\n"
        "heavy = {'torch', 'av', 'cv2', 'detectron2'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_millions_of_rows_are_read_in_seconds(tmp_path, capsys):
    path = tmp_path / "predictions.csv"
    with path.open("w") as file:
        for video in range(10):
            for second in range(902, 1799, 3):
                x = f"0.0{video}{second}"
                file.write(
                    "".join(
                        f"v{video},{second},{x},0.1,0.2,0.9,{k},0.{k:02d}{second}\n" for k in range(1, 61)
                    )
                )
    assert run(path) == 0
    assert "179,400 rows, 2,990 keyframes, 10 videos, 60 classes" in capsys.readouterr().out
