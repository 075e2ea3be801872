"""What a run says at its end: counts, seconds per action, advice when nobody was found."""

from dataclasses import replace

import pytest

from ava_detect.output.clock import clock
from ava_detect.output.journal import Journal, read_journal
from ava_detect.output.records import End
from ava_detect.output.strongest import Moment, strongest, table_lines
from ava_detect.output.summary import Summary, summarise, summary_lines, wrote_line
from ava_detect.output.targets import out_target, table_target

# Scores of stand, walk, carry/hold, watch.
ANN = (1, 0.95, [20, 10, 120, 60], [0.9, 0.1, 0.0, 0.3])
BEN = (2, 0.90, [0, 0, 50, 100], [0.5, 0.29, 0, 0])


def summary_of(path) -> Summary:
    return summarise(read_journal(path))


def test_an_empty_run_has_nothing(tmp_path):
    Journal.create(tmp_path / "j").close()
    assert summary_of(tmp_path / "j") == Summary()
    assert summary_lines(Summary()) == ["no keyframes"]


def test_counts_over_keyframes_people_and_rows(journal_of, make_result):
    summary = summary_of(
        journal_of([make_result(0.0, [ANN, BEN]), make_result(1.0, [ANN]), make_result(2.0)])
    )
    assert (summary.keyframes, summary.person_boxes, summary.persons, summary.rows) == (3, 3, 2, 8)


def test_an_action_is_seen_once_per_keyframe_whoever_does_it(journal_of, make_result):
    journal = journal_of([make_result(0.0, [ANN, BEN]), make_result(2.0, [BEN])], every_s=2.0)
    seen = {action.name: seconds for action, seconds in summary_of(journal).seen_s.items()}
    assert seen == {"stand": 4.0, "watch (a person)": 2.0}  # walk stays below 0.3


def test_the_lines_of_a_good_run(journal_of, make_result):
    summary = summary_of(journal_of([make_result(0.0, [ANN, BEN]), make_result(1.0, [ANN])]))
    assert summary_lines(summary) == [
        "2 keyframes, 3 person boxes, 2 persons, 8 rows",
        "  most seen: stand 2 s, watch (a person) 2 s",
    ]


def test_single_things_are_not_plural(journal_of, make_result):
    summary = summary_of(journal_of([make_result(0.0, [(1, 0.9, [0, 0, 9, 9], [0.1, 0, 0, 0])])]))
    assert summary_lines(summary) == [
        "1 keyframe, 1 person box, 1 person, 1 row",
        "  no action scored 0.30 or more",
    ]


def test_persons_of_two_videos_are_added_although_their_ids_are_equal(tmp_path, make_header, make_result):
    with Journal.create(tmp_path / "j") as journal:
        for video_id in "ab":
            journal.begin(make_header(video_id))
            journal.append(make_result(0.0, [ANN]))
            journal.finish("complete")
    assert summary_of(tmp_path / "j").persons == 2


def test_without_tracking_nobody_counts_persons(journal_of, make_result):
    journal = journal_of([make_result(0.0, [(-1, *ANN[1:])])], track=False)
    assert summary_of(journal).persons is None
    assert summary_lines(summary_of(journal))[0] == "1 keyframe, 1 person box, 3 rows"


def test_keyframes_beyond_the_official_fifty_are_counted(journal_of, make_result):
    crowd = [(k, 0.9, [0, 0, 9, 9], [0.5, 0.5, 0.5, 0.5]) for k in range(1, 14)]  # 13 x 4 = 52 rows
    summary = summary_of(journal_of([make_result(0.0, crowd[:12]), make_result(1.0, crowd)]))
    assert summary.crowded_keyframes == 1
    assert summary_lines(summary)[2] == (
        "  1 keyframe with more than 50 rows; the official evaluation keeps the best 50"
    )


def test_when_nobody_was_found_the_best_below_the_threshold_is_told(tmp_path, journal_of, make_result):
    empty = [make_result(float(time), best_person_score=score) for time, score in ((11, 0.3), (12, 0.41))]
    summary = summary_of(journal_of([make_result(0.0), *empty]))
    assert summary_lines(summary) == [
        "no person scored 0.80 or more on any of 3 keyframes (best: 0.41 at 0:12)."
    ]
    assert (
        wrote_line(out_target("actions.csv"), summary)
        == "wrote actions.csv (0 rows). Try --person-thresh 0.4,"
        " or look at: ava-detect boxes gym.mp4 --video boxes.mp4"
    )


def test_when_nothing_at_all_was_detected_no_threshold_helps(journal_of, make_result):
    summary = summary_of(journal_of([make_result(0.0)]))
    assert summary_lines(summary) == ["no person found on any of 1 keyframe, at any threshold"]
    assert wrote_line(out_target("actions.csv"), summary) == "wrote actions.csv (0 rows)"


def test_boxes_from_a_file_have_no_threshold(journal_of, make_result):
    summary = summary_of(journal_of([make_result(0.0), make_result(1.0)], person_thresh=None))
    assert summary_lines(summary) == ["no boxes of people on any of 2 keyframes"]


def test_written_files_are_described(journal_of, make_result):
    summary = summary_of(journal_of([make_result(0.0, [ANN])]))
    assert wrote_line(out_target("actions.csv"), summary) == (
        "wrote actions.csv (AVA rows: video_id, timestamp, x1, y1, x2, y2, action_id, score)"
    )
    assert wrote_line(table_target("t.csv"), summary).startswith("wrote t.csv (table with header")


def test_a_video_that_ended_early_is_told_with_its_last_keyframe(journal_of, make_result):
    summary = summary_of(journal_of([make_result(0.0), make_result(96.0)], status="damaged"))
    (video,) = summary.incomplete
    assert (video.video_id, video.status, video.keyframes, video.last_time) == ("gym", "damaged", 2, 96.0)
    assert summary.as_json()["videos"][0]["reason"] == "invalid data at 1:37.4"


def test_a_caveat_is_in_the_summary_once(make_header):
    header = make_header()
    doubtful = replace(
        header,
        model=replace(header.model, caveat="knows drawings"),
        detector=replace(header.detector, caveat="knows drawings"),
    )
    assert summarise([doubtful, End("complete", 0)]).as_json()["caveats"] == ["knows drawings"]
    assert summarise([header, End("complete", 0)]).as_json()["caveats"] == []


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (67.9, "1:07"), (3600, "1:00:00")])
def test_times_read_as_a_clock(seconds, text):
    assert clock(seconds) == text


def test_the_strongest_actions_of_nobody_are_no_table(tmp_path):
    Journal.create(tmp_path / "j").close()
    assert strongest(read_journal(tmp_path / "j")) == []
    assert table_lines([]) == []


def test_each_action_of_a_person_is_there_once_at_its_best(journal_of, make_result):
    better = (1, 0.95, [20, 10, 120, 60], [0.85, 0.1, 0.0, 0.4])
    moments = strongest(
        read_journal(journal_of([make_result(0.0, [ANN, BEN]), make_result(1.0, [better])])), 3
    )
    assert moments == [
        Moment("gym", 0.0, 1, "stand", 0.9),
        Moment("gym", 0.0, 2, "stand", 0.5),
        Moment("gym", 1.0, 1, "watch (a person)", 0.4),
    ]


def test_an_action_that_was_pushed_out_can_come_back(journal_of, make_result):
    def person(person_id, score):
        return (person_id, 0.9, [0, 0, 9, 9], [score, 0, 0, 0])

    results = [
        make_result(0.0, [person(1, 0.1)]),
        make_result(1.0, [person(2, 0.2)]),
        make_result(2.0, [person(1, 0.3)]),
    ]
    (moment,) = strongest(read_journal(journal_of(results)), 1)
    assert (moment.person_id, moment.time, moment.score) == (1, 2.0, 0.3)


def test_the_table_of_the_strongest_is_aligned():
    moments = [Moment("gym", 67.0, 3, "talk to", 0.934), Moment("gym", 5.0, None, "sit", 0.5)]
    assert table_lines(moments) == [
        "video  time  person  action   score",
        "gym    1:07  #3      talk to  0.93",
        "gym    0:05          sit      0.50",
    ]
