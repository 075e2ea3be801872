"""What the terminal sees: results on stdout; log lines, errors and progress on stderr."""

import argparse
import logging
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from ava_detect.output.clock import clock

if TYPE_CHECKING:
    from tqdm import tqdm

Run = Callable[[argparse.Namespace], int]

_INDENT = " " * len("error: ")
_PACKAGES = ("ava_detect", "person_detector", "evaluation")
_LINE_EVERY_S = 30.0  # without a terminal, progress is a line now and then
_SECONDS_OF_VIDEO = (
    "{desc} {percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}, "
    "{rate:.1f}x real time{postfix}]"
)
_STEPS = "|{bar}| {n:.0f}/{total:.0f}{postfix}"
_COUNT = "{desc} {percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} {unit} [{elapsed}<{remaining}{postfix}]"
_progress_allowed = True
_talkative = True


def add_common_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that mean the same for every command."""
    group = parser.add_argument_group("messages")
    group.add_argument("-q", "--quiet", action="store_true", help="warnings and errors only")
    group.add_argument("-v", "--verbose", action="store_true", help="more details")
    group.add_argument("--debug", action="store_true", help="debug log and tracebacks")
    group.add_argument("--no-progress", action="store_true", help="never draw a progress bar")


def set_up(args: argparse.Namespace) -> None:
    """Send the library's log to stderr at the level that the flags ask for."""
    global _progress_allowed, _talkative
    _talkative = not args.quiet
    _progress_allowed = not (args.no_progress or args.quiet)
    level = logging.INFO
    if args.quiet:
        level = logging.WARNING
    if args.debug:
        level = logging.DEBUG
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    for package in _PACKAGES:
        logger = logging.getLogger(package)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False


def hush() -> None:
    """Say nothing but errors from now on: another process of the same command speaks."""
    global _progress_allowed, _talkative
    _talkative = _progress_allowed = False
    for package in _PACKAGES:
        logging.getLogger(package).setLevel(logging.ERROR)


def draws_bars() -> bool:
    """Tell whether a progress bar would be drawn: on a terminal, unless a flag forbids it."""
    return _progress_allowed and sys.stderr.isatty()


def say(message: str) -> None:
    """Print a line about the work to stderr, unless ``--quiet``."""
    if _talkative:
        print(message, file=sys.stderr, flush=True)


def error(message: str, *, hint: str = "") -> None:
    """Print ``error: message`` and the hint's lines, indented, to stderr."""
    print(_prefixed("error: ", message, hint), file=sys.stderr)


def warn(message: str, *, hint: str = "") -> None:
    """Print ``warning: message`` and the hint's lines, indented, to stderr."""
    print(_prefixed("warning: ", message, hint), file=sys.stderr)


def _prefixed(prefix: str, message: str, hint: str = "") -> str:
    lines = [*message.splitlines(), *hint.splitlines()]
    return prefix + f"\n{_INDENT}".join(lines)


class _Formatter(logging.Formatter):
    """Plain text; warnings and errors carry their level as the first word."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"


class Progress:
    """A progress bar on a terminal, a line every 30 s elsewhere, nothing with ``--quiet``.

    Args:
        total: the amount of work, in ``unit``; ``None`` when unknown.
        label: what is being worked on, for example a file name.
        unit: "s" draws the total as seconds of video with a real-time factor, "steps" as a count that leaves
            the times to the note; anything else as a count.
    """

    def __init__(self, total: float | None, *, label: str, unit: str = "it") -> None:
        self._total, self._label, self._unit = total, label, unit
        self._done, self._note = 0.0, ""
        self._started = self._last_line = time.monotonic()
        self._bar = self._make_bar() if draws_bars() else None

    def _make_bar(self) -> "tqdm[NoReturn]":
        from tqdm import tqdm

        layout = {"s": _SECONDS_OF_VIDEO, "steps": _STEPS}.get(self._unit, _COUNT)
        return tqdm(
            total=self._total,
            desc=self._label,
            unit=self._unit,
            file=sys.stderr,
            dynamic_ncols=True,
            bar_format=None if self._total is None else layout,
        )

    def update_to(self, done: float, note: str = "") -> None:
        """Say how much is done in all; ``note`` follows the numbers."""
        step, self._done, self._note = max(0.0, done - self._done), max(done, self._done), note
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(step)
        elif _progress_allowed and time.monotonic() - self._last_line >= _LINE_EVERY_S:
            self._last_line = time.monotonic()
            print(self._line(), file=sys.stderr, flush=True)

    def _line(self) -> str:
        elapsed = time.monotonic() - self._started
        unit = f" {self._unit}"
        if self._total:
            share = min(1.0, self._done / self._total)
            eta = f", {clock(elapsed * (1 / share - 1))} to go" if share else ""
            done = f"{share:.0%}  {self._done:.0f}/{self._total:.0f}{unit}"
            text = f"{self._label}  {done}  {clock(elapsed)}{eta}"
        else:
            text = f"{self._label}  {self._done:.0f}{unit}  {clock(elapsed)}"
        return f"{text}  {self._note}".rstrip()

    def close(self) -> None:
        """Leave the bar as it is and end its line."""
        if self._bar is not None:
            self._bar.close()

    def remove(self) -> None:
        """Take the bar away; what is printed next stands in its line."""
        if self._bar is not None:
            self._bar.leave = False
            self._bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class DownloadBar:
    """A progress bar in megabytes that begins when the size is known."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._bar: Progress | None = None

    def update(self, done: int, total: int | None) -> None:
        """Say how many bytes are there, of how many."""
        if self._bar is None:
            self._bar = Progress(total / 1e6 if total else None, label=self._label, unit="MB")
        self._bar.update_to(done / 1e6)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
