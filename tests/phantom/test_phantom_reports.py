"""The phantom reports: true to the patient, silent about priors that do not exist, varied."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason.phantom.generate import phantom, studies
from cxreason.phantom.report import wording
from cxreason.phantom.world import DEVICES, DRAWN
from cxreason.text import observe
from cxreason.text.ontology import main_finding

COMPARING = re.compile(
    r"prior|previous|unchanged|\bnew\b|newly|stable|increased|decreased|improved|worse|resol|interval|similar|again"
)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 20000))
def test_comparison_is_only_spoken_of_where_there_is_a_prior(index):
    study = phantom(6, index).study
    if not study.prior_id:
        assert not COMPARING.search(study.report.lower())
        assert study.comparison in wording()["comparison"]["none"]
    elif any(study.labels[name] for name in DRAWN):
        assert COMPARING.search(study.report.lower())
        assert study.comparison in wording()["comparison"]["prior"]


def test_the_reader_finds_exactly_what_the_patient_has():
    for p in studies(seed=8, num_studies=250):
        read = observe(p.study.report)
        present = {
            main_finding(observation.finding) for observation in read if observation.status == "present"
        }
        absent = {main_finding(observation.finding) for observation in read if observation.status == "absent"}
        having = {name for name in DRAWN if p.study.labels[name]}
        assert present & set(DRAWN) == having, p.study.report
        assert not absent & having, p.study.report


def test_positives_are_said_with_their_side_and_size():
    for p in studies(seed=9, num_studies=150):
        text = p.study.findings.lower()
        for finding in p.visit.findings:
            words = {"left": "left", "right": "right"}.get(finding.side, "")
            assert words in text
            if finding.name != "support devices":
                sizes = (("small", "mild"), ("moderate",), ("large", "severe"))[finding.level - 1]
                assert any(size in text for size in sizes)


def test_no_blank_is_left_unfilled_and_sentences_are_whole():
    for p in studies(seed=10, num_studies=300):
        text = f"{p.study.indication} {p.study.comparison} {p.study.report}"
        assert "{" not in text
        assert "  " not in text
        assert not re.search(r"\b[Aa] [aeiou]", text)
        for sentence in re.split(r"(?<=\.)\s+", p.study.findings):
            assert sentence[0].isupper()
            assert sentence.endswith(".")


def test_some_normals_stay_unsaid_and_some_are_said():
    spoken = [
        len(p.study.findings.split(". "))
        for p in studies(seed=12, num_studies=200)
        if p.study.labels["no finding"]
    ]
    assert min(spoken) <= 2
    assert max(spoken) >= 5


@pytest.mark.parametrize("name", [*(name for name in DRAWN if name != "support devices"), *DEVICES])
def test_every_finding_has_six_phrasings(name):
    assert len(set(wording()["findings"][name])) >= 6
    assert name in wording()["bare"]


def test_every_kind_of_statement_has_six_phrasings():
    kinds = [*wording()["statements"].values(), *(entry["say"] for entry in wording()["normals"])]
    assert all(len(phrasings) >= 6 for phrasings in [*kinds, *wording()["both"].values()])
    assert {name for entry in wording()["normals"] for name in entry["denies"]} == set(DRAWN)
