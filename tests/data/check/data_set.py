"""A small data set on disk, and the means to break it."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from ava_detect.data.check import Finding, Options, Report, Severity, check_things

CLASSES = ("fall", "sit", "stand", "walk", "wave")
SECONDS = 6
SPLITS = {"train": ("cam1", "cam2", "cam3", "cam4"), "val": ("cam5", "cam6")}
QUICK = Options(decode=False)
COLUMNS = ("video", "time", "x1", "y1", "x2", "y2", "action", "score")

Row = list[str]
Change = Callable[[Row], Row | None]


class DataSet:
    """Six videos, annotations in two splits, person boxes, predictions and a label map."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.train = folder / "annotations" / "train.csv"
        self.val = folder / "annotations" / "val.csv"
        self.boxes = folder / "annotations" / "boxes_val.csv"
        self.predictions = folder / "predictions.csv"
        self.label_map = folder / "label_map.pbtxt"
        self.videos = folder / "videos"

    def rows(self, file: Path) -> list[Row]:
        return [line.split(",") for line in file.read_text().splitlines()]

    def write(self, file: Path, rows: Sequence[Sequence[object]]) -> Path:
        file.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
        return file

    def edit(self, file: Path, change: Change, *, every: int = 1) -> None:
        """Change every n-th row, the first one included; ``None`` removes it."""
        rows = [change(row) if not k % every else row for k, row in enumerate(self.rows(file))]
        self.write(file, [row for row in rows if row is not None])

    def config(self, *, model: str = "NUM_CLASSES: 5", data: str = "", ava: str = "") -> Path:
        """Write a configuration of this data set; the arguments are YAML in flow style, without braces."""
        folder = self.folder / "annotations"
        shutil.copy(self.label_map, folder)
        path = self.folder.parent / "mine.yaml"
        path.write_text(
            f"MODEL: {{ARCH: slowfast, HEAD_ACT: sigmoid, LOSS_FUNC: bce, {model}}}\n"
            "RESNET: {SPATIAL_STRIDES: [1, 2, 2, 1], SPATIAL_DILATIONS: [1, 1, 1, 2]}\n"
            f"DETECTION: {{ENABLE: True}}\nDATA: {{{data}}}\n"
            f"AVA: {{ANNOTATION_DIR: {folder}, VIDEO_DIR: {self.videos}, LABEL_MAP_FILE: label_map.pbtxt,\n"
            "  TRAIN_GT_BOX_LISTS: [train.csv], GROUNDTRUTH_FILE: val.csv,\n"
            "  TEST_PREDICT_BOX_LISTS: [boxes_val.csv],\n"
            f"  {ava or 'START_SECOND: 0, VALID_SECONDS: auto'}}}\n"
        )
        return path

    def check(self, *others: str | Path, options: Options = QUICK) -> Report:
        return check_things([str(self.folder), *map(str, others)], options)


def columns(**changes: Callable[[str], object]) -> Change:
    """Return a function that changes the named columns of a row."""

    def change(row: Row) -> Row:
        return [
            str(changes[name](value)) if name in changes else value
            for name, value in zip(COLUMNS, row, strict=False)
        ]

    return change


def scaled(factor: float, digits: int = 4) -> Callable[[str], str]:
    """Return a function that multiplies a number written as text."""
    return lambda text: f"{float(text) * factor:.{digits}f}"


def label_map_text(names: Sequence[str] = CLASSES) -> str:
    entries = (f'item {{\n  name: "{name}"\n  id: {k}\n}}\n' for k, name in enumerate(names, start=1))
    return "".join(entries)


def people(video: int, second: int) -> list[tuple[float, float, float, float]]:
    """Three standing people who move a little."""
    left = [0.05 + 0.3 * k + 0.01 * second + 0.004 * video for k in range(3)]
    return [(x, 0.2 + 0.05 * k, x + 0.15 + 0.01 * k, 0.75 + 0.05 * k) for k, x in enumerate(left)]


def box_text(box: Sequence[float], shift: float = 0.0) -> Row:
    return [f"{value + shift:.4f}" for value in box]


def codes(report: Report, severity: Severity = Severity.FAULT) -> set[str]:
    return {finding.code for finding in report.findings if finding.severity is severity}


def only(report: Report, code: str) -> Finding:
    """Return the report's one finding of a code."""
    found = [finding for finding in report.findings if finding.code == code]
    assert len(found) == 1, [(each.code, each.subject, each.message) for each in report.findings]
    return found[0]
