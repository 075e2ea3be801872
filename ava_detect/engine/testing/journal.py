"""What an interrupted test has done: one file per process, one line per batch.

::

    {"schema": "ava-detect/test-journal", "version": 1, "facts": {...}}
    {"keyframes": [0, 8], "scores": {"0": [[0.1, ...], ...], ...}, "unread": {"7": "why"}}

A batch is on disk as soon as it is computed; a last line without line feed was just being written and does
not count. Whoever goes on, in however many processes, reads all files and does the rest.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from ava_detect.data.annotations import Annotations
from ava_detect.engine.testing.network_scores import BatchScores
from evaluation.errors import AvaDetectError, DataError, UsageError

Facts = Mapping[str, str | int | float]
"""What must be the same for scores to belong together: name -> value."""

_SCHEMA = {"schema": "ava-detect/test-journal", "version": 1}
_START_ANEW = "Start anew: --overwrite"


class TestJournal:
    """One process's file, open for its next batches; read everybody's first, with ``read_batches``.

    Args:
        folder: of the journal; made if it is not there.
        rank: of the process.
        facts: about this test.

    Raises:
        AvaDetectError: the file cannot be written.
    """

    __test__ = False  # not a test of pytest's

    def __init__(self, folder: Path, rank: int, facts: Facts) -> None:
        self._path = folder / f"process-{rank}.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab")
            _drop_unfinished_line(self._path, self._file)
        except OSError as error:
            raise self._cannot_be_written(error) from None
        if not self._file.tell():
            self._write({**_SCHEMA, "facts": dict(facts)})

    def append(self, batch: BatchScores) -> None:
        """Write a batch; it is on disk for a killed process when this returns.

        Raises:
            AvaDetectError: it cannot be written.
        """
        self._write(
            {
                "keyframes": [batch.keyframes.start, batch.keyframes.stop],
                "scores": {place: scores.tolist() for place, scores in batch.scores.items()},
                "unread": batch.unread,
            }
        )

    def close(self) -> None:
        """Close the file and keep it."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, document: Mapping[str, object]) -> None:
        try:
            self._file.write(json.dumps(document, separators=(",", ":"), allow_nan=False).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise self._cannot_be_written(error) from None

    def _cannot_be_written(self, error: OSError) -> AvaDetectError:
        return AvaDetectError(f"{self._path}: cannot be written ({error.strerror or error})")


def read_batches(
    folder: Path, facts: Facts, annotations: Annotations, batches: Sequence[range]
) -> list[BatchScores]:
    """Read what an interrupted test left; nothing where there is no journal.

    Args:
        folder: of the journal.
        facts: about the test that wants to go on.
        annotations: its keyframes.
        batches: how they are cut.

    Raises:
        UsageError: the interrupted test had other weights, boxes or settings.
        DataError: a file is not a journal, or is damaged before its last line.
        AvaDetectError: a file cannot be read.
    """
    done: dict[range, BatchScores] = {}
    known = set(batches)
    for path in sorted(folder.glob("process-*.jsonl")):
        for where, document in _documents(path):
            if "facts" in document:
                _check_same(document["facts"], facts, path)
                continue
            batch = _batch(document, annotations, known, where)
            done[batch.keyframes] = batch
    return [done[batch] for batch in batches if batch in done]


def _documents(path: Path) -> Iterator[tuple[str, dict]]:
    """Yield every complete line of a file as (where it stands, what it says); the first has the facts."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise AvaDetectError(f"{path}: cannot be read ({error.strerror or error})") from None
    for number, line in enumerate(lines, start=1):
        where = f"{path}:{number}"
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _damaged(where, str(error)) from None
        if not isinstance(document, dict):
            raise _damaged(where, "not an object")
        if number == 1 and (
            any(document.get(key) != value for key, value in _SCHEMA.items())
            or not isinstance(document.get("facts"), dict)
        ):
            raise _damaged(where, "not the beginning of such a journal")
        yield where, document


def _batch(document: dict, annotations: Annotations, known: set[range], where: str) -> BatchScores:
    try:
        keyframes = range(*document["keyframes"])
        scores = {int(place): np.array(rows, np.float64) for place, rows in document["scores"].items()}
        unread = {int(place): str(reason) for place, reason in document["unread"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _damaged(where, f"{type(error).__name__}: {error}") from None
    if keyframes not in known:
        raise _damaged(where, f"no batch of this test has keyframes {document['keyframes']}")
    if scores.keys() & unread.keys() or sorted([*scores, *unread]) != list(keyframes):
        raise _damaged(where, "its keyframes are not complete")
    for place, values in scores.items():
        shape = (len(annotations[place].boxes), len(annotations.class_ids))
        if values.shape != shape or not np.isfinite(values).all():
            raise _damaged(where, f"keyframe {place} has other boxes or classes")
    return BatchScores(keyframes, scores, unread)


def _check_same(then: Mapping[str, object], now: Facts, path: Path) -> None:
    changes = [
        f"{name} was {then.get(name, 'not told')}, is now {now.get(name, 'not told')}"
        for name in dict.fromkeys([*now, *then])
        if then.get(name) != now.get(name)
    ]
    if changes:
        raise UsageError(
            f"{path.parent.parent}: this test cannot be gone on with: {'; '.join(changes)}",
            hint=f"Give what was given then. {_START_ANEW}",
        )


def _damaged(where: str, reason: str) -> DataError:
    return DataError(f"{where}: the journal is damaged ({reason})", hint=_START_ANEW)


def _drop_unfinished_line(path: Path, file: BinaryIO) -> None:
    """Cut off what a killed process was just writing."""
    size = file.seek(0, 2)
    complete = path.read_bytes().rfind(b"\n") + 1 if size else 0
    if complete < size:
        file.truncate(complete)
        file.seek(0, 2)
