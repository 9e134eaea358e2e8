"""The design: balanced, spread, drawn anew for each reader, and the same at every start."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_folder import made, protocol

from cxreason.recipes import RecipeError, validate
from cxreason.study.design import design, williams
from cxreason.study.protocol import Protocol, StudyError

EDITS = {f"draft-{name}": {"mode": "edit", "draft": name} for name in ("machine", "junior")}
ARMS = {**protocol()["arms"], **EDITS}


def study(num_cases: int, num_readers: int, part: dict, **changes) -> Protocol:
    """One part, with as many cases and readers as wanted."""
    cases = [{**protocol()["cases"][0], "id": f"c{number}"} for number in range(num_cases)]
    readers = [{"name": f"r{number}", "group": "resident"} for number in range(num_readers)]
    parts = [{"groups": ["resident"], **part}]
    return Protocol.model_validate(protocol(cases=cases, readers=readers, arms=ARMS, parts=parts) | changes)


arms = st.lists(st.sampled_from(sorted(ARMS)), min_size=1, max_size=4, unique=True)
sizes = st.integers(1, 12)


crossings, orders = st.sampled_from(["once", "every"]), st.sampled_from(["mixed", "blocks"])


@given(arms, sizes, st.integers(1, 6), crossings, orders, st.integers(0, 99))
def test_each_reader_reads_each_case_once_or_once_in_every_arm(arms, cases, readers, crossing, order, seed):
    plan = study(cases, readers, {"arms": arms, "crossing": crossing, "order": order}, seed=seed)
    made = design(plan)
    for reader in plan.readers:
        own = [one for one in made if one.reader == reader.name]
        assert [one.position for one in own] == list(range(len(own)))
        pairs = {(one.case, one.arm) for one in own}
        assert len(pairs) == len(own) == cases * (len(arms) if crossing == "every" else 1)
        counts = Counter(one.arm for one in own)
        assert max(counts.values()) - min(counts.get(arm, 0) for arm in arms) <= 1
        if order == "blocks":
            blocks = [one.arm for place, one in enumerate(own) if not place or own[place - 1].arm != one.arm]
            assert len(blocks) == len(set(blocks))


@given(arms, st.integers(1, 4), sizes, st.integers(0, 99))
def test_over_as_many_readers_as_arms_each_case_is_read_in_each_arm_equally_often(arms, times, cases, seed):
    made = design(study(cases, times * len(arms), {"arms": arms}, seed=seed))
    assert set(Counter((one.case, one.arm) for one in made).values()) == {times}


@given(arms, st.integers(2, 14), st.integers(1, 3), st.integers(0, 13), st.integers(0, 99))
def test_a_case_never_comes_back_within_the_wash_out(arms, cases, readers, washout, seed):
    plan = study(cases, readers, {"arms": arms, "crossing": "every"}, washout=washout, seed=seed)
    if len(arms) > 1 and washout >= cases:
        with pytest.raises(StudyError, match=r"Lower `washout` or give the part more cases"):
            design(plan)
        return
    for reader in plan.readers:
        last: dict[str, int] = {}
        for one in (one for one in design(plan) if one.reader == reader.name):
            assert one.position - last.get(one.case, -1 - washout) > washout
            last[one.case] = one.position


@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 999))
def test_each_report_stands_on_the_left_half_of_the_time(cases, readers, seed):
    made = design(study(cases, readers, {"arms": ["arm-blind"]}, seed=seed))
    for reader in {one.reader for one in made}:
        left = Counter(one.left for one in made if one.reader == reader)
        assert abs(left["machine"] - left["junior"]) <= 1
    assert all(one.left for one in made)


def test_sides_and_orders_differ_between_readers_and_seeds():
    made = design(study(12, 4, {"arms": ["arm-blind"]}))
    by_reader = {
        reader: [(one.case, one.left) for one in made if one.reader == reader] for reader in ("r0", "r1")
    }
    assert by_reader["r0"] != by_reader["r1"]
    assert dict(by_reader["r0"]) != dict(by_reader["r1"])
    assert made != design(study(12, 4, {"arms": ["arm-blind"]}, seed=4))
    assert made == design(study(12, 4, {"arms": ["arm-blind"]}))


@given(st.integers(2, 12), st.data())
def test_shared_cases_are_the_same_for_all_and_the_others_are_spread_evenly(cases, data):
    each = data.draw(st.integers(1, cases))
    shared = data.draw(st.integers(0, each))
    readers = data.draw(st.integers(1, 5))
    made = design(
        study(cases, readers, {"arms": ["arm-scratch"], "cases_per_reader": each, "shared": shared})
    )
    seen = Counter(one.case for one in made)
    assert sum(seen.values()) == readers * each
    assert sum(count == readers for count in seen.values()) >= shared
    rest = sorted(seen.get(f"c{number}", 0) for number in range(cases))[: cases - shared]
    assert not rest or max(rest) - min(rest) <= 1


def test_a_reader_who_is_added_at_the_end_changes_nothing_for_the_others():
    part = {"arms": ["arm-scratch", "arm-machine", "arm-blind"], "cases_per_reader": 5, "shared": 2}
    before, after = design(study(9, 3, part)), design(study(9, 4, part))
    assert after[: len(before)] == before


@given(st.integers(1, 9))
def test_a_williams_square_is_balanced_in_places_and_in_neighbours(size):
    rows = williams(size)
    for column in range(size):
        assert set(Counter(row[column] for row in rows).values()) == {len(rows) // size}
    pairs = Counter(pair for row in rows for pair in pairwise(row))
    assert size == 1 or len(pairs) == size * (size - 1)
    assert len(set(pairs.values())) <= 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parts": [{"groups": ["nobody"], "arms": ["arm-blind"]}]}, "names the group 'nobody'"),
        ({"parts": [{"groups": ["resident"], "arms": ["nothing"]}]}, "names the arm 'nothing'"),
        ({"parts": [{"groups": ["resident"], "arms": ["arm-blind"], "pool": "x"}]}, "than pool 'x' has (0)"),
        ({"arms": {"a": {"mode": "edit"}}}, "needs `draft`"),
        ({"arms": {"a": {"mode": "compare", "reports": ["machine", "machine"]}}}, "needs two `reports`"),
        ({"arms": {"arm-scratch": {"mode": "write", "questions": ["why"]}}}, "'why', which is no question"),
        ({"readers": [{"name": "admin", "group": "resident"}]}, "the reader 'admin' is there twice"),
        ({"readers": [{"name": "Ü/../x", "group": "resident"}]}, "readers.0.name"),
        ({"titel": "x"}, "unknown key 'titel'. Did you mean 'title'?"),
        ({"cases": [{**protocol()["cases"][0], "texts": {}}]}, "case 'secret-case-0' has no text 'machine'"),
        ({"cases": [{**protocol()["cases"][0], "reasoning": " "}] * 1}, "needs `question` and `reasoning`"),
    ],
)  # fmt: skip
def test_a_protocol_that_does_not_fit_together_is_told_in_one_line(changes, said):
    values = protocol(**changes)
    if "arms" in changes:
        values["parts"] = [{"groups": ["resident"], "arms": list(changes["arms"])}]
    if "cases" in changes:
        values["parts"] = [{"groups": ["attending"], "arms": ["arm-machine", "arm-thoughts"]}]
    with pytest.raises(RecipeError) as error:
        validate(Protocol, values, "study.yaml")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_protocol_is_as_it_was_read():
    assert made().asked("arm-machine")[0].id == "edit_reason"
    assert [question.id for question in made().asked("arm-scratch")] == []
