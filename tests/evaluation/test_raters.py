"""Agreement of raters against the examples of the papers."""

import numpy as np
import pytest

from cxreason.evaluation.statistics import icc, krippendorff

SHROUT_AND_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
FOUR_RATERS = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]


def ratings(lines):
    return [[None if sign == "." else int(sign) for sign in line] for line in lines]


def test_icc_has_the_values_of_shrout_and_fleiss():
    found = icc(SHROUT_AND_FLEISS)
    assert (found.value, found.of_mean, found.fixed_raters) == pytest.approx(
        (0.289764, 0.620051, 0.714841), abs=1e-6
    )
    assert (found.low, found.high) == pytest.approx((0.018787, 0.761084), abs=1e-6)
    assert (found.num_items, found.num_raters) == (6, 4)


def test_icc_asks_for_agreement_and_not_for_a_common_shift():
    assert icc([[1, 1], [2, 2], [3, 3]]).value == 1.0
    shifted = icc([[1, 3], [2, 4], [3, 5]])
    assert shifted.value < 0.5
    assert shifted.fixed_raters == pytest.approx(1.0)
    assert icc([[2, 2], [2, 2]]).value is None


@pytest.mark.parametrize("table", [[[1, 2]], [[1], [2]], [[1, np.nan], [2, 3]]])
def test_icc_refuses_what_is_not_complete(table):
    with pytest.raises(ValueError, match="icc"):
        icc(table)


@pytest.mark.parametrize(
    ("level", "value"), [("nominal", 0.743421), ("ordinal", 0.815388), ("interval", 0.849107)]
)
def test_alpha_has_the_values_of_krippendorff(level, value):
    found = krippendorff(ratings(FOUR_RATERS), level)
    assert found.value == pytest.approx(value, abs=1e-6)
    assert found.n == 11
    assert found.low < value < found.high <= 1


def test_alpha_by_the_definition_over_all_pairs():
    random = np.random.default_rng(3)
    table = random.integers(0, 4, (3, 30)).astype(float)
    table[random.random(table.shape) < 0.2] = np.nan
    units = [column[~np.isnan(column)] for column in table.T]
    units = [unit for unit in units if len(unit) > 1]
    everyone = np.concatenate(units)
    within = sum(((unit[:, None] - unit) ** 2).sum() / (len(unit) - 1) for unit in units)
    among = ((everyone[:, None] - everyone) ** 2).sum() / (len(everyone) - 1)
    assert krippendorff(table, "interval", draws=10).value == pytest.approx(1 - within / among, abs=1e-12)


def test_alpha_of_ratings_that_do_not_vary_is_none():
    assert krippendorff([[1, 1], [1, 1]]).value is None
    assert krippendorff([[1, None], [None, 2]]).n == 0
    with pytest.raises(ValueError, match="level"):
        krippendorff([[1, 2], [1, 2]], "ratio")
    with pytest.raises(ValueError, match="different lengths"):
        krippendorff([[1, 2], [1]])
