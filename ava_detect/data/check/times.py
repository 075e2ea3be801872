"""Times of a file by themselves: seconds, not frames or milliseconds; inside the range that is used."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from ava_detect.data.check import remedies
from ava_detect.data.check.finding import MAX_PLACES, Finding, Place
from ava_detect.data.check.kinds import Kind
from ava_detect.data.check.row_files import RowFile, all_lines, all_places
from evaluation.ava_names import are_ava_names
from evaluation.findings import AVA_SECONDS

LONGEST_S = 24 * 3600.0  # no video is longer than a day
_UNITS = (
    (1000.0, "milliseconds"), (30.0, "frames at 30 fps"), (25.0, "frames at 25 fps"),
    (30000 / 1001, "frames at 29.97 fps"), (24.0, "frames at 24 fps"), (60.0, "frames at 60 fps"),
    (50.0, "frames at 50 fps"), (10.0, "frames at 10 fps"), (15.0, "frames at 15 fps"),
)  # fmt: skip
_CUT_START = 900.0  # second of the film at which AVA's 15-minute cuts begin
_FEW_STEPS = 8


def look_at_times(file: RowFile, *, valid: tuple[float, float] | None = None) -> Iterator[Finding]:
    """Look at the times of a file.

    Args:
        file: rows of any kind.
        valid: first and last keyframe second, if a configuration or AVA's protocol says so.
    """
    _, times = all_places(file.table)
    if not len(times):
        return
    if valid is None and are_ava_names(file.table.video_names):
        valid = AVA_SECONDS
    checks = (_negative(file, times), _too_late(file, times), _outside(file, times, valid))
    found = list(chain.from_iterable(checks))
    yield from found
    if not found:
        yield from _steps(file, times)
    yield from _fractions(file, times)


def _about_times(
    code: str, file: RowFile, concerned: np.ndarray, message: str, hint: str = ""
) -> Iterable[Finding]:
    """Yield a finding about the places of a mask over ``all_places``."""
    rows = np.flatnonzero(concerned)
    if len(rows):
        lines = all_lines(file.table)[rows]
        places = tuple(Place(file.source, line) for line in np.sort(lines)[:MAX_PLACES].tolist())
        text = message.replace("{count}", f"{len(rows):,} of {len(concerned):,} rows")
        yield Finding(code, file.source, text, len(rows), places, hint)


def _negative(file: RowFile, times: np.ndarray) -> Iterable[Finding]:
    hint = remedies.without_early_rows(file.source)
    yield from _about_times("negative-times", file, times < 0, "{count} have a time before 0", hint)


def _too_late(file: RowFile, times: np.ndarray) -> Iterable[Finding]:
    late = times > LONGEST_S
    milliseconds = late.any() and (times[late] % 100 == 0).mean() > 0.5
    unit = "milliseconds" if milliseconds else "frames or milliseconds"
    hint = remedies.change_times(file.source, "$2/=1000") if milliseconds else ""
    message = (
        f"{{count}} have a time beyond a day (largest {times.max():,.0f}); they look like {unit}, not seconds"
    )
    yield from _about_times("time-unit", file, late, message, hint)


def _outside(file: RowFile, times: np.ndarray, valid: tuple[float, float] | None) -> Iterable[Finding]:
    if valid is None:
        return
    first, last = valid
    outside = (times < first) | (times > last)
    unit, hint = unit_of(file.source, times[outside], first, last) if outside.any() else ("", "")
    looks = f"; they look like {unit}" if unit else ""
    message = (
        f"{{count}} have a time outside {first:g}-{last:g} s and are not used: "
        f"{times.min():g}-{times.max():g}{looks}"
    )
    if not hint and file.kind is not Kind.EXCLUSIONS:
        hint = "For videos of your own: AVA.VALID_SECONDS auto (here: --set AVA.VALID_SECONDS auto)"
    yield from _about_times("outside-valid-seconds", file, outside, message, hint)


def _steps(file: RowFile, times: np.ndarray) -> Iterable[Finding]:
    """Times that go by in steps of thousands of seconds are milliseconds, in steps of 30 perhaps frames."""
    if not (times == np.rint(times)).all():
        return
    videos, _ = all_places(file.table)
    order = np.lexsort((times, videos))
    steps = np.diff(times[order])[np.diff(videos[order]) == 0]
    steps = steps[steps > 0].astype(np.int64)
    if len(steps) < _FEW_STEPS:
        return
    step = int(np.gcd.reduce(steps))
    everywhere = np.ones(len(times), bool)
    if step % 1000 == 0:
        hint = remedies.change_times(file.source, "$2/=1000")
        message = (
            f"all times are {step:,} s apart or a multiple; they look like milliseconds, expected seconds"
        )
        yield from _about_times("time-unit", file, everywhere, message, hint)
    elif step >= 10 and file.kind is not Kind.EXCLUSIONS:
        message = f"all times are {step} or a multiple apart; if they are frames: AVA's times are seconds"
        hint = f"If so: {remedies.change_times(file.source, f'$2/={step}')}"
        yield from _about_times("regular-steps", file, everywhere, message, hint)


def _fractions(file: RowFile, times: np.ndarray) -> Iterable[Finding]:
    """Other tools read whole seconds only."""
    if file.kind is not Kind.EXCLUSIONS and np.abs(times).max() <= LONGEST_S:
        message = (
            "{count} have a time that is no whole second: read here and by AVA's tool,"
            " refused under the protocols pyslowfast and mmaction2"
        )
        yield from _about_times("fractional-times", file, times != np.rint(times), message)


def unit_of(source: str, times: np.ndarray, first: float, last: float) -> tuple[str, str]:
    """Find the unit or offset that brings nearly all of some times into a range.

    Args:
        source: the file, for the line to type.
        times: [n] what is outside the range as it is.
        first, last: seconds.

    Returns:
        What the times look like and the line that mends them; empty when nothing fits.
    """
    if _inside(times / 1000, first, last) and times.max() >= 1000:
        return "milliseconds", remedies.change_times(source, "$2/=1000")
    if _inside(times + _CUT_START, first, last):
        return "seconds of the 15-minute cut", remedies.change_times(source, f"$2+={_CUT_START:.0f}")
    for divisor, unit in _UNITS[1:]:
        if _inside(times / divisor, first, last) and times.max() >= divisor:
            return unit, remedies.change_times(source, f"$2/={divisor:.6g}")
    return "", ""


def _inside(times: np.ndarray, first: float, last: float) -> bool:
    return bool(len(times)) and float(((times >= first) & (times <= last)).mean()) >= 0.95


def span(times: Sequence[float] | np.ndarray) -> str:
    """Show the first and the last of some times."""
    return f"{np.min(times):g}-{np.max(times):g}"
