"""The journal: what a run leaves behind however it ends, and what a later run may go on with."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ava_detect.output.journal import Journal, journal_path, read_journal, read_keyframes
from ava_detect.output.records import End, Header, Keyframe
from evaluation.errors import AvaDetectError, DataError, UsageError

PERSON = (1, 0.875, [1, 2, 30, 40], [0.5, 0, 0.25, 0])


def statuses(path: Path) -> list[tuple[str, int]]:
    return [(record.status, record.keyframes) for record in read_journal(path) if isinstance(record, End)]


def test_the_journal_lies_hidden_beside_the_output():
    assert journal_path(Path("out/actions.csv")) == Path("out/.actions.csv.journal")


def test_an_empty_journal_has_no_records(tmp_path):
    Journal.create(tmp_path / "j").close()
    assert list(read_journal(tmp_path / "j")) == []


def test_keyframes_are_on_disk_when_append_returns(tmp_path, make_header, make_result):
    with Journal.create(tmp_path / "j") as journal:
        journal.begin(make_header())
        journal.append(make_result(0.0, [PERSON]))
        assert [type(record) for record in read_journal(tmp_path / "j")] == [Header, Keyframe, End]


def test_a_finished_video_ends_as_it_was_finished(tmp_path, make_header, make_result):
    with Journal.create(tmp_path / "j") as journal:
        journal.begin(make_header("a"))
        journal.append(make_result(0.0))
        journal.finish("complete")
        journal.begin(make_header("b"))
        journal.finish("damaged", "cut off at 0:03")
    assert statuses(tmp_path / "j") == [("complete", 1), ("damaged", 0)]
    assert list(read_journal(tmp_path / "j"))[-1].reason == "cut off at 0:03"


def test_a_video_without_an_end_was_interrupted(journal_of, make_result):
    path = journal_of([make_result(0.0), make_result(1.0)], status=None)
    assert statuses(path) == [("interrupted", 2)]


def test_keyframes_of_one_video_are_found_among_others(tmp_path, make_header, make_result):
    with Journal.create(tmp_path / "j") as journal:
        for video_id, times in (("a", (0.0, 1.0)), ("b", (5.0,)), ("c", (0.0,))):
            journal.begin(make_header(video_id))
            for time in times:
                journal.append(make_result(time))
            journal.finish("complete")
    assert [keyframe.time for keyframe in read_keyframes(tmp_path / "j", "b")] == [5.0]
    assert list(read_keyframes(tmp_path / "j", "d")) == []


def test_a_journal_of_an_interrupted_run_is_not_overwritten(journal_of, make_result):
    path = journal_of([make_result(0.0)], status=None)
    with pytest.raises(AvaDetectError, match=r"journal of a run that was interrupted") as caught:
        Journal.create(path)
    assert "--resume" in caught.value.hint
    assert "--overwrite" in caught.value.hint


def test_a_folder_that_does_not_exist_is_one_line(tmp_path):
    with pytest.raises(AvaDetectError, match="cannot be written"):
        Journal.create(tmp_path / "no" / "j")


def test_resume_goes_on_behind_the_last_keyframe(journal_of, make_header, make_result):
    path = journal_of([make_result(0.0, [PERSON]), make_result(1.0)], status=None)
    with Journal.resume(path) as journal:
        progress = journal.begin(make_header())
        assert (progress.keyframes, progress.last_time, progress.status) == (2, 1.0, None)
        (first, second) = journal.results("gym")
        assert first.person_ids.tolist() == [1]
        assert first.boxes.tolist() == [[1, 2, 30, 40]]
        assert len(second.boxes) == 0
        journal.append(make_result(2.0, [PERSON]))
        journal.finish("complete")
    assert [keyframe.time for keyframe in read_keyframes(path, "gym")] == [0.0, 1.0, 2.0]
    assert statuses(path) == [("complete", 3)]


def test_a_resumed_run_leaves_the_journal_of_a_run_in_one_go(tmp_path, make_header, make_result):
    results = [make_result(time / 3, [PERSON]) for time in range(6)]

    def run(path: Path, stops: list[int]) -> bytes:
        begin = 0
        for stop in [*stops, len(results)]:
            with Journal.resume(path) as journal:
                begin = journal.begin(make_header()).keyframes
                for result in results[begin:stop]:
                    journal.append(result)
                if stop == len(results):
                    journal.finish("complete")
        return path.read_bytes()

    assert run(tmp_path / "a", [2, 2, 5]) == run(tmp_path / "b", [])


@pytest.mark.parametrize("kept", [1, 10, 100])
def test_a_line_that_was_being_written_is_done_again(journal_of, make_header, make_result, kept):
    path = journal_of([make_result(0.0, [PERSON]), make_result(1.0, [PERSON])], status=None)
    whole = path.read_bytes()
    last_line = whole.rindex(b"\n", 0, -1) + 1
    path.write_bytes(whole[: last_line + kept])
    assert statuses(path) == [("interrupted", 1)]
    with Journal.resume(path) as journal:
        assert journal.begin(make_header()).last_time == 0.0
        journal.append(make_result(1.0, [PERSON]))
    assert path.read_bytes() == whole


def test_a_header_that_was_being_written_is_done_again(tmp_path, make_header):
    with Journal.create(tmp_path / "j") as journal:
        journal.begin(make_header())
    whole = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(whole[:50])
    with Journal.resume(tmp_path / "j") as journal:
        assert journal.videos == {}
        journal.begin(make_header())
    assert (tmp_path / "j").read_bytes() == whole


def test_resume_without_a_journal_begins_one(tmp_path, make_header):
    with Journal.resume(tmp_path / "j") as journal:
        assert journal.begin(make_header()).keyframes == 0


def test_a_video_that_is_done_says_so(journal_of, make_header, make_result):
    path = journal_of([make_result(0.0)], status="damaged")
    with Journal.resume(path) as journal:
        assert journal.begin(make_header()).status == "damaged"
        with pytest.raises(ValueError, match="finished"):
            journal.append(make_result(1.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"every_s": 2.0}, r"cannot go on with 'gym': settings.every_s was 1.0, is now 2.0"),
        (
            {"end_s": 5.0, "track": False},
            r"end_s was not set, is now 5.0; settings.track was True, is now False",
        ),
    ],
)
def test_other_settings_are_named(journal_of, make_header, make_result, change, message):
    path = journal_of([make_result(0.0)], status=None)
    with Journal.resume(path) as journal, pytest.raises(UsageError, match=message) as caught:
        journal.begin(make_header(**change))
    assert "--overwrite" in caught.value.hint


def test_another_video_model_or_label_map_is_named(journal_of, make_header, make_result):
    path = journal_of([make_result(0.0)], status=None)
    header = make_header()
    other = replace(
        header,
        video=replace(header.video, size_bytes=99),
        model=replace(header.model, weights_sha256="00" * 32, classes=header.model.classes[:3]),
    )
    with Journal.resume(path) as journal, pytest.raises(UsageError) as caught:
        journal.begin(other)
    message = str(caught.value)
    assert "video.size_bytes was 1234, is now 99" in message
    assert "model.weights_sha256 was 'abab" in message
    assert "model.classes was a list of 4, is now a list of 3" in message


def test_the_same_file_from_another_folder_is_the_same_video(journal_of, make_header, make_result):
    path = journal_of([make_result(0.0)], status=None)
    header = make_header()
    with Journal.resume(path) as journal:
        progress = journal.begin(replace(header, video=replace(header.video, path="../videos/gym.mp4")))
    assert progress.keyframes == 1


def test_another_video_cannot_come_before_the_one_that_was_interrupted(journal_of, make_header, make_result):
    path = journal_of([make_result(0.0)], status=None)
    with (
        Journal.resume(path) as journal,
        pytest.raises(UsageError, match="stopped inside 'gym'; 'pool' cannot"),
    ):
        journal.begin(make_header("pool"))


def test_times_must_go_forwards(tmp_path, make_header, make_result):
    with Journal.create(tmp_path / "j") as journal:
        journal.begin(make_header())
        journal.append(make_result(1.0))
        with pytest.raises(ValueError, match="after the one at"):
            journal.append(make_result(1.0))


def test_nothing_can_be_appended_before_a_video_begins(tmp_path, make_result):
    with Journal.create(tmp_path / "j") as journal, pytest.raises(ValueError, match="no video was begun"):
        journal.append(make_result(0.0))


def test_damage_before_the_last_line_is_refused(journal_of, make_header, make_result):
    path = journal_of([make_result(0.0), make_result(1.0)], status=None)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\0" * 40 + b"\n" + lines[2])
    with pytest.raises(DataError, match=r"journal:2: not valid JSON"):
        Journal.resume(path)
    with pytest.raises(DataError, match=r"journal:2: not valid JSON"):
        list(read_journal(path))


def test_discard_removes_the_file(tmp_path, make_header):
    journal = Journal.create(tmp_path / "j")
    journal.begin(make_header())
    journal.discard()
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from ava_detect.output.journal import Journal
from ava_detect.output.records import *
from ava_detect.output.results import KeyframeResult
import numpy as np
header = Header("0.1.0", VideoFacts("gym", "gym.mp4", 200, 100), ModelFacts("m", "", "", "l", ()),
                DetectorFacts("detector", "d"), Settings())
journal = Journal.create(__import__("pathlib").Path(sys.argv[1]))
journal.begin(header)
for k in range(3):
    empty = np.zeros((0, 4), np.float32)
    journal.append(KeyframeResult(float(k), float(k), k, empty, empty[:, 0], np.zeros(0, int), empty[:, :0]))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
def test_a_killed_process_leaves_its_keyframes(tmp_path):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", KILLED, str(tmp_path / "j")]
    done = subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert statuses(tmp_path / "j") == [("interrupted", 3)]
