"""Keyframes of several tables under one numbering.

A keyframe is a video and a time. Two times are the same when they print alike with 6 decimals, so that
``902``, ``0902``, ``902.0`` and ``9.02e2`` name one keyframe and ``902.5`` another, as in the official
evaluator.
"""

from dataclasses import dataclass

import numpy as np

from evaluation.row_table import RowTable

_NEGATIVE_ZERO = np.iinfo(np.int64).min  # prints as "-0.000000", which is not "0.000000"


def time_keys(times: np.ndarray) -> np.ndarray:
    """Return integers that are equal exactly when the times print alike with 6 decimals.

    Args:
        times: [n] float64 seconds, within ±1e9.

    Returns:
        [n] int64, in microseconds.
    """
    scaled = times * 1e6
    keys = np.rint(scaled).astype(np.int64)
    # The product is rounded, so near a half the printed digits decide.
    to_half = np.abs(scaled - np.floor(scaled) - 0.5)
    for place in np.flatnonzero(to_half <= 1e-6 + np.abs(scaled) * 2.0**-51).tolist():
        keys[place] = int(f"{times[place]:.6f}".replace(".", ""))
    keys[(keys == 0) & np.signbit(times)] = _NEGATIVE_ZERO
    return keys


@dataclass(frozen=True, eq=False)
class Keyframes:
    """F keyframes of several tables, numbered in the order in which the tables name them.

    Attributes:
        video_names: distinct video ids of all tables.
        videos: [F] index into ``video_names``.
        times: [F] seconds.
        of_rows: per table, [R] the keyframe of every row.
        of_bare: per table, [M] the keyframe of every row that only names one.
    """

    video_names: tuple[str, ...]
    videos: np.ndarray
    times: np.ndarray
    of_rows: tuple[np.ndarray, ...]
    of_bare: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.videos)

    def flags(self, *frames: np.ndarray) -> np.ndarray:
        """Return [F] booleans, true for the given keyframes."""
        flags = np.zeros(len(self), bool)
        for chosen in frames:
            flags[chosen] = True
        return flags


def number_keyframes(*tables: RowTable) -> Keyframes:
    """Give every keyframe of the tables a number."""
    import pandas as pd

    names: dict[str, int] = {}
    runs: list[_Runs] = []
    for table in tables:
        codes = np.array([names.setdefault(name, len(names)) for name in table.video_names], np.int64)
        runs.append(_runs(codes, table.videos, table.times))
        runs.append(_runs(codes, table.bare_videos, table.bare_times))
    videos = np.concatenate([run.videos for run in runs])
    times = np.concatenate([run.times for run in runs])
    time_codes, distinct_times = pd.factorize(time_keys(times))
    frames = pd.factorize(videos * max(1, len(distinct_times)) + time_codes)[0].astype(np.int32)
    count = int(frames.max()) + 1 if len(frames) else 0
    first = np.full(count, len(frames), np.int64)
    np.minimum.at(first, frames, np.arange(len(frames)))
    ends = np.cumsum([len(run.videos) for run in runs])
    per_row = [
        np.repeat(frames[end - len(run.videos) : end], run.lengths)
        for run, end in zip(runs, ends.tolist(), strict=True)
    ]
    return Keyframes(tuple(names), videos[first], times[first], tuple(per_row[::2]), tuple(per_row[1::2]))


@dataclass(frozen=True, eq=False)
class _Runs:
    """Neighbouring rows of one keyframe taken together: rows of a keyframe usually stand side by side."""

    videos: np.ndarray
    times: np.ndarray
    lengths: np.ndarray


def _runs(codes: np.ndarray, videos: np.ndarray, times: np.ndarray) -> _Runs:
    if not len(videos):
        return _Runs(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))
    changes = (videos[1:] != videos[:-1]) | (times[1:] != times[:-1])
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    return _Runs(codes[videos[starts]], times[starts], np.diff(np.append(starts, len(videos))))
