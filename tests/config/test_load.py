"""Loading: packaged names, files, bases, overrides, and the errors of a user who types something else."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ava_detect.config import Config, load_config, parse_config, replace
from evaluation.errors import ConfigError


@pytest.fixture
def write(tmp_path: Path):
    """Write a file into a fresh folder and return its path."""

    def write_text(text: str, name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


# ---- where a configuration comes from


def test_empty_text_gives_the_defaults_of_pyslowfast():
    cfg = parse_config("")
    assert cfg.MODEL.ARCH == "slowfast"
    assert (cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE, cfg.SLOWFAST.ALPHA) == (8, 8, 8)
    assert cfg.SOLVER.MAX_EPOCH == 300


@pytest.mark.parametrize("text", ["# only a comment\n", "---\n", "~\n", "DATA:\nSOLVER:\n"])
def test_a_file_without_settings_gives_the_defaults(text):
    assert parse_config(text) == parse_config("")


def test_a_packaged_name_is_found_without_path_or_suffix():
    cfg = load_config("ava/slowfast_8x8_r50")
    assert cfg.DATA.NUM_FRAMES == 32
    assert cfg == load_config("ava/slowfast_8x8_r50.yaml")


def test_a_file_is_read_and_named_in_origins(write):
    path = write("DATA:\n  NUM_FRAMES: 16\n")
    cfg = load_config(path)
    assert cfg.DATA.NUM_FRAMES == 16
    assert str(cfg.origin("DATA.NUM_FRAMES")) == f"{path}:2"
    assert str(cfg.origin("DATA.SAMPLING_RATE")) == "default"


def test_a_file_wins_over_a_packaged_name(write, tmp_path, monkeypatch):
    (tmp_path / "ava").mkdir()
    write("DATA: {NUM_FRAMES: 64}", "ava/slowfast_8x8_r50")
    monkeypatch.chdir(tmp_path)
    assert load_config("ava/slowfast_8x8_r50").DATA.NUM_FRAMES == 64


def test_dotted_keys_and_sections_mean_the_same():
    assert parse_config("DATA.NUM_FRAMES: 16") == parse_config("DATA:\n  NUM_FRAMES: 16")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match=r"no such file.*Did you mean ava/slowfast_8x8_r50\?") as caught:
        load_config("ava/slowfst_8x8_r50")
    assert "config list" in caught.value.hint


def test_a_folder_is_no_configuration(tmp_path):
    with pytest.raises(ConfigError, match="a folder; expected a YAML file"):
        load_config(tmp_path)


def test_a_binary_file_is_refused_in_one_line(tmp_path):
    path = tmp_path / "model.yaml"
    path.write_bytes(b"\x80\x04\x95")
    with pytest.raises(ConfigError, match=r"model\.yaml: not text in UTF-8 \(byte 0\)"):
        load_config(path)


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(10_000_000_000)  # sparse: takes no disk
    with pytest.raises(ConfigError, match=r"10,000,000,000 bytes; that is no configuration"):
        load_config(path)


def test_a_device_or_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "pipe.yaml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_said(write):
    path = write("DATA: {}")
    path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load_config(path)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "notepad.yaml"
    path.write_bytes("\ufeffDATA: {NUM_FRAMES: 16}\r\n".encode())
    assert load_config(path).DATA.NUM_FRAMES == 16


# ---- bases


def test_a_base_comes_first_and_the_file_wins(write, tmp_path):
    write("DATA: {NUM_FRAMES: 16, SAMPLING_RATE: 4}", "base.yaml")
    cfg = load_config(write("_BASE_: base.yaml\nDATA:\n  SAMPLING_RATE: 2\n"))
    assert (cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE) == (16, 2)
    assert str(cfg.origin("DATA.NUM_FRAMES")) == f"{tmp_path / 'base.yaml'}:1"
    assert str(cfg.origin("DATA.SAMPLING_RATE")) == f"{tmp_path / 'mine.yaml'}:3"


@pytest.mark.parametrize("name", ["ava/slowfast_8x8_r50", "ava/slowfast_8x8_r50.yaml"])
def test_a_base_may_be_a_packaged_name(write, name):
    assert load_config(write(f"_BASE_: {name}")) == load_config("ava/slowfast_8x8_r50")


def test_text_may_begin_with_a_packaged_base_only(write):
    assert parse_config("_BASE_: ava/slowfast_8x8_r50") == load_config("ava/slowfast_8x8_r50")
    with pytest.raises(ConfigError, match="can name a packaged one only"):
        parse_config(f"_BASE_: {write('DATA: {}')}")


def test_bases_in_a_circle_are_refused(write):
    write("_BASE_: two.yaml", "one.yaml")
    two = write("_BASE_: one.yaml", "two.yaml")
    with pytest.raises(ConfigError, match=r"_BASE_ goes in a circle: .*two.yaml -> .*one.yaml -> .*two.yaml"):
        load_config(two)


@pytest.mark.parametrize("base", ["", "[a.yaml, b.yaml]", "{a: b}"])
def test_a_base_is_one_name(write, base):
    with pytest.raises(ConfigError, match="_BASE_"):
        load_config(write(f"_BASE_: {base}"))


# ---- overrides


def test_overrides_are_text_as_typed_or_python_values():
    typed = load_config("ava/slowfast_8x8_r50", ["DATA.NUM_FRAMES", "64", "DATA.MEAN", "[0.5, 0.4, 0.3]"])
    python = load_config("ava/slowfast_8x8_r50", ["DATA.NUM_FRAMES", 64, "DATA.MEAN", [0.5, 0.4, 0.3]])
    assert typed == python
    assert typed.DATA.MEAN == (0.5, 0.4, 0.3)
    assert str(typed.origin("DATA.NUM_FRAMES")) == "command line"


def test_overrides_may_be_numpy_numbers_and_paths():
    cfg = parse_config("", overrides=["DATA.NUM_FRAMES", np.int64(16), "SOLVER.BASE_LR", np.float32(0.5)])
    assert (cfg.DATA.NUM_FRAMES, cfg.SOLVER.BASE_LR) == (16, 0.5)
    assert parse_config("", overrides=["AVA.VIDEO_DIR", Path("a b/c")]).AVA.VIDEO_DIR == "a b/c"


def test_the_last_override_of_a_key_wins():
    assert parse_config("", overrides=["DATA.NUM_FRAMES", 16, "DATA.NUM_FRAMES", 24]).DATA.NUM_FRAMES == 24


def test_a_text_setting_takes_a_word_as_it_is():
    cfg = parse_config("", overrides=["AVA.VIDEO_DIR", "C:\\videos [new]: off", "OUTPUT_DIR", "007"])
    assert (cfg.AVA.VIDEO_DIR, cfg.OUTPUT_DIR) == ("C:\\videos [new]: off", "007")


def test_an_override_without_a_value_is_refused():
    with pytest.raises(ConfigError, match=r"^DATA\.NUM_FRAMES: a setting without a value"):
        parse_config("", overrides=["DATA.NUM_FRAMES"])


def test_replace_makes_a_changed_and_checked_copy():
    cfg = load_config("ava/slow_4x16_r50")
    changed = replace(cfg, ["DATA.NUM_FRAMES", 8])
    assert (cfg.DATA.NUM_FRAMES, changed.DATA.NUM_FRAMES) == (4, 8)
    assert str(changed.origin("MODEL.ARCH")) == "ava/slow_4x16_r50:3"
    with pytest.raises(ConfigError, match="expected a whole number"):
        replace(cfg, ["DATA.NUM_FRAMES", "many"])


def test_the_network_can_be_replaced_where_values_stand_for_every_pathway():
    slow = load_config("ava/slowfast_8x8_r50", ["MODEL.ARCH", "slow"])
    assert slow.RESNET.SPATIAL_DILATIONS == ((1,), (1,), (1,), (2,))
    both = replace(slow, ["MODEL.ARCH", "slowfast"])
    assert both.RESNET.SPATIAL_DILATIONS == ((1, 1), (1, 1), (1, 1), (2, 2))


# ---- unknown keys


def test_an_unknown_key_names_the_nearest_and_its_value():
    with pytest.raises(
        ConfigError,
        match=r"^SOLVER\.BASELR is not a setting\. Did you mean SOLVER\.BASE_LR \(0\.1 in this config\)\?$",
    ) as caught:
        load_config("ava/slowfast_8x8_r50", ["SOLVER.BASELR", "0.1"])
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("data.num_frames", "DATA.NUM_FRAMES"),
        ("NUM_FRAMES", "DATA.NUM_FRAMES"),
        ("DATA.LABEL_MAP_FILE", "AVA.LABEL_MAP_FILE"),
        ("AVA.VIDEO_FOLDER", "AVA.VIDEO_DIR"),
        ("TRAIN.MIX_PRECISION", "TRAIN.MIXED_PRECISION"),
    ],
)
def test_misspelt_keys_are_understood(typed, meant):
    with pytest.raises(ConfigError, match=rf"{typed} is not a setting\. Did you mean {meant} \("):
        parse_config("", overrides=[typed, "1"])


def test_an_unknown_key_in_a_file_names_file_and_line(write):
    path = write("DATA:\n  NUM_FRAMES: 16\n  CROP: 224\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml:3: DATA\.CROP is not a setting"):
        load_config(path)


def test_a_key_like_nothing_points_to_the_list():
    with pytest.raises(ConfigError, match=r"QWERTZ is not a setting\.$") as caught:
        parse_config("QWERTZ: 1")
    assert "config show" in caught.value.hint


@pytest.mark.parametrize("text", ["DATA: 5", "DATA: [1]", "DATA: text"])
def test_a_value_for_a_section_is_refused(text):
    with pytest.raises(ConfigError, match=r"text:1: DATA is a section; expected settings below it, got"):
        parse_config(text)


def test_settings_below_a_setting_are_refused():
    with pytest.raises(ConfigError, match=r"DATA\.NUM_FRAMES\.FAST is not a setting"):
        parse_config("DATA:\n  NUM_FRAMES:\n    FAST: 32\n")


# ---- the object


def test_a_config_cannot_be_changed_in_place():
    cfg = parse_config("")
    with pytest.raises(AttributeError):
        cfg.DATA.NUM_FRAMES = 16  # type: ignore[misc]


def test_a_config_travels_to_worker_processes():
    cfg = load_config("ava/slowfast_8x8_r50", ["DATA.NUM_FRAMES", 64])
    copy = pickle.loads(pickle.dumps(cfg))
    assert isinstance(copy, Config)
    assert copy == cfg
    assert copy.origin("DATA.NUM_FRAMES") == cfg.origin("DATA.NUM_FRAMES")


def test_reading_a_config_needs_no_torch():
    code = "import sys; from ava_detect.config import load_config; load_config('ava/slowfast_8x8_r50')"
    code += "; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
