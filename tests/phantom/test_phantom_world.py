"""The phantom patients: reproducible, plausible, kept apart by split, linked to their priors."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason.phantom.generate import phantom, studies
from cxreason.phantom.world import DRAWN, SPLITS, draw_visit
from cxreason.text.ontology import NO_FINDING

COUNT = 1400


@pytest.fixture(scope="module")
def corpus():
    return list(studies(seed=3, num_studies=COUNT))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**40), index=st.integers(0, 5000))
def test_a_study_depends_on_seed_and_number_alone(seed, index):
    first = phantom(seed, index).study
    phantom(seed, index + 1)
    phantom(seed + 1, index)
    assert phantom(seed, index).study == first


def test_other_seeds_give_other_patients():
    assert [p.study.report for p in studies(0, 20)] != [p.study.report for p in studies(1, 20)]
    assert not {p.study.patient_id for p in studies(0, 20)} & {p.study.patient_id for p in studies(1, 20)}


def test_every_finding_is_common_and_over_a_quarter_is_normal(corpus):
    counts = Counter(name for p in corpus for name, value in p.study.labels.items() if value)
    assert min(counts[name] for name in DRAWN) >= 0.08 * COUNT
    assert 0.24 <= counts[NO_FINDING] / COUNT <= 0.32
    for p in corpus:
        assert set(p.study.labels) == {*DRAWN, NO_FINDING}
        assert p.study.labels[NO_FINDING] == (not any(p.study.labels[name] for name in DRAWN))


def test_a_patient_stays_in_one_split_and_shares_are_kept(corpus):
    splits = defaultdict(set)
    for p in corpus:
        splits[p.study.patient_id].add(p.study.split)
    assert all(len(found) == 1 for found in splits.values())
    shares = Counter(next(iter(found)) for found in splits.values())
    for name in ("train", "validation", "test"):
        assert shares[name] / len(splits) == pytest.approx(SPLITS.count(name) / 10)


def test_two_patients_in_five_have_a_prior_that_is_a_study_of_the_same_patient(corpus):
    by_id = {p.study.id: p.study for p in corpus}
    later = [p.study for p in corpus if p.study.prior_id]
    assert len(later) / len({p.study.patient_id for p in corpus}) == pytest.approx(0.4)
    for study in later:
        prior = by_id[study.prior_id]
        assert prior.patient_id == study.patient_id
        assert not prior.prior_id
        assert prior.split == study.split


def test_changes_say_what_became_of_each_finding(corpus):
    seen = Counter()
    for p in corpus:
        if p.visit.prior is None:
            assert p.study.changes == {}
            continue
        before = {finding.name: finding for finding in p.visit.prior.findings}
        now = {finding.name: finding for finding in p.visit.findings}
        for name in {*before, *now} - {"support devices"}:
            old, new = (part[name].level if name in part else 0 for part in (before, now))
            expected = "stable" if old == new else "worsening" if new > old else "improving"
            assert p.study.changes[name] == expected
            seen[expected] += 1
        for name in {*before} & {*now}:
            assert before[name].side == now[name].side
            assert before[name].zone == now[name].zone
        assert set(p.study.changes) <= {*before, *now}
        assert p.study.changes.get("support devices", "stable") == "stable"
    assert min(seen[change] for change in ("worsening", "stable", "improving")) > 50


def test_boxes_lie_on_the_side_of_the_finding(corpus):
    for p in corpus:
        boxes = defaultdict(list)
        for box in p.study.boxes:
            assert 0 <= box.x1 < box.x2 <= 1
            assert 0 <= box.y1 < box.y2 <= 1
            boxes[box.label].append(box)
        assert set(boxes) == {name for name in DRAWN if p.study.labels[name]}
        middle = p.visit.anatomy.midline
        for finding in p.visit.findings:
            found = {"right" if (box.x1 + box.x2) / 2 < middle else "left" for box in boxes[finding.name]}
            if finding.side:  # the image's left is the patient's right
                assert found == set(finding.sides)


def test_visits_of_one_patient_share_their_anatomy():
    later = next(visit for visit in (draw_visit(5, i) for i in range(50)) if visit.prior)
    assert later.prior is not None
    assert later.anatomy != later.prior.anatomy
    assert later.anatomy.half == later.prior.anatomy.half
    assert later.anatomy.midline == pytest.approx(later.prior.anatomy.midline, abs=0.021)
