"""The YAML that is understood: plain data, with lines; what hostile or broken text gives: one ConfigError."""

import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ava_detect.config import Config, parse_config
from evaluation.errors import ConfigError


def test_quoted_plain_and_flow_forms_are_the_same():
    block = 'DATA:\n  NUM_FRAMES: "16"\n  MEAN:\n    - 0.5\n    - 0.5\n    - 0.5\n'
    flow = "{DATA: {NUM_FRAMES: 16, MEAN: [0.5, '0.5', .5]}}"
    assert parse_config(block) == parse_config(flow)


@pytest.mark.parametrize(
    ("text", "value"), [("1e-4", 1e-4), ("1E-4", 1e-4), ("1.e-4", 1e-4), ("+.5", 0.5), ("2", 2.0)]
)
def test_numbers_without_a_dot_are_numbers(text, value):
    assert parse_config(f"SOLVER: {{BASE_LR: {text}}}").SOLVER.BASE_LR == value


def test_words_that_yaml_takes_for_something_else_stay_words():
    cfg = parse_config("AVA: {VIDEO_DIR: off, FRAME_DIR: 1:30, ANNOTATION_DIR: 2020-01-01}\nOUTPUT_DIR: 010")
    assert (cfg.AVA.VIDEO_DIR, cfg.AVA.FRAME_DIR, cfg.AVA.ANNOTATION_DIR) == ("off", "1:30", "2020-01-01")
    assert cfg.OUTPUT_DIR == "010"


def test_an_empty_value_is_empty_text_or_an_empty_list():
    cfg = parse_config("AVA:\n  FRAME_DIR: # to be filled in\n  TEST_PREDICT_BOX_LISTS:\n")
    assert cfg.AVA.FRAME_DIR == ""
    assert cfg.AVA.TEST_PREDICT_BOX_LISTS == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", r"cfg\.yaml:1: expected sections with settings, found a list"),
        ("just words", r"cfg\.yaml:1: expected sections with settings, found a single word"),
        ("DATA:\n  NUM_FRAMES: 8\n  NUM_FRAMES: 16\n", r"cfg\.yaml:3: DATA\.NUM_FRAMES is set twice.*line 2"),
        (
            "DATA: {}\nDATA.NUM_FRAMES: 8\nDATA:\n  NUM_FRAMES: 16\n",
            r"cfg\.yaml:4: DATA\.NUM_FRAMES is set twice",
        ),
        ("SLOWFAST: {PATHWAYS: [{DEPTH: 50, DEPTH: 18}]}", r"cfg\.yaml:1: DEPTH is set twice"),
        ("DATA: {NUM_FRAMES: 8", r"cfg\.yaml:1: not valid YAML"),
        ("DATA:\n\tNUM_FRAMES: 8\n", r"cfg\.yaml:2: not valid YAML.*'\\t'"),
        ("DATA: {NUM_FRAMES: 8}\n---\nDATA: {}\n", r"cfg\.yaml:2: not valid YAML"),
        ("DATA: {NUM_FRAMES: 8}\x00", r"cfg\.yaml: not valid YAML"),
        ("? [DATA]\n: 1\n", r"cfg\.yaml:1: expected the name of a setting, found a list"),
        ("DATA: &a {NUM_FRAMES: 8}", r"cfg\.yaml:1: anchors and aliases"),
        ("DATA: *a", r"cfg\.yaml:1: anchors and aliases"),
        ("DATA: {NUM_FRAMES: !!int 8}", r"cfg\.yaml:1: tags such as"),
        ("DATA: !!python/object/apply:os.system ['true']", r"cfg\.yaml:1: tags such as.*os\.system"),
        ("DATA: " + "[" * 90_000, r"cfg\.yaml:1: more than 20 levels inside each other"),
        ("A: " + "{A: " * 1000, r"cfg\.yaml:1: more than 20 levels inside each other"),
        ("#" * 300_000, r"cfg\.yaml: 300,000 characters; a configuration has at most"),
    ],
)
def test_what_is_no_configuration_is_refused_in_one_line(text, message):
    started = time.monotonic()
    with pytest.raises(ConfigError, match=message):
        parse_config(text, source="cfg.yaml")
    assert time.monotonic() - started < 5


def test_a_billion_laughs_stay_unfolded():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for old, new in pairwise("abcdefghi"):
        lines.append(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]")
    with pytest.raises(ConfigError, match="anchors and aliases"):
        parse_config("\n".join(lines))


def read(text: str, overrides: Sequence[object] = ()) -> None:
    """Read anything; a refusal is as good as a Config, any other exception is a failure."""
    with suppress(ConfigError):
        assert isinstance(parse_config(text, overrides=overrides), Config)


@given(st.text(max_size=200))
def test_no_text_gives_anything_but_a_config_or_a_config_error(text):
    read(text)


_WORDS = st.sampled_from(
    "DATA SOLVER NUM_FRAMES MEAN SLOWFAST PATHWAYS DEPTH NONLOCAL LOCATION MODEL ARCH _BASE_ 8 -1 1e999 .inf "
    ".nan ~ null True slow [ ] { } : , - ? | > & * ! % @ ` # ' \" 0x1f 1_000 2020-99-99 1:30 !!int <<".split()
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_WORDS, st.sampled_from(["", " ", "\n", "\n  ", ": "])), max_size=40))
def test_no_pile_of_yaml_pieces_gives_anything_but_a_config_or_a_config_error(pieces):
    read("".join(word + space for word, space in pieces))


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
_KEYS = st.sampled_from(
    "DATA.NUM_FRAMES DATA.MEAN MODEL.ARCH RESNET.DEPTH RESNET.SPATIAL_STRIDES NONLOCAL.LOCATION "
    "NONLOCAL.POOL SLOWFAST.ALPHA SLOWFAST.BETA_INV SLOWFAST.PATHWAYS SOLVER.STEPS SOLVER.BASE_LR "
    "AVA.VALID_SECONDS AVA.TEST_LISTS SOLVER.CLIP_GRAD_VAL MULTIGRID.SHORT_CYCLE TASK DEMO.ENABLE "
    "DATA NUM_GPUS BN.NORM_TYPE _BASE_".split()
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_no_value_of_a_key_gives_anything_but_a_config_or_a_config_error(document):
    read(yaml.safe_dump(document, allow_unicode=True))
    read("", overrides=[part for pair in document.items() for part in pair])
