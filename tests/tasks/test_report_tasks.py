from random import Random

import pytest

from cxreason.phantom.study import record
from cxreason.phantom.visit import DEEP
from cxreason.phantom.world import draw_visit
from cxreason.records import Study
from cxreason.tasks import samples
from cxreason.text.comparisons import compares


def study_with(**more) -> Study:
    return Study("s", "toy", "p", ("1.png", "2.png"), ("PA", "LATERAL"), **more)


def ask(study: Study, task: str) -> list:
    return list(samples(study, None, task, Random(0)))


@pytest.mark.parametrize("section", ["findings", "impression"])
def test_a_section_is_wanted_as_it_was_written_from_all_views(section):
    (sample,) = ask(study_with(**{section: "Lungs: Clear.\nHeart: Normal."}), section)
    assert sample.answer == "Lungs: Clear.\nHeart: Normal."
    assert sample.kind == "report"
    assert sample.images == ("1.png", "2.png")


@pytest.mark.parametrize("section", ["findings", "impression"])
def test_what_one_examination_cannot_show_is_not_wanted(section):
    study = study_with(**{section: "Left effusion, new since the prior study. The mass has resolved."})
    assert [sample.answer for sample in ask(study, section)] == ["Left effusion."]
    assert ask(study_with(**{section: "No change."}), section) == []
    assert ask(study_with(), section) == []


@pytest.mark.parametrize("section", ["findings", "impression"])
def test_the_indication_is_told_in_its_own_words_or_the_question_is_not_asked(section):
    task = f"{section}_with_indication"
    (sample,) = ask(study_with(indication="Cough {3 days}.", **{section: "Clear lungs."}), task)
    assert "Cough {3 days}." in sample.question
    assert ask(study_with(**{section: "Clear lungs."}), task) == []


def test_a_study_without_images_is_not_asked_about():
    assert ask(Study("s", "toy", "p", (), findings="Clear lungs."), "findings") == []


def test_phantom_findings_never_speak_of_another_examination():
    drawn = [record(draw_visit(9, index, DEEP)) for index in range(100)]
    answers = [sample.answer for study in drawn for sample in ask(study, "findings")]
    assert len(answers) > 60
    assert not [answer for answer in answers if compares(answer)]
