"""Two files compared: the bootstrap against a literal one that copies videos."""

import numpy as np
import pytest

from evaluation import comparison, evaluate_ava
from evaluation.comparison import compare, resampled_ap
from evaluation.errors import UsageError
from tests.evaluation import reference_evaluators as reference
from tests.evaluation.test_frame_map import THREE_CLASSES, random_files


@pytest.mark.parametrize("dense_cells", [1 << 25, 0])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_weighted_ap_is_that_of_files_with_copied_videos(write_rows, monkeypatch, seed, dense_cells):
    monkeypatch.setattr(comparison, "_DENSE_CELLS", dense_cells)
    truth, found = random_files(seed)
    found = [[*row[:7], f"{float(row[7]) + n / 1e6:.6f}"] for n, row in enumerate(found)]  # no ties
    result = evaluate_ava(write_rows("g.csv", truth), write_rows("d.csv", found), THREE_CLASSES)
    weights = np.array([[1, 2, 0, 3], [1, 1, 2, 0]], np.float32)  # [videos v and w, resamples]
    samples = resampled_ap(result, ["v", "w"], weights)
    for resample, (first, second) in enumerate(weights.T.astype(int).tolist()):
        copied = [
            [
                [f"{row[0]}{copy}", *row[1:]]
                for row in rows
                for copy in range(first if row[0] == "v" else second)
            ]
            for rows in (truth, found)
        ]
        aps, _ = reference.official(*copied, [1, 2, 3])
        assert samples[:, resample] == pytest.approx(list(aps.values()), abs=1e-6, nan_ok=True)


def test_a_file_is_no_better_than_itself(write_rows):
    truth, found = random_files(0)
    result = evaluate_ava(write_rows("g.csv", truth), write_rows("d.csv", found), THREE_CLASSES)
    same = compare(result, result, num_resamples=50)
    assert (same.mean.change, same.mean.low, same.mean.high) == (0, 0, 0)
    assert not same.mean.is_clear
    assert same.share_better == 0


def test_a_better_file_is_found_better_and_the_seed_decides_the_interval(write_rows):
    truth, _ = random_files(0)
    files = [
        write_rows(
            name,
            [[*row[:7], f"{(int(row[6]) * 7 + n * factor) % 10 / 10:.1f}"] for n, row in enumerate(truth)],
        )
        for name, factor in (("some.csv", 3), ("all.csv", 1))
    ]
    half = write_rows("half.csv", files[0].read_text().splitlines()[::2])
    good, bad = (evaluate_ava(write_rows("g.csv", truth), path, THREE_CLASSES) for path in (files[1], half))
    first = compare(bad, good, num_resamples=200, seed=3)
    assert first.mean.change == good.mean - bad.mean > 0
    assert first.mean.low <= first.mean.change <= first.mean.high
    assert first.share_better == 1.0
    assert first == compare(bad, good, num_resamples=200, seed=3)
    assert first.num_videos == 2
    assert {1, 2, 3} == set(first.per_class)


def test_results_under_other_rules_are_not_compared(write_rows):
    truth, found = random_files(0)
    files = write_rows("g.csv", truth), write_rows("d.csv", found)
    with pytest.raises(UsageError, match="only under one protocol and one label map"):
        compare(
            evaluate_ava(*files, THREE_CLASSES), evaluate_ava(*files, THREE_CLASSES, protocol="pyslowfast")
        )
