"""The mixed model: the analysis of variance where that is exact, and right on the whole where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason.evaluation.statistics.mixed import mixed_model


def design(readers: int, cases: int, arms: int) -> tuple[list[str], list[str], list[str]]:
    """Every reader reads every case in every arm."""
    rows = [(f"a{a}", f"r{r}", f"c{c}") for r in range(readers) for c in range(cases) for a in range(arms)]
    return tuple(map(list, zip(*rows, strict=True)))  # type: ignore[return-value]


@settings(max_examples=15)
@given(st.integers(2, 4), st.integers(3, 8), st.integers(0, 10**6))
def test_a_balanced_design_gives_the_means_and_the_error_of_the_analysis_of_variance(readers, cases, seed):
    rng = np.random.default_rng(seed)
    arms, who, what = design(readers, cases, 2)
    by_reader = dict(zip(dict.fromkeys(who), rng.normal(0, 5, readers), strict=True))
    by_case = dict(zip(dict.fromkeys(what), rng.normal(0, 4, cases), strict=True))
    y = np.array(
        [by_reader[r] + by_case[c] + 3 * (a == "a1") for a, r, c in zip(arms, who, what, strict=True)]
    )
    y += rng.normal(0, 0.5, y.size)
    found = mixed_model(y.tolist(), arms, who, what)
    table = y.reshape(readers, cases, 2)
    rest = table - table.mean((1, 2))[:, None, None] - table.mean((0, 2))[None, :, None]
    rest = rest - table.mean((0, 1))[None, None, :] + 2 * table.mean()
    degrees = y.size - 1 - (readers - 1) - (cases - 1) - 1
    error = np.sqrt((rest**2).sum() / degrees * 2 / (readers * cases))
    effect = found.effects["a1"]
    assert effect.value == pytest.approx(table[..., 1].mean() - table[..., 0].mean())
    assert found.degrees == degrees
    assert effect.error == pytest.approx(error, rel=0.02)
    assert effect.low < effect.value < effect.high


def test_intervals_hold_about_as_often_as_they_say_in_an_unbalanced_design():
    rng = np.random.default_rng(5)
    hits, tries = 0, 40
    for _ in range(tries):
        who = [f"r{number % 4}" for number in range(40)]
        what = [f"c{(number * 7) % 13}" for number in range(40)]
        arms = ["b" if (number // 4) % 2 else "a" for number in range(40)]
        readers, cases = rng.normal(0, 3, 4), rng.normal(0, 2, 13)
        y = [readers[int(r[1:])] + cases[int(c[1:])] + 2.0 * (a == "b") + rng.normal(0, 2)
             for a, r, c in zip(arms, who, what, strict=True)]  # fmt: skip
        effect = mixed_model(y, arms, who, what).effects["b"]
        hits += effect.low <= 2.0 <= effect.high
    assert 0.85 <= hits / tries <= 1.0


def test_where_nothing_varies_or_nothing_is_left_there_is_no_interval():
    flat = mixed_model([5, 5, 5, 5], ["a", "b", "a", "b"], ["r", "r", "s", "s"], ["1", "1", "2", "2"])
    assert flat.effects["b"].value == pytest.approx(0)
    assert flat.effects["b"].p is None
    tiny = mixed_model([1, 4], ["a", "b"], ["r", "s"], ["1", "2"])
    assert tiny.effects["b"].p is None


def test_one_arm_has_no_effects_and_holes_raise():
    assert mixed_model([1, 2, 4], ["a"] * 3, ["r", "r", "s"], ["1", "2", "3"]).effects == {}
    with pytest.raises(ValueError, match="all of them finite"):
        mixed_model([1, float("nan")], ["a", "b"], ["r", "r"], ["1", "2"])


def test_the_first_arm_can_be_named():
    found = mixed_model(
        [3, 5, 4, 7], ["a", "b", "a", "b"], ["r", "r", "s", "s"], ["1", "2", "2", "1"], first="b"
    )
    assert found.first == "b"
    assert list(found.effects) == ["a"]
