"""``ava-detect config``: show, diff and list as a user types them."""

import json

import pytest
import yaml

from ava_detect.cli import main
from ava_detect.config import load_config, packaged_names, parse_config


@pytest.fixture
def ava_detect(capsys):
    """Run the command and return exit code, standard output and standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        code = main(["config", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_show_without_a_file_prints_the_defaults(ava_detect):
    code, out, _ = ava_detect("show")
    assert code == 0
    assert parse_config(out) == parse_config("")


def test_show_prints_what_loads_again(ava_detect, tmp_path):
    code, out, err = ava_detect("show", "--cfg", "ava/slowfast_8x8_r50", "DATA.NUM_FRAMES", "64")
    assert (code, err) == (0, "")
    path = tmp_path / "effective.yaml"
    path.write_text(out)
    assert load_config(path) == load_config("ava/slowfast_8x8_r50", ["DATA.NUM_FRAMES", 64])
    line = next(line for line in out.splitlines() if "NUM_FRAMES:" in line)
    assert line.endswith("# command line")


def test_show_as_json_has_values_and_origins(ava_detect):
    _, out, _ = ava_detect("show", "--cfg", "ava/slowfast_8x8_r50", "--json", "DATA.NUM_FRAMES=64")
    document = json.loads(out)
    assert document["DATA.NUM_FRAMES"] == {"value": 64, "origin": "command line"}
    assert document["SLOWFAST.ALPHA"]["origin"].startswith("ava/slowfast_8x8_r50:")
    assert document["SLOWFAST.PATHWAYS"] == {"value": [], "origin": "default"}


def test_explicit_pathways_are_json_too(ava_detect):
    _, out, _ = ava_detect("show", "--json", "--cfg", "kinetics/mmaction2/slowfast_4x16_r101_r50")
    assert json.loads(out)["SLOWFAST.PATHWAYS"]["value"][0]["DEPTH"] == 101


def test_flags_may_follow_the_settings_and_precede_the_action(ava_detect, tmp_path):
    path = tmp_path / "published.yaml"
    path.write_text("NUM_GPUS: 8\n")
    code, _, err = ava_detect("show", "--cfg", path, "DATA.NUM_FRAMES", "64")
    assert code == 0
    assert "without effect here: NUM_GPUS" in err
    for words in (("show", "--cfg", path, "-q"), ("-q", "show", "--cfg", path)):
        code, out, err = ava_detect(*words)
        assert (code, err) == (0, "")
        assert yaml.safe_load(out)["DATA"]["NUM_FRAMES"] == 8


def test_diff_shows_what_is_not_default(ava_detect):
    code, out, _ = ava_detect("diff", "--cfg", "kinetics/slow_4x16_r50")
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == f"defaults -> kinetics/slow_4x16_r50: {len(lines) - 1} different"
    assert "DATA.NUM_FRAMES" in out
    assert any(line.split() == "DATA.NUM_FRAMES 8 -> 4 # kinetics/slow_4x16_r50:4".split() for line in lines)
    assert "SPATIAL_STRIDES" not in out


def test_diff_of_equal_configurations_says_so(ava_detect):
    assert ava_detect("diff")[:2] == (0, "command line is as defaults\n")
    words = ("diff", "--cfg", "ava/slow_8x8_r50", "--against", "ava/slow_8x8_r50")
    assert ava_detect(*words)[1] == "ava/slow_8x8_r50 is as ava/slow_8x8_r50\n"


def test_diff_against_another_as_json(ava_detect):
    words = ("diff", "--cfg", "ava/c2/slow_4x16_r50", "--against", "ava/slow_4x16_r50", "--json")
    document = json.loads(ava_detect(*words)[1])
    assert (document["from"], document["to"]) == ("ava/slow_4x16_r50", "ava/c2/slow_4x16_r50")
    changed = {change["key"]: change for change in document["changes"]}
    assert (changed["DETECTION.ALIGNED"]["before"], changed["DETECTION.ALIGNED"]["after"]) == (True, False)


def test_list_names_every_configuration_with_its_title(ava_detect):
    _, out, _ = ava_detect("list")
    assert [line.split()[0] for line in out.splitlines()] == list(packaged_names())
    titles = json.loads(ava_detect("list", "--json")[1])
    assert titles["ava/slowfast_8x8_r50"].startswith("SlowFast 8x8, R50, on AVA v2.2")
    assert all(titles.values()), "every packaged configuration opens with a comment that says what it is"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "show SOLVER.BASELR 0.1",
            "error: SOLVER.BASELR is not a setting. Did you mean SOLVER.BASE_LR (0.1 in this config)?\n",
        ),
        (
            "show DATA.NUM_FRAMES fast",
            "error: DATA.NUM_FRAMES (command line): expected a whole number, got 'fast'.\n",
        ),
        (
            "diff DATA.NUM_FRAMES",
            "error: DATA.NUM_FRAMES: a setting without a value.\n"
            "       Settings are pairs, for example: DATA.NUM_FRAMES 64\n",
        ),
        (
            "show --cfg no/such",
            "error: no/such: no such file, and no configuration of that name.\n"
            "       ava-detect config list shows the names.\n",
        ),
    ],
)
def test_mistakes_end_in_a_line_or_two_and_exit_code_2(ava_detect, line, message):
    assert ava_detect(*line.split()) == (2, "", message)


def test_without_an_action_the_usage_is_shown(ava_detect, capsys):
    with pytest.raises(SystemExit) as caught:
        ava_detect()
    assert caught.value.code == 2
    assert "show|diff|list" in capsys.readouterr().err


def test_help_has_examples_and_needs_no_file(ava_detect, capsys):
    with pytest.raises(SystemExit) as caught:
        ava_detect("show", "--help")
    assert caught.value.code == 0
    assert "ava-detect config show --cfg ava/slowfast_8x8_r50" in capsys.readouterr().out
