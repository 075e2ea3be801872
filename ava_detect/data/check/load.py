"""Read things into groups: each is told by its content, read to its end, and looked at by itself."""

import difflib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ava_detect.config import packaged_names
from ava_detect.data.check import configs
from ava_detect.data.check.checkpoints import read_checkpoint_facts
from ava_detect.data.check.finding import Finding, Place, Report, Subject, merged
from ava_detect.data.check.frame_lists import read_frame_list
from ava_detect.data.check.frames import read_frames
from ava_detect.data.check.group import Group, VideoSet
from ava_detect.data.check.kinds import ROW_KINDS, Kind, tell_kind
from ava_detect.data.check.label_maps import read_label_map
from ava_detect.data.check.row_files import read_row_file, split_in_name
from ava_detect.video.suffixes import VIDEO_SUFFIXES
from evaluation.label_map import BUILT_IN

Watch = Callable[[str, float, float], None]
"""Called with what is being read, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Thing:
    """Something to look at.

    Attributes:
        path: a file, a folder, the name of a packaged configuration, or of a built-in label map.
        kind: what it is meant to be; ``None`` to tell by its content.
    """

    path: str
    kind: Kind | None = None


@dataclass(frozen=True)
class Options:
    """How to look.

    Attributes:
        overrides: settings that replace those of configurations, a flat list of keys and values.
        start_second: time on the rows' clock at which the videos begin; ``None`` to take it from the data.
        decode: decode videos and open frames to the end; otherwise read packets and sizes only.
    """

    overrides: Sequence[str] = ()
    start_second: float | None = None
    decode: bool = True


def told_kind(thing: Thing) -> Kind | Finding:
    """Return what a thing is, or the finding that nothing can be made of it."""
    if "\0" in thing.path:
        return Finding("absent", thing.path, "no file can have this name: it holds a NUL character")
    if thing.kind is not None:
        return thing.kind
    path = Path(thing.path)
    try:
        if not path.exists():
            return _kind_of_name(thing.path)
        told = tell_kind(path)
    except (OSError, UnicodeEncodeError) as error:  # the latter: a lone surrogate in the name
        return _unreadable(thing.path, error)
    if told.kind is Kind.UNKNOWN:
        return Finding("unknown", thing.path, told.reason, hint=told.hint)
    return told.kind


def _kind_of_name(name: str) -> Kind | Finding:
    if name in BUILT_IN:
        return Kind.LABEL_MAP
    if name.removesuffix(".yaml") in packaged_names():
        return Kind.CONFIG
    return Finding("absent", name, f"no such file.{_nearby(Path(name))}")


def _unreadable(path: str, error: OSError | UnicodeEncodeError) -> Finding:
    reason = getattr(error, "strerror", None) or str(error)
    return Finding("unreadable", path, f"cannot be read ({reason})")


def _nearby(path: Path) -> str:
    """Name a file in the same folder that is called alike."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError):
        return ""
    close = difflib.get_close_matches(path.name, names, n=1)
    return f" Nearby: {close[0]}" if close else ""


class Loader:
    """Reads things into one group and says in the report what they are and what is wrong with them.

    Args:
        group: where they go.
        report: where findings go.
        options: how to look.
        watch: for progress.
    """

    def __init__(self, group: Group, report: Report, options: Options, watch: Watch) -> None:
        self._group, self._report, self._options, self._watch = group, report, options, watch
        self._seen: set[tuple[Path, Kind]] = set()
        if options.start_second is not None:
            group.start_second = options.start_second

    def load(self, path: str, kind: Kind, *, split: str = "") -> None:
        """Read one thing; whatever happens, the others are still read."""
        key = (Path(path).absolute(), kind)
        if key in self._seen:
            return
        self._seen.add(key)
        try:
            self._load(path, kind, split)
        except OSError as error:
            self._report.subjects.append(Subject(path, kind.value))
            self._report.findings.append(_unreadable(path, error))

    def _load(self, path: str, kind: Kind, split: str) -> None:
        if kind in ROW_KINDS:
            self._rows(path, kind, split)
        elif kind is Kind.FRAME_LIST:
            self._frame_list(path, split)
        else:
            {
                Kind.CONFIG: self._config,
                Kind.DATA_SET: self._data_set,
                Kind.ANNOTATIONS: self._annotations,
                Kind.LABEL_MAP: self._label_map,
                Kind.VIDEO: self._video,
                Kind.VIDEOS: self._videos,
                Kind.FRAMES: self._frames,
                Kind.CHECKPOINT: self._checkpoint,
            }[kind](path)

    def _say(self, path: str, kind: Kind, summary: str, findings: Iterable[Finding]) -> None:
        self._report.subjects.append(Subject(path, kind.value, summary))
        self._report.findings += findings

    def _rows(self, path: str, kind: Kind, split: str) -> None:
        file, findings = read_row_file(Path(path), kind, split=split)
        if file is not None:
            self._group.rows.append(file)
        self._say(path, kind, file.summary() if file is not None else "", findings)

    def _frame_list(self, path: str, split: str) -> None:
        listed, findings = read_frame_list(Path(path), split=split or split_in_name(path))
        self._group.frame_lists.append(listed)
        self._say(path, Kind.FRAME_LIST, listed.summary(), findings)

    def _label_map(self, path: str) -> None:
        label_map, findings = read_label_map(path)
        summary = ""
        if label_map is not None:
            summary = f"{len(label_map)} classes, ids {min(label_map.ids)}-{max(label_map.ids)}"
            self._group.label_map = self._group.label_map or label_map
        self._say(path, Kind.LABEL_MAP, summary, findings)

    def _checkpoint(self, path: str) -> None:
        facts = read_checkpoint_facts(Path(path))
        if facts.proposals is not None:
            self._group.rows.append(facts.proposals)
            self._say(path, Kind.BOXES, facts.proposals.summary(), facts.findings)
            return
        self._group.checkpoints.append(facts)
        self._say(path, Kind.CHECKPOINT, facts.summary, facts.findings)

    def _video(self, path: str) -> None:
        videos = VideoSet(path, complete=False)
        findings = self._read_videos(videos, [Path(path)])
        self._say(path, Kind.VIDEO, videos.summary() if videos.videos else "", findings)

    def _videos(self, path: str) -> None:
        files = _video_files(Path(path))
        videos = VideoSet(path, complete=True)
        findings = merged(self._read_videos(videos, files), path)
        if not files:
            findings.append(Finding("no-media", path, "no video in this folder"))
        self._say(path, Kind.VIDEOS, videos.summary(), findings)

    def _read_videos(self, videos: VideoSet, files: Sequence[Path]) -> list[Finding]:
        from ava_detect.data.check.videos import look_at_video  # needs FFmpeg; rows alone do not

        findings: list[Finding] = []
        by_name: dict[str, Path] = {}
        for number, file in enumerate(files):

            def on_time(done: float, total: float | None, number: int = number) -> None:
                self._watch(videos.source, number + min(0.99, done / total if total else 0.0), len(files))

            other = by_name.setdefault(file.stem, file)
            if other is not file:
                message = f"{other.name} and {file.name} would both be video_id {file.stem!r}"
                findings.append(Finding("same-video-id", str(file), message, 1, (Place(str(file)),)))
            facts, found = look_at_video(file, decode=self._options.decode, on_time=on_time)
            findings += found
            if facts is not None:
                videos.videos.setdefault(facts.video_id, facts)
            self._watch(videos.source, number + 1, len(files))
        videos.names = list(by_name)
        self._group.videos.append(videos)
        return findings

    def _frames(self, path: str) -> None:
        def on_folder(done: int, total: int) -> None:
            self._watch(path, done, total)

        frames = read_frames(Path(path), open_all=self._options.decode, on_folder=on_folder)
        self._group.frames.append(frames)
        self._say(path, Kind.FRAMES, frames.summary(), [])

    def _annotations(self, path: str) -> None:
        """Read the tables of a folder; each is a thing of its own."""
        for file in sorted(Path(path).iterdir()):
            if file.suffix.lower() in (".csv", ".pbtxt") and not file.name.startswith("."):
                kind = told_kind(Thing(str(file)))
                if isinstance(kind, Finding):
                    self._say(str(file), Kind.UNKNOWN, "", [kind])
                else:
                    self.load(str(file), kind)

    def _data_set(self, path: str) -> None:
        """Read a folder laid out as annotations/, videos/ or frames/, and a label map."""
        folder, group = Path(path), self._group
        group.has_data, group.data_source = True, path
        if group.start_second is None:
            group.start_second = _first_second(folder / "scenes.json")
        before = len(group.rows)
        for place in (folder, folder / "annotations"):
            if place.is_dir():
                self._annotations(str(place))
        if len(group.rows) == before:
            self._report.findings.append(Finding("no-annotations", path, "no CSV file of annotations in it"))
        for name, kind in (("videos", Kind.VIDEOS), ("frames", Kind.FRAMES)):
            if (folder / name).is_dir():
                self.load(str(folder / name), kind)
        if _video_files(folder):
            self.load(path, Kind.VIDEOS)
        for file in sorted((folder / "frame_lists").glob("*.csv")):
            self.load(str(file), Kind.FRAME_LIST)

    def _config(self, path: str) -> None:
        cfg, findings = configs.read_config(path, self._options.overrides)
        if cfg is None:
            self._say(path, Kind.CONFIG, "", findings)
            return
        group = self._group
        group.cfg, group.config_source = cfg, path
        if not configs.describes_data(cfg):
            summary = (
                f"{cfg.MODEL.NUM_CLASSES} classes; a model's, it names no data (AVA.ANNOTATION_DIR is empty)"
            )
            self._say(path, Kind.CONFIG, summary, findings)
            return
        group.has_data, group.data_source = True, path
        group.threshold = cfg.AVA.DETECTION_SCORE_THRESH
        if group.start_second is None:
            group.start_second = cfg.AVA.START_SECOND
        if not isinstance(cfg.AVA.VALID_SECONDS, str):
            first, last = cfg.AVA.VALID_SECONDS
            group.valid = (first, last)
        self._say(path, Kind.CONFIG, f"{cfg.MODEL.NUM_CLASSES} classes", configs.look_at_settings(cfg, path))
        self._files_of_config(path)

    def _files_of_config(self, source: str) -> None:
        cfg = self._group.cfg
        assert cfg is not None
        truths = set()
        for entry in configs.named_files(cfg):
            if entry.kind is Kind.TRUTH:
                truths.add(entry.path)
            elif entry.kind is Kind.BOXES and entry.split == "train":
                if entry.path in truths:  # as in PySlowFast's AVA configurations
                    message = f"{entry.key} names the ground truth {entry.path} again: that adds nothing"
                    self._report.findings.append(Finding("truth-as-boxes", source, message))
                    continue
                self._group.training_boxes.add(entry.path)
            if entry.path not in BUILT_IN and not Path(entry.path).is_file():
                origin = cfg.origin(entry.key)
                message = f"{entry.key} ({origin}): no such file: {entry.path}{_nearby(Path(entry.path))}"
                code = "named-file-absent" if entry.needed else "default-file-absent"
                self._report.findings.append(Finding(code, source, message))
                continue
            self.load(entry.path, entry.kind, split=entry.split)
        for key, kind in (("VIDEO_DIR", Kind.VIDEOS), ("FRAME_DIR", Kind.FRAMES)):
            folder = getattr(cfg.AVA, key)
            if folder and not Path(folder).is_dir():
                message = f"AVA.{key} ({cfg.origin(f'AVA.{key}')}): no such folder: {folder}"
                self._report.findings.append(Finding("named-file-absent", source, message))
            elif folder:
                self.load(folder, kind)


def _video_files(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in VIDEO_SUFFIXES and not file.name.startswith(".") and file.is_file()
    )


def _first_second(record: Path) -> float | None:
    """Read from the record of procedural scenes at which second their annotations begin."""
    try:
        value = json.loads(record.read_text(encoding="utf-8"))["first_second"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # another data set; it needs no record
        return None
    return float(value) if isinstance(value, int) and abs(value) < 1e6 else None
