"""Learning rates, worked out by hand."""

import pytest

from ava_detect.config import parse_config
from ava_detect.engine.training.schedule import Cosine, Schedule, Steps, build_schedule


@pytest.mark.parametrize(
    ("epoch", "rate"),
    # 0.1 * (1 + cos(pi * e / 4)) / 2; cos(pi / 4) = 0.70711
    [(0, 0.1), (1, 0.0853553), (2, 0.05), (3, 0.0146447), (4, 0.0)],
)
def test_cosine_goes_down_to_its_end(epoch: float, rate: float):
    assert Cosine(0.1, 0.0, 0, 4)(epoch) == pytest.approx(rate, abs=1e-7)


def test_cosine_may_end_above_zero_and_begin_later():
    cosine = Cosine(1.0, 0.2, 2, 6)
    assert [cosine(2), cosine(4), cosine(6)] == pytest.approx([1.0, 0.6, 0.2])


@pytest.mark.parametrize(
    ("epoch", "rate"), [(0, 0.1), (9.999, 0.1), (10, 0.01), (14.5, 0.01), (15, 0.001), (30, 0.001)]
)
def test_steps_begin_at_their_epochs(epoch: float, rate: float):
    assert Steps(0.1, (0, 10, 15), (1, 0.1, 0.01))(epoch) == pytest.approx(rate)


@pytest.mark.parametrize(("epoch", "rate"), [(0, 0.02), (1, 0.06), (1.5, 0.08), (2, 0.1), (2.5, 0.1)])
def test_warmup_is_a_line_to_the_policy(epoch: float, rate: float):
    schedule = Schedule(Steps(0.1, (0,), (1,)), warmup_epochs=2, warmup_lr=0.02)
    assert schedule(epoch) == pytest.approx(rate)


def test_warmup_ends_at_what_the_cosine_has_come_to_by_then():
    schedule = Schedule(Cosine(0.1, 0.0, 0, 4), warmup_epochs=1, warmup_lr=0.0)
    assert schedule(0.5) == pytest.approx(0.0853553 / 2, abs=1e-7)
    assert schedule(1) == pytest.approx(0.0853553, abs=1e-7)


COSINE = "SOLVER: {BASE_LR: 0.4, COSINE_END_LR: 0.04, MAX_EPOCH: 10, WARMUP_EPOCHS: 2, WARMUP_START_LR: 0.02}"


def test_settings_become_a_cosine():
    schedule = build_schedule(parse_config(COSINE))
    assert schedule(0) == pytest.approx(0.02)
    assert schedule(5) == pytest.approx(0.22)  # the middle between 0.4 and 0.04
    assert schedule(10) == pytest.approx(0.04)


def test_cosine_after_the_warmup_begins_there():
    schedule = build_schedule(parse_config(COSINE, overrides=["SOLVER.COSINE_AFTER_WARMUP", True]))
    assert [schedule(2), schedule(6)] == pytest.approx([0.4, 0.22])


def test_settings_become_steps():
    steps = "LR_POLICY: steps_with_relative_lrs, STEPS: [0, 1.5], LRS: [1, 0.1]"
    schedule = build_schedule(parse_config(f"SOLVER: {{BASE_LR: 0.1, MAX_EPOCH: 2, {steps}}}"))
    assert [schedule(1.4), schedule(1.5)] == pytest.approx([0.1, 0.01])


def test_rates_grow_with_machines_only_where_asked():
    asked = build_schedule(
        parse_config(COSINE, overrides=["SOLVER.BASE_LR_SCALE_NUM_SHARDS", True]), machines=3
    )
    assert [asked(0), asked(10)] == pytest.approx([0.06, 0.12])
    assert build_schedule(parse_config(COSINE), machines=3)(0) == pytest.approx(0.02)
