"""The choice among candidates, on columns."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cxreason.build.choosing import capped, first, in_sets, in_turns
from cxreason.build.survey import in_turns_of_values

candidates = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=60)


def columns(drawn, seed=0):
    order = np.random.default_rng(seed).permutation(len(drawn)).astype(np.uint64)
    return order, np.array([group for group, _ in drawn]), np.array([value for _, value in drawn])


@given(candidates, st.integers(0, 80))
def test_groups_take_turns_and_none_gets_more_than_twice_the_smallest_or_its_even_share(drawn, number):
    order, groups, _ = columns(drawn)
    chosen = in_turns(order, groups, number)
    counts = Counter(groups[chosen].tolist())
    sizes = Counter(groups.tolist())
    share = -(-min(number, len(drawn)) // len(sizes))
    assert len(set(chosen.tolist())) == len(chosen) <= number
    assert all(count <= max(2 * min(sizes.values()), share, 1) for count in counts.values())
    for group, count in counts.items():  # the queue of a group is served from its front
        queue = sorted(order[groups == group].tolist())
        assert sorted(order[chosen][groups[chosen] == group].tolist()) == queue[:count]


@given(candidates, st.integers(0, 80))
def test_every_value_of_a_group_is_chosen_equally_often(drawn, number):
    order, groups, values = columns(drawn)
    chosen = in_sets(order, groups, values, 3, number)
    told = Counter(zip(groups[chosen].tolist(), values[chosen].tolist(), strict=True))
    assert len(chosen) <= number
    assert all(told[group, value] == told[group, 0] for group, value in told)
    expected = sum(
        min(np.count_nonzero((groups == g) & (values == v)) for v in range(3)) for g in set(groups)
    )
    assert len(chosen) == min(3 * expected, number // 3 * 3)


@given(candidates)
def test_the_order_in_which_candidates_come_changes_nothing(drawn):
    order, groups, values = columns(drawn)
    turned = np.arange(len(drawn))[::-1]
    for choose in (in_turns, lambda o, g, n: in_sets(o, g, values if o is order else values[turned], 3, n)):
        straight = order[choose(order, groups, 7)].tolist()
        assert straight == order[turned][choose(order[turned], groups[turned], 7)].tolist()


def test_a_cap_keeps_the_front_of_the_queue_and_the_rest_as_it_is():
    order = np.array([5, 1, 4, 2, 3], dtype=np.uint64)
    kept = capped(order, np.array([0, 0, 0, 1, 1]), {0: 2})
    assert kept.tolist() == [False, True, True, True, True]
    assert first(order, 2).tolist() == [1, 3]


def test_one_negative_for_each_positive():
    values = np.array([0] * 7 + [1] * 3)
    chosen = in_turns_of_values(np.arange(10, dtype=np.uint64), values, 100)
    assert Counter(values[chosen].tolist()) == {0: 3, 1: 3}
