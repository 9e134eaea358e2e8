"""Chains in full sentences: what they may say, and that each statement can be pointed at in the report."""

import random
import re
from collections import Counter
from dataclasses import replace

import pytest

from cxreason.mining import filters
from cxreason.mining import prose_words as words
from cxreason.mining.digest import digest
from cxreason.mining.engines import RulesEngine
from cxreason.mining.prose import mine_prose
from cxreason.phantom.generate import studies
from cxreason.phantom.visit import DEEP, TINY, World
from cxreason.records import Sample
from cxreason.settings import MineFilters
from cxreason.tasks import TASKS, samples
from cxreason.text import observe
from cxreason.text.observations import Observation
from cxreason.text.ontology import FINDINGS, implies, parents

WANTED = MineFilters.model_validate({})


def ask(num_studies: int, seed: int, world: World = TINY) -> list[Sample]:
    """Two questions of each of the five types about each of a few phantoms."""
    drawn = {one.study.id: one.study for one in studies(seed, num_studies, world)}
    asked = []
    for study in drawn.values():
        for task in ("binary", "single", "multiple", "anomaly", "temporal"):
            found = list(samples(study, drawn.get(study.prior_id), task, random.Random(study.id)))
            asked += random.Random(study.id).sample(found, min(2, len(found)))
    return asked


@pytest.fixture(scope="module")
def mined() -> list[tuple[Sample, filters.Candidate]]:
    outcomes = [RulesEngine("prose").mine_one(sample) for sample in ask(40, 7) + ask(8, 7, DEEP)]
    chains = [(one.sample, one.chain) for one in outcomes if one.chain is not None]
    assert set(TASKS) >= {sample.task for sample, _ in chains} >= {"binary", "single", "temporal"}
    assert len(chains) > 120
    return chains


def test_nearly_every_chain_is_wholly_factual_before_any_filter(mined):
    unfounded = [
        problem
        for sample, chain in mined
        if (problem := filters.factuality(chain.reasoning, sample.facts, "strict")[1])
    ]
    assert len(unfounded) <= len(mined) // 100, unfounded[:5]


def test_no_chain_leaks_or_compares_without_a_prior(mined):
    for sample, chain in mined:
        assert filters.find_leak(chain.reasoning) == ""
        if sample.task != "temporal":
            assert filters.find_comparison(chain.reasoning) == ""


def test_a_chain_begins_with_the_problem_and_ends_with_the_answer(mined):
    for sample, chain in mined:
        assert observe(" ".join(re.split(r"(?<=[.?]) ", chain.reasoning)[:2])) == []
        said = (
            f"{chain.answer}, {sample.options['ABCD'.index(chain.answer)].lower()}"
            if sample.options
            else (chain.answer)
        )
        assert chain.reasoning.endswith(f" {said}.")


def test_the_evidence_is_sentences_of_the_report(mined):
    for sample, chain in mined:
        assert chain.evidence
        assert all(sentence in sample.facts for sentence in chain.evidence)


def test_sentences_are_whole_and_never_begin_twice_alike_in_a_row(mined):
    for _, chain in mined:
        sentences = re.split(r"(?<=[.?]) ", chain.reasoning)
        assert all(re.fullmatch(r"[A-Z].*[a-z0-9)][.?]", sentence) for sentence in sentences), chain.reasoning
        assert "  " not in chain.reasoning
        assert "{" not in chain.reasoning


def test_the_same_sample_gets_the_same_chain_and_others_get_other_words(mined):
    for sample, chain in mined[:50]:
        assert mine_prose(sample).reasoning == chain.reasoning
    openings = Counter(chain.reasoning.split()[0] for sample, chain in mined if sample.task == "binary")
    assert len(openings) >= 3


def test_the_gold_answer_is_never_looked_at(mined):
    for sample, chain in mined[:100]:
        other = "A" if sample.kind == "choice" else "edema"
        assert (
            mine_prose(replace(sample, answer=other, labels=dict.fromkeys(sample.labels, 0))).reasoning
            == chain.reasoning
        )


def every(slot, **slots):
    for finding in FINDINGS:
        one = words.one(finding)
        known = {"one": one, "noun": words.finding_noun(finding), "region": "the lungs"}
        known |= {"list": f"{one} or edema", "options": f"{one}, edema with a fracture or a nodule"} | slots
        for sentence in slot:
            yield sentence.format(**known)


def test_what_is_said_before_looking_and_of_what_is_silent_asserts_nothing():
    told = words.wording()
    openings = [line for lines in told["signs"].values() for line in lines]
    for task in ("binary", "single", "multiple", "anomaly", "temporal"):
        openings += every(told[task]["problem"])
        openings += every(told[task].get("plan", []))
    for sets, fall in (("options A and B", "fall"), ("option A", "falls")):
        openings += every(told["multiple"]["fails"]["silent"], options=sets, fall=fall)
    openings += every(told["silent"] + told["silent_options"])
    openings += every(told["temporal"]["none_first"] + told["temporal"]["none_second"])
    assert [(line, observe(line)) for line in openings if observe(line)] == []


def test_every_finding_has_signs_to_look_for_and_a_region():
    for finding in FINDINGS:
        assert len(words.wording()["signs"][finding]) >= 3
        assert words.nouns()[finding].region in words.wording()["region_names"]
    assert set(words.nouns()) <= set(parents())
    assert set(words.wording()["sized"]) | set(words.wording()["midline"]) <= set(words.nouns())


@pytest.mark.parametrize("side", ["", "left", "right", "both"])
@pytest.mark.parametrize("severity", ["", "severe"])
def test_every_concept_is_read_back_as_it_was_told(side, severity):
    for concept in words.nouns():
        for zone in ("", "lower"):
            location = f"{side} {zone} lung".strip() if zone else ""
            seen = Observation(concept, "present", location, side, severity)
            for seed in range(2):
                sentence = words.say_present(seen, words.Voice(str(seed)))
                read = [one for one in observe(sentence) if implies(one.finding, concept)]
                assert read, f"{concept}: {sentence}"
                assert all(one.status == "present" for one in read), sentence
                assert all(one.side in ("", side) for one in read), sentence
                assert all(one.severity in ("", severity) for one in read), sentence
                others = [one.finding for one in observe(sentence) if not implies(concept, one.finding)]
                assert set(others) <= {one.finding for one in read}, sentence


def test_every_denial_is_read_back_as_denying_just_that():
    for finding in FINDINGS:
        for seed in range(8):
            (sentence,) = words.say_absent([finding], words.Voice(str(seed)))
            read = observe(sentence)
            assert {one.status for one in read} == {"absent"}, sentence
            assert {one.finding for one in read} <= {finding, "pleural thickening"}, sentence


def test_no_word_that_joins_sentences_changes_what_they_say():
    told = words.wording()
    joins = {join for joins in (*told["join"].values(), told["binary"]["accompanying"]) for join in joins}
    sentences = [line for lines in told["absent"]["normal"].values() for line in lines]
    sentences += [*told["absent"]["heart"], *told["absent"]["lungs"]]
    sentences += [line.format(list="fracture or nodule") for line in told["absent"]["listed"]]
    sentences += [line.format(degree="mildly ") for lines in told["own"].values() for line in lines]
    for join in sorted(joins):
        for sentence in sentences:
            joined = words.joined(join, sentence)
            assert [one[:6] for one in observe(joined)] == [one[:6] for one in observe(sentence)], joined


def binary(report: str, finding: str, answer: str = "A") -> Sample:
    question = f"Does this chest X-ray show {finding}?"
    fields = ("1", "toy", "binary", "choice", "p", "s", "test", (), question, answer)
    return Sample(*fields, ("Yes", "No"), report=report)


def test_a_narrower_thing_is_named_and_counts_as_what_was_asked_for():
    chain = mine_prose(binary("Calcified granuloma in the right upper lobe.", "lung lesion")).reasoning
    assert "calcified granuloma" in chain
    assert "lung lesion" in chain.partition("granuloma")[2]


def test_what_the_report_leaves_unsaid_is_not_denied():
    mined = mine_prose(binary("The heart is normal in size. The lungs are clear.", "pneumonia"))
    assert mined.answer == "B"
    silent = mine_prose(binary("No pneumothorax.", "pleural other"))
    assert silent.answer == "B"
    assert [one.finding for one in observe(silent.reasoning)] == ["pneumothorax"]


@pytest.mark.parametrize(
    ("report", "finding", "problem"),
    [
        ("Possible pneumonia.", "pneumonia", "uncertain"),
        ("Scoliosis.", "pneumothorax", "evidence"),
        ("Pneumonia.", "pneumonia", ""),
    ],
)
def test_no_chain_is_made_of_doubts_or_of_nothing(report, finding, problem):
    assert mine_prose(binary(report, finding)).problem.partition(":")[0] == problem


def test_one_sided_denials_keep_their_side():
    chain = mine_prose(binary("No left pleural effusion.", "pleural effusion")).reasoning
    assert "no pleural effusion on the left" in chain.lower()


def test_a_digest_tells_each_thing_once_and_as_narrowly_as_the_report():
    told = digest(
        "Small left effusion. Left pleural effusion. Nodule. Granuloma in the left upper lobe. No edema."
    )
    assert [seen.finding for seen in told.present] == ["pleural effusion", "granuloma"]
    assert told.present[0].severity == "mild"
    assert set(told.denied) == {"edema"}
