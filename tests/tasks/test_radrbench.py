from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cxreason.records import Sample, Study
from cxreason.tasks import RADRBENCH, TASKS, samples
from cxreason.tasks import sample as one_sample
from cxreason.tasks.radrbench import ASKED, present
from cxreason.text.ontology import FINDINGS, NO_FINDING

values = some.sampled_from([1, 0, 0, -1, None])


def study_with(labels: dict[str, int], **more) -> Study:
    normal = int(not any(labels.values()))
    return Study("s1", "toy", "p1", ("1.png",), labels={**labels, NO_FINDING: normal}, **more)


@some.composite
def studies(draw) -> Study:
    drawn = {finding: draw(values) for finding in FINDINGS}
    changes = draw(
        some.dictionaries(some.sampled_from(FINDINGS), some.sampled_from(["stable", "new", "worsening"]))
    )
    labels = {finding: value for finding, value in drawn.items() if value is not None}
    return study_with(labels, prior_id="s0", changes=changes)


def ask(study: Study, task: str, seed: int = 0) -> list[Sample]:
    prior = Study("s0", "toy", "p1", ("0.png",), findings="Before.")
    return list(samples(study, prior, task, Random(seed)))


def known(study: Study, label: str) -> int:
    """What somebody present denies: "no finding" is never labelled 0 by who labels reports."""
    there = set(present(study)) - {"support devices"}
    return 0 if label == NO_FINDING and there and NO_FINDING not in study.labels else study.labels[label]


@given(studies(), some.booleans(), some.integers(0, 50))
def test_every_option_is_known_to_be_right_or_known_to_be_wrong(study, mined, seed):
    if mined and study.labels[NO_FINDING] == 0:
        labels = {name: value for name, value in study.labels.items() if name != NO_FINDING}
        study = replace(study, labels=labels)
    for task in ("single", "multiple"):
        for sample in ask(study, task, seed):
            right = sample.options["ABCD".index(sample.answer)]
            assert len(set(sample.options)) == len(sample.options) == 4
            for option in sample.options:
                judged = [known(study, label) for label in option.split(", ")]
                assert -1 not in judged, "uncertain is neither right nor wrong"
                assert all(judged) == (option == right), "a co-present label is no wrong answer"


@given(studies(), some.integers(0, 50))
def test_what_the_benchmark_leaves_out_is_neither_asked_about_nor_missed_in_an_answer(study, seed):
    for task in RADRBENCH:
        for sample in ask(study, task, seed):
            assert "pleural other" not in " ".join((sample.question, sample.answer, *sample.options))
            if task == "anomaly":
                assert study.labels.get("pleural other") != 1


@given(studies())
def test_an_uncertain_or_unjudged_finding_is_never_the_subject(study):
    asked = {sample.subject: sample for sample in ask(study, "binary")}
    assert set(asked) == {finding for finding in ASKED if study.labels.get(finding) in (0, 1)}
    for finding, sample in asked.items():
        said = sample.options["AB".index(sample.answer)]
        assert said == ("Yes" if study.labels[finding] else "No")


@given(studies(), some.integers(0, 50))
def test_every_label_of_a_multiple_question_stands_in_as_many_options(study, seed):
    for sample in ask(study, "multiple", seed):
        labels = Counter(label for option in sample.options for label in option.split(", "))
        assert len(labels) == 4
        assert len(set(labels.values())) == 1, "or the truth is the option that shares most with the others"


@given(studies(), some.integers(0, 50))
def test_all_sets_have_one_size_and_canonical_order(study, seed):
    for sample in ask(study, "multiple", seed):
        sets = [option.split(", ") for option in sample.options]
        assert {len(labels) for labels in sets} in ({2}, {3})
        assert all(labels == sorted(labels, key=FINDINGS.index) for labels in sets)


@pytest.mark.parametrize(
    ("labels", "answer", "why"),
    [
        ({"edema": 1, "cardiomegaly": 1, "fracture": 0}, "cardiomegaly, edema", "canonical order"),
        ({"edema": 0, "fracture": 0}, NO_FINDING, "normal"),
        ({"edema": 1, "fracture": -1}, None, "an uncertain finding makes the whole set uncertain"),
    ],
)
def test_an_open_question_wants_all_present_findings(labels, answer, why):
    answers = [sample.answer for sample in ask(study_with(labels), "anomaly")]
    assert answers == ([] if answer is None else [answer]), why


def test_a_temporal_question_shows_the_prior_first_and_keeps_both_reports():
    study = study_with({"edema": 1}, prior_id="s0", changes={"edema": "improving"}, findings="Now.")
    (sample,) = ask(study, "temporal")
    assert sample.images == ("0.png", "1.png")
    assert (sample.prior_report, sample.report) == ("Before.", "Now.")
    assert sample.options["ABC".index(sample.answer)] == "improving"
    assert "edema" in sample.question


@pytest.mark.parametrize(("change", "answer"), [("new", "worsening"), ("resolved", "improving")])
def test_what_came_is_worse_and_what_went_is_better(change, answer):
    study = study_with({"edema": 1}, prior_id="s0", changes={"edema": change})
    assert [one.options["ABC".index(one.answer)] for one in ask(study, "temporal")] == [answer]


def test_a_device_neither_worsens_nor_improves():
    study = study_with({"support devices": 1}, prior_id="s0", changes={"support devices": "new"})
    assert ask(study, "temporal") == []


@pytest.mark.parametrize("task", RADRBENCH)
def test_the_same_dice_give_the_same_sample(task):
    labels = {**dict.fromkeys(FINDINGS[:8], 0), "edema": 1, "cardiomegaly": 1}
    study = study_with(labels, prior_id="s0", changes={"edema": "stable"})
    assert ask(study, task, seed=3) == ask(study, task, seed=3) != []


@pytest.mark.parametrize(("there", "num_questions"), [(1, 0), (2, 1), (3, 4), (4, 10)])
def test_sets_of_two_and_of_three_present_findings_are_asked_about(there, num_questions):
    study = study_with({finding: int(place < there) for place, finding in enumerate(FINDINGS[:8])})
    asked = ask(study, "multiple")
    told = {one.options["ABCD".index(one.answer)] for one in asked}
    assert len(asked) == len(told) == num_questions


def test_options_that_a_builder_drew_up_are_those_that_are_shown():
    study = study_with({**dict.fromkeys(FINDINGS[:8], 0), "edema": 1})
    (topic,) = TASKS["single"].topics(study)
    options = ("edema", "cardiomegaly", "pneumonia", "consolidation")
    one = one_sample(study, None, "single", topic, Random(0), options=options)
    assert one.options == options, "in their order, which four studies share"
    assert one.options["ABCD".index(one.answer)] == "edema"
