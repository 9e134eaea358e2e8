"""Means over seeds and patients: variances taken apart by hand, and intervals that cover what they should."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cxreason.evaluation.statistics import crossed


def test_one_run_is_the_t_interval_over_patients():
    values = [1.0, 0.0, 0.0, 1.0, 1.0, 0.5]
    found = crossed([values], list("abcdef"))
    low, high = stats.t.interval(0.95, 5, np.mean(values), stats.sem(values))
    assert (found.value, found.low, found.high) == pytest.approx((np.mean(values), max(low, 0), min(high, 1)))
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert found.of_runs == pytest.approx((np.mean(values),))


def test_the_variance_is_that_of_the_crossed_design():
    runs = np.array([[0.1, 0.4, 0.3, 0.8], [0.0, 0.7, 0.2, 0.9], [0.3, 0.9, 0.5, 0.8]])
    seeds, patients = runs.shape
    mean = runs.mean()
    of_patients = seeds * ((runs.mean(0) - mean) ** 2).sum() / (patients - 1)
    of_seeds = patients * ((runs.mean(1) - mean) ** 2).sum() / (seeds - 1)
    rest = runs - runs.mean(0) - runs.mean(1)[:, None] + mean
    of_both = (rest**2).sum() / ((seeds - 1) * (patients - 1))
    whole = of_patients + max(of_seeds - of_both, 0)
    freedom = whole**2 / (of_seeds**2 / (seeds - 1) + of_patients**2 / (patients - 1))
    half = stats.t.ppf(0.975, freedom) * np.sqrt(whole / runs.size)
    found = crossed(runs, list("abcd"))
    assert (found.low, found.high) == pytest.approx((max(mean - half, 0.0), min(mean + half, 0.9)))
    assert found.p == pytest.approx(2 * stats.t.sf(mean / np.sqrt(whole / runs.size), freedom))


def test_questions_of_one_patient_are_no_independent_evidence():
    runs = [[1.0, 1.0, 1.0, 0.0, 0.0, 0.0] * 4] * 3
    together = crossed(runs, [number // 3 for number in range(24)])
    apart = crossed(runs, range(24))
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


def test_seeds_that_agree_add_nothing_and_seeds_that_differ_widen_the_interval():
    generator = np.random.default_rng(3)
    values = generator.random(200)
    alone = crossed([values], range(200))
    same = crossed([values] * 3, range(200))
    assert (same.low, same.high) == pytest.approx((alone.low, alone.high))
    differing = crossed([values - 0.1, values, values + 0.1], range(200))
    assert differing.high - differing.low > 4 * (alone.high - alone.low)


@pytest.mark.parametrize("of_seeds", [0.0, 0.05, 0.2])
def test_intervals_of_three_seeds_cover_the_truth_about_as_often_as_they_say(of_seeds):
    generator, times, hits = np.random.default_rng(5), 400, 0
    for _ in range(times):
        patients = generator.normal(0, 0.3, 60)
        runs = generator.normal(0, of_seeds, (3, 1)) + patients + generator.normal(0, 0.4, (3, 60))
        found = crossed(runs, range(60))
        hits += found.low <= 0.0 <= found.high
    assert hits / times >= 0.92


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=6, max_size=6), min_size=1, max_size=4),
    st.lists(st.sampled_from("abc"), min_size=6, max_size=6),
)
def test_the_interval_holds_the_mean_and_no_value_that_cannot_be(runs, groups):
    found = crossed(runs, groups)
    smallest, largest = min(map(min, runs)), max(map(max, runs))
    if found.low is None:
        assert len(set(groups)) == 1 or smallest == pytest.approx(largest) or found.p in (None, 1.0)
        return
    assert smallest - 1e-9 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= largest + 1e-9
    assert found.p is None or 0 <= found.p <= 1


def test_differences_that_are_all_nothing_are_no_difference_and_have_no_interval():
    found = crossed([[0.0] * 5] * 3, range(5))
    assert (found.value, found.low, found.high, found.p) == (0.0, None, None, 1.0)
    always = crossed([[0.1] * 5] * 3, range(5))
    assert (always.value, always.low, always.p) == (pytest.approx(0.1), None, None)


def test_runs_of_other_items_or_with_holes_are_refused():
    with pytest.raises(ValueError, match="groups"):
        crossed([[1.0, 0.0]], ["a"])
    with pytest.raises(ValueError, match="missing"):
        crossed([[1.0, float("nan")]], ["a", "b"])
    assert crossed([[]], []).value is None
    assert crossed([[0.5, 1.0]], ["a", "a"]).low is None
