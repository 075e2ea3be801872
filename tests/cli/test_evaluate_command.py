"""``ava-detect evaluate`` and ``python -m evaluation``: flags, texts, exit codes, files, hostile input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ava_detect.cli import main as ava_detect
from evaluation.command import main as evaluation

TRUTH = [
    "v1,0902,.1,.1,.5,.9,1,0",
    "v1,0902,.6,.1,.9,.9,1,1",
    "v1,0903,.1,.1,.5,.9,1,0",
    "v1,0903,.1,.1,.5,.9,3,0",
    "v2,0902,.2,.2,.7,.7,3,0",
]
FOUND = [
    "v1,0902,.10,.1,.5,.9,1,.90",
    "v1,0902,.12,.1,.5,.9,1,.85",
    "v1,0903,.10,.1,.48,.9,1,.80",
    "v1,0902,.00,.0,.1,.1,1,.60",
    "v1,0902,.61,.1,.9,.9,1,.40",
    "v1,0903,.10,.1,.48,.9,3,.30",
    "v2,0902,.25,.2,.7,.7,3,.70",
    "v1,0950,.10,.1,.5,.9,1,.99",
]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write ``gt.csv`` and ``det.csv`` and go where they are."""
    monkeypatch.chdir(tmp_path)
    Path("gt.csv").write_text("\n".join(TRUTH) + "\n")
    Path("det.csv").write_text("\n".join(FOUND) + "\n")
    return tmp_path


def both(arguments: list[str]) -> list[int]:
    """Run the command by either name."""
    return [ava_detect(["evaluate", *arguments]), evaluation(arguments)]


def test_either_name_prints_the_same_report(files, capsys):
    assert ava_detect(["evaluate", "--gt", "gt.csv", "--pred", "det.csv"]) == 0
    first = capsys.readouterr()
    assert evaluation(["--gt", "gt.csv", "--pred", "det.csv"]) == 0
    second = capsys.readouterr()
    assert first == second
    assert "mAP@0.5  87.78" in first.out
    assert "set aside: 1 row on 1 keyframe without ground truth" in first.out
    assert "58 classes of the label map have no ground truth and do not count in the mean" in first.out
    assert first.err == ""


def test_json_on_stdout_is_nothing_but_json(files, capsys):
    arguments = ["--gt", "gt.csv", "--pred", "det.csv", "--json", "-", "--errors", "--boxes", "det.csv"]
    assert evaluation([*arguments, "--compare", "det.csv", "--resamples", "10", "--tie-interval"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["mean"] == pytest.approx((1 + (1 + 2 / 3 + 3 / 5) / 3) / 2)
    assert document["comparison"]["mean"]["change"] == 0
    assert document["errors"]["misses"]["no box"] == 0
    assert document["boxes"]["ceiling"] == 1
    assert document["tie_interval"] == [document["mean"]] * 2


def test_files_are_written_once_and_only_replaced_when_asked(files, capsys):
    arguments = [
        "--gt",
        "gt.csv",
        "--pred",
        "det.csv",
        "--json",
        "r.json",
        "--by-class",
        "c.csv",
        "--plot",
        "p/q",
    ]
    assert evaluation(arguments) == 0
    assert (
        "wrote r.json, c.csv, p/q/errors.png, p/q/ap_by_class.png, p/q/precision_recall.png"
        in capsys.readouterr().err
    )
    assert both(arguments) == [1, 1]
    assert capsys.readouterr().err.startswith("error: c.csv exists. Use --overwrite, or another name.\n")
    assert evaluation([*arguments, "--overwrite"]) == 0


def test_the_report_has_what_was_asked_for(files, capsys):
    arguments = ["--gt", "gt.csv", "--pred", "det.csv", "--iou", "0.5", "0.9", "--errors", "--tie-interval"]
    assert evaluation([*arguments, "--boxes", "gt.csv", "--compare", "det.csv", "--resamples", "10"]) == 0
    out = capsys.readouterr().out
    for text in (
        "mAP@0.9  ",
        "87.78 to 87.78, depending on the order of equal scores",
        "boxes      gt.csv: 4 boxes for 4 annotated persons",
        "no action model can score above mAP 100.00 on these boxes",
        "compared with det.csv",
        "mistakes                share   mAP without them",
    ):
        assert text in out


@pytest.mark.parametrize(("minimum", "code"), [("0.8", 0), ("0.9", 3)])
def test_a_map_below_the_minimum_gives_3(files, capsys, minimum, code):
    assert both(["--gt", "gt.csv", "--pred", "det.csv", "--min-map", minimum]) == [code] * 2
    assert ("error: mAP 0.8778 is below --min-map 0.9" in capsys.readouterr().err) == (code == 3)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--gt", "no.csv", "--pred", "det.csv"], 1, "error: no.csv: no such file."),
        (["--gt", "gt.cvs", "--pred", "det.csv"], 1, "error: gt.cvs: no such file. Nearby: gt.csv"),
        (
            ["--gt", "gt.csv", "--pred", "short.csv"],
            1,
            "error: short.csv:2: 6 columns, expected 8: video_id, timestamp,",
        ),
        (["--gt", "gt.csv", "--pred", "det.csv", "--labels", "v2.3"], 1, "error: v2.3: no such label map"),
        (
            ["--gt", "gt.csv", "--pred", "det.csv", "--min-map", "25"],
            2,
            "error: --min-map 25, expected a fraction",
        ),
        (
            ["--gt", "gt.csv", "--pred", "det.csv", "--iou", "50"],
            2,
            "error: IoU threshold 50, expected more than 0",
        ),
        (
            ["--gt", "gt.csv", "--pred", "det.csv", "--resamples", "0"],
            2,
            "error: --resamples 0, expected at least 1",
        ),
        (["--gt", "gt.csv", "--pred", "det.csv", "--seed", "-1"], 2, "error: --seed -1, expected 0 or more"),
        (
            ["--gt", "gt.csv", "--pred", "det.csv", "--json", "no/r.json"],
            1,
            "error: no/r.json: cannot be written",
        ),
        (["--gt", "gt.csv", "--pred", "det.csv", "--plot", "gt.csv"], 1, "error: gt.csv: cannot be made"),
        (
            ["--gt", "gt.csv", "--pred", "paths.csv"],
            1,
            "error: no keyframe of paths.csv is in gt.csv.\n       gt.csv:    ",
        ),
    ],
)
def test_mistakes_are_one_message_and_a_code(files, capsys, arguments, code, message):
    Path("short.csv").write_text(f"{FOUND[0]}\nv1,0902,.1,.1,.5,.9\n")
    Path("paths.csv").write_text("\n".join(f"videos/{line}" for line in FOUND))
    assert both(arguments) == [code, code]
    err = capsys.readouterr().err
    assert err.startswith(message)
    assert "Traceback" not in err


@pytest.mark.parametrize("flags", [["--protocol", "coco"], ["--nonsense"], ["--iou"], []])
def test_wrong_use_is_code_2(files, capsys, flags):
    with pytest.raises(SystemExit) as stop:
        evaluation(["--gt", "gt.csv", *flags])
    assert stop.value.code == 2
    assert "usage: python -m evaluation" in capsys.readouterr().err


def test_suspicious_files_are_scored_with_a_warning(files, capsys):
    pixels = [
        ",".join([*line.split(",")[:2], "33", "11", "341", "200", *line.split(",")[6:]]) for line in FOUND
    ]
    Path("px.csv").write_text("\n".join(pixels))
    assert evaluation(["--gt", "gt.csv", "--pred", "px.csv"]) == 0
    captured = capsys.readouterr()
    assert "warning: px.csv:1: x1 = 33 is not in [0, 1], and 7 rows like it; AVA boxes" in captured.err
    assert "       Scored as they are, as the official tool does." in captured.err
    assert "mAP@0.5  0.00" in captured.out
    assert (
        "2 classes with ground truth were never found:\n  no box fits: the best IoU is 0.00" in captured.out
    )


def test_zero_based_classes_are_warned_of_and_shifted(files, capsys):
    shifted = [
        ",".join([*line.split(",")[:6], str(int(line.split(",")[6]) - 1), line.split(",")[7]])
        for line in FOUND
    ]
    Path("zero.csv").write_text("\n".join(shifted))
    assert evaluation(["--gt", "gt.csv", "--pred", "zero.csv"]) == 0
    assert (
        "class ids are 0-2; AVA counts from 1\n       If the detections count from 0: --pred-ids"
        in capsys.readouterr().err
    )
    assert evaluation(["--gt", "gt.csv", "--pred", "zero.csv", "--pred-ids", "zero-based"]) == 0
    captured = capsys.readouterr()
    assert "mAP@0.5  87.78" in captured.out
    assert captured.err == ""


def test_lenient_skips_and_counts(files, capsys):
    Path("det.csv").write_text("\n".join([*FOUND, "v1,0902,x,.1,.5,.9,1,.5"]) + "\n")
    assert evaluation(["--gt", "gt.csv", "--pred", "det.csv"]) == 1
    assert evaluation(["--gt", "gt.csv", "--pred", "det.csv", "--lenient"]) == 0
    captured = capsys.readouterr()
    assert (
        "det.csv: skipped 1 row that cannot be read; first row 9: x1 = 'x', expected a number" in captured.err
    )
    assert "1 row that cannot be read" in " ".join(captured.out.split())


def test_a_label_map_of_ones_own_is_used(files, capsys):
    Path("mine.pbtxt").write_text('item { name: "fall" id: 1 }\nitem { name: "sit" id: 3 }\n')
    assert evaluation(["--gt", "gt.csv", "--pred", "det.csv", "--labels", "mine.pbtxt"]) == 0
    out = capsys.readouterr().out
    assert "label map mine.pbtxt: 2 classes are evaluated" in " ".join(out.split())
    assert "mAP@0.5  87.78\n\n2 classes\n" in out


def test_nothing_heavy_is_imported_and_help_is_quick():
    code = (
        "import sys; from evaluation import command;"
        "import argparse; p = argparse.ArgumentParser(); command.configure(p); p.format_help();"
        "assert not {'torch', 'pandas', 'numpy', 'scipy', 'matplotlib'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
    code = (
        "import sys; from evaluation import evaluate_ava;"
        "assert not {'torch', 'scipy', 'matplotlib', 'pycocotools', 'ava_detect'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_a_reader_that_goes_away_is_no_traceback(files):
    script = [
        sys.executable,
        "-m",
        "evaluation",
        "--gt",
        str(files / "gt.csv"),
        "--pred",
        str(files / "det.csv"),
    ]
    process = subprocess.Popen(
        script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.wait()


ODD_ROWS = ["v1,0902", "", "x", "v1,0902,nan,0,1,1,1,1", "v1,902,0,0,0,0,1,1", "v1,902,1,1,0,0,3,.2"]
FIELDS = ["v1", "902", "903", "0", ".5", "1", "3", "inf", "-1", "1e9", "", '"', "\0"]
ROW = st.one_of(
    st.sampled_from([*TRUTH, *FOUND, *ODD_ROWS]),
    st.lists(st.sampled_from(FIELDS), max_size=9).map(",".join),
    st.text(max_size=12),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    truth=st.lists(ROW, max_size=8),
    found=st.lists(ROW, max_size=8),
    labels=st.sampled_from(["v2.2", "v2.1-80", "labels.pbtxt"]),
    text=st.text(max_size=20) | st.just('item { name: "a" id: 1 } item { name: "b" id: 3 }'),
    protocol=st.sampled_from(["official", "pyslowfast", "mmaction2"]),
    lenient=st.booleans(),
)
def test_no_input_gives_a_traceback(files, capsys, truth, found, labels, text, protocol, lenient):
    for name, lines in (("g.csv", truth), ("d.csv", found), ("labels.pbtxt", [text])):
        Path(name).write_bytes("\n".join(lines).encode("utf-8", errors="surrogatepass"))
    arguments = [
        "--gt",
        "g.csv",
        "--pred",
        "d.csv",
        "--labels",
        labels,
        "--protocol",
        protocol,
        "--json",
        "-",
    ]
    arguments += ["--lenient"] * lenient + [
        "--errors",
        "--tie-interval",
        "--compare",
        "d.csv",
        "--resamples",
        "3",
    ]
    code = evaluation([*arguments, "--exclusions", "d.csv"] if len(found) % 3 == 1 else arguments)
    captured = capsys.readouterr()
    assert code in (0, 1)
    if code == 0:
        assert 0 <= json.loads(captured.out)["mean"] <= 1
    else:
        assert captured.err.splitlines()[-1].startswith(("error: ", "       "))
