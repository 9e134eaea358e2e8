"""Intervals and tests against worked values."""

import math
import time
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason.evaluation.statistics import (
    Estimate,
    bootstrap,
    bootstrap_total,
    intervals,
    paired_bootstrap,
    wilson,
)

TEN = [0.2, 0.4, 0.4, 0.6, 0.9, 1, 0.3, 0.7, 0.5, 0.8]


def test_the_bootstrap_interval_has_its_worked_value():
    found = bootstrap(TEN, draws=1000, seed=0)
    assert (found.value, found.low, found.high) == pytest.approx((0.58, 0.43, 0.73))
    assert found.n == 10


def test_many_draws_come_near_the_exact_interval_and_spread():
    found = bootstrap(TEN, draws=200_000, seed=1)
    assert (found.low, found.high) == pytest.approx((0.43, 0.74), abs=0.006)
    spread = intervals._resampled(np.asarray(TEN, float), np.ones(10), 200_000, 1).std()
    assert spread == pytest.approx(0.079750, abs=5e-4)


def test_all_resamples_of_three_items_come_with_their_frequencies():
    means = intervals._resampled(np.array([0.0, 0, 1]), np.ones(3), 27_000, 0)
    counts = [int((np.abs(means - share / 3) < 1e-9).sum()) for share in range(4)]
    assert counts == pytest.approx([8000, 12000, 6000, 1000], rel=0.06)


def test_patients_are_drawn_whole_and_weigh_by_their_items():
    values, groups = [1, 1, 0, 0, 1, 1], ["A", "A", "A", "B", "C", "C"]
    found = bootstrap(values, groups, draws=27_000)
    assert found.value == pytest.approx(0.666667, abs=1e-6)  # not the mean of patient means, 0.555556
    sums, sizes = intervals._by_group(np.asarray(values, float), groups)
    assert (sums.tolist(), sizes.tolist()) == ([2, 0, 2], [3, 1, 2])
    every = [sums[list(drawn)].sum() / sizes[list(drawn)].sum() for drawn in product(range(3), repeat=3)]
    assert (np.mean(every), np.std(every)) == pytest.approx((0.640829, 0.196678), abs=1e-6)
    means = intervals._resampled(sums, sizes, 27_000, 0)
    assert (means.mean(), means.std()) == pytest.approx((0.640829, 0.196678), abs=0.005)


def test_one_patient_each_is_the_plain_bootstrap():
    assert bootstrap(TEN, list("abcdefghij"), seed=3) == bootstrap(TEN, seed=3)


def test_no_item_no_value_and_one_patient_no_interval():
    assert bootstrap([]) == Estimate(None, None, None, 0)
    assert bootstrap([0.5]) == Estimate(0.5, None, None, 1)
    assert bootstrap([0, 1], ["a", "a"]) == Estimate(0.5, None, None, 2)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: bootstrap([1.0, math.nan]), "missing"),
        (lambda: bootstrap([1, 0], ["a"]), "2 values but 1 groups"),
        (lambda: bootstrap([1, 0], draws=0), "draws"),
        (lambda: paired_bootstrap([1], [1, 0]), "pairs"),
        (lambda: wilson(3, 2), "3 hits of 2"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcde"), st.floats(0, 1)), min_size=2, max_size=30), st.randoms())
def test_the_order_of_items_changes_no_grouped_interval(rows, random):
    shuffled = random.sample(rows, len(rows))
    first = bootstrap([value for _, value in rows], [name for name, _ in rows], draws=50)
    second = bootstrap([value for _, value in shuffled], [name for name, _ in shuffled], draws=50)
    assert (first.low, first.high) == (second.low, second.high)
    if first.low is not None:
        assert 0 <= first.low <= first.high <= 1


def test_the_chunk_size_changes_nothing(monkeypatch):
    whole = bootstrap(TEN, list("aabbccddee"), seed=5)
    monkeypatch.setattr(intervals, "CHUNK", 7)
    assert bootstrap(TEN, list("aabbccddee"), seed=5) == whole


@pytest.mark.timing
def test_forty_thousand_items_take_about_a_second():
    values = np.random.default_rng(0).random(40_000).tolist()
    started = time.process_time()  # this process's own time, so that a busy machine does not fail the test
    found = bootstrap(values)
    assert time.process_time() - started < 3  # 0.4 s on a free core
    assert found.high - found.low == pytest.approx(2 * 1.96 * math.sqrt(1 / 12 / 40_000), rel=0.1)


def test_right_and_wrong_are_drawn_by_kind_with_the_same_interval(monkeypatch):
    random = np.random.default_rng(4)
    values = (random.random(5000) < 0.7).astype(float).tolist()
    patients = random.integers(0, 2000, 5000).tolist()
    by_kind = bootstrap(values, patients, draws=4000)
    monkeypatch.setattr(intervals, "MANY", 10**9)
    one_by_one = bootstrap(values, patients, draws=4000)
    assert by_kind.value == one_by_one.value
    assert (by_kind.low, by_kind.high) == pytest.approx((one_by_one.low, one_by_one.high), abs=1e-3)
    assert by_kind != one_by_one  # another way, or nothing was compared


def test_a_metric_of_the_whole_set_is_resampled_from_its_parts():
    parts = [[value, 1.0] for value in TEN]
    found = bootstrap_total(parts, lambda sums: sums[:, 0] / sums[:, 1], draws=1000, seed=0)
    assert (found.value, found.low, found.high) == pytest.approx((0.58, 0.43, 0.73))
    patients = list("aabbccddee")
    grouped = bootstrap_total(parts, lambda sums: sums[:, 0] / sums[:, 1], patients, seed=3)
    plain = bootstrap(TEN, patients, seed=3)
    assert (grouped.low, grouped.high, grouped.n) == pytest.approx((plain.low, plain.high, plain.n))


def test_rows_that_are_alike_are_drawn_by_kind_with_the_same_interval(monkeypatch):
    random = np.random.default_rng(5)
    parts = np.stack([random.integers(0, 3, 4000), np.full(4000, 2), random.integers(0, 2, 4000)], axis=1)

    def value(sums):
        return sums[:, 0] / sums[:, 1] + sums[:, 2]

    by_kind = bootstrap_total(parts, value, draws=3000)
    turned = bootstrap_total(parts[::-1], value, draws=3000)
    monkeypatch.setattr(intervals, "MANY", 10**9)
    one_by_one = bootstrap_total(parts, value, draws=3000)
    assert by_kind == turned
    assert (by_kind.low, by_kind.high) == pytest.approx((one_by_one.low, one_by_one.high), rel=5e-3)
    assert by_kind != one_by_one


def test_draws_without_a_value_are_left_out_and_half_of_them_leave_no_interval():
    def mean(sums):
        return np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0)

    rare = bootstrap_total([[1, 1]] + [[0, 0]] * 9, mean, draws=400)
    assert (rare.value, rare.low, rare.high) == (1.0, 1.0, 1.0)  # drawn in 65% of all
    none = bootstrap_total([[0, 0]] * 3, mean)
    assert none == Estimate(None, None, None, 3)


def test_a_difference_is_taken_over_pairs():
    same = paired_bootstrap(TEN, [value - 0.1 for value in TEN])
    assert (same.value, same.low, same.high) == pytest.approx((0.1, 0.1, 0.1))


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(0, 20, 0, 0.161125), (20, 20, 0.838875, 1), (1, 10, 0.017876, 0.404150), (17, 20, 0.639581, 0.947631)],
)
def test_wilson_intervals_have_their_worked_values(hits, n, low, high):
    found = wilson(hits, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)
    assert (found.value, found.n) == (hits / n, n)


def test_wilson_of_nothing_is_nothing():
    assert wilson(0, 0) == Estimate(None, None, None, 0)
