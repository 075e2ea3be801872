"""The numbers of the log, worked out by hand."""

from dataclasses import replace

import pytest

from ava_detect.engine.training.meter import Meter, StepFacts, duration


def facts(step: int, *, seconds: float = 2.0, data_seconds: float = 0.5, loss: float = 1.0) -> StepFacts:
    return StepFacts(
        step=step,
        epoch=step / 10,
        loss=loss,
        lr=0.1,
        gradient_norm=None,
        seconds=seconds,
        data_seconds=data_seconds,
        clips=8,
        skipped=0,
        memory=2_000_000_000,
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00:00"),
        (59.6, "0:01:00"),
        (3725, "1:02:05"),
        (86_400, "1 day, 0:00:00"),
        (183_000, "2 days, 2:50:00"),
    ],
)
def test_times_are_written_out(seconds: float, text: str):
    assert duration(seconds) == text


def test_line_of_a_step():
    meter = Meter(total_steps=30, steps_per_epoch=10, epochs=3)
    for step, loss in ((11, 3.0), (12, 1.0), (13, 2.0)):
        meter.add(facts(step, loss=loss))
    assert meter.line() == (
        "train  e 2/3  [ 3/10]  eta 0:00:34  loss 2.0000  lr 0.1  step 2.000 s  data 0.500 s  4.0 clips/s"
        "  mem 2.0 GB"
    )


def test_note_of_a_large_run_leaves_room_for_a_bar_in_80_columns():
    meter = Meter(total_steps=11_250, steps_per_epoch=1125, epochs=10)
    meter.add(replace(facts(1200, seconds=5.3261, loss=0.07134), lr=0.0749961, memory=98_000_000_000))
    assert meter.note() == "eta 14:52:07 loss 0.0713 lr 0.075 step 5.33 s data 9 % 98.0 GB"
    assert len("|#| 1200/11250, " + meter.note()) <= 80


def test_last_step_of_an_epoch_belongs_to_it():
    meter = Meter(total_steps=30, steps_per_epoch=10, epochs=3)
    meter.add(facts(20))
    assert "e 2/3  [10/10]" in meter.line()


def test_slow_loading_is_noticed_after_a_while_only():
    meter = Meter(total_steps=1000, steps_per_epoch=1000, epochs=1)
    for step in range(1, 69):
        meter.add(facts(step, data_seconds=1.0))
        assert not meter.is_slowed_by_loading
    meter.add(facts(69, data_seconds=1.0))  # the 20th fills the window, 50 windows in a row are slow
    assert meter.is_slowed_by_loading


def test_infinite_norm_is_no_json():
    document = StepFacts(1, 0.1, 1.0, 0.1, float("inf"), 1.0, 0.0, 8, 0, 0).document()
    assert document["gradient_norm"] is None
