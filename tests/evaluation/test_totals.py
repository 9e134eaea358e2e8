"""Adding RadRScores up: as it should be, and as the authors' scorer does."""

import pytest

from cxreason.evaluation.radrscore import RadRScore
from cxreason.evaluation.totals import over_tasks, total


def score(r_c, r_f, r_e, failed=""):
    return RadRScore(r_f, r_c, r_e, failed=failed)


# (R_c, R_f, R_e); the third item's last call failed.
ITEMS = [
    score(0.5, 1, 0.5),
    score(0.25, 0.5, 1),
    score(0.5, 0.5, None, failed="status 500"),
    score(0, 1, 0.5),
]


def parts(found):
    return found.factuality, found.completeness, found.effectiveness


def test_the_released_arithmetic_divides_by_whole_items_what_it_added_from_all():
    found = total(ITEMS, "released")
    assert parts(found) == pytest.approx((1.0, 0.416667, 0.666667), abs=1e-6)
    assert (found.num_items, found.num_scored, found.num_failed) == (4, 3, 1)


@pytest.mark.parametrize("mode", ["paper", "strict"])
def test_whole_items_alone_make_the_correct_means(mode):
    found = total(ITEMS, mode)
    assert parts(found) == pytest.approx((0.833333, 0.25, 0.666667), abs=1e-6)
    assert found.value == pytest.approx((0.833333 + 0.25 + 0.666667) / 3, abs=1e-6)
    assert (found.num_items, found.num_scored, found.num_failed, found.num_left_out) == (4, 3, 1, 0)


def test_a_first_call_that_failed_adds_nothing_in_the_released_arithmetic():
    early = score(None, 0.5, 0.5, failed="status 500")
    assert parts(total([ITEMS[0], early], "released")) == (1, 0.5, 0.5)
    late = score(0.5, None, 0.5, failed="status 500")
    assert parts(total([ITEMS[0], late], "released")) == (1, 1.0, 0.5)


def test_items_that_nobody_can_score_are_counted_apart_from_failures():
    found = total([ITEMS[0], score(None, None, None)])
    assert (found.num_scored, found.num_failed, found.num_left_out) == (1, 0, 1)


@pytest.mark.parametrize("mode", ["paper", "released", "strict"])
def test_no_item_gives_no_value(mode):
    found = total([], mode)
    assert found.value is None
    assert found.num_items == 0


def test_sources_and_tasks_are_not_weighted_by_their_items():
    large, small = [score(1, 1, 1)] * 9, [score(0, 0, 0)]
    overall, tasks = over_tasks(
        {"binary": {"A": large, "B": small}, "single": {"A": small}, "none": {"A": []}}
    )
    assert tasks["binary"].value == 0.5
    assert tasks["none"].value is None
    assert overall.value == 0.25
    assert (overall.num_items, overall.num_scored) == (11, 11)
