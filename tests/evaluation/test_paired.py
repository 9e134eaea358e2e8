"""Paired tests against worked values and against scipy."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason.evaluation.statistics import (
    holm,
    mcnemar,
    paired_t,
    randomisation,
    randomisation_total,
    wilcoxon,
)

FIRST = [0.52, 0.61, 0.48, 0.70, 0.66, 0.59, 0.73, 0.45]
SECOND = [0.50, 0.55, 0.49, 0.62, 0.61, 0.60, 0.64, 0.41]
MOVED = [3, -1, 4, 2, -2, 5, 1, 6, 0, 7]


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [(10, 3, 0.092285), (5, 0, 0.0625), (25, 14, 0.108129), (60, 40, 0.056888), (1, 1, 1), (0, 0, 1)],
)
def test_mcnemar_is_exact_and_does_not_care_who_comes_first(first, second, p):
    assert mcnemar(first, second).p == pytest.approx(p, abs=1e-6)
    assert mcnemar(second, first) == mcnemar(first, second)


def test_mcnemar_shows_the_approximations_beside_it():
    found = mcnemar(10, 3)
    assert (found.chi2_corrected, found.p_corrected) == pytest.approx((2.769231, 0.096092), abs=1e-6)
    assert (found.chi2, found.p_uncorrected) == pytest.approx((3.769231, 0.052204), abs=1e-6)


def test_holm_adjusts_in_the_order_given():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_agrees_with_the_binomial_test_of_scipy(first, second):
    if first + second:
        expected = scipy.stats.binomtest(first, first + second).pvalue
        assert mcnemar(first, second).p == pytest.approx(expected, rel=1e-9)


def test_paired_t_has_its_worked_values():
    found = paired_t(FIRST, SECOND)
    assert (found.t, found.p) == pytest.approx((2.993326, 0.020131), abs=1e-6)
    assert (found.low, found.high) == pytest.approx((0.008401, 0.071599), abs=1e-6)
    assert found.n == 8


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(0, 2**31))
def test_paired_t_agrees_with_scipy(n, seed):
    random = np.random.default_rng(seed)
    first, second = random.normal(0.2, 1, n), random.normal(0, 1, n)
    expected = scipy.stats.ttest_rel(first, second)
    interval = expected.confidence_interval()
    found = paired_t(first.tolist(), second.tolist())
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9, abs=1e-9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-9, abs=1e-9)


def test_differences_that_do_not_vary_have_no_t():
    assert (paired_t([1.0, 2.0], [1.0, 2.0]).p, paired_t([1.1, 2.1], [1.0, 2.0]).p) == (1.0, None)
    assert paired_t([1.0], [0.0]).p is None


def test_wilcoxon_is_exact_with_ties_and_counts_its_zeros():
    found = wilcoxon(MOVED, [0] * 10)
    assert (found.positive, found.negative, found.n, found.num_zero) == (40, 5, 9, 1)
    assert found.exact
    assert found.p == pytest.approx(22 / 512)


def test_wilcoxon_of_many_pairs_is_the_normal_one(monkeypatch):
    monkeypatch.setattr("cxreason.evaluation.statistics.paired.EXACT_RANKS", 0)
    assert wilcoxon(MOVED, [0] * 10).p == pytest.approx(0.037814, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 50), st.integers(0, 2**31))
def test_wilcoxon_without_ties_agrees_with_scipy_exactly(n, seed):
    random = np.random.default_rng(seed)
    first, second = random.normal(0.3, 1, n), random.normal(0, 1, n)
    expected = scipy.stats.wilcoxon(first, second, method="exact").pvalue
    assert wilcoxon(first.tolist(), second.tolist()).p == pytest.approx(expected, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(60, 120), st.integers(0, 2**31))
def test_wilcoxon_with_ties_agrees_with_scipy_where_both_are_normal(n, seed):
    random = np.random.default_rng(seed)
    first, second = random.integers(-2, 4, n) * 5.0, random.integers(-2, 3, n) * 5.0
    found = wilcoxon(first.tolist(), second.tolist())
    if found.n > 50:
        expected = scipy.stats.wilcoxon(first, second, method="approx", correction=False).pvalue
        assert found.p == pytest.approx(expected, rel=1e-9)


def test_wilcoxon_of_equal_values_sees_no_difference():
    assert wilcoxon([1, 2], [1, 2]).p == 1.0


def test_all_sign_flips_of_few_pairs_are_tried_and_float_ties_count():
    assert randomisation(FIRST, SECOND) == 10 / 256


def test_what_no_flip_reaches_is_rare_but_not_impossible():
    assert randomisation(np.linspace(5, 6, 40).tolist(), [0.0] * 40, draws=999) == 0.001


@settings(max_examples=10, deadline=None)
@given(st.integers(17, 60), st.integers(0, 2**31))
def test_drawn_flips_come_near_the_test_of_scipy(n, seed):
    random = np.random.default_rng(seed)
    first, second = random.normal(0.2, 1, n), random.normal(0, 1, n)
    expected = scipy.stats.permutation_test(
        (first, second),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=4000,
        rng=np.random.default_rng(seed),
    ).pvalue
    assert randomisation(first.tolist(), second.tolist(), seed=seed) == pytest.approx(expected, abs=0.04)


def test_patients_are_flipped_whole():
    # One patient with many items that all differ alike is one coin, not twenty.
    first, second = [1.0] * 20 + [0.0, 1.0], [0.0] * 20 + [0.0, 1.0]
    assert randomisation(first, second) < 1e-3
    assert randomisation(first, second, ["a"] * 20 + ["b", "c"]) == 1.0


def test_a_metric_of_the_whole_set_is_randomised_by_its_parts():
    random = np.random.default_rng(0)
    first, second = random.random(14), random.random(14)
    whole = randomisation_total(
        np.stack([first, np.ones(14)], 1),
        np.stack([second, np.ones(14)], 1),
        lambda sums: sums[:, 0] / sums[:, 1],
    )
    assert whole == randomisation(first.tolist(), second.tolist())


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: mcnemar(-1, 2), "counts"),
        (lambda: paired_t([1], [1, 2]), "pairs"),
        (lambda: wilcoxon([], []), "no pairs"),
        (lambda: randomisation([1.0, float("nan")], [1, 2]), "missing"),
        (lambda: randomisation_total(np.zeros((2, 1)), np.zeros((2, 2)), lambda s: s[:, 0]), "pairs"),
        (
            lambda: randomisation_total(np.zeros((2, 1)), np.zeros((2, 1)), lambda s: s[:, 0] * np.nan),
            "value",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
