"""What keeps a chain out, filter by filter, and what must not."""

from dataclasses import replace

import numpy as np
import pytest

from cxreason.mining import filters
from cxreason.mining.duplicates import NUM_BANDS, Duplicates, _slots
from cxreason.mining.filters import Candidate
from cxreason.records import Sample
from cxreason.settings import MineFilters

REPORT = "Small left pleural effusion. The heart is normal in size."
CHAIN = (
    "Is there a pleural effusion? I look at the costophrenic angles. There is a small left pleural effusion. "
    "So the answer is A, yes."
)
QUESTION = ("1", "d", "binary", "choice", "p", "s", "test", (), "Does this show pleural effusion?", "A")
SAMPLE = Sample(*QUESTION, ("Yes", "No"), report=REPORT)
GOOD = Candidate(CHAIN, "A", ("Small left pleural effusion.",))
WANTED = MineFilters.model_validate({})


def reasons(chain: Candidate, wanted: MineFilters = WANTED, sample: Sample = SAMPLE) -> list[str]:
    return [reason.partition(":")[0] for reason in filters.judge(sample, chain, wanted).reasons]


def test_a_good_chain_is_kept():
    assert reasons(GOOD) == []


@pytest.mark.parametrize(
    ("changed", "name", "why"),
    [
        ({"answer": "B"}, "answer", "it ends elsewhere"),
        ({"answer": ""}, "answer", "it has no answer that can be understood"),
        ({"evidence": ()}, "evidence", "it points at nothing"),
        ({"reasoning": CHAIN + " The report says so."}, "leak", "it names its source"),
        ({"reasoning": CHAIN + " It is unchanged."}, "comparison", "there is one image"),
        ({"reasoning": "There is a small left pleural effusion."}, "length", "too short to be reasoning"),
        ({"reasoning": CHAIN + " word" * 320}, "length", "too long"),
        ({"reasoning": CHAIN + " There is no fracture."}, "factuality", "nobody said so"),
        ({"reasoning": CHAIN + " The heart is enlarged."}, "factuality", "the report says otherwise"),
    ],
)
def test_each_filter_finds_its_fault_and_only_that(changed, name, why):
    assert reasons(replace(GOOD, **changed)) == [name], why


def test_all_reasons_are_kept_in_the_order_of_the_filters():
    bad = Candidate("The prior report says edema.", "B", ())
    assert reasons(bad) == ["answer", "evidence", "leak", "comparison", "length", "factuality"]


@pytest.mark.parametrize(
    ("reading", "least", "kept"),
    [("strict", 1.0, False), ("strict", 0.5, True), ("paper", 1.0, True), ("strict", 0.67, False)],
)
def test_how_factual_a_chain_must_be_is_the_recipes_choice(reading, least, kept):
    half = replace(GOOD, reasoning=CHAIN + " There is no fracture.")
    assert (reasons(half, MineFilters(factuality=least, reading=reading)) == []) == kept


@pytest.mark.parametrize(
    "words",
    [
        "per the impression",
        "the report states",
        "As mentioned, there is edema",
        "The radiologist notes edema",
        "according to the findings section",
        "as described above",
        "The given answer is yes",
        "the provided text",
    ],
)
def test_whoever_names_the_source_is_found_out(words):
    assert filters.find_leak(f"{words}, so yes.").startswith("leak: ")


@pytest.mark.parametrize(
    "words",
    [
        "compared to the prior study",
        "a new opacity",
        "the effusion has increased",
        "interval improvement",
        "stable cardiomegaly",
        "again seen",
        "since the last film",
        "no significant change",
        "there is progression of edema",
        "resolving pneumonia",
    ],
)
def test_whoever_compares_without_a_prior_is_found_out(words):
    assert filters.find_comparison(f"There is {words}.").startswith("comparison: ")
    compared = replace(SAMPLE, task="temporal", prior_report="No effusion.")
    assert "comparison" not in reasons(replace(GOOD, reasoning=f"{CHAIN} Here is {words}."), sample=compared)


@pytest.mark.parametrize(
    "words",
    [
        "I compare the heart with the chest.",
        "The heart size is increased.",
        "Compare both sides.",
        "The interstitial markings are increased.",
        "I must decide; the question supports no more.",
        "The tip of the port lies in the vein.",
    ],
)
def test_harmless_words_are_left_alone(words):
    assert (filters.find_leak(words), filters.find_comparison(words)) == ("", "")


def test_as_many_nearly_equal_chains_are_kept_as_wanted():
    known = Duplicates(most_alike=2)
    found = [filters.judge(SAMPLE, GOOD, WANTED, known).problem for _ in range(3)]
    assert found == ["", "", "duplicate: 2 like it kept already"]
    other = replace(GOOD, answer="B")
    assert filters.judge(replace(SAMPLE, answer="B"), other, WANTED, known).problem == ""


def test_what_was_dropped_for_another_reason_does_not_count_as_kept():
    known = Duplicates(most_alike=1)
    assert filters.judge(SAMPLE, replace(GOOD, evidence=()), WANTED, known).problem.startswith("evidence")
    assert filters.judge(SAMPLE, GOOD, WANTED, known).problem == ""


def test_a_later_start_remembers_what_an_earlier_one_kept():
    known = Duplicates(most_alike=1)
    known.remember(filters.group("binary", "A"), CHAIN)
    assert filters.judge(SAMPLE, GOOD, WANTED, known).problem.startswith("duplicate")


def test_nearly_equal_chains_are_told_from_others():
    rng = np.random.default_rng(3)
    vocabulary = [f"w{number}" for number in range(400)]
    num_near = num_far = 0
    known = Duplicates(most_alike=1)
    for number in range(60):
        words = [vocabulary[at] for at in rng.integers(0, 400, 100)]
        near, far = list(words), list(words)
        near[50] = "another"
        for at in range(0, 100, 5):
            far[at] = "another"
        for group in (f"near {number}", f"far {number}"):
            known.remember(group, " ".join(words))
        num_near += bool(known.find(f"near {number}", " ".join(near)))
        num_far += bool(known.find(f"far {number}", " ".join(far)))
    assert num_near >= 50
    assert num_far <= 6


def test_the_counters_never_run_over():
    known = Duplicates(most_alike=255)
    for _ in range(300):
        known.remember("g", CHAIN)
    assert known.find("g", CHAIN).startswith("duplicate")
    assert len(_slots("g", CHAIN)) == NUM_BANDS
