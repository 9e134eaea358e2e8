"""What holds for every task, on some hundred invented studies."""

import re
from collections import Counter, defaultdict

import pytest
import task_corpus as corpus
from scipy.stats import chisquare

from cxreason.answers import score, understand
from cxreason.answers.conversation import conversation, reply
from cxreason.answers.dialects import DIALECTS, OPTION_STYLES
from cxreason.tasks import RADRBENCH, TASKS, by_title, questions, random_for, sample
from cxreason.tasks.chexbench import QUESTIONS

TITLES = (
    "Open-Ended VQA",
    "Close-Ended VQA",
    "Difference VQA",
    "Text QA",
    "Disease Classification",
    "View Classification",
    "Temporal Classification",
    "Image-Text Matching",
    "Image-Text Selection",
    "View Matching",
    "Phrase Grounding",
    "Phrase Extraction and Grounding",
    "Abnormality Grounding",
    "Pneumothorax Grounding",
    "Rib Fracture Grounding",
    "Chest Tube Grounding",
    "Foreign Object Grounding",
    "Findings Generation",
    "Findings Generation with Indication",
    "Impression Generation",
    "Impression Generation with Indication",
    "Local Findings Generation",
    "Local Impression Generation",
    "Progression Findings Generation",
    "Progression Impression Generation",
    "Local Progression Findings Generation",
    "Local Progression Impression Generation",
    "Findings Summarization",
    "Report Generation",
    "Caption Generation",
    "Natural Language Explanation",
    "Named Entity Recognition",
    "Localized Abnormality Description",
    "Localized Disease Identification",
    "Localized Phrase Extraction",
)
"""The tasks of CheXinstruct-v2, as Table S3 of the CheXOne paper names them."""

DEVICES = ("rib_fracture_grounding", "chest_tube_grounding", "foreign_object_grounding")
ASKED = [task for task in TASKS if task not in DEVICES]
"""Those that the invented studies offer; the devices have their tests in test_grounding.py."""
OWN_WORDS = ("open_vqa", "closed_vqa", "difference_vqa", "difference", *RADRBENCH)
"""Tasks that ask in the words of a dataset or of a protocol."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


CHOOSING = [task for task in ASKED if TASKS[task].kind == "choice"]
IN_PAIRS = [task for task in ASKED if TASKS[task].values == ("yes", "no") and TASKS[task].company]
COMPARING = [task for task in TASKS if TASKS[task].prior]


def choices(task: str):
    return [one for one in corpus.samples(task) if one.kind == "choice"]


def truth(one) -> str:
    return one.options[LETTERS.index(one.answer)]


@pytest.mark.parametrize("task", IN_PAIRS)
def test_whether_views_are_known_does_not_tell_yes_from_no(task):
    assert {truth(one) for one in choices(task)} == {"Yes", "No"}
    assert len({bool(one.views) for one in choices(task)}) == 1


def test_there_is_a_task_for_every_row_of_the_published_table():
    assert set(by_title()) == set(TITLES)
    assert len(TITLES) == 35


def test_there_is_a_task_for_every_kind_of_question_of_chexbench():
    assert set(QUESTIONS.values()) <= set(TASKS)


@pytest.mark.parametrize("task", ASKED)
def test_every_answer_is_read_back_as_gold_in_every_dialect(task):
    assert len(corpus.samples(task)) >= 10
    for one in corpus.samples(task)[:60]:
        for name, dialect in DIALECTS.items():
            said = dialect.target(reply(one), "direct")
            read = understand(said, dialect=name, mode="direct", kind=one.kind, options=one.options)
            assert score(read.answer, one.answer, kind=one.kind, options=one.options) == 1.0, said
            assert one.question in conversation(one, dialect=name, mode="direct")[1]["content"]


@pytest.mark.parametrize("task", ASKED)
def test_options_are_distinct_and_the_truth_is_one_of_them(task):
    for one in corpus.samples(task):
        assert len({option.casefold() for option in one.options}) == len(one.options)
        if one.kind == "choice":
            assert len(one.options) >= 2
            assert truth(one) in one.options


@pytest.mark.parametrize("task", ASKED)
def test_ids_are_unique_and_the_same_dice_give_the_same_sample(task):
    asked = corpus.samples(task)
    assert len({one.id for one in asked}) == len(asked)
    again = corpus.ask(task, [corpus.study(number) for number in range(240)])
    assert tuple(again) == asked


@pytest.mark.parametrize("task", CHOOSING)
def test_the_truth_stands_in_every_place_equally_often(task):
    by_size = defaultdict(Counter)
    for seed in (1, 2):
        for one in corpus.ask(task, [corpus.study(number) for number in range(120)], seed):
            if one.kind == "choice":
                by_size[len(one.options)][one.answer] += 1
    for size, counts in by_size.items():
        if sum(counts.values()) >= 10 * size:
            assert chisquare([counts[letter] for letter in LETTERS[:size]]).pvalue > 1e-4, counts


@pytest.mark.parametrize("task", [task for task in ASKED if task not in OWN_WORDS])
def test_each_task_has_five_wordings_or_more_and_uses_them_all(task):
    wordings = {one.question.split("\n")[0] for one in corpus.samples(task)}
    ways = [name for name in questions() if name.startswith("disease_")]
    own = ways if task == "disease" else [task if task in questions() else "grounding"]
    for name in own:
        templates = questions()[name]
        assert len(set(templates)) == len(templates) >= 5
        for template in templates:
            pattern = "(?s)" + re.sub(r"\\\{\w+\\\}", ".*", re.escape(template.split("\n")[0]))
            assert any(re.fullmatch(pattern, wording) for wording in wordings), template


@pytest.mark.parametrize("task", [task for task in CHOOSING if task not in RADRBENCH])
def test_options_are_marked_in_every_style(task):
    assert {one.option_style for one in choices(task)} == set(OPTION_STYLES)
    assert {one.option_style for one in corpus.samples(task) if one.kind == "labels"} <= {"plain"}


GIVEN_IN_WORDS = ("localized_phrase", "text_qa", "entities", "summarization")
"""Tasks whose question holds the words that the answer is made of, because that is what they ask for."""


@pytest.mark.parametrize("task", [task for task in ASKED if task not in (*OWN_WORDS, *GIVEN_IN_WORDS)])
def test_no_question_gives_its_answer_away(task):
    for one in corpus.samples(task):
        if one.kind == "choice":
            named = [option for option in one.options if _says(one.question, option)]
            assert truth(one) not in named or set(named) == set(one.options), one.question
        else:
            assert not _says(one.question, one.answer), one.question


def _says(question: str, answer: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(answer.rstrip('.'))}(?!\w)", question, re.IGNORECASE) is not None


@pytest.mark.parametrize("task", IN_PAIRS)
def test_yes_and_no_are_equally_often_right(task):
    answers = Counter(truth(one) for one in corpus.samples(task))
    assert answers["Yes"] == answers["No"] > 10


@pytest.mark.parametrize("task", COMPARING)
def test_a_comparison_shows_the_earlier_image_first_and_keeps_both_reports(task):
    for one in corpus.samples(task):
        number = int(one.study_id.removeprefix("toy/"))
        assert one.images == (f"{number - 1}.png", f"{number}.png")
        assert one.prior_report == corpus.study(number - 1).report


def test_a_question_without_its_prior_or_its_company_is_a_fault():
    later = corpus.study(2)
    (topic, *_) = TASKS["progression_findings"].topics(later)
    with pytest.raises(ValueError, match="needs its prior"):
        sample(later, None, "progression_findings", topic, random_for(later, "x", topic))
    (topic, *_) = TASKS["selection"].topics(later)
    with pytest.raises(ValueError, match="needs 3 others"):
        sample(later, None, "selection", topic, random_for(later, "x", topic), others=[corpus.study(9)])
