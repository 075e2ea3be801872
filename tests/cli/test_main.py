"""The frame of the command line: overview, unknown commands, exit codes, errors as text, no heavy import."""

import subprocess
import sys

import pytest

from ava_detect.cli import COMMANDS, main


def test_no_arguments_give_the_overview(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(f"ava-detect {name} " in out for name in COMMANDS)


def test_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("ava-detect 0.")


def test_a_misspelt_command_names_the_nearest_one(capsys):
    assert main(["predct"]) == 2
    assert "'predct' is not a command. Did you mean 'predict'?" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert f"usage: ava-detect {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_flag_is_a_usage_error(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--no-such-flag"])
    assert stop.value.code == 2
    assert capsys.readouterr().err


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from ava_detect.cli import main, COMMANDS\n"
        "for name in COMMANDS:\n"
        "    try: main([name, '--help'])\n"
        "    except SystemExit: pass\n"
        "heavy = {'torch', 'cv2', 'av', 'detectron2', 'pandas', 'scipy', 'torchvision'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
