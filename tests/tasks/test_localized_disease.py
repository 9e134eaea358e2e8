"""What lies in a box, asked so that neither the options nor the place of the box tell it."""

from collections import Counter, defaultdict

import task_corpus as corpus

from cxreason.records import Box, Study
from cxreason.tasks import TASKS, random_for, sample
from cxreason.text.ontology import FINDINGS


def told(one) -> str:
    return one.options["ABCD".index(one.answer)]


def with_box(number: int, label: str, **labels: int) -> Study:
    known = {**dict.fromkeys(FINDINGS, 0), label: 1, **labels}
    box = Box(label, 0.1, 0.1, 0.2, 0.3)
    return Study(f"s{number}", "vindr-cxr", f"p{number}", ("1.png",), labels=known, boxes=(box,))


def ask(circle: list[Study]):
    asked = []
    for one in circle:
        (topic,) = TASKS["localized_disease"].topics(one)
        others = [other for other in circle if other is not one]
        asked.append(sample(one, None, "localized_disease", topic, random_for(one, "x", topic), None, others))
    return asked


def test_each_of_the_same_options_is_right_equally_often():
    right: dict[frozenset[str], Counter[str]] = defaultdict(Counter)
    for one in corpus.samples("localized_disease"):
        if one.kind == "choice":
            right[frozenset(one.options)][told(one)] += 1
    assert sum(counts.total() for counts in right.values()) > 20
    for options, counts in right.items():
        assert set(counts) == options
        assert len(set(counts.values())) == 1


def test_four_findings_in_such_a_place_are_the_options_of_four_studies():
    four = ("edema", "fracture", "pneumothorax", "lung lesion")
    asked = ask([with_box(number, label) for number, label in enumerate(four)])
    assert [told(one) for one in asked] == list(four)
    assert {frozenset(one.options) for one in asked} == {frozenset(four)}


def test_what_was_not_denied_of_one_of_four_parts_them_and_of_all_is_asked_in_words():
    four = ("edema", "fracture", "pneumothorax", "lung lesion")
    doubtful = with_box(0, "edema", fracture=-1)
    asked = ask([doubtful, *(with_box(number, label) for number, label in enumerate(four[1:], 1))])
    assert {len(one.options) for one in asked} == {2}
    assert "fracture" not in asked[0].options
    unsure = [
        with_box(number, label, **dict.fromkeys(("edema", "fracture"), -1))
        for number, label in enumerate(four[2:], 2)
    ]
    asked = ask([with_box(0, "edema", fracture=-1), with_box(1, "fracture", edema=-1), *unsure])
    assert [one.kind for one in asked] == ["text", "text", "choice", "choice"]
    assert asked[0].answer == "edema"


def test_boxes_elsewhere_or_of_another_size_are_not_asked_beside_it():
    large = Box("edema", 0.0, 0.0, 0.5, 0.5)
    places = [Box("edema", 0.1, 0.1, 0.2, 0.2), large, Box("edema", 0.8, 0.1, 0.9, 0.2)]
    groups = [
        TASKS["localized_disease"].topics(Study("s", "vindr-cxr", "p", ("1.png",), boxes=(box,)))[0].group
        for box in places
    ]
    assert groups == ["upper left, small/0", "upper left, large/0", "upper right, small/0"]
