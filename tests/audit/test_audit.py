"""The audit: what is fair passes, and each defect of published test sets is caught when it is put back."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from cxreason.audit import audit
from cxreason.records import Sample, to_row
from cxreason.rows import write_parquet
from cxreason.text.ontology import FINDINGS

LABELS = FINDINGS[:8]
COURSES = ("worsening", "stable", "improving")


def ask(number: int, split: str, options: list[str], truth: str, **more) -> Sample:
    fields = {"id": f"{split}{number}", "dataset": "made", "task": "binary", "kind": "choice"}
    fields |= {"patient_id": f"{split}-p{number // 2}", "study_id": f"{split}-s{number}", "split": split}
    fields |= {"images": (f"{split}-{number}.png",), "question": "Which?", "options": tuple(options)}
    return Sample(**{**fields, "answer": "ABCD"[options.index(truth)], **more})


def binary(number: int, split: str, rng: Random) -> Sample:
    """Yes and no in any order, each right equally often for each finding."""
    finding, truth = LABELS[number // 2 % len(LABELS)], ("Yes", "No")[number % 2]
    options = rng.sample(["Yes", "No"], 2)
    labels = {finding: int(truth == "Yes")}
    return ask(number, split, options, truth, subject=finding, question=f"Is there {finding}?", labels=labels)


def single(number: int, split: str, rng: Random) -> Sample:
    """One present finding among four, each equally often the truth and a distractor."""
    options = rng.sample(LABELS, 4)
    truth = rng.choice(options)
    labels = {one: int(one == truth) for one in LABELS}
    return ask(number, split, options, truth, task="single", labels=labels)


def multiple(number: int, split: str, rng: Random) -> Sample:
    """Four pairs, made by exchanging each half of the truth, all in the order of the ontology."""
    first, second, third, fourth = rng.sample(LABELS, 4)
    pairs = [{first, second}, {first, third}, {second, fourth}, {third, fourth}]
    options = [", ".join(sorted(pair, key=LABELS.index)) for pair in pairs]
    truth = options[0]
    labels = {one: int(one in pairs[0]) for one in LABELS}
    return ask(number, split, rng.sample(options, 4), truth, task="multiple", labels=labels)


def temporal(number: int, split: str, rng: Random) -> Sample:
    finding, truth = LABELS[number // 3 % len(LABELS)], COURSES[number % 3]
    return ask(number, split, rng.sample(COURSES, 3), truth, task="temporal", subject=finding)


def verdict(tmp_path, make: Callable, spoil: Callable | None = None, *, n: int = 300) -> list[str]:
    """The failures of an audit of fair questions, after `spoil` was let loose on each of them."""
    rng = Random(4)
    samples = [make(number, split, rng) for split in ("train", "test") for number in range(n)]
    if spoil:
        samples = [spoil(one, rng) for one in samples]
    write_parquet(tmp_path / "samples.parquet", Sample, map(to_row, samples))
    return audit([tmp_path / "samples.parquet"])["failures"]


def with_truth_at(one: Sample, place: int) -> Sample:
    rest = [option for option in one.options if option != one.options["ABCD".index(one.answer)]]
    rest.insert(place, one.options["ABCD".index(one.answer)])
    return replace(one, options=tuple(rest), answer="ABCD"[place])


def truth_first(one: Sample, rng: Random) -> Sample:
    return with_truth_at(one, 0)


def reworded(one: Sample, change: Callable[[str, bool], str]) -> Sample:
    gold = "ABCD".index(one.answer)
    options = tuple(change(option, place == gold) for place, option in enumerate(one.options))
    return replace(one, options=options, labels={})


def truth_longest(one: Sample, rng: Random) -> Sample:
    return reworded(one, lambda option, right: f"{option} is what is seen" if right else option)


def truth_in_canonical_order(one: Sample, rng: Random) -> Sample:
    """Distractors come from a set, in any order; the truth comes from the columns of a table."""

    def mixed(option: str, right: bool) -> str:
        parts = option.split(", ")
        return option if right else ", ".join(rng.sample(parts, len(parts)))

    return replace(reworded(one, mixed), labels=one.labels)


def mostly(words: str) -> Callable:
    """Makes the answer that the words name right in four of five samples."""

    def spoil(one: Sample, rng: Random) -> Sample:
        return replace(one, answer="ABCD"[one.options.index(words)]) if rng.random() < 0.7 else one

    return spoil


def yes_for_one_finding(one: Sample, rng: Random) -> Sample:
    """Each finding has its usual answer, while yes and no are as frequent as each other in all."""
    usual = ("Yes", "No")[LABELS.index(one.subject) % 2]
    return mostly(usual)(one, rng)


def words_that_tell(one: Sample, rng: Random) -> Sample:
    """No label, letter or length tells; the question does."""
    truth = one.options["ABCD".index(one.answer)]
    return replace(one, subject="", question=f"{one.question} {'Look' if truth == 'Yes' else 'See'} here")


def yes_always_first(one: Sample, rng: Random) -> Sample:
    truth = one.options["ABCD".index(one.answer)]
    return replace(one, options=("Yes", "No"), answer="AB"[("Yes", "No").index(truth)])


def courses_in_fixed_order(one: Sample, rng: Random) -> Sample:
    truth = one.options["ABCD".index(one.answer)]
    return replace(one, options=COURSES, answer="ABC"[COURSES.index(truth)])


def present_distractor(one: Sample, rng: Random) -> Sample:
    return replace(one, labels={**one.labels, one.options["ABCD".index(one.answer) - 1]: 1})


def uncertain_distractor(one: Sample, rng: Random) -> Sample:
    return replace(one, labels={**one.labels, one.options["ABCD".index(one.answer) - 1]: -1})


def uncertain_label_asked(one: Sample, rng: Random) -> Sample:
    return replace(one, labels={one.subject: -1})


def doubled_options(one: Sample, rng: Random) -> Sample:
    wrong = "ABCD".index(one.answer) - 1
    kept = one.options["ABCD".index(one.answer) - 2]
    return replace(
        one, options=tuple(kept if place == wrong % 4 else option for place, option in enumerate(one.options))
    )


def one_label_too_often(one: Sample, rng: Random) -> Sample:
    """The truth is named atelectasis wherever the dice say so, as in a natural distribution."""
    if rng.random() < 0.5:
        return one
    truth = one.options["ABCD".index(one.answer)]
    swap = {truth: LABELS[0], LABELS[0]: truth}
    options = tuple(swap.get(option, option) for option in one.options)
    return replace(one, options=options, labels={LABELS[0]: 1} | dict.fromkeys(LABELS[1:], 0))


@pytest.mark.parametrize("make", [binary, single, multiple, temporal])
def test_fair_questions_pass(tmp_path, make):
    assert verdict(tmp_path, make) == []


@pytest.mark.parametrize(
    ("make", "spoil", "said"),
    [
        (single, truth_first, "blind: single of made, evaluation: letter"),
        (single, truth_first, "balance: single of made, evaluation: letters"),
        (single, truth_longest, "option length"),
        (multiple, truth_in_canonical_order, "canonical order"),
        (binary, yes_for_one_finding, "label majority"),
        (binary, yes_for_one_finding, "answers to one finding"),
        (binary, words_that_tell, "bag of words"),
        (binary, yes_always_first, "order of options"),
        (temporal, courses_in_fixed_order, "order of options"),
        (temporal, mostly("worsening"), "label majority"),
        (single, one_label_too_often, "label majority"),
        (single, one_label_too_often, "balance: single of made, evaluation: labels"),
        (single, present_distractor, "a wrong option names a finding that is present"),
        (single, uncertain_distractor, "a wrong option names a finding that is uncertain"),
        (binary, uncertain_label_asked, "the finding that is asked about is uncertain"),
        (single, doubled_options, "two options say the same"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_each_published_defect_is_caught_when_it_is_put_back(tmp_path, make, spoil, said):
    assert any(said in line for line in verdict(tmp_path, make, spoil))
