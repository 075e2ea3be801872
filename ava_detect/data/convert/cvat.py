"""Labels of CVAT: "CVAT for video 1.1" (tracks) and "CVAT for images 1.1" (single boxes).

Frames are numbered from 0 as in the video. A project's file has several tasks; what belongs to which is said
by ``task_id``.

Reference: the "XML annotation format" page of CVAT's manual.
"""

from pathlib import Path

from ava_detect.data.convert.actions import ActionRules
from ava_detect.data.convert.image_names import ImageNames
from ava_detect.data.convert.labels import Box, LabelledBox, Labels, Track, TrackStep
from ava_detect.data.convert.safe_xml import Element, iterate_elements
from ava_detect.data.convert.values import number, whole_number
from ava_detect.video.suffixes import VIDEO_SUFFIXES
from evaluation.errors import DataError


def read_cvat(path: Path, rules: ActionRules, images: ImageNames) -> Labels:
    """Read a CVAT file.

    Raises:
        DataError: it cannot be read, a value is missing or none, or it does not say which video it is of.
    """
    reader = _Reader(path, rules, images)
    for element in iterate_elements(path, frozenset({"meta", "track", "image"})):
        reader.take(element)
    return reader.labels()


class _Task:
    """What the head of the file says about one video."""

    def __init__(self, element: Element) -> None:
        self.source = element.text_at("source") or element.text_at("name")
        width, height = (element.text_at("original_size", side) for side in ("width", "height"))
        has_size = width.isdecimal() and height.isdecimal() and int(width) > 0 and int(height) > 0
        self.size = (int(width), int(height)) if has_size else None


class _Reader:
    def __init__(self, path: Path, rules: ActionRules, images: ImageNames) -> None:
        self._path, self._rules, self._images = path, rules, images
        self._tasks: dict[str, _Task] = {}
        self._boxes: list[LabelledBox] = []
        self._tracks: list[Track] = []
        self._other_shapes = 0

    def take(self, element: Element) -> None:
        if element.name == "meta":
            self._take_head(element)
        elif element.name == "track":
            self._take_track(element)
        else:
            self._take_image(element)

    def labels(self) -> Labels:
        if not self._tracks and not self._boxes:
            raise DataError(f"{self._path}: no box in it; expected <track> or <image> elements of CVAT 1.1")
        notes = self._rules.notes()
        if self._other_shapes:
            notes.append(f"left out {self._other_shapes:,} shapes that are no boxes")
        form = "CVAT for video 1.1" if self._tracks else "CVAT for images 1.1"
        return Labels(form, self._boxes, self._tracks, notes)

    def _take_head(self, meta: Element) -> None:
        project, job = meta.find("project", "tasks"), meta.find("task") or meta.find("job")
        tasks = project.children if project is not None else [job or meta]
        for task in tasks:
            found = _Task(task)
            found.source = task.text_at("source") or meta.text_at("source") or found.source
            self._tasks[task.text_at("id")] = found

    def _task_of(self, element: Element) -> _Task:
        if len(self._tasks) == 1:
            return next(iter(self._tasks.values()))
        task = self._tasks.get(element.attributes.get("task_id", ""))
        if task is None:
            raise DataError(
                f"{self._place(element)}: the file does not say which video <{element.name}> belongs to",
                hint="Export every task by itself.",
            )
        return task

    def _take_track(self, track: Element) -> None:
        task = self._task_of(track)
        if not task.source:
            raise DataError(f"{self._path}: <source> is missing: of which video are the tracks?")
        label = track.attributes.get("label", "")
        self._other_shapes += sum(child.name != "box" for child in track.children)
        boxes = [child for child in track.children if child.name == "box"]
        steps = sorted((self._step(box, label) for box in boxes), key=lambda step: step.frame)
        if steps:
            person = track.attributes.get("id", str(len(self._tracks)))
            self._tracks.append(Track(task.source, person, tuple(steps), self._place(track), task.size))

    def _step(self, box: Element, label: str) -> TrackStep:
        frame = whole_number(box.attributes.get("frame"), f"{self._place(box)}: frame")
        if box.attributes.get("outside") == "1":
            return TrackStep(frame, None, ())
        return TrackStep(frame, self._corners(box), self._actions(box, label))

    def _take_image(self, image: Element) -> None:
        self._other_shapes += sum(child.name not in ("box", "tag") for child in image.children)
        boxes = [child for child in image.children if child.name == "box"]
        if not boxes:
            return
        place = self._place(image)
        width, height = (
            whole_number(image.attributes.get(side), f"{place}: {side}") for side in ("width", "height")
        )
        video, moment = self._where(image, place)
        for box in boxes:
            actions = self._actions(box, box.attributes.get("label", ""))
            self._boxes.append(
                LabelledBox(
                    video, moment, self._corners(box), actions, self._place(box), size=(width, height)
                )
            )

    def _where(self, image: Element, place: str) -> tuple[str, int | float]:
        """Return video and moment: frame of the task's video, else what the picture's name tells."""
        task = self._task_of(image) if self._tasks else None
        if task is not None and Path(task.source).suffix.lower() in VIDEO_SUFFIXES:
            return task.source, whole_number(image.attributes.get("id"), f"{place}: id")
        return self._images.video_and_moment(image.attributes.get("name", ""), place)

    def _corners(self, box: Element) -> Box:
        place = self._place(box)
        x1, y1, x2, y2 = (
            number(box.attributes.get(name), f"{place}: {name}") for name in ("xtl", "ytl", "xbr", "ybr")
        )
        return x1, y1, x2, y2

    def _actions(self, box: Element, label: str) -> tuple[str, ...]:
        attributes = [
            (child.attributes.get("name", ""), child.text)
            for child in box.children
            if child.name == "attribute"
        ]
        return self._rules.actions(label, attributes)

    def _place(self, element: Element) -> str:
        return f"{self._path}:{element.line}"
