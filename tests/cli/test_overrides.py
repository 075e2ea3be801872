"""KEY VALUE settings on the command line: the block, KEY=VALUE, --set, and what is wrong with them."""

import argparse

import pytest

from ava_detect.cli.overrides import add_overrides, add_set_flag, overrides_from, parse_pairs
from evaluation.errors import UsageError


def command() -> argparse.ArgumentParser:
    """A command like train: a configuration, a flag, and settings."""
    parser = argparse.ArgumentParser(prog="train", allow_abbrev=False)
    parser.add_argument("--cfg")
    parser.add_argument("--resume", action="store_true")
    add_overrides(parser)
    return parser


def typed(line: str) -> list[str]:
    return overrides_from(command().parse_args(line.split()))


def test_no_settings_give_an_empty_list():
    assert typed("") == []
    assert parse_pairs([]) == []


@pytest.mark.parametrize(
    "line",
    [
        "--cfg a.yaml SOLVER.BASE_LR 0.1 --resume",
        "SOLVER.BASE_LR 0.1 --cfg a.yaml --resume",
        "--cfg a.yaml --resume SOLVER.BASE_LR 0.1",
        "--cfg a.yaml --resume SOLVER.BASE_LR=0.1",
        "--cfg a.yaml --resume --set SOLVER.BASE_LR 0.1",
    ],
)
def test_the_block_stands_before_between_or_after_flags(line):
    args = command().parse_args(line.split())
    assert overrides_from(args) == ["SOLVER.BASE_LR", "0.1"]
    assert args.cfg == "a.yaml"
    assert args.resume


@pytest.mark.parametrize("value", ["-1", "-0.5", "-1e-4", "-.5", "-2.", "-1E+3"])
def test_negative_numbers_are_values(value):
    assert typed(f"A.B {value} C.D 1") == ["A.B", value, "C.D", "1"]
    assert typed(f"--set A.B {value}") == ["A.B", value]


def test_pairs_and_words_with_an_equals_sign_mix():
    assert typed("A.B 1 C.D=[2,3] E.F 4") == ["A.B", "1", "C.D", "[2,3]", "E.F", "4"]


def test_a_value_may_contain_an_equals_sign():
    assert parse_pairs(["A.B=x=y", "C.D", "z=w"]) == ["A.B", "x=y", "C.D", "z=w"]


def test_a_value_after_the_equals_sign_may_be_empty():
    assert parse_pairs(["AVA.FRAME_DIR="]) == ["AVA.FRAME_DIR", ""]


def test_set_comes_after_the_block_and_may_be_repeated():
    assert typed("--set A.B 1 --set A.B 2 A.B 0") == ["A.B", "0", "A.B", "1", "A.B", "2"]


def test_an_odd_number_of_words_names_the_last():
    with pytest.raises(UsageError, match=r"^SOLVER\.BASE_LR: a setting without a value\.$") as caught:
        typed("DATA.NUM_FRAMES 32 SOLVER.BASE_LR")
    assert caught.value.exit_code == 2
    assert "DATA.NUM_FRAMES 64" in caught.value.hint


def test_two_blocks_are_refused_with_the_way_out(capsys):
    with pytest.raises(SystemExit) as caught:
        typed("A.B 1 --cfg a.yaml C.D 2")
    assert caught.value.code == 2
    assert "put all KEY VALUE pairs together" in capsys.readouterr().err


def test_an_unknown_flag_is_not_explained_as_a_second_block(capsys):
    with pytest.raises(SystemExit):
        typed("A.B 1 --cgf a.yaml")
    assert "put all KEY VALUE" not in capsys.readouterr().err


def test_set_alone_leaves_positional_arguments_to_the_command():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("videos", nargs="+")
    add_set_flag(parser)
    args = parser.parse_args(["a.mp4", "--set", "A.B", "1"])
    assert args.videos == ["a.mp4"]
    assert overrides_from(args) == ["A.B", "1"]
