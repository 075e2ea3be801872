"""Rows through pandas' C parser, a block at a time, accepting exactly what ``row_parser`` accepts."""

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from evaluation.row_parser import (
    MAX_ACTION_ID,
    MAX_TIME_S,
    Fault,
    ParsedRow,
    RowRules,
    parse_class,
    parse_row,
    parse_time,
)
from evaluation.row_run import RowRun
from evaluation.row_table import NO_CLASS

if TYPE_CHECKING:
    import pandas as pd

_NAMES = ("video", "time", "x1", "y1", "x2", "y2", "class", "score")


def parse_block(
    block: bytes, first_line: int, rules: RowRules, numbers: np.ndarray | None = None
) -> tuple[RowRun | None, int]:
    """Parse lines that have as many fields as the first one; ``None`` when anything about them is unusual.

    Accepts exactly what ``row_parser`` accepts, with the same values. The first row is read by both, because
    pandas would take a column of nothing but ``True`` and ``False`` for numbers.

    Args:
        block: whole lines.
        first_line: number of the first one.
        rules: what this kind of file allows.
        numbers: of all lines, when they do not follow each other in the file.
    """
    first = parse_row(block[: block.find(b"\n")] if b"\n" in block else block, first_line, rules)
    if not isinstance(first, ParsedRow) or b"\0" in block or (b"\r" in block and _has_bare_returns(block)):
        return None, 0
    try:
        frame = _pandas_frame(block, _NAMES[: first.fields], rules)
        if b'"' in block and len(frame) != block.count(b"\n") + (not block.endswith(b"\n")):
            return None, 0  # a quoted line feed
        if numbers is None:
            numbers = np.arange(first_line, first_line + len(frame), dtype=np.int32)
        run = _run_of_frame(frame, block, numbers, rules)
    except (ValueError, OverflowError, Warning, Fault):
        return None, 0
    return run, first.fields


def _has_bare_returns(block: bytes) -> bool:
    """Tell whether a carriage return stands alone; pandas would end a row there."""
    return block.count(b"\r") != block.count(b"\r\n")


def _pandas_frame(block: bytes, names: Sequence[str], rules: RowRules) -> "pd.DataFrame":
    import pandas as pd

    kinds: dict[str, str] = dict.fromkeys(_NAMES, "float64") | {"video": "category", "class": "category"}
    if rules.whole_seconds:
        kinds["time"] = "category"
    old = int(pd.__version__.split(".")[0]) < 3  # from 3 on exact parsing is the default
    exact = {"float_precision": "round_trip"} if old else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # rows that are longer than the first one only give a warning
        return pd.read_csv(
            io.BytesIO(block), header=None, names=list(names), dtype={name: kinds[name] for name in names},
            na_filter=False, index_col=False, skip_blank_lines=False, low_memory=False, engine="c", **exact,
        )  # fmt: skip


def _run_of_frame(frame: "pd.DataFrame", block: bytes, numbers: np.ndarray, rules: RowRules) -> RowRun | None:
    videos, names = _videos(frame["video"], block)
    times = frame["time"]
    times = (
        _whole_numbers(times, lambda text: parse_time(text, rules))
        if rules.whole_seconds
        else times.to_numpy()
    )
    if "" in names or not (np.abs(times) <= MAX_TIME_S).all():
        return None
    run = RowRun(numbers, names, videos, times)
    if frame.shape[1] == 2:
        return run
    boxes = frame[["x1", "y1", "x2", "y2"]].to_numpy()
    scores = frame["score"].to_numpy() if "score" in frame else np.ones(len(frame))
    if np.isnan(boxes).any() or np.isnan(scores).any() or (rules.ordered_boxes and not _are_ordered(boxes)):
        return None
    action_ids = np.full(len(frame), NO_CLASS)
    if "class" in frame:
        action_ids = _whole_numbers(frame["class"], lambda text: parse_class(text, rules))
    action_ids = action_ids.clip(-MAX_ACTION_ID, MAX_ACTION_ID).astype(np.int32)
    return replace(run, boxes=boxes, action_ids=action_ids, scores=scores)


def _are_ordered(boxes: np.ndarray) -> bool:
    return bool(np.isfinite(boxes).all() and (boxes[:, :2] <= boxes[:, 2:]).all())


def _videos(column: "pd.Series", block: bytes) -> tuple[np.ndarray, list[str]]:
    """Return the video of every row as an index into a list of names.

    From 3.1 on pandas turns categories that look like numbers into numbers, so that "01" and "1" would be
    one video; such a column is read again as plain text.
    """
    import pandas as pd

    names = list(column.cat.categories)
    if all(isinstance(name, str) for name in names):
        return column.cat.codes.to_numpy().astype(np.int32), names
    texts = pd.read_csv(
        io.BytesIO(block), header=None, usecols=[0], dtype=object, na_filter=False, skip_blank_lines=False
    )
    codes, distinct = pd.factorize(texts[0])
    return codes.astype(np.int32), list(distinct)


def _whole_numbers(column: "pd.Series", parse: Callable[[str], float]) -> np.ndarray:
    """Return a column of integers, whose categories are texts or, from pandas 3.1 on, numbers if they can be.

    Raises:
        Fault: a text is no integer.
    """
    categories = column.cat.categories
    if categories.dtype.kind == "i":  # only if every text is an integer; "12.0" would make all of them floats
        values = categories.to_numpy()
    elif all(isinstance(text, str) for text in categories):
        values = np.array([parse(text) for text in categories])
    else:
        raise Fault("class", "not all are integers")
    return values[column.cat.codes.to_numpy()]
