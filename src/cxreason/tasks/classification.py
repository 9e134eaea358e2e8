"""What an image shows, by the labels, views and courses that datasets publish.

disease          the labels of a study, asked in three ways: yes or no, one of several sets, list all of them
view             from which side one image was taken
temporal_change  how a finding changed between two images (MS-CXR-T)

Lists of labels are read as CheXinstruct reads them: CheXpert's labellers leave out what a report does not
mention, so for their datasets that counts as absent, and atelectasis, edema and pleural effusion count as
present where they are uncertain. Where options are to be told apart, only what is certain is asked about:
neither what is uncertain nor what nobody judged is ever a wrong option.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import permutations
from random import Random

from cxreason.answers import labels as label_answer
from cxreason.records import Study
from cxreason.tasks.asking import Asked, Given, Task, Topic, pair_of, shuffled, sign
from cxreason.tasks.radrbench import CHANGES, COURSES, WITHOUT_COURSE, draw
from cxreason.text.labels import decided, denied
from cxreason.text.ontology import FINDINGS, NO_FINDING, ancestors, parents

LABELLERS = ("mimic-cxr", "chexpert", "chexpert-plus", "brax")
"""Datasets whose labels are those of CheXpert: what has none was not mentioned, and counts as absent."""
HEDGING = ("mimic-cxr", "chexpert", "chexpert-plus")
"""Datasets of which some uncertain labels count as present. Of BRAX none does."""
OPEN_LISTS = ("padchest", "bimcv-covid19")
"""Datasets that name what is there from a list so long that nobody writes down the rest."""
ONE_FINDING = {"rsna": "pneumonia", "covidx": "covid-19", "nlm-tb": "tuberculosis"}
"""Datasets about one finding: the only question is whether it is there."""
MOST_OPTIONS = 26
MORE_OPTIONS = 10
"""Wrong labels in a list of options where a dataset knows more than can be listed."""
SHORT_LIST = 20
"""As many labels as this are all listed."""
CIRCLES = 4096
"""So many circles of studies are remembered with how they are asked, for each of them asks for it."""

VIEWS = ("PA", "AP", "LATERAL", "LL")
KNOWS_LEFT_LATERAL = ("mimic-cxr",)
"""Datasets that call some lateral views LL; elsewhere an image so called is left out."""


Known = frozenset[tuple[str, int]]
"""The labels of a study. What follows from them is remembered, for many studies have the same."""


def _known(study: Study) -> Known:
    """One object for all studies with these labels: what is remembered of it is found at once."""
    return _labels(tuple(study.labels), tuple(study.labels.values()))


@lru_cache(maxsize=65_536)
def _labels(names: tuple[str, ...], values: tuple[int, ...]) -> Known:
    return frozenset(zip(names, values, strict=True))


@lru_cache(maxsize=65_536)
def _judged(dataset: str, known: Known) -> tuple[tuple[str, ...], tuple[str, ...]]:
    labels = dict(known)
    taken = decided(labels) if dataset in HEDGING else labels
    present = [name for name, value in taken.items() if value == 1]
    if len(present) > 1 and NO_FINDING in present:  # beside a device, which is no finding to some
        present.remove(NO_FINDING)
    implied = {wide for name in present if name in parents() for wide in ancestors(name)}
    absent = [name for name, value in known if value == 0 and name not in implied]
    if dataset in LABELLERS:
        absent += [name for name in FINDINGS if name not in labels and name not in implied]
    if present and NO_FINDING not in labels and NO_FINDING not in present:
        absent.append(NO_FINDING)
    return tuple(sorted(present)), tuple(sorted(set(absent)))


def judged(study: Study) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The labels that count as present and those that count as absent.

    >>> judged(Study("s", "chexpert", "p", (), labels={"edema": -1, "pneumonia": 1, "fracture": -1}))[0]
    ('edema', 'pneumonia')
    """
    return _judged(study.dataset, _known(study))


def disease_topics(study: Study) -> list[Topic]:
    """One topic for a study with anything labelled present; for a dataset of one finding, for every study."""
    if not study.images:
        return []
    only = ONE_FINDING.get(study.dataset)
    if only is not None:
        value = study.labels.get(only)
        return [Topic(only, "yes" if value else "no", only, alone=True)] if value in (0, 1) else []
    present, _ = judged(study)
    return [Topic("", ", ".join(present), alone=True)] if present else []


def disease_says(study: Study, topic: Topic) -> tuple[int, ...]:
    return (sign(topic.value),)


def ask_disease(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    """One of three ways, the same for all studies that stand together.

    Whether a finding is there is asked about two of them: it is in one and not in the other. So there are as
    many "yes" as "no" for each finding, however rare it is. Sets are those of the studies themselves, each
    right for one of them. Whoever reads the question alone is at chance. All that is there is asked for of
    studies that cannot be told apart for certain, and of a third of the others.
    """
    if study.dataset in ONE_FINDING:
        return _yes_no(topic.subject, topic.value == "yes", rng)
    if given.others:
        circle = sorted((study, *given.others), key=lambda one: one.id)
        dice = zlib.crc32(" ".join([one.id for one in circle]).encode())
        if dice % 3 < 2:
            ways = _ways(dice % 3, dice // 3, tuple([_known(one) for one in circle]))
            beside, finding = ways[[one is study for one in circle].index(True)]
            if beside:
                return _one_of_sets(study, [circle[place] for place in beside], rng)
            if finding:
                return _yes_no(finding, finding in certain(study), rng)
    present, absent = judged(study)
    if study.dataset in OPEN_LISTS:
        absent = tuple(name for name in given.frequency if _unlisted(study, name))
    return _list_all(present, absent, rng, given.frequency)


def certain(study: Study) -> frozenset[str]:
    """The labels that certainly are there.

    >>> sorted(certain(Study("s", "brax", "p", (), labels={"edema": 1, "fracture": -1, "no finding": 0})))
    ['edema']
    """
    return _certain(_known(study))


@lru_cache(maxsize=65_536)
def _certain(known: Known) -> frozenset[str]:
    there = {name for name, value in known if value == 1}
    return frozenset(there - {NO_FINDING} or there)


@lru_cache(maxsize=65_536)
def _lacks(known: Known, name: str) -> bool:
    """Whether a label certainly is not there; of one that a present finding is a kind of, a 0 is a slip."""
    if not denied(dict(known), name):
        return False
    return not any(name in ancestors(one) for one in _certain(known) if one in parents())


def _unlisted(study: Study, name: str) -> bool:
    """Whether a study of an open list has neither this finding nor a kind of it."""
    known = (label for label in study.labels if label in parents())
    return (
        name not in study.labels and name != NO_FINDING and not any(name in ancestors(one) for one in known)
    )


@lru_cache(maxsize=CIRCLES)
def _ways(way: int, dice: int, circle: tuple[Known, ...]) -> tuple[tuple[tuple[int, ...], str], ...]:
    """For each of a circle the places of the others that it stands together with, or else a finding."""
    return tuple([_way(way, dice, circle, place) for place in range(len(circle))])


def _way(way: int, dice: int, circle: tuple[Known, ...], place: int) -> tuple[tuple[int, ...], str]:
    def fit(one: int, other: int) -> object:
        first, second = circle[one], circle[other]
        return _stand_together(first, second) if way == 0 else _told_apart(first, second)

    everybody = tuple(range(len(circle)))
    pair = pair_of(place, everybody, fit)
    for together in (everybody, pair) if way == 0 else ():
        if _stand_together(*[circle[one] for one in together]):
            return tuple([one for one in together if one != place]), ""
    found = _told_apart(*[circle[one] for one in pair])
    return (), found[dice % len(found)] if found else ""


@lru_cache(maxsize=65_536)
def _told_apart(one: Known, other: Known) -> tuple[str, ...]:
    """The findings that one of two studies certainly shows and the other certainly does not."""
    mine, theirs = _certain(one), _certain(other)
    found = {name for name in mine if _lacks(other, name)} | {name for name in theirs if _lacks(one, name)}
    return tuple(sorted(found - {NO_FINDING}))


def _stand_together(*studies: Known) -> bool:
    """Whether the set of each study is right for it alone: it has what the others certainly have not."""
    return all(_stands_beside(one, other) for one, other in permutations(studies, 2))


@lru_cache(maxsize=65_536)
def _stands_beside(one: Known, other: Known) -> bool:
    beside = _certain(other) - _certain(one)
    return bool(beside) and all(_lacks(one, name) for name in beside)


def _yes_no(finding: str, is_there: bool, rng: Random) -> Asked:
    truth = "Yes" if is_there else "No"
    return shuffled(
        ("Yes", "No"),
        truth,
        rng,
        wording="disease_yes_no",
        fill={"finding": finding},
        subject=finding,
        styled=True,
    )


def _one_of_sets(study: Study, beside: Sequence[Study], rng: Random) -> Asked:
    """The set of what is there among those of the other studies, each written in an order that is drawn."""
    written = []
    for one in (study, *beside):
        names = sorted(certain(one))
        rng.shuffle(names)
        written.append(", ".join(names))
    return shuffled(written, written[0], rng, wording="disease_set", styled=True)


def _list_all(
    present: Sequence[str], absent: Iterable[str], rng: Random, frequency: Mapping[str, float]
) -> Asked:
    """All that is there, out of the labels in an order that is drawn; the answer is in that order."""
    wrong = list(absent)
    if len(present) + len(wrong) > SHORT_LIST:
        wrong = draw(wrong, max(0, min(MORE_OPTIONS, MOST_OPTIONS - len(present))), frequency, rng)
    options = [*present, *wrong]
    rng.shuffle(options)
    return Asked(
        tuple(options),
        label_answer.write(present, options),
        wording="disease_list",
        kind="labels",
        styled=True,
    )


def view_topics(study: Study) -> list[Topic]:
    """Every image of which the view is known: PA, AP or lateral."""
    knows_left = study.dataset in KNOWS_LEFT_LATERAL
    return [
        Topic("", view, number=number)
        for number, view in enumerate(study.views)
        if view in VIEWS and (view != "LL" or knows_left)
    ]


def ask_view(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    """The view of one image. Left lateral is lateral in every other question, and an option in the others."""
    options = ["PA", "AP", "LATERAL"]
    truth = topic.value
    if study.dataset in KNOWS_LEFT_LATERAL and rng.random() < 0.5:
        options.append("LL")
    elif truth == "LL":
        truth = "LATERAL"
    image = study.images[topic.number : topic.number + 1]
    return shuffled(options, truth, rng, images=image, styled=True)


def change_topics(study: Study) -> list[Topic]:
    """Every finding of which the course since the prior study is known, grouped by the course."""
    if not study.prior_id:
        return []
    return [
        Topic(COURSES[course], COURSES[course], finding)
        for finding, course in study.changes.items()
        if course in COURSES and finding not in WITHOUT_COURSE
    ]


def ask_change(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    finding = topic.subject
    return shuffled(CHANGES, topic.value, rng, fill={"finding": finding}, subject=finding, styled=True)


TASKS: dict[str, Task] = {
    "disease": Task(
        "choice", disease_topics, ask_disease, title="Disease Classification", company=3, says=disease_says
    ),
    "view": Task("choice", view_topics, ask_view, title="View Classification", about_views=True),
    "temporal_change": Task("choice", change_topics, ask_change, title="Temporal Classification", prior=True),
}
