"""The journal of a test: what was written comes back, whatever was cut off, and nothing else is believed."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ava_detect.data.annotations import Annotations
from ava_detect.engine.testing.journal import TestJournal, read_batches
from ava_detect.engine.testing.network_scores import BatchScores
from evaluation.errors import AvaDetectError, DataError, UsageError

# Five keyframes of one video with 1, 2, 1, 0 and 1 boxes, three classes.
STARTS = np.array([0, 1, 3, 4, 4, 5])
ANNOTATIONS = Annotations(
    class_ids=(1, 2, 5),
    video_names=("v",),
    videos=np.zeros(5, int),
    seconds=np.arange(5.0),
    starts=STARTS,
    boxes=np.zeros((5, 4)),
    labels=np.zeros((5, 3), np.uint8),
    scores=np.ones(5),
)
BATCHES = [range(0, 2), range(2, 4), range(4, 5)]
FACTS = {"weights": "abc", "batch": 2}


def batch_of(keyframes: range, *, unread: tuple[int, ...] = ()) -> BatchScores:
    rng = np.random.default_rng(keyframes.start)
    scores = {
        place: rng.random((STARTS[place + 1] - STARTS[place], 3)).round(6)
        for place in keyframes
        if place not in unread
    }
    return BatchScores(keyframes, scores, dict.fromkeys(unread, "damaged: 1 é"))


DONE = [batch_of(BATCHES[0]), batch_of(BATCHES[1], unread=(3,)), batch_of(BATCHES[2])]


def write(folder: Path, batches, rank: int = 0) -> Path:
    with TestJournal(folder, rank, FACTS) as journal:
        for batch in batches:
            journal.append(batch)
    return folder / f"process-{rank}.jsonl"


def read(folder: Path, facts=FACTS):
    return read_batches(folder, facts, ANNOTATIONS, BATCHES)


def assert_same(found, expected):
    assert [batch.keyframes for batch in found] == [batch.keyframes for batch in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.unread == other.unread
        assert one.scores.keys() == other.scores.keys()
        for place, scores in other.scores.items():
            np.testing.assert_array_equal(one.scores[place], scores.reshape(-1, 3))


def test_without_a_journal_nothing_is_done(tmp_path):
    assert read(tmp_path / "nowhere") == []


def test_a_begun_journal_has_no_batches(tmp_path):
    write(tmp_path, [])
    assert read(tmp_path) == []


def test_batches_come_back_in_the_order_of_the_test_whoever_wrote_them(tmp_path):
    write(tmp_path, [DONE[2], DONE[0]], rank=1)
    write(tmp_path, [DONE[1]])
    assert_same(read(tmp_path), DONE)


def test_going_on_appends(tmp_path):
    write(tmp_path, DONE[:1])
    write(tmp_path, DONE[1:])
    assert_same(read(tmp_path), DONE)


def test_a_batch_that_was_written_twice_counts_once(tmp_path):
    write(tmp_path, DONE)
    write(tmp_path, DONE[:2], rank=1)
    assert_same(read(tmp_path), DONE)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.integers(0, 600))
def test_whatever_is_cut_off_only_that_is_done_again(tmp_path, cut):
    for path in tmp_path.glob("process-*"):
        path.unlink()
    path = write(tmp_path, DONE)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    left = read(tmp_path)
    complete = max(0, whole[:cut].count(b"\n") - 1)  # the first line has the facts
    assert_same(left, DONE[:complete])
    write(tmp_path, DONE[complete:])
    assert_same(read(tmp_path), DONE)


def test_a_test_with_other_facts_does_not_go_on(tmp_path):
    write(tmp_path / "run" / ".journal", DONE)
    message = r"run: this test cannot be gone on with: weights was abc, is now xyz; device was not told"
    with pytest.raises(UsageError, match=message) as caught:
        read(tmp_path / "run" / ".journal", {"weights": "xyz", "batch": 2, "device": "cpu"})
    assert "--overwrite" in caught.value.hint


HEAD = json.dumps({"schema": "ava-detect/test-journal", "version": 1, "facts": FACTS})
GOOD = {"keyframes": [0, 2], "scores": {"0": [[1, 1, 1]], "1": [[1, 1, 1], [0, 0, 0]]}, "unread": {}}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{}"], "not the beginning of such a journal"),
        ([HEAD.replace('"version": 1', '"version": 2')], "not the beginning"),
        ([HEAD.replace("test-journal", "journal")], "not the beginning"),
        (["\x00"], "1: the journal is damaged"),
        (["[" * 100_000], "1: the journal is damaged"),
        ([HEAD, "7"], "2: the journal is damaged .not an object"),
        ([HEAD, "{}"], "KeyError"),
        ([HEAD, json.dumps({**GOOD, "keyframes": [0, 10**12]})], "no batch of this test"),
        ([HEAD, json.dumps({**GOOD, "keyframes": [1, 2, 0]})], "ValueError"),
        ([HEAD, json.dumps({**GOOD, "keyframes": [0, 1], "scores": {"0": [[1, 1, 1]]}})], "no batch"),
        ([HEAD, json.dumps({**GOOD, "scores": {"0": [[1, 1, 1]]}})], "its keyframes are not complete"),
        ([HEAD, json.dumps({**GOOD, "scores": {"0": [[1, 1]], "1": [[1, 1, 1]] * 2}})], "other boxes or"),
        (
            [HEAD, json.dumps({**GOOD, "scores": {"0": [[1, 1, float("nan")]], "1": [[1] * 3] * 2}})],
            "other boxes",
        ),
        ([HEAD, json.dumps({**GOOD, "scores": {"0": ["a"], "1": []}})], "ValueError"),
        ([HEAD, json.dumps({**GOOD, "scores": []})], "AttributeError"),
    ],
)
def test_what_is_no_journal_is_refused_with_its_line(tmp_path, lines, message):
    (tmp_path / "process-0.jsonl").write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path)
    assert re.search(r"process-0\.jsonl:\d+", str(caught.value))
    assert caught.value.hint == "Start anew: --overwrite"


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AvaDetectError, match="cannot be written"):
        TestJournal(tmp_path / "file" / "journal", 0, FACTS)
