"""Writing a configuration: loads back equal, whatever is in it; origins as comments; differences."""

import dataclasses

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ava_detect.config import Config, dump_config, load_config, parse_config
from ava_detect.config.difference import changes_between, changes_from_defaults
from ava_detect.config.dump import format_value
from ava_detect.config.keys import values_of

_TEXT = st.text(max_size=20)  # any code point: control characters, quotes, line ends, the byte order mark
_NUMBERS = st.floats(min_value=1e-12, max_value=1e6)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Any valid configuration of one of several networks, with odd texts and numbers in it."""
    arch = draw(st.sampled_from(["slow", "slowfast", "c2d", "i3d", "fast"]))
    depth = draw(st.sampled_from([18, 34, 50, 101]))
    alpha = draw(st.sampled_from([1, 2, 4]))
    action = draw(st.booleans())
    settings_ = {
        "MODEL.ARCH": arch,
        "MODEL.NUM_CLASSES": draw(st.integers(1, 1000)),
        "RESNET.DEPTH": depth,
        "SLOWFAST.ALPHA": alpha,
        "DATA.NUM_FRAMES": 2 * alpha * draw(st.integers(1, 8)),
        "DATA.MEAN": draw(st.tuples(_NUMBERS, _NUMBERS, _NUMBERS)),
        "DETECTION.ENABLE": action,
        "RESNET.SPATIAL_STRIDES": (1, 2, 2, 1) if action else (1, 2, 2, 2),
        "SOLVER.BASE_LR": draw(_NUMBERS),
        "SOLVER.CLIP_GRAD_VAL": draw(st.none() | _NUMBERS),
        "AVA.VIDEO_DIR": draw(_TEXT),
        "AVA.TEST_LISTS": draw(st.lists(_TEXT, max_size=3)),
        "AVA.VALID_SECONDS": draw(st.sampled_from(["auto", (0, 61), (902.5, 1798)])),
        "DATA.PATH_LABEL_SEPARATOR": draw(_TEXT),
    }
    if arch == "slowfast" and draw(st.booleans()):
        settings_["SLOWFAST.PATHWAYS"] = [{}, {"FRAME_RATIO": alpha, "CHANNEL_RATIO": 0.25, "DEPTH": depth}]
    return parse_config("", overrides=[part for pair in settings_.items() for part in pair])


@settings(max_examples=50, deadline=None)
@given(configs())
def test_any_configuration_loads_back_equal_from_its_dump(cfg):
    for text in (dump_config(cfg), dump_config(cfg, origins=True)):
        again = parse_config(text)
        assert again == cfg
        assert dump_config(again) == dump_config(cfg)


@pytest.mark.parametrize("word", ["True", "no", "OFF", "null", "y", "1e5", "", "~"])
def test_text_that_yaml_takes_for_something_else_is_quoted(word):
    assert yaml.safe_load(format_value(word)) == word


@settings(max_examples=50, deadline=None)
@given(configs())
def test_a_dump_is_yaml_for_everybody(cfg):
    document = yaml.safe_load(dump_config(cfg))
    assert document["AVA"]["VIDEO_DIR"] == cfg.AVA.VIDEO_DIR
    assert document["DATA"]["MEAN"] == list(cfg.DATA.MEAN)


def test_a_dump_has_every_setting_in_the_order_of_the_schema():
    document = yaml.safe_load(dump_config(parse_config("")))
    sections = [each.name for each in dataclasses.fields(Config) if each.name != "written"]
    assert list(document) == sections
    assert list(document["DATA"]) == [each.name for each in dataclasses.fields(parse_config("").DATA)]


def test_origins_stand_beside_the_values():
    cfg = load_config("ava/slow_8x8_r50", ["DATA.NUM_FRAMES", 16])
    lines = {line.split(":")[0].strip(): line for line in dump_config(cfg, origins=True).splitlines()}
    assert lines["NUM_FRAMES"].split() == ["NUM_FRAMES:", "16", "#", "command", "line"]
    assert lines["ROI_XFORM_RESOLUTION"].endswith("# default")
    assert "# ava/slow_8x8_r50:" in lines["BASE_LR"]
    assert "# ava/slow_4x16_r50:" in lines["HEAD_ACT"]
    assert "#" not in lines["MODEL"]


def test_defaults_differ_in_nothing():
    assert changes_from_defaults(parse_config("")) == []
    assert changes_between(parse_config(""), parse_config("")) == []


def test_another_number_of_pathways_is_no_difference_by_itself():
    changes = changes_from_defaults(parse_config("MODEL: {ARCH: slow}\nRESNET: {DEPTH: 18}"))
    assert [(each.key, each.before, each.after) for each in changes] == [
        ("MODEL.ARCH", "slowfast", "slow"),
        ("RESNET.DEPTH", 50, 18),
    ]


def test_a_difference_names_both_values_and_the_origin():
    changes = changes_between(load_config("ava/slow_4x16_r50"), load_config("ava/c2/slow_4x16_r50"))
    aligned = next(each for each in changes if each.key == "DETECTION.ALIGNED")
    assert (aligned.before, aligned.after) == (True, False)
    assert aligned.origin.startswith("ava/c2/slow_4x16_r50:")


def test_values_have_dotted_names():
    values = values_of(load_config("ava/slowfast_8x8_r50"))
    assert values["DATA.NUM_FRAMES"] == 32
    assert values["RNG_SEED"] == 0
