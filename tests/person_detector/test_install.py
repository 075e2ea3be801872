"""``python -m person_detector.install``: what it leaves alone, builds, refuses and installs."""

import base64
import csv
import hashlib
import importlib.metadata
import importlib.util
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from person_detector import install
from person_detector.detectron2_build import patches, repack
from person_detector.detectron2_build.patches import LOCAL_VERSION, Patch, PatchError, apply_patches

OWN_BUILD = importlib.metadata.version("detectron2") == LOCAL_VERSION


@pytest.fixture
def sdist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A little archive of the right layout, with its digest and its only patch pinned."""
    path = tmp_path / "release.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in {
            "setup.py": "raise SystemExit('executed')",
            "LICENSE": "as you like",
            "detectron2/__init__.py": 'version = "old"\n',
            "detectron2/model_zoo/configs/a.yaml": "A: 1\n",
            "projects/PointRend/point_rend/config.py": "",
            "projects/PointRend/train.py": "",
        }.items():
            member = tarfile.TarInfo(f"pb1-detectron2-0.6/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    monkeypatch.setattr(repack, "SDIST_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(patches, "PATCHES", (Patch("detectron2/__init__.py", '"old"', '"new"'),))
    return path


def no_detectron2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "installed_detectron2", lambda: None)


def record_pip(monkeypatch: pytest.MonkeyPatch, returncode: int = 0) -> list[list[str]]:
    """Note what pip would be asked to do."""
    calls: list[list[str]] = []

    def run_pip(*arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
        calls.append(list(arguments))
        return subprocess.CompletedProcess(arguments, returncode, stdout="", stderr="")

    monkeypatch.setattr(install, "run_pip", run_pip)
    monkeypatch.setattr(install, "import_failure", lambda _folder: "")
    return calls


def test_a_detectron2_that_is_there_is_left_alone_and_nothing_heavy_is_imported():
    program = (
        "import sys; from person_detector.install import main; code = main([]);"
        "heavy = {'torch', 'numpy', 'pandas', 'detectron2'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else code)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "detectron2 is there already" in result.stdout


def test_a_folder_of_that_name_where_one_stands_is_no_installation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "detectron2").mkdir()
    (tmp_path / "detectron2" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path)])
    monkeypatch.delitem(sys.modules, "detectron2", raising=False)
    assert install.installed_detectron2() is None


def test_an_own_build_anywhere_on_the_path_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "detectron2").mkdir()
    (tmp_path / "detectron2" / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "detectron2", raising=False)
    assert install.installed_detectron2() == tmp_path / "detectron2" / "__init__.py"


def test_a_wheel_is_built_without_running_the_archives_code(
    sdist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "wheels" / "new"
    assert install.main(["--sdist", str(sdist), "--wheel-dir", str(folder)]) == 0
    wheel = folder / repack.WHEEL_NAME
    assert capsys.readouterr().out.strip() == str(wheel)
    info = f"detectron2-{LOCAL_VERSION}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        assert set(archive.namelist()) == {
            "detectron2/__init__.py",
            "detectron2/_C.py",
            "detectron2/model_zoo/configs/a.yaml",
            "detectron2/projects/point_rend/config.py",
            f"{info}/licenses/LICENSE",
            f"{info}/METADATA",
            f"{info}/WHEEL",
            f"{info}/RECORD",
        }
        assert archive.read("detectron2/__init__.py") == b'version = "new"\n'
        recorded = {
            row[0]: row[1:] for row in csv.reader(archive.read(f"{info}/RECORD").decode().splitlines())
        }
        assert set(recorded) == set(archive.namelist())
        for name in set(recorded) - {f"{info}/RECORD"}:
            digest = (
                base64.urlsafe_b64encode(hashlib.sha256(archive.read(name)).digest()).rstrip(b"=").decode()
            )
            assert recorded[name] == [f"sha256={digest}", str(archive.getinfo(name).file_size)]


def test_the_same_archive_gives_the_same_wheel(sdist: Path, tmp_path: Path):
    for folder in ("one", "two"):
        install.main(["--sdist", str(sdist), "--wheel-dir", str(tmp_path / folder)])
    one, two = (tmp_path / folder / repack.WHEEL_NAME for folder in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_the_wheel_is_installed_with_the_constraints(
    sdist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    no_detectron2(monkeypatch)
    calls = record_pip(monkeypatch)
    constraints = tmp_path / "constraints.txt"
    constraints.touch()
    assert install.main(["--sdist", str(sdist), "--constraint", str(constraints)]) == 0
    (arguments,) = calls
    assert arguments[:4] == ["install", "--quiet", "--constraint", str(constraints)]
    assert Path(arguments[4]).name == repack.WHEEL_NAME
    assert capsys.readouterr().out == f"installed detectron2 {LOCAL_VERSION}\n"


def test_force_replaces_this_package_and_no_other(sdist: Path, monkeypatch: pytest.MonkeyPatch):
    calls = record_pip(monkeypatch)
    assert install.main(["--sdist", str(sdist), "--force"]) == 0
    assert calls[0][:4] == ["install", "--quiet", "--force-reinstall", "--no-deps"]
    assert "--force-reinstall" not in calls[1]


@pytest.mark.parametrize(
    ("version", "replaced"), [("0.6+purepy0", True), (LOCAL_VERSION, False), ("0.6", False)]
)
def test_only_an_older_build_of_this_program_is_replaced_unasked(
    sdist: Path, monkeypatch: pytest.MonkeyPatch, version: str, replaced: bool
):
    monkeypatch.setattr(importlib.metadata, "version", lambda _: version)
    calls = record_pip(monkeypatch)
    assert install.main(["--sdist", str(sdist)]) == 0
    assert bool(calls) is replaced


def failure(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert install.main(arguments) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("error: ")
    assert all(line.startswith("       ") for line in lines[1:])
    return "\n".join(lines)


def test_an_archive_with_another_digest_is_refused(sdist: Path, tmp_path: Path, capsys):
    sdist.write_bytes(sdist.read_bytes() + b"\0")
    text = failure(["--sdist", str(sdist), "--wheel-dir", str(tmp_path)], capsys)
    assert f"{sdist}: not the pinned pb1-detectron2 0.6: SHA-256 is " in text
    assert not (tmp_path / repack.WHEEL_NAME).exists()


def test_an_archive_that_is_not_there_is_named(tmp_path: Path, capsys):
    text = failure(["--sdist", str(tmp_path / "no.tar.gz"), "--wheel-dir", str(tmp_path)], capsys)
    assert "no.tar.gz: cannot be read: No such file or directory" in text


def test_a_folder_that_cannot_be_made_is_named(sdist: Path, tmp_path: Path, capsys):
    text = failure(["--sdist", str(sdist), "--wheel-dir", str(sdist / "below a file")], capsys)
    assert "below a file: cannot be written" in text


def test_constraints_that_are_not_there_are_named(sdist: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    no_detectron2(monkeypatch)
    text = failure(["--sdist", str(sdist), "--constraint", "nowhere.txt"], capsys)
    assert "nowhere.txt: no such constraints file" in text


def test_without_pip_the_line_to_type_is_given(monkeypatch: pytest.MonkeyPatch, capsys):
    no_detectron2(monkeypatch)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    text = failure([], capsys)
    assert "there is no pip for" in text
    assert "python -m ensurepip" in text


def test_a_failure_of_pip_is_passed_on(sdist: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    no_detectron2(monkeypatch)
    record_pip(monkeypatch, returncode=1)
    assert "pip could not install Detectron2" in failure(["--sdist", str(sdist)], capsys)


def test_what_is_installed_and_cannot_be_imported_is_an_error(sdist: Path, monkeypatch, capsys):
    no_detectron2(monkeypatch)
    record_pip(monkeypatch)
    monkeypatch.setattr(install, "import_failure", lambda _folder: "ImportError: libtorch")
    text = failure(["--sdist", str(sdist)], capsys)
    assert "Detectron2 was installed and cannot be imported: ImportError: libtorch" in text


def test_an_import_is_tried_in_another_process(tmp_path: Path):
    assert install.import_failure(tmp_path) == ""
    (tmp_path / "detectron2.py").write_text("raise RuntimeError('half installed')")
    assert install.import_failure(tmp_path) == "RuntimeError: half installed"


def test_a_patch_that_does_not_fit_stops_the_build(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(patches, "PATCHES", (Patch("a.py", "x", "y", 2),))
    assert apply_patches({"a.py": b"x x"})["a.py"] == b"y y"
    with pytest.raises(PatchError, match=r"a.py: 'x' occurs 3 times, expected 2"):
        apply_patches({"a.py": b"x x x"})
    with pytest.raises(PatchError, match=r"a.py is not in the sources"):
        apply_patches({})


@pytest.mark.skipif(not OWN_BUILD, reason="about the build that this project makes; another one is installed")
def test_what_the_build_lacks_says_so_when_it_is_used():
    import torch
    from detectron2.layers import nms_rotated

    with pytest.raises(NotImplementedError, match=r"_C.nms_rotated needs a compiled Detectron2"):
        nms_rotated(torch.rand(2, 5), torch.rand(2), 0.5)


def test_detectron2_works_with_this_environments_libraries():
    from detectron2 import model_zoo
    from detectron2.data.transforms import ExtentTransform
    from detectron2.structures import BitMasks

    assert Path(model_zoo.get_config_file("COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml")).is_file()
    assert ExtentTransform(src_rect=(0, 0, 2, 2), output_size=(2, 2)).interp is not None
    assert BitMasks.from_polygon_masks([[[0, 0, 4, 0, 4, 4]]], 8, 8).tensor.any()


def test_a_coco_evaluation_runs(tmp_path: Path):
    """Ground truth that is found exactly has AP 100; this takes evaluator, pycocotools and NumPy together."""
    import json

    from detectron2.data import DatasetCatalog, MetadataCatalog
    from detectron2.evaluation import COCOEvaluator
    from detectron2.structures import Boxes, Instances

    box = [10.0, 20.0, 30.0, 40.0]
    truth = {
        "info": {},
        "images": [{"id": 1, "width": 100, "height": 100, "file_name": "a.jpg"}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": box, "area": 1200, "iscrowd": 0}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    name = "test_a_coco_evaluation_runs"
    MetadataCatalog.get(name).set(
        json_file=str(tmp_path / "truth.json"),
        thing_classes=["person"],
        thing_dataset_id_to_contiguous_id={1: 0},
    )
    DatasetCatalog.register(name, list)
    import torch

    found = Instances((100, 100))
    found.pred_boxes = Boxes(torch.tensor([[10.0, 20.0, 40.0, 60.0]]))
    found.scores, found.pred_classes = torch.tensor([0.9]), torch.tensor([0])
    evaluator = COCOEvaluator(name, tasks=("bbox",), distributed=False, output_dir=str(tmp_path))
    evaluator.reset()
    evaluator.process([{"image_id": 1}], [{"instances": found}])
    assert evaluator.evaluate()["bbox"]["AP"] == pytest.approx(100)
