"""Seeded draws: the same for the same key, apart for different keys, and made of PCG64's raw numbers only."""

import numpy as np
import pytest

from ava_detect.data.scenes.dice import Dice


def test_draws_are_the_53_high_bits_of_pcg64() -> None:
    raw = np.random.PCG64(np.random.SeedSequence([7, 11])).random_raw(5)

    np.testing.assert_array_equal(Dice(7, 11).uniforms(5), (raw >> np.uint64(11)) * 2.0**-53)


def test_the_same_key_gives_the_same_draws_and_another_key_others() -> None:
    first, again, other = (Dice(1, 2, name) for name in ("people", "people", "props"))

    draws = first.uniforms(8)

    np.testing.assert_array_equal(draws, again.uniforms(8))
    assert not np.intersect1d(draws, other.uniforms(8)).size


def test_integers_include_both_ends() -> None:
    dice = Dice(3)

    assert {dice.integer(2, 4) for _ in range(200)} == {2, 3, 4}


def test_weighted_draws_follow_the_weights() -> None:
    dice = Dice(4)

    drawn = [dice.pick_weighted({"often": 3.0, "never": 0.0, "seldom": 1.0}) for _ in range(4000)]

    assert drawn.count("never") == 0
    # Standard deviation of the share is 0.007.
    assert drawn.count("often") / 4000 == pytest.approx(0.75, abs=0.03)


def test_gaussians_have_mean_zero_and_deviation_one() -> None:
    values = Dice(5).gaussians(100, 100)

    assert values.shape == (100, 100)
    assert values.mean() == pytest.approx(0, abs=0.05)
    assert values.std() == pytest.approx(1, abs=0.05)
