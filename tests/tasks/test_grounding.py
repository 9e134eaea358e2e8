import re
from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cxreason.answers import score, understand
from cxreason.build.studies import Candidate, choose
from cxreason.phantom.generate import studies as phantom_studies
from cxreason.phantom.visit import DEEP
from cxreason.records import Box, Sample, Study, content_id
from cxreason.tasks import TASKS, samples
from cxreason.tasks.grounding import MOST_BOXES

GROUNDING = [name for name, task in TASKS.items() if task.kind == "boxes" and "Grounding" in task.title]
NAMES = ("pneumothorax", "rib fracture", "chest tube", "foreign object", "nodule", "pleural effusion")


@some.composite
def boxes(draw, label: str) -> Box:
    x1, y1 = draw(some.floats(0, 0.9)), draw(some.floats(0, 0.9))
    return Box(label, x1, y1, x1 + draw(some.floats(0.01, 0.1)), y1 + draw(some.floats(0.01, 0.1)))


@some.composite
def studies(draw) -> Study:
    labels = {name: draw(some.sampled_from([1, 0, -1])) for name in NAMES if draw(some.booleans())}
    found = [
        draw(boxes(name))
        for name, value in labels.items()
        if value != 0
        for _ in range(draw(some.integers(0, 4)))
    ]
    return Study("s", "toy", "p", ("1.png",), views=("PA",), labels=labels, boxes=tuple(found))


def ask(study: Study, task: str = "grounding", seed: int = 0) -> list[Sample]:
    return list(samples(study, None, task, Random(seed)))


@given(studies(), some.sampled_from(GROUNDING))
def test_an_answer_is_the_boxes_of_what_is_there_or_one_sentence_that_it_is_not(study, task):
    for sample in ask(study, task):
        own = [box for box in study.boxes if box.label == sample.subject]
        if study.labels.get(sample.subject) == 0:
            assert sample.answer == f"No {sample.subject} detected."
        else:
            assert own
            assert set(re.findall(r"<\|ref\|>(.*?)<\|/ref\|>", sample.answer)) == {sample.subject}
        said = understand(sample.answer, dialect="boxed", mode="direct", kind="boxes")
        assert said.answer == sample.answer, "the one parser reads it back"
        assert score(said.answer, sample.answer, kind="boxes") == 1.0


@given(studies())
def test_an_unjudged_finding_is_not_asked_for_and_a_doubted_one_only_where_it_has_a_box(study):
    boxed = {box.label for box in study.boxes}
    assert {sample.subject for sample in ask(study)} <= {
        name for name, value in study.labels.items() if value == 0 or name in boxed
    }


@given(studies())
def test_an_abnormality_in_many_places_is_not_asked_for(study):
    assert all(sample.answer.count("<|box|>") <= MOST_BOXES for sample in ask(study))


def test_boxes_stand_from_left_to_right_in_whole_hundredths():
    found = (Box("nodule", 0.7, 0.1, 0.8, 0.2), Box("nodule", 0.1005, 0.5, 0.2, 1.0))
    (sample,) = ask(Study("s", "toy", "p", ("1.png",), labels={"nodule": 1}, boxes=found))
    assert sample.answer == (
        "<|ref|>nodule<|/ref|><|box|>(10,50),(20,100)<|/box|><|ref|>nodule<|/ref|><|box|>(70,10),(80,20)<|/box|>"
    )


def test_boxes_of_several_readers_are_joined_and_a_box_of_a_kind_counts_for_the_finding():
    found = (Box("granuloma", 0.1, 0.1, 0.3, 0.3), Box("nodule", 0.12, 0.1, 0.32, 0.3))
    study = Study("s", "toy", "p", ("1.png",), labels={"lung lesion": 1, "pleural other": 0}, boxes=found)
    assert [sample.answer for sample in ask(study)] == [
        "<|ref|>lung lesion<|/ref|><|box|>(10,10),(32,30)<|/box|>",
        "No pleural other detected.",
    ]


def test_the_frontal_image_is_shown_and_its_boxes_alone():
    found = (Box("nodule", 0.1, 0.1, 0.2, 0.2, image=0), Box("nodule", 0.5, 0.5, 0.6, 0.6, image=1))
    study = Study("s", "toy", "p", ("l.png", "f.png"), ("LATERAL", "PA"), labels={"nodule": 1}, boxes=found)
    (sample,) = ask(study)
    assert sample.images == ("f.png",)
    assert sample.boxes == (replace(found[1], image=0),)
    assert "(50,50)" in sample.answer


@pytest.mark.parametrize(
    ("labels", "answers", "why"),
    [
        ({"rib fracture": 0}, ["No rib fracture detected."], "labelled itself"),
        ({"fracture": 0}, ["No rib fracture detected."], "no fracture, so none of a rib"),
        ({"no finding": 1, "edema": 0}, ["No rib fracture detected."], "normal"),
        ({"fracture": 1}, [], "a fracture of something"),
        ({"edema": 0}, [], "nobody looked"),
    ],
)
def test_absence_is_only_claimed_where_it_is_known(labels, answers, why):
    study = Study("s", "toy", "p", ("1.png",), labels=labels)
    assert [sample.answer for sample in ask(study, "rib_fracture_grounding")] == answers, why


def test_phantoms_give_as_many_images_without_a_finding_as_with_it():
    task, queue = TASKS["grounding"], []
    for one in phantom_studies(8, 40, DEEP):
        for topic in task.topics(one.study):
            queue.append(
                Candidate(None, one.study.id, "", "grounding", "train", topic, content_id(one.study.id))
            )
    chosen = choose(queue, len(queue), task.values)
    counts = Counter((one.topic.group, one.topic.value) for one in chosen)
    assert len({group for group, _ in counts}) >= 10
    assert all(counts[group, "yes"] == counts[group, "no"] for group, _ in counts)
