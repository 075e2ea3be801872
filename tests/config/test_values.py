"""What each kind of setting accepts, and how a value of another kind is refused."""

import pytest

from ava_detect.config import parse_config
from evaluation.errors import ConfigError


def value_of(key: str, value: object) -> object:
    section, _, name = key.partition(".")
    return getattr(getattr(parse_config("", overrides=[key, value]), section), name)


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("DATA.NUM_FRAMES", "16", 16),
        ("DATA.NUM_FRAMES", " 16 ", 16),
        ("DATA.RANDOM_FLIP", "False", False),
        ("DATA.RANDOM_FLIP", "no", False),
        ("DATA.RANDOM_FLIP", "On", True),
        ("SOLVER.MOMENTUM", "1", 1.0),
        ("SOLVER.CLIP_GRAD_VAL", "none", None),
        ("SOLVER.CLIP_GRAD_VAL", None, None),
        ("SOLVER.CLIP_GRAD_VAL", "1e1", 10.0),
        ("MODEL.HEAD_ACT", "none", "none"),
        ("RESNET.DEPTH", "101", 101),
        ("AVA.VALID_SECONDS", "auto", "auto"),
        ("AVA.VALID_SECONDS", "[0, 61]", (0.0, 61.0)),
        ("AVA.TEST_LISTS", "val.csv", ("val.csv",)),
        ("AVA.TEST_LISTS", "[a.csv, b.csv]", ("a.csv", "b.csv")),
        ("DATA.MEAN", "(0.1, 0.2, 0.3)", (0.1, 0.2, 0.3)),
        ("DATA.TRAIN_JITTER_SCALES_RELATIVE", "(0.2, 0.766,)", (0.2, 0.766)),
        ("RESNET.SPATIAL_STRIDES", "[1, 2, 2, 2]", ((1, 1), (2, 2), (2, 2), (2, 2))),
        ("RESNET.NUM_BLOCK_TEMP_KERNEL", "[3, 4, [6, 2], 3]", ((3, 3), (4, 4), (6, 2), (3, 3))),
    ],
)
def test_values_are_taken(key, written, value):
    assert value_of(key, written) == value


@pytest.mark.parametrize(
    ("key", "written", "message"),
    [
        ("DATA.NUM_FRAMES", "fast", r"expected a whole number, got 'fast'"),
        ("DATA.NUM_FRAMES", "8.5", r"expected a whole number, got '8\.5'"),
        ("DATA.NUM_FRAMES", "0x10", r"expected a whole number"),
        ("DATA.NUM_FRAMES", "9" * 400, r"expected a whole number, got '9+\.\.\.\.$"),
        ("DATA.NUM_FRAMES", True, r"expected a whole number, got True"),
        ("DATA.NUM_FRAMES", None, r"expected a whole number, got nothing"),
        ("DATA.NUM_FRAMES", "", r"expected a whole number, got ''"),
        ("DATA.NUM_FRAMES", "[8]", r"expected a whole number, got '\[8\]'"),
        ("DATA.NUM_FRAMES", 0, r"expected a whole number, 1 or more, got 0"),
        ("DATA.TEST_CROP_SIZE", "0", r"expected a whole number, 1 or more, got '0'"),
        ("DATA.NUM_FRAMES", 10**12, r"expected a whole number, at most 1,000,000, got 1000000000000"),
        ("DATA_LOADER.NUM_WORKERS", -1, r"expected a whole number, 0 or more, got -1"),
        ("DATA.RANDOM_FLIP", "1", r"expected True or False, got '1'"),
        ("DATA.RANDOM_FLIP", "maybe", r"expected True or False"),
        ("SOLVER.BASE_LR", "high", r"expected a number, got 'high'"),
        ("SOLVER.BASE_LR", "nan", r"expected a number, got 'nan'"),
        ("SOLVER.BASE_LR", float("inf"), r"expected a finite number"),
        ("SOLVER.BASE_LR", "1e999", r"expected a finite number"),
        ("SOLVER.BASE_LR", 10**400, r"expected a finite number"),
        ("SOLVER.BASE_LR", "0", r"expected a number, above 0, got '0'"),
        ("MODEL.DROPOUT_RATE", "1.5", r"expected a number, from 0 to 1, got '1\.5'"),
        ("SOLVER.CLIP_GRAD_VAL", "x", r"expected a number or none, got 'x'"),
        ("MODEL.ARCH", "slowfats", r"expected one of slowfast, slow, .*, got 'slowfats'"),
        ("RESNET.DEPTH", "152", r"expected one of 18, 34, 50, 101, got '152'"),
        ("SOLVER.OPTIMIZING_METHOD", "lion", r"expected one of sgd, adamw, got 'lion'"),
        ("AVA.VIDEO_DIR", ["a"], r"expected text, got \['a'\]"),
        ("AVA.VALID_SECONDS", "never", r"expected auto or a list of numbers, got 'never'"),
        ("DATA.MEAN", "0.45", r"expected a list of numbers, got '0\.45'"),
        ("DATA.MEAN", 0.45, r"expected a list of numbers, got 0\.45"),
        ("DATA.MEAN", "[0.4, x, 0.4]", r"expected a number, got '\[0\.4, x, 0\.4\]'"),
        ("DATA.MEAN", "[0.4", r"expected brackets and quotes that match, got '\[0\.4'"),
        ("RESNET.SPATIAL_STRIDES", "3", r"expected a list of lists of whole numbers, got '3'"),
        ("NONLOCAL.LOCATION", "[a, b]", r"expected a whole number"),
        ("SLOWFAST.PATHWAYS", "[{ALPHA: 8}]", r"with the keys FRAME_RATIO, CHANNEL_RATIO"),
        ("SLOWFAST.PATHWAYS", "[{FRAME_RATIO: 1}, 8]", r"with the keys FRAME_RATIO, CHANNEL_RATIO"),
        ("SLOWFAST.PATHWAYS", "[{DEPTH: 51}]", r"for DEPTH one of 0, 18, 34, 50, 101"),
        ("SLOWFAST.PATHWAYS", "[{CHANNEL_RATIO: 2}]", r"for CHANNEL_RATIO a number"),
    ],
)  # fmt: skip
def test_other_values_are_refused_with_what_was_expected(key, written, message):
    with pytest.raises(ConfigError, match=message) as caught:
        value_of(key, written)
    assert str(caught.value).startswith(f"{key} (command line): ")
    assert len(str(caught.value)) < 300


def test_the_line_of_a_wrong_value_is_named():
    with pytest.raises(ConfigError, match=r"^DATA\.NUM_FRAMES \(a\.yaml:2\): expected a whole number"):
        parse_config("DATA:\n  NUM_FRAMES: fast\n", source="a.yaml")
