"""What setup.cfg installs is what is there."""

import configparser
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("ava_detect", "person_detector", "evaluation")


@pytest.fixture(scope="module")
def settings() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_is_listed(settings):
    listed = set(settings["options"]["packages"].split())
    there = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for top in SHIPPED
        for file in (ROOT / top).rglob("*.py")
    }
    assert there <= listed
    assert all((ROOT / name.replace(".", "/")).is_dir() for name in listed - {"ava_detect.configs"})


def test_the_wheel_holds_configs_data_and_licences(tmp_path):
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    tracked = [name for name in listing.stdout.splitlines() if (ROOT / name).is_file()]
    source = tmp_path / "source"  # a build leaves its folders in the tree
    for name in tracked:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    options = ["--no-deps", "--no-build-isolation", "-q", "-w", str(tmp_path)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    installed = {name for name in tracked if name.split("/")[0] in SHIPPED}
    installed |= {f"ava_detect/{name}" for name in tracked if name.startswith("configs/")}
    assert installed <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith("tests/") for name in names)


def test_every_pinned_package_has_one_version():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    names = [line.partition("==")[0].lower() for line in lines]
    assert all("==" in line for line in lines)
    assert len(names) == len(set(names))


def test_every_requirement_is_pinned(settings):
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    wanted = settings["options"]["install_requires"].split()
    for extra in settings["options.extras_require"].values():
        wanted += extra.split()
    assert {name.split(">")[0].split("=")[0].lower() for name in wanted} <= pinned
