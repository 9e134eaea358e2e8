"""What is a kind of what."""

import pytest

from cxreason.text.ontology import FINDINGS, PARENTS, ancestors, implies, main_finding, parents


def test_a_granuloma_is_a_nodule_is_a_lesion_is_an_opacity():
    chain = ["granuloma", "nodule", "lung lesion", "lung opacity"]
    for at, narrow in enumerate(chain):
        assert all(implies(narrow, wide) for wide in chain[at:])
        assert not any(implies(narrow, wide) for wide in chain[:at])
    assert ancestors("granuloma") == set(chain)


def test_implying_is_reflexive_transitive_and_never_goes_in_a_circle():
    for name, above in parents().items():
        assert implies(name, name)
        for wider in above:
            assert ancestors(wider) < ancestors(name)


def test_the_13_findings_keep_their_names_order_and_parents():
    assert len(FINDINGS) == 13
    for finding in FINDINGS:
        assert main_finding(finding) == finding
        assert parents()[finding] == ((PARENTS[finding],) if finding in PARENTS else ())


@pytest.mark.parametrize(
    ("finding", "main", "why"),
    [
        ("calcified granuloma", "lung lesion", "the narrowest of the 13, not the lung opacity above it"),
        ("fibrosis", "lung opacity", "no narrower one fits"),
        ("peripherally inserted central catheter", "support devices", "through three parents"),
        ("pericardial effusion", "", "not a pleural effusion"),
        ("subcutaneous emphysema", "", "not an emphysema"),
    ],
)
def test_every_concept_has_at_most_one_place_among_the_13(finding, main, why):
    assert main_finding(finding) == main, why


def test_there_is_a_name_for_what_chest_reports_speak_of():
    assert len(parents()) >= 150


def test_a_name_that_nobody_wrote_down_is_an_error():
    with pytest.raises(ValueError, match="unknown finding 'gout'"):
        implies("gout", "edema")
