"""The grammar of one row of an AVA file: the slow, exact reading that names what is wrong.

``row_reader`` reads millions of rows at a time and comes here only for the few that it cannot read. Numbers
are what Python's ``float`` and ``int`` accept, as in the official tool, except that a row whose values make
no sense (NaN, an inverted ground-truth box) is a fault here and a silently wrong result there.
"""

import csv
import math
from dataclasses import dataclass, field

COLUMNS = ("video_id", "timestamp", "x1", "y1", "x2", "y2", "action_id")
MAX_TIME_S = 1e9  # 30 years; beyond it a time is in another unit
MAX_ACTION_ID = 2**31 - 1  # larger ids are in no label map and are clipped to this one


@dataclass(frozen=True)
class RowRules:
    """What a kind of file allows.

    Attributes:
        what: name of the kind, for messages. last_column: what the 8th column holds. field_counts: how
        many fields a row may have. whole_seconds: times must be written as integers; the PySlowFast and
        mmaction2 readers stop otherwise. empty_class: the class may be empty, as in files of person boxes.
        empty_score: the 8th field may be empty, as person ids are in some ground truth. ordered_boxes:
        coordinates must be finite with x1 <= x2 and y1 <= y2.
    """

    what: str
    last_column: str
    field_counts: tuple[int, ...]
    whole_seconds: bool = False
    empty_class: bool = False
    empty_score: bool = False
    ordered_boxes: bool = False

    def expected_columns(self) -> str:
        """Return the longest row's columns for a message."""
        count = max(self.field_counts)
        return f"{count}: {', '.join((*COLUMNS, self.last_column)[:count])}"


GROUND_TRUTH = RowRules("ground truth", "person_id", (2, 7, 8), empty_score=True, ordered_boxes=True)
DETECTIONS = RowRules("detections", "score", (2, 7, 8))
EXCLUSIONS = RowRules("excluded keyframes", "", (2,))
PERSON_BOXES = RowRules("person boxes", "score", (2, 6, 7, 8), empty_class=True, ordered_boxes=True)
LABELLED_OR_FOUND = RowRules(
    "ground truth or boxes",
    "person_id or score",
    (2, 6, 7, 8),
    empty_class=True,
    empty_score=True,
    ordered_boxes=True,
)


@dataclass(frozen=True)
class RowFault:
    """A row that cannot be used.

    Attributes:
        line: 1-based row of the file.
        kind: "columns", "number", "nan", "class", "time", "box", "video_id", "text" or "header".
        problem: what was found and what is expected.
        hint: what to do; may be empty.
        text: the row itself, shortened.
    """

    line: int
    kind: str
    problem: str
    hint: str = ""
    text: str = ""


@dataclass
class FaultLog:
    """The faults of a file that is read leniently: all counted, the first of each kind kept."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: list[RowFault] = field(default_factory=list)

    MAX_EXAMPLES = 3

    def add(self, fault: RowFault) -> None:
        """Count a fault; keep it when it is among the first of its kind."""
        seen = self.counts.get(fault.kind, 0)
        self.counts[fault.kind] = seen + 1
        if seen < self.MAX_EXAMPLES:
            self.examples.append(fault)

    @property
    def total(self) -> int:
        """How many rows were skipped."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class ParsedRow:
    """A row's values; ``box`` is empty when the row names a keyframe and nothing else."""

    fields: int
    video_id: str
    time: float
    box: tuple[float, ...] = ()
    action_id: int = 0
    score: float = 1.0


class Fault(Exception):
    """Carries kind, problem and hint from the place that sees them to ``parse_row``."""

    def __init__(self, kind: str, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.kind, self.problem, self.hint = kind, problem, hint


def parse_row(line: bytes, number: int, rules: RowRules) -> ParsedRow | RowFault | None:
    """Read one row.

    Args:
        line: the row's bytes without the line feed.
        number: its 1-based place in the file.
        rules: what this kind of file allows.

    Returns:
        The values, the fault, or ``None`` for a blank line.
    """
    try:
        text = line.decode("utf-8").removesuffix("\r")
        if not text.strip():
            return None
        return _parse_fields(_split(text), rules)
    except UnicodeDecodeError:
        fault = Fault("text", "not UTF-8 text; expected a CSV row")
    except Fault as error:
        fault = error
    shown = line[:200].decode("utf-8", errors="replace").strip()
    if number == 1 and fault.kind in ("number", "class", "time") and _looks_like_header(shown):
        problem = f"this is a header: {shown[:80]}; AVA files have none"
        return RowFault(1, "header", problem, "Remove the first row.", shown)
    return RowFault(number, fault.kind, fault.problem, fault.hint, shown)


def _split(text: str) -> list[str]:
    if "\0" in text:
        raise Fault("text", "a NUL byte; expected a CSV row")
    if text.count('"') % 2:
        raise Fault("text", "a quotation mark is not closed")
    try:
        return next(csv.reader([text]))
    except csv.Error as error:
        raise Fault("text", f"not a CSV row ({error})") from None


def _looks_like_header(text: str) -> bool:
    """Tell whether the row holds words where every number should be."""

    def is_word(field: str) -> bool:
        try:
            float(field)
        except ValueError:
            return any(character.isalpha() for character in field)
        return False

    fields = text.split(",")
    return len(fields) >= 2 and all(map(is_word, fields[1:]))


def _parse_fields(fields: list[str], rules: RowRules) -> ParsedRow:
    if len(fields) not in rules.field_counts:
        count = f"{len(fields)} column" + ("s" if len(fields) != 1 else "")
        raise Fault("columns", f"{count}, expected {rules.expected_columns()}")
    if not fields[0]:
        raise Fault("video_id", "video_id is empty")
    time = parse_time(fields[1], rules)
    if len(fields) == 2:
        return ParsedRow(2, fields[0], time)
    box = tuple(_number(name, text) for name, text in zip(COLUMNS[2:6], fields[2:6], strict=True))
    if rules.ordered_boxes:
        _check_order(box)
    action_id = parse_class(fields[6], rules) if len(fields) > 6 else 0
    score = _score(fields[7], rules) if len(fields) == 8 else 1.0
    return ParsedRow(len(fields), fields[0], time, box, action_id, score)


def parse_time(text: str, rules: RowRules) -> float:
    """Read a timestamp in seconds.

    Raises:
        Fault: it is no number of seconds.
    """
    if not rules.whole_seconds:
        time = _number("timestamp", text, kind="time")
    else:
        try:
            time = float(int(text))
        except (ValueError, OverflowError):
            problem = f"timestamp = {text[:40]!r}, expected whole seconds under this protocol"
            raise Fault("time", problem) from None
    if not abs(time) <= MAX_TIME_S:
        raise Fault("time", f"timestamp = {text[:40]!r}, expected seconds")
    return time


def parse_class(text: str, rules: RowRules) -> int:
    """Read a class id; ids beyond ``MAX_ACTION_ID`` are clipped.

    Raises:
        Fault: it is no whole number.
    """
    if not text and rules.empty_class:
        return 0
    try:
        return max(-MAX_ACTION_ID, min(int(text), MAX_ACTION_ID))
    except ValueError:
        pass
    if not text:
        hint = "A file of person boxes leaves it empty; the evaluation takes one with --boxes."
        raise Fault("class", "action_id is empty", hint)
    raise Fault("class", f"action_id = {text[:40]!r}, expected a whole number")


def _number(name: str, text: str, *, kind: str = "number") -> float:
    try:
        value = float(text)
    except ValueError:
        found = repr(text[:40]) if text else "empty"
        raise Fault(kind, f"{name} = {found}, expected a number") from None
    if math.isnan(value):
        raise Fault("nan", f"{name} is NaN, expected a number")
    return value


def _score(text: str, rules: RowRules) -> float:
    if not text.strip() and rules.empty_score:
        return 1.0
    return _number(rules.last_column, text)


def _check_order(box: tuple[float, ...]) -> None:
    x1, y1, x2, y2 = box
    if not all(map(math.isfinite, box)):
        raise Fault("box", f"box {x1:g}, {y1:g}, {x2:g}, {y2:g} is not finite")
    for low, high, names in ((x1, x2, "x1, x2"), (y1, y2, "y1, y2")):
        if low > high:
            raise Fault(
                "box",
                f"{names} = {low:g}, {high:g}; expected x1 <= x2 and y1 <= y2",
                "Boxes are x1, y1, x2, y2: left, top, right, bottom, not x, y, width, height.",
            )
