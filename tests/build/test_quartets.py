"""Options that four studies share: whoever reads them alone is at chance."""

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from cxreason.audit import audit
from cxreason.build import build
from cxreason.build.quartets import as_bits, in_quartets, written
from cxreason.phantom.layouts.cards import CHEXPERT, labels_as_mined
from cxreason.phantom.study import PhantomStudy, record
from cxreason.phantom.visit import DEEP
from cxreason.phantom.world import draw_visit
from cxreason.recipes import BuildRecipe
from cxreason.records import Sample, Study, to_row
from cxreason.rows import write_parquet
from cxreason.runs import read
from cxreason.text.ontology import NO_FINDING

LABELS = 6
studies = some.lists(
    some.tuples(some.integers(1, 2**LABELS - 1), some.integers(0, 2**LABELS - 1)), min_size=1, max_size=80
)


def offered(drawn, size=1):
    """Every set of `size` present labels of every study, and what is certainly not there."""
    rows = []
    for owner, (there, wrong) in enumerate(drawn):
        for truth in range(2**LABELS):
            if truth.bit_count() == size and truth & there == truth:
                rows.append((owner, truth, wrong & ~there))
    rng = np.random.default_rng(len(rows))
    owners, truths, wrongs = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return rng.permutation(len(rows)).astype(np.uint64), owners, truths, wrongs


@given(studies, some.integers(1, 3), some.integers(0, 60), some.integers(0, 3))
def test_of_every_set_of_options_each_is_right_equally_often(drawn, size, number, turns):
    orders, owners, truths, wrongs = offered(drawn, size)
    places, options = in_quartets(orders, owners, truths, wrongs, number, turns=turns)
    right = defaultdict(Counter)
    letters = Counter()
    for place, row in zip(places.tolist(), options.tolist(), strict=True):
        right[tuple(row)][int(truths[place])] += 1
        letters[row.index(truths[place])] += 1
        shown = np.bitwise_or.reduce(row)
        assert len(set(row)) == 4
        assert {one.bit_count() for one in row} == {size}
        assert shown & ~truths[place] & ~wrongs[place] == 0, "only what certainly is not there may be wrong"
    for row, counts in right.items():
        assert set(counts) == set(row)
        assert len(set(counts.values())) == 1
    assert len(set(letters.values())) <= 1, "no letter is right more often than another"
    assert len(places) <= number
    assert len(set(places.tolist())) == len(places)
    if turns:
        assert max(Counter(owners[places].tolist()).values(), default=0) <= turns


@given(studies, some.integers(1, 2))
def test_no_label_is_true_more_than_twice_as_often_as_another(drawn, size):
    orders, owners, truths, wrongs = offered(drawn, size)
    places, _ = in_quartets(orders, owners, truths, wrongs, 1000, most_ratio=2.0)
    counts = Counter(label for truth in truths[places].tolist() for label in written(truth).split(", "))
    assert not counts or max(counts.values()) <= 2 * min(counts.values())


@given(studies)
def test_the_order_in_which_offers_come_changes_nothing(drawn):
    orders, owners, truths, wrongs = offered(drawn)
    turned = np.arange(len(orders))[::-1]
    straight, options = in_quartets(orders, owners, truths, wrongs, 40)
    columns = (orders[turned], owners[turned], truths[turned], wrongs[turned])
    other, again = in_quartets(*columns, 40)
    assert orders[straight].tolist() == orders[turned][other].tolist()
    assert options.tolist() == again.tolist()


def test_what_nobody_can_be_asked_beside_is_left_out():
    """Five studies, of which one was not judged for what the others have."""
    truths = np.array([1, 2, 4, 8, 1])
    wrongs = np.array([14, 13, 11, 7, 6])
    places, _ = in_quartets(np.arange(5, dtype=np.uint64), np.arange(5), truths, wrongs, 100)
    assert sorted(places.tolist()) == [0, 1, 2, 3]


def test_the_same_options_come_first_in_turn():
    truths = np.tile([1, 2, 4, 8], 40)
    _, options = in_quartets(np.arange(160, dtype=np.uint64), np.arange(160), truths, 15 - truths, 160)
    assert set(Counter(options[:, 0].tolist()).values()) == {40}
    assert len({tuple(row) for row in options.tolist()}) > 8, "and not always in the same order after it"


def test_bits_are_written_in_canonical_order():
    assert written(as_bits(["fracture", "cardiomegaly"])) == "cardiomegaly, fracture"


@pytest.fixture(scope="module")
def mined() -> list[Study]:
    """Phantoms with the labels that a labeller finds in their reports: mostly 1 or nothing."""
    found = []
    for index in range(1500):
        visit = draw_visit(3, index, DEEP)
        one = PhantomStudy(record(visit), visit)
        told = {CHEXPERT[name]: int(float(value)) for name, value in labels_as_mined(one).items() if value}
        found.append(replace(one.study, labels=told))
    return found


def test_questions_from_mined_labels_cannot_be_answered_blind(mined, tmp_path):
    write_parquet(tmp_path / "studies.parquet", Study, map(to_row, mined))
    recipe = BuildRecipe(
        out=tmp_path / "out", studies=(tmp_path,), tasks=("single", "multiple"), per_task={"train": None}
    )
    counts = build(recipe)["tasks"]
    assert counts["single"]["train"] >= 250
    assert counts["multiple"]["train"] >= 80
    assert audit([tmp_path / "out"], hash_images=False)["failures"] == []
    samples = list(read(tmp_path / "out", Sample))
    assert max(Counter(one.study_id for one in samples if one.task == "multiple").values()) <= 4
    told = {one.options["ABCD".index(one.answer)] for one in samples if one.task == "single"}
    assert NO_FINDING in told, "although no labeller ever denies it"
    for one in samples:
        for option in one.options:
            for label in option.split(", "):
                assert one.labels.get(label) in (0, 1) or label == NO_FINDING
