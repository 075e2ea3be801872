"""Install Detectron2 into this Python environment: ``python -m person_detector.install``.

An importable detectron2, a compiled one for instance, is left alone. Otherwise the pinned source release is
fetched through pip's own settings, checked, rewritten as a pure-Python wheel and installed with pip; that
takes no compiler and runs no code of the archive. Not in such a build: rotated boxes and modulated deformable
convolution (using one raises an error that says so); RoIAlign and NMS are torchvision's, COCO evaluation is
pycocotools'.
"""

import argparse
import importlib.metadata
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from evaluation.errors import AvaDetectError, MissingDependencyError
from person_detector.detectron2_build.fetch import fetch_sdist
from person_detector.detectron2_build.patches import LOCAL_VERSION, RELEASE
from person_detector.detectron2_build.pip_settings import read_pip_settings, run_pip
from person_detector.detectron2_build.repack import build_wheel

_INDENT = " " * len("error: ")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done or nothing to do, 1 not possible."""
    args = _parser().parse_args(argv)
    try:
        return _run(args)
    except AvaDetectError as error:
        lines = [*str(error).splitlines(), *error.hint.splitlines()]
        print("error: " + f"\n{_INDENT}".join(lines), file=sys.stderr)
        return error.exit_code


def installed_detectron2() -> Path | None:
    """Return where an importable detectron2 is, without importing it; ``None`` when there is none.

    A folder of that name in the working directory, which ``python -m`` puts on the path, is no installation.
    """
    paths = sys.path[:]
    try:
        sys.path[:] = [entry for entry in paths if entry and Path(entry).resolve() != Path.cwd()]
        spec = importlib.util.find_spec("detectron2")
    finally:
        sys.path[:] = paths
    return Path(spec.origin) if spec and spec.origin else None


def _is_outdated_build() -> bool:
    """Tell whether the detectron2 that is there is this program's own, with other patches than today's."""
    try:
        version = importlib.metadata.version("detectron2")
    except importlib.metadata.PackageNotFoundError:  # importable, but not from a wheel
        return False
    return version.startswith(f"{RELEASE}+purepy") and version != LOCAL_VERSION


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m person_detector.install",
        description="Install Detectron2, which finds the people, into this Python environment.",
        epilog="examples\n"
        "  python -m person_detector.install\n"
        "  python -m person_detector.install --constraint constraints.txt\n"
        "  python -m person_detector.install --sdist pb1-detectron2-0.6.tar.gz\n"
        "  python -m person_detector.install --wheel-dir wheels\n"
        "more: docs/person_detector.md",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    option = parser.add_argument
    option("--sdist", type=Path, metavar="FILE", help="use this copy of the source release")
    option("--wheel-dir", type=Path, metavar="DIR", help="only build the wheel, into this folder")
    option("--constraint", type=Path, metavar="FILE", help="pip constraints for what Detectron2 needs")
    option("--force", action="store_true", help="replace the detectron2 that is there")
    return parser


def _run(args: argparse.Namespace) -> int:
    there = installed_detectron2()
    if there and not (args.force or args.wheel_dir or _is_outdated_build()):
        print(f"detectron2 is there already ({there.parent}); left alone")
        return 0
    if args.constraint and not args.constraint.is_file():
        raise AvaDetectError(f"{args.constraint}: no such constraints file")
    needs_pip = not (args.wheel_dir and args.sdist)
    if needs_pip and importlib.util.find_spec("pip") is None:
        raise MissingDependencyError(
            f"there is no pip for {sys.executable}; it fetches and installs Detectron2",
            hint="python -m ensurepip --upgrade",
        )
    sdist, source = _read_sdist(args.sdist) if args.sdist else fetch_sdist(read_pip_settings())
    if args.wheel_dir:
        print(_build_into(args.wheel_dir, sdist, source))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(sdist, Path(folder), source=source)
        _install(wheel, constraint=args.constraint, replace=bool(there))
    print(f"installed detectron2 {LOCAL_VERSION}")
    return 0


def _read_sdist(path: Path) -> tuple[bytes, str]:
    try:
        return path.read_bytes(), str(path)
    except OSError as error:
        raise AvaDetectError(f"{path}: cannot be read: {error.strerror}") from error


def _build_into(folder: Path, sdist: bytes, source: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return build_wheel(sdist, folder, source=source)
    except OSError as error:
        raise AvaDetectError(f"{folder}: cannot be written: {error.strerror}") from error


def _install(wheel: Path, *, constraint: Path | None, replace: bool) -> None:
    """Install the wheel and what it needs; ``replace`` reinstalls this one package first.

    Raises:
        AvaDetectError: pip failed (its own words are on the screen), or the result cannot be imported.
    """
    constraints = ["--constraint", str(constraint)] if constraint else []
    commands = [["install", "--quiet", *constraints, str(wheel)]]
    if replace:  # torch and the others stay as they are
        commands.insert(0, ["install", "--quiet", "--force-reinstall", "--no-deps", str(wheel)])
    for command in commands:
        if run_pip(*command).returncode != 0:
            raise AvaDetectError(
                "pip could not install Detectron2; its reasons are above",
                hint="Does the index have all that it needs? pip config list shows which index is used.",
            )
    if reason := import_failure(wheel.parent):
        raise AvaDetectError(f"Detectron2 was installed and cannot be imported: {reason}", hint="pip check")


def import_failure(folder: Path) -> str:
    """Import detectron2 in a process of its own, started in ``folder``; return why that failed, else ""."""
    command = [sys.executable, "-c", "import detectron2"]
    result = subprocess.run(command, check=False, text=True, capture_output=True, cwd=folder)
    return (result.stderr.strip().splitlines() or ["no reason given"])[-1] if result.returncode else ""


if __name__ == "__main__":
    sys.exit(main())
