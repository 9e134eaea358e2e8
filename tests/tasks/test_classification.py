"""Labels as questions: only what is certain is an option, and each option is right as often as another."""

from collections import Counter
from random import Random

import pytest
import task_corpus as corpus

from cxreason.records import Sample, Study
from cxreason.tasks import TASKS, random_for, sample
from cxreason.text.labels import denied
from cxreason.text.ontology import FINDINGS, NO_FINDING


def study(number: int, dataset: str = "chexpert", **labels: int) -> Study:
    named = {name.replace("_", " "): value for name, value in labels.items()}
    return Study(f"s{number}", dataset, f"p{number}", (f"{number}.png",), labels=named)


def ask(one: Study, *others: Study) -> Sample:
    (topic,) = TASKS["disease"].topics(one)
    return sample(one, None, "disease", topic, random_for(one, "disease", topic), None, others)


def told(one: Sample) -> str:
    return one.options["ABCD".index(one.answer)]


def sets(options) -> set[frozenset[str]]:
    return {frozenset(option.split(", ")) for option in options}


def asked_of(circle: list[Study]) -> list[Sample]:
    return [ask(one, *(other for other in circle if other is not one)) for one in circle]


def mined(number: int) -> Study:
    """Labels as they are found in reports: what is there, something denied, something in doubt, no more."""
    rng = Random(number)
    said = rng.sample(FINDINGS, rng.choice((1, 2, 5, 8)))
    labels = {name: rng.choice((1, 1, 0, 0, 0, -1)) for name in said} if rng.random() < 0.7 else {}
    there = any(value for name, value in labels.items() if name != "support devices")
    return study(number, **(labels if there else {NO_FINDING: 1, **labels}))


def coded(number: int) -> Study:
    """Labels by people who looked for each of them."""
    rng = Random(number)
    there = rng.sample(FINDINGS, rng.choice((1, 1, 2)))
    return study(number, "chestx-ray14", **{NO_FINDING: 0, **{name: int(name in there) for name in FINDINGS}})


@pytest.fixture(scope="module", params=[(mined, 2000), (coded, 400)], ids=["mined", "coded"])
def circles(request) -> list[list[Sample]]:
    """What is asked of four studies each, of which no two have the same labels."""
    make, number = request.param
    found, waiting = [], [one for one in map(make, range(number)) if TASKS["disease"].topics(one)]
    while len(waiting) >= 4:
        circle = [waiting.pop()]
        while len(circle) < 4 and waiting:
            one = waiting.pop()
            says = [TASKS["disease"].topics(other)[0].value for other in circle]
            if TASKS["disease"].topics(one)[0].value not in says:
                circle.append(one)
        if len(circle) == 4:
            found.append(asked_of(circle))
    return found


def test_of_options_that_stand_beside_each_other_each_is_right_equally_often(circles):
    counts: Counter[int] = Counter()
    for circle in circles:
        chosen = [one for one in circle if one.kind == "choice" and not one.subject]
        for one in chosen:
            same = [other for other in chosen if sets(other.options) == sets(one.options)]
            assert len(same) == len(one.options)
            assert sets(map(told, same)) == sets(one.options)
            counts[len(one.options)] += 1
    assert counts[4] > 10 or counts[2] > 100, "where four do not go together two may"


def test_yes_is_right_as_often_as_no_for_every_finding(circles):
    answers = Counter(
        (one.subject, told(one)) for circle in circles for one in circle if set(one.options) == {"Yes", "No"}
    )
    assert {finding for finding, _ in answers} >= {"edema", "fracture", "support devices"}
    assert all(answers[finding, "Yes"] == answers[finding, "No"] for finding, _ in answers)


def test_what_is_uncertain_or_was_not_judged_is_no_option_and_is_not_asked_about(circles):
    for one in (one for circle in circles for one in circle if one.kind == "choice"):
        if one.subject:
            assert one.labels.get(one.subject) == 1 or denied(one.labels, one.subject)
            continue
        truth = set(told(one).split(", "))
        assert {one.labels[name] for name in truth} == {1}
        wrong = {name for option in one.options for name in option.split(", ")} - truth
        assert all(denied(one.labels, name) for name in wrong)


def test_a_list_takes_the_published_reading(circles):
    """An uncertain edema counts as present, and what the report leaves out as absent."""
    one = ask(study(1, edema=-1, pneumonia=-1))
    assert (one.kind, one.answer) == ("labels", "edema")
    assert set(one.options) == {*FINDINGS, NO_FINDING} - {"pneumonia", "lung opacity"}


def test_sets_that_hold_one_another_are_never_offered_together():
    known = {**dict.fromkeys(FINDINGS, 0), "edema": 1}
    beside = [("fracture",), ("pneumothorax",), ("fracture", "pneumothorax")]
    drawn = [known, *({**known, **dict.fromkeys(names, 1)} for names in beside)]
    for round in range(0, 80, 4):
        asked = asked_of([study(round + place, **labels) for place, labels in enumerate(drawn)])
        choices = [one for one in asked if one.kind == "choice"]
        assert not [one for one in choices if len(one.options) == 4]
        assert not [one for one in choices if "edema" in one.options]


@pytest.mark.parametrize("dataset", ["padchest", "chestx-ray14", "mimic-cxr"])
def test_normal_images_deny_every_finding_and_no_device(dataset):
    normal = [study(number, dataset, no_finding=1) for number in (1, 3)]
    others = [study(2, dataset, edema=1), study(4, dataset, support_devices=1)]
    for order in (others, others[::-1]):
        for one in asked_of([normal[0], order[0], normal[1], order[1]]):
            assert one.subject in ("", "edema")


def test_invented_studies_with_every_label_are_asked_in_all_ways():
    ways = Counter(
        one.kind if one.kind != "choice" else "yes or no" if one.subject else f"{len(one.options)} sets"
        for one in corpus.samples("disease")
    )
    assert set(ways) >= {"labels", "yes or no", "2 sets"}
